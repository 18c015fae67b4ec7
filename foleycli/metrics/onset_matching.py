"""Onset precision, recall and F: how many of the wanted hits sound when they should.

A predicted onset hits a reference onset when both lie within a window of each other, and each may
be used once: the count of hits is that of a maximum bipartite matching, which no order of the lists
can change. This is the definition of mir_eval's ``onset.f_measure`` (Raffel et al., ISMIR 2014):
precision is hits over predictions, recall hits over references, F their harmonic mean, and all
three are 0 where either list is empty. Times are in seconds. Offsets are prediction minus
reference: positive means late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

WINDOWS_S = (0.025, 0.05, 0.1)
_ROUNDING_S = 1e-9  # the window's ends belong to it, and times are rounded fractions
_SHIFTS = 200

Times = NDArray[np.float64]


@dataclass(frozen=True)
class OnsetScore:
    """Agreement of two lists of onsets within one window.

    Attributes
    ----------
    window_s : float
        How far apart a pair may lie, its ends included.
    references, predictions, hits : int
        Onsets in either list, and pairs of the maximum matching.
    precision, recall, f : float
        In [0, 1]; 0 where either list is empty, so leave pairs of empty lists out of averages.
    median_offset_s, median_abs_offset_s : float or None
        Over the hits; None where there are none.
    """

    window_s: float
    references: int
    predictions: int
    hits: int
    precision: float
    recall: float
    f: float
    median_offset_s: float | None
    median_abs_offset_s: float | None


def onset_score(reference_s: ArrayLike, predicted_s: ArrayLike, window_s: float) -> OnsetScore:
    """Match two lists of onsets.

    Parameters
    ----------
    reference_s, predicted_s : (onsets,) float
        Seconds, in any order.
    window_s : float
        Seconds either way; :data:`WINDOWS_S` are the ones to report.

    Returns
    -------
    OnsetScore
        The offsets are those of the maximum matching with the least sum of squared offsets.

    Raises
    ------
    ValueError
        When a list is not one-dimensional or not finite, or the window is negative.
    """
    reference, predicted = sorted_times(reference_s), sorted_times(predicted_s)
    rows, columns = match(reference, predicted, window_s)
    offsets = predicted[columns] - reference[rows]
    hits = len(offsets)
    return OnsetScore(
        window_s,
        len(reference),
        len(predicted),
        hits,
        hits / max(len(predicted), 1),
        hits / max(len(reference), 1),
        _f(hits, len(reference), len(predicted)),
        float(np.median(offsets)) if hits else None,
        float(np.median(np.abs(offsets))) if hits else None,
    )


def match(
    reference: Times, predicted: Times, window_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair as many onsets as possible, and among such pairings the nearest.

    Parameters
    ----------
    reference, predicted : (onsets,) float64
        Seconds, ascending.

    Returns
    -------
    rows, columns : (hits,) int
        Indices into either list; the sum of squared offsets is the least that a maximum matching
        can have.
    """
    reach = _reach(window_s)
    first = np.searchsorted(predicted, reference - reach, "left")
    last = np.searchsorted(predicted, reference + reach, "right")
    wanted, among = len(reference), len(predicted)
    if not (last - first).sum():
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    rows = np.repeat(np.arange(wanted), last - first)
    columns = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    # Each reference may also take a column of its own, at a cost above all that others can save:
    # then a matching of all rows exists, and the cheapest one leaves the fewest there. An edge
    # costs 1 to 2, since zeros would count as no edge.
    costs = 1 + ((predicted[columns] - reference[rows]) / reach) ** 2
    spare = np.arange(wanted)
    edges = csr_array(
        (
            np.concatenate([costs, np.full(wanted, wanted + 3.0)]),
            (np.concatenate([rows, spare]), np.concatenate([columns, among + spare])),
        ),
        shape=(wanted, among + wanted),
    )
    rows, columns = min_weight_full_bipartite_matching(edges)
    hit = columns < among
    return rows[hit], columns[hit]


