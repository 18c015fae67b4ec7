"""What every metric asks of the features that it is given, and an order that no file name decides.

Features are ``(n, d)``: one row a sample, one column a dimension.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]
_LARGEST = 1e50  # squares, and KID's cubes of products, stay finite


def feature_matrix(
    features: Features, least: int = 1, name: str = "features"
) -> NDArray[np.float64]:
    """Check features and return them in float64.

    Parameters
    ----------
    features : (n, d) float or int
    least : int
        Rows that the metric needs.
    name : str
        What the error calls them.

    Returns
    -------
    (n, d) float64

    Raises
    ------
    ValueError
        When they are not real numbers of shape (n, d), are too few, or hold NaN, infinities or
        numbers above 1e50.
    """
    array = np.asarray(features)
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: need real numbers (n, d), got {array.dtype} {array.shape}")
    if len(array) < least:
        raise ValueError(f"{name}: need at least {least} samples, got {len(array)}")
    matrix: NDArray[np.float64] = array.astype(np.float64)
    if not (matrix.min() >= -_LARGEST and matrix.max() <= _LARGEST):
        bad = np.flatnonzero(~(np.abs(matrix) <= _LARGEST).all(axis=1))
        raise ValueError(
            f"{name}: {len(bad)} of {len(matrix)} rows hold NaN or infinite numbers, "
            f"the first is row {bad[0]}"
        )
    return matrix


def two_feature_matrices(
    real: Features, generated: Features, least: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check two sets as :func:`feature_matrix` does, and that they are of equal width."""
    first = feature_matrix(real, least, "real features")
    second = feature_matrix(generated, least, "generated features")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"features differ in width: real {first.shape[1]}, generated {second.shape[1]}; "
            f"extract both with the same network"
        )
    return first, second


def in_canonical_order(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sort (n, d) float64 rows by :func:`canonical_order`."""
    return matrix[canonical_order(matrix)]


def canonical_order(matrix: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order rows by a sum of their numbers with fixed weights.

    Seeded draws pick rows by number: after this they pick the same samples however the files were
    listed. Rounding in the features, as of another batch size, leaves the order as it is.

    Parameters
    ----------
    matrix : (n, d) float64

    Returns
    -------
    (n,) int
        Numbers of the rows, in order.
    """
    weights = np.cos(np.arange(matrix.shape[1]))  # no rational relations: unequal rows never tie
    keys = (matrix * weights).sum(axis=1)
    return np.argsort(keys, kind="stable")
