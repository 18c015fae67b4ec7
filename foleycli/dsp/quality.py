"""How near a sound comes to the one it should be, in decibels.

Spectral measures compare magnitudes and are blind to phase: they judge inversions that were given
none. Waveform measures judge those that were given it. Unless said otherwise arrays may have any
shape that the two share, and silence where a ratio needs sound gives an infinity, not a warning:
a perfect estimate scores the best value there is, also of silence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOOR_DB = -80.0

Floats = NDArray[np.floating]


def spectral_convergence_db(reference: Floats, estimate: Floats) -> float:
    """Distance of magnitudes relative to the reference's norm; lower is better.

        20 log10(|| |S| - |S^| ||_F / || S ||_F)

    Parameters
    ----------
    reference, estimate : (bins, frames) float
        Magnitudes of equal shape and unit.

    Returns
    -------
    float
        -inf when they are equal, inf when the reference alone is silent.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    _require_same_shape(reference, estimate)
    return -_ratio_db(_energy(reference), _energy(_float64(reference) - estimate))


def log_spectral_distance_db(
    reference: Floats, estimate: Floats, floor_db: float = FLOOR_DB
) -> float:
    """Root mean square difference of levels over a frame's bins, averaged over frames.

        mean_n sqrt(mean_m (L[m, n] - L^[m, n])^2),   L = 20 log10 max(|S|, 10^(floor / 20) max|S|)

    The floor lies under the reference's loudest cell for both.

    Parameters
    ----------
    reference, estimate : (bins, frames) float
        Magnitudes of equal shape and unit; bands serve as well as bins.

    Returns
    -------
    float
        0 when both are silent, inf when the reference alone is.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    _require_same_shape(reference, estimate)
    loudest = float(reference.max(initial=0.0))
    if loudest == 0:
        return np.inf if estimate.any() else 0.0
    floor = loudest * 10 ** (floor_db / 20)
    ratio = np.maximum(_float64(reference), floor) / np.maximum(estimate, floor)
    difference_db = 20 * np.log10(ratio)
    return float(np.sqrt((difference_db**2).mean(axis=0)).mean())


def snr_db(reference: Floats, estimate: Floats) -> float:
    """Signal-to-noise ratio of a waveform; higher is better.

        10 log10(sum s^2 / sum (s - s^)^2)

    Parameters
    ----------
    reference, estimate : (samples,) float

    Returns
    -------
    float
        inf when they are equal, -inf when the reference alone is silent.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    _require_same_shape(reference, estimate)
    return _ratio_db(_energy(reference), _energy(_float64(reference) - estimate))


def si_sdr_db(reference: Floats, estimate: Floats) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019); higher is better.

        10 log10(|a s|^2 / |a s - s^|^2),   a = <s^, s> / |s|^2

    Means are taken off neither signal.

    Parameters
    ----------
    reference, estimate : (samples,) float

    Returns
    -------
    float
        inf when the estimate is a multiple of the reference, -inf when it holds nothing of it.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    _require_same_shape(reference, estimate)
    wanted, got = _float64(reference), _float64(estimate)
    energy = _energy(wanted)
    if energy and not got.any():
        return -np.inf
    target = wanted * (float((got * wanted).sum()) / energy) if energy else wanted
    return _ratio_db(_energy(target), _energy(target - got))


def _ratio_db(signal: float, noise: float) -> float:
    if noise == 0:
        return np.inf
    return float(10 * np.log10(signal / noise)) if signal else -np.inf


def _energy(array: Floats) -> float:
    return float((_float64(array) ** 2).sum())


def _float64(array: Floats) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)


def _require_same_shape(reference: Floats, estimate: Floats) -> None:
    if reference.shape != estimate.shape:
        raise ValueError(f"need equal shapes, got {reference.shape} and {estimate.shape}")
