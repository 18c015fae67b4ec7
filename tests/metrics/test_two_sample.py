"""The two-sample classifier: chance where sets do not differ, certain where they do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.metrics.resampling import Clips
from foleycli.metrics.two_sample import CHANCE, two_sample_test


def _features(n: int, d: int = 10, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


def test_sets_of_one_distribution_are_told_apart_by_chance() -> None:
    accuracies, held = [], 0
    for seed in range(30):
        result = two_sample_test(_features(60, seed=2 * seed), _features(60, seed=2 * seed + 1))
        accuracies.append(result.accuracy.estimate)
        held += result.accuracy.low <= CHANCE <= result.accuracy.high
    assert abs(np.mean(accuracies) - CHANCE) < 0.03
    assert held >= 25


def test_a_shift_is_found_as_often_as_the_best_linear_rule_finds_it() -> None:
    """Means 1 apart in 4 of 10 dimensions, distance 2: Phi(1) = .841."""
    shift = np.repeat([1.0, 0.0], [4, 6])
    result = two_sample_test(_features(2000), _features(2000, seed=1) + shift)
    assert result.accuracy.low < 0.8413 < result.accuracy.high + 0.01
    assert result.count == 4000


def test_more_dimensions_than_samples_do_not_make_it_certain() -> None:
    result = two_sample_test(_features(40, 300), _features(40, 300, seed=1))
    assert 0.3 < result.accuracy.estimate < 0.7
    far = two_sample_test(_features(40, 300), _features(40, 300, seed=1, shift=1))
    assert far.accuracy.estimate == 1


def test_chance_is_a_half_also_of_unequal_sets() -> None:
    results = [two_sample_test(_features(400), _features(40, seed=k)) for k in range(1, 11)]
    assert results[0].count == 80
    assert abs(np.mean([result.accuracy.estimate for result in results]) - CHANCE) < 0.05


@given(seed=st.integers(0, 10))
@settings(max_examples=5)
def test_it_grows_with_the_shift_and_not_with_the_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    real, generated = _features(100, seed=seed), _features(120, seed=seed + 50)
    results = [two_sample_test(real, generated + shift) for shift in (0, 0.3, 1)]
    accuracies = [result.accuracy.estimate for result in results]
    assert accuracies == sorted(accuracies)
    again = two_sample_test(rng.permutation(real), rng.permutation(generated))
    assert again == results[0]


def test_units_and_dead_dimensions_do_not_matter() -> None:
    real, generated = _features(50), _features(50, seed=1, shift=0.5)
    plain = two_sample_test(real, generated).accuracy.estimate
    units = np.append(10.0 ** np.arange(-5, 5), 0)
    scaled = [np.pad(rows, ((0, 0), (0, 1))) * units for rows in (real, generated)]
    assert two_sample_test(*scaled).accuracy.estimate == pytest.approx(plain, abs=0.12)


def test_what_cannot_be_folded_is_refused() -> None:
    with pytest.raises(ValueError, match="generated features: need at least 5 samples, got 4"):
        two_sample_test(_features(9), _features(4))
    with pytest.raises(ValueError, match="need 2 folds or more, got 1"):
        two_sample_test(_features(9), _features(9), folds=1)


def test_partners_are_judged_in_one_fold() -> None:
    """Copies cannot be told apart; with partners in other folds they fall under chance."""
    real = _features(100)
    generated = real + 0.02 * _features(100, seed=1)
    names = [str(i) for i in range(100)]
    together = two_sample_test(real, generated, clips=Clips(names, names)).accuracy
    assert together.low <= 0.5 <= together.high
    assert two_sample_test(real, generated).accuracy.estimate < together.estimate - 0.05


def test_the_interval_holds_chance_as_often_as_it_says() -> None:
    held = 0
    for seed in range(40):
        found = two_sample_test(_features(60, seed=2 * seed), _features(60, seed=2 * seed + 1))
        held += found.accuracy.low <= 0.5 <= found.accuracy.high
    assert held >= 37
