"""Published features are read, and nothing that a pickle may ask for is done."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from foleycli.vision.feature_pickles import flow_beside, read_feature_pickle

VALUES = np.random.default_rng(0).random((214, 6), np.float32)


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8"])
def test_arrays_come_back(protocol: int, order: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.pkl"
    path.write_bytes(pickle.dumps(np.array(VALUES, kind, order=order), protocol))
    found = read_feature_pickle(path)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, VALUES)


def test_names_of_old_numpy_are_known(tmp_path: Path) -> None:
    content = pickle.dumps(VALUES, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "clip.pkl").write_bytes(content)
    np.testing.assert_array_equal(read_feature_pickle(tmp_path / "clip.pkl"), VALUES)


class _Runs:
    def __reduce__(self) -> object:
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(_Runs()), "it asks for"),
        (pickle.dumps(np.array([[_Runs()]], object), 4), "it asks for"),
        (pickle.dumps(np.array([["text"]], object), 4), "no plain array"),
        (pickle.dumps(VALUES.astype(int), 4), "not of floating-point numbers"),
        (pickle.dumps([1.0, 2.0]), "holds list where an array is needed"),
        (pickle.dumps(VALUES[0], 4), "not finite features"),
        (pickle.dumps(VALUES * np.float32(np.inf), 4), "not finite features"),
        (pickle.dumps(VALUES, 4)[:500], "no pickle of features"),
        (b"no pickle", "no pickle of features"),
        (b"", "no pickle of features"),
        (b"cnumpy\nndarray\n(tR.", "no pickle of features"),
    ],
)
def test_all_else_is_refused(
    content: bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clip.pkl").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_feature_pickle("clip.pkl")
    assert str(caught.value).startswith("clip.pkl: ")
    assert not Path("made-by-a-pickle").exists()


def test_flow_lies_beside_frames() -> None:
    beside = flow_beside(Path("dog/feature_rgb_bninception_dim1024_21.5fps/a.pkl"))
    assert beside == Path("dog/feature_flow_bninception_dim1024_21.5fps/a.pkl")
    with pytest.raises(ValueError, match="rename both, or leave out --flow"):
        flow_beside(Path("dog/a.pkl"))
