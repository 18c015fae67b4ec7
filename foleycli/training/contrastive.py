"""What draws the feature of a sound to that of its image: Sound2Scene's loss and its ablations.

Each is a function of ``audio`` and ``image``, both (B, D) floating point, whose rows with the same
index belong together; it returns a scalar. InfoNCE makes of the batch two classification problems,
which image a sound has and which sound an image has, and averages their cross-entropies. The
published temperature is 1: with features >= 0 no two unit vectors are more than sqrt 2 apart, so
that at B = 64 the loss starts near ln 64 = 4.16 and cannot fall under 2.79.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST_NORM = 1e-6


def infonce_of_distance(audio: Tensor, image: Tensor) -> Tensor:
    """Sound2Scene's loss: symmetric InfoNCE on ``-|v_i - a_j|`` of unit vectors."""
    audio, image = unit(audio), unit(image)
    # The quick form, by matrix product, puts nearly equal vectors up to 1e-3 apart.
    exact = "donot_use_mm_for_euclid_dist"
    return _symmetric_cross_entropy(-torch.cdist(image, audio, compute_mode=exact))


def infonce_of_cosine(audio: Tensor, image: Tensor) -> Tensor:
    """Ablation "L_nce": symmetric InfoNCE on the cosine ``v_i . a_j``."""
    return _symmetric_cross_entropy(unit(image) @ unit(audio).T)


def squared_difference(audio: Tensor, image: Tensor) -> Tensor:
    """Ablation "L2": the mean squared difference, of the features as they come."""
    return F.mse_loss(audio, image)


def absolute_difference(audio: Tensor, image: Tensor) -> Tensor:
    """Mean absolute difference, of the features as they come; in the released code only."""
    return F.l1_loss(audio, image)


def order_of_levels(loud: Tensor, middle: Tensor, quiet: Tensor, *, margin: float) -> Tensor:
    """Ask that features move away steadily as a sound gets quieter, and back as it gets louder.

    ``mean(max(0, |l - m| - |l - q| + margin) + max(0, |m - q| - |l - q| + margin))``: the level
    between two others lies nearer to either than they are to each other.

    Parameters
    ----------
    loud, middle, quiet : (B, D) floating point
        Of the same sounds at falling levels.
    margin
        By how much nearer.
    """
    far = (loud - quiet).norm(dim=1)
    steps = (loud - middle).norm(dim=1), (middle - quiet).norm(dim=1)
    return sum((F.relu(step - far + margin) for step in steps), torch.zeros_like(far)).mean()


def unit(features: Tensor) -> Tensor:
    """Bring each row of (B, D) to length 1; a row of zeros, a silent ReLU's, stays zero."""
    return F.normalize(features, dim=1, eps=_LEAST_NORM)


def _symmetric_cross_entropy(similarity: Tensor) -> Tensor:
    own = torch.arange(len(similarity), device=similarity.device)
    return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2
