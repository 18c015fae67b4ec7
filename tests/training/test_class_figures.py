"""Figures of recognition against scikit-learn's, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    log_loss,
    roc_auc_score,
    top_k_accuracy_score,
)

from foleycli.training.class_figures import average_precision, class_figures, roc_area


def test_figures_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 200)
    logits = rng.normal(size=(200, 7)) + 2 * np.eye(7)[labels]
    found = class_figures(logits, labels)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wanted = np.eye(7)[labels]
    assert found == {
        "loss": pytest.approx(log_loss(labels, chances)),
        "accuracy": accuracy_score(labels, logits.argmax(1)),
        "top5": top_k_accuracy_score(labels, logits, k=5),
        "mAP": pytest.approx(average_precision_score(wanted, chances, average="macro")),
        "mAUC": pytest.approx(roc_auc_score(wanted, chances, average="macro")),
    }


def test_equal_scores_are_one_threshold() -> None:
    rng = np.random.default_rng(0)
    of, scores = rng.random(100) < 0.3, rng.integers(0, 4, 100) / 4
    assert average_precision(of, scores) == pytest.approx(average_precision_score(of, scores))
    assert roc_area(of, scores) == pytest.approx(roc_auc_score(of, scores))


def test_classes_that_do_not_occur_do_not_count() -> None:
    logits = np.array([[3.0, 0, 0], [2.0, 1, 0], [0.0, 2, 0]])
    found = class_figures(logits, np.array([0, 0, 1]))
    assert (found["mAP"], found["mAUC"], found["accuracy"]) == (1, 1, 1)
    alone = class_figures(logits[:2], np.array([0, 0]))
    assert alone["mAP"] == 1
    assert "mAUC" not in alone


def test_equal_scores_know_nothing() -> None:
    of = np.array([True, False, False, True])
    assert roc_area(of, np.zeros(4)) == 0.5
    assert average_precision(of, np.zeros(4)) == 0.5
