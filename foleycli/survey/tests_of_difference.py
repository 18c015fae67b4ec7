"""Whether conditions differ: Wilcoxon's signed-rank test, corrected by Holm.

F. Wilcoxon, "Individual comparisons by ranking methods", 1945; S. Holm, "A simple sequentially
rejective multiple test procedure", 1979; effect size: matched-pairs rank-biserial correlation,
D. S. Kerby, "The simple difference formula", 2014.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

_MOST_EXACT = 50


@dataclass(frozen=True)
class Tested:
    """Two conditions, compared over what rated or was rated in both.

    Attributes
    ----------
    first, second : str
    difference : float
        Mean of the differences, first less second.
    count : int
        Raters, or clips, that have both.
    p_value, p_holm : float
        Two-sided; corrected for all pairs of conditions together.
    effect : float
        Share of ranks in favour of the first less that of the second, in [-1, 1].
    """

    first: str
    second: str
    difference: float
    count: int
    p_value: float
    p_holm: float
    effect: float


def compare_conditions(
    values: Sequence[float], conditions: Sequence[str], units: Sequence[str], names: Sequence[str]
) -> list[Tested]:
    """Compare every pair of conditions over the means of units.

    Parameters
    ----------
    values, conditions, units : (n,)
        Ratings, the condition of each, and its rater (or its clip).
    names : sequence of str
        Conditions, in the order of the pairs.

    Returns
    -------
    list of Tested
        Pairs of which no unit has both are left out.
    """
    sums: dict[tuple[str, str], list[float]] = {}
    for value, condition, unit in zip(values, conditions, units, strict=True):
        sums.setdefault((condition, unit), []).append(value)
    means = {key: float(np.mean(sorted(found))) for key, found in sums.items()}
    found = []
    for first, second in combinations(names, 2):
        both = sorted({u for c, u in means if c == first} & {u for c, u in means if c == second})
        if both:
            gaps = [means[first, unit] - means[second, unit] for unit in both]
            found.append((first, second, gaps, signed_rank(gaps)))
    corrected = holm({(a, b): tested[0] for a, b, _, tested in found})
    return [
        Tested(a, b, float(np.mean(gaps)), len(gaps), p_value, corrected[a, b], effect)
        for a, b, gaps, (p_value, effect) in found
    ]


def signed_rank(differences: Sequence[float]) -> tuple[float, float]:
    """Test whether differences lie about 0; zeros are left out.

    Exact for at most 50 differences without ties, else by the normal approximation.

    Returns
    -------
    float, float
        Two-sided p-value, 1 where no difference is left, and the rank-biserial correlation.
    """
    # Means of the same ratings in another order differ in the last digits: they are ties.
    gaps = np.round(np.asarray(differences, np.float64), 9)
    gaps = gaps[gaps != 0]
    if not len(gaps):
        return 1.0, 0.0
    ranks = stats.rankdata(np.abs(gaps))
    effect = float((ranks * np.sign(gaps)).sum() / ranks.sum())
    exact = len(gaps) <= _MOST_EXACT and len(np.unique(np.abs(gaps))) == len(gaps)
    found = stats.wilcoxon(gaps, method="exact" if exact else "asymptotic")
    return float(found.pvalue), effect


def holm(p_values: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Correct p-values of several tests so that all of them together err as often as one."""
    corrected = {}
    highest = 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda k: (p_values[k], k))):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[key]))
        corrected[key] = highest
    return corrected
