"""MelGAN's generator for inference: weight norm folded away, and rows of time in place of columns.

With time down the rows ``(T, C)`` every convolution is a few matrix products with shifted views of
the same rows, one for each of its taps, and no value is moved: nothing is unfolded, blocked or
interleaved. A transposed convolution of stride r and 2r taps is two products, whose r C columns are
r rows of the output. A residual block is done a stretch of time after another, so that what lies
between its layers stays in the processor's cache. The waveform is the trained one's to rounding.
"""

from __future__ import annotations

from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.models.melgan import (
    SLOPE,
    MelganConfig,
    MelganGenerator,
    Residual,
    WNConv1d,
    WNLengthening,
    check_frames,
)

_STRETCH_VALUES = 2**17  # 0.5 MB


class FoldedMelgan(nn.Module):
    """Mel ``[B, mels, T]`` in [0, 1] -> waveform ``[B, 1, hop_samples T]`` in (-1, 1).

    Clips are done one after another, so that none depends on its batch. No gradient passes.
    """

    def __init__(self, config: MelganConfig, steps: list[nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.steps = nn.ModuleList(steps)
        self.eval()

    @classmethod
    def of(cls, generator: MelganGenerator) -> Self:
        """Fold a generator, which stays as it is."""
        steps: list[nn.Module] = []
        for layer in generator.model:
            if isinstance(layer, WNConv1d):
                steps.append(_Convolution(layer, activates=bool(steps)))
            elif isinstance(layer, WNLengthening):
                steps.append(_Lengthening(layer))
            elif isinstance(layer, Residual):
                steps.append(_Residual(layer))
        return cls(generator.config, steps)

    @torch.no_grad()
    def forward(self, mel: Tensor) -> Tensor:
        check_frames(mel)
        waveforms = []
        for rows in mel.mT:
            for step in self.steps:
                rows = step(rows)
            waveforms.append(rows.T)
        return torch.stack(waveforms).tanh_()


class _Convolution(nn.Module):
    """The first or the last convolution, over reflected ends: ``(T, C_in) -> (T, C)``."""

    def __init__(self, layer: WNConv1d, activates: bool) -> None:
        super().__init__()
        self.taps, self.bias = _taps(layer), _kept(layer.bias)
        self.activates = activates
        self.halo = (layer.kernel_size[0] - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        if self.activates:
            F.leaky_relu_(x, SLOPE)
        x = _reflected(x, 0, len(x), self.halo)
        if self.taps.shape[2] > 1:
            return _convolved(x, self.taps, self.bias, 1)
        # All taps of the one output in one product; then sum along its diagonals.
        count, rows = len(self.taps), len(x) - 2 * self.halo
        products = x @ self.taps[:, :, 0].T
        return products.as_strided((rows, count), (count, count + 1)).sum(1, True) + self.bias


class _Lengthening(nn.Module):
    """``(T, C_in) -> (ratio T, C)``; the input is overwritten."""

    def __init__(self, layer: WNLengthening) -> None:
        super().__init__()
        ratio = layer.ratio
        halves = layer.folded_weight.mT.split(ratio, dim=1)
        self.first, self.second = (_kept(half.flatten(1)) for half in halves)
        self.bias = _kept(layer.bias.repeat(ratio))
        self.width = layer.out_channels
        self.margin = ratio // 2

    def forward(self, x: Tensor) -> Tensor:
        F.leaky_relu_(x, SLOPE)
        out = x.new_empty(len(x) + 1, len(self.bias))
        torch.addmm(self.bias, x, self.first, out=out[:-1])
        out[-1] = self.bias
        out[1:].addmm_(x, self.second)
        return out.view(-1, self.width)[self.margin : -self.margin]


class _Residual(nn.Module):
    """``(T, C) -> (T, C)``."""

    def __init__(self, layer: Residual) -> None:
        super().__init__()
        dilated, plain = (cast("WNConv1d", layer.block[index]) for index in (2, 4))
        self.dilation: int = dilated.dilation[0]
        self.taps, self.bias = _taps(dilated), _kept(dilated.bias)
        self.plain, self.shortcut = (_kept(_taps(conv)[0]) for conv in (plain, layer.shortcut))
        self.sum_bias = _kept(plain.bias + layer.shortcut.bias)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        # Only a processor's cache asks for short stretches.
        stretch = max(1, _STRETCH_VALUES // x.shape[1]) if x.device.type == "cpu" else len(x)
        for first in range(0, len(x), stretch):
            last = min(first + stretch, len(x))
            seen = F.leaky_relu(_reflected(x, first, last, self.dilation), SLOPE)
            hidden = F.leaky_relu_(_convolved(seen, self.taps, self.bias, self.dilation), SLOPE)
            torch.addmm(self.sum_bias, x[first:last], self.shortcut, out=out[first:last])
            out[first:last].addmm_(hidden, self.plain)
        return out


def _taps(layer: WNConv1d) -> nn.Parameter:
    """Return the kernel as matrices ``(taps, C_in, C)``."""
    return _kept(layer.folded_weight.permute(2, 1, 0))


def _kept(weight: Tensor) -> nn.Parameter:
    """Return a copy that is never trained."""
    kept = weight.detach().clone(memory_format=torch.contiguous_format)
    return nn.Parameter(kept, requires_grad=False)


def _convolved(x: Tensor, taps: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """``(T + (taps - 1) dilation, C_in) -> (T, C)``."""
    rows = len(x) - (len(taps) - 1) * dilation
    out = torch.addmm(bias, x[:rows], taps[0])
    for index in range(1, len(taps)):
        first = index * dilation
        out.addmm_(x[first : first + rows], taps[index])
    return out


def _reflected(x: Tensor, first: int, last: int, halo: int) -> Tensor:
    """Rows from ``first`` to ``last`` and ``halo`` on either side, reflected beyond the ends."""
    end = len(x) - 1
    if halo <= first and last + halo <= len(x):
        return x[first - halo : last + halo]
    places = torch.arange(first - halo, last + halo, device=x.device).abs()
    return x[end - (end - places).abs()]
