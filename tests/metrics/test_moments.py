"""Moments: NumPy's, and the same from shards as from the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.metrics.moments import Moments


def _features(n: int = 200, d: int = 7, offset: float = 0.0) -> np.ndarray:
    return np.random.default_rng(n).standard_normal((n, d)) * np.arange(1, d + 1) + offset


def test_they_are_numpys_mean_and_covariance() -> None:
    features = _features()
    moments = Moments.of(features)
    assert moments.mean == pytest.approx(features.mean(axis=0), rel=1e-14)
    np.testing.assert_allclose(moments.covariance, np.cov(features, rowvar=False), rtol=1e-12)


@given(
    cuts=st.lists(st.integers(1, 199), max_size=6, unique=True).map(sorted),
    offset=st.floats(-1e3, 1e3),
    seed=st.integers(0, 100),
)
def test_shards_in_any_order_merge_to_the_whole(cuts: list[int], offset: float, seed: int) -> None:
    features = _features(offset=offset)
    whole = Moments.of(features)
    shards = [Moments.of(part) for part in np.split(features, cuts)]
    np.random.default_rng(seed).shuffle(shards)  # type: ignore[arg-type]
    merged = shards[0]
    for shard in shards[1:]:
        merged = merged.merge(shard)
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        merged.scatter, whole.scatter, rtol=0, atol=1e-12 * np.abs(whole.scatter).max()
    )


def test_a_large_offset_does_not_cancel_the_scatter() -> None:
    near, far = _features(), _features(offset=1e7)
    halves = Moments.of(far[:90]).merge(Moments.of(far[90:]))
    np.testing.assert_allclose(halves.covariance, np.cov(near, rowvar=False), rtol=1e-6, atol=1e-6)


def test_they_are_saved_and_read_back(tmp_path) -> None:
    moments = Moments.of(_features())
    save_arrays(tmp_path / "m.npz", moments.arrays(), kind="moments", meta={})
    read = Moments.from_arrays(load_arrays(tmp_path / "m.npz", "moments")[0])
    assert read.count == 200
    assert np.array_equal(read.mean, moments.mean)
    assert np.array_equal(read.scatter, moments.scatter)


def test_what_cannot_be_merged_or_read_is_refused() -> None:
    with pytest.raises(ValueError, match="width 3 with width 4"):
        Moments.of(np.zeros((2, 3))).merge(Moments.of(np.zeros((2, 4))))
    with pytest.raises(ValueError, match="no mean, scatter"):
        Moments.from_arrays({"count": np.array(1)})
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        _ = Moments.of(np.zeros((1, 3))).covariance
