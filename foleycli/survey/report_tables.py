"""A study's report as a reader wants it: text for a terminal, Markdown, LaTeX.

For each question a table, a row a class and a column a condition; then tests, choices, strengths,
agreement; then who was left out and why.

For programs: :mod:`foleycli.survey.report_records`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foleycli.evaluation.catalogue import Metric
from foleycli.evaluation.cells import figure_cells, metric_title, number
from foleycli.evaluation.report import ALL, Figure
from foleycli.evaluation.tables import (
    MISSING,
    Cell,
    Row,
    Table,
    latex,
    markdown,
    markdown_text,
    plain,
    prose,
    text,
)
from foleycli.metrics.resampling import Interval
from foleycli.survey.exclusions import told
from foleycli.survey.report import SurveyReport

_NAMED = 20  # exclusions or refusals that are listed; JSON has them all
_METHODS = {
    "mos": "two-way bootstrap over raters and clips",
    "mushra": "two-way bootstrap over raters and clips",
}
_SHARES = "Wilson's, on the number of choices worth as much, given raters and clips"


def as_text(report: SurveyReport, width: int | None = None) -> str:
    """Lay a report out; ``width`` as in :func:`foleycli.evaluation.tables.text`."""
    parts = [text(table, width) for table in report_tables(report)]
    for first, *rest in _closing(report):
        lines = [prose(first, width), *(prose(line, width, "  ") for line in rest)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def as_markdown(report: SurveyReport) -> str:
    """Write a report in Markdown, the best condition of each row in bold."""
    parts = [markdown(table) for table in report_tables(report)]
    for first, *rest in _closing(report):
        parts.append(markdown_text(first))
        parts += ["\n".join(f"- {markdown_text(line)}" for line in rest)] if rest else []
    return "\n\n".join(parts) + "\n"


def as_latex(report: SurveyReport) -> str:
    """Write a report as LaTeX tables (booktabs); what is no table in comments."""
    parts = [latex(table) for table in report_tables(report)]
    parts += ["\n".join(f"% {plain(line)}" for line in lines) for lines in _closing(report)]
    return "\n\n".join(parts) + "\n"


def report_tables(report: SurveyReport) -> list[Table]:
    """Make all tables of a report."""
    tables = [_class_table(report, metric) for metric in report.metrics]
    tables += [*_test_tables(report), *_choice_tables(report)]
    tables += [_agreement_table(report), *_gold_table(report)]
    return tables


def _class_table(report: SurveyReport, metric: Metric) -> Table:
    columns = (*report.systems, *report.references)
    own = {(f.system, f.label): f for f in report.figures if f.metric == metric.key}
    labels = [*sorted({label for _, label in own} - {ALL}), ALL]
    rows = []
    for label in labels:
        figures: list[Figure | None] = [own.get((column, label)) for column in columns]
        cells = [
            cell if cell.value else MISSING
            for cell in figure_cells(figures, metric, len(report.systems))
        ]
        counts = "/".join(str(figure.count if figure else 0) for figure in figures)
        rows.append(Row(label or "all", (*cells, Cell(counts))))
    notes = [f"n: answers, for {' / '.join(columns)}", metric.about]
    said: dict[str, list[str]] = {}
    for (system, label), figure in own.items():
        if figure.note:
            said.setdefault(figure.note, []).append(f"{system}, {label or 'all'}")
    notes += [f"{'; '.join(where)}: {note}" for note, where in said.items()]
    return Table(metric_title(metric), (*columns, "n"), tuple(rows), tuple(notes))


def _test_tables(report: SurveyReport) -> Iterator[Table]:
    for (question, kind), tests in report.tests.items():
        rows = [
            Row(
                f"{test.first} less {test.second}",
                (
                    Cell(_signed(test.difference)),
                    Cell(str(test.count)),
                    Cell(_chance(test.p_value)),
                    Cell(_chance(test.p_holm)),
                    Cell(_signed(test.effect)),
                ),
            )
            for test in tests
        ]
        if rows:
            note = "Wilcoxon signed-rank, two-sided; r: matched-pairs rank-biserial correlation"
            headings = ("difference", kind, "p", "p (Holm)", "r")
            yield Table(f"{question}, over {kind}", headings, tuple(rows), (note,))


def _choice_tables(report: SurveyReport) -> Iterator[Table]:
    for question, found in report.preferences.items():
        rows = [
            Row(
                f"{p.first} to {p.second}",
                (
                    _interval(p.share, 3),
                    Cell(str(p.wins)),
                    Cell(str(p.losses)),
                    Cell(str(p.ties)),
                    Cell(_chance(p.p_value)),
                    Cell(_chance(p.p_holm)),
                ),
            )
            for p in found
        ]
        note = "binomial test, two-sided, without ties; it takes every choice for independent"
        headings = ("share", "wins", "losses", "ties", "p", "p (Holm)")
        yield Table(f"{question}: prefers", headings, tuple(rows), (note,))
    for question, strengths in report.strengths.items():
        rows = [Row(s.condition, (_interval(s.value, 2),)) for s in strengths]
        note = "log odds of winning against the average condition; a tie is half a win of each"
        yield Table(f"{question}: Bradley-Terry", ("strength",), tuple(rows), (note,))


def _agreement_table(report: SurveyReport) -> Table:
    rows = [
        Row(f"{a.question}, {a.measurement}", (_interval(a.alpha, 3),)) for a in report.agreement
    ]
    return Table("Agreement", ("Krippendorff's alpha",), tuple(rows))


def _gold_table(report: SurveyReport) -> Iterator[Table]:
    rows = [
        Row(kind, (Cell(number(passed / count, 3)), Cell(str(passed)), Cell(str(count))))
        for kind, (passed, count) in report.golds.items()
    ]
    if rows:
        note = "of all sessions, those left out included"
        yield Table("Gold items", ("share passed", "passed", "answered"), tuple(rows), (note,))


def _closing(report: SurveyReport) -> list[list[str]]:
    """Say what stands below all tables: headings and what they are about."""
    manifest = report.manifest
    how = _METHODS.get(manifest["method"], _SHARES)
    legend = f"[low, high]: {100 * manifest['level']:g} % interval, {how}"
    out = sorted({exclusion.session for exclusion in report.exclusions})
    kept = f"{manifest['sessions_kept']} of {manifest['sessions']} sessions kept"
    lines = [told(exclusion) for exclusion in report.exclusions]
    parts = [[legend], [f"{kept}, {manifest['raters']} raters"]]
    parts += [_listed(f"left out, {len(out)}:", lines)] if lines else []
    parts += [["warnings:", *report.warnings]] if report.warnings else []
    refused = [f"{where}: {reason}" for where, reason in sorted(report.failures.items())]
    parts += [_listed(f"refused, {len(refused)}:", refused)] if refused else []
    seed, version = manifest["seed"], manifest["version"]
    return [*parts, [f"study {manifest['study']}, seed {seed}, foleycli {version}"]]


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    more = len(lines) - _NAMED
    return [heading, *lines[:_NAMED], *([f"and {more} more"] if more > 0 else [])]


def _interval(found: Interval | None, digits: int) -> Cell:
    if found is None:
        return MISSING
    ends = f"[{number(found.low, digits)}, {number(found.high, digits)}]"
    return Cell(number(found.estimate, digits), ends)


def _signed(value: float) -> str:
    shown = number(value, 2)
    return f"+{shown}" if value > 0 and float(shown) else shown


def _chance(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
