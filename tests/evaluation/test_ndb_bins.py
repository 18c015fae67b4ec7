"""Bins in a file: what was fitted comes back, what is not whole is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foleycli.evaluation.ndb_bins import KIND, load_bins, save_bins
from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.metrics.bins import Bins, different_bins, fit_bins


def fitted(classes: int) -> dict[str, Bins]:
    rng = np.random.default_rng(0)
    labels = ["", *(f"class {n}" for n in range(classes - 1))]
    return {label: fit_bins(rng.standard_normal((40, 5)), 4, starts=1) for label in labels}


def test_bins_of_a_dozen_classes_come_back(tmp_path: Path) -> None:
    bins, path = fitted(12), tmp_path / "bins.npz"
    save_bins(path, bins)
    found = load_bins(path)
    assert found.keys() == bins.keys()
    vectors = np.random.default_rng(1).standard_normal((50, 5))
    for label, own in bins.items():
        for name, array in vars(own).items():
            np.testing.assert_array_equal(getattr(found[label], name), array)
        one, other = (different_bins(b, vectors) for b in (found[label], own))
        assert (one.ndb, one.divergence) == (other.ndb, other.divergence)


def test_the_same_bins_make_the_same_bytes(tmp_path: Path) -> None:
    bins = fitted(3)
    save_bins(tmp_path / "a.npz", bins)
    save_bins(tmp_path / "b.npz", dict(reversed(bins.items())))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(("missing", "label"), [("0.counts", "all"), ("1.scale", "class 0")])
def test_bins_that_are_not_whole_are_refused(tmp_path: Path, missing: str, label: str) -> None:
    path = tmp_path / "bins.npz"
    save_bins(path, fitted(2))
    arrays, meta = load_arrays(path)
    del arrays[missing]
    save_arrays(path, arrays, kind=KIND, meta=meta)
    with pytest.raises(ValueError, match=rf"bins\.npz: the bins of {label} are not whole"):
        load_bins(path)


def test_other_files_are_refused(make_samples, tmp_path: Path) -> None:
    make_samples(3).save(tmp_path / "set.npz")
    with pytest.raises(ValueError, match="holds 'sample-statistics' where 'ndb-bins' is needed"):
        load_bins(tmp_path / "set.npz")


def test_bins_without_names_are_refused(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", {}, kind=KIND, meta={})
    with pytest.raises(ValueError, match=r"a\.npz"):
        load_bins(tmp_path / "a.npz")
