"""Figures of sets: the metrics' own, whatever the order, and a reason where there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.report import Figure
from foleycli.evaluation.samples import Samples
from foleycli.evaluation.set_figures import (
    Options,
    accuracy,
    answers,
    bins_for,
    mean_figure,
    ndb,
    of_known_classes,
    set_figures,
)
from foleycli.metrics.bins import different_bins, fit_bins
from foleycli.metrics.frechet import frechet_distance
from foleycli.metrics.frechet_sampling import frechet_infinity, frechet_interval
from foleycli.metrics.inception_score import inception_score, inception_score_interval
from foleycli.metrics.kernel_distance import kernel_distance
from foleycli.metrics.neighbours import neighbourhoods
from foleycli.metrics.resampling import bootstrap_mean, wilson_interval
from foleycli.metrics.two_sample import two_sample_test

OF_SETS = frozenset(m.key for m in METRICS.values() if m.group == "sets")
OPTIONS = Options(OF_SETS, level=0.9, replicates=100, seed=3, splits=4)


def by_key(figures: list[Figure]) -> dict[tuple[str, str], Figure]:
    found = {(figure.metric, figure.label): figure for figure in figures}
    assert len(found) == len(figures)
    return found


def test_figures_are_those_of_the_metrics(make_samples) -> None:
    real, generated = make_samples(30), make_samples(26, seed=1, shift=0.4)
    found = by_key(set_figures(real, generated, "ours", OPTIONS))
    assert {figure.system for figure in found.values()} == {"ours"}
    x, y = (s.feature("embedding") for s in (real, generated))
    logits = generated.feature("logits")
    interval = {"level": 0.9, "replicates": 100, "seed": 3}

    def figure(key: str) -> Figure:
        return found[key, ""]

    assert figure("fd").value == frechet_distance(x, y)
    corrected = frechet_interval(x, y, **interval)
    assert (figure("fd_corrected").value, figure("fd_corrected").low) == (
        corrected.estimate,
        corrected.low,
    )
    assert figure("fd_corrected").high == corrected.high
    assert figure("fd_infinity").value == frechet_infinity(x, y, seed=3).value
    kid = kernel_distance(x, y, level=0.9)
    assert (figure("kid").value, figure("kid").low) == (kid.whole.estimate, kid.whole.low)
    assert figure("kid").spread == kid.std_over_subsets
    for name, value in vars(neighbourhoods(x, y)).items():
        assert figure(name).value == value
    test = two_sample_test(x, y, level=0.9, seed=3)
    assert (figure("two_sample").value, figure("two_sample").high) == (
        test.accuracy.estimate,
        test.accuracy.high,
    )
    assert figure("two_sample").count == 52
    splits = inception_score(logits, splits=4)
    assert (figure("is").value, figure("is").spread) == (splits.mean, splits.std_over_splits)
    whole = inception_score_interval(logits, **interval)
    assert (figure("is_corrected").value, figure("is_corrected").low) == (whole.estimate, whole.low)
    assert {figure(k).count for k in OF_SETS - {"two_sample"}} == {26}


def test_figures_that_were_not_asked_for_are_not_made(make_samples) -> None:
    real, generated = make_samples(24), make_samples(24, seed=1)
    for keys in ({"recall"}, {"is_corrected", "jsd"}, {"accuracy_micro"}, {"lsd"}, set()):
        found = set_figures(real, generated, "a", replace(OPTIONS, metrics=keys))
        assert {figure.metric for figure in found} == keys - {"lsd"}


def test_a_figure_that_cannot_be_had_says_why(make_samples) -> None:
    real, two = make_samples(24), make_samples(2, seed=1)
    found = by_key(set_figures(real, two, "a", OPTIONS))
    assert found.keys() >= {(key, "") for key in OF_SETS}
    for key in OF_SETS:
        figure = found[key, ""]
        assert (figure.value is None) == bool(figure.value is None and figure.note)
        assert figure.value is None or math.isfinite(figure.value)
    for key in ("fd_corrected", "fd_infinity", "kid", "precision", "coverage", "two_sample"):
        assert found[key, ""].value is None
        assert "\n" not in found[key, ""].note
        assert any(word in found[key, ""].note for word in ("at least", "too few"))
    assert found["fd", ""].value is not None


@pytest.mark.parametrize(
    ("feature", "keys"),
    [
        (
            "embedding",
            "fd fd_corrected fd_infinity kid precision recall density coverage two_sample",
        ),
        ("logits", "is is_corrected accuracy accuracy_micro"),
        ("spectrogram", "ndb ndb_share ndb_exact jsd"),
    ],
)
def test_without_a_feature_its_figures_are_missing(make_samples, feature: str, keys: str) -> None:
    real, generated = make_samples(24), make_samples(24, seed=1)
    left = {name: array for name, array in generated.features.items() if name != feature}
    found = by_key(set_figures(real, replace(generated, features=left), "a", OPTIONS))
    without = {key for (key, label), f in found.items() if f.value is None and not label}
    assert without == set(keys.split())
    assert {found[key, ""].note for key in without} == {f"no {feature} in it"}


def test_names_and_order_of_files_change_nothing(make_samples) -> None:
    """Rows lie in the order of their names: other names, another order."""
    real, generated = make_samples(44), make_samples(44, seed=1, shift=0.3)
    order = np.random.default_rng(0).permutation(44)

    def renamed(samples: Samples) -> Samples:
        names = tuple(f"other_{i:02}" for i in order)
        return replace(samples, ids=names).take(range(44))

    turned = renamed(generated)
    assert not np.array_equal(turned.feature("logits"), generated.feature("logits"))
    one = set_figures(real, generated, "a", OPTIONS)
    other = set_figures(renamed(real), turned, "a", OPTIONS)
    assert [(f.metric, f.label, f.count) for f in one] == [
        (f.metric, f.label, f.count) for f in other
    ]
    for first, second in zip(one, other, strict=True):
        numbers = [
            [n for n in (f.value, f.low, f.high, f.spread) if n is not None]
            for f in (first, second)
        ]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-8, abs=1e-10), first.metric


def test_accuracy_is_that_of_the_classes_and_of_all(make_samples) -> None:
    labels = ["dog"] * 4 + ["rain"] * 16
    hits = [True] * 3 + [False] + [True] * 4 + [False] * 12
    found = by_key(accuracy(make_samples(20, labels=labels, hits=hits), OPTIONS))
    assert found["accuracy", "dog"].value == 3 / 4
    assert found["accuracy", "rain"].value == 4 / 16
    assert found["accuracy", ""].value == (3 / 4 + 4 / 16) / 2
    assert found["accuracy_micro", ""].value == 7 / 20
    micro = wilson_interval(7, 20, 0.9)
    assert (found["accuracy_micro", ""].low, found["accuracy_micro", ""].high) == (
        micro.low,
        micro.high,
    )
    assert found["accuracy", "dog"].high == wilson_interval(3, 4, 0.9).high
    macro = found["accuracy", ""]
    assert 0.25 < macro.low < macro.value < macro.high < 0.75
    assert [found["accuracy", label].count for label in ("", "dog", "rain")] == [20, 4, 16]
    wider = by_key(
        accuracy(make_samples(20, labels=labels, hits=hits), replace(OPTIONS, level=0.99))
    )
    assert wider["accuracy", ""].low < macro.low


def test_classes_that_the_network_does_not_know_are_left_out_and_named(make_samples) -> None:
    samples = make_samples(6, labels=["dog", "rain", "cow", "rain", "", "yak"])
    known, note = of_known_classes(samples)
    assert known.ids == ("clip_000", "clip_001", "clip_003")
    assert "cow, yak" in note
    found = by_key(accuracy(samples, OPTIONS))
    assert found["accuracy", ""].value == 1
    assert found["accuracy", ""].count == 3
    assert "cow, yak" in found["accuracy", ""].note
    assert "cow, yak" in found["accuracy_micro", ""].note
    assert ("accuracy", "cow") not in found
    assert of_known_classes(known)[1] == ""


def test_files_without_class_are_left_out_and_counted(make_samples) -> None:
    _, note = of_known_classes(make_samples(4, labels=["dog", "", "", "rain"]))
    assert "without class" in note


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["cow", "cow"], "without cow, .*nothing is left"), (["", ""], "files without class")],
)
def test_accuracy_of_nothing_known_says_what_to_do(make_samples, labels, message: str) -> None:
    samples = make_samples(2, labels=labels)
    with pytest.raises(ValueError, match=f"{message}.*foley train classifier"):
        accuracy(samples, OPTIONS)
    with pytest.raises(ValueError, match="nothing is left"):
        of_known_classes(replace(samples, made_by={}))
    found = set_figures(make_samples(5), samples, "a", replace(OPTIONS, metrics={"accuracy"}))
    assert [(f.metric, f.value) for f in found] == [("accuracy", None)]


def test_answers_are_the_classes_of_the_highest_logits(make_samples) -> None:
    samples = make_samples(4, hits=[True, False, True, True])
    assert answers(samples) == ["dog", "dog", "dog", "rain"]
    with pytest.raises(ValueError, match="3 logits and 2 names"):
        answers(replace(samples, made_by={"classes": ["dog", "rain"]}))
    with pytest.raises(ValueError, match="no logits"):
        answers(replace(samples, features={}))


def ndb_samples(make_samples, counts: dict[str, int], seed: int = 0, shift: float = 0.0):
    labels = [label for label, count in counts.items() for _ in range(count)]
    return make_samples(len(labels), labels=labels, seed=seed, shift=shift)


def test_ndb_is_the_mean_over_classes_of_enough_files(make_samples) -> None:
    real = ndb_samples(make_samples, {"dog": 25, "rain": 30, "siren": 19})
    generated = ndb_samples(make_samples, {"dog": 20, "rain": 11, "siren": 20}, 1, shift=1.0)
    bins: dict = {}
    found = by_key(ndb(real, generated, OPTIONS, bins))
    assert bins.keys() == {"dog", "rain"}
    expected = {}
    for label in bins:
        fitted = fit_bins(real.of_class(label).feature("spectrogram"), 5, seed=3)
        np.testing.assert_array_equal(bins[label].centres, fitted.centres)
        expected[label] = different_bins(fitted, generated.of_class(label).feature("spectrogram"))
        own = expected[label]
        assert found["ndb", label].value == own.ndb
        assert found["ndb_share", label].value == own.ndb / 5
        assert found["ndb_exact", label].value == own.ndb_holm
        assert found["jsd", label].value == own.divergence
    assert expected["dog"].ndb + expected["rain"].ndb > 0
    assert found["ndb", ""].value == (expected["dog"].ndb + expected["rain"].ndb) / 2
    assert found["jsd", ""].value == np.mean([own.divergence for own in expected.values()])
    assert found["ndb", ""].count == 31
    assert found["ndb", ""].note == "k = 5; without 1 classes of under 20 real files"
    assert ("ndb", "siren") not in found


def test_where_no_class_has_enough_files_all_take_its_place(make_samples) -> None:
    real = ndb_samples(make_samples, {"dog": 19, "rain": 18})
    generated = ndb_samples(make_samples, {"dog": 10, "rain": 10}, 1)
    bins: dict = {}
    found = by_key(ndb(real, generated, OPTIONS, bins))
    assert bins.keys() == {""}
    assert found.keys() == {(key, "") for key in ("ndb", "ndb_share", "ndb_exact", "jsd")}
    (note,) = {f.note for f in found.values()}
    assert note == "k = 5; of all files together: there are only 2 classes of under 20 real files"
    assert found["ndb", ""].count == 20
    alone = ndb(ndb_samples(make_samples, {"dog": 19}), generated, OPTIONS, {})
    assert all("1 classes of under 20 real files" in figure.note for figure in alone)


def test_classes_that_one_side_lacks_are_not_called_too_small(make_samples) -> None:
    real = ndb_samples(make_samples, {"dog": 25, "rain": 25})
    generated = make_samples(20, labels=[""] * 20, seed=1)
    figure = by_key(ndb(real, generated, OPTIONS, {}))["ndb", ""]
    assert figure.note
    assert "none has 20 real files" not in figure.note


def test_ndb_tells_of_a_class_of_which_nothing_was_generated(make_samples) -> None:
    real = ndb_samples(make_samples, {"dog": 25, "rain": 25})
    generated = ndb_samples(make_samples, {"dog": 20}, 1)
    assert "without" in by_key(ndb(real, generated, OPTIONS, {}))["ndb", ""].note


def test_bins_that_are_there_are_used(make_samples) -> None:
    real = ndb_samples(make_samples, {"dog": 22})
    other = fit_bins(make_samples(40, seed=5, shift=3.0).feature("spectrogram"), 3)
    bins = {"dog": other}
    found = by_key(ndb(real, real, OPTIONS, bins))
    assert bins["dog"] is other
    assert found["ndb", "dog"].value == different_bins(other, real.feature("spectrogram")).ndb > 0
    assert by_key(ndb(real, real, OPTIONS, {}))["ndb", "dog"].value == 0
    fitted: dict = {}
    options = replace(OPTIONS, bins=7)
    set_figures(real, real, "a", replace(options, metrics={"ndb"}), fitted)
    assert len(fitted["dog"].counts) == 7


@pytest.mark.parametrize(
    ("count", "asked", "bins"),
    [(20, None, 5), (99, None, 5), (140, None, 7), (1000, None, 50), (9999, None, 50), (20, 9, 9)],
)
def test_small_classes_get_fewer_bins(count: int, asked: int | None, bins: int) -> None:
    assert bins_for(count, asked) == bins


def test_a_mean_over_files_has_an_interval_where_it_can() -> None:
    values = [0.1, 0.5, 0.9, 0.4]
    found = mean_figure("lsd", "a", values, OPTIONS, "dog")
    interval = bootstrap_mean(np.array(values), level=0.9, seed=3)
    assert (found.metric, found.system, found.label, found.count) == ("lsd", "a", "dog", 4)
    assert found.value == interval.estimate == pytest.approx(0.475)
    assert found.low < found.value < found.high
    one = mean_figure("lsd", "a", [0.3], OPTIONS)
    assert (one.value, one.low, one.high, one.count) == (0.3, None, None, 1)
    none = mean_figure("lsd", "a", [], OPTIONS)
    assert (none.value, none.note, none.count) == (None, "undefined for every file", 0)


def test_means_are_drawn_as_often_as_asked_for() -> None:
    values = np.random.default_rng(0).exponential(size=30)
    found = mean_figure("lsd", "a", values.tolist(), OPTIONS)
    interval = bootstrap_mean(values, level=0.9, replicates=100, seed=3)
    assert (found.low, found.high) == (interval.low, interval.high)
