"""FoleyGAN's Table VII, with a study's figures in the columns beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from foleycli.evaluation import tables
from foleycli.evaluation.cells import number
from foleycli.evaluation.published_figures import Column, PublishedTable
from foleycli.evaluation.records import csv_text, plain_value
from foleycli.evaluation.report import ALL, Figure
from foleycli.evaluation.tables import MISSING, Cell, Row, Table
from foleycli.survey.exclusions import told
from foleycli.survey.questions import Form
from foleycli.survey.report import SurveyReport
from foleycli.survey.report_tables import (
    closing_latex,
    closing_markdown,
    closing_text,
    figure_row,
)

AVERAGE = "Average"
PUBLISHED = "FoleyGAN (published)"
CAUTION = (
    "published ratings are of other clips and other raters, who saw the original beside each clip: "
    "they do not compare with those measured here"
)
CSV_COLUMNS = (
    *("table", "class", "question", "row", "source"),
    *("value", "low", "high", "spread", "count", "note"),
)
FOLEYGAN_VII = PublishedTable(
    "foleygan-vii",
    "Class",
    "S. Ghose and J. J. Prevost, FoleyGAN, IEEE Transactions on Multimedia",
    2022,
    "Table VII (100 participants, from 0 to 10)",
    (
        Column("quality", "Audio quality", 1),
        Column("synchronicity", "Audio-visual synchronicity", 1),
    ),
    (
        ("Break", (7.7, 9.0)),
        ("Car", (5.1, 8.8)),
        ("Clock", (7.5, 9.2)),
        ("Chopping", (5.6, 9.5)),
        ("Fire", (8.2, 9.4)),
        ("Footstep", (9.1, 9.3)),
        ("Gunshot", (5.9, 4.3)),
        ("Horse", (8.4, 9.2)),
        ("Rain", (8.9, 9.6)),
        ("Thunder", (3.2, 3.6)),
        ("Typing", (6.3, 5.5)),
        ("Waterfall", (9.2, 9.8)),
        (AVERAGE, (7.1, 8.1)),
    ),
)
TABLES = {FOLEYGAN_VII.name: FOLEYGAN_VII}


def check_table(name: str, form: Form) -> PublishedTable:
    """Find a table whose questions a study has asked.

    Raises
    ------
    ValueError
        When there is no such table, or the study asked something else or on another scale.
    """
    if name not in TABLES:
        raise ValueError(f"no table {name}; there are {', '.join(TABLES)}")
    asked = {question.id: question for question in form.questions}
    for column in TABLES[name].columns:
        question = asked.get(column.metric)
        if not form.rated or question is None or (question.low, question.high) != (0, 10):
            raise ValueError(
                f"{name} needs the questions quality and synchronicity, rated from 0 to 10"
            )
    return TABLES[name]


def published_table(
    report: SurveyReport, name: str, columns: Sequence[Column] | None = None
) -> Table:
    """Put a study beside a paper: a row a class, and all classes together at the end.

    Parameters
    ----------
    columns : sequence of Column, optional
        Questions to show; all, if not given.
    """
    published = TABLES[name]
    columns = columns or published.columns
    measured = (*report.systems, *report.references)
    headings = [f"{column.heading}, {row}" for column in columns for row in (*measured, PUBLISHED)]
    rows = [
        Row(
            _title(label),
            tuple(cell for column in columns for cell in _cells(report, published, column, label)),
        )
        for label in _labels(report, published)
    ]
    counts = [f for f in report.figures if f.label == ALL and f.system in measured]
    note = "; ".join(f"{f.metric}, {f.system}: {f.count} ratings" for f in counts)
    average = f"{AVERAGE}: of all ratings measured; of the classes in the paper"
    return Table(published.title, tuple(headings), tuple(rows), (note, average, CAUTION))


def as_text(report: SurveyReport, name: str, width: int | None = None) -> str:
    """Lay the table out in aligned columns, a question below another."""
    whole = published_table(report, name)
    parts = [tables.prose(TABLES[name].citation, width)]
    for column in TABLES[name].columns:
        one = published_table(report, name, [column])
        parts.append(tables.text(replace(one, notes=()), width))
    parts.append("\n".join(tables.prose(note, width) for note in whole.notes))
    return "\n\n".join([*parts, closing_text(report, width)]) + "\n"


def as_markdown(report: SurveyReport, name: str) -> str:
    """Write the table in Markdown."""
    title = tables.markdown_text(TABLES[name].citation)
    table = tables.markdown(published_table(report, name))
    return f"{title}\n\n{table}\n\n{closing_markdown(report)}\n"


def as_latex(report: SurveyReport, name: str) -> str:
    """Write the table in LaTeX (booktabs)."""
    table = tables.latex(published_table(report, name))
    return f"% {TABLES[name].citation}\n{table}\n\n{closing_latex(report)}\n"


def as_csv(report: SurveyReport, name: str) -> str:
    """Write a figure a line, with all its digits; below them, who was left out."""
    out = [
        {"table": name, "source": "left out", "note": told(exclusion)}
        for exclusion in report.exclusions
    ]
    return csv_text(CSV_COLUMNS, [*_records(report, name), *out])


def as_dict(report: SurveyReport, name: str) -> dict[str, Any]:
    """Turn the table into plain values for JSON; ``rows`` holds a figure an entry, as the CSV."""
    published = TABLES[name]
    rows = [plain_value(record) for record in _records(report, name)]
    return {
        "table": name,
        "title": published.title,
        "paper": published.paper,
        "year": published.year,
        "caution": CAUTION,
        "rows": rows,
    }


def _labels(report: SurveyReport, published: PublishedTable) -> list[str]:
    """Name classes in small letters: the paper's in its order, then others, then all."""
    known = [name.casefold() for name, _ in published.rows if name != AVERAGE]
    keys = {column.metric for column in published.columns}
    found = {f.label.casefold() for f in report.figures if f.metric in keys and f.label != ALL}
    return [*known, *sorted(found - set(known)), ALL]


