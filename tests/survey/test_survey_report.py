from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from foleycli.evaluation.report import ALL
from foleycli.survey import published_ratings, report_records, report_tables
from foleycli.survey.exclusions import Rules
from foleycli.survey.pages import Deck
from foleycli.survey.plans import Trial
from foleycli.survey.plot import draw_report
from foleycli.survey.questions import FORMS, METHODS, default_form
from foleycli.survey.report import SurveyReport, make_report
from foleycli.survey.responses import collect_responses
from foleycli.survey.study import Study

Make = Callable[..., tuple[Study, Deck]]
Say = Callable[[Study, Trial], list[dict[str, Any]]]
Analyse = Callable[..., tuple[SurveyReport, Study]]


@pytest.fixture(scope="module")
def analyse(
    make_study: Make,
    respond: Callable[..., Any],
    honest: Say,
    tmp_path_factory: pytest.TempPathFactory,
) -> Analyse:
    def analyse(
        method: str, say: Say = honest, rules: Rules | None = None, **options: Any
    ) -> tuple[SurveyReport, Study]:
        study, _ = make_study(method, **options)
        path = tmp_path_factory.mktemp("answers") / "answers.json"
        path.write_text(json.dumps([respond(study, plan, say) for plan in study.plans]))
        collected = collect_responses([path], study)
        return make_report(collected, study, rules or Rules(), replicates=99), study

    return analyse


@pytest.fixture(scope="module")
def reports(analyse: Analyse) -> dict[str, SurveyReport]:
    return {method: analyse(method)[0] for method in METHODS}


def value(report: SurveyReport, metric: str, system: str, label: str = ALL) -> float:
    figure = report.figure(metric, system, label)
    assert figure and figure.value is not None
    return figure.value


def test_ratings_are_reported_by_question_condition_and_class(
    reports: dict[str, SurveyReport],
) -> None:
    report = reports["mos"]
    assert report.systems == ("ours", "base") and report.references == ("hidden reference",)
    for question in ("quality", "synchronicity"):
        for label in ("rain", "clock", ALL):
            assert value(report, question, "ours", label) == 8
            assert value(report, question, "base", label) == 4
        assert value(report, question, "hidden reference") == 10
    figure = report.figure("quality", "ours")
    # 8 clips, 6 ratings each, of 12 plans.
    assert figure and (figure.count, figure.clips, figure.raters) == (48, 8, 12)  # type: ignore[attr-defined]
    assert (figure.low, figure.high) == (8, 8)


def test_golds_do_not_count_as_ratings(reports: dict[str, SurveyReport]) -> None:
    report = reports["mos"]
    counts = {f.system: f.count for f in report.figures if (f.metric, f.label) == ("quality", ALL)}
    assert counts["ours"] == counts["base"] == 48
    assert 0 < counts["hidden reference"] < sum(n for _, n in report.golds.values())


def test_mushra_reports_its_anchors(reports: dict[str, SurveyReport]) -> None:
    report = reports["mushra"]
    assert report.references == ("hidden reference", "anchor, degraded")
    assert value(report, "quality", "hidden reference") == 100
    assert value(report, "quality", "anchor, degraded") == 0
    assert value(report, "quality", "ours") == 80


def test_choices_are_reported_as_shares(reports: dict[str, SurveyReport]) -> None:
    assert value(reports["pairwise"], "better", "ours") == 1
    assert value(reports["pairwise"], "better", "base", "rain") == 0
    assert value(reports["match-one"], "match precision", "base") == 1
    assert value(reports["pick-all"], "match recall", "ours") == 1
    assert value(reports["pick-all"], "match precision", "ours") == 1
    (found,) = reports["pairwise"].preferences["better"]
    assert (found.first, found.wins, found.losses, found.ties) == ("ours", 48, 0, 0)
    assert "no Bradley-Terry strengths" in reports["pairwise"].warnings[0]


def test_sound2scenes_shares_are_what_they_are_defined_as(analyse: Analyse) -> None:
    """Raters who choose all that ours made, right or wrong, and nothing of base."""

    def partial(study: Study, trial: Trial) -> list[dict[str, Any]]:
        chosen = [n for n in trial.media if study.media[n].condition in ("ours", "reference")]
        gold = [n for n in chosen if study.media[n].kind == "hidden-reference"]
        return [{"question": "match", "value": gold or chosen}]

    report, study = analyse("pick-all", partial)
    offered = [m for m in study.media.values() if m.condition == "ours"]
    right = [m for m in offered if m.role == "stimulus"]
    assert value(report, "match recall", "ours") == 1
    assert value(report, "match recall", "base") == 0
    # Each page comes equally often, so that shares are those of the media.
    assert value(report, "match precision", "ours") == pytest.approx(len(right) / len(offered))
    assert report.figure("match precision", "base").note == "no answers"  # type: ignore[union-attr]


