"""Mel filter banks, and the only import of torchaudio.

torchaudio's wheel links CUDA libraries and will not load beside a CPU build of torch, but its
filter banks are plain Python: its compiled half is replaced by an empty module where torch has no
CUDA. Its filters are computed in float32, which is 1e-5 off near the triangles' feet; what must
equal a published system to 1e-7 takes :func:`slaney_filters`, in float64 throughout.
"""

from __future__ import annotations

import sys
import types
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@lru_cache(maxsize=8)
def slaney_filters(
    rate_hz: int, fft_samples: int, mels: int, low_hz: float = 0.0, high_hz: float | None = None
) -> NDArray[np.float64]:
    """Slaney's mel triangles, each of unit area in Hz: librosa's default.

    The scale is linear to 1 kHz (3 mel in 200 Hz) and logarithmic above (27 steps from 1 to 6.4
    kHz).

    Parameters
    ----------
    low_hz, high_hz : float
        Foot of the first triangle and of the last; the last one's is Nyquist unless told.

    Returns
    -------
    (mels, fft_samples // 2 + 1) float64
    """
    nyquist_hz = rate_hz / 2
    octave = np.log(6.4) / 27
    feet = np.array([low_hz, nyquist_hz if high_hz is None else high_hz])
    low, high = np.where(
        feet < 1000, feet * 0.015, 15 + np.log(np.maximum(feet, 1000) / 1000) / octave
    )
    mel = np.linspace(low, high, mels + 2)
    edges_hz = np.where(mel < 15, mel / 0.015, 1000 * np.exp((mel - 15) * octave))
    bins_hz = np.linspace(0, nyquist_hz, fft_samples // 2 + 1)
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    filters: NDArray[np.float64] = triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    return filters


@lru_cache(maxsize=8)
def band_average_filters(rate_hz: int, fft_samples: int, mels: int) -> NDArray[np.float32]:
    """HTK mel triangles from 0 Hz to Nyquist, each row summing to one.

    A row gives the *mean* magnitude of its band, so that a flat spectrum stays flat. Triangles
    narrower than one bin would be empty: such a row takes the bin nearest to its centre instead.

    Returns
    -------
    (mels, fft_samples // 2 + 1) float32, non-negative
    """
    bins = fft_samples // 2 + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchaudio warns of the empty rows that are filled below
        filters: NDArray[np.float32] = (
            _torchaudio_functional()
            .melscale_fbanks(bins, 0.0, rate_hz / 2, mels, rate_hz, None, "htk")
            .T.numpy()
        )
    top_mel = 2595 * np.log10(1 + rate_hz / 2 / 700)
    centres_hz = 700 * (10 ** (np.arange(1, mels + 1) * top_mel / (mels + 1) / 2595) - 1)
    for row in np.flatnonzero(filters.sum(1) == 0):
        filters[row, round(float(centres_hz[row]) * fft_samples / rate_hz)] = 1.0
    averages: NDArray[np.float32] = filters / filters.sum(1, keepdims=True)
    return averages


def band_edges_hz(filters: sparse.csr_array, rate_hz: int) -> NDArray[np.float64]:
    """(bands + 1,) half-way between the neighbouring filters' centres of mass, in Hz."""
    bins_hz = np.linspace(0, rate_hz / 2, filters.shape[1])
    centres = (filters @ bins_hz) / filters.sum(axis=1)
    between = (centres[1:] + centres[:-1]) / 2
    first, last = bins_hz[[filters.indices.min(), filters.indices.max()]]
    return np.concatenate([[first], between, [last]])


def _torchaudio_functional() -> Any:
    """Import ``torchaudio.functional`` without its compiled extension when torch has no CUDA."""
    import torch

    if torch.version.cuda is None and "torchaudio" not in sys.modules:
        stand_in = types.ModuleType("torchaudio._extension")
        stand_in.__dict__["_IS_TORCHAUDIO_EXT_AVAILABLE"] = False
        stand_in.__dict__["fail_if_no_align"] = lambda function: function
        sys.modules["torchaudio._extension"] = stand_in
    import torchaudio.functional

    return torchaudio.functional
