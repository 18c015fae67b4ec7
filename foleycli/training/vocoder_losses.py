"""Losses of MelGAN (Kumar et al. 2019, equations 1 to 4), and the distance it is chosen by.

``real`` and ``fake`` are what a :class:`~foleycli.models.melgan.MelganDiscriminator` returns of
waveforms: at every scale the outputs of all layers ``[B, C, T]``, the logits last.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.dsp.front_ends.specvqgan import SPECVQGAN_CODEC
from foleycli.training.losses import discriminator_hinge, generator_hinge

FEATURE_WEIGHT = 10.0  # lambda of equation 4

Scales = Sequence[Sequence[Tensor]]


def vocoder_discriminator_loss(real: Scales, fake: Scales) -> Tensor:
    """Equation 1: the sum over scales of the hinge loss; of detached waveforms."""
    pairs = zip(real, fake, strict=True)
    return torch.stack([discriminator_hinge(r[-1], f[-1]) for r, f in pairs]).sum()


def vocoder_generator_loss(real: Scales, fake: Scales) -> Tensor:
    """Equation 4: ``sum over scales of -E D(fake), + 10 feature_matching``."""
    adversarial = torch.stack([generator_hinge(layers[-1]) for layers in fake]).sum()
    return adversarial + FEATURE_WEIGHT * feature_matching(real, fake)


def feature_matching(real: Scales, fake: Scales) -> Tensor:
    """Equation 3: mean absolute difference of all layers before the logits.

    The published code's weights: four times the mean over as many layers as have a stride, and one
    more; the mean over scales.
    """
    terms = []
    for layers, matched in zip(real, fake, strict=True):
        weight = 4 / ((len(layers) - 2) * len(real))
        for one, other in zip(layers[:-1], matched[:-1], strict=True):
            terms.append(weight * F.l1_loss(other, one.detach()))
    return torch.stack(terms).sum()


class MelDistance(nn.Module):
    """Two waveforms ``[B, 1, N]`` at 22.05 kHz -> mean absolute difference of their mels.

    The mel is SpecVQGAN's, in [0, 1], of the waveform alone: its ends are reflected. By the mean
    of this over a validation set MelGAN's best generator is chosen; it has a gradient too.
    """

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        grid = SPECVQGAN_CODEC.grid
        filters = torch.from_numpy(SPECVQGAN_CODEC.filters.toarray())
        self.register_buffer("window", torch.hann_window(grid.fft_samples), persistent=False)
        self.register_buffer("filters", filters.float(), persistent=False)

    def mel(self, waveform: Tensor) -> Tensor:
        """Waveform ``[B, 1, N]`` to its mel ``[B, mels, 1 + N // hop]`` in [0, 1]."""
        front, grid = SPECVQGAN_CODEC, SPECVQGAN_CODEC.grid
        spectrum = torch.stft(
            waveform[:, 0], grid.fft_samples, grid.hop_samples, window=self.window,
            center=True, pad_mode="reflect", return_complex=True,
        )  # fmt: skip
        bands = self.filters @ spectrum.abs()
        decibels = 20 * bands.clamp_min(10 ** (front.floor_db / 20)).log10()
        unit = (decibels - front.floor_db) / (front.ceiling_db - front.floor_db)
        return unit.clamp(max=1)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the distance, a scalar."""
        return F.l1_loss(self.mel(one), self.mel(other))
