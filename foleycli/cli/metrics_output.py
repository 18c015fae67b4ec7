"""What ``foley metrics`` prints and writes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foleycli.evaluation.report import Report

PIPE_WIDTH = 100


def rendered(report: Report, form: str, *, table: str = "", per_class: bool = False) -> str:
    """Put a report, or a paper's table of it, into ``text``, ``json``, ``csv`` and so on."""
    import json

    from foleycli.evaluation import published, records, rendering

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    makers: dict[str, Callable[[], Any]]
    if table:
        makers = {
            "text": lambda: published.as_text(report, table, width),
            "json": lambda: published.as_dict(report, table),
            "csv": lambda: published.as_csv(report, table),
            "markdown": lambda: published.as_markdown(report, table),
            "latex": lambda: published.as_latex(report, table),
        }
    else:
        makers = {
            "text": lambda: rendering.as_text(report, width, per_class=per_class),
            "json": lambda: records.as_dict(report),
            "csv": lambda: records.as_csv(report),
            "markdown": lambda: rendering.as_markdown(report, per_class=per_class),
            "latex": lambda: rendering.as_latex(report, per_class=per_class),
        }
    made = makers[form]()
    if isinstance(made, dict):
        if table:
            whole = records.as_dict(report)
            made |= {name: whole[name] for name in ("warnings", "failures", "manifest")}
        return json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return made if made.endswith("\n") else f"{made}\n"


def per_file_rows(report: Report, suffix: str) -> str:
    """Rows of the generated files as ``.jsonl`` or ``.csv``."""
    from foleycli.evaluation.records import per_file_rows as rows_of

    return rows_of(report, "csv" if suffix == ".csv" else "jsonl")


def unmet(report: Report, keys: Collection[str]) -> list[str]:
    """Say which figures were asked for by name and could not be had: a line a system and reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for figure in report.figures:
        asked_for = figure.metric in keys and figure.system in report.systems and not figure.label
        if asked_for and figure.value is None:
            reasons.setdefault((figure.system, figure.note), []).append(figure.metric)
    return [
        f"{', '.join(metrics)} of {system} could not be had: {note}"
        for (system, note), metrics in reasons.items()
    ]
