"""Bias and interval of the Frechet distance, on distributions whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.metrics.frechet import frechet_distance
from foleycli.metrics.frechet_sampling import (
    frechet_infinity,
    frechet_interval,
    frechet_replicates,
)
from foleycli.metrics.resampling import Clips


def _normal(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    features = np.random.default_rng(seed).standard_normal((n, d))
    features[:, 0] += shift
    return features


@pytest.mark.parametrize(
    ("n", "d", "bias"), [(250, 64, 8.8), (1000, 64, 2.3), (250, 512, 454), (1000, 512, 132)]
)
def test_finite_samples_of_one_distribution_stand_apart(n: int, d: int, bias: float) -> None:
    distance = frechet_distance(_normal(n, d, 0), _normal(n, d, 1))
    assert distance == pytest.approx(bias, rel=0.03)


@pytest.mark.parametrize(("n", "m", "d"), [(30, 20, 50), (30, 90, 20), (60, 90, 8)])
def test_replicates_are_distances_of_sets_with_repeated_rows(n: int, m: int, d: int) -> None:
    """Seen from outside: the mean and spread of distances of rows drawn again and again."""
    real, generated = _normal(n, d, 0), _normal(m, d, 1, shift=1)
    rng = np.random.default_rng(2)
    plain = [
        frechet_distance(real[rng.integers(0, n, n)], generated[rng.integers(0, m, m)])
        for _ in range(400)
    ]
    replicates = frechet_replicates(real, generated, replicates=400)
    error = np.hypot(np.std(plain), replicates.std()) / 20
    assert abs(replicates.mean() - np.mean(plain)) < 4 * error
    assert replicates.std() == pytest.approx(np.std(plain), rel=0.2)


@pytest.mark.parametrize(("n", "m", "d"), [(20, 20, 50), (40, 60, 20), (60, 90, 8)])
def test_the_whole_set_counts_as_its_plain_distance(n: int, m: int, d: int) -> None:
    real, generated = _normal(n, d, 0), _normal(m, d, 1, shift=1)
    fit = frechet_infinity(real, generated)
    assert fit.shares[0] == 1
    assert fit.distances[0] == pytest.approx(frechet_distance(real, generated), rel=1e-7)


def test_the_interval_corrects_the_bias_and_holds_the_truth() -> None:
    """Two normal distributions 2 apart: 4, of which 120 samples of width 16 make 5.4."""
    held, corrected, plain = 0, [], []
    for seed in range(25):
        real, generated = _normal(120, 16, 2 * seed), _normal(120, 16, 2 * seed + 1, shift=2)
        interval = frechet_interval(real, generated, replicates=200)
        held += interval.low <= 4 <= interval.high
        corrected.append(interval.estimate)
        plain.append(frechet_distance(real, generated))
    assert held >= 21
    assert np.mean(plain) > 5
    assert abs(np.mean(corrected) - 4) < 0.3


@pytest.mark.parametrize(("both_sides", "truth"), [(True, 0.0), (False, 0.5)])
def test_infinity_takes_the_bias_away(both_sides: bool, truth: float) -> None:
    """Of one distribution; with the real set kept whole its half of the bias remains."""
    fits = [
        frechet_infinity(
            _normal(300, 16, 2 * seed), _normal(300, 16, 2 * seed + 1), both_sides=both_sides
        )
        for seed in range(12)
    ]
    plain = np.mean([fit.distances[0] for fit in fits])
    assert plain > 0.4
    assert abs(np.mean([fit.value for fit in fits]) - truth * plain) < 0.08
    assert np.mean([fit.r_squared for fit in fits]) > 0.7
    assert all(fit.slope > 0 for fit in fits)


def test_results_depend_on_the_seed_and_not_on_the_order() -> None:
    real, generated = _normal(40, 60, 0), _normal(30, 60, 1)
    shuffled = real[np.random.default_rng(3).permutation(40)]
    interval = frechet_interval(real, generated, replicates=20)
    assert frechet_interval(shuffled, generated, replicates=20) == interval
    assert frechet_interval(real, generated, replicates=20, seed=1) != interval
    fit, again = frechet_infinity(real, generated), frechet_infinity(shuffled, generated)
    assert fit.value == again.value
    assert frechet_infinity(real, generated, seed=1).value != fit.value


def test_replicates_of_two_systems_share_their_real_draws() -> None:
    """So that their difference varies less than the difference of independent ones."""
    real, ours, theirs = _normal(30, 6, 0), _normal(500, 6, 1, 3), _normal(400, 6, 2, 3.2)
    a = frechet_replicates(real, ours, replicates=200)
    b = frechet_replicates(real, theirs, replicates=200)
    c = frechet_replicates(real, theirs, replicates=200, seed=1)
    assert (b - a).std() < 0.5 * (c - a).std()


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 samples, got 2"):
        frechet_interval(np.zeros((2, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="8 samples are too few"):
        frechet_infinity(_normal(8, 2, 0), _normal(20, 2, 1))
    with pytest.raises(ValueError, match="3 points or more"):
        frechet_infinity(_normal(20, 2, 0), _normal(20, 2, 1), points=2)


def test_the_interval_of_paired_sets_holds_the_truth() -> None:
    """Noisy copies: what both share must not be taken for bias. Truth is d (sqrt(1.25) - 1)^2."""
    d, held, apart = 8, 0, 0
    names = [str(i) for i in range(100)]
    truth = d * (np.sqrt(1.25) - 1) ** 2
    for seed in range(20):
        real = _normal(100, d, 2 * seed)
        generated = real + 0.5 * _normal(100, d, 2 * seed + 1)
        found = frechet_interval(real, generated, replicates=200, clips=Clips(names, names))
        held += found.low <= truth <= found.high
        apart += frechet_interval(real, generated, replicates=200).high < truth
    assert held >= 18
    assert apart >= 18  # and independent draws miss it


def test_clips_are_known_by_name_and_not_by_place() -> None:
    real, generated = _normal(30, 4, 0), _normal(30, 4, 1)
    names = [f"clip {i}" for i in range(30)]
    turned = np.random.default_rng(0).permutation(30)
    one = frechet_interval(real, generated, replicates=50, clips=Clips(names, names))
    other = frechet_interval(
        real[turned],
        generated,
        replicates=50,
        clips=Clips([names[i] for i in turned], names),
    )
    assert other.low == pytest.approx(one.low)
    assert frechet_infinity(real, real, clips=Clips(names, names)).value == pytest.approx(
        0, abs=1e-6
    )
