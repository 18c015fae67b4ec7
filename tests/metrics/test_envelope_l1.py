"""E-L1: two published definitions that differ, and the measure free of level and lag."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import ellip, filtfilt

from foleycli.metrics.envelope_l1 import (
    LONGEST_LAG_S,
    TFOLEY_RATE_HZ,
    VIDEO_FOLEY_RATE_HZ,
    envelope_distance,
    tfoley_e_l1,
    video_foley_e_l1,
)

HOP_S = 128 / VIDEO_FOLEY_RATE_HZ


def hits(seconds: float, rate_hz: int, seed: int = 0) -> np.ndarray:
    """Decaying noise at random moments, after half a second of silence."""
    generator = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * rate_hz))
    for start in generator.uniform(0.5, seconds - 0.5, 6):
        length = rate_hz // 4
        first = round(start * rate_hz)
        burst = generator.standard_normal(length) * np.exp(-np.arange(length) / (0.05 * rate_hz))
        sound[first : first + length] += burst
    return sound / np.abs(sound).max()


def librosa_rms(sound: np.ndarray, *, center: bool = True) -> np.ndarray:
    return librosa.feature.rms(
        y=sound, frame_length=512, hop_length=128, center=center, dtype=np.float64
    )[0]


def test_tfoleys_figure_is_its_definition_in_librosa_and_scipy() -> None:
    wanted, got = hits(4, TFOLEY_RATE_HZ), 0.3 * hits(4, TFOLEY_RATE_HZ, seed=1)

    def envelope(sound: np.ndarray) -> np.ndarray:
        rms = librosa_rms(sound / np.abs(sound).max())
        return filtfilt(*ellip(4, 0.01, 120, 0.125), rms, method="gust")

    expected = np.abs(envelope(wanted) - envelope(got)).mean()
    assert tfoley_e_l1(wanted, got) == pytest.approx(expected, rel=1e-9)


def test_tfoley_reduces_sounds_of_8_seconds_and_more_to_maxima_of_neighbours() -> None:
    wanted, got = hits(10, TFOLEY_RATE_HZ), hits(10, TFOLEY_RATE_HZ, seed=1)

    def envelope(sound: np.ndarray) -> np.ndarray:
        rms = librosa_rms(sound)
        smooth = filtfilt(*ellip(4, 0.01, 120, 0.125), rms, method="gust")
        assert len(smooth) // 490 == 3
        return smooth[: len(smooth) // 3 * 3].reshape(-1, 3).max(axis=1)

    expected = np.abs(envelope(wanted) - envelope(got)).mean()
    assert tfoley_e_l1(wanted, got) == pytest.approx(expected, rel=1e-9)


def test_video_foleys_figure_is_its_definition_in_librosa() -> None:
    wanted, got = hits(4, VIDEO_FOLEY_RATE_HZ), 0.3 * hits(4, VIDEO_FOLEY_RATE_HZ, seed=1)

    def envelope(sound: np.ndarray) -> np.ndarray:
        padded = np.pad(sound, (512 - 128) // 2, mode="reflect")
        rms = librosa_rms(padded, center=False)
        assert len(rms) == len(sound) // 128
        return rms

    expected = np.abs(envelope(wanted) - envelope(got)).mean()
    assert video_foley_e_l1(wanted, got) == pytest.approx(expected, rel=1e-9)


def test_video_foleys_figure_depends_on_level_and_tfoleys_does_not() -> None:
    sound = hits(4, VIDEO_FOLEY_RATE_HZ)
    assert video_foley_e_l1(sound, 0.5 * sound) > 0.01
    assert tfoley_e_l1(sound, 0.5 * sound) == pytest.approx(0, abs=1e-12)
    assert envelope_distance(sound, 0.5 * sound).distance == pytest.approx(0, abs=1e-12)


@given(gain=st.floats(1e-3, 1e3), other_gain=st.floats(1e-3, 1e3), seed=st.integers(1, 20))
def test_the_corrected_distance_ignores_levels_is_symmetric_and_bounded(gain, other_gain, seed):
    wanted, got = hits(2, VIDEO_FOLEY_RATE_HZ), hits(2, VIDEO_FOLEY_RATE_HZ, seed)
    plain = envelope_distance(wanted, got)
    assert 0 <= plain.best_distance <= plain.distance <= np.sqrt(2)
    scaled = envelope_distance(gain * wanted, other_gain * got)
    assert scaled.distance == pytest.approx(plain.distance, rel=1e-9)
    swapped = envelope_distance(got, wanted)
    assert swapped.distance == pytest.approx(plain.distance, rel=1e-12)
    assert swapped.best_distance == pytest.approx(plain.best_distance, rel=1e-12)


@given(frames=st.integers(-31, 31))
def test_the_best_lag_is_the_lag(frames):
    sound = hits(4, VIDEO_FOLEY_RATE_HZ)
    moved = envelope_distance(sound, np.roll(sound, frames * 128))
    assert moved.lag_s == pytest.approx(frames * HOP_S)
    assert moved.best_distance == pytest.approx(0, abs=1e-3)
    assert abs(moved.lag_s) <= LONGEST_LAG_S
    if frames:
        assert moved.distance > 0.05


def test_silence_is_compared_as_zeros_and_not_divided_by() -> None:
    silence, sound = np.zeros(VIDEO_FOLEY_RATE_HZ), hits(2, VIDEO_FOLEY_RATE_HZ)[:16_000]
    nothing = envelope_distance(silence, silence)
    assert (nothing.distance, nothing.best_distance, nothing.lag_s) == (0, 0, 0)
    assert 0 < envelope_distance(sound, silence).distance <= 1
    assert tfoley_e_l1(silence, silence) == video_foley_e_l1(silence, silence) == 0
    assert tfoley_e_l1(sound, silence) > 0


@pytest.mark.parametrize("measure", [tfoley_e_l1, video_foley_e_l1, envelope_distance])
def test_malformed_pairs_are_refused(measure) -> None:
    sound = hits(2, VIDEO_FOLEY_RATE_HZ)
    with pytest.raises(ValueError, match="one length"):
        measure(sound, sound[:-1])
    for wrong in (sound[:100], np.stack([sound, sound]), np.full(16_000, np.nan)):
        with pytest.raises(ValueError, match="need"):
            measure(wrong, wrong)


def test_too_short_for_what_is_asked_is_refused() -> None:
    sound = hits(2, VIDEO_FOLEY_RATE_HZ)
    with pytest.raises(ValueError, match=r"0\.1 s"):
        tfoley_e_l1(sound[:1000], sound[:1000])
    with pytest.raises(ValueError, match="too short"):
        envelope_distance(sound[:7000], sound[:7000])
