"""Kernel distance of two feature sets (KID): squared maximum mean discrepancy, without bias.

    k(x, y) = (x . y / d + 1)^3
    MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{ij} k(x_i, y_j)

M. Binkowski et al., "Demystifying MMD GANs", 2018. Its expectation does not depend on the number of
samples, so that small sets may be compared; it is negative about as often as not where the sets do
not differ. Published figures are the mean over random subsets, and their plus-minus the standard
deviation over these. Here the estimate from all pairs comes with an interval by the jackknife, and
all of it from one pass over blocks of the kernel matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from foleycli.metrics.feature_matrix import Features, canonical_order, two_feature_matrices
from foleycli.metrics.resampling import Clips, Interval

Matrix = NDArray[np.float64]
Numbers = NDArray[np.intp]
_FEWEST_CLIPS = 3
_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class KernelDistance:
    """Squared maximum mean discrepancy.

    Attributes
    ----------
    whole : Interval
        From all pairs of samples; normal interval with the jackknife's standard error.
    subsets : (subsets,) float64
        The estimate from each subset.
    subset_size : int
        Samples of each set in a subset.
    """

    whole: Interval
    subsets: NDArray[np.float64]
    subset_size: int

    @property
    def mean(self) -> float:
        """Mean over subsets: the published figure."""
        return float(self.subsets.mean())

    @property
    def std_over_subsets(self) -> float:
        """Population standard deviation over subsets; it shrinks as they overlap."""
        return float(self.subsets.std())


def kernel_distance(
    real: Features,
    generated: Features,
    *,
    subsets: int = 100,
    size: int = 1000,
    level: float = 0.95,
    seed: int = 2020,
    clips: Clips | None = None,
) -> KernelDistance:
    """Kernel distance from all pairs and averaged over subsets.

    The subsets are those of torch-fidelity 0.4.0 and of SpecVQGAN's evaluation (which cuts ``size``
    to the smaller set, as here) for rows in the canonical order (``in_canonical_order``).

    Parameters
    ----------
    real, generated : (n, d), (m, d) float
        At least 3 of each.
    subsets, size : int
        How many, and how many samples of each set; cut to the smaller set.
    level : float
    seed : int
        Of the subsets (NumPy's ``RandomState``).
    clips : Clips, optional
        The jackknife then leaves out clips, with all their rows on both sides; there must be 3.

    Raises
    ------
    ValueError
        When a set or the subsets are too small, or features not finite or of unequal width.
    """
    x, y = two_feature_matrices(real, generated, least=3)
    orders = canonical_order(x), canonical_order(y)
    x, y = x[orders[0]], y[orders[1]]
    size = min(size, len(x), len(y))
    if size < 2 or subsets < 1:
        raise ValueError(f"need subsets of 2 samples or more, got {subsets} of {size}")
    chosen_x, chosen_y = np.zeros((len(x), subsets)), np.zeros((len(y), subsets))
    rng = np.random.RandomState(seed)
    for k in range(subsets):
        chosen_y[rng.choice(len(y), size, replace=False), k] = 1
        chosen_x[rng.choice(len(x), size, replace=False), k] = 1
    xx, _, xx_subsets = _kernel_sums(x, x, chosen_x, chosen_x, same=True)
    yy, _, yy_subsets = _kernel_sums(y, y, chosen_y, chosen_y, same=True)
    xy, yx, xy_subsets = _kernel_sums(x, y, chosen_x, chosen_y)
    averages = (xx_subsets + yy_subsets) / (size * (size - 1)) - 2 * xy_subsets / size**2
    whole = _all_pairs(xx, yy, xy, yx, level)
    if clips is not None:
        *numbers, count = clips.numbers()
        of_x, of_y = (own[order] for own, order in zip(numbers, orders, strict=True))
        error = _error_by_clips(x, y, of_x, of_y, count, (xx, yy, xy, yx))
        whole = _interval(whole.estimate, error, level)
    return KernelDistance(whole, averages, size)


def _all_pairs(xx: Matrix, yy: Matrix, xy: Matrix, yx: Matrix, level: float) -> Interval:
    """Estimate and jackknife from each sample's sum of kernels with its own and the other set."""
    n, m = len(xx), len(yy)
    sums = xx.sum(), yy.sum(), xy.sum()
    estimate = sums[0] / (n * (n - 1)) + sums[1] / (m * (m - 1)) - 2 * sums[2] / (n * m)
    without_x = (sums[0] - 2 * xx) / ((n - 1) * (n - 2)) - 2 * (sums[2] - xy) / ((n - 1) * m)
    without_y = (sums[1] - 2 * yy) / ((m - 1) * (m - 2)) - 2 * (sums[2] - yx) / (n * (m - 1))
    variance = (n - 1) * without_x.var() + (m - 1) * without_y.var()
    return _interval(float(estimate), float(np.sqrt(variance)), level)


def _interval(estimate: float, error: float, level: float) -> Interval:
    reach = float(ndtri((1 + level) / 2)) * error
    return Interval(estimate, estimate - reach, estimate + reach, level)


def _error_by_clips(
    x: Matrix, y: Matrix, of_x: Numbers, of_y: Numbers, count: int, sums: tuple[Matrix, ...]
) -> float:
    """Jackknife's standard error where whole clips are left out, on both sides.

    What is left of a sum of kernels without a clip is the sum less the clip's rows and columns,
    and its own block, which those hold twice, added once.
    """
    if count < _FEWEST_CLIPS:
        raise ValueError(f"the jackknife over clips needs {_FEWEST_CLIPS} of them, got {count}")
    xx, yy, xy, yx = sums
    n = len(x) - np.bincount(of_x, minlength=count)
    m = len(y) - np.bincount(of_y, minlength=count)

    def of_clips(numbers: Numbers, values: Matrix) -> Matrix:
        return np.bincount(numbers, values, minlength=count).astype(np.float64)

    in_xx = of_clips(of_x, _within(x, x, of_x, of_x, same=True))
    in_yy = of_clips(of_y, _within(y, y, of_y, of_y, same=True))
    in_xy = of_clips(of_x, _within(x, y, of_x, of_y))
    left_xx = xx.sum() - 2 * of_clips(of_x, xx) + in_xx
    left_yy = yy.sum() - 2 * of_clips(of_y, yy) + in_yy
    left_xy = xy.sum() - of_clips(of_x, xy) - of_clips(of_y, yx) + in_xy
    if min(n.min(), m.min()) < 2:
        raise ValueError("a clip holds nearly all samples of a set")
    without = left_xx / (n * (n - 1)) + left_yy / (m * (m - 1)) - 2 * left_xy / (n * m)
    return float(np.sqrt((count - 1) * without.var()))


def _within(
    rows: Matrix, columns: Matrix, of_rows: Numbers, of_columns: Numbers, same: bool = False
) -> Matrix:
    """(n,) sums of each row's kernels with the columns of its own clip."""
    found = np.zeros(len(rows))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        kernel = (rows[block] @ columns.T / rows.shape[1] + 1) ** 3
        if same:
            np.fill_diagonal(kernel[:, start:], 0)
        found[block] = (kernel * (of_rows[block, None] == of_columns)).sum(axis=1)
    return found


def _kernel_sums(
    rows: Matrix, columns: Matrix, chosen_rows: Matrix, chosen_columns: Matrix, same: bool = False
) -> tuple[Matrix, Matrix, Matrix]:
    """Sum kernels over rows, columns and subsets; a set with itself leaves out the diagonal.

    Returns
    -------
    (n,) float64, (m,) float64, (subsets,) float64
    """
    by_row, by_column = np.zeros(len(rows)), np.zeros(len(columns))
    by_subset = np.zeros(chosen_rows.shape[1])
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        kernel = (rows[block] @ columns.T / rows.shape[1] + 1) ** 3
        if same:
            np.fill_diagonal(kernel[:, start:], 0)
        by_row[block] = kernel.sum(axis=1)
        by_column += kernel.sum(axis=0)
        by_subset += (chosen_rows[block] * (kernel @ chosen_columns)).sum(axis=0)
    return by_row, by_column, by_subset
