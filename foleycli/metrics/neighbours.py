"""Precision, recall, density and coverage: which samples lie among the others' nearest neighbours.

With r_k(x) the distance of x to its k-th nearest neighbour in its own set, self not counted,

    precision = share of generated y with |y - x| <= r_k(x) for some real x
    recall    = share of real x with |x - y| <= r_k(y) for some generated y
    density   = 1/k mean over generated y of #{real x: |y - x| < r_k(x)}
    coverage  = share of real x with |x - y| < r_k(x) for some generated y

T. Kynkaanniemi et al., "Improved Precision and Recall Metric", 2019 (k = 3); M. F. Naeem et al.,
"Reliable Fidelity and Diversity Metrics", 2020 (k = 5). Recall is spoilt by a single generated
outlier, whose neighbourhood holds every real sample; coverage is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foleycli.metrics.feature_matrix import Features, two_feature_matrices

Matrix = NDArray[np.float64]
_BLOCK_NUMBERS = 2**23  # squared distances held at a time
_TIE = 1e-12  # of the largest squared norm: distances nearer than this are equal but for rounding


@dataclass(frozen=True)
class Neighbourhoods:
    """The four shares.

    Attributes
    ----------
    precision, recall, coverage : float
        In [0, 1].
    density : float
        0 or more; expected 1 where the sets do not differ.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(
    real: Features, generated: Features, *, nearest: int = 3, dense_nearest: int = 5
) -> Neighbourhoods:
    """Precision, recall, density and coverage of two feature sets.

    Equals torch-fidelity 0.4.0 (precision, recall) and prdc (density, coverage). Memory does not
    grow with the product of the sets.

    Parameters
    ----------
    real, generated : (n, d), (m, d) float
    nearest : int
        k of precision and recall.
    dense_nearest : int
        k of density and coverage.

    Raises
    ------
    ValueError
        When a set holds no k-th neighbour, or features are not finite or of unequal width.
    """
    if min(nearest, dense_nearest) < 1:
        raise ValueError(f"need k of 1 or more, got {nearest} and {dense_nearest}")
    x, y = two_feature_matrices(real, generated, least=max(nearest, dense_nearest) + 1)
    middle = x.mean(axis=0)  # smaller norms, less to cancel
    x, y = x - middle, y - middle
    tie = _TIE * max((x**2).sum(axis=1).max(), (y**2).sum(axis=1).max())
    real_radii, real_dense_radii = _radii(x, [nearest, dense_nearest])
    (generated_radii,) = _radii(y, [nearest])
    precise = dense = 0
    recalled, covered = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for block, squares in _squared_distances(y, x):
        precise += int((squares <= real_radii + tie).any(axis=1).sum())
        recalled |= (squares <= generated_radii[block, None] + tie).any(axis=0)
        inside = squares < real_dense_radii - tie
        dense += int(inside.sum())
        covered |= inside.any(axis=0)
    return Neighbourhoods(
        precision=precise / len(y),
        recall=float(recalled.mean()),
        density=dense / (dense_nearest * len(y)),
        coverage=float(covered.mean()),
    )


def _radii(matrix: Matrix, nearest: list[int]) -> list[Matrix]:
    """Squared distance of each row to its k-th nearest other row, for each k."""
    radii = [np.empty(len(matrix)) for _ in nearest]
    for block, squares in _squared_distances(matrix, matrix):
        squares.partition(sorted(set(nearest)), axis=1)  # column 0 is the row itself
        for radius, k in zip(radii, nearest, strict=True):
            radius[block] = squares[:, k]
    return radii


def _squared_distances(rows: Matrix, columns: Matrix) -> Iterator[tuple[slice, Matrix]]:
    """Give squared distances of a block of rows to all columns, block by block."""
    size = max(1, _BLOCK_NUMBERS // len(columns))
    row_norms, column_norms = (rows**2).sum(axis=1), (columns**2).sum(axis=1)
    for start in range(0, len(rows), size):
        block = slice(start, start + size)
        squares = rows[block] @ columns.T
        squares *= -2
        squares += row_norms[block, None]
        squares += column_norms
        yield block, np.maximum(squares, 0)
