"""How far raters agree: Krippendorff's alpha.

Alpha is 1 - D_o / D_e, the disagreement observed within units over that expected by chance: 1 is
full agreement, 0 none beyond chance, and below 0 raters disagree more than chance would. Raters may
have rated any part of the units (K. Krippendorff, "Computing Krippendorff's alpha-reliability",
2011).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foleycli.metrics.resampling import Interval

Level = Literal["nominal", "ordinal", "interval"]
_BLOCK = 100  # replicates at a time


def krippendorff_alpha(
    units: Sequence[Hashable],
    values: Sequence[Any],
    measurement: Level,
    *,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """Alpha of ratings, and its interval by drawing units anew.

    Parameters
    ----------
    units : (n,)
        What each rating is of; units with one rating only say nothing.
    values : (n,)
        Numbers; for ``"nominal"`` anything that can be compared for equality.
    measurement : {"nominal", "ordinal", "interval"}
    level, replicates, seed

    Returns
    -------
    Interval or None
        None where no unit has two ratings or all ratings are alike: alpha is not defined.

    Raises
    ------
    ValueError
        When units and values differ in number.
    """
    if len(units) != len(values):
        raise ValueError(f"{len(units)} units and {len(values)} values")
    # Nominal values may be of kinds that have no order among them.
    steps = sorted(set(values), key=repr if measurement == "nominal" else None)
    column = {value: index for index, value in enumerate(steps)}
    row = {unit: index for index, unit in enumerate(dict.fromkeys(units))}
    counts = np.zeros((len(row), len(column)))
    np.add.at(counts, ([row[u] for u in units], [column[v] for v in values]), 1)
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        return None
    counts = counts[np.lexsort(counts.T)]
    numbers = range(len(steps)) if measurement == "nominal" else steps
    scale = np.asarray(numbers, np.float64)
    estimate = _alpha(counts, np.ones((1, len(counts))), measurement, scale)[0]
    if not np.isfinite(estimate):
        return None
    rng = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            _alpha(
                counts,
                rng.multinomial(
                    len(counts),
                    np.full(len(counts), 1 / len(counts)),
                    min(_BLOCK, replicates - start),
                ).astype(np.float64),
                measurement,
                scale,
            )
            for start in range(0, replicates, _BLOCK)
        ]
    )
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, tails) if len(drawn) else (estimate, estimate)
    return Interval(float(estimate), float(low), float(high), level)


def _alpha(
    counts: NDArray[np.float64],
    weights: NDArray[np.float64],
    measurement: Level,
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Alpha of units taken so many times each, (k,); not finite where it is not defined.

    Parameters
    ----------
    counts : (units, values) float64
        Ratings of each unit that have each value; at least 2 a unit.
    weights : (k, units) float64
    scale : (values,)
    """
    pairs = counts / (counts.sum(axis=1, keepdims=True) - 1)
    marginals = weights @ counts
    total = marginals.sum(axis=1)
    if measurement == "ordinal":
        # The distance of two values is the number of ratings between them, which every draw of
        # units changes: ((sum of marginals from c to k) - (those of c and k) / 2)^2.
        middles = np.cumsum(marginals, axis=1) - marginals / 2
        distances = (middles[:, :, None] - middles[:, None, :]) ** 2
    elif measurement == "interval":
        distances = ((scale[:, None] - scale[None, :]) ** 2)[None]
    else:
        distances = (scale[:, None] != scale[None, :]).astype(np.float64)[None]
    # Within a unit: each rating of one value with each other one, values c and k.
    together = np.einsum("bu,uc,uk->bck", weights, pairs, counts, optimize=True)
    observed = (together * distances).sum(axis=(1, 2)) / total
    apart = marginals[:, :, None] * marginals[:, None, :] * distances
    expected = apart.sum(axis=(1, 2)) / (total * (total - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = 1 - observed / expected
    return found
