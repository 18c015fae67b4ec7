"""A report for programs: plain values for JSON, and CSV in long form, a figure a line.

Numbers are whole, not rounded. What JSON cannot say, NaN and infinities, has no value here and is
named in the note.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.report import ALL, Difference, Figure, Report

CSV_COLUMNS = (
    *("metric", "title", "unit", "better", "system", "role", "class"),
    *("value", "low", "high", "spread", "count", "p_value", "note"),
)
_PER_FILE_FIRST = ("system", "id", "label")
_FORMULA = ("=", "+", "-", "@", "\t")  # what makes a spreadsheet compute a cell


def as_dict(report: Report) -> dict[str, Any]:
    """Turn a report into plain values for JSON, all but its rows by file.

    Returns
    -------
    dict
        ``systems``, ``references``, ``figures`` (of all classes together), ``differences``,
        ``per_class`` (figures as above), ``warnings``, ``failures``, ``manifest``. Figures stand in
        the order of the catalogue, then of systems and references, then of class names.
    """
    records = [_figure(figure, report) for figure in _ordered(report)]
    differences = [
        {
            "metric": d.metric,
            "title": METRICS[d.metric].title,
            "first": d.first,
            "second": d.second,
            "difference": d.difference,
            "p_value": d.p_value,
            "paired": d.paired,
        }
        for d in sorted(report.differences, key=lambda d: list(METRICS).index(d.metric))
    ]
    whole: dict[str, Any] = {
        "systems": report.systems,
        "references": report.references,
        "figures": [record for record in records if record["class"] == ALL],
        "differences": differences,
        "per_class": [record for record in records if record["class"] != ALL],
        "warnings": report.warnings,
        "failures": dict(sorted(report.failures.items())),
        "manifest": report.manifest,
    }
    return {key: plain_value(value) for key, value in whole.items()}


def as_csv(report: Report) -> str:
    """Write every figure as a line of :data:`CSV_COLUMNS`; a class that is empty means all.

    Differences of systems are lines too, of the role ``difference``, with their p-values.

    Text that a spreadsheet would take for a formula has a single quote before it, as ``'+40 ms``.
    """
    lines = [_figure(figure, report) for figure in _ordered(report)]
    lines += [_difference(difference) for difference in report.differences]
    return csv_text(CSV_COLUMNS, lines)


def per_file_rows(report: Report, form: Literal["jsonl", "csv"]) -> str:
    """Write the figures of each file, a line a file.

    Raises
    ------
    ValueError
        When the form is another.
    """
    if form not in ("jsonl", "csv"):
        raise ValueError(f"rows by file are written as jsonl or csv, not as {form}")
    seen = {key for row in report.per_file for key in row}
    known = [key for key in (*_PER_FILE_FIRST, *METRICS) if key in seen]
    columns = [*known, *sorted(seen - set(known))]
    rows = [{key: row[key] for key in columns if key in row} for row in report.per_file]
    if form == "csv":
        return csv_text(columns, rows)
    lines = (json.dumps(plain_value(row), ensure_ascii=False, allow_nan=False) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Write rows as CSV, numbers to the last digit, text so that it stays text."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(row.get(column)) for column in columns] for row in rows)
    return file.getvalue()


def plain_value(value: Any) -> Any:
    """Turn a value into what JSON has; NaN and infinities into None."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()  # names of files may not be Unicode
    if isinstance(value, Mapping):
        return {plain_value(str(key)): plain_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain_value(one) for one in ordered]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, os.PathLike):
        return plain_value(os.fspath(value))
    if hasattr(value, "tolist"):  # of NumPy
        return plain_value(value.tolist())
    raise TypeError(f"a report holds plain values, not {type(value).__name__}")


def _ordered(report: Report) -> list[Figure]:
    metrics = {key: place for place, key in enumerate(METRICS)}
    systems = {name: place for place, name in enumerate((*report.systems, *report.references))}
    return sorted(
        report.figures,
        key=lambda f: (metrics[f.metric], systems.get(f.system, len(systems)), f.label),
    )


def _figure(figure: Figure, report: Report) -> dict[str, Any]:
    metric = METRICS[figure.metric]
    odd = figure.value is not None and not math.isfinite(figure.value)
    notes = [figure.note, f"the value is {figure.value}" if odd else ""]
    return {
        "metric": metric.key,
        "title": metric.title,
        "unit": metric.unit,
        "better": metric.better,
        "about": metric.about,
        "system": figure.system,
        "role": "system" if figure.system in report.systems else "reference",
        "class": figure.label,
        "value": plain_value(figure.value),
        "low": plain_value(figure.low),
        "high": plain_value(figure.high),
        "spread": plain_value(figure.spread),
        "count": plain_value(figure.count),
        "note": "; ".join(note for note in notes if note),
    }


def _difference(difference: Difference) -> dict[str, Any]:
    metric = METRICS[difference.metric]
    return {
        "metric": metric.key,
        "title": metric.title,
        "unit": metric.unit,
        "better": metric.better,
        "system": f"{difference.first} less {difference.second}",
        "role": "difference",
        "class": ALL,
        "value": plain_value(difference.difference),
        "p_value": plain_value(difference.p_value),
        "note": f"{'paired' if difference.paired else 'unpaired'} permutation test",
    }


def _csv_cell(value: Any) -> str:
    value = plain_value(value)
    if value is None:
        return ""
    if isinstance(value, str):
        value = value.replace("\r", " ")  # which ends a line for some readers, quoted or not
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value)
