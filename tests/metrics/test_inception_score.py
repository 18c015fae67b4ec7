"""Inception Score: its bounds, its splits and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.inception_score import inception_score, inception_score_interval


def _logits(n: int, classes: int, seed: int, scale: float = 3.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal((n, classes))


@given(
    n=st.integers(1, 60),
    classes=st.integers(1, 20),
    scale=st.floats(0, 2000),
    splits=st.integers(1, 10),
    seed=st.integers(0, 5),
)
def test_it_lies_between_one_and_the_number_of_classes(
    n: int, classes: int, scale: float, splits: int, seed: int
) -> None:
    logits = _logits(n, classes, seed, scale)
    score = inception_score(logits, splits=min(splits, n))
    assert ((score.scores >= 1) & (score.scores <= classes)).all()
    if n > 1:
        interval = inception_score_interval(logits, replicates=20)
        assert 1 <= interval.low <= interval.high <= classes
        assert 1 <= interval.estimate <= classes


def test_certain_and_balanced_gives_the_classes_and_all_alike_gives_one() -> None:
    certain = 1000 * np.eye(5)[np.arange(50) % 5]
    assert inception_score(certain, splits=1).mean == pytest.approx(5)
    assert inception_score(np.tile(_logits(1, 5, 0), (50, 1))).mean == pytest.approx(1)


def test_it_is_the_entropy_of_the_mean_less_the_mean_entropy() -> None:
    logits = _logits(40, 6, 0)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    mean = chances.mean(axis=0)
    information = (chances * np.log(chances)).sum() / 40 - (mean * np.log(mean)).sum()
    assert inception_score(logits, splits=1).mean == pytest.approx(np.exp(information), rel=1e-12)


def test_logarithms_of_probabilities_serve_as_logits() -> None:
    logits = _logits(40, 6, 0)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    from_chances = inception_score(np.log(chances), seed=None).scores
    assert from_chances == pytest.approx(inception_score(logits, seed=None).scores, rel=1e-10)


def test_a_class_that_underflows_makes_no_nan() -> None:
    """WaveGAN's script takes the logarithm of 0 here."""
    assert inception_score(np.array([[0.0, -2000], [0, -3000]]), splits=1).mean == 1


def test_splits_hold_all_samples_and_their_spread_is_told() -> None:
    score = inception_score(_logits(25, 4, 0), splits=10)
    assert len(score.scores) == 10
    assert score.smallest_split == 2
    assert score.std_over_splits == pytest.approx(np.std(score.scores))
    assert inception_score(_logits(25, 4, 0), splits=1).std_over_splits == 0


def test_the_order_of_files_changes_nothing_unless_the_order_is_asked_for() -> None:
    logits = _logits(30, 5, 0)
    shuffled = logits[::-1]
    assert np.array_equal(inception_score(shuffled).scores, inception_score(logits).scores)
    assert inception_score_interval(shuffled) == inception_score_interval(logits)
    as_given = inception_score(logits, seed=None).scores
    assert as_given != pytest.approx(inception_score(shuffled, seed=None).scores)
    assert as_given != pytest.approx(inception_score(logits).scores)


@given(seed=st.integers(0, 20))
def test_it_falls_as_the_classifier_grows_unsure(seed: int) -> None:
    scores = [
        inception_score(_logits(200, 8, seed, scale), splits=1).mean for scale in (8, 3, 1, 0.1)
    ]
    assert scores == sorted(scores, reverse=True)


def test_the_interval_corrects_the_bias_and_holds_the_score_of_many_samples() -> None:
    truth = inception_score(_logits(40_000, 10, 1), splits=1).mean
    held, corrected, plain = 0, [], []
    for seed in range(200):
        logits = _logits(60, 10, 100 + seed)
        interval = inception_score_interval(logits, replicates=300)
        held += interval.low <= truth <= interval.high
        corrected.append(interval.estimate)
        plain.append(inception_score(logits, splits=1).mean)
    assert held >= 180
    assert abs(np.mean(corrected) - truth) < abs(np.mean(plain) - truth) / 2


def test_fewer_samples_than_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="logits: need at least 10 samples, got 9"):
        inception_score(_logits(9, 3, 0))
    with pytest.raises(ValueError, match="at least one split"):
        inception_score(_logits(9, 3, 0), splits=0)
