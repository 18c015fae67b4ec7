"""Exponential moving average of a generator's weights, which is what samples are drawn from."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage:
    """Averaged copy of a network; buffers (batch-norm statistics) are averaged too.

    The decay warms up as ``min(decay, (1 + t) / (10 + t))``, so that a short run is not held back
    by its random start.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards ``network`` after optimiser step ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        source = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(source[name], 1 - decay)
            else:
                average.copy_(source[name])
