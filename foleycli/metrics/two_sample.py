"""Two-sample classifier test: can a linear classifier tell generated samples from real ones.

A logistic regression on standardised features is fitted to all folds but one and judged on that
one. Accuracy .5 is chance: the sets could not be told apart. D. Lopez-Paz and M. Oquab, "Revisiting
Classifier Two-Sample Tests", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from foleycli.metrics.feature_matrix import Features, in_canonical_order, two_feature_matrices
from foleycli.metrics.resampling import Clips, Interval, wilson_interval

CHANCE = 0.5
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class TwoSampleTest:
    """Cross-validated accuracy.

    Attributes
    ----------
    accuracy : Interval
        Wilson's, of fewer samples than were judged: the folds share training samples, for which
        the variance is multiplied by ``1 + folds / (folds - 1)`` (C. Nadeau and Y. Bengio,
        "Inference for the Generalization Error", 2003).
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
    clips: Clips | None = None,
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
    clips : Clips, optional
        Rows of one clip, on either side, are judged in the same fold: a classifier that was fitted
        to a sound's partner would take it for the other kind.

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
    chosen: list[Matrix] = []
    of_fold: list[NDArray[np.intp]] = []
    if clips is None:
        for rows in sets:
            chosen.append(in_canonical_order(rows)[rng.permutation(len(rows))][:size])
            of_fold.append(np.arange(size) % folds)
    else:
        *numbers, count = clips.numbers()
        fold_of_clip = rng.permutation(count) % folds
        for rows, own in zip(sets, numbers, strict=True):
            order = np.argsort(own, kind="stable")
            kept = np.sort(rng.permutation(len(rows))[:size])
            chosen.append(rows[order][kept])
            of_fold.append(fold_of_clip[own[order][kept]])
    features, fold = np.concatenate(chosen), np.concatenate(of_fold)
    labels = np.repeat([0, 1], size)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    hits = 0
    for held in np.unique(fold):
        classifier.fit(features[fold != held], labels[fold != held])
        hits += int((classifier.predict(features[fold == held]) == labels[fold == held]).sum())
    share, worth = hits / (2 * size), 2 * size / (1 + folds / (folds - 1))
    wide = wilson_interval(round(share * worth), max(1, round(worth)), level)
    low, high = min(wide.low, share), max(wide.high, share)
    return TwoSampleTest(Interval(share, low, high, level), 2 * size)
