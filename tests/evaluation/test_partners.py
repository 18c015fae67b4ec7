"""Generated files and their clips: whose partner is whose, and what the two are compared by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.partners import (
    Partners,
    ScoredFile,
    clip_means,
    find_partners,
    level_figures,
    mean_figures,
    retrieval_figures,
    scored_files,
    with_labels_of_partners,
)
from foleycli.evaluation.samples import Samples
from foleycli.evaluation.set_figures import Options
from foleycli.metrics.divergence import mean_divergence
from foleycli.metrics.resampling import bootstrap_mean

OPTIONS = Options(frozenset(METRICS), replicates=100, seed=2)


@pytest.fixture
def named(make_samples):
    def made(*ids: str, **given) -> Samples:
        return make_samples(len(ids), ids=ids, **given)

    return made


def pairs(partners: Partners) -> dict[str, str]:
    return dict(zip(partners.ids, partners.clips, strict=True))


def failed(samples: Samples, *ids: str) -> Samples:
    return replace(samples, failures={i: (f"{i}.wav", "empty") for i in ids})


def test_files_of_one_id_belong_together(named) -> None:
    found = find_partners(named("rain/b", "dog/a"), named("dog/a", "rain/b"))
    assert pairs(found) == {"dog/a": "dog/a", "rain/b": "rain/b"}


def test_where_no_id_is_the_same_bare_names_count(named) -> None:
    found = find_partners(named("rain/b", "dog/a"), named("a", "ours/b_sample_1", "b_sample_0"))
    assert pairs(found) == {"a": "dog/a", "ours/b_sample_1": "rain/b", "b_sample_0": "rain/b"}
    with pytest.raises(ValueError, match="share a stem: a"):  # of which a would be the partner?
        find_partners(named("rain/a", "dog/a"), named("a"))


def test_one_id_in_common_and_folders_count(named) -> None:
    real, generated = named("dog/a", "rain/b"), named("dog/a", "other/b")
    with pytest.raises(ValueError, match=r"1 generated .* 1 real .* as other/b; see --allow"):
        find_partners(real, generated)
    assert pairs(find_partners(real, generated, allow_unpaired=True)) == {"dog/a": "dog/a"}


def test_rows_and_levels_lie_pair_by_pair(named) -> None:
    real = named("a", "b", "c")
    generated = named("b_sample_0", "b_sample_1", "a", seed=1)
    found = find_partners(real, generated, allow_unpaired=True)
    assert found.ids == ["a", "b_sample_0", "b_sample_1"]
    assert found.clips == ["a", "b", "b"]
    one, other = found.rows("logits")
    assert one.dtype == other.dtype == np.float64
    np.testing.assert_array_equal(one, real.feature("logits")[[0, 1, 1]])
    np.testing.assert_array_equal(other, generated.feature("logits"))
    one, other = found.levels("duration_s")
    assert one.tolist() == real.levels["duration_s"][[0, 1, 1]].tolist()
    assert other.tolist() == generated.levels["duration_s"].tolist()


@pytest.mark.parametrize("strip", [False, True])
def test_files_that_failed_leave_their_partners_out_without_complaint(named, strip: bool) -> None:
    folder = "set/" if strip else ""
    real = failed(named("a", "b"), "c", "x")
    generated = failed(
        named(*(f"{folder}{n}" for n in ("a_sample_0", "c_sample_0", "c_sample_1"))),
        f"{folder}b_sample_0",
    )
    found = find_partners(real, generated)
    assert pairs(found) == {f"{folder}a_sample_0": "a"}
    assert found.pairing.without_generated == found.pairing.without_real == ()


def test_failures_excuse_no_other_file(named) -> None:
    real, generated = failed(named("a", "b"), "c"), named("a", "c", "d")
    with pytest.raises(ValueError, match=r"1 generated .* 1 real .* as d; see --allow-unpaired"):
        find_partners(real, generated)
    left = find_partners(real, generated, allow_unpaired=True).pairing
    assert (left.without_real, left.without_generated) == (("d",), ("b",))


def test_sets_without_a_name_in_common_have_no_partners(named) -> None:
    for allowed in (False, True):
        with pytest.raises(ValueError, match="no generated sample has a real recording"):
            find_partners(named("a"), named("x/b"), allow_unpaired=allowed)


def test_a_generated_file_has_the_class_of_its_clip(named) -> None:
    real = named("a", "b", labels=["dog", "rain"])
    generated = named("a", "b_sample_0", "b_sample_1", labels=["", "", "siren"])
    partners = find_partners(real, generated)
    found = with_labels_of_partners(generated, partners)
    assert found.labels == ("dog", "rain", "siren")  # its own where it has one
    assert generated.labels == ("", "", "siren")
    assert Partners(real, found, partners.pairing).labels == ["dog", "rain", "siren"]
    assert with_labels_of_partners(generated, None) is generated


def test_every_pair_has_its_term_of_mkl(named) -> None:
    real, generated = named("a", "b"), named("b_sample_0", "a", "b_sample_1", seed=1)
    partners = find_partners(real, generated)
    rows = scored_files(partners, "ours", {"mkl", "mkl_sigmoid", "lsd"})
    assert [(row.system, row.id, row.clip) for row in rows] == [
        ("ours", "a", "a"),
        ("ours", "b_sample_0", "b"),
        ("ours", "b_sample_1", "b"),
    ]
    logits = real.feature("logits"), generated.feature("logits")
    for key, activation in (("mkl", "softmax"), ("mkl_sigmoid", "sigmoid")):
        expected = mean_divergence(*logits, real.ids, generated.ids, activation=activation)
        assert [row.scores[key] for row in rows] == expected.values.tolist()
    assert not any(row.scores for row in scored_files(partners, "ours", {"lsd"}))
    bare = replace(partners, generated=replace(generated, features={}))
    assert not any(row.scores for row in scored_files(bare, "ours", {"mkl"}))


def retrieved(partners: Partners) -> dict:
    return {f.metric: f for f in retrieval_figures(partners, "ours", OPTIONS)}


def test_a_copy_finds_its_clip_and_a_shuffled_one_does_not(make_samples) -> None:
    real = make_samples(12)
    found = retrieved(find_partners(real, real))
    assert (found["retrieval_rank"].value, found["retrieval_rank"].count) == (1, 12)
    for k in (1, 5, 10):
        assert found[f"retrieval_r{k}"].value == 1
        assert found[f"retrieval_r{k}"].note == f"chance {k / 12:.3g}"
    turned = {name: np.roll(array, 1, axis=0) for name, array in real.features.items()}
    found = retrieved(find_partners(real, replace(real, features=turned)))
    assert found["retrieval_r1"].value == 0
    assert found["retrieval_rank"].value > 1


def test_one_sample_of_a_clip_is_retrieved(named) -> None:
    real = named("a", "b", "c")
    generated = named(*(f"{clip}_sample_{n}" for clip in "abc" for n in range(4)), seed=1)
    features = np.repeat(real.feature("embedding"), 4, axis=0)
    features[np.arange(12) % 4 > 0] *= -1  # only the first of each clip is like it
    found = retrieved(find_partners(real, replace(generated, features={"embedding": features})))
    assert (found["retrieval_r1"].value, found["retrieval_r1"].count) == (1, 3)
    assert (found["retrieval_r5"].value, found["retrieval_r5"].note) == (None, "only 3 clips")


def test_retrieval_says_why_it_cannot_be_had(named) -> None:
    partners = find_partners(named("a"), named("a"))
    found = retrieval_figures(partners, "ours", OPTIONS)
    assert {f.metric for f in found} == {k for k in METRICS if k.startswith("retrieval_")}
    assert {(f.value, f.note) for f in found} == {
        (None, "one clip alone cannot be told from others")
    }
    some = Options(frozenset({"retrieval_rank", "mkl"}))
    two = find_partners(named("a", "b"), named("a", "b"))
    assert [f.metric for f in retrieval_figures(two, "ours", some)] == ["retrieval_rank"]
    assert retrieval_figures(two, "ours", Options(frozenset({"mkl"}))) == []


ROWS = [
    ScoredFile("ours", "a_sample_0", "a", "dog", {"lsd": 1.0, "motion_r": None}),
    ScoredFile("ours", "a_sample_1", "a", "dog", {"lsd": 3.0, "motion_r": None}),
    ScoredFile("ours", "b", "b", "dog", {"lsd": 8.0, "motion_r": 0.5}),
    ScoredFile("ours", "c", "c", "rain", {"lsd": None, "motion_r": None}),
    ScoredFile("ours", "d", "d", "rain", {"motion_r": None}),
]


def test_samples_of_a_clip_are_averaged_first() -> None:
    assert clip_means(ROWS, "lsd") == {"a": 2.0, "b": 8.0}
    assert clip_means(ROWS, "motion_r") == {"b": 0.5}
    assert clip_means(ROWS, "mkl") == {}
    found = {(f.metric, f.label): f for f in mean_figures(ROWS, OPTIONS)}
    assert len(found) == 6
    whole = found["lsd", ""]
    assert (whole.system, whole.value, whole.count) == ("ours", 5.0, 2)
    assert whole.note == "undefined for 2 of 4 clips"
    assert whole.low == bootstrap_mean(np.array([2.0, 8.0]), seed=2).low
    assert (found["lsd", "dog"].value, found["lsd", "dog"].count) == (5.0, 2)
    assert (found["lsd", "rain"].value, found["lsd", "rain"].note) == (
        None,
        "undefined for every file",
    )
    assert (found["motion_r", ""].value, found["motion_r", ""].count) == (0.5, 1)
    assert mean_figures(ROWS[2:3], OPTIONS)[0].note == ""
    assert mean_figures([], OPTIONS) == []


def levels(samples: Samples, partners: Partners | None = None, options: Options = OPTIONS) -> dict:
    return {f.metric: f for f in level_figures(samples, "ours", options, partners)}


def test_faults_are_counted_and_levels_averaged(make_samples) -> None:
    samples = make_samples(5)
    found = levels(samples)
    assert (found["silent_files"].value, found["silent_files"].count) == (1, 5)
    assert found["clipped_files"].value == 2
    assert found["duration_s"].value == pytest.approx(1.25)
    loud = found["loudness_lufs"]
    assert (loud.value, loud.count) == (np.mean([-20, -22, -23, -24]), 4)  # one has none
    assert found["true_peak_dbtp"].value == -1
    assert "wrong_duration_files" not in found
    silent = levels(samples.take([1]))
    assert silent["loudness_lufs"].value is silent["true_peak_dbtp"].value is None
    assert levels(replace(samples, levels={})) == {}
    assert levels(samples, options=Options(frozenset({"silent_files"}))).keys() == {"silent_files"}


def test_sets_of_silence_say_why_they_have_no_peak(make_samples) -> None:
    assert levels(make_samples(3).take([1]))["true_peak_dbtp"].note


def test_every_level_of_the_catalogue_is_there(make_samples) -> None:
    samples = make_samples(3)
    there = levels(samples, find_partners(samples, samples)).keys()
    assert there == {metric.key for metric in METRICS.values() if metric.group == "levels"}


def test_lengths_and_rates_are_held_against_the_partners(make_samples) -> None:
    real = make_samples(6)
    off = np.array([0.0, 0.04, 0.06, -0.06, -0.04, 1.0])
    rates = np.array([22_050, 22_050, 16_000, 22_050, 22_050, 48_000.0])
    changed = {"duration_s": real.levels["duration_s"] + off, "rate_hz": rates}
    generated = replace(real, levels={**real.levels, **changed})
    partners = find_partners(real, generated)
    found = levels(generated, partners)
    assert (found["wrong_duration_files"].value, found["wrong_duration_files"].count) == (3, 6)
    assert found["wrong_rate_files"].value == 2
    assert levels(real, find_partners(real, real))["wrong_rate_files"].value == 0
