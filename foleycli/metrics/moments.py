"""Mean and scatter of a feature set, summed over shards without loss.

    mean = 1/n sum_i x_i,    scatter = sum_i (x_i - mean) (x_i - mean)^T

Two sets merge by the update of T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating Formulae and a
Pairwise Algorithm for Computing Sample Variances", 1979, which takes no difference of large sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.metrics.feature_matrix import Features, feature_matrix


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of samples.

    Attributes
    ----------
    count : int
    mean : (d,) float64
    scatter : (d, d) float64
        Sum of the outer products of deviations from the mean.
    """

    count: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def of(cls, features: Features) -> Moments:
        """Take them of (n, d) features; raises ValueError as ``feature_matrix`` does."""
        matrix = feature_matrix(features)
        mean = matrix.mean(axis=0)
        deviations = matrix - mean
        return cls(len(matrix), mean, deviations.T @ deviations)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Moments:
        """Read back what :meth:`arrays` gave; raises ValueError where a name is missing."""
        missing = {"count", "mean", "scatter"} - arrays.keys()
        if missing:
            raise ValueError(f"not the moments of a feature set: no {', '.join(sorted(missing))}")
        return cls(int(arrays["count"]), arrays["mean"], arrays["scatter"])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name the three as arrays, to be saved."""
        return {"count": np.array(self.count), "mean": self.mean, "scatter": self.scatter}

    def merge(self, other: Moments) -> Moments:
        """Take the moments of both sets together.

            scatter = scatter_1 + scatter_2 + n_1 n_2 / n (mean_2 - mean_1) (mean_2 - mean_1)^T

        Raises
        ------
        ValueError
            When the two differ in width.
        """
        if len(self.mean) != len(other.mean):
            raise ValueError(f"cannot merge width {len(self.mean)} with width {len(other.mean)}")
        count = self.count + other.count
        step = other.mean - self.mean
        return Moments(
            count,
            self.mean + step * (other.count / count),
            self.scatter
            + other.scatter
            + np.outer(step, step) * (self.count * other.count / count),
        )

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(d, d) unbiased, divided by ``count - 1``; raises ValueError for a single sample."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 samples, got {self.count}")
        return self.scatter / (self.count - 1)
