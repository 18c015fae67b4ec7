"""A report as a reader wants it: text for a terminal, Markdown, LaTeX.

Each group of metrics is a table: a row a metric, a column a system, then what parts two systems,
then the references (floors, baselines, controls) that have a figure there. ``-`` is a figure that
could not be had, with its reason below; nothing is one that was not asked for.

For programs: :mod:`foleycli.evaluation.records`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foleycli.evaluation.catalogue import GROUPS, METRICS, Metric
from foleycli.evaluation.cells import figure_cells, metric_title, notes_of, number
from foleycli.evaluation.report import ALL, Difference, Figure, Report
from foleycli.evaluation.tables import Cell, Row, Table, markdown_text, plain, prose
from foleycli.evaluation.tables import latex as table_latex
from foleycli.evaluation.tables import markdown as table_markdown
from foleycli.evaluation.tables import text as table_text

GROUP_TITLES = {
    "sets": "Sets",
    "pairs": "Pairs",
    "sync": "Synchrony",
    "levels": "Levels",
    "pictures": "Pictures",
}
_NAMED_FAILURES = 5
_HASH_DIGITS = 12


def as_text(report: Report, width: int | None = None, *, per_class: bool = False) -> str:
    """Lay a report out for a terminal or a pipe.

    Parameters
    ----------
    width : int, optional
        No line is longer, but 60 are always taken. None: lines as long as they come.
    per_class : bool
        Whether a table of classes follows for each metric that has figures by class.

    Notes
    -----
    Of the manifest it shows ``sides`` (name to ``count`` and ``sha256``), ``network`` (``name`` and
    ``sha256``), ``seed``, ``level`` (of intervals) and ``version``, as far as they are there.
    """
    parts = [table_text(table, width) for table in report_tables(report, per_class=per_class)]
    for first, *rest in _closing(report):
        lines = [prose(first, width), *(prose(line, width, "  ") for line in rest)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def as_markdown(report: Report, *, per_class: bool = False) -> str:
    """Write a report in Markdown, the best system of each row in bold."""
    parts = [table_markdown(table) for table in report_tables(report, per_class=per_class)]
    for first, *rest in _closing(report):
        parts.append(markdown_text(first))
        parts += ["\n".join(f"- {markdown_text(line)}" for line in rest)] if rest else []
    return "\n\n".join(parts) + "\n"


def as_latex(report: Report, *, per_class: bool = False) -> str:
    r"""Write a report as LaTeX tables for ``\usepackage{booktabs}``; what is no table in comments.

    The best system of each row is in bold.
    """
    parts = [table_latex(table) for table in report_tables(report, per_class=per_class)]
    parts += ["\n".join(f"% {plain(line)}" for line in lines) for lines in _closing(report)]
    return "\n\n".join(parts) + "\n"


def report_tables(report: Report, *, per_class: bool = False) -> list[Table]:
    """Make a table of each group, and if wanted one of each metric by class."""
    figures = {(f.metric, f.system, f.label): f for f in report.figures}
    keys = [key for key in METRICS if any(f.metric == key for f in report.figures)]
    tables = []
    for group in GROUPS:
        shown = [k for k in keys if METRICS[k].group == group and _has(figures, k, ALL)]
        if shown:
            tables.append(_group_table(report, figures, group, shown))
    if per_class:
        for key in keys:
            labels = sorted({f.label for f in report.figures if f.metric == key} - {ALL})
            if labels:
                tables.append(_class_table(report, figures, METRICS[key], labels))
    return tables


_Figures = Mapping[tuple[str, str, str], Figure]


def _has(figures: _Figures, metric: str, label: str) -> bool:
    return any(key[0] == metric and key[2] == label for key in figures)


def _columns(report: Report, shown: Sequence[Figure]) -> tuple[str, ...]:
    """Systems, and the references that have a value."""
    valued = {figure.system for figure in shown if figure.value is not None}
    return (*report.systems, *(name for name in report.references if name in valued))


def _group_table(report: Report, figures: _Figures, group: str, keys: Sequence[str]) -> Table:
    own = [f for f in figures.values() if f.metric in keys and f.label == ALL]
    columns = _columns(report, own)
    count = len(report.systems)
    apart = [d for d in report.differences if d.metric in keys]
    couples = list(dict.fromkeys((d.first, d.second) for d in apart))
    between = {(d.metric, d.first, d.second): d for d in apart}
    rows = []
    for key in keys:
        metric = METRICS[key]
        cells = figure_cells([figures.get((key, c, ALL)) for c in columns], metric, count)
        differences = [_difference_cell(between.get((key, *couple)), metric) for couple in couples]
        rows.append(Row(metric_title(metric), (*cells[:count], *differences, *cells[count:])))
    headings = [f"{first} less {second}" for first, second in couples]
    ordered = sorted(
        (f for f in own if f.system in columns),
        key=lambda f: (keys.index(f.metric), columns.index(f.system)),
    )
    return Table(
        GROUP_TITLES.get(group, group),
        (*columns[:count], *headings, *columns[count:]),
        tuple(rows),
        (*notes_of(ordered), *_tests(apart, keys)),
    )


def _class_table(report: Report, figures: _Figures, metric: Metric, labels: Sequence[str]) -> Table:
    own = [f for f in figures.values() if f.metric == metric.key and f.label != ALL]
    columns = _columns(report, own)
    rows = []
    for label in (*labels, ALL):
        found = [figures.get((metric.key, c, label)) for c in columns]
        if any(found):
            cells = figure_cells(found, metric, len(report.systems))
            rows.append(Row(label or "all", tuple(cells)))
    ordered = sorted(
        (f for f in own if f.system in columns), key=lambda f: (f.label, columns.index(f.system))
    )
    return Table(metric_title(metric), columns, tuple(rows), tuple(notes_of(ordered)))


def _difference_cell(difference: Difference | None, metric: Metric) -> Cell:
    if difference is None:
        return Cell()
    shown = number(difference.difference, metric.digits)
    sign = "+" if difference.difference > 0 and float(shown) else ""
    p = "p < 0.001" if difference.p_value < 0.001 else f"p = {difference.p_value:.3f}"
    return Cell(f"{sign}{shown}", p)


def _tests(differences: Sequence[Difference], keys: Sequence[str]) -> Iterator[str]:
    """Say which test the probabilities come from."""
    kinds = {
        kind: [METRICS[k].title for k in keys if any(d.metric == k for d in found)]
        for kind in (True, False)
        if (found := [d for d in differences if d.paired is kind])
    }
    for paired, titles in kinds.items():
        of = f" of {'; '.join(titles)}" if len(kinds) > 1 else ""
        yield f"p{of}: {'paired' if paired else 'unpaired'} permutation test, two-sided"


def _closing(report: Report) -> list[list[str]]:
    """Say what stands below all tables: paragraphs, or a heading and what it is about."""
    parts = (_legend(report), _warnings(report), _failures(report), _provenance(report))
    return [lines for lines in parts if lines]


def _legend(report: Report) -> list[str]:
    intervals = any(f.low is not None and f.high is not None for f in report.figures)
    spreads = any(f.spread is not None and f.low is None for f in report.figures)
    level = report.manifest.get("level")
    share = f"{100 * level:g} % interval" if isinstance(level, float) else "interval"
    said = []
    if intervals:
        said.append(f"[low, high]: {share}")
    if spreads:
        said.append("±: standard deviation over splits or subsets")
    return ["; ".join(said)] if said else []


def _warnings(report: Report) -> list[str]:
    return ["warnings:", *report.warnings] if report.warnings else []


def _failures(report: Report) -> list[str]:
    failed = sorted(report.failures.items())
    if not failed:
        return []
    files = "1 file" if len(failed) == 1 else f"{len(failed)} files"
    lines = [f"{path}: {reason}" for path, reason in failed[:_NAMED_FAILURES]]
    more = len(failed) - len(lines)
    return [f"{files} left out:", *lines, *([f"and {more} more"] if more else [])]


def _provenance(report: Report) -> list[str]:
    manifest = report.manifest
    lines = []
    systems = _mapping(manifest.get("systems")).items()
    for name, side in (("real", manifest.get("real")), *systems):
        if not isinstance(side, Mapping):
            continue
        count = side.get("count")
        files = "1 file" if count == 1 else f"{count} files" if count is not None else ""
        lines.append(f"{name}: {_joined(files, _hash(side))}")
    network = manifest.get("network")
    if network:
        own = _mapping(network)
        named = _joined(str(own.get("name", "")), _hash(own)) if own else str(network)
        lines.append(f"network: {named}")
    version = manifest.get("version")
    seed = manifest.get("seed")
    last = _joined(
        f"seed {seed}" if seed is not None else "", f"foleycli {version}" if version else ""
    )
    lines += [last] if last else []
    return ["measured:", *lines] if lines else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _hash(value: Mapping[str, Any]) -> str:
    return f"sha256 {str(value['sha256'])[:_HASH_DIGITS]}" if value.get("sha256") else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