def count_hits(reference: Times, predicted: Times, window_s: float) -> int:
    """Size of a maximum matching, without the matching.

    Both lists ascend and the window is the same for all, so that pairing from the left, each with
    the first that is near enough, can be exchanged into any other matching without losing a pair.
    """
    reach = _reach(window_s)
    wanted, found = reference.tolist(), predicted.tolist()
    row = column = hits = 0
    while row < len(wanted) and column < len(found):
        offset = found[column] - wanted[row]
        hits += abs(offset) <= reach
        row, column = row + (offset >= -reach), column + (offset <= reach)
    return hits


def chance_f(
    reference_s: ArrayLike,
    predicted_s: ArrayLike,
    window_s: float,
    duration_s: float,
    seed: int = 0,
) -> float:
    """F of the same prediction at a time of no meaning: what density alone scores.

    The mean over 200 circular shifts of the prediction, one drawn from each 200th of the clip.

    Parameters
    ----------
    reference_s, predicted_s : (onsets,) float
        Seconds.
    duration_s : float
        Of the clip, round which the prediction is turned.

    Returns
    -------
    float
        In [0, 1]; depends on the lists and the seed alone.

    Raises
    ------
    ValueError
        When a list is not one-dimensional or not finite, the window is negative or the duration
        is not positive.
    """
    reference, predicted = sorted_times(reference_s), sorted_times(predicted_s)
    if not 0 < duration_s < np.inf:
        raise ValueError(f"a clip must last longer than 0 s, got {duration_s}")
    drawn = np.random.default_rng(seed).random(_SHIFTS)
    hits = [
        count_hits(reference, np.sort((predicted + shift) % duration_s), window_s)
        for shift in (np.arange(_SHIFTS) + drawn) / _SHIFTS * duration_s
    ]
    return _f(float(np.mean(hits)), len(reference), len(predicted))


def average_precision(
    reference_s: ArrayLike, predicted_s: ArrayLike, confidences: ArrayLike, window_s: float
) -> float | None:
    """Area under precision and recall as onsets are added from the most to the least confident.

        AP = sum_k (R_k - R_(k-1)) P_k,   k over the distinct confidences, falling

    Precision and recall at each step are those of a maximum matching, and recall counts every
    reference, also those never reached: this is what CondFoleyGen's AP sets out to measure (see
    :mod:`foleycli.metrics.condfoleygen` for what its code does).

    Parameters
    ----------
    reference_s : (references,) float
    predicted_s, confidences : (predictions,) float

    Returns
    -------
    float or None
        In [0, 1]; 0 without predictions, None without references.

    Raises
    ------
    ValueError
        When the arrays are malformed or the confidences are not one a prediction.
    """
    reference, predicted = sorted_times(reference_s), sorted_times(predicted_s)
    confident = np.asarray(confidences, np.float64)
    if confident.shape != predicted.shape or not np.isfinite(confident).all():
        raise ValueError(
            f"need one finite confidence a prediction, got {confident.shape} for {predicted.shape}"
        )
    if not len(reference):
        return None
    confident = confident[np.argsort(np.asarray(predicted_s, np.float64), kind="stable")]
    area, before = 0.0, 0
    for least in np.unique(confident)[::-1]:
        chosen = predicted[confident >= least]
        hits = count_hits(reference, chosen, window_s)
        area += (hits - before) * hits / len(chosen)
        before = hits
    return area / len(reference)


def sorted_times(times_s: ArrayLike) -> Times:
    """Return times as (onsets,) float64, ascending.

    Raises
    ------
    ValueError
        When they are not a list of finite numbers.
    """
    times = np.asarray(times_s, np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"onsets must be a list of finite times in s, got shape {times.shape}")
    return np.sort(times)


def _reach(window_s: float) -> float:
    if not 0 <= window_s < np.inf:
        raise ValueError(f"a matching window must be 0 s or more, got {window_s}")
    return window_s + _ROUNDING_S


def _f(hits: float, references: int, predictions: int) -> float:
    """Harmonic mean of precision and recall: 2PR / (P + R) without its division by zero."""
    return 2 * hits / max(references + predictions, 1)
