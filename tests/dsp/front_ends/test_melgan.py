"""MelGAN's mel against librosa, whole and in blocks, and what is known of the sound from it."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.melgan import MELGAN


def noise(samples: int, gain: float = 0.1) -> np.ndarray:
    return (gain * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


def test_mel_equals_the_definition_computed_with_librosa() -> None:
    sound = noise(30_000)
    padded = np.pad(sound.astype(np.float64), 384, "reflect")
    spectrum = librosa.stft(padded, n_fft=1024, hop_length=256, center=False)
    filters = librosa.filters.mel(sr=22_050, n_fft=1024, n_mels=80, dtype=np.float64)
    wanted = np.log10(np.maximum(filters @ np.abs(spectrum), 1e-5))
    arrays, measured = encode_whole(MELGAN, sound)
    assert arrays["mel"].dtype == np.float32
    assert measured == {}
    np.testing.assert_allclose(arrays["mel"], wanted, rtol=0, atol=3e-7)


def test_a_hop_of_sound_is_a_frame() -> None:
    assert encode_whole(MELGAN, noise(256 * 40))[0]["mel"].shape == (80, 40)


@given(samples=st.integers(256, 9000), block=st.integers(1, 5000))
def test_blocks_change_nothing(samples: int, block: int) -> None:
    sound = noise(samples)
    blocks = (sound[k : k + block] for k in range(0, samples, block))
    streamed = np.concatenate([p["mel"] for p in MELGAN.encode(blocks, {})], axis=1)
    np.testing.assert_array_equal(streamed, encode_whole(MELGAN, sound)[0]["mel"])


def test_less_than_a_hop_of_sound_is_filled_up_to_one() -> None:
    sound = noise(100)
    arrays, _ = encode_whole(MELGAN, sound)
    np.testing.assert_array_equal(
        arrays["mel"], encode_whole(MELGAN, np.pad(sound, (0, 156)))[0]["mel"]
    )
    assert arrays["mel"].shape == (80, 1)


def test_analysis_returns_the_mel_magnitudes() -> None:
    sound = noise(30_000)
    arrays, _ = encode_whole(MELGAN, sound)
    analysis = MELGAN.analysis(arrays, {})
    assert analysis.filters is not None
    wanted = analysis.filters @ np.abs(analysis.grid.forward(sound.astype(np.float64)))
    np.testing.assert_allclose(analysis.magnitude, wanted, rtol=2e-6)


def test_silence_stays_silence() -> None:
    arrays, _ = encode_whole(MELGAN, np.zeros(5120, np.float32))
    np.testing.assert_array_equal(arrays["mel"], -5)
    assert not MELGAN.analysis(arrays, {}).magnitude.any()


@pytest.mark.parametrize("tone_hz", [60, 1000, 9000])
def test_a_tone_is_drawn_in_its_band(tone_hz: int) -> None:
    sound = np.sin(2 * np.pi * tone_hz / 22_050 * np.arange(22_050))
    levels = MELGAN.levels(encode_whole(MELGAN, sound)[0], {})
    assert (np.diff(levels.edges_hz) > 0).all()
    row = int(levels.decibels[:, 40].argmax())
    near = 22_050 / 1024  # a bin: low bands are little wider
    assert levels.edges_hz[row] - near <= tone_hz <= levels.edges_hz[row + 1] + near
    assert levels.floor_db < levels.decibels[row, 40] < levels.ceiling_db
    assert levels.first_s == pytest.approx(levels.hop_s / 2)


@pytest.mark.parametrize(
    ("arrays", "wrong"),
    [
        ({"mel": np.zeros((64, 10))}, "80 x any"),
        ({"mel": np.full((80, 10), np.nan)}, "NaN"),
        ({"picture": np.zeros((80, 10))}, "no array 'mel'"),
    ],
)
def test_arrays_of_another_kind_are_refused(arrays: dict[str, np.ndarray], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        MELGAN.check(arrays)
