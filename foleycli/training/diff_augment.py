"""Differentiable augmentation of what a discriminator sees (S. Zhao et al., NeurIPS 2020).

Real and generated pictures are altered alike, so that few real ones are not learned by heart and
the alterations do not leak into what is drawn. The policy is the paper's for few pictures: colour,
translation and cutout.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MOST_SHIFT = 1 / 8  # of the side
_CUTOUT = 1 / 2  # of the side


def diff_augment(pictures: Tensor, generator: torch.Generator, *, cutout: bool = True) -> Tensor:
    """Alter each picture in its own way; gradients pass.

    Parameters
    ----------
    pictures : (B, 3, H, W) float in [-1, 1]
    generator
        On the CPU: a seed gives the same on any device.
    cutout
        Whether a square is covered.

    Returns
    -------
    (B, 3, H, W), brightness and contrast of which may exceed [-1, 1].
    """
    x = _recoloured(pictures, generator)
    x = _shifted(x, generator)
    return _covered(x, generator) if cutout else x


def _draw(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, generator=generator).to(x.device)


def _recoloured(x: Tensor, generator: torch.Generator) -> Tensor:
    x = x + _draw(x, generator) - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * _draw(x, generator))
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (_draw(x, generator) + 0.5)


def _shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Move by up to an eighth; what comes in is zero."""
    batch, _, height, width = x.shape
    rows, columns = (
        torch.arange(side, device=x.device) + _whole(x, int(side * _MOST_SHIFT), generator)
        for side in (height, width)
    )
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & (
        (columns >= 0) & (columns < width)
    )[:, None, None, :]
    each = torch.arange(batch, device=x.device)[:, None, None]
    moved = x.permute(0, 2, 3, 1)[
        each, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    ]
    return moved.permute(0, 3, 1, 2) * inside


def _covered(x: Tensor, generator: torch.Generator) -> Tensor:
    """Set a square of half the side to zero; its centre may be anywhere."""
    covers = []
    for side in x.shape[2:]:
        size = int(side * _CUTOUT)
        centre = (torch.rand(len(x), 1, generator=generator) * (side + 1 - size % 2)).long()
        place = torch.arange(side) - centre.expand(-1, side) + size // 2
        covers.append(((place >= 0) & (place < size)).to(x.device))
    square = covers[0][:, None, :, None] & covers[1][:, None, None, :]
    return x * ~square


def _whole(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    return torch.randint(-most, most + 1, (len(x), 1), generator=generator).to(x.device)
