"""The real set against itself: halves by chance, each class in proportion."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.floors import FLOOR, SPLITS, floor_figures, halves
from foleycli.evaluation.set_figures import Options, accuracy, scores
from foleycli.metrics.frechet import frechet_distance

OPTIONS = Options(frozenset(METRICS), replicates=100, seed=4, splits=2)


@given(
    labels=st.lists(st.sampled_from("abcd"), min_size=2, max_size=40),
    size=st.integers(1, 30),
    seed=st.integers(0, 5),
)
def test_halves_are_disjoint_of_the_size_asked_and_in_proportion(
    make_samples, labels: list[str], size: int, seed: int
) -> None:
    real = make_samples(len(labels), labels=labels)
    rest, part = halves(real, size, seed)
    assert sorted((*rest.ids, *part.ids)) == sorted(real.ids)
    assert len(part) == min(size, len(real) // 2)
    share = len(part) / len(real)
    for label, count in Counter(labels).items():
        assert abs(part.labels.count(label) - share * count) <= 1


def test_halves_are_drawn_by_the_seed_alone(make_samples) -> None:
    real = make_samples(40)
    rest, part = halves(real, 15, 0)
    again = halves(real.take(reversed(range(40))), 15, 0)
    assert (rest.ids, part.ids) == (again[0].ids, again[1].ids)
    assert halves(real, 15, 1)[1].ids != part.ids
    assert part.ids != tuple(sorted(real.ids))[:15]


def test_classes_of_one_file_add_up(make_samples) -> None:
    real = make_samples(10, labels=[f"class {n}" for n in range(10)])
    assert [len(side) for side in halves(real, 5, 0)] == [5, 5]
    assert [len(side) for side in halves(real, 3, 0)] == [7, 3]


def test_the_floor_holds_a_part_against_the_rest(make_samples) -> None:
    real = make_samples(50)
    found = {(f.metric, f.label): f for f in floor_figures(real, 20, OPTIONS)}
    assert {figure.system for figure in found.values()} == {FLOOR}
    distances = []
    for split in range(SPLITS):
        rest, part = halves(real, 20, OPTIONS.seed + split)
        distances.append(frechet_distance(rest.feature("embedding"), part.feature("embedding")))
    assert found["fd", ""].value == pytest.approx(np.mean(distances))
    assert found["fd", ""].spread == pytest.approx(np.std(distances))
    assert found["fd", ""].count == 20
    for expected in (*scores(real, OPTIONS), *accuracy(real, OPTIONS)):
        assert found[expected.metric, expected.label] == replace(expected, system=FLOOR)
    assert found["is", ""].count == found["accuracy", ""].count == 50
    assert found["silent_files", ""].count == 50
    assert ("mkl", "") not in found


def test_the_floor_has_the_figures_asked_for(make_samples) -> None:
    real = make_samples(30)
    for keys in ({"fd"}, {"is"}, {"accuracy_micro", "recall"}, {"silent_files"}, {"lsd"}):
        found = floor_figures(real, 30, replace(OPTIONS, metrics=frozenset(keys)))
        assert {figure.metric for figure in found} == keys - {"lsd"}


def test_the_floor_of_sets_that_are_the_same_is_no_distance(make_samples) -> None:
    values = []
    for seed in range(6):
        options = Options(frozenset({"fd_corrected"}), replicates=100, seed=seed)
        values.append(floor_figures(make_samples(80, seed=seed), 40, options)[0].value)
    assert np.mean(values) == pytest.approx(0, abs=0.35)


def test_a_single_file_has_no_floor_and_is_no_error(make_samples) -> None:
    found = {f.metric: f for f in floor_figures(make_samples(1), 9, OPTIONS) if not f.label}
    assert found["fd"].value is None
    assert found["fd"].note
