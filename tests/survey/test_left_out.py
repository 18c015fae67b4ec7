"""Who is left out of a report, what is refused, and that both are said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foleycli.survey import published_ratings, report_records, report_tables
from foleycli.survey.exclusions import Exclusion, Rules
from foleycli.survey.pages import Deck
from foleycli.survey.plans import Trial
from foleycli.survey.report import SurveyReport, make_report
from foleycli.survey.responses import Collected, Refusal, collect_responses
from foleycli.survey.study import Study

Make = Callable[..., tuple[Study, Deck]]
Say = Callable[[Study, Trial], list[dict[str, Any]]]
Analyse = Callable[..., SurveyReport]


@pytest.fixture
def analyse(make_study: Make, respond: Callable[..., Any], honest: Say, tmp_path: Path) -> Analyse:
    def analyse(method: str, **options: Any) -> SurveyReport:
        study, _ = make_study(method, **options)
        (tmp_path / "a.json").write_text(
            json.dumps([respond(study, plan, honest) for plan in study.plans])
        )
        collected = collect_responses([tmp_path / "a.json"], study)
        return make_report(collected, study, Rules(), replicates=99)

    return analyse


def test_who_was_left_out_and_what_was_refused_is_said(
    make_study: Make, respond: Callable[..., Any], honest: Say, tmp_path: Path
) -> None:
    study, _ = make_study("mos")
    found = [respond(study, plan, honest) for plan in study.plans]
    found[0]["trials"] = found[0]["trials"][:3]
    found[1]["study"] = "another"
    (tmp_path / "a.json").write_text(json.dumps(found))
    report = make_report(collect_responses([tmp_path / "a.json"], study), study, Rules())
    text = report_tables.as_text(report)
    assert "session session-0: incomplete: answered 3 of 10 pages" in text
    assert "of another study" in text and "10 of 11 sessions kept" in text
    whole = report_records.as_dict(report)
    assert [e["session"] for e in whole["exclusions"]] == ["session-0"]
    assert list(whole["refusals"].values()) == ["of another study than this key's"]


def test_no_answers_left_is_told_in_one_line(make_study: Make) -> None:
    study, _ = make_study("mos")
    refusals = (Refusal("a.json", "no JSON"), *(Refusal(f"{n}.json", "gone") for n in range(7)))
    told = "no answers are left of 0 sessions, 8 refused: gone: 7, as 0.json; no JSON: 1, as a.json"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        make_report(Collected((), refusals), study, Rules())
    with pytest.raises(ValueError, match="of 0 sessions, 0 refused: the files hold none"):
        make_report(Collected(()), study, Rules())


def test_rules_that_leave_nobody_are_told_with_an_example(
    make_study: Make, respond: Callable[..., Any], honest: Say, tmp_path: Path
) -> None:
    study, _ = make_study("mos")
    (tmp_path / "a.json").write_text(json.dumps([respond(study, p, honest) for p in study.plans]))
    collected = collect_responses([tmp_path / "a.json"], study)
    told = "too fast: 12, as session session-0: answered 10 of 10 pages in less than 99 s"
    with pytest.raises(ValueError, match=told):
        make_report(collected, study, Rules(least_ms=99_000))


def test_all_who_were_left_out_are_listed_everywhere_but_in_text(analyse: Analyse) -> None:
    report = analyse("mos")
    out = tuple(Exclusion(f"s{n}", "too fast", f"answered {n}") for n in range(30))
    report = replace(report, exclusions=out, failures={f"f{n}": "gone" for n in range(25)})
    vii = "foleygan-vii"
    for shown in (
        report_tables.as_markdown(report),
        report_tables.as_latex(report),
        report_records.as_csv(report),
        published_ratings.as_markdown(report, vii),
        published_ratings.as_latex(report, vii),
        published_ratings.as_csv(report, vii),
    ):
        assert all(f"session s{n}: too fast: answered {n}" in shown for n in range(30))
    for shown in (report_tables.as_markdown(report), report_records.as_csv(report)):
        assert "f24: gone" in shown
    for shown in (report_tables.as_text(report), published_ratings.as_text(report, vii)):
        assert "session s19:" in shown and "session s20:" not in shown
        assert "and 10 more" in shown and "and 5 more" in shown


def test_random_raters_do_not_bias_the_hidden_reference(
    make_study: Make, respond: Callable[..., Any], tmp_path: Path
) -> None:
    """Answers from 0 to 10 alike: the mean is 5 for all, whoever is left out for gold items."""
    rng = np.random.default_rng(3)

    def guess(study: Study, trial: Trial) -> list[dict[str, Any]]:
        return [
            {"question": q.id, "medium": trial.media[0], "value": int(rng.integers(0, 11))}
            for q in study.form.questions
        ]

    study, _ = make_study("mos", ratings=150, gold_rate=0.5)
    (tmp_path / "a.json").write_text(json.dumps([respond(study, p, guess) for p in study.plans]))
    report = make_report(collect_responses([tmp_path / "a.json"], study), study, Rules())
    assert len(report.exclusions) > 0.05 * len(study.plans)
    for question in ("quality", "synchronicity"):
        for system in ("hidden reference", "ours", "base"):
            figure = report.figure(question, system)
            assert figure and figure.count > 300 and figure.spread
            error = figure.spread / np.sqrt(figure.count)
            assert figure.value == pytest.approx(5, abs=4 * error)


def test_golds_too_few_to_leave_anybody_out_are_told(analyse: Analyse) -> None:
    report = analyse("pairwise", gold_rate=0.01)
    assert any("nobody can be left out for gold items" in warning for warning in report.warnings)
    report = analyse("pairwise", gold_rate=0.3)
    assert not any("gold" in warning for warning in report.warnings)


def test_comments_are_in_json_and_counted_in_text(
    make_study: Make, respond: Callable[..., Any], honest: Say, tmp_path: Path
) -> None:
    study, _ = make_study("mos")
    found = [respond(study, plan, honest) for plan in study.plans]
    found[0] |= {"comment": "too loud\n\x1b[2J", "trials": found[0]["trials"][:2]}
    found += [found[1] | {"comment": "so"}, found[1] | {"comment": "so long"}]
    found[2]["comment"] = ["no text"]
    (tmp_path / "a.json").write_text(json.dumps(found))
    report = make_report(collect_responses([tmp_path / "a.json"], study), study, Rules())
    assert report_records.as_dict(report)["comments"] == [
        {"session": "session-0", "kept": False, "text": "too loud\n?[2J"},
        {"session": "session-1", "kept": True, "text": "so long"},
    ]
    assert "comments of raters: 2, in JSON" in report_tables.as_text(report)
