"""Tables of the papers, with their figures and ours in the same columns.

``published`` rows are what papers print, of their own data and networks; ``measured`` rows are a
report's systems, and those of its references that have a figure there, as the real/real floor
beside a paper's row of real data. The two kinds do not compare: a row compares with measured rows
of one report only. Every form of a table says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foleycli.evaluation import tables
from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.cells import figure_cells, notes_of, number
from foleycli.evaluation.published_figures import TABLES, Column, PublishedTable
from foleycli.evaluation.records import csv_text, plain_value
from foleycli.evaluation.report import Figure, Report
from foleycli.evaluation.tables import MISSING, Cell, Row, Table

CAUTION = (
    "published figures come from other data and another network: a row compares only with measured "
    "rows of one report"
)
CSV_COLUMNS = (
    *("table", "row", "source", "role", "column", "metric"),
    *("value", "low", "high", "spread", "count", "note"),
)
_VALUES = ("value", "low", "high", "spread")


@dataclass(frozen=True)
class TableRow:
    """One row: figures in the order of the table's columns.

    Published ones are on the paper's scale, which is the column's times that of measured ones.

    Attributes
    ----------
    name : str
    source : {"measured", "published"}
    role : {"system", "reference", ""}
        Of a measured row.
    figures : tuple of Figure or None
        None where the report has nothing.
    """

    name: str
    source: Literal["measured", "published"]
    role: str
    figures: tuple[Figure | None, ...]


def published_table(name: str) -> PublishedTable:
    """Find a table.

    Raises
    ------
    ValueError
        When there is none of that name, listing those that there are.
    """
    if name not in TABLES:
        raise ValueError(f"no table {name}; there are {', '.join(TABLES)}")
    return TABLES[name]


def table_rows(report: Report, name: str) -> list[TableRow]:
    """Rows of a report's systems and references, then those that the paper prints.

    Raises
    ------
    ValueError
        When there is no such table.
    """
    table = published_table(name)
    rows = []
    for system in (*report.systems, *report.references):
        role = "system" if system in report.systems else "reference"
        figures = tuple(_measured(report, column, system) for column in table.columns)
        if role == "system" or any(f is not None and f.value is not None for f in figures):
            rows.append(TableRow(system, "measured", role, figures))
    for row, values in table.rows:
        figures = tuple(
            Figure(column.metric, row, value, label=column.label)
            for column, value in zip(table.columns, values, strict=True)
        )
        rows.append(TableRow(row, "published", "", figures))
    return rows


def as_text(report: Report, name: str, width: int | None = None) -> str:
    """Lay a table out in aligned columns; ``width`` as in :func:`foleycli.evaluation.tables.text`.

    Raises
    ------
    ValueError
        When there is no such table; so do the other forms.
    """
    title = tables.prose(published_table(name).citation, width)
    return f"{title}\n\n{tables.text(_table(report, name), width)}\n"


def as_markdown(report: Report, name: str) -> str:
    """Write a table in Markdown, the best measured system of each column in bold."""
    title = tables.markdown_text(published_table(name).citation)
    return f"{title}\n\n{tables.markdown(_table(report, name))}\n"


def as_latex(report: Report, name: str) -> str:
    """Write a table in LaTeX (booktabs), the best measured system of each column in bold."""
    return f"% {published_table(name).citation}\n{tables.latex(_table(report, name))}\n"


def as_csv(report: Report, name: str) -> str:
    """Write a figure a line, on the paper's scale and with all its digits."""
    return csv_text(CSV_COLUMNS, _records(report, name))


def as_dict(report: Report, name: str) -> dict[str, Any]:
    """Turn a table into plain values for JSON; ``rows`` holds a figure an entry, as the CSV."""
    table = published_table(name)
    return {
        "table": table.name,
        "title": table.title,
        "paper": table.paper,
        "year": table.year,
        "caution": CAUTION,
        "columns": [
            {"column": c.heading, "metric": c.metric, "class": c.label, "scale": c.scale}
            for c in table.columns
        ],
        "rows": list(_records(report, name)),
    }


def _measured(report: Report, column: Column, system: str) -> Figure | None:
    """Find a figure of the report; case does not part names of classes."""
    found = (
        f
        for f in report.figures
        if (f.metric, f.system, f.label.casefold()) == (column.metric, system, column.label)
    )
    return next(found, None)


def _table(report: Report, name: str) -> Table:
    published = published_table(name)
    rows = table_rows(report, name)
    measured = [row for row in rows if row.source == "measured"]
    columns = [
        (
            *_measured_cells([row.figures[i] for row in measured], column, len(report.systems)),
            *(_printed(row.figures[i], column.digits) for row in rows[len(measured) :]),
        )
        for i, column in enumerate(published.columns)
    ]
    shown = tuple(
        Row(f"{row.name} ({row.source})", tuple(cells))
        for row, *cells in zip(rows, *columns, strict=True)
    )
    headings = tuple(column.heading for column in published.columns)
    figures = [figure for row in measured for figure in row.figures if figure is not None]
    notes = (*notes_of(figures), *_unmeasured(measured, published.columns), CAUTION)
    return Table(published.title, headings, shown, notes)


def _measured_cells(
    figures: Sequence[Figure | None], column: Column, candidates: int
) -> Iterator[Cell]:
    for cell in figure_cells(figures, METRICS[column.metric], candidates, column.scale):
        yield cell if cell.value else MISSING


def _printed(figure: Figure | None, digits: int) -> Cell:
    """Show a published figure, which is on the paper's scale, with the paper's decimals."""
    if figure is None or figure.value is None:
        return MISSING
    return Cell(number(figure.value, digits))


def _unmeasured(measured: Sequence[TableRow], columns: Sequence[Column]) -> Iterator[str]:
    """Name the columns for which no row has a figure, not even one without value."""
    empty = [c.heading for i, c in enumerate(columns) if not any(r.figures[i] for r in measured)]
    if empty:
        yield f"{', '.join(empty)}: not measured"


def _records(report: Report, name: str) -> Iterator[dict[str, Any]]:
    columns = published_table(name).columns
    for row in table_rows(report, name):
        for column, figure in zip(columns, row.figures, strict=True):
            scale = column.scale if row.source == "measured" else 1.0
            values = {key: getattr(figure, key, None) for key in _VALUES}
            yield {
                "table": name,
                "row": row.name,
                "source": row.source,
                "role": row.role,
                "column": column.heading,
                "metric": column.metric,
                **{key: v if v is None else plain_value(scale * v) for key, v in values.items()},
                "count": figure.count if figure and row.source == "measured" else None,
                "note": figure.note if figure else "",
            }
