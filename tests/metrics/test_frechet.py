"""Frechet distance: closed forms, the published formula, and what it does where that fails."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.frechet import frechet_distance, frechet_from_moments, trace_of_root
from foleycli.metrics.moments import Moments

SIZES = [(40, 40, 120), (40, 200, 120), (200, 40, 120), (300, 200, 24), (24, 25, 24)]


def _features(n: int, d: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
    return np.maximum(mixed + seed, 0)  # what a network's last rectifier lets through


def _published(real: np.ndarray, generated: np.ndarray) -> float:
    """pytorch-fid's formula, in float64, without its repairs."""
    first, second = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    shift = real.mean(axis=0) - generated.mean(axis=0)
    with warnings.catch_warnings():  # of products that are singular, as where samples are few
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
        root = scipy.linalg.sqrtm(first @ second)
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * np.trace(root).real)


def _exact(real: np.ndarray, generated: np.ndarray) -> float:
    """The definition with 60 digits."""
    with mpmath.workdps(60):
        means, covariances = [], []
        for features in (real, generated):
            matrix = mpmath.matrix(features.tolist())
            n, d = matrix.rows, matrix.cols
            mean = [mpmath.fsum(matrix[i, j] for i in range(n)) / n for j in range(d)]
            deviations = mpmath.matrix(n, d)
            for i in range(n):
                for j in range(d):
                    deviations[i, j] = matrix[i, j] - mean[j]
            means.append(mean)
            covariances.append(deviations.T * deviations / (n - 1))
        values, _ = mpmath.eig(covariances[0] * covariances[1])
        root = mpmath.fsum(mpmath.sqrt(abs(value)) for value in values)
        shift = mpmath.fsum((a - b) ** 2 for a, b in zip(*means, strict=True))
        trace = sum(covariances[0][i, i] + covariances[1][i, i] for i in range(len(means[0])))
        return float(shift + trace - 2 * root)


@pytest.mark.parametrize(("n", "m", "d"), SIZES)
def test_it_equals_the_published_formula(n: int, m: int, d: int) -> None:
    real, generated = _features(n, d, 1), _features(m, d, 2)
    assert frechet_distance(real, generated) == pytest.approx(_published(real, generated), rel=1e-6)


@pytest.mark.parametrize(("n", "m", "d"), [(5, 6, 8), (12, 9, 4)])
def test_it_equals_the_definition_with_60_digits(n: int, m: int, d: int) -> None:
    real, generated = _features(n, d, 1), _features(m, d, 2)
    assert frechet_distance(real, generated) == pytest.approx(_exact(real, generated), rel=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), SIZES)
def test_moments_give_what_features_give(n: int, m: int, d: int) -> None:
    real, generated = _features(n, d, 1), _features(m, d, 2)
    from_moments = frechet_from_moments(Moments.of(real), Moments.of(generated))
    assert from_moments == pytest.approx(frechet_distance(real, generated), rel=1e-10)


@pytest.mark.parametrize("d", [512, 16])
def test_a_set_is_at_no_distance_from_itself(d: int) -> None:
    features = _features(200, d, 0)
    rounding = 1e-13 * Moments.of(features).scatter.trace()
    assert frechet_distance(features, features) < rounding
    assert frechet_from_moments(Moments.of(features), Moments.of(features)) < rounding


def test_general_eigenvalues_err_where_the_gram_form_does_not() -> None:
    """facts: eigvals give FD(X, X) = -1e-6 and worse where samples are fewer than dimensions."""
    features = np.random.default_rng(0).standard_normal((100, 400))
    covariance = np.cov(features, rowvar=False)
    values = np.linalg.eigvals(covariance @ covariance).astype(complex)
    assert abs(2 * np.trace(covariance) - 2 * np.sqrt(values).real.sum()) > 1e-7
    assert frechet_distance(features, features) < 1e-11


@pytest.mark.parametrize("decades", [0, 6, 20])
def test_a_shift_is_its_squared_norm_also_of_badly_conditioned_sets(decades: float) -> None:
    """Errors of either sign would show: the distance is not near the clip at 0."""
    features = _features(300, 40, 0) * 10 ** -np.linspace(0, decades / 2, 40)
    shift = np.linspace(1, 2, 40)
    assert frechet_distance(features, features + shift) == pytest.approx(shift @ shift, rel=1e-11)


def test_dead_and_doubled_dimensions_do_no_harm() -> None:
    features, other = _features(100, 10, 1), _features(100, 10, 2)
    dead = np.full((100, 2), 3.0)
    more, others = (np.concatenate([rows, dead], axis=1) for rows in (features, other))
    assert frechet_distance(more, more) < 1e-9
    distance = frechet_distance(features, other)
    assert frechet_distance(more, others) == pytest.approx(distance, rel=1e-12)
    angle = np.pi / 4  # a doubled dimension is a turned dead one
    turn = np.eye(12)
    turn[9, 9] = turn[10, 10] = np.cos(angle)
    turn[9, 10], turn[10, 9] = np.sin(angle), -np.sin(angle)
    assert frechet_distance(more @ turn, others @ turn) == pytest.approx(distance, rel=1e-12)


def test_one_dimension_has_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 1)), 3 * rng.standard_normal((70, 1)) + 2
    means, deviations = x.mean() - y.mean(), x.std(ddof=1) - y.std(ddof=1)
    assert frechet_distance(x, y) == pytest.approx(means**2 + deviations**2, rel=1e-12)


def test_scaling_one_set_has_a_closed_form() -> None:
    features = _features(30, 50, 0)
    features -= features.mean(axis=0)
    trace = (features**2).sum() / 29
    assert frechet_distance(features, 1.5 * features) == pytest.approx(0.25 * trace, rel=1e-12)


def test_the_root_of_commuting_covariances_is_known() -> None:
    a, b = np.array([4.0, 9.0, 0.0]), np.array([1.0, 4.0, 5.0])
    assert trace_of_root(np.diag(a), np.diag(b)) == pytest.approx(2 + 6)


@given(seed=st.integers(0, 50), n=st.integers(2, 30), d=st.integers(1, 30))
def test_it_is_symmetric_and_blind_to_order_and_never_negative(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((n + 3, d))
    distance = frechet_distance(x, y)
    assert distance >= 0
    tolerance = 1e-10 * (1 + distance)
    assert frechet_distance(y, x) == pytest.approx(distance, abs=tolerance)
    shuffled = x[rng.permutation(n)]
    assert frechet_distance(shuffled, y) == pytest.approx(distance, abs=tolerance)
    assert frechet_distance(shuffled, x) < 1e-10


@given(seed=st.integers(0, 20))
def test_it_grows_with_added_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, noise = rng.standard_normal((60, 100)), rng.standard_normal((60, 100))
    distances = [frechet_distance(features, features + level * noise) for level in (0, 0.3, 1, 3)]
    assert distances == sorted(distances)
    assert distances[1] > 1


def test_constant_features_have_a_distance() -> None:
    assert frechet_distance(np.zeros((5, 3)), np.ones((4, 3))) == 3
    assert frechet_distance(np.zeros((5, 8)), np.ones((4, 8))) == 8


def test_too_few_samples_and_unequal_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="generated features: need at least 2 samples, got 1"):
        frechet_distance(np.zeros((2, 3)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="differ in width: 3 and 4"):
        frechet_from_moments(Moments.of(np.zeros((2, 3))), Moments.of(np.zeros((2, 4))))
