"""Evaluations from end to end: columns, controls, failures, and the same report however made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.evaluate import Evaluation, evaluate
from foleycli.evaluation.pair_figures import PICTURE_KEYS
from foleycli.evaluation.pair_scores import CONTROLS, PAIR_KEYS
from foleycli.evaluation.records import per_file_rows
from foleycli.evaluation.report import Report
from foleycli.evaluation.set_figures import Options, set_figures
from foleycli.evaluation.sides import Network, Sample, Side, load_measurer, measure
from foleycli.media.audio import write_audio
from foleycli.metrics.frechet import frechet_distance

RATE = 22_050
OPTIONS = Options(frozenset(METRICS), replicates=100)
FEW = Options(frozenset({"fd", "accuracy_micro", "mkl", "retrieval_r1"}), replicates=100)


def clicks(seed: int, times_s: Sequence[float], late_s: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sound = 1e-4 * rng.standard_normal(round(1.6 * RATE))
    for start in (np.array(times_s) + late_s) * RATE:
        burst = 0.3 * rng.standard_normal(2000) * np.exp(-np.arange(2000) / 300)
        sound[int(start) : int(start) + 2000] += burst[: len(sound) - int(start)]
    return np.clip(sound, -1, 1).astype(np.float32)


TIMES_S = ((0.2, 0.7, 1.2), (0.3, 0.9), (0.1, 0.5, 1.3), (0.25, 0.55, 1.05))


def write_side(folder: Path, name: str, seed: int, late_s: float = 0.0) -> Side:
    files = []
    for n, times_s in enumerate(TIMES_S):
        label = ("dog", "rain")[n % 2]
        path = folder / name / label / f"{n}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, clicks(seed + n, times_s, late_s), RATE)
        files.append(Sample(f"{label}/{n}", label, path))
    return Side(name, tuple(files))


def broken(side: Side, folder: Path) -> Side:
    path = folder / "broken.wav"
    path.write_text("no sound")
    return replace(side, files=(*side.files, Sample("dog/broken", "dog", path)))


def backwards(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    done = [work(task) for task in reversed(tasks)]
    return reversed(done)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Side, Side, Side]:
    folder = tmp_path_factory.mktemp("sounds")
    return (
        write_side(folder, "recordings", 0),
        write_side(folder, "ours", 10, late_s=0.01),
        write_side(folder, "base", 20, late_s=0.15),
    )


@pytest.fixture(scope="module")
def asked(sounds, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    real, ours, base = sounds
    ours = broken(ours, tmp_path_factory.mktemp("broken"))
    return Evaluation(real, [ours, base], OPTIONS, baselines=("shaped-noise", "real"))


@pytest.fixture(scope="module")
def report(asked: Evaluation) -> Report:
    told: list[tuple[str, int, int]] = []
    found = evaluate(asked, progress=lambda *at: told.append(at))
    stages = dict.fromkeys(stage for stage, _, _ in told)
    assert {"measuring recordings", "measuring ours", "hearing pairs", "comparing"} <= stages.keys()
    for _, done, total in told:
        assert 1 <= done <= total
    return found


def test_every_system_and_reference_has_its_column(report: Report) -> None:
    assert report.systems == ("ours", "base")
    assert report.references == (
        "baseline shaped-noise",
        "baseline real",
        "real/real",
        *CONTROLS,
    )
    for system in (*report.systems, "baseline real", "real/real"):
        assert report.figure("duration_s", system).value == pytest.approx(1.6)
    assert report.figure("is", "real/real").count == 4


def test_no_figure_is_there_twice_or_without_value_and_reason(report: Report) -> None:
    keys = [(f.metric, f.system, f.label) for f in report.figures]
    assert len(set(keys)) == len(keys)
    for figure in report.figures:
        assert figure.value is not None or figure.note, figure
        assert figure.metric in METRICS
        for number in (figure.value, figure.low, figure.high, figure.spread):
            assert number is None or np.isfinite(number)


def test_controls_show_what_the_figures_can_see(report: Report) -> None:
    def onsets(system: str) -> float | None:
        return report.figure("onset_f_50", system).value

    assert onsets("ground truth") == 1
    assert onsets("+100 ms") == onsets("+200 ms") == 0
    assert onsets("shuffled") < 0.5
    assert onsets("ours") > 0.9 > 0.1 > onsets("base")
    assert report.figure("lsd", "shuffled") is None


def test_a_file_that_fails_is_named_and_left_out(asked: Evaluation, report: Report) -> None:
    ours = asked.systems[0]
    assert report.failures.keys() == {str(ours.files[-1].path)}
    assert report.manifest["systems"]["ours"]["failed"] == 1
    assert report.manifest["systems"]["ours"]["count"] == 4
    assert report.figure("mkl", "ours").count == 4  # its clip is none that lacks a partner


def test_every_file_has_its_row(report: Report) -> None:
    rows = {(row["system"], row["id"]): row for row in report.per_file}
    assert len(rows) == len(report.per_file) == 16
    row = rows["ours", "dog/2"]
    assert (row["label"], row["clip"], row["duration_s"]) == ("dog", "dog/2", 1.6)
    known = load_measurer(Network()).made_by["classes"]
    assert row["answer"] in known
    assert row["mkl"] >= -0.01
    mean = np.mean([rows["ours", f"{c}"]["mkl"] for c in ("dog/0", "dog/2", "rain/1", "rain/3")])
    assert report.figure("mkl", "ours").value == pytest.approx(mean)
    hits = np.mean([row["answer"] == row["label"] for row in report.per_file[:4]])
    assert report.figure("accuracy_micro", "ours").value == hits
    assert per_file_rows(report, "jsonl").count("\n") == 16


def test_the_manifest_says_how_the_figures_came_about(report: Report) -> None:
    manifest = json.loads(json.dumps(report.manifest))
    systems = manifest["systems"]
    assert list(systems) == ["ours", "base", "baseline shaped-noise", "baseline real"]
    assert len({side["sha256"] for side in (manifest["real"], *systems.values())}) == 5
    assert manifest["network"]["sha256"] == load_measurer(Network()).made_by["network_sha256"]
    assert (manifest["seed"], manifest["level"]) == (0, 0.95)
    assert manifest["options"]["metrics"] == list(METRICS)
    assert manifest["baselines"] == ["shaped-noise", "real"]
    assert "numpy" in manifest["versions"]


def test_the_first_system_is_compared_with_every_other(report: Report) -> None:
    found = {d.metric: d for d in report.differences}
    assert len(found) == len(report.differences)
    assert {(d.first, d.second) for d in report.differences} == {("ours", "base")}
    assert {"fd", "accuracy_micro", "mkl", "onset_f_50", "lsd"} <= found.keys()
    assert all(d.paired and 0 < d.p_value <= 1 for d in report.differences)
    ours, base = (report.figure("onset_f_50", name).value for name in report.systems)
    assert found["onset_f_50"].difference == pytest.approx(ours - base)


def test_few_files_are_warned_of(report: Report) -> None:
    text = "\n".join(report.warnings)
    assert "few samples (real 4, ours 4, base 4" in text
    assert "dimensions: Frechet distances stay too large" in text
    assert "differ in size" not in text


def test_the_order_of_files_and_of_work_changes_nothing(asked: Evaluation, report: Report) -> None:
    """Nor do baselines change the figures of systems."""

    def turned(side: Side) -> Side:
        return replace(side, files=(*side.files[3:], *side.files[:3]))

    systems = [turned(side) for side in asked.systems]
    again = replace(asked, real=turned(asked.real), systems=systems, baselines=(), bins={})
    found = evaluate(again, backwards)
    expected = [f for f in report.figures if not f.system.startswith("baseline")]
    assert found.figures == expected
    assert (found.differences, found.failures) == (report.differences, report.failures)
    assert repr(found.per_file) == repr(report.per_file[:8])
    for name, side in found.manifest["systems"].items():
        assert side == report.manifest["systems"][name]
    assert found.manifest["real"] == report.manifest["real"]


def test_statistics_give_the_figures_of_their_sounds(
    sounds, report: Report, tmp_path: Path
) -> None:
    sides = []
    for side in sounds[:2]:
        path = tmp_path / f"{side.name}.npz"
        measure(side, Network()).save(path)
        sides.append(Side(side.name, (), (path,)))
    found = evaluate(Evaluation(sides[0], sides[1:], OPTIONS))
    for figure in found.figures:
        assert report.figure(figure.metric, figure.system, figure.label) == figure
    there = {f.metric for f in found.figures if f.system == "ours"}
    lost = {f.metric for f in report.figures if f.system == "ours"} - there
    assert lost == PAIR_KEYS - PICTURE_KEYS  # those need the sounds


def test_sets_are_compared_as_they_are(make_samples, kept) -> None:
    real, ours = make_samples(40), make_samples(40, seed=1, shift=0.2)
    asked = Evaluation(kept("recordings", real), [kept("ours", ours)], FEW)
    report = evaluate(asked)
    expected = frechet_distance(real.feature("embedding"), ours.feature("embedding"))
    assert report.figure("fd", "ours").value == pytest.approx(expected)
    assert report.figure("accuracy_micro", "ours").value == 1
    assert report.figure("mkl", "ours").count == 40
    assert report.manifest["real"]["measured_sha256"] == real.sha256_of_all
    assert report.references == ("real/real",)
    assert report.differences == []
    assert any("few samples" in warning for warning in report.warnings)


def test_files_without_class_take_that_of_their_clip(make_samples, kept) -> None:
    real = make_samples(10)
    bare = make_samples(10, seed=1, labels=[""] * 10, hits=[True] * 10)
    report = evaluate(Evaluation(kept("recordings", real), [kept("ours", bare)], FEW))
    assert report.figure("accuracy_micro", "ours").value == 0.5  # all are called dog
    assert [row["label"] for row in report.per_file] == list(real.labels)


def test_without_partners_figures_of_sets_are_left(make_samples, kept) -> None:
    real = make_samples(10)
    sides = kept("recordings", real), [kept("ours", make_samples(8, ids=list("abcdefgh")))]
    report = evaluate(Evaluation(*sides, FEW))
    assert {f.metric for f in report.figures if f.system == "ours"} == {"fd", "accuracy_micro"}
    assert any("ours: no figures of pairs: no generated" in text for text in report.warnings)
    assert any("sets differ in size (real 10, ours 8)" in text for text in report.warnings)
    explicit = evaluate(Evaluation(*sides, FEW, required=FEW.metrics))
    for key in ("mkl", "retrieval_r1"):
        figure = explicit.figure(key, "ours")
        assert figure.value is None
        assert figure.note.startswith("no generated sample has a real recording")


def test_files_without_partner_may_be_left_out(make_samples, kept) -> None:
    asked = Evaluation(
        kept("recordings", make_samples(10)), [kept("ours", make_samples(8, seed=1))], FEW
    )
    assert evaluate(asked).figure("mkl", "ours") is None
    report = evaluate(replace(asked, allow_unpaired=True))
    assert report.figure("mkl", "ours").count == 8
    assert report.figure("fd", "ours").count == 8


def test_what_cannot_be_had_of_statistics_is_said_where_it_was_asked_for(
    make_samples, kept
) -> None:
    real = make_samples(10)
    bare = replace(real, levels={})
    wanted = frozenset({"lsd", "onset_f_50", "silent_files", "clip_r1", "av_align"})
    options = replace(OPTIONS, metrics=wanted)
    asked = Evaluation(kept("recordings", bare), [kept("ours", bare)], options, required=wanted)
    notes = {f.metric: f.note for f in evaluate(asked).figures if f.system == "ours"}
    assert notes.keys() == wanted
    assert notes["lsd"] == notes["onset_f_50"] == "needs the sounds themselves on both sides"
    assert notes["silent_files"] == "embeddings alone have no levels"
    assert notes["clip_r1"] == "needs pictures, and --clip or --informativity"
    assert evaluate(replace(asked, required=())).figures == []


def test_sets_that_were_measured_differently_are_refused(make_samples, kept) -> None:
    real = make_samples(6)
    other = replace(real, made_by={**real.made_by, "network_sha256": "6" * 64})
    with pytest.raises(ValueError, match=r"ours and the real set .*\(network_sha256 differs\)"):
        evaluate(Evaluation(kept("recordings", real), [kept("ours", other)], FEW))


def test_failures_in_statistics_are_failures(make_samples, kept) -> None:
    real = make_samples(6)
    shy = replace(real, failures={"x": ("x.wav", "empty"), "y": ("y.wav", "empty")})
    asked = Evaluation(kept("recordings", shy), [kept("ours", real)], FEW)
    assert evaluate(asked).failures == {"x.wav": "empty", "y.wav": "empty"}
    with pytest.raises(ValueError, match=r"x\.wav: empty \(2 in all\); without --strict"):
        evaluate(replace(asked, strict=True))


def test_bins_are_fitted_once_and_kept(make_samples, kept) -> None:
    real, ours = make_samples(60), make_samples(60, seed=1)
    options = replace(OPTIONS, metrics=frozenset({"ndb", "jsd"}))
    asked = Evaluation(kept("recordings", real), [kept("ours", ours)], options)
    report = evaluate(asked)
    assert asked.bins.keys() == {"dog", "rain"}
    assert any("ndb: 5 bins a class, not 50" in warning for warning in report.warnings)
    fitted = dict(asked.bins)
    again = evaluate(asked)
    assert again.figures == report.figures
    assert all(asked.bins[label] is own for label, own in fitted.items())
    expected = set_figures(real, ours, "ours", options, fitted)
    assert [f for f in report.figures if f.system == "ours"] == expected


def test_a_baseline_needs_sounds_and_a_name(sounds, make_samples, kept) -> None:
    side = kept("recordings", make_samples(6))
    with pytest.raises(ValueError, match="--baseline real is made of real sounds, and there are"):
        Evaluation(side, [side], FEW, baselines=("real",))
    with pytest.raises(ValueError, match="--baseline noise: choose one of shaped-noise, real"):
        Evaluation(sounds[0], [side], FEW, baselines=("noise",))


def test_a_clip_that_is_alone_in_its_class_has_no_baseline(sounds) -> None:
    real, ours, _ = (replace(side, files=side.files[:3]) for side in sounds)
    report = evaluate(Evaluation(real, [ours], FEW, baselines=("real",)))
    assert report.figure("mkl", "ours").count == 3
    assert report.figure("mkl", "baseline real").count == 2
    assert any("baseline real has no sound for 1 clips" in text for text in report.warnings)


def test_a_baseline_of_single_clips_says_what_it_lacks(sounds) -> None:
    real, ours, _ = (replace(side, files=side.files[:2]) for side in sounds)
    with pytest.raises(ValueError, match="class"):
        evaluate(Evaluation(real, [ours], FEW, baselines=("real",)))
