"""Two-sample classifier test: can a linear classifier tell generated samples from real ones.

A logistic regression on standardised features is fitted to all folds but one and judged on that
one. Accuracy .5 is chance: the sets could not be told apart. D. Lopez-Paz and M. Oquab, "Revisiting
Classifier Two-Sample Tests", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from foleycli.metrics.feature_matrix import Features, in_canonical_order, two_feature_matrices
from foleycli.metrics.resampling import Interval, wilson_interval

CHANCE = 0.5


@dataclass(frozen=True)
class TwoSampleTest:
    """Cross-validated accuracy.

    Attributes
    ----------
    accuracy : Interval
        Wilson's; the folds share training samples, which it leaves out of account.
    count : int
        Samples judged, half of them real.
    """

    accuracy: Interval
    count: int


def two_sample_test(
    real: Features,
    generated: Features,
    *,
    folds: int = 5,
    strength: float = 1.0,
    level: float = 0.95,
    seed: int = 0,
) -> TwoSampleTest:
    """Cross-validated accuracy of a linear classifier, real against generated.

    Of the larger set a random part as large as the smaller is taken, so that chance is .5.

    Parameters
    ----------
    real, generated : (n, d), (m, d) float
        At least ``folds`` of each.
    folds : int
    strength : float
        Inverse weight of the penalty on squared coefficients.
    level : float
    seed : int

    Raises
    ------
    ValueError
        When a set is smaller than the folds, not finite, or not as wide as the other.
    """
    if folds < 2:
        raise ValueError(f"need 2 folds or more, got {folds}")
    sets = two_feature_matrices(real, generated, least=folds)
    size = min(map(len, sets))
    rng = np.random.default_rng(seed)
    shuffled = [in_canonical_order(rows)[rng.permutation(len(rows))][:size] for rows in sets]
    features = np.concatenate(shuffled)
    labels = np.repeat([0, 1], size)
    fold = np.tile(np.arange(size) % folds, 2)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    hits = 0
    for held in range(folds):
        classifier.fit(features[fold != held], labels[fold != held])
        hits += int((classifier.predict(features[fold == held]) == labels[fold == held]).sum())
    return TwoSampleTest(wilson_interval(hits, 2 * size, level), 2 * size)