def noisy(study: Study, trial: Trial) -> list[dict[str, Any]]:
    """Prefer ours in three of four cases, with opinions that vary by page."""
    rng = np.random.default_rng(int(trial.id, 16))
    worth = {"ours": 6.0, "base": 5.0, "other": 4.0}
    answers = []
    for question in study.form.questions:
        said = {}
        for name in trial.media:
            medium = study.media[name]
            gold = 10.0 if medium.kind == "hidden-reference" else 0.0
            said[name] = worth.get(medium.condition, gold) + rng.normal() * (medium.role != "gold")
            said[name] -= 3 * (medium.role == "distractor")
        if study.form.rated:
            scale = (question.high - question.low) / 10
            answers += [
                {"question": question.id, "medium": n, "value": round(min(max(v, 0), 10) * scale)}
                for n, v in said.items()
            ]
        elif study.form.method == "pick-all":
            chosen = [n for n, v in said.items() if v > 4.5]
            answers.append({"question": question.id, "value": chosen})
        else:
            answers.append({"question": question.id, "value": [max(said, key=said.__getitem__)]})
    return answers


@pytest.mark.parametrize("method", METHODS)
def test_every_form_of_a_report_has_every_figure(method: str, analyse: Analyse) -> None:
    report, study = analyse(method, noisy, conditions=("ours", "base", "other"), clips=9)
    whole = json.loads(json.dumps(report_records.as_dict(report), allow_nan=False))
    assert len(whole["figures"]) == len(report.figures) > 0
    assert whole["manifest"]["study"] == study.id
    lines = list(csv.DictReader(io.StringIO(report_records.as_csv(report))))
    assert tuple(lines[0]) == report_records.CSV_COLUMNS
    figures = [line for line in lines if line["kind"] == "figure"]
    assert [float(line["value"]) for line in figures] == [f["value"] for f in whole["figures"]]
    for shown in (
        report_tables.as_text(report, 100),
        report_tables.as_markdown(report),
        report_tables.as_latex(report),
    ):
        for system in report.systems:
            assert system in shown
        count = len(study.plans)
        assert f"{count} of {count} sessions kept, {count} raters" in shown
    assert max(map(len, report_tables.as_text(report, 100).splitlines())) <= 100
    kinds = {line["kind"] for line in lines} - {"figure", "agreement"}
    expected = {"test over raters", "test over clips"} if study.form.rated else set()
    assert kinds == ({"preference", "strength"} if method == "pairwise" else expected)
    assert any(line["kind"] == "agreement" and line["value"] for line in lines)


def test_mushra_says_that_its_rule_chose_raters_by_the_hidden_reference(
    reports: dict[str, SurveyReport],
) -> None:
    said = [f for f in reports["mushra"].figures if "MUSHRA's rule" in f.note]
    assert {f.system for f in said} == {"hidden reference", "anchor, degraded"}
    assert "below 90 % of the scale" in report_tables.as_text(reports["mushra"])
    assert not any("MUSHRA" in figure.note for figure in reports["mos"].figures)


def test_bold_is_only_what_is_better_after_holm(analyse: Analyse) -> None:
    def alike(study: Study, trial: Trial) -> list[dict[str, Any]]:
        rng = np.random.default_rng(int(trial.id, 16))
        return [
            {"question": q.id, "medium": n, "value": int(rng.integers(0, 11))}
            for q in study.form.questions
            for n in trial.media
        ]

    report, _ = analyse("mos", alike, rules=Rules(most_failed=None))
    assert value(report, "quality", "ours") != value(report, "quality", "base")
    assert "**" not in report_tables.as_markdown(report)
    assert "textbf" not in published_ratings.as_latex(report, "foleygan-vii")
    for method, question in (("mos", "quality"), ("pairwise", "better")):
        report, _ = analyse(method, noisy, clips=12)
        assert report_tables.clearly_best(report, question) == "ours"
        shown = report_tables.as_markdown(report)
        lines = [line for line in shown.splitlines() if "**" in line]
        assert lines and all(line.startswith("| all | **") for line in lines)
        assert "bold: " in shown


def test_a_note_about_everything_names_nothing(analyse: Analyse) -> None:
    report, _ = analyse("pairwise", clips=2)  # a clip a class
    lines = [s for s in report_tables.as_markdown(report).splitlines() if "raters only" in s]
    assert len(lines) == len(report.metrics)
    assert all(line.startswith("- every class: one clip: ") for line in lines), lines


def test_one_person_in_two_sittings_is_one_rater(
    make_study: Make, respond: Callable[..., Any], honest: Say, tmp_path: Path
) -> None:
    study, _ = make_study("mos")
    found = [respond(study, plan, honest, participant="anna") for plan in study.plans]
    (tmp_path / "a.json").write_text(json.dumps(found))
    report = make_report(collect_responses([tmp_path / "a.json"], study), study, Rules())
    figure = report.figure("quality", "ours")
    assert report.manifest["raters"] == 1 and figure
    assert figure.note == "one rater: the interval is about clips only"


