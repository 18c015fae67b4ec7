"""Array files: no pickle, same bytes for the same contents, one clear line for what is not ours."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.files.arrays import load_arrays, read_meta, save_arrays

META = {"fps": 30.0, "classes": ["rain", "dog"], "input": {"sha256": "0" * 64}}


def example() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "features": rng.standard_normal((7, 5)).astype(np.float32),
        "times": np.arange(7) / 30,
        "empty": np.zeros((0, 3), np.int16),
        "scalar": np.array(3.5),
    }


def test_arrays_and_meta_come_back(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", example(), kind="features", meta=META)
    arrays, meta = load_arrays(tmp_path / "a.npz", kind="features")
    assert meta == META == read_meta(tmp_path / "a.npz")
    assert arrays.keys() == example().keys()
    for name, array in example().items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_numpy_reads_the_file(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", example(), kind="features", meta=META)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["features"], example()["features"])


def test_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    arrays = example()
    save_arrays(tmp_path / "a.npz", arrays, kind="features", meta=META)
    backwards = dict(reversed(arrays.items()))
    save_arrays(tmp_path / "b.npz", backwards, kind="features", meta=dict(reversed(META.items())))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ValueError, match="Object arrays"):
        save_arrays(tmp_path / "a.npz", {"x": objects}, kind="features", meta={})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "evil.npz", x=objects)
    with pytest.raises(ValueError, match=r"evil\.npz: not a readable array file"):
        load_arrays(tmp_path / "evil.npz")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "not a readable array file"),
        (b"not a zip at all", "not a readable array file"),
        (b"PK\x03\x04 and then nothing", "not a readable array file"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, contents: bytes, message: str) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")) as caught:
        load_arrays(path)
    assert "\n" not in str(caught.value)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", example(), kind="features", meta=META)
    whole = (tmp_path / "a.npz").read_bytes()
    for size in range(0, len(whole), 97):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.npz"):
            load_arrays(tmp_path / "cut.npz")


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_damaged_file_never_raises_anything_but_value_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.npz"
    save_arrays(path, example(), kind="features", meta=META)
    data = bytearray(path.read_bytes())
    data[position % len(data)] = value
    path.write_bytes(data)
    try:
        load_arrays(path, kind="features")
    except ValueError as error:
        assert "a.npz" in str(error)


def test_files_of_others_and_of_another_kind_are_told_apart(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="not written by foley"):
        load_arrays(tmp_path / "other.npz")
    save_arrays(tmp_path / "a.npz", {}, kind="features", meta={})
    with pytest.raises(ValueError, match="holds 'features' where 'spectrogram' is needed"):
        load_arrays(tmp_path / "a.npz", kind="spectrogram")


def test_meta_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep to text, numbers, lists"):
        save_arrays(tmp_path / "a.npz", {}, kind="features", meta={"path": tmp_path})
