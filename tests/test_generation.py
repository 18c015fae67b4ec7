"""Generation: exact length, seams, seeds, and that sound follows the events."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foleycli.checkpoints import Checkpoint
from foleycli.dsp.spec import FOLEYGAN, LOG_MEL_TINY
from foleycli.files.events import Event
from foleycli.generation import SoundGenerator, cross_fade, tile_starts
from foleycli.models.biggan import Generator, GeneratorConfig
from foleycli.models.texture import Texture
from foleycli.training.foleygan_recipe import preset

CLASSES = ("break", "rain")


@pytest.fixture(scope="module")
def generator() -> SoundGenerator:
    torch.manual_seed(0)
    texture = Texture(2, 32, 8)
    texture.background += 1e-4
    texture.response[0] = 0.1 * torch.exp(-torch.arange(8.0))
    network = Generator(preset("smoke", CLASSES).generator)
    return SoundGenerator(LOG_MEL_TINY, CLASSES, network, texture, {"break": "texture"})


@pytest.mark.parametrize("duration_s", [0.04, 1.0, 2.972, 3.0, 10.0333])
def test_soundtrack_has_the_exact_duration(generator: SoundGenerator, duration_s: float) -> None:
    sound = generator.sound([Event(0.5)], duration_s, "rain", seed=1)
    assert len(sound.waveform) == round(duration_s * sound.rate_hz)
    assert np.isfinite(sound.waveform).all()
    assert np.abs(sound.waveform).max() <= 10 ** (-1 / 20) + 1e-6


def test_pictures_with_phase_are_joined_as_waveforms() -> None:
    torch.manual_seed(0)
    widths = (8, 1, 1, 1, 1, 1, 1, 1)
    config = GeneratorConfig(classes=2, channels=2, widths=widths, attention_after=None)
    maker = SoundGenerator(FOLEYGAN, CLASSES, Generator(config))
    sound = maker.sound([Event(1.0)], 5.0, "rain", seed=0)
    assert sound.picture.shape == (3, 512, FOLEYGAN.frames_for(5 * 44_100))
    assert len(sound.waveform) == 5 * 44_100
    assert np.isfinite(sound.waveform).all()


def test_same_seed_same_bytes_other_seed_other_sound(generator: SoundGenerator) -> None:
    first, again, other = (generator.sound([], 4.0, "rain", seed=s).waveform for s in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)


def test_checkpoint_says_which_renderer_and_the_user_may_differ(generator: SoundGenerator) -> None:
    assert generator.sound([], 1.0, "break", seed=0).renderer == "texture"
    assert generator.sound([], 1.0, "rain", seed=0).renderer == "gan"
    assert generator.sound([], 1.0, "break", seed=0, renderer="gan").renderer == "gan"


def test_texture_is_loud_where_the_events_are(generator: SoundGenerator) -> None:
    sound = generator.sound([Event(1.0), Event(2.5, 0.5)], 4.0, "break", seed=0)
    loud = sound.picture[0].mean(0)
    frames = [round(t * sound.rate_hz / LOG_MEL_TINY.hop_samples) for t in (1.0, 2.5)]
    quiet = np.median(loud)
    assert loud[frames[0]] > loud[frames[1]] > quiet + 0.2


def test_no_band_exceeds_what_the_class_reaches(generator: SoundGenerator) -> None:
    assert generator.texture is not None
    generator.texture.ceiling[1, 5] = 1e-3  # -60 dBFS
    loudest = generator.sound([], 3.0, "rain", seed=0).picture[0, 5].max()
    generator.texture.ceiling[1, 5] = 1.0
    assert loudest <= -60 / 45 + 1 + 1e-5  # of a range from -90 to 0 dBFS
    assert generator.sound([], 3.0, "rain", seed=0).picture[0, 5].max() > loudest


def test_truncation_reaches_the_noise(generator: SoundGenerator) -> None:
    full, cut = (
        generator.sound([], 2.0, "rain", seed=0, truncation=t).picture for t in (None, 0.05)
    )
    assert not np.array_equal(full, cut)


def test_checkpoint_that_does_not_fit_its_config_is_refused(generator: SoundGenerator) -> None:
    config = {
        "generator": generator.generator.config.as_dict(),
        "classes": CLASSES,
        "front_end": LOG_MEL_TINY.name,
    }
    tensors = dict(generator.generator.state_dict())
    tensors.pop("linear.weight")
    with pytest.raises(ValueError, match=r"made for another version of foley .*linear\.weight"):
        SoundGenerator.from_checkpoint(Checkpoint("foleygan", config, tensors))


def test_unknown_class_lists_the_known(generator: SoundGenerator) -> None:
    with pytest.raises(ValueError, match="unknown class 'dog'; this model has: break, rain"):
        generator.sound([], 1.0, "dog", seed=0)


@given(frames=st.integers(1, 5000), tile=st.integers(8, 512))
def test_tiles_cover_every_frame_with_overlap(frames: int, tile: int) -> None:
    overlap = tile // 8
    starts = tile_starts(frames, tile, overlap)
    assert starts[0] == 0
    assert starts[-1] + tile >= frames
    assert all(b - a == tile - overlap for a, b in pairwise(starts))
    assert len(starts) == 1 or starts[-1] < frames


def test_cross_fade_of_equal_tiles_leaves_no_trace() -> None:
    tile = np.full((1, 4, 16), 0.5, np.float32)
    joined = cross_fade(cross_fade(np.zeros((1, 4, 0), np.float32), tile, 0), tile, 14)
    assert joined.shape == (1, 4, 30)
    np.testing.assert_allclose(joined, 0.5)
