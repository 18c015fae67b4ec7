"""Linear layers for a few rows at a time, whose cost is that of reading their weights.

One step of a sampler multiplies every weight by one row a sample. Both layers give a row the same
bits whatever rows are beside it, so that a sample does not depend on the batch it is drawn in.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Fewer rows take other routines, which sum in another order.
_LEAST_ROWS = 4


class PackedLinear(nn.Module):
    """A linear layer ``[..., K] -> [..., N]`` whose weight lies as oneDNN reads it fastest.

    Elsewhere than on a CPU with oneDNN it is the plain layer, and rows may differ by rounding.

    Parameters
    ----------
    weight
        ``[N, K]`` float32.
    bias
        ``[N]`` float32, or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.outputs = len(weight)
        self.bias = bias
        self.packed = weight.device.type == "cpu" and torch.backends.mkldnn.is_available()
        self.weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight, _LEAST_ROWS) if self.packed else weight
        )

    def forward(self, x: Tensor) -> Tensor:
        if not self.packed:
            return F.linear(x, self.weight, self.bias)
        rows = x.flatten(0, -2)
        lacking = max(0, _LEAST_ROWS - len(rows))
        if lacking:
            rows = F.pad(rows, (0, 0, 0, lacking))
        y = torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")
        return y[: len(rows) - lacking].view(*x.shape[:-1], self.outputs)


class Int8Linear(nn.Module):
    """A linear layer ``[..., K] -> [..., N]`` in eight bits: dynamic quantisation, by FBGEMM.

    Weights are quantised once, a scale an output; inputs as they come, a scale a row. Products are
    summed in integers, exactly, so that the order of sums makes no difference.

    Parameters
    ----------
    weight
        ``[N, K]`` float32, on the CPU.
    bias
        ``[N]`` float32, or None.

    Raises
    ------
    ValueError
        When torch has no such layer here.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        if (
            weight.device.type != "cpu"
            or "fbgemm" not in torch.backends.quantized.supported_engines
        ):
            raise ValueError("eight-bit weights need a CPU with FBGEMM; use float32")
        largest = weight.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
        self.weight = _packed(weight, largest / 127)
        self.bias = torch.zeros(len(weight)) if bias is None else bias
        self.reach = _input_reach()

    def forward(self, x: Tensor) -> Tensor:
        largest = torch.linalg.vector_norm(x, torch.inf, dim=-1, keepdim=True)
        scale = largest.clamp_min_(1e-30).div_(self.reach)
        return torch.addcmul(self.bias, _products(x / scale, self.reach, self.weight), scale)


def _packed(weight: Tensor, scale: Tensor) -> Any:
    """Quantise ``[N, K]`` float32 by ``scale [N]`` and lay it out for :func:`_products`."""
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    engine = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = "fbgemm"
        # torch means to drop such tensors one day, and has nothing else that reads as fast.
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            whole = torch.quantize_per_channel(weight, scale.double(), zeros, 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(whole, None)
    finally:
        torch.backends.quantized.engine = engine


def _products(x: Tensor, reach: int, packed: Any) -> Tensor:
    """Round x, within ``reach`` of 0, to whole numbers and multiply: ``round(x) @ weight.T``."""
    return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
        x, 1.0, reach + 1, packed
    )


@cache
def _input_reach() -> int:
    """Largest whole number for an input: 127, or 63 where the processor saturates sums of two.

    That is one without VNNI, whose products of bytes are added in pairs as 16 bits.
    """
    packed = _packed(torch.full((16, 64), 127.0), torch.ones(16))
    found = _products(torch.full((4, 64), 127.0), 127, packed)
    return 127 if bool((found == 64 * 127 * 127).all()) else 63
