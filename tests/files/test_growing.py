"""Arrays that grow: the same file however they came, and memory that does not grow with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.files import growing
from foleycli.files.arrays import load_arrays
from foleycli.files.growing import GrowingArrays


@pytest.mark.parametrize("axis", [-1, 0])
@given(cuts=st.lists(st.integers(0, 40), max_size=5))
def test_pieces_make_the_array_however_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, axis: int, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("growing") / "a.npz"
    whole = np.random.default_rng(0).standard_normal((40, 3, 40)).astype(np.float32)
    with GrowingArrays(axis) as arrays:
        for piece in np.split(whole, sorted(cuts), axis):
            arrays.append({"x": piece})
        assert arrays.shape("x") == whole.shape
        again = np.concatenate([piece["x"] for piece in arrays.pieces(7)], axis)
        np.testing.assert_array_equal(again, whole)
        arrays.append({"x": whole.take(range(0), axis)})  # reading must not lose the end
        arrays.save(path, kind="noise", meta={"a": 1}, constants={"mean": np.arange(3)})
        arrays.save_npy(path.with_suffix(".npy"), "x")
    read, meta = load_arrays(path, kind="noise")
    np.testing.assert_array_equal(read["x"], whole)
    np.testing.assert_array_equal(read["mean"], np.arange(3))
    assert meta == {"a": 1}
    np.testing.assert_array_equal(np.load(path.with_suffix(".npy"), allow_pickle=False), whole)


def test_long_arrays_wait_on_disk_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "_HELD_BYTES", 1000)
    with GrowingArrays(folder=tmp_path) as arrays:
        for _ in range(5):
            arrays.append({"x": np.ones((10, 100))})
        arrays.save(tmp_path / "a.npz", kind="ones", meta={}, constants={})
    assert load_arrays(tmp_path / "a.npz")[0]["x"].shape == (10, 500)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
