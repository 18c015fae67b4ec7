"""Intervals and tests by resampling equal SciPy's, and hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics import resampling
from foleycli.metrics.resampling import bootstrap_mean, permutation_test, wilson_interval


def _scores(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=n)


@pytest.mark.parametrize(
    ("method", "theirs"), [("percentile", "percentile"), ("bias-corrected", "BCa")]
)
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_bootstrap_is_scipys(method, theirs: str, level: float) -> None:
    scores = np.sort(_scores(40))
    ours = bootstrap_mean(scores, method=method, level=level, replicates=2000, seed=3)
    expected = scipy.stats.bootstrap(
        (scores,),
        np.mean,
        n_resamples=2000,
        confidence_level=level,
        method=theirs,
        random_state=np.random.default_rng(3),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert ours.estimate == scores.mean()


def test_the_bootstrap_holds_the_mean_of_a_skewed_score() -> None:
    held = {"percentile": 0, "bias-corrected": 0}
    for seed in range(200):
        for method in held:
            interval = bootstrap_mean(_scores(30, seed), method=method, replicates=500)  # type: ignore[arg-type]
            held[method] += interval.low <= 1 <= interval.high
    assert held["bias-corrected"] >= 180
    assert held["percentile"] >= 175


def test_equal_scores_have_an_interval_of_no_width() -> None:
    interval = bootstrap_mean(np.full(5, 0.3))
    assert interval.low == interval.estimate == interval.high == pytest.approx(0.3)


def test_blocks_of_draws_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = _scores(20), _scores(25, 1)
    results = []
    for block in (2**22, 100):
        monkeypatch.setattr(resampling, "_BLOCK", block)
        results.append(
            (
                bootstrap_mean(a, replicates=300),
                permutation_test(a, b, paired=False, rounds=300),
                permutation_test(a, b[:20], paired=True, rounds=300),
            )
        )
    assert results[0] == results[1]


@pytest.mark.parametrize("paired", [True, False])
def test_the_permutation_test_is_scipys(paired: bool) -> None:
    a, b = _scores(30), _scores(30, 1) * 1.5
    kind = "samples" if paired else "independent"
    expected = scipy.stats.permutation_test(
        (a, b),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        permutation_type=kind,
        n_resamples=20_000,
        vectorized=True,
        random_state=np.random.default_rng(0),
    )
    ours = permutation_test(a, b, paired=paired, rounds=20_000)
    assert ours.difference == pytest.approx(expected.statistic)
    assert ours.p_value == pytest.approx(expected.pvalue, abs=0.015)
    assert 0.01 < ours.p_value < 0.9


def test_pairs_find_what_groups_do_not() -> None:
    files = 10 * _scores(40)
    better = files + 0.2 + 0.1 * np.random.default_rng(1).standard_normal(40)
    assert permutation_test(better, files, paired=True).p_value < 0.001
    assert permutation_test(better, files, paired=False).p_value > 0.5


def test_p_keeps_its_level_and_is_never_zero() -> None:
    p = np.array(
        [
            permutation_test(
                _scores(15, 2 * s), _scores(12, 2 * s + 1), paired=False, rounds=200
            ).p_value
            for s in range(300)
        ]
    )
    assert (p <= 0.05).mean() < 0.09
    assert abs(p.mean() - 0.5) < 0.06
    far = permutation_test(np.zeros(30), np.ones(30), paired=False, rounds=99)
    assert far.p_value == 0.01
    assert permutation_test(np.ones(4), np.ones(4), paired=True).p_value == 1


@given(seed=st.integers(0, 20))
def test_the_order_of_files_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = _scores(12, seed), _scores(12, seed + 99)
    order = rng.permutation(12)
    assert bootstrap_mean(a[order], replicates=50) == bootstrap_mean(a, replicates=50)
    for paired in (True, False):
        shuffled = permutation_test(a[order], b[order], paired=paired, rounds=50)
        result = permutation_test(a, b, paired=paired, rounds=50)
        assert shuffled.p_value == result.p_value
        assert shuffled.difference == pytest.approx(result.difference, abs=1e-12)


@given(count=st.integers(1, 500), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilsons_interval_is_scipys(count: int, share: float, level: float) -> None:
    hits = round(share * count)
    ours = wilson_interval(hits, count, level)
    expected = scipy.stats.binomtest(hits, count).proportion_ci(level, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= ours.low <= ours.estimate <= ours.high <= 1


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 scores in one row, got shape"):
        bootstrap_mean(np.ones(1))
    with pytest.raises(ValueError, match="1 of 3 are not finite"):
        bootstrap_mean(np.array([0, np.nan, 1]))
    with pytest.raises(ValueError, match="differ in number: 3 and 2"):
        permutation_test(np.ones(3), np.ones(2), paired=True)
    with pytest.raises(ValueError, match="got 3 of 2"):
        wilson_interval(3, 2)
    with pytest.raises(ValueError, match=r"got 95; 0\.95 is 95 percent"):
        wilson_interval(1, 2, level=95)
    with pytest.raises(ValueError, match="got 0 of 0"):
        wilson_interval(0, 0)
