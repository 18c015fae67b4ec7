"""One system against another: effects are found, chance is not, pairs are used where there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.differences import answered_rows, distance_difference, score_differences
from foleycli.evaluation.partners import ScoredFile
from foleycli.evaluation.set_figures import Options
from foleycli.metrics.frechet import frechet_distance
from foleycli.metrics.resampling import permutation_test

OPTIONS = Options(frozenset(METRICS), replicates=100, seed=1)


def rows(system: str, scores, key: str = "lsd", clips=None) -> list[ScoredFile]:
    names = clips or [f"clip_{i:03}" for i in range(len(scores))]
    return [
        ScoredFile(system, name, name, "dog", {key: score})
        for name, score in zip(names, scores, strict=True)
    ]


def test_an_effect_in_every_clip_is_found_however_much_clips_differ() -> None:
    rng = np.random.default_rng(0)
    hard = 10 * rng.random(30)
    better, worse = hard + 0.1 * rng.random(30), hard + 0.3 + 0.1 * rng.random(30)
    (found,) = score_differences(rows("ours", better), rows("base", worse), OPTIONS)
    assert (found.metric, found.first, found.second) == ("lsd", "ours", "base")
    assert found.paired
    assert found.difference == pytest.approx(better.mean() - worse.mean())
    assert found.p_value == 1 / (1 + OPTIONS.replicates)
    other = [f"other_{i}" for i in range(30)]
    (alone,) = score_differences(rows("ours", better), rows("base", worse, clips=other), OPTIONS)
    assert not alone.paired
    assert alone.p_value > 0.2


def test_rows_may_come_in_any_order() -> None:
    rng = np.random.default_rng(0)
    one, other = rows("a", rng.random(12)), rows("b", rng.random(12) + 0.1)
    expected = score_differences(one, other, OPTIONS)
    assert score_differences(one[::-1], other[5:] + other[:5], OPTIONS) == expected


def test_without_effect_p_values_are_of_all_sizes() -> None:
    rng = np.random.default_rng(0)
    values = [
        score_differences(rows("a", rng.random(12)), rows("b", rng.random(12)), OPTIONS)[0].p_value
        for _ in range(40)
    ]
    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) <= 0.1) < 0.3


def test_clips_without_score_on_one_side_are_left_out_of_both() -> None:
    one, other = rows("a", [1.0, 2.0, None, 50.0]), rows("b", [3.0, 5.0, 90.0, None])
    (found,) = score_differences(one, other, OPTIONS)
    assert found.difference == -2.5
    unpaired = rows("b", [3.0, 5.0, 90.0], clips=["x", "y", "z"])
    (found,) = score_differences(one, unpaired, OPTIONS)
    assert found.difference == pytest.approx(53 / 3 - 98 / 3)


def test_samples_of_a_clip_count_once() -> None:
    one = rows("a", [0.0, 4.0, 1.0, 5.0], clips=["x", "x", "y", "z"])
    (found,) = score_differences(one, rows("b", [1.0, 1.0, 2.0], clips=list("xyz")), OPTIONS)
    assert found.paired
    assert found.difference == pytest.approx((2 + 1 + 5 - 4) / 3)


def test_what_cannot_be_compared_is_left_out() -> None:
    full = rows("a", [1.0, 2.0, 3.0])
    assert score_differences([], full, OPTIONS) == score_differences(full, [], OPTIONS) == []
    assert score_differences(full, rows("b", [1.0, None, None]), OPTIONS) == []
    assert score_differences(full, rows("b", [1.0, 2.0, 4.0], key="mkl"), OPTIONS) == []


def test_scores_are_permuted_as_often_as_asked_for() -> None:
    a, b = np.random.default_rng(0).random((2, 20))
    (found,) = score_differences(rows("a", a), rows("b", b), OPTIONS)
    expected = permutation_test(a, b, paired=True, rounds=100, seed=1)
    assert found.p_value == expected.p_value


def test_a_system_nearer_to_the_real_set_is_found(make_samples) -> None:
    real, near = make_samples(30), make_samples(30, seed=1)
    far = make_samples(30, seed=2, shift=1.0)
    (found,) = distance_difference(real, near, far, ("ours", "base"), OPTIONS)
    assert (found.metric, found.first, found.second) == ("fd", "ours", "base")
    embeddings = [s.feature("embedding") for s in (real, near, far)]
    expected = frechet_distance(*embeddings[:2]) - frechet_distance(embeddings[0], embeddings[2])
    assert found.difference == pytest.approx(expected)
    assert found.paired
    assert found.p_value == 1 / 101
    others = replace(far, ids=tuple(f"x{i:02}" for i in range(30)))
    (found,) = distance_difference(real, near, others, ("ours", "base"), OPTIONS)
    assert not found.paired


def test_sets_too_small_for_a_distance_have_no_difference(make_samples) -> None:
    real, two = make_samples(9), make_samples(2)
    assert distance_difference(real, two, real, ("a", "b"), OPTIONS) == []
    assert distance_difference(real, replace(real, features={}), real, ("a", "b"), OPTIONS) == []


def test_answers_are_right_or_wrong_file_by_file(make_samples) -> None:
    samples = make_samples(
        5, labels=["dog", "cow", "rain", "", "dog"], hits=[True, True, False, True, False]
    )
    found = answered_rows(samples, [], "ours")
    assert [(row.system, row.id, row.label, row.scores) for row in found] == [
        ("ours", "clip_000", "dog", {"accuracy_micro": 1.0}),
        ("ours", "clip_002", "rain", {"accuracy_micro": 0.0}),
        ("ours", "clip_004", "dog", {"accuracy_micro": 0.0}),
    ]
    assert answered_rows(replace(samples, made_by={}), [], "ours") == []
    assert answered_rows(replace(samples, features={}), [], "ours") == []


def test_answers_of_one_clip_are_one_clip(make_samples) -> None:
    samples = make_samples(3, ids=["a_sample_0", "a_sample_1", "b"])
    clips = [ScoredFile("ours", name, name[0], "dog") for name in samples.ids]
    assert [row.clip for row in answered_rows(samples, clips, "ours")] == ["a", "a", "b"]
