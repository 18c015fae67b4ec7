"""A study's report for programs: plain values for JSON, and CSV in long form, a figure a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from foleycli.evaluation.records import csv_text, plain_value
from foleycli.evaluation.report import Figure
from foleycli.evaluation.tables import plain
from foleycli.metrics.resampling import Interval
from foleycli.survey.exclusions import told
from foleycli.survey.report import SurveyReport

CSV_COLUMNS = (
    *("kind", "metric", "system", "role", "class", "value", "low", "high"),
    *("spread", "median", "count", "raters", "clips", "p_value", "p_holm", "effect", "note"),
)


def as_dict(report: SurveyReport) -> dict[str, Any]:
    """Turn a report into plain values for JSON.

    Returns
    -------
    dict
        ``systems``, ``references``, ``metrics``, ``figures`` (class ``""`` is all), ``tests``,
        ``preferences``, ``strengths``, ``agreement``, ``golds``, ``exclusions``, ``comments``,
        ``warnings``, ``refusals``, ``manifest``.
    """
    whole: dict[str, Any] = {
        "systems": report.systems,
        "references": report.references,
        "metrics": [asdict(metric) for metric in report.metrics],
        "figures": [_figure(figure, report) for figure in report.figures],
        "tests": [
            {"question": question, "over": kind, **asdict(test)}
            for (question, kind), tests in report.tests.items()
            for test in tests
        ],
        "preferences": [
            {"question": question, **asdict(p), "share": _interval(p.share)}
            for question, found in report.preferences.items()
            for p in found
        ],
        "strengths": [
            {"question": question, "condition": s.condition, **_interval(s.value)}
            for question, found in report.strengths.items()
            for s in found
        ],
        "agreement": [
            {"question": a.question, "measurement": a.measurement, **_interval(a.alpha)}
            for a in report.agreement
        ],
        "golds": {k: {"passed": p, "answered": n} for k, (p, n) in report.golds.items()},
        "exclusions": [asdict(exclusion) for exclusion in report.exclusions],
        "comments": [asdict(comment) for comment in report.comments],
        "warnings": report.warnings,
        "refusals": dict(sorted(report.failures.items())),
        "manifest": report.manifest,
    }
    return {key: plain_value(value) for key, value in whole.items()}


def as_csv(report: SurveyReport) -> str:
    """Write figures, tests, preferences, strengths and agreement as lines of :data:`CSV_COLUMNS`.

    Below them stand all sessions that were left out, and what was refused of the files.

    Text that a spreadsheet would take for a formula has a single quote before it.
    """
    return csv_text(CSV_COLUMNS, _lines(report))


def _lines(report: SurveyReport) -> Iterator[dict[str, Any]]:
    for figure in report.figures:
        yield {"kind": "figure", **_figure(figure, report)}
    for (question, over), tests in report.tests.items():
        for t in tests:
            yield {
                "kind": f"test over {over}",
                **_between(question, t.first, t.second),
                **{"value": t.difference, "count": t.count, "effect": t.effect},
                **{"p_value": t.p_value, "p_holm": t.p_holm},
                "note": "Wilcoxon signed-rank test",
            }
    for question, found in report.preferences.items():
        for p in found:
            yield {
                "kind": "preference",
                **_between(question, p.first, p.second),
                **_interval(p.share),
                **{"count": p.wins + p.losses, "p_value": p.p_value, "p_holm": p.p_holm},
                "note": f"binomial test; {p.ties} ties left out",
            }
    for question, strengths in report.strengths.items():
        for s in strengths:
            yield {
                **{"kind": "strength", "metric": question, "system": s.condition},
                **_interval(s.value),
            }
    for a in report.agreement:
        yield {
            **{"kind": "agreement", "metric": a.question, **_interval(a.alpha)},
            "note": f"Krippendorff's alpha, {a.measurement}",
        }
    for exclusion in report.exclusions:
        yield {"kind": "left out", "metric": exclusion.rule, "note": told(exclusion)}
    for where, reason in sorted(report.failures.items()):
        yield {"kind": "refused", "note": plain(f"{where}: {reason}")}


def _between(question: str, first: str, second: str) -> dict[str, Any]:
    return {"metric": question, "system": f"{first} less {second}", "role": "difference"}


def _figure(figure: Figure, report: SurveyReport) -> dict[str, Any]:
    return {
        "metric": figure.metric,
        "system": figure.system,
        "role": "system" if figure.system in report.systems else "reference",
        "class": figure.label,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "spread": figure.spread,
        "median": getattr(figure, "middle", None),
        "count": figure.count,
        "raters": getattr(figure, "raters", None),
        "clips": getattr(figure, "clips", None),
        "note": figure.note,
    }


def _interval(found: Interval | None) -> dict[str, float | None]:
    if found is None:
        return {"value": None, "low": None, "high": None}
    return {"value": found.estimate, "low": found.low, "high": found.high}
