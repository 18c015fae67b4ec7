"""Phase coherence: tones near 1, noise at its chance, and the distance of two sounds."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.metrics.phase_coherence import (
    PhaseCoherence,
    phase_coherence,
    phase_coherence_distance,
)

RATE = 16_000
TIMES_S = np.arange(3 * RATE) / RATE


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(len(TIMES_S))


def measured(sound: np.ndarray) -> PhaseCoherence:
    found = phase_coherence(sound)
    assert found is not None
    return found


@pytest.mark.parametrize("hz", [110, 440, 1000, 3000])
def test_a_tone_scores_near_1_wherever_it_lies(hz: float) -> None:
    assert measured(np.sin(2 * np.pi * hz * TIMES_S)).value > 0.98


def test_noise_scores_near_its_chance_which_falls_with_frequency() -> None:
    found = measured(noise())
    assert found.value == pytest.approx(found.chance, abs=0.02)
    assert list(found.by_octave) == sorted(found.by_octave, reverse=True)
    assert found.by_octave[0] > 0.95
    assert abs(found.by_octave[5]) < 0.05


def test_a_high_tone_is_far_above_its_chance_and_noise_takes_it_down() -> None:
    tone = np.sin(2 * np.pi * 2000 * TIMES_S)
    assert measured(tone).chance < 0.2
    values = [measured(tone + level * noise()).value for level in (0, 0.1, 0.3, 1.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 0.3


def test_random_phases_take_a_tone_down_as_a_vocoder_that_lost_them_would() -> None:
    tone = np.sin(2 * np.pi * 1500 * TIMES_S)
    jumps = np.repeat(np.random.default_rng(0).uniform(0, 2 * np.pi, len(tone) // 256 + 1), 256)
    jumping = np.sin(2 * np.pi * 1500 * TIMES_S + jumps[: len(tone)])
    octave = 4  # 1046 to 2093 Hz
    assert measured(jumping).by_octave[octave] < 0.6
    assert measured(tone).by_octave[octave] > 0.98


def test_level_does_not_matter() -> None:
    sound = noise() * np.exp(-TIMES_S)
    one, two = measured(sound), measured(1e-3 * sound)
    assert two.value == pytest.approx(one.value, abs=0.01)
    assert phase_coherence_distance(one, two) == pytest.approx(0, abs=0.01)


def test_the_distance_is_symmetric_0_for_equals_and_small_for_alike() -> None:
    tones = measured(sum(np.sin(2 * np.pi * hz * TIMES_S) for hz in (200, 900, 1900, 3500)))
    one, two = measured(noise(1)), measured(noise(2))
    assert phase_coherence_distance(one, one) == 0
    assert phase_coherence_distance(one, two) < 0.03
    far = phase_coherence_distance(one, tones)
    assert far == phase_coherence_distance(tones, one)
    assert far > 0.3


def test_sounds_with_no_octave_in_common_have_no_distance() -> None:
    low = PhaseCoherence(1.0, 0.9, (1.0, 0, 0, 0, 0, 0), (1.0, 0, 0, 0, 0, 0))
    high = PhaseCoherence(1.0, 0.0, (0, 0, 0, 0, 0, 1.0), (0, 0, 0, 0, 0, 1.0))
    assert phase_coherence_distance(low, high) is None


def test_shares_of_octaves_sum_to_1_and_octaves_to_the_whole() -> None:
    found = measured(noise() + 3 * np.sin(2 * np.pi * 440 * TIMES_S))
    assert sum(found.bright_share) == pytest.approx(1)
    assert np.dot(found.bright_share, found.by_octave) == pytest.approx(found.value)


def test_silence_and_a_moment_have_no_coherence() -> None:
    assert phase_coherence(np.zeros(RATE)) is None
    assert phase_coherence(np.ones(256)) is None


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros((2, RATE)), np.full(RATE, np.nan)])
def test_malformed_sound_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite mono"):
        phase_coherence(sound)
