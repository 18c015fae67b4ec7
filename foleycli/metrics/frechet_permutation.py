"""Whether one system lies nearer to the real samples than another: a permutation test.

    D = FD(real, A) - FD(real, B)

Were the two alike, a sample might as well have come from the other: samples change sides at random,
and p is the share of the rounds in which D is as far from 0 as observed, this one counted in. Few
samples make both distances too large by as much, so that their bias cancels.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    clips: Sequence[str] | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Test whether two generated sets differ in Frechet distance to a real one.

    Parameters
    ----------
    real, first, second : (n, d), (m, d), (k, d) float
        At least 3 of each.
    clips : m str, optional
        The clip that row i of both generated sets belongs to: rows then change sides by clips, and
        ``m = k``. Without it all rows are dealt anew.
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
    if clips is not None and not len(a) == len(b) == len(clips):
        raise ValueError(f"paired sets differ in number: {len(a)} and {len(b)}, {len(clips)} clips")
    rows = np.concatenate([a, b])
    side = np.repeat([1, 0], [len(a), len(b)])  # which rows are the first system's
    if clips is None:
        order = canonical_order(rows)
        rows, side = rows[order], side[order]
    resampled = ResampledDistance(in_canonical_order(reference), rows)
    whole = np.ones(len(reference), np.int64)
    number_of = np.unique(clips or [], return_inverse=True)[1]
    rng = np.random.default_rng(seed)

    def difference(mine: NDArray[np.int64]) -> float:
        return resampled.between(whole, mine) - resampled.between(whole, 1 - mine)

    observed = difference(side)
    rounding = _ROUNDING * sum(float(energies.mean()) for energies in resampled.energies)
    as_far = 0
    for _ in range(rounds):
        if clips is not None:
            kept = rng.integers(0, 2, number_of.max() + 1)[number_of]
            mine = np.concatenate([kept, 1 - kept])
        else:
            mine = rng.permutation(side)
        as_far += abs(difference(mine)) >= abs(observed) - rounding
    return Comparison(observed, (1 + as_far) / (1 + rounds))
