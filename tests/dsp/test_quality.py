"""Measures of quality: known distances, invariances and what they say of silence."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.dsp.quality import (
    log_spectral_distance_db,
    si_sdr_db,
    snr_db,
    spectral_convergence_db,
)

MEASURES = (spectral_convergence_db, log_spectral_distance_db, snr_db, si_sdr_db)
LOWER_IS_BETTER = (spectral_convergence_db, log_spectral_distance_db)


def _magnitudes(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).rayleigh(size=(65, 40)).astype(np.float32)


def _waveform(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(1000).astype(np.float32)


def test_a_tenth_of_error_is_minus_20_db() -> None:
    assert spectral_convergence_db(_magnitudes(), 0.9 * _magnitudes()) == pytest.approx(-20)
    assert snr_db(_waveform(), 0.9 * _waveform()) == pytest.approx(20)


def test_twice_the_magnitude_is_6_db_apart_in_every_frame() -> None:
    reference = np.ones((10, 3))
    assert log_spectral_distance_db(reference, 2 * reference) == pytest.approx(6.0206, abs=1e-4)
    one_bin = reference.copy()
    one_bin[0] *= 2  # one bin of ten: 6.02 / sqrt(10)
    assert log_spectral_distance_db(reference, one_bin) == pytest.approx(1.9039, abs=1e-4)


def test_what_lies_under_the_floor_counts_as_the_floor() -> None:
    reference = np.array([[1.0], [1e-9]])
    assert log_spectral_distance_db(reference, np.array([[1.0], [1e-4]])) == pytest.approx(0)
    up_20_db = log_spectral_distance_db(reference, np.array([[1.0], [1e-3]]))
    assert up_20_db == pytest.approx(20 / math.sqrt(2))
    assert log_spectral_distance_db(reference, np.array([[1.0], [1e-3]]), floor_db=-60) < 1e-9


@given(gain=st.floats(0.01, 100))
def test_si_sdr_ignores_gain_and_snr_does_not(gain: float) -> None:
    clean = _waveform().astype(np.float64)
    noise = _waveform(1).astype(np.float64)
    noise -= clean * (noise @ clean) / (clean @ clean)
    noise *= np.linalg.norm(clean) / np.linalg.norm(noise) / 10  # orthogonal, 20 dB down
    assert si_sdr_db(clean, gain * (clean + noise)) == pytest.approx(20, abs=1e-6)
    if abs(gain - 1) > 0.2:
        assert snr_db(clean, gain * (clean + noise)) < 15


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 100))
def test_spectral_measures_do_not_depend_on_the_unit(scale: float, seed: int) -> None:
    reference, estimate = _magnitudes(seed).astype(float), _magnitudes(seed + 1).astype(float)
    for measure in (spectral_convergence_db, log_spectral_distance_db):
        assert measure(reference * scale, estimate * scale) == pytest.approx(
            measure(reference, estimate)
        )


@pytest.mark.parametrize("measure", MEASURES)
def test_silence_is_told_without_a_warning(measure: Callable[..., float]) -> None:
    sound, silence = _magnitudes(), np.zeros((65, 40), np.float32)
    best = -np.inf if measure is spectral_convergence_db else np.inf
    best = 0.0 if measure is log_spectral_distance_db else best
    worst = np.inf if measure in LOWER_IS_BETTER else -np.inf
    assert measure(silence, silence) == best
    assert measure(sound, sound) == best
    assert measure(silence, sound) == worst


def test_no_estimate_at_all_is_0_db_of_error() -> None:
    silence = np.zeros(1000)
    assert snr_db(_waveform(), silence) == pytest.approx(0)
    assert spectral_convergence_db(_magnitudes(), np.zeros((65, 40))) == pytest.approx(0)
    assert si_sdr_db(_waveform(), silence) == -np.inf


@pytest.mark.parametrize("measure", MEASURES)
def test_other_shapes_are_refused(measure: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        measure(np.ones((4, 5)), np.ones((4, 6)))
