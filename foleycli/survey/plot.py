"""A study's figures as a picture: a panel a question, a dot and its interval a condition."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

from foleycli.evaluation.cells import metric_title
from foleycli.evaluation.report import ALL
from foleycli.evaluation.tables import plain
from foleycli.files.atomic import atomic_path
from foleycli.survey.report import SurveyReport

SUFFIXES = (".png", ".svg", ".pdf")
# M. Okabe and K. Ito: told apart by colour-blind readers too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
_MARKS = "osD^vPX"
_CHARACTERS = 24  # of a name in one line
_LINES = 3
_LINE_INCHES = 0.17
_NAME_INCHES = 2.2
_METADATA: dict[str, dict[str, str | None]] = {  # no dates, no versions: same figures, same bytes
    ".png": {"Software": "foleycli"},
    ".svg": {"Creator": "foleycli", "Date": None},
    ".pdf": {"Creator": "foleycli", "Producer": None, "CreationDate": None},
}


def draw_report(path: str | os.PathLike[str], report: SurveyReport) -> None:
    """Write a picture, its form chosen by the suffix: PNG, SVG or PDF.

    Classes stand below each other, all together at the bottom; conditions differ in colour and
    mark. Names and the legend stand beside the panels, long names in several lines.

    Raises
    ------
    ValueError
        When the suffix is another.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: a plot is one of {' '.join(SUFFIXES)}")
    import matplotlib.figure

    systems = (*report.systems, *report.references)
    labels = [*sorted({figure.label for figure in report.figures} - {ALL}), ALL]
    names = [_name(label) or "all" for label in labels]
    needs = max(0.13 * len(systems), _LINE_INCHES * max(1 + name.count("\n") for name in names))
    width = 3.5 * len(report.metrics) + 2 * _NAME_INCHES
    size = (width, 1.2 + len(labels) * (0.15 + needs))
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(report.metrics), squeeze=False, sharey=True)[0]
    for panel, metric in zip(panels, report.metrics, strict=True):
        for index, system in enumerate(systems):
            found = {
                f.label: f
                for f in report.figures
                if (f.metric, f.system) == (metric.key, system) and f.value is not None
            }
            rows = [row for row, label in enumerate(labels) if label in found]
            own = [found[labels[row]] for row in rows]
            offset = 0.7 * ((index + 0.5) / len(systems) - 0.5)
            values = [f.value for f in own if f.value is not None]
            reach = [
                [v - (v if f.low is None else f.low) for v, f in zip(values, own, strict=True)],
                [(v if f.high is None else f.high) - v for v, f in zip(values, own, strict=True)],
            ]
            # An interval may be clipped to its value: rounding must not make it less.
            panel.errorbar(
                values,
                [row + offset for row in rows],
                xerr=[[max(0.0, r) for r in side] for side in reach],
                fmt=_MARKS[index % len(_MARKS)],
                color=_COLOURS[index % len(_COLOURS)],
                markersize=4,
                capsize=2,
                label=_name(system),
            )
        panel.set_xlabel(_name(metric_title(metric), 2 * _CHARACTERS))
        panel.grid(axis="x", alpha=0.3)
        panel.xaxis.label.set_parse_math(False)
    panels[0].set_yticks(range(len(labels)), names)
    panels[0].set_ylim(len(labels) - 0.5, -0.5)
    handles = panels[0].get_legend_handles_labels()
    legend = figure.legend(*handles, loc="outside right upper", fontsize="small")
    for text in (*panels[0].get_yticklabels(), *legend.get_texts()):
        text.set_parse_math(False)  # a class may be called $x$
    with (
        matplotlib.rc_context({"svg.hashsalt": "foleycli"}),
        atomic_path(path) as temporary,
    ):
        form = suffix.removeprefix(".")
        figure.savefig(temporary, dpi=150, format=form, metadata=_METADATA[suffix])


def _name(words: str, characters: int = _CHARACTERS) -> str:
    """Break a name of any length into a few short lines."""
    lines = textwrap.wrap(plain(words), characters)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"{lines[_LINES - 1][: characters - 3]}..."]
    return "\n".join(lines)
