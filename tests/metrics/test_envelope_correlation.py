"""Envelope correlation: the lag it finds, its sign, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.envelope_correlation import LONGEST_LAG_S, envelope_correlation

MOTION_TIMES_S = np.arange(0, 10, 1 / 30)
SOUND_TIMES_S = np.arange(0, 10, 256 / 22_050)


def bumps(times_s: np.ndarray, centres_s: np.ndarray, width_s: float = 0.05) -> np.ndarray:
    return np.exp(-0.5 * ((times_s[:, None] - centres_s) / width_s) ** 2).sum(axis=1)


def pair(lag_s: float, seed: int = 0):
    """Motion at irregular moments, and sound that much later."""
    centres_s = np.sort(np.random.default_rng(seed).uniform(1, 9, 9))
    return (
        MOTION_TIMES_S,
        bumps(MOTION_TIMES_S, centres_s),
        SOUND_TIMES_S,
        bumps(SOUND_TIMES_S, centres_s + lag_s),
    )


@given(lag_ms=st.integers(-240, 240), seed=st.integers(0, 9))
def test_the_lag_is_found_and_late_is_positive(lag_ms, seed):
    found = envelope_correlation(*pair(lag_ms / 1000, seed))
    assert found.lag_s == pytest.approx(lag_ms / 1000, abs=0.011)
    assert found.r_peak > 0.95
    assert found.r_zero <= found.r_peak
    assert abs(found.lag_s) <= LONGEST_LAG_S


def test_what_belongs_together_is_told_from_what_does_not() -> None:
    together = envelope_correlation(*pair(0.04))
    times_s, motion, sound_times_s, _ = pair(0.04)
    _, _, _, other = pair(0.04, seed=5)
    apart = envelope_correlation(times_s, motion, sound_times_s, other)
    assert together.p < 0.01
    assert apart.p > 0.05
    assert apart.r_zero < together.r_zero


def test_p_of_unrelated_curves_is_about_uniform() -> None:
    generator = np.random.default_rng(0)
    p = []
    for _ in range(200):
        curves = [bumps(t, generator.uniform(0, 10, 9)) for t in (MOTION_TIMES_S, SOUND_TIMES_S)]
        p.append(envelope_correlation(MOTION_TIMES_S, curves[0], SOUND_TIMES_S, curves[1]).p)
    assert 0.4 < np.mean(p) < 0.6
    assert np.mean(np.array(p) < 0.05) < 0.1
    assert min(p) > 0


@given(
    gain=st.floats(0.01, 100),
    offset=st.floats(-10, 10),
    seed=st.integers(0, 5),
)
def test_units_do_not_matter(gain, offset, seed):
    times_s, motion, sound_times_s, sound = pair(0.03, seed)
    plain = envelope_correlation(times_s, motion, sound_times_s, sound)
    scaled = envelope_correlation(times_s, gain * motion + offset, sound_times_s, sound)
    assert scaled.r_zero == pytest.approx(plain.r_zero, abs=1e-9)
    assert scaled.lag_s == plain.lag_s


def test_r_at_zero_of_a_curve_with_itself_is_1_and_against_its_negative_minus_1() -> None:
    times_s, motion, *_ = pair(0)
    assert envelope_correlation(times_s, motion, times_s, motion).r_zero == pytest.approx(1)
    assert envelope_correlation(times_s, motion, times_s, -motion).r_zero == pytest.approx(-1)


def test_a_constant_curve_correlates_with_nothing() -> None:
    times_s, motion, sound_times_s, sound = pair(0)
    for constant in (0.0, 0.1, 1e6):
        still = np.full(len(motion), constant)
        assert envelope_correlation(times_s, still, sound_times_s, sound) is None
        silent = np.full(len(sound), constant)
        assert envelope_correlation(times_s, motion, sound_times_s, silent) is None


def test_what_both_curves_cover_counts() -> None:
    times_s, motion, sound_times_s, sound = pair(0.05)
    longer_s = np.arange(0, 30, 1 / 30)
    centres_s = np.sort(np.random.default_rng(0).uniform(1, 9, 9))
    longer = envelope_correlation(
        longer_s, bumps(longer_s, centres_s) + (longer_s > 12), sound_times_s, sound
    )
    assert longer.lag_s == envelope_correlation(times_s, motion, sound_times_s, sound).lag_s


@pytest.mark.parametrize("fault", ["shape", "nan", "backwards", "short", "one value"])
def test_malformed_curves_are_refused(fault: str) -> None:
    times_s, motion, sound_times_s, sound = pair(0)
    if fault == "shape":
        motion = motion[:-1]
    elif fault == "nan":
        sound = np.where(sound_times_s > 5, np.nan, sound)
    elif fault == "backwards":
        times_s = times_s[::-1]
    elif fault == "short":
        times_s, motion = times_s[:50], motion[:50]
    else:
        times_s, motion = times_s[:1], motion[:1]
    with pytest.raises(ValueError, match="need"):
        envelope_correlation(times_s, motion, sound_times_s, sound)
