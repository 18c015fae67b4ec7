"""Kernel distance: the definition, its lack of bias and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import polynomial_kernel

from foleycli.metrics.kernel_distance import kernel_distance
from foleycli.metrics.resampling import Clips


def _features(n: int, d: int = 20, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


def _definition(real: np.ndarray, generated: np.ndarray) -> float:
    """scikit-learn's kernel with its defaults of degree 3, 1/d and 1, summed without diagonals."""
    xx, yy, xy = (
        polynomial_kernel(a, b)
        for a, b in ((real, real), (generated, generated), (real, generated))
    )
    n, m = len(real), len(generated)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 50), (1500, 40), (40, 1500)])
def test_the_whole_estimate_is_the_definition(n: int, m: int) -> None:
    real, generated = _features(n), _features(m, seed=1, shift=0.2)
    whole = kernel_distance(real, generated, subsets=1).whole
    assert whole.estimate == pytest.approx(_definition(real, generated), rel=1e-9)


def test_the_interval_is_the_jackknife() -> None:
    real, generated = _features(9), _features(7, seed=1, shift=0.5)
    without_real = [_definition(np.delete(real, i, 0), generated) for i in range(9)]
    without_generated = [_definition(real, np.delete(generated, j, 0)) for j in range(7)]
    error = np.sqrt(8 * np.var(without_real) + 6 * np.var(without_generated))
    whole = kernel_distance(real, generated, subsets=1).whole
    assert (whole.high - whole.low) / 2 == pytest.approx(1.959964 * error, rel=1e-6)
    assert (whole.high + whole.low) / 2 == pytest.approx(whole.estimate)


def test_a_subset_is_the_definition_on_some_of_the_samples() -> None:
    real, generated = _features(12), _features(12, seed=1)
    result = kernel_distance(real, generated, subsets=3, size=12)
    assert result.subsets == pytest.approx([_definition(real, generated)] * 3, rel=1e-9)
    smaller = kernel_distance(real, generated, subsets=3, size=5)
    assert smaller.subset_size == 5
    assert smaller.std_over_subsets > 0


def test_it_is_unbiased_where_the_frechet_distance_is_not() -> None:
    same = [
        kernel_distance(_features(12, seed=2 * k), _features(12, seed=2 * k + 1))
        for k in range(200)
    ]
    values = np.array([result.whole.estimate for result in same])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(200)
    assert (values < 0).mean() > 0.3


def test_the_interval_holds_the_distance_of_many_samples() -> None:
    truth = kernel_distance(
        _features(3000, seed=1), _features(3000, seed=2, shift=0.4), subsets=1
    ).whole.estimate
    held = 0
    for seed in range(60):
        real, generated = _features(50, seed=10 + 2 * seed), _features(50, seed=11 + 2 * seed)
        whole = kernel_distance(real, generated + 0.4, subsets=1).whole
        held += whole.low <= truth <= whole.high
    assert held >= 52


@given(seed=st.integers(0, 10))
def test_it_is_symmetric_and_blind_to_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    real, generated = _features(20, seed=seed), _features(25, seed=seed + 50, shift=0.1)
    result = kernel_distance(real, generated, subsets=5, size=8)
    shuffled = kernel_distance(rng.permutation(real), rng.permutation(generated), subsets=5, size=8)
    assert np.array_equal(shuffled.subsets, result.subsets)
    assert shuffled.whole == result.whole
    swapped = kernel_distance(generated, real, subsets=5).whole.estimate
    assert swapped == pytest.approx(result.whole.estimate, rel=1e-9)


@given(seed=st.integers(0, 10))
def test_it_grows_with_added_noise(seed: int) -> None:
    real, generated, noise = (_features(60, 30, 3 * seed + k) for k in range(3))
    values = [
        kernel_distance(real, generated + level * noise, subsets=1).whole.estimate
        for level in (0, 1, 2, 4)
    ]
    assert values == sorted(values)


def test_constant_features_have_a_distance() -> None:
    result = kernel_distance(np.zeros((5, 3)), np.ones((4, 3)))
    assert result.whole.estimate == pytest.approx(1 + 8 - 2)
    assert result.whole.low == pytest.approx(7)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 samples, got 2"):
        kernel_distance(np.zeros((2, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="subsets of 2 samples or more, got 100 of 1"):
        kernel_distance(np.zeros((4, 3)), np.zeros((5, 3)), size=1)


def test_the_jackknife_over_clips_leaves_out_both_sides() -> None:
    """Against its definition: the estimate without each clip, computed anew."""
    real, generated = _features(12, 3), _features(18, 3, seed=1)
    clips = Clips([str(i % 6) for i in range(12)], [str(i % 6) for i in range(18)])
    found = kernel_distance(real, generated, size=5, clips=clips).whole
    without = []
    for clip in "012345":
        kept = [[i for i, name in enumerate(side) if name != clip] for side in clips]
        without.append(_definition(real[kept[0]], generated[kept[1]]))
    error = np.sqrt(5 * np.var(without))
    assert found.estimate == pytest.approx(_definition(real, generated))
    assert found.high - found.estimate == pytest.approx(1.959964 * error, rel=1e-5)
