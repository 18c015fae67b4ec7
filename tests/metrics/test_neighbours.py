"""Precision, recall, density and coverage: the definitions, ties and memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from foleycli.metrics import neighbours
from foleycli.metrics.neighbours import Neighbourhoods, neighbourhoods


def _features(n: int, d: int = 6, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


def _definitions(real: np.ndarray, generated: np.ndarray, k: int, dense_k: int) -> Neighbourhoods:
    def radii(features: np.ndarray, nearest: int) -> np.ndarray:
        search = NearestNeighbors(n_neighbors=nearest, algorithm="brute").fit(features)
        return search.kneighbors()[0][:, -1]

    distances = cdist(real, generated)
    inside = distances < radii(real, dense_k)[:, None]
    return Neighbourhoods(
        precision=(distances <= radii(real, k)[:, None]).any(axis=0).mean(),
        recall=(distances <= radii(generated, k)).any(axis=1).mean(),
        density=inside.sum(axis=0).mean() / dense_k,
        coverage=(distances.min(axis=1) < radii(real, dense_k)).mean(),
    )


@pytest.mark.parametrize(("k", "dense_k"), [(3, 5), (5, 3), (1, 1), (4, 4)])
def test_they_are_the_definitions(k: int, dense_k: int) -> None:
    real, generated = _features(80), _features(60, seed=1, shift=0.5)
    ours = neighbourhoods(real, generated, nearest=k, dense_nearest=dense_k)
    theirs = _definitions(real, generated, k, dense_k)
    assert vars(ours) == pytest.approx(vars(theirs), rel=1e-12)


def test_a_set_covers_itself_and_is_as_dense_as_itself() -> None:
    """Each sample lies at its own centre, and strictly inside k - 1 other balls on average."""
    for seed in range(5):
        features = _features(50, seed=seed)
        assert vars(neighbourhoods(features, features)) == pytest.approx(
            {"precision": 1, "recall": 1, "density": 1, "coverage": 1}
        )


def test_sets_far_apart_share_nothing() -> None:
    result = neighbourhoods(_features(30), _features(30, seed=1, shift=100))
    assert vars(result) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_an_outlier_spoils_recall_but_not_coverage() -> None:
    """Figure 3 of Naeem et al.: the ball of a far sample holds every real one."""
    real, generated = _features(200, 2), 0.05 * _features(200, 2, seed=1)
    outliers = np.array([[40.0, 0], [0, 40], [-40, 0], [0, -40], [30, 30]])
    plain = neighbourhoods(real, generated)
    spoilt = neighbourhoods(real, np.concatenate([generated, outliers]))
    assert plain.recall < 0.3
    assert spoilt.recall > 0.9
    assert spoilt.coverage == pytest.approx(plain.coverage, abs=0.05)


def test_copies_are_told_apart_by_which_bound_is_strict() -> None:
    """Doubled samples have balls of radius 0 for k = 1, which hold themselves or nothing."""
    doubled = np.repeat(_features(10), 2, axis=0) + 1000
    result = neighbourhoods(doubled, doubled, nearest=1, dense_nearest=1)
    assert (result.precision, result.recall) == (1, 1)
    assert (result.density, result.coverage) == (0, 0)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = _features(70), _features(90, seed=1)
    whole = neighbourhoods(real, generated)
    monkeypatch.setattr(neighbours, "_BLOCK_NUMBERS", 150)
    assert neighbourhoods(real, generated) == whole


@given(seed=st.integers(0, 20))
def test_the_order_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    real, generated = _features(30, seed=seed), _features(25, seed=seed + 99)
    shuffled = neighbourhoods(rng.permutation(real), rng.permutation(generated))
    assert vars(shuffled) == pytest.approx(vars(neighbourhoods(real, generated)), rel=1e-12)


@given(seed=st.integers(0, 10))
def test_precision_density_and_coverage_fall_with_added_noise(seed: int) -> None:
    real, noise = _features(100, seed=seed), _features(100, seed=seed + 99)
    results = [neighbourhoods(real, real + level * noise) for level in (0, 0.7, 2, 8)]
    for name in ("precision", "density", "coverage"):
        values = [getattr(result, name) for result in results]
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.5 < values[0]


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="real features: need at least 6 samples, got 5"):
        neighbourhoods(_features(5), _features(9))
    with pytest.raises(ValueError, match="k of 1 or more"):
        neighbourhoods(_features(9), _features(9), nearest=0)
