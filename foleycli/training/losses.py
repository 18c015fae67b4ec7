"""Losses of the adversarial recipes, each a function of logits or pictures."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

_BANDS = 4
_SMOOTH_FRAMES = 5


def discriminator_hinge(real: Tensor, fake: Tensor) -> Tensor:
    """FoleyGAN eq. 3: L_D = ``E max(0, 1 - D(real)) + E max(0, 1 + D(fake))``; logits (B, 1)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_hinge(fake: Tensor) -> Tensor:
    """FoleyGAN equation 3, L_G: ``-E D(fake)``; logits (B, 1)."""
    return -fake.mean()


def band_envelope_distance(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of smoothed envelopes in four frequency bands.

    Our addition: the real sound *is* the one its action series was taken from, so that its loudness
    over time is known to fit. Only coarse envelopes are compared (a quarter of the rows, five
    frames), which leaves timbre to the discriminator.

    Parameters
    ----------
    made, real : Tensor
        (B, C, bins, frames) pictures; channel 0 is log magnitude in [-1, 1].
    """
    bands = made.shape[2] // _BANDS

    def envelope(picture: Tensor) -> Tensor:
        rows = F.avg_pool2d(picture[:, :1], (bands, 1))
        return F.avg_pool2d(rows, (1, _SMOOTH_FRAMES), stride=1)

    return F.l1_loss(envelope(made), envelope(real))
