"""A study's report as a reader wants it: text for a terminal, Markdown, LaTeX.

For each question a table, a row a class and a column a condition; then tests, choices, strengths,
agreement; then who was left out and why.

For programs: :mod:`foleycli.survey.report_records`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

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
from foleycli.survey.report import NOTES_APART, SurveyReport

_NAMED = 20  # exclusions or refusals that text lists; all other forms list all
_LABELS = 4  # classes that a note names
_METHODS = {
    "mos": "two-way bootstrap over raters and clips",
    "mushra": "two-way bootstrap over raters and clips",
}
_BOLD = (
    "bold: better than every other condition, over raters and over clips, after Holm's correction"
)
_BOLD_CHOICES = "bold: preferred to every other condition, after Holm's correction"
_SHARES = "Wilson's, on the number of choices worth as much, given raters and clips"


def as_text(report: SurveyReport, width: int | None = None) -> str:
    """Lay a report out; ``width`` as in :func:`foleycli.evaluation.tables.text`."""
    parts = [text(table, width) for table in report_tables(report)]
    return "\n\n".join([*parts, closing_text(report, width)]) + "\n"


def as_markdown(report: SurveyReport) -> str:
    """Write a report in Markdown, a condition in bold where it is :func:`clearly_best`."""
    parts = [markdown(table) for table in report_tables(report)]
    return "\n\n".join([*parts, closing_markdown(report)]) + "\n"


def as_latex(report: SurveyReport) -> str:
    """Write a report as LaTeX tables (booktabs); what is no table in comments."""
    parts = [latex(table) for table in report_tables(report)]
    return "\n\n".join([*parts, closing_latex(report)]) + "\n"


def closing_text(report: SurveyReport, width: int | None = None) -> str:
    """Say below all tables what intervals are, who was left out, and what was refused."""
    parts = []
    for first, *rest in _closing(report, _NAMED):
        lines = [prose(first, width), *(prose(line, width, "  ") for line in rest)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def closing_markdown(report: SurveyReport) -> str:
    """Say the same in Markdown, and what is bold; everybody who was left out is listed."""
    parts = []
    for first, *rest in [*_bold(report), *_closing(report)]:
        parts.append(markdown_text(first))
        parts += ["\n".join(f"- {markdown_text(line)}" for line in rest)] if rest else []
    return "\n\n".join(parts)


def closing_latex(report: SurveyReport) -> str:
    """Say the same in comments of LaTeX."""
    parts = [*_bold(report), *_closing(report)]
    return "\n\n".join("\n".join(f"% {plain(line)}" for line in lines) for lines in parts)


def report_tables(report: SurveyReport) -> list[Table]:
    """Make all tables of a report."""
    tables = [_class_table(report, metric) for metric in report.metrics]
    tables += [*_test_tables(report), *_choice_tables(report)]
    tables += [_agreement_table(report), *_gold_table(report)]
    return tables


def clearly_best(report: SurveyReport, question: str) -> str:
    """Name the condition that is better than every other, chance being unlikely to have done it.

    Over all classes, at the level of the report, after Holm's correction: by choices, or by tests
    over raters as well as over clips. Empty where there is none, and without tests.
    """
    chance = 1 - report.manifest["level"]
    families = [
        {
            (t.first, t.second) if t.difference > 0 else (t.second, t.first)
            for t in tests
            if t.p_holm < chance
        }
        for (asked, _), tests in report.tests.items()
        if asked == question
    ]
    families += [
        {
            (p.first, p.second) if p.wins > p.losses else (p.second, p.first)
            for p in found
            if p.p_holm < chance
        }
        for asked, found in report.preferences.items()
        if asked == question
    ]
    for system in report.systems if families else ():
        wanted = {(system, other) for other in report.systems if other != system}
        if wanted and all(wanted <= better for better in families):
            return system
    return ""


def figure_row(
    report: SurveyReport, metric: Metric, columns: Sequence[str], figures: Sequence[Figure | None]
) -> list[Cell]:
    """Show a row of figures, in bold the condition that is :func:`clearly_best` in all classes."""
    best = clearly_best(report, metric.key)
    return [
        replace(cell, best=bool(figure) and figure.label == ALL and column == best)
        if figure and cell.value
        else MISSING
        for column, figure, cell in zip(
            columns, figures, figure_cells(figures, metric, 0), strict=True
        )
    ]


def _class_table(report: SurveyReport, metric: Metric) -> Table:
    columns = (*report.systems, *report.references)
    own = {(f.system, f.label): f for f in report.figures if f.metric == metric.key}
    labels = [*sorted({label for _, label in own} - {ALL}), ALL]
    rows = []
    for label in labels:
        figures: list[Figure | None] = [own.get((column, label)) for column in columns]
        cells = figure_row(report, metric, columns, figures)
        counts = "/".join(str(figure.count if figure else 0) for figure in figures)
        rows.append(Row(label or "all", (*cells, Cell(counts))))
    notes = [f"n: answers, for {' / '.join(columns)}", metric.about]
    notes += _notes(list(own.values()), columns, labels)
    return Table(metric_title(metric), (*columns, "n"), tuple(rows), tuple(notes))


def _notes(
    figures: Sequence[Figure], columns: Sequence[str], labels: Sequence[str]
) -> Iterator[str]:
    """Say each note once, before it what it is about; nothing before it where it is about all."""
    found: dict[str, dict[str, list[str]]] = {}
    for figure in figures:
        for note in filter(None, figure.note.split(NOTES_APART)):
            found.setdefault(note, {}).setdefault(figure.system, []).append(figure.label)
    for note, systems in found.items():
        alike: dict[str, list[str]] = {}
        for system, own in systems.items():
            alike.setdefault(_classes(own, labels), []).append(system)
        where = [
            ", ".join(
                filter(None, ["" if len(named) == len(columns) else " and ".join(named), classes])
            )
            for classes, named in alike.items()
        ]
        about = "; ".join(filter(None, where))
        yield f"{about}: {note}" if about else note


def _classes(own: Sequence[str], labels: Sequence[str]) -> str:
    named = [label for label in labels if label in own and label != ALL]
    every = len(labels) - 1
    if len(own) == len(labels):
        return ""
    if every and len(named) == every:
        return "every class"
    shown = [f"{len(named)} of {every} classes"] if len(named) > _LABELS else named
    return ", ".join([*shown, *(["all"] if ALL in own else [])])


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


def _bold(report: SurveyReport) -> list[list[str]]:
    if not any(clearly_best(report, metric.key) for metric in report.metrics):
        return []
    return [[_BOLD_CHOICES if report.preferences else _BOLD]]


def _closing(report: SurveyReport, most: int | None = None) -> list[list[str]]:
    """Say what stands below all tables: headings and what they are about.

    Parameters
    ----------
    most : int, optional
        Exclusions, or refusals, to list; all of them, if not given.
    """
    manifest = report.manifest
    how = _METHODS.get(manifest["method"], _SHARES)
    legend = f"[low, high]: {100 * manifest['level']:g} % interval, {how}"
    out = sorted({exclusion.session for exclusion in report.exclusions})
    kept = f"{manifest['sessions_kept']} of {manifest['sessions']} sessions kept"
    lines = [told(exclusion) for exclusion in report.exclusions]
    parts = [[legend], [f"{kept}, {manifest['raters']} raters"]]
    parts += [_listed(f"left out, {len(out)}:", lines, most)] if lines else []
    parts += [["warnings:", *report.warnings]] if report.warnings else []
    refused = [f"{where}: {reason}" for where, reason in sorted(report.failures.items())]
    parts += [_listed(f"refused, {len(refused)}:", refused, most)] if refused else []
    parts += [[f"comments of raters: {len(report.comments)}, in JSON"]] if report.comments else []
    seed, version = manifest["seed"], manifest["version"]
    return [*parts, [f"study {manifest['study']}, seed {seed}, foleycli {version}"]]


def _listed(heading: str, lines: Sequence[str], most: int | None) -> list[str]:
    more = len(lines) - len(lines[:most])
    return [heading, *lines[:most], *([f"and {more} more"] if more else [])]


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