def _line(
    report: SurveyReport, published: PublishedTable, column: Column, label: str
) -> Iterator[tuple[str, str, Figure | None]]:
    """Give a class's figures of one question: those measured, then the paper's."""
    for system in (*report.systems, *report.references):
        own = (f for f in report.figures if (f.metric, f.system) == (column.metric, system))
        yield system, "measured", next((f for f in own if f.label.casefold() == label), None)
    place = published.columns.index(column)
    printed = {name.casefold() if name != AVERAGE else ALL: v for name, v in published.rows}
    value = printed[label][place] if label in printed else None
    yield PUBLISHED, "published", Figure(column.metric, PUBLISHED, value, label=label)


def _cells(
    report: SurveyReport, published: PublishedTable, column: Column, label: str
) -> Iterator[Cell]:
    *measured, printed = (f for _, _, f in _line(report, published, column, label))
    shown = replace(report.metric(column.metric), digits=column.digits)
    yield from figure_row(report, shown, (*report.systems, *report.references), measured)
    value = printed.value if printed else None
    yield MISSING if value is None else Cell(number(value, column.digits))


def _title(label: str) -> str:
    return label[:1].upper() + label[1:] if label else AVERAGE


def _records(report: SurveyReport, name: str) -> Iterator[dict[str, Any]]:
    published = TABLES[name]
    for label in _labels(report, published):
        for column in published.columns:
            for row, source, figure in _line(report, published, column, label):
                values = {
                    key: getattr(figure, key, None)
                    for key in ("value", "low", "high", "spread", "note")
                }
                yield {
                    "table": name,
                    "class": label,
                    "question": column.metric,
                    "row": row,
                    "source": source,
                    **values,
                    "count": figure.count if figure and source == "measured" else None,
                }
