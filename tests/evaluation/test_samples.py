"""Sets and their files: shards are the whole, changes are seen, other tools' arrays serve."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.foreign_embeddings import NAMES, load_foreign
from foleycli.evaluation.samples import KIND, Samples, merged
from foleycli.evaluation.set_figures import Options, set_figures
from foleycli.files.arrays import is_ours, load_archive, load_arrays, save_arrays

COUNT = 12


def contents(samples: Samples, folder: Path) -> bytes:
    path = folder / "contents.npz"
    samples.save(path)
    return path.read_bytes()


def test_a_set_comes_back_from_its_file(make_samples, tmp_path: Path) -> None:
    failures = {"broken": ("a/broken.wav", "3 samples are NaN or infinite")}
    samples = replace(make_samples(), failures=failures)
    samples.save(tmp_path / "a.npz")
    found = Samples.load(tmp_path / "a.npz")
    for name in ("ids", "labels", "sha256", "made_by", "failures"):
        assert getattr(found, name) == getattr(samples, name)
    assert found.features.keys() == samples.features.keys()
    assert found.levels.keys() == samples.levels.keys()
    for name, array in samples.features.items():
        assert found.features[name].dtype == np.float32
        np.testing.assert_array_equal(found.features[name], array)
    for name, column in samples.levels.items():
        assert found.levels[name].dtype == np.float64
        np.testing.assert_array_equal(found.levels[name], column)  # NaN where NaN was
    assert np.isnan(found.levels["loudness_lufs"]).sum() == 1
    assert contents(found, tmp_path) == contents(samples, tmp_path)


def test_rows_ascend_by_id_in_whatever_order_they_come() -> None:
    rows = [
        {"id": i, "label": "", "sha256": "", "features": {"embedding": [n]}, "levels": {"x": n}}
        for n, i in enumerate(("b/2", "a/10", "a/9"))
    ]
    found = Samples.of(rows, {})
    assert found.ids == ("a/10", "a/9", "b/2")
    assert found.features["embedding"].tolist() == [[1], [2], [0]]
    assert found.levels["x"].tolist() == [1, 2, 0]
    rows[0]["levels"] = {"x": None}
    assert np.isnan(Samples.of(rows, {}).levels["x"][2])
    assert len(Samples.of([], {}, {"a": ("a.wav", "broken")})) == 0


@given(
    shards=st.lists(st.integers(0, 3), min_size=COUNT, max_size=COUNT),
    order=st.permutations(range(4)),
)
@settings(max_examples=40)
def test_shards_put_together_are_the_whole_to_the_byte(
    make_samples, tmp_path_factory: pytest.TempPathFactory, shards: list[int], order: list[int]
) -> None:
    failures = {f"broken{n}": (f"{n}.wav", "empty") for n in range(4)}
    whole = replace(make_samples(COUNT), failures=failures)
    parts = [
        replace(
            whole.take([i for i, shard in enumerate(shards) if shard == n]),
            failures={f"broken{n}": failures[f"broken{n}"]},
        )
        for n in order
    ]
    folder = tmp_path_factory.mktemp("shards")
    assert contents(merged(parts), folder) == contents(whole, folder)


def test_figures_of_shards_are_those_of_the_whole(make_samples, tmp_path: Path) -> None:
    real, generated = make_samples(40), make_samples(40, seed=1, shift=0.3)
    parts = []
    for n in (2, 0, 1):
        real.take(range(n, 40, 3)).save(tmp_path / f"{n}.npz")
        parts.append(Samples.load(tmp_path / f"{n}.npz"))
    options = Options(frozenset(METRICS), replicates=100)
    expected = set_figures(real, generated, "a", options)
    found = set_figures(merged(parts), generated, "a", options)
    assert len(found) == len(expected) > 17
    for one, other in zip(found, expected, strict=True):
        assert replace(one, value=0, low=0, high=0, spread=0) == replace(
            other, value=0, low=0, high=0, spread=0
        )
        numbers = [(f.value, f.low, f.high, f.spread) for f in (one, other)]
        given = [[n for n in row if n is not None] for row in numbers]
        assert given[0] == pytest.approx(given[1], rel=1e-12)


def test_a_file_that_is_there_twice_is_refused(make_samples) -> None:
    whole = make_samples(9)
    with pytest.raises(ValueError, match="share an id: clip_000, clip_001, clip_002 and 2 more"):
        merged([whole, whole.take(range(5))])
    rows = [{"id": "a", "label": "", "sha256": "", "features": {}, "levels": {}}] * 2
    with pytest.raises(ValueError, match=r"share an id: a$"):
        Samples.of(rows, {})


def test_what_was_measured_otherwise_is_not_put_together(make_samples) -> None:
    one, other = make_samples(4), make_samples(4, ids=list("abcd"))
    with pytest.raises(ValueError, match="different networks"):
        merged([one, replace(other, made_by={"kind": "sounds"})])
    with pytest.raises(ValueError, match="different features"):
        merged([one, replace(other, levels={})])


@pytest.mark.parametrize("name", ["ids", "labels", "sha256", "feature.logits", "level.duration_s"])
def test_a_changed_array_is_seen(make_samples, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.npz"
    make_samples(5).save(path)
    arrays, meta = load_arrays(path, KIND)
    arrays[name] = arrays[name][[1, 0, 2, 3, 4]]
    save_arrays(path, arrays, kind=KIND, meta=meta)
    with pytest.raises(ValueError, match=r"a\.npz: changed since it was written; make it again"):
        Samples.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, meta: arrays.pop("ids"), "not the statistics of a set"),
        (lambda arrays, meta: meta.pop("made_by"), "not the statistics of a set"),
        (lambda arrays, meta: arrays.update({n: a[1:] for n, a in arrays.items()}), "changed"),
        (lambda arrays, meta: arrays.pop("level.duration_s"), "changed"),
        pytest.param(
            lambda arrays, meta: meta.pop("sha256"),
            r"a\.npz",
        ),
        pytest.param(
            lambda arrays, meta: meta.update(failures={}),
            "changed",
        ),
        pytest.param(
            lambda arrays, meta: meta.update(made_by={}),
            "changed",
        ),
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    make_samples, tmp_path: Path, change, message: str
) -> None:
    path = tmp_path / "a.npz"
    replace(make_samples(5), failures={"x": ("x.wav", "empty")}).save(path)
    arrays, meta = load_arrays(path, KIND)
    change(arrays, meta)
    save_arrays(path, arrays, kind=KIND, meta=meta)
    with pytest.raises(ValueError, match=message):
        Samples.load(path)


def test_files_of_foley_are_told_from_others(make_samples, tmp_path: Path) -> None:
    ours, other, features = (tmp_path / name for name in ("a.npz", "b.npz", "c.npz"))
    make_samples(3).save(ours)
    np.savez(other, x=np.arange(3))
    assert is_ours(ours)
    assert not is_ours(other)
    assert load_archive(other)["x"].tolist() == [0, 1, 2]
    save_arrays(features, {}, kind="features", meta={})
    with pytest.raises(ValueError, match="holds 'features' where 'sample-statistics' is needed"):
        Samples.load(features)
    other.write_bytes(b"PK\x03\x04 nothing")
    for read in (is_ours, load_archive, Samples.load):
        with pytest.raises(ValueError, match=r"b\.npz: not a readable array file"):
            read(other)
    with pytest.raises(OSError, match="No such file"):
        Samples.load(tmp_path / "missing.npz")


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int16])
@pytest.mark.parametrize("name", NAMES)
def test_embeddings_of_other_tools_serve(tmp_path: Path, name: str, dtype: type) -> None:
    rows = np.arange(12).reshape(4, 3).astype(dtype)
    np.savez(tmp_path / "a.npz", **{name: rows})
    found = load_foreign(tmp_path / "a.npz")
    assert found.features.keys() == {"embedding"}
    np.testing.assert_array_equal(found.features["embedding"], rows)
    assert found.features["embedding"].dtype == np.float64
    assert (len(found), found.classes, found.levels) == (4, (), {})
    assert list(found.ids) == sorted(found.ids)


def test_more_rows_than_ten_keep_their_order_in_a_plain_array(tmp_path: Path) -> None:
    rows = np.arange(24.0).reshape(12, 2)
    np.save(tmp_path / "a.npy", rows)
    np.testing.assert_array_equal(load_foreign(tmp_path / "a.npy").features["embedding"], rows)


def test_names_classes_and_logits_of_other_tools_serve(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        features=np.array([[1.0], [2], [3]]),
        ids=np.array([b"c", b"a", b"b"]),
        labels=np.array(["dog", "rain", ""]),
        logits=np.array([[3.0, 0], [1, 0], [2, 0]]),
        classes=np.array(["dog", "rain"]),
        other=np.zeros(7),
    )
    found = load_foreign(tmp_path / "a.npz")
    assert found.ids == ("a", "b", "c")
    assert found.labels == ("rain", "", "dog")
    assert found.classes == ("dog", "rain")
    assert found.features["embedding"].tolist() == [[2], [3], [1]]
    assert found.features["logits"][:, 0].tolist() == [1, 2, 3]
    assert found.made_by["classes"] == ["dog", "rain"]
    assert contents(found, tmp_path)  # and may be kept as statistics
    assert Samples.load(tmp_path / "contents.npz").made_by == found.made_by


X = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": X}, "holds vectors; call embeddings .* one of: embedding, embeddi"),
        ({}, "holds nothing; call"),
        ({"features": X[0]}, r"features: need real numbers \(n, d\), got float64 \(3,\)"),
        ({"features": X[None]}, r"float64 \(1, 4, 3\)"),
        ({"features": X.astype(str)}, "need real numbers"),
        ({"features": X + 1j}, "complex128"),
        ({"features": X, "ids": np.array(["a"])}, "1 ids for 4"),
        ({"features": X, "labels": np.array(["a"] * 5)}, "5 labels for 4"),
        ({"features": X, "logits": X[:3]}, "3 rows of logits for 4"),
        ({"features": X.astype(object)}, "not a readable array file .*Object arrays"),
        ({"features": X, "ids": np.array(list("abca"))}, "share an id: a"),
        ({"features": X[:0]}, r"a\.npz"),
        ({"features": X, "ids": np.array("abcd")}, r"a\.npz"),
        ({"features": X, "ids": np.array([list("ab")] * 4)}, "ids"),
        ({"features": X, "logits": X[:, 0]}, "logits"),
        ({"features": X, "logits": np.array(1.0)}, r"a\.npz"),
        ({"features": X, "logits": X.astype(str)}, r"a\.npz"),
        ({"features": X, "classes": np.array("dog")}, r"a\.npz"),
        ({"features": X, "logits": X, "classes": np.array(["dog"])}, "classes"),
        ({"features": X * 1e300}, r"a\.npz"),
    ],
)
def test_arrays_that_cannot_be_embeddings_are_refused(tmp_path: Path, arrays, message) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        load_foreign(path)


def test_a_plain_array_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"not an array")
    with pytest.raises(ValueError, match=re.escape(f"{path}: not a readable .npy file")):
        load_foreign(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"not a readable \.npy file"):
        load_foreign(path)
    np.save(path, X[0])
    with pytest.raises(ValueError, match="need real numbers"):
        load_foreign(path)


def test_hashes_tell_what_was_compared(make_samples) -> None:
    samples = make_samples(3)
    for name in ("ids", "labels", "sha256"):
        other = replace(samples, **{name: ("x", "y", "z")})
        assert other.list_sha256 != samples.list_sha256
        assert other.sha256_of_all != samples.sha256_of_all
    louder = replace(samples, levels={n: c + 1 for n, c in samples.levels.items()})
    further = replace(samples, features={n: f + 1 for n, f in samples.features.items()})
    for other in (louder, further):
        assert other.list_sha256 == samples.list_sha256
        assert other.sha256_of_all != samples.sha256_of_all


def test_rows_are_chosen_with_all_that_belongs_to_them(make_samples) -> None:
    samples = make_samples(6)
    chosen = samples.take([4, 1])
    assert chosen.ids == ("clip_001", "clip_004")
    assert chosen.sha256 == (samples.sha256[1], samples.sha256[4])
    np.testing.assert_array_equal(chosen.feature("logits"), samples.feature("logits")[[1, 4]])
    np.testing.assert_array_equal(chosen.levels["duration_s"], samples.levels["duration_s"][[1, 4]])
    rain = samples.of_class("rain")
    assert rain.ids == ("clip_001", "clip_003", "clip_005")
    assert (rain.classes, samples.classes) == (("rain",), ("dog", "rain"))
    assert make_samples(2, labels=["", "dog"]).classes == ("dog",)
    with pytest.raises(ValueError, match="no colour in it"):
        samples.feature("colour")
