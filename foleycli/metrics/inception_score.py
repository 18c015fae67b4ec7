"""Inception Score: how sure a classifier is of each sample, and how many classes it sees.

    exp(mean_i KL(p(y | x_i) || p(y))),   p(y) = mean_i p(y | x_i)

T. Salimans et al., "Improved Techniques for Training GANs", 2016. 1 when every sample looks alike
to the classifier, the number of classes when it is certain and sees all equally often. Published
scores are the mean over ten splits of the set, and what stands after their plus-minus is the
standard deviation *over these splits*: it says little of how far the score of other samples lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, log_softmax, softmax

from foleycli.metrics.feature_matrix import Features, feature_matrix, in_canonical_order
from foleycli.metrics.resampling import Interval

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class InceptionScore:
    """Scores of the splits.

    Attributes
    ----------
    scores : (splits,) float64
        Each in [1, classes].
    smallest_split : int
        Samples in the smallest; under ten a class the score is too low.
    """

    scores: NDArray[np.float64]
    smallest_split: int

    @property
    def mean(self) -> float:
        """Mean over splits: the published figure."""
        return float(self.scores.mean())

    @property
    def std_over_splits(self) -> float:
        """Population standard deviation over splits; 0 for a single one."""
        return float(self.scores.std())


def inception_score(
    logits: Features, *, splits: int = 10, seed: int | None = 2020
) -> InceptionScore:
    """Inception Score by splits.

    Equals torch-fidelity 0.4.0 and SpecVQGAN's evaluation, seed and all, on rows in the canonical
    order (``in_canonical_order``).

    Parameters
    ----------
    logits : (n, classes) float
        Before the softmax; logarithms of probabilities serve as well.
    splits : int
    seed : int or None
        Of the permutation before splitting (NumPy's ``RandomState``); None splits rows as given.

    Raises
    ------
    ValueError
        When samples are fewer than splits or logits are not finite.
    """
    matrix = feature_matrix(logits, max(1, splits), "logits")
    if splits < 1:
        raise ValueError(f"need at least one split, got {splits}")
    if seed is not None:
        matrix = in_canonical_order(matrix)
        matrix = matrix[np.random.RandomState(seed).permutation(len(matrix))]
    edges = [k * len(matrix) // splits for k in range(splits + 1)]
    parts = [matrix[a:b] for a, b in pairwise(edges)]
    return InceptionScore(np.array([_score(part) for part in parts]), min(map(len, parts)))


def inception_score_interval(
    logits: Features, *, level: float = 0.95, replicates: int = 1000, seed: int = 0
) -> Interval:
    """Bias-corrected score of the whole set with its basic bootstrap interval.

    Few samples make the score too low; resampled ones repeat that bias, which measures it (as in
    ``frechet_sampling``). The correction is made to the exponent, then clipped to [1, classes].

    Raises
    ------
    ValueError
        When there are fewer than 2 samples or logits are not finite.
    """
    matrix = in_canonical_order(feature_matrix(logits, 2, "logits"))
    chances = softmax(matrix, axis=1)
    entropies = entr(chances).sum(axis=1)
    n = len(matrix)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), replicates) / n
    drawn = entr(draws @ chances).sum(axis=1) - draws @ entropies
    exponent = float(np.log(_score(matrix)))
    quantiles = np.quantile(drawn, [(1 + level) / 2, (1 - level) / 2])
    moved = 2 * exponent - np.array([drawn.mean(), *quantiles])
    estimate, low, high = np.clip(np.exp(moved), 1, matrix.shape[1])
    return Interval(float(estimate), float(low), float(high), level)


def _score(logits: Matrix) -> float:
    chances = softmax(logits, axis=1)
    marginal = np.maximum(chances.mean(axis=0), np.finfo(np.float64).tiny)  # a class never seen
    divergence = (chances * (log_softmax(logits, axis=1) - np.log(marginal))).sum(axis=1).mean()
    return float(np.clip(np.exp(divergence), 1, logits.shape[1]))
