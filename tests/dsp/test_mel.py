"""Filter banks against the libraries that the published systems used."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest

from foleycli.dsp.mel import band_average_filters, slaney_filters


@pytest.mark.parametrize(
    ("rate_hz", "fft", "mels", "low_hz", "high_hz"),
    [
        (22_050, 1024, 80, 125, 7600),
        (22_050, 1024, 80, 0, None),
        (44_100, 2048, 128, 0, None),
        (16_000, 512, 40, 50, 900),
    ],
)
def test_slaney_filters_equal_librosa(
    rate_hz: int, fft: int, mels: int, low_hz: float, high_hz: float | None
) -> None:
    ours = slaney_filters(rate_hz, fft, mels, low_hz, high_hz)
    theirs = librosa.filters.mel(
        sr=rate_hz, n_fft=fft, n_mels=mels, fmin=low_hz, fmax=high_hz, dtype=np.float64
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-15, rtol=1e-10)


@pytest.mark.parametrize(("mels", "empty"), [(128, 1), (512, 108)])
def test_band_averages_equal_librosa_but_fill_what_it_leaves_empty(mels: int, empty: int) -> None:
    ours = band_average_filters(44_100, 1024, mels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = librosa.filters.mel(sr=44_100, n_fft=1024, n_mels=mels, htk=True, norm=1)
    filled = theirs.sum(1) == 0
    assert filled.sum() == empty
    np.testing.assert_allclose(ours[~filled], theirs[~filled], atol=2e-4)
    np.testing.assert_array_equal(np.count_nonzero(ours[filled], axis=1), 1)
    np.testing.assert_allclose(ours.sum(1), 1, rtol=1e-5)
