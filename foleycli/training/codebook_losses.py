"""Losses of SpecVQGAN's codebook (Iashin and Rahtu 2021, equation 3 and 6.1.2).

    L_G = mean |x - x'| + LPAPS(x, x') + L_quantiser - w mean D(x')
    L_D = (mean max(0, 1 - D(x)) + mean max(0, 1 + D(x'))) / 2

Before step ``starts_at`` the discriminator is neither trained nor heard. From then on w is
``adversarial``, 0.8, times VQGAN's ratio of two gradients (Esser et al. 2021, equation 7) where
``adaptive``. That is off by default: the published training clamped the ratio to 1, so that the
paper's 0.8 is what its codebooks were trained with, and a ratio costs two more passes backwards.
VQGAN's own clamp lets it reach 10,000, which lets a discriminator that is right about everything
drown the reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from foleycli.training.losses import discriminator_hinge, generator_hinge

_RATIO_EPS = 1e-4
_MOST_RATIO = 1e4


@dataclass(frozen=True)
class CodebookLossConfig:
    """Weights of the terms.

    Attributes
    ----------
    perceptual, quantiser, adversarial : float
        Factors on LPAPS, the quantiser's loss and the adversarial term.
    starts_at : int
        First step, from 0, with a discriminator.
    adaptive : bool
        Whether the adversarial factor is balanced at each step; see the module.
    """

    perceptual: float = 1.0
    quantiser: float = 1.0
    adversarial: float = 0.8
    starts_at: int = 30_001
    adaptive: bool = False

    def adversarial_at(self, step: int) -> bool:
        """Whether the discriminator takes part at a step."""
        return step >= self.starts_at


PAPER_CODEBOOK_LOSS = CodebookLossConfig()  # VGGSound
VAS_CODEBOOK_LOSS = CodebookLossConfig(starts_at=2_001)


class GeneratorLoss(NamedTuple):
    """The sum, which is a scalar with a gradient, and its terms before their factors.

    ``adversarial_weight`` is 0 where there is no discriminator yet.
    """

    total: Tensor
    reconstruction: Tensor
    perceptual: Tensor
    quantiser: Tensor
    adversarial: Tensor
    adversarial_weight: Tensor


def codebook_generator_loss(
    config: CodebookLossConfig,
    mel: Tensor,
    drawn: Tensor,
    quantiser: Tensor,
    *,
    perceptual: Tensor | None = None,
    logits: Tensor | None = None,
    last_layer: Tensor | None = None,
) -> GeneratorLoss:
    """Return the loss of encoder, codebook and decoder.

    Parameters
    ----------
    mel, drawn : (B, 1, mels, T) float
        The mel and what was decoded from its codes, in [-1, 1].
    quantiser : () float
        ``Quantised.loss``.
    perceptual : (B, 1, 1, 1) float, optional
        LPAPS of the two.
    logits : (B, 1, h, w) float, optional
        ``D(drawn)``; leave it out before ``config.starts_at``.
    last_layer : Tensor, optional
        The decoder's last weight, at which gradients are measured; needed where ``adaptive``.

    Raises
    ------
    ValueError
        When the weight is adaptive and no last layer is given.
    """
    nothing = mel.new_zeros(())
    reconstruction = F.l1_loss(drawn, mel)
    heard = nothing if perceptual is None else perceptual.mean()
    seen = reconstruction + config.perceptual * heard
    adversarial = nothing if logits is None else generator_hinge(logits)
    weight = nothing if logits is None else torch.full_like(nothing, config.adversarial)
    if logits is not None and config.adaptive:
        if last_layer is None:
            raise ValueError("an adaptive weight is measured at a layer; give last_layer")
        weight = weight * gradient_ratio(seen, adversarial, last_layer)
    total = seen + config.quantiser * quantiser + weight * adversarial
    return GeneratorLoss(total, reconstruction, heard, quantiser, adversarial, weight)


def codebook_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's hinge loss, halved; logits (B, 1, h, w) of detached mels."""
    return 0.5 * discriminator_hinge(real, fake)


def gradient_ratio(reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """VQGAN equation 7: ``|dL_rec/dW| / |dL_adv/dW|`` at a weight W, a scalar without gradient."""
    norms = [
        torch.autograd.grad(loss, last_layer, retain_graph=True)[0].norm()
        for loss in (reconstruction, adversarial)
    ]
    return (norms[0] / (norms[1] + _RATIO_EPS)).clamp(max=_MOST_RATIO)
