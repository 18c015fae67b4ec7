"""Whether one system lies nearer to the real samples than another: a permutation test.

    D = FD(real, A) - FD(real, B)

Were the two alike, a sample might as well have come from the other: samples change sides at random,
and p is the share of the rounds in which D is as far from 0 as observed, this one counted in. Few
samples make both distances too large by as much, so that their bias cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foleycli.metrics.feature_matrix import (
    Features,
    canonical_order,
    in_canonical_order,
    two_feature_matrices,
)
from foleycli.metrics.frechet_sampling import ResampledDistance
from foleycli.metrics.resampling import Comparison

_ROUNDING = 1e-7  # of the sets' energies: singular values are good to half of float64's digits


def frechet_permutation_test(
    real: Features,
    first: Features,
    second: Features,
    *,
    paired: bool,
    rounds: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Test whether two generated sets differ in Frechet distance to a real one.

    Parameters
    ----------
    real, first, second : (n, d), (m, d), (k, d) float
        At least 3 of each.
    paired : bool
        Row i of both generated sets stands for one clip: rows then change sides by pairs, and
        ``m = k``. Otherwise all rows are dealt anew.
    rounds, seed : int

    Returns
    -------
    Comparison
        ``difference`` is the first set's distance less the second's.

    Raises
    ------
    ValueError
        When a set is too small, not finite or not as wide as the others, or paired sets differ in
        size.
    """
    reference, a = two_feature_matrices(real, first, least=3)
    _, b = two_feature_matrices(real, second, least=3)
    if paired and len(a) != len(b):
        raise ValueError(f"paired sets differ in number: {len(a)} and {len(b)}")
    rows = np.concatenate([a, b])
    side = np.repeat([1, 0], [len(a), len(b)])  # which rows are the first system's
    if not paired:
        order = canonical_order(rows)
        rows, side = rows[order], side[order]
    resampled = ResampledDistance(in_canonical_order(reference), rows)
    whole = np.ones(len(reference), np.int64)
    rng = np.random.default_rng(seed)

    def difference(mine: NDArray[np.int64]) -> float:
        return resampled.between(whole, mine) - resampled.between(whole, 1 - mine)

    observed = difference(side)
    rounding = _ROUNDING * sum(float(energies.mean()) for energies in resampled.energies)
    as_far = 0
    for _ in range(rounds):
        if paired:
            kept = rng.integers(0, 2, len(a))
            mine = np.concatenate([kept, 1 - kept])
        else:
            mine = rng.permutation(side)
        as_far += abs(difference(mine)) >= abs(observed) - rounding
    return Comparison(observed, (1 + as_far) / (1 + rounds))
