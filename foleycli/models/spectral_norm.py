"""Spectral normalisation (Miyato et al. 2018) as BigGAN uses it.

A layer's weight W, seen as (out, rest), is divided by its largest singular value, estimated by one
step of power iteration a forward pass: ``v = |u W|, u' = |v W^T|, sigma = v W^T u'``. ``u0`` moves
on in training only. Buffers are named as in the reference code (``u0``, ``sv0``), so that its
checkpoints load by name.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _SpectralNorm(nn.Module):
    """Adds the ``u0``/``sv0`` buffers and :meth:`normalised_weight` to a layer with a weight."""

    weight: nn.Parameter
    u0: Tensor
    sv0: Tensor
    eps: float

    def _add_spectral_norm(self, eps: float) -> None:
        self.eps = eps
        self.register_buffer("u0", torch.randn(1, self.weight.shape[0]))
        self.register_buffer("sv0", torch.ones(1))

    def normalised_weight(self) -> Tensor:
        matrix = self.weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(self.u0 @ matrix, eps=self.eps)
            u = F.normalize(v @ matrix.t(), eps=self.eps)
            if self.training:
                self.u0.copy_(u)
        sigma = (v @ matrix.t() @ u.t()).squeeze()
        if self.training:
            self.sv0.fill_(sigma.detach())
        return self.weight / sigma


class SNConv2d(nn.Conv2d, _SpectralNorm):  # type: ignore[misc]
    """A convolution with a spectrally normalised weight: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, bias: bool = True, eps: float = 1e-6
    ) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self._add_spectral_norm(eps)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.normalised_weight(), self.bias)


class SNLinear(nn.Linear, _SpectralNorm):  # type: ignore[misc]
    """A linear layer with a spectrally normalised weight: (B, in) -> (B, out)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True, eps: float = 1e-6) -> None:
        super().__init__(inputs, outputs, bias)
        self._add_spectral_norm(eps)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.normalised_weight(), self.bias)


class SNEmbedding(nn.Embedding, _SpectralNorm):  # type: ignore[misc]
    """An embedding table with a spectrally normalised weight: (B,) int64 -> (B, width)."""

    def __init__(self, count: int, width: int, eps: float = 1e-6) -> None:
        super().__init__(count, width)
        self._add_spectral_norm(eps)

    def forward(self, index: Tensor) -> Tensor:
        return F.embedding(index, self.normalised_weight())


def initialise_orthogonal(network: nn.Module, seed: int) -> None:
    """Make every weight matrix orthogonal (BigGAN 3.1) and every bias zero."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(module.weight, generator=generator)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, _SpectralNorm):
            module.u0.normal_(generator=generator)


def add_orthogonal_penalty_gradient(network: nn.Module, beta: float, skip: Any = ()) -> None:
    """Add the gradient of ``beta |W^T W (1 - I)|_F^2`` (BigGAN equation 3) to every weight matrix.

    Called between ``backward`` and the optimiser's step, once a step however many micro-batches it
    took. Parameters listed in ``skip`` (the shared class embedding) are left alone.
    """
    left_alone = {id(parameter) for parameter in skip}
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim < 2 or parameter.grad is None or id(parameter) in left_alone:
                continue
            matrix = parameter.flatten(1)
            gram = matrix @ matrix.t()
            gram.fill_diagonal_(0)
            parameter.grad += (2 * beta * (gram @ matrix)).view_as(parameter)