def test_a_report_is_the_same_whatever_the_order_of_files(
    make_study: Make, respond: Callable[..., Any], tmp_path: Path
) -> None:
    study, _ = make_study("mos")
    paths = []
    for plan in study.plans:
        paths.append(tmp_path / f"{plan.number}.json")
        paths[-1].write_text(json.dumps(respond(study, plan, noisy)))
    one, other = (
        make_report(collect_responses(some, study), study, Rules(), replicates=99)
        for some in (paths, paths[::-1])
    )
    assert report_records.as_csv(one) == report_records.as_csv(other)


def test_no_interval_leaves_the_scale(analyse: Analyse) -> None:
    def lean(study: Study, trial: Trial) -> list[dict[str, Any]]:
        """Let some raters give 10 to all, others 7: few raters make a wide interval."""
        strict = any(trial in plan.trials for plan in study.plans[::3])
        return [
            {"question": q.id, "medium": n, "value": 7 if strict else 10}
            for q in study.form.questions
            for n in trial.media
        ]

    rules = Rules(most_failed=None, least_spread=None)
    report, _ = analyse("mos", lean, rules=rules, clips=4, ratings=3)
    highs = [f.high for f in report.figures if f.high is not None and f.label == ALL]
    assert highs and set(highs) == {10}


def test_foleygans_table_vii_has_its_figures() -> None:
    """Its averages are those of its classes, rounded: Table VII checks itself."""
    rows = dict(published_ratings.FOLEYGAN_VII.rows)
    average = rows.pop("Average")
    assert len(rows) == 12
    assert np.mean(list(rows.values()), axis=0).round(1).tolist() == list(average)


def test_foleygans_table_stands_beside_what_was_measured(
    reports: dict[str, SurveyReport],
) -> None:
    report = reports["mos"]
    rows = published_ratings.as_dict(report, "foleygan-vii")["rows"]
    found = {(r["class"], r["question"], r["row"]): r["value"] for r in rows}
    assert found["rain", "synchronicity", "ours"] == 8
    assert found["rain", "synchronicity", published_ratings.PUBLISHED] == 9.6
    assert found[ALL, "quality", published_ratings.PUBLISHED] == 7.1
    assert found[ALL, "quality", "base"] == 4
    assert found["fire", "quality", "ours"] is None
    for shown in (
        published_ratings.as_text(report, "foleygan-vii", 100),
        published_ratings.as_markdown(report, "foleygan-vii"),
        published_ratings.as_latex(report, "foleygan-vii"),
    ):
        assert (
            "Waterfall" in shown
            and "9.8" in shown
            and "do not compare" in shown.replace("\n  ", " ")
        )
    lines = list(csv.DictReader(io.StringIO(published_ratings.as_csv(report, "foleygan-vii"))))
    assert len(lines) == 13 * 2 * 4
    assert {line["source"] for line in lines} == {"measured", "published"}


def test_the_table_wants_its_own_questions_and_scale() -> None:
    assert published_ratings.check_table("foleygan-vii", default_form("mos"))
    for form in (FORMS["mos"], FORMS["mushra"], FORMS["pairwise"]):
        with pytest.raises(ValueError, match="needs the questions quality and synchronicity"):
            published_ratings.check_table("foleygan-vii", form)
    with pytest.raises(ValueError, match="no table viii; there are foleygan-vii"):
        published_ratings.check_table("viii", default_form("mos"))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_plot_is_drawn_the_same_twice(
    suffix: str, reports: dict[str, SurveyReport], tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        draw_report(path, reports["mos"])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(paths[0].read_bytes()) > 5000


def test_a_plot_of_another_form_is_refused(
    reports: dict[str, SurveyReport], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"a plot is one of \.png \.svg \.pdf"):
        draw_report(tmp_path / "plot.gif", reports["mos"])
    assert not list(tmp_path.iterdir())


def test_a_legend_covers_no_data_and_no_name_another(
    reports: dict[str, SurveyReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        *(Figure, "savefig"), lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))
    )
    many = {label: f"{label} and much else besides " * 4 for label in ("rain", "clock")}
    for report in (
        *(reports[method] for method in ("mos", "pairwise", "mushra")),
        replace(
            reports["pick-all"],
            figures=[
                replace(f, label=many.get(f.label, f.label)) for f in reports["pick-all"].figures
            ],
        ),
    ):
        draw_report(tmp_path / "plot.png", report)
        figure = drawn[-1]
        figure.draw_without_rendering()
        (legend,) = (found.get_window_extent() for found in figure.legends)
        boxes = [axes.get_window_extent() for axes in figure.axes]
        assert not any(
            legend.overlaps(box) or axes.get_legend()
            for box, axes in zip(boxes, figure.axes, strict=True)
        )
        names = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(names, 2))
        assert (
            figure.bbox.count_contains([(b.x0, b.y0) for b in (*names, legend)]) == len(names) + 1
        )


def test_names_that_look_like_formulas_are_drawn_as_they_are(
    analyse: Analyse, tmp_path: Path
) -> None:
    report, _ = analyse("mos", noisy, conditions=("$x$", r"$\frac$"))
    draw_report(tmp_path / "plot.svg", report)
    assert (tmp_path / "plot.svg").stat().st_size > 1000
