"""Class-shaped noise that answers to events: what a generator has to beat, or a last resort.

Nothing adversarial is learned. From a class's recordings come its background spectrum and its mean
response after an onset (magnitude against band and delay). A sound is then noise whose bands follow

    m(b, t) = background(b) + sum_e strength_e * response(b, t - t_e)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Texture(nn.Module):
    """Background (classes, bins), response (classes, bins, delays): magnitudes, full scale 1.

    ``ceiling`` (classes, bins) is how loud each band gets: what a GAN draws beyond it is a fault.
    """

    background: Tensor
    response: Tensor
    ceiling: Tensor

    def __init__(self, classes: int, bins: int, delays: int) -> None:
        super().__init__()
        self.register_buffer("background", torch.zeros(classes, bins))
        self.register_buffer("response", torch.zeros(classes, bins, delays))
        self.register_buffer("ceiling", torch.ones(classes, bins))

    def forward(
        self, label: int, event_frames: Sequence[int], strengths: Sequence[float], frames: int
    ) -> Tensor:
        """Return magnitudes (bins, frames) expected with these onset frames and strengths."""
        magnitude = self.background[label][:, None].repeat(1, frames)
        for start, strength in zip(event_frames, strengths, strict=True):
            first = max(start, 0)
            tail = self.response[label][:, first - start : max(frames - start, 0)]
            magnitude[:, first : first + tail.shape[1]] += strength * tail
        return magnitude
