"""What is refused as features, and that order is the samples' own."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.metrics.feature_matrix import (
    feature_matrix,
    in_canonical_order,
    two_feature_matrices,
)


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (np.zeros(5), r"need real numbers \(n, d\), got float64 \(5,\)"),
        (np.zeros((5, 0)), "need real numbers"),
        (np.zeros((5, 2), complex), "need real numbers"),
        (np.array([["a"]]), "need real numbers"),
        (np.zeros((1, 2)), "need at least 2 samples, got 1"),
        (np.array([[0, 1], [np.nan, 0], [0, 1], [np.inf, 0]]), "2 of 4 rows .* first is row 1"),
        (np.array([[0, 1], [1e60, 0]]), "1 of 2 rows"),
    ],
)
def test_what_is_no_feature_matrix_is_refused(features: np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        feature_matrix(features, least=2)


def test_two_widths_do_not_compare() -> None:
    with pytest.raises(ValueError, match="real 3, generated 4"):
        two_feature_matrices(np.zeros((2, 3)), np.zeros((2, 4)))


def test_features_are_copied_into_float64() -> None:
    features = np.ones((2, 2))
    matrix = feature_matrix(features)
    matrix += 1
    assert (features == 1).all()
    assert feature_matrix(np.ones((2, 2), np.float16)).dtype == np.float64


def test_the_canonical_order_is_the_same_however_rows_were_listed() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((50, 3))
    ordered = in_canonical_order(matrix)
    assert np.array_equal(in_canonical_order(matrix[rng.permutation(50)]), ordered)
    assert np.array_equal(np.sort(ordered[:, 0]), np.sort(matrix[:, 0]))
    rounded = in_canonical_order(matrix.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(rounded, ordered, rtol=1e-6)
