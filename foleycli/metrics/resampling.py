"""Intervals and tests by resampling, for means over files and for proportions.

Every draw is seeded, and values are sorted before it: the order of files changes nothing.

B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 to 15;
E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Values = NDArray[np.floating]
_BLOCK = 2**22  # numbers drawn at a time: memory does not grow with the replicates


@dataclass(frozen=True)
class Interval:
    """A figure and the interval that should hold its true value in ``level`` of all experiments.

    Attributes
    ----------
    estimate, low, high : float
    level : float

    Raises
    ------
    ValueError
        When the level is not in (0, 1).
    """

    estimate: float
    low: float
    high: float
    level: float

    def __post_init__(self) -> None:
        """Refuse percents."""
        if not 0 < self.level < 1:
            raise ValueError(f"a level lies in (0, 1), got {self.level}; 0.95 is 95 percent")


class Clips(NamedTuple):
    """The clip that each row of two sets belongs to.

    A generated sound resembles the real one of its clip, and samples of one clip resemble each
    other: they are no independent draws. What resamples keeps the rows of a clip together.
    """

    real: Sequence[str]
    generated: Sequence[str]

    def numbers(self) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
        """Give each row on either side its clip's number, and how many clips there are."""
        names, numbers = np.unique([*self.real, *self.generated], return_inverse=True)
        return numbers[: len(self.real)], numbers[len(self.real) :], len(names)


@dataclass(frozen=True)
class Comparison:
    """Two systems, and how often chance alone would part them as far.

    Attributes
    ----------
    difference : float
        Mean of A less mean of B.
    p_value : float
        Two-sided, in (0, 1].
    """

    difference: float
    p_value: float


def bootstrap_mean(
    values: Values,
    *,
    method: Literal["percentile", "bias-corrected"] = "bias-corrected",
    level: float = 0.95,
    replicates: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval for the mean of a score over files.

    ``"bias-corrected"`` is Efron's BCa: quantiles moved for the bias and the skewness of the mean.
    It equals ``scipy.stats.bootstrap`` on sorted values.

    Parameters
    ----------
    values : (n,) float
        A score a file, at least 2.
    level : float
    replicates, seed : int

    Raises
    ------
    ValueError
        When values are too few or not finite.
    """
    scores = np.sort(_finite(values, least=2))
    estimate = float(scores.mean())
    if scores[0] == scores[-1]:
        return Interval(estimate, estimate, estimate, level)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            scores[rng.integers(0, len(scores), (count, len(scores)))].mean(axis=1)
            for count in _blocks(replicates, len(scores))
        ]
    )
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bias-corrected":
        below = ((means < estimate).mean() + (means <= estimate).mean()) / 2
        shift = ndtri(np.clip(below, 0.5 / replicates, 1 - 0.5 / replicates))
        deviations = scores - estimate
        skew = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
        moved = shift + ndtri(tails)
        tails = ndtr(shift + moved / (1 - skew * moved))
    low, high = np.quantile(means, tails)
    return Interval(estimate, float(low), float(high), level)


def permutation_test(
    a: Values, b: Values, *, paired: bool, rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """Test whether system A and system B differ in the mean of a score over files.

    Paired, the two scores of a file change places at random; otherwise all scores are dealt anew.
    The observed arrangement counts as one of them, so p is never 0:

        p = (1 + #{rounds with |difference| >= observed}) / (1 + rounds)

    Parameters
    ----------
    a, b : (n,), (m,) float
        Scores; of the same files in the same order where paired.
    paired : bool
    rounds, seed : int

    Raises
    ------
    ValueError
        When scores are missing, not finite, or paired and of unequal number.
    """
    first, second = _finite(a, least=1), _finite(b, least=1)
    rng = np.random.default_rng(seed)
    observed = float(first.mean() - second.mean())
    if paired:
        if len(first) != len(second):
            raise ValueError(f"paired scores differ in number: {len(first)} and {len(second)}")
        gaps = np.sort(first - second)
        differences = np.concatenate(
            [
                rng.choice([-1.0, 1.0], (count, len(gaps))) @ gaps / len(gaps)
                for count in _blocks(rounds, len(gaps))
            ]
        )
    else:
        pool = np.sort(np.concatenate([first, second]))
        weights = np.repeat([1 / len(first), -1 / len(second)], [len(first), len(second)])
        differences = np.concatenate(
            [
                rng.permuted(np.tile(weights, (count, 1)), axis=1) @ pool
                for count in _blocks(rounds, len(pool))
            ]
        )
    rounding = 1e-12 * max(np.abs(first).max(), np.abs(second).max())
    as_far = int((np.abs(differences) >= abs(observed) - rounding).sum())
    return Comparison(observed, (1 + as_far) / (1 + rounds))


def wilson_interval(hits: int, count: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion; sound also for few trials and near 0 or 1.

    Raises
    ------
    ValueError
        When there is no trial, or hits are not in 0..count.
    """
    if count < 1 or not 0 <= hits <= count:
        raise ValueError(f"need 0 <= hits <= count and a trial, got {hits} of {count}")
    z = float(ndtri((1 + level) / 2))
    share = hits / count
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low = 0.0 if hits == 0 else float(centre - reach)
    high = 1.0 if hits == count else float(centre + reach)
    return Interval(share, low, high, level)


def _blocks(total: int, width: int) -> list[int]:
    """Split ``total`` rows of ``width`` numbers into blocks that fit."""
    size = max(1, _BLOCK // width)
    return [min(size, total - start) for start in range(0, total, size)]


def _finite(values: Values, least: int) -> NDArray[np.float64]:
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or len(scores) < least:
        raise ValueError(f"need at least {least} scores in one row, got shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} are not finite")
    return scores
