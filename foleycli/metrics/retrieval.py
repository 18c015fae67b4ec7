"""Retrieval: does a generated item find what it was made from, and is it taken for its class.

A query ranks the items of a gallery by similarity; its rank is that of the best item that is right
for it, a tie taking the mean of the ranks that it spans. R@K is the share of queries of rank K or
better. What guessing gives stands beside each figure: with r right items of n,

    R@K by chance = 1 - C(n - r, K) / C(n, K),    mean rank by chance = (n + 1) / (r + 1)

Sound2Scene reports R@K of images against class names by CLIP (query: image, one right name);
FoleyGAN's sound retrieval accuracy is the share of generated sounds which a classifier puts into
the class they were made for, averaged over classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from foleycli.metrics.feature_matrix import Features, feature_matrix, two_feature_matrices


@dataclass(frozen=True)
class Retrieval:
    """Ranks of queries in a gallery.

    Attributes
    ----------
    ranks : (queries,) float64
        1 is best.
    right : (queries,) int64
        Items of the gallery that are right for each.
    gallery : int
        Items.
    """

    ranks: NDArray[np.float64]
    right: NDArray[np.int64]
    gallery: int

    def recall_at(self, k: int) -> float:
        """R@K in [0, 1]; raises ValueError unless 1 <= K <= gallery."""
        self._check(k)
        return float((self.ranks <= k).mean())

    def chance_at(self, k: int) -> float:
        """R@K of a ranking at random; raises ValueError unless 1 <= K <= gallery."""
        self._check(k)
        wrong = self.gallery - self.right
        missed = np.where(
            wrong >= k,
            np.exp(
                gammaln(wrong + 1)
                - gammaln(np.maximum(wrong - k, 0) + 1)
                + gammaln(self.gallery - k + 1)
                - gammaln(self.gallery + 1)
            ),
            0,
        )
        return float(1 - missed.mean())

    @property
    def median_rank(self) -> float:
        """Median over queries."""
        return float(np.median(self.ranks))

    @property
    def chance_rank(self) -> float:
        """Mean rank of a ranking at random, which with one right item is also the median."""
        return float(((self.gallery + 1) / (self.right + 1)).mean())

    def _check(self, k: int) -> None:
        if not 1 <= k <= self.gallery:
            raise ValueError(f"R@{k} of a gallery of {self.gallery}")


def rank_by_similarity(similarity: Features, right: NDArray[np.bool_]) -> Retrieval:
    """Rank a gallery for each query.

    Parameters
    ----------
    similarity : (queries, items) float
        Higher is nearer.
    right : (queries, items) bool
        Which items a query should find; the identity where rows and columns are pairs.

    Raises
    ------
    ValueError
        When shapes differ, similarities are not finite, or no item is right for a query.
    """
    scores = feature_matrix(similarity, name="similarities")
    if right.shape != scores.shape:
        raise ValueError(f"similarities are {scores.shape}, right items {right.shape}")
    if not right.any(axis=1).all():
        raise ValueError(f"no item is right for query {int((~right.any(axis=1)).argmax())}")
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    wrong = ~right
    above, level = (wrong & (scores > best)).sum(axis=1), (wrong & (scores == best)).sum(axis=1)
    level_right = (right & (scores == best)).sum(axis=1)
    ranks = 1 + above + level / (level_right + 1)  # mean rank of the first right one of the tie
    return Retrieval(ranks, right.sum(axis=1).astype(np.int64), scores.shape[1])


def retrieve_pairs(first: Features, second: Features) -> tuple[Retrieval, Retrieval]:
    """Retrieve partners by cosine similarity, both ways.

    Parameters
    ----------
    first, second : (n, d) float
        Row i of one belongs to row i of the other.

    Returns
    -------
    Retrieval, Retrieval
        Queries from the first set in the second, and from the second in the first.

    Raises
    ------
    ValueError
        When the shapes differ, or a row is zero: it has no direction.
    """
    a, b = two_feature_matrices(first, second)
    if len(a) != len(b):
        raise ValueError(f"paired features differ in number: {len(a)} and {len(b)}")
    similarity = _directions(a) @ _directions(b).T
    right = np.eye(len(a), dtype=np.bool_)
    return rank_by_similarity(similarity, right), rank_by_similarity(similarity.T, right)


@dataclass(frozen=True)
class LabelAccuracy:
    """How often the label found is the one meant.

    Attributes
    ----------
    classes : tuple of str
    hits, counts : (classes,) int64
        Samples of the class that were recognised, and all of them.
    """

    classes: tuple[str, ...]
    hits: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def per_class(self) -> NDArray[np.float64]:
        """(classes,) float64 share recognised."""
        return self.hits / self.counts

    @property
    def macro(self) -> float:
        """Mean over classes: FoleyGAN's average."""
        return float(self.per_class.mean())

    @property
    def micro(self) -> float:
        """Share of all samples."""
        return float(self.hits.sum() / self.counts.sum())


def label_accuracy(
    meant: Sequence[str], found: Sequence[str], classes: Sequence[str] | None = None
) -> LabelAccuracy:
    """Count the samples that a classifier puts into the class they were made for.

    Parameters
    ----------
    meant, found : n str
        Class conditioned on, and class with the highest score.
    classes : sequence of str, optional
        Classes to report, in this order; those meant, sorted, unless given.

    Raises
    ------
    ValueError
        When the lists differ in length or are empty, a class to report is never meant, or a class
        meant is not to be reported.
    """
    if len(meant) != len(found) or not meant:
        raise ValueError(f"need a label found for each one meant: {len(meant)} and {len(found)}")
    names = tuple(sorted(set(meant)) if classes is None else classes)
    for title, missing in (
        ("no sample of class", set(names) - set(meant)),
        ("samples of unknown class", set(meant) - set(names)),
    ):
        if missing:
            raise ValueError(f"{title} {', '.join(sorted(missing))}")
    truth, guess = np.array(meant), np.array(found)
    counts = [(truth == name).sum() for name in names]
    hits = [((truth == name) & (guess == name)).sum() for name in names]
    return LabelAccuracy(names, np.array(hits, np.int64), np.array(counts, np.int64))


def _directions(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not norms.all():
        raise ValueError(f"features of row {int(norms.argmin())} are zero: they have no direction")
    directions: NDArray[np.float64] = matrix / norms
    return directions
