"""Evaluations of statistics that were measured before, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foleycli.evaluation.evaluate import Evaluation, evaluate
from foleycli.evaluation.set_figures import Options
from foleycli.evaluation.sides import Side

FEW = Options(frozenset({"fd", "accuracy_micro", "mkl", "retrieval_r1"}), replicates=100)


def test_embeddings_without_names_have_no_partners(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sides = []
    for name, labels in (("recordings", ["dog", "rain"] * 5), ("ours", [""] * 10)):
        np.savez(
            tmp_path / f"{name}.npz",
            embeddings=rng.standard_normal((10, 4)),
            logits=rng.standard_normal((10, 2)),
            classes=["dog", "rain"],
            labels=labels,
        )
        sides.append(Side(name, (), (tmp_path / f"{name}.npz",)))
    report = evaluate(Evaluation(sides[0], sides[1:], FEW))
    assert report.figure("mkl", "ours") is None
    assert report.figure("accuracy_micro", "ours").value is None


def test_a_system_may_be_called_real(make_samples, kept) -> None:
    sides = kept("recordings", make_samples(10)), [kept("real", make_samples(8, seed=1))]
    manifest = evaluate(Evaluation(*sides, FEW)).manifest
    assert (manifest["real"]["count"], manifest["systems"]["real"]["count"]) == (10, 8)


def test_warnings_tell_a_system_called_real_from_the_real_set(make_samples, kept) -> None:
    sides = kept("recordings", make_samples(10)), [kept("real", make_samples(8, seed=1))]
    assert any("differ in size" in text for text in evaluate(Evaluation(*sides, FEW)).warnings)


def test_without_logits_mkl_says_so(make_samples, kept) -> None:
    real = make_samples(6)
    bare = replace(real, features={"embedding": real.feature("embedding")})
    sides = kept("recordings", bare), [kept("ours", bare)]
    report = evaluate(Evaluation(*sides, FEW, required=FEW.metrics))
    assert "logits" in report.figure("mkl", "ours").note


def test_the_manifest_of_given_embeddings_names_no_network_of_ours(make_samples, kept) -> None:
    side = kept("recordings", make_samples(6))
    report = evaluate(Evaluation(side, [kept("ours", make_samples(6))], FEW))
    assert report.manifest["network"].get("name") != "classifier"


def test_an_evaluation_of_nothing_is_refused(make_samples, kept) -> None:
    with pytest.raises(ValueError):
        evaluate(Evaluation(kept("recordings", make_samples(6)), [], FEW))


def test_what_a_reader_must_know_is_said(make_samples, kept) -> None:
    real = make_samples(12)
    ids = [f"{i}_sample_{k}" for i in real.ids for k in range(2)]
    several = replace(make_samples(24, seed=1, ids=ids), sha256=("",) * 24)
    same = {"embedding": np.ones_like(real.features["embedding"])}
    sides = {
        "several": several,
        "copied": real,
        "collapsed": replace(real, sha256=("",) * 12, features={**real.features, **same}),
        "some": replace(make_samples(5, seed=1), sha256=("",) * 5),
    }
    asked = Evaluation(
        kept("recordings", real), [kept(n, s) for n, s in sides.items()], FEW, allow_unpaired=True
    )
    told = evaluate(asked).warnings
    for words in (
        "several has several samples a clip",
        "copied: 12 files are the same bytes as real ones",
        "collapsed: all files have one embedding",
        "some: figures of pairs leave out 7 real files without a generated one and 0",
    ):
        assert any(words in text for text in told), words
