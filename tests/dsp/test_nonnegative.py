"""Linear bins behind bands: the bands come back, and so does what a band can say of its bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from foleycli.dsp.mel import slaney_filters
from foleycli.dsp.nonnegative import undo_bands
from foleycli.dsp.quality import spectral_convergence_db

FILTERS = sparse.csr_array(slaney_filters(22_050, 1024, 80))


def _spectra(frames: int = 30) -> np.ndarray:
    """Noise with a slope: (513, frames), no two bins alike."""
    slope = np.exp(-np.linspace(0, 5, 513))[:, None]
    return (slope * np.random.default_rng(1).rayleigh(size=(513, frames))).astype(np.float32)


def test_bands_of_the_estimate_are_the_bands_given() -> None:
    bands = FILTERS @ _spectra()
    estimate = undo_bands(bands, FILTERS)
    assert estimate.dtype == np.float32
    assert estimate.min() >= 0
    assert spectral_convergence_db(bands, FILTERS @ estimate) < -55


def test_more_updates_come_nearer_to_the_bands_and_no_further_from_the_bins() -> None:
    spectra = _spectra()
    bands = FILTERS @ spectra
    estimates = [undo_bands(bands, FILTERS, updates=updates) for updates in (0, 3, 30)]
    in_bands = [spectral_convergence_db(bands, FILTERS @ estimate) for estimate in estimates]
    in_bins = [spectral_convergence_db(spectra, estimate) for estimate in estimates]
    assert in_bands[0] > in_bands[1] > in_bands[2]
    assert in_bins[0] > in_bins[2]
    assert in_bins[1] + 0.1 > in_bins[2]


def test_flat_spectrum_stays_flat() -> None:
    estimate = undo_bands(FILTERS @ np.ones((513, 2)), FILTERS)
    covered = FILTERS.sum(axis=0) > 0
    np.testing.assert_allclose(estimate[covered], 1, rtol=1e-3)


def test_bins_no_band_covers_are_silent() -> None:
    filters = sparse.csr_array(slaney_filters(22_050, 1024, 80, 125.0, 7600.0))
    estimate = undo_bands(filters @ _spectra(), filters)
    uncovered = filters.sum(axis=0) == 0
    assert uncovered.sum() > 100
    assert np.abs(estimate[uncovered]).max() == 0


def test_warm_start_keeps_its_shape_within_the_bands() -> None:
    """From the answer nothing moves; from near it a few updates do what thirty cannot from afar."""
    spectra = _spectra()
    bands = FILTERS @ spectra
    np.testing.assert_allclose(
        undo_bands(bands, FILTERS, start=spectra, updates=5)[1:-1], spectra[1:-1], rtol=1e-3
    )
    near = spectra * np.random.default_rng(2).uniform(0.8, 1.25, spectra.shape).astype(np.float32)
    warm = undo_bands(bands, FILTERS, start=near, updates=3)
    assert spectral_convergence_db(spectra, warm) < (
        spectral_convergence_db(spectra, undo_bands(bands, FILTERS)) - 6
    )


@given(level=st.floats(0, 1e6), frames=st.integers(0, 4))
def test_any_bands_give_finite_non_negative_bins(level: float, frames: int) -> None:
    bands = np.full((80, frames), level)
    bands[::3] = 0  # no spectrum has such bands
    estimate = undo_bands(bands, FILTERS)
    assert estimate.shape == (513, frames)
    assert np.isfinite(estimate).all()
    assert (estimate >= 0).all()


def test_silent_bands_are_silent_bins() -> None:
    assert np.abs(undo_bands(np.zeros((80, 3)), FILTERS)).max() == 0


@pytest.mark.parametrize("columns", [slice(0, 1), slice(7, 19)])
def test_frames_do_not_depend_on_their_neighbours(columns: slice) -> None:
    bands = FILTERS @ _spectra()
    whole = undo_bands(bands, FILTERS)
    assert np.array_equal(undo_bands(bands[:, columns], FILTERS), whole[:, columns])
