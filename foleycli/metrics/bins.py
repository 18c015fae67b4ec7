"""NDB: the number of bins in which generated samples lie more or less often than real ones.

Real samples are put into k bins by k-means; a bin differs when its share of the generated samples
is significantly another than its share of the real ones. E. Richardson and Y. Weiss, "On GANs and
GMMs", 2018; bins and test are those of their published code (gans-n-gmms, utils/ndb.py), on
vectors whitened dimension by dimension, with seeds. FoleyGAN takes log-spectrograms, k = 50, each
class alone, then the average over classes.

The code's test compares two proportions by their pooled normal approximation at p < 0.05, so that
one bin in twenty differs by chance; it is unfit for bins of few samples. Fisher's exact test with
Holm's or Benjamini and Hochberg's correction stands beside it. The Jensen-Shannon divergence
between the shares tells how far apart they are (natural logarithm, at most log 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import ndtr, rel_entr
from scipy.stats import false_discovery_control, fisher_exact
from sklearn.cluster import KMeans

from foleycli.metrics.feature_matrix import Features, feature_matrix, in_canonical_order

Matrix = NDArray[np.float64]
_WHITENING_FLOOR = 1e-6
_MANY_DIMENSIONS = 1000  # above it the code clusters on one dimension in _DIMENSION_STEP
_DIMENSION_STEP = 6
_FEWEST_EXPECTED = 5  # under this the normal approximation does not hold


@dataclass(frozen=True)
class Bins:
    """Bins of a real set; all arrays, so that ``vars(bins)`` can be saved and ``Bins(**saved)``.

    Attributes
    ----------
    centres : (k, d) float64
        Whitened means of the bins, the fullest bin first.
    counts : (k,) int64
        Real samples in each.
    mean, scale : (d,) float64
        Whitening takes the mean off and divides by the scale.
    dimensions : (used,) int64
        Dimensions by which the nearest centre is found.
    """

    centres: NDArray[np.float64]
    counts: NDArray[np.int64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    dimensions: NDArray[np.int64]

    def count(self, vectors: Features) -> NDArray[np.int64]:
        """Count the (n, d) vectors nearest to each centre; raises ValueError on another width."""
        return np.bincount(self.nearest(vectors), minlength=len(self.centres)).astype(np.int64)

    def nearest(self, vectors: Features) -> NDArray[np.int64]:
        """(n,) number of the bin of each of (n, d) vectors; raises ValueError on another width."""
        matrix = feature_matrix(vectors, name="vectors")
        if matrix.shape[1] != len(self.mean):
            raise ValueError(f"bins are of width {len(self.mean)}, vectors of {matrix.shape[1]}")
        white = ((matrix - self.mean) / self.scale)[:, self.dimensions]
        distances = cdist(white, self.centres[:, self.dimensions])
        nearest: NDArray[np.int64] = distances.argmin(axis=1).astype(np.int64)
        return nearest


@dataclass(frozen=True)
class DifferentBins:
    """Real and generated counts over the same bins, tested bin by bin.

    Attributes
    ----------
    real_counts, generated_counts : (k,) int64
    pooled_p, exact_p : (k,) float64
        Two-sided p of the pooled normal approximation, and of Fisher's exact test.
    level : float
        Significance level.
    divergence : float
        Jensen-Shannon divergence of the shares in nats, in [0, log 2].
    """

    real_counts: NDArray[np.int64]
    generated_counts: NDArray[np.int64]
    pooled_p: NDArray[np.float64]
    exact_p: NDArray[np.float64]
    level: float
    divergence: float

    @property
    def ndb(self) -> int:
        """Different bins by the published test."""
        return int((self.pooled_p < self.level).sum())

    @property
    def ndb_holm(self) -> int:
        """Different bins by the exact test, with no false one in 1 - level of experiments."""
        return int((holm(self.exact_p) < self.level).sum())

    @property
    def ndb_benjamini_hochberg(self) -> int:
        """Different bins by the exact test; at most ``level`` of them false on average."""
        return int((false_discovery_control(self.exact_p) < self.level).sum())

    @property
    def unreliable(self) -> int:
        """Bins too small for the published test: fewer than 5 samples expected of either set."""
        both = self.real_counts + self.generated_counts
        smaller = min(self.real_counts.sum(), self.generated_counts.sum())
        return int((both * (smaller / both.sum()) < _FEWEST_EXPECTED).sum())


def fit_bins(
    real: Features, k: int = 50, *, seed: int = 0, starts: int = 10, rounds: int = 100
) -> Bins:
    """Put real vectors into bins by k-means.

    Above 1000 dimensions clusters are sought in a random sixth of them, as in the published code.

    Parameters
    ----------
    real : (n, d) float
        Vectors, for instance log-spectrograms of 64 x 64 laid out flat. Tests of bins with few
        samples find nothing: ``n`` of 20 k at least, better 200 k.
    k : int
    seed : int
    starts, rounds : int
        Runs of k-means, of which the best is kept, and the most rounds of each.

    Raises
    ------
    ValueError
        When there are fewer distinct vectors than bins.
    """
    matrix = in_canonical_order(feature_matrix(real, name="real vectors"))
    n, d = matrix.shape
    mean, scale = matrix.mean(axis=0), matrix.std(axis=0) + _WHITENING_FLOOR
    used = d // _DIMENSION_STEP if d > _MANY_DIMENSIONS else d
    dimensions = np.sort(np.random.default_rng(seed).choice(d, used, replace=False))
    white = (matrix - mean) / scale
    distinct = len(np.unique(white[:, dimensions], axis=0))
    if not 1 <= k <= distinct:
        raise ValueError(f"{n} vectors, {distinct} of them distinct, do not fill {k} bins")
    means = KMeans(k, n_init=starts, max_iter=rounds, random_state=seed)
    labels = means.fit_predict(white[:, dimensions])
    centres = np.stack([white[labels == label].mean(axis=0) for label in range(k)])
    bins = Bins(centres, np.zeros(k, np.int64), mean, scale, dimensions.astype(np.int64))
    counts = bins.count(matrix)
    order = np.argsort(-counts, kind="stable")
    return Bins(centres[order], counts[order], mean, scale, bins.dimensions)


def different_bins(bins: Bins, generated: Features, level: float = 0.05) -> DifferentBins:
    """Test in which bins the generated vectors lie more or less often than the real ones.

    Parameters
    ----------
    bins : Bins
    generated : (m, d) float
    level : float
        Significance level, in (0, 1).

    Raises
    ------
    ValueError
        When the vectors are not as wide as the bins', or not finite.
    """
    real_counts, counts = bins.counts, bins.count(generated)
    n, m = int(real_counts.sum()), int(counts.sum())
    exact = [
        fisher_exact([[a, n - a], [b, m - b]]).pvalue
        for a, b in zip(real_counts, counts, strict=True)
    ]
    p, q = real_counts / n, counts / m
    middle = (p + q) / 2
    divergence = float((rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2)
    return DifferentBins(
        real_counts, counts, _pooled_p(p, n, q, m), np.array(exact), level, divergence
    )


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values for the number of tests (S. Holm, 1979).

    Parameters
    ----------
    p_values : (tests,) float64

    Returns
    -------
    (tests,) float64
        In [0, 1]. Those under a level hold no false one in 1 - level of experiments.
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * factors))
    return adjusted


def _pooled_p(p: Matrix, n: int, q: Matrix, m: int) -> Matrix:
    """Two-proportion z-test; 1 where neither set, or nothing else, is in the bin."""
    pooled = (p * n + q * m) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    z = np.divide(np.abs(p - q), error, out=np.zeros(len(p)), where=error > 0)
    chances: Matrix = 2 * ndtr(-z)
    return chances
