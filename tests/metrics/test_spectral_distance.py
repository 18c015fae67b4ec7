"""Log-spectral distance of waveforms: gains, lengths and silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.spectral_distance import log_spectral_distance


def noise(seed: int = 0, samples: int = 16_000) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples)


def test_equal_sounds_are_at_0_db() -> None:
    assert log_spectral_distance(noise(), noise()) == 0


@given(gain_db=st.floats(-20, 20))
def test_a_gain_is_its_own_distance(gain_db):
    distance = log_spectral_distance(noise(), 10 ** (gain_db / 20) * noise())
    assert distance == pytest.approx(abs(gain_db), abs=1e-3)


def test_added_noise_takes_sounds_apart_step_by_step() -> None:
    distances = [
        log_spectral_distance(noise(), noise() + level * noise(1)) for level in (0, 0.1, 1, 10)
    ]
    assert distances == sorted(distances)


def test_the_longer_sound_ends_with_the_shorter() -> None:
    longer = np.concatenate([noise(), 5 * noise(2, 4000)])
    assert log_spectral_distance(noise(), longer) == 0
    assert log_spectral_distance(longer, noise()) == 0


def test_silence_has_no_floor_to_count_from() -> None:
    silence = np.zeros(16_000)
    assert log_spectral_distance(silence, noise()) is None
    assert log_spectral_distance(silence, silence) == 0
    assert log_spectral_distance(noise(), silence) > 40


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros((2, 100)), np.array([np.nan])])
def test_malformed_sound_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite mono"):
        log_spectral_distance(sound, noise())
    with pytest.raises(ValueError, match="finite mono"):
        log_spectral_distance(noise(), sound)
