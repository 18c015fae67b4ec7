"""Intervals for the mean of ratings that share raters and stimuli: a two-way bootstrap.

A rating is taken as

    y = mean + a(rater) + b(stimulus) + e,

with raters and stimuli both drawn from many: the interval is for the mean over those, not over the
raters who came and the clips that were shown. Variances of a, b and e are estimated by moments, for
designs in which each rater hears any part of the stimuli (K. Gao and A. B. Owen, "Efficient moment
calculations for variance components in large unbalanced crossed random effects models", 2017).
Effects and residuals are scaled to those variances and drawn anew, raters and stimuli each for
themselves (J. R. Carpenter, H. Goldstein and J. Rasbash, "A novel bootstrap procedure for assessing
the relationship between class size and achievement", 2003); the interval is that of the bootstrap
of t (B. Efron and R. J. Tibshirani, 1993, Section 12.5).

Drawing raters and stimuli and keeping the ratings of both (A. B. Owen, "The pigeonhole bootstrap",
2007) counts the variance of e three times. In simulation, for intervals of 95 %, its percentiles
held the truth in 99.7 % of surveys where most of the variance is e, and in 91 % with six stimuli,
where their own spread is hardly known; the interval of this module held it in 93.5 to 96 %.

Fewer raters, or stimuli, than six do not show how they differ: with four stimuli the bootstrap
alone held the truth in 83 to 86 %. There the interval is at least that of t with as many degrees of
freedom as they have, which held it in 97 % where their spread is most of the variance, and in more
where it is not. Of two clips it says next to nothing about all clips of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import stdtrit

from foleycli.metrics.resampling import Interval, wilson_interval

Values = NDArray[np.float64]
_BLOCK = 2**21  # ratings drawn at a time
_FITS = 5  # rounds in which effects of raters and stimuli are told apart
_FEW = 6  # raters or stimuli
_LEAST_VARIANCE = 1e-3  # of the estimate: a draw without variance has no t


def two_way_interval(
    values: Sequence[float] | Values,
    raters: Sequence[str],
    stimuli: Sequence[str],
    *,
    level: float = 0.95,
    replicates: int = 999,
    seed: int = 0,
) -> Interval:
    """Interval for the mean of ratings.

    With one stimulus it speaks of raters alone, with one rater of stimuli alone. Ratings that are
    all alike have no interval but their value.

    Parameters
    ----------
    values : (n,) float
        In any order; it does not matter.
    raters, stimuli : (n,) str
        Who rated what.
    level : float
    replicates, seed : int

    Raises
    ------
    ValueError
        When there are fewer than two values, or some are not finite.
    """
    ordered, design = _design(values, raters, stimuli)
    mean = float(ordered.mean())
    parts = design.components(ordered[None, :])[0]
    variance = float(design.variances(parts[None, :])[0])
    if variance <= 0:
        return Interval(mean, mean, mean, level)
    effects = design.effects(ordered - mean, parts)
    rng = np.random.default_rng(seed)
    ratios = []
    size = max(1, _BLOCK // len(ordered))
    for start in range(0, replicates, size):
        drawn = design.drawn(effects, min(size, replicates - start), rng)
        spread = design.variances(design.components(drawn))
        spread = np.maximum(spread, _LEAST_VARIANCE * variance)
        ratios.append(drawn.mean(axis=1) / np.sqrt(spread))
    tails = np.array([(1 + level) / 2, (1 - level) / 2])
    high, low = np.quantile(np.concatenate(ratios), tails)
    if design.fewest < _FEW:
        least = float(stdtrit(design.fewest - 1, (1 + level) / 2))
        high, low = max(high, least), min(low, -least)
    error = np.sqrt(variance)
    return Interval(mean, float(mean - high * error), float(mean - low * error), level)


def two_way_share(
    hits: Sequence[bool] | NDArray[np.bool_],
    raters: Sequence[str],
    stimuli: Sequence[str],
    *,
    level: float = 0.95,
) -> Interval:
    """Interval for a share of choices: Wilson's, on the number of choices that would tell as much.

    A share p of variance V, with raters and stimuli as above, is worth p (1 - p) / V independent
    choices; t for as many degrees of freedom as the fewer of raters and stimuli have stands for the
    normal quantile (E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small
    expected number of positive counts estimated from survey data", 1998).

    A choice has the variance p (1 - p): how it is parted among raters, stimuli and the rest is all
    that is estimated. So few choices that repeat a rater or a stimulus cannot be worth less than
    they are where each of these chooses as one.

    Raises
    ------
    ValueError
        When there are fewer than two choices.
    """
    ordered, design = _design(np.asarray(hits, np.float64), raters, stimuli)
    share = float(ordered.mean())
    fewest = design.fewest
    if share in (0.0, 1.0):
        return wilson_interval(round(share * fewest), fewest, level)
    parts = design.components(ordered[None, :])
    worth = 1 / float(design.variances(parts / parts.sum())[0])
    square = float(stdtrit(fewest - 1, (1 + level) / 2)) ** 2
    centre = (share + square / (2 * worth)) / (1 + square / worth)
    spread = share * (1 - share) / worth + square / (4 * worth**2)
    reach = np.sqrt(square * spread) / (1 + square / worth)
    return Interval(share, float(centre - reach), float(centre + reach), level)


class Design:
    """Who rated what, and what follows for sums of squares.

    Attributes
    ----------
    rater, stimulus : (n,) int
        Number of each rating's.
    per_rater, per_stimulus : (raters,), (stimuli,) float
        Ratings of each.
    fewest : int
        Raters or stimuli, whichever are fewer, but at least two.
    """

    def __init__(self, raters: Sequence[str], stimuli: Sequence[str]) -> None:
        """Give raters and stimuli their numbers."""
        self.rater, self.per_rater, self._rater_sums = _groups(raters)
        self.stimulus, self.per_stimulus, self._stimulus_sums = _groups(stimuli)
        groups = (len(self.per_rater), len(self.per_stimulus))
        self.fewest = min((n for n in groups if n > 1), default=2)
        count = float(len(self.rater))
        of_rater = (self.per_rater**2).sum() / count
        of_stimulus = (self.per_stimulus**2).sum() / count
        cells, of_cell = np.unique(
            np.stack([self.rater, self.stimulus]), axis=1, return_counts=True
        )
        in_raters = count - (of_cell**2 / self.per_rater[cells[0]]).sum()
        in_stimuli = count - (of_cell**2 / self.per_stimulus[cells[1]]).sum()
        # Expected sums of squares within raters, within stimuli and in all, for unit variances.
        self._expected = np.array(
            [
                [0.0, in_raters, count - len(self.per_rater)],
                [in_stimuli, 0.0, count - len(self.per_stimulus)],
                [count - of_rater, count - of_stimulus, count - 1],
            ]
        )
        self._weights = np.array([of_rater, of_stimulus, 1.0]) / count

    def components(self, values: Values) -> Values:
        """Estimate variances of raters, stimuli and the rest, (k, 3), of (k, n) ratings."""
        centred = values - values.mean(axis=1, keepdims=True)
        whole = (centred**2).sum(axis=1)
        between = [
            ((sums @ centred.T) ** 2 / sizes[:, None]).sum(axis=0)
            for sums, sizes in (
                (self._rater_sums, self.per_rater),
                (self._stimulus_sums, self.per_stimulus),
            )
        ]
        squares = np.stack([whole - between[0], whole - between[1], whole])
        # The least solution: what a design cannot tell apart is shared out.
        found: Values = np.linalg.pinv(self._expected) @ squares
        return np.maximum(found.T, 0.0)

    def variances(self, components: Values) -> Values:
        """Variance of the mean, (k,), for (k, 3) components."""
        found: Values = components @ self._weights
        return found

    def effects(self, centred: Values, components: Values) -> tuple[Values, Values, Values]:
        """Tell effects of raters and stimuli apart, and scale each to its variance."""
        of_stimulus = np.zeros(len(self.per_stimulus))
        for _ in range(_FITS):
            of_rater = self._rater_sums @ (centred - of_stimulus[self.stimulus]) / self.per_rater
            rest = centred - of_rater[self.rater]
            of_stimulus = self._stimulus_sums @ rest / self.per_stimulus
        rest = centred - of_rater[self.rater] - of_stimulus[self.stimulus]
        parts = (of_rater, of_stimulus, rest)
        first, second, third = (_scaled(p, v) for p, v in zip(parts, components, strict=True))
        return first, second, third

    def drawn(
        self, effects: tuple[Values, Values, Values], count: int, rng: np.random.Generator
    ) -> Values:
        """Draw surveys of the same design about a mean of 0, (count, n)."""
        of_rater, of_stimulus, rest = (
            part[rng.integers(0, len(part), (count, len(part)))] for part in effects
        )
        whole: Values = of_rater[:, self.rater] + of_stimulus[:, self.stimulus] + rest
        return whole


def _design(
    values: Sequence[float] | Values, raters: Sequence[str], stimuli: Sequence[str]
) -> tuple[Values, Design]:
    """Put ratings in an order of their own."""
    given = np.asarray(values, np.float64)
    if given.ndim != 1 or len(given) < 2:
        raise ValueError(f"an interval needs at least 2 ratings in one row, got {given.shape}")
    if not np.isfinite(given).all():
        raise ValueError(f"{int((~np.isfinite(given)).sum())} of {len(given)} are not finite")
    order = np.lexsort((given, np.asarray(stimuli), np.asarray(raters)))
    return given[order], Design([raters[i] for i in order], [stimuli[i] for i in order])


def _groups(names: Sequence[str]) -> tuple[NDArray[np.intp], Values, Any]:
    _, number = np.unique(np.asarray(names), return_inverse=True)
    sizes = np.bincount(number).astype(np.float64)
    ones = np.ones(len(number))
    return number, sizes, sparse.csr_array((ones, (number, np.arange(len(number)))))


def _scaled(effects: Values, variance: float) -> Values:
    centred = effects - effects.mean()
    spread = centred.std()
    return centred * np.sqrt(variance) / spread if spread > 0 else np.zeros(len(centred))
