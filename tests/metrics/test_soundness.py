"""Soundness: each fault is found, counted and named, and a good file has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.soundness import CLIP_RUN, FULL_SCALE, soundness

RATE = 16_000


def good() -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)


def test_a_good_file_has_no_problems() -> None:
    found = soundness(good(), RATE, expected_duration_s=1.02, expected_rate_hz=RATE)
    assert found.problems == ()
    assert (found.not_finite, found.silent_share, found.clipped_runs) == (0, 0, 0)
    assert found.duration_s == 1


@pytest.mark.parametrize("level", [1.0, -1.0, 32_767 / 32_768, 1.5])
def test_runs_at_full_scale_are_clipping(level: float) -> None:
    sound = good()
    sound[100:105] = level
    sound[200:203] = level
    sound[300:302] = level  # two in a row may be a true peak
    found = soundness(sound, RATE)
    assert (found.clipped_runs, found.clipped_samples) == (2, 8)
    assert found.problems == ("clipped in 2 places, 8 samples",)


def test_a_wave_that_swings_between_the_rails_is_no_run() -> None:
    sound = np.tile([1.0, -1.0], 100)
    assert soundness(sound, RATE).clipped_runs == 0


@given(lengths=st.lists(st.integers(1, 9), max_size=8))
def test_runs_are_counted_as_a_loop_would(lengths):
    sound = np.concatenate([np.zeros(1), *(np.r_[np.ones(n), 0.0] for n in lengths)])
    found = soundness(sound, RATE)
    long = [n for n in lengths if n >= CLIP_RUN]
    assert (found.clipped_runs, found.clipped_samples) == (len(long), sum(long))


def test_just_under_full_scale_is_not_clipped() -> None:
    assert soundness(np.full(100, FULL_SCALE - 1e-4), RATE).clipped_runs == 0


def test_silence_is_named_and_its_share_measured() -> None:
    assert soundness(np.zeros(RATE), RATE).problems == ("silent: nothing above -60 dBFS",)
    assert soundness(np.full(RATE, 0.9e-3), RATE).silent_share == 1
    half = np.concatenate([good(), np.zeros(RATE)])
    assert soundness(half, RATE).silent_share == pytest.approx(0.5)
    assert soundness(half, RATE).problems == ()


def test_samples_that_are_not_finite_are_counted_and_spoil_nothing_else() -> None:
    sound = good()
    sound[[5, 70]] = np.nan
    sound[900] = np.inf
    found = soundness(sound, RATE)
    assert found.not_finite == 3
    assert found.problems == ("3 samples are not finite",)
    assert soundness(np.full(100, np.nan), RATE).silent_share == 1


def test_duration_and_rate_are_held_against_what_was_asked_for() -> None:
    found = soundness(good(), RATE, expected_duration_s=2, expected_rate_hz=44_100)
    assert found.problems == ("16000 Hz instead of 44100 Hz", "1.000 s instead of 2.000 s")
    assert soundness(good(), RATE, expected_duration_s=1.04).problems == ()
    assert soundness(good(), RATE, expected_duration_s=1.04, tolerance_s=0.01).problems


def test_a_file_without_samples_is_named_once() -> None:
    assert soundness(np.zeros(0), RATE).problems == ("no samples",)


def test_malformed_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="need"):
        soundness(np.zeros((2, 10)), RATE)
    with pytest.raises(ValueError, match="positive rate"):
        soundness(np.zeros(10), 0)
