"""Frechet distance between Gaussians fitted to two feature sets (FID, FAD and their kin).

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

D. C. Dowson and B. V. Landau, 1982; M. Heusel et al., "GANs Trained by a Two Time-Scale Update
Rule", 2017, equation 6. Published code takes the last term by a general matrix square root, adds
1e-6 to the diagonals when that fails, and drops an imaginary part. Here it is a sum of real,
non-negative numbers. With centred features X and Y it is a nuclear norm,

    tr (S1 S2)^(1/2) = || X Y^T ||_* / sqrt((n - 1) (m - 1))

which takes a matrix of n x m and none of d x d, and is exact where samples are fewer than
dimensions. Otherwise, with the Cholesky factor S1 = L L^T,

    tr (S1 S2)^(1/2) = sum_i sqrt(lambda_i(L^T S2 L))

The distance grows with few samples (``frechet_sampling``): compare sets of equal size only.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from foleycli.metrics.feature_matrix import Features, two_feature_matrices
from foleycli.metrics.moments import Moments

Matrix = NDArray[np.float64]
# Eigenvalues of L^T S2 L are squares: those of S under 1e-8 of the largest would drown in rounding.
_WORST_CONDITION = 1e-7


def frechet_distance(real: Features, generated: Features) -> float:
    """Frechet distance of two feature sets.

    Parameters
    ----------
    real, generated : (n, d), (m, d) float
        At least 2 of each.

    Returns
    -------
    float
        In squared units of the features; 0 or more, symmetric.

    Raises
    ------
    ValueError
        When a set is too small, not finite or not as wide as the other.
    """
    first, second = two_feature_matrices(real, generated, least=2)
    if min(len(first), len(second)) >= first.shape[1]:
        return frechet_from_moments(Moments.of(first), Moments.of(second))
    shift = first.mean(axis=0) - second.mean(axis=0)
    first -= first.mean(axis=0)
    second -= second.mean(axis=0)
    n, m = len(first) - 1, len(second) - 1
    overlap = scipy.linalg.svdvals(first @ second.T).sum() / np.sqrt(n * m)
    spread = np.vdot(first, first) / n + np.vdot(second, second) / m
    return max(0.0, float(shift @ shift + spread - 2 * overlap))


def frechet_from_moments(real: Moments, generated: Moments) -> float:
    """Frechet distance of two sets of which only the moments are left.

    Raises
    ------
    ValueError
        When a set is of one sample or not as wide as the other.
    """
    if len(real.mean) != len(generated.mean):
        raise ValueError(f"features differ in width: {len(real.mean)} and {len(generated.mean)}")
    first, second = real.covariance, generated.covariance
    shift = real.mean - generated.mean
    spread = np.trace(first) + np.trace(second)
    return max(0.0, float(shift @ shift + spread - 2 * trace_of_root(first, second)))


def trace_of_root(first: Matrix, second: Matrix) -> float:
    """Trace of the square root of a product of covariances.

    Parameters
    ----------
    first, second : (d, d) float64
        Symmetric, positive semi-definite.
    """
    lower = _cholesky(first)
    if lower is None or _cholesky(second) is None:
        product = _factor(first).T @ _factor(second)
        return float(scipy.linalg.svdvals(product).sum()) if product.size else 0.0
    half = scipy.linalg.blas.dtrmm(1.0, lower, second, side=0, lower=1, trans_a=1)
    product = scipy.linalg.blas.dtrmm(1.0, lower, half, side=1, lower=1)
    values = scipy.linalg.eigvalsh(product, overwrite_a=True, check_finite=False)
    return float(np.sqrt(np.maximum(values, 0)).sum())


def _cholesky(covariance: Matrix) -> Matrix | None:
    """Lower factor; None where rounding would decide the smallest eigenvalues."""
    try:
        lower: Matrix = scipy.linalg.cholesky(covariance, lower=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        return None
    pivots = np.diagonal(lower) ** 2
    return lower if pivots.min() > _WORST_CONDITION * pivots.max() else None


def _factor(covariance: Matrix) -> Matrix:
    """(d, rank) factor F with F F^T the covariance; what is under its rounding is not rank."""
    values, vectors = scipy.linalg.eigh(covariance, check_finite=False)
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
    factor: Matrix = vectors[:, kept] * np.sqrt(values[kept])
    return factor
