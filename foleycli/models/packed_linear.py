"""Linear layers for a few rows at a time, whose cost is that of reading their weights.

One step of a sampler multiplies every weight by one row a sample. Both layers give a row the same
bits whatever rows are beside it, so that a sample does not depend on the batch it is drawn in.
"""

from __future__ import annotations

from functools import cache

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
    """A linear layer ``[..., K] -> [..., N]`` in eight bits: dynamic quantisation.

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
        if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
            raise ValueError("eight-bit weights need a CPU with oneDNN; use float32")
        largest = weight.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
        self.scale = largest / 127
        whole = (weight / self.scale[:, None]).round().to(torch.int8)
        self.weight = torch.ops.onednn.qlinear_prepack(whole, None)
        self.zeros = torch.zeros(len(weight), dtype=torch.int64)
        self.bias = torch.zeros(len(weight)) if bias is None else bias
        self.reach = _input_reach()

    def forward(self, x: Tensor) -> Tensor:
        scale = x.abs().amax(dim=-1, keepdim=True).clamp_min_(1e-30).div_(self.reach)
        whole = (x / scale).round_().add_(self.reach + 1).to(torch.uint8)
        products = _products(whole, self.reach + 1, self.weight, self.scale, self.zeros)
        return torch.addcmul(self.bias, products, scale)


def _products(whole: Tensor, zero: int, weight: Tensor, scale: Tensor, zeros: Tensor) -> Tensor:
    """Return ``scale * ((whole - zero) @ weight.T)`` in float32."""
    return torch.ops.onednn.qlinear_pointwise(
        whole, 1.0, zero, weight, scale, zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )


@cache
def _input_reach() -> int:
    """Largest whole number for an input: 127, or 63 where the processor saturates sums of two.

    That is one without VNNI, whose products of bytes are added in pairs as 16 bits.
    """
    weight = torch.full((16, 64), 127, dtype=torch.int8)
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    whole = torch.full((4, 64), 255, dtype=torch.uint8)
    found = _products(whole, 128, packed, torch.ones(16), torch.zeros(16, dtype=torch.int64))
    return 127 if bool((found == 64 * 127 * 127).all()) else 63
