"""MelGAN's losses: the sums over scales, feature matching, and the distance of mels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN_CODEC
from foleycli.models.melgan import MelganDiscriminator, MelganDiscriminatorConfig
from foleycli.training.vocoder_losses import (
    MelDistance,
    feature_matching,
    vocoder_discriminator_loss,
    vocoder_generator_loss,
)


def _scales(logit: float, feature: float = 0.0) -> list[list[Tensor]]:
    """Three scales of seven layers, all of the same values."""
    layers = [torch.full((2, 3, 4), feature)] * 6 + [torch.full((2, 1, 4), logit)]
    return [list(layers) for _ in range(3)]


def test_hinges_are_summed_over_scales() -> None:
    assert vocoder_discriminator_loss(_scales(0.25), _scales(-0.5)) == pytest.approx(
        3 * (0.75 + 0.5)
    )
    assert vocoder_discriminator_loss(_scales(2.0), _scales(-2.0)) == 0
    assert vocoder_generator_loss(_scales(0.0), _scales(0.5)) == pytest.approx(3 * -0.5)


def test_feature_matching_has_the_published_weights() -> None:
    real, fake = _scales(0.0, 1.0), _scales(9.0, 3.0)
    # Six layers of three scales, each 2 apart, weighed by 4/5 and 1/3: the logits do not count.
    assert feature_matching(real, fake) == pytest.approx(6 * 3 * 2 * 4 / 5 / 3)
    assert vocoder_generator_loss(real, fake) == pytest.approx(-27 + 10 * 9.6)


def test_only_the_generated_waveform_is_moved() -> None:
    torch.manual_seed(0)
    network = MelganDiscriminator(MelganDiscriminatorConfig(scales=2, channels=4, strided=2))
    real, fake = (torch.rand(1, 1, 1024, requires_grad=True) for _ in range(2))
    feature_matching(network(real), network(fake)).backward()
    assert real.grad is None
    assert fake.grad.abs().max() > 0


def test_mel_is_the_front_ends() -> None:
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 8192) * np.linspace(0, 1, 8192)
    sound = noise.astype(np.float32)
    wanted = encode_whole(SPECVQGAN_CODEC, sound)[0]["mel"]
    found = MelDistance().mel(torch.from_numpy(sound)[None, None])[0].numpy()
    assert found.shape == wanted.shape == (80, 33)
    assert np.abs(found - wanted).max() < 1e-4


def test_distance_of_mels_is_in_units_of_100_db_and_has_a_gradient() -> None:
    distance = MelDistance()
    waveform = 0.5 * torch.rand(2, 1, 4096, generator=torch.Generator().manual_seed(0)) - 0.25
    assert distance(waveform, waveform) == 0
    assert distance(0.1 * waveform, waveform).item() == pytest.approx(0.2, rel=1e-4)
    quiet = (0.1 * waveform).requires_grad_()
    distance(quiet, waveform).backward()
    assert quiet.grad.isfinite().all()
    assert quiet.grad.abs().max() > 0
