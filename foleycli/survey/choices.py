"""What choices say: which of two is preferred, how strong each is, what is recalled.

The binomial test takes every choice for independent, as published user studies do; the intervals
beside it know that raters and clips come several times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, stdtrit

from foleycli.metrics.resampling import Interval
from foleycli.survey.intervals import two_way_share
from foleycli.survey.tests_of_difference import holm

_STEPS = 100
_CLOSE = 1e-10
_SINGULAR = 1e-9


@dataclass(frozen=True)
class Comparison:
    """One choice between two conditions; ``winner`` is empty for a tie."""

    first: str
    second: str
    winner: str
    rater: str
    stimulus: str


@dataclass(frozen=True)
class Preference:
    """How often the first of two conditions was preferred.

    Attributes
    ----------
    first, second : str
    wins, losses, ties : int
    share : Interval or None
        Wins among choices that are no ties; None where there are fewer than two.
    p_value, p_holm : float
        Of the binomial test, two-sided, ties left out; corrected for all pairs.
    """

    first: str
    second: str
    wins: int
    losses: int
    ties: int
    share: Interval | None
    p_value: float
    p_holm: float


@dataclass(frozen=True)
class Strength:
    """Bradley-Terry strength: the log odds of winning against the average condition."""

    condition: str
    value: Interval


def preferences(
    comparisons: Sequence[Comparison], names: Sequence[str], level: float = 0.95
) -> list[Preference]:
    """Count the choices of every pair of conditions that was compared."""
    found = []
    for first, second in combinations(names, 2):
        own = [c for c in comparisons if {c.first, c.second} == {first, second}]
        if own:
            decided = [c for c in own if c.winner]
            wins = sum(c.winner == first for c in decided)
            p_value = stats.binomtest(wins, len(decided)).pvalue if decided else 1.0
            share = _share([c.winner == first for c in decided], decided, level)
            found.append((first, second, wins, own, len(decided), share, float(p_value)))
    corrected = holm({(a, b): p for a, b, *_, p in found})
    return [
        Preference(a, b, wins, count - wins, len(own) - count, share, p, corrected[a, b])
        for a, b, wins, own, count, share, p in found
    ]


def bradley_terry(
    comparisons: Sequence[Comparison], names: Sequence[str], level: float = 0.95
) -> list[Strength]:
    """Fit a strength to each condition; a tie is half a win of each.

    P(i beats j) = 1 / (1 + exp(s_j - s_i)), the strengths adding up to 0 (R. A. Bradley and M. E.
    Terry, "Rank analysis of incomplete block designs", 1952), by maximum likelihood. The variance
    is that of scores summed by rater and by stimulus (A. C. Cameron, J. B. Gelbach and D. L.
    Miller, "Robust inference with multiway clustering", 2011), the quantile t's.

    Raises
    ------
    ValueError
        When some conditions never lose to, or are never compared with, the others: then no finite
        strengths fit.
    """
    place = {name: index for index, name in enumerate(names)}
    rows = np.zeros((len(comparisons), len(names)))
    won = np.zeros(len(comparisons))
    for index, c in enumerate(comparisons):
        rows[index, place[c.first]] = 1.0
        rows[index, place[c.second]] = -1.0
        won[index] = 0.5 if not c.winner else float(c.winner == c.first)
    _check_beaten(comparisons, names)
    strengths = np.zeros(len(names))
    for _ in range(_STEPS):
        chance = expit(rows @ strengths)
        information = (rows * (chance * (1 - chance))[:, None]).T @ rows
        # Strengths are fixed up to a constant: the one direction without information is left out.
        inverse = np.linalg.pinv(information, rcond=_SINGULAR, hermitian=True)
        step = inverse @ (rows.T @ (won - chance))
        strengths = strengths + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _CLOSE:
            break
    scores = rows * (won - expit(rows @ strengths))[:, None]
    by_rater, raters = _summed(scores, [c.rater for c in comparisons])
    by_stimulus, stimuli = _summed(scores, [c.stimulus for c in comparisons])
    by_both, _ = _summed(scores, [f"{c.rater}\0{c.stimulus}" for c in comparisons])
    spread = np.diag(inverse @ (by_rater + by_stimulus - by_both) @ inverse)
    least = np.diag(inverse @ by_both @ inverse)
    errors = np.sqrt(np.maximum(spread, least))
    fewest = min((n for n in (raters, stimuli) if n > 1), default=2)
    reach = float(stdtrit(fewest - 1, (1 + level) / 2)) * errors
    return [
        Strength(name, Interval(float(s), float(s - r), float(s + r), level))
        for name, s, r in zip(names, strengths, reach, strict=True)
    ]


@dataclass(frozen=True)
class Offer:
    """One medium that could be chosen: whether it was, and whether it was made for the clip."""

    condition: str
    right: bool
    chosen: bool
    rater: str
    stimulus: str
    label: str = ""


def recall(offers: Iterable[Offer], level: float = 0.95) -> Interval | None:
    """Share of the media made for their clip that were chosen (Sound2Scene, Table 1 b i).

    With ``match-one``, where one medium of a page is right, it is the share of right answers, which
    the paper calls precision (ii). None where there are fewer than two.
    """
    own = [offer for offer in offers if offer.right]
    return _share([offer.chosen for offer in own], own, level)


def precision(offers: Iterable[Offer], level: float = 0.95) -> Interval | None:
    """Share of the media chosen that were made for their clip; None where fewer than two were."""
    own = [offer for offer in offers if offer.chosen]
    return _share([offer.right for offer in own], own, level)


def _share(
    hits: Sequence[bool], of: Sequence[Comparison] | Sequence[Offer], level: float
) -> Interval | None:
    if len(hits) < 2:
        return None
    return two_way_share(hits, [o.rater for o in of], [o.stimulus for o in of], level=level)


def _check_beaten(comparisons: Sequence[Comparison], names: Sequence[str]) -> None:
    """Check that from every condition a chain of defeats, or ties, leads to every other."""
    beaten: dict[str, set[str]] = {name: set() for name in names}
    for c in comparisons:
        for loser, winner in ((c.first, c.second), (c.second, c.first)):
            if c.winner in ("", winner):
                beaten[loser].add(winner)
    for name in names:
        reached, ahead = {name}, [name]
        while ahead:
            new = beaten[ahead.pop()] - reached
            reached |= new
            ahead += new
        if reached != set(names):
            raise ValueError(
                f"{', '.join(sorted(reached))} never lost to the other conditions: no finite "
                "strengths fit"
            )


def _summed(scores: NDArray[np.float64], groups: Sequence[str]) -> tuple[NDArray[np.float64], int]:
    """Sum scores by group; outer products of the sums, corrected for the number of groups."""
    number = {name: index for index, name in enumerate(sorted(set(groups)))}
    sums = np.zeros((len(number), scores.shape[1]))
    np.add.at(sums, [number[group] for group in groups], scores)
    count = len(number)
    products: NDArray[np.float64] = sums.T @ sums
    return products * (count / (count - 1) if count > 1 else 0.0), count
