"""Figures as cells of a table: how many decimals, which is best, and what their notes say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from foleycli.evaluation.catalogue import METRICS, Metric
from foleycli.evaluation.report import Figure
from foleycli.evaluation.tables import MISSING, Cell

ARROWS = {"higher": " ↑", "lower": " ↓", "zero": " → 0", "": ""}
_MOST_DECIMAL = 1e6  # from here on in scientific notation, so that a column stays a column


def metric_title(metric: Metric) -> str:
    """Title, unit, and an arrow to where better figures are."""
    unit = f" ({metric.unit})" if metric.unit else ""
    return f"{metric.title}{unit}{ARROWS[metric.better]}"


def number(value: float, digits: int) -> str:
    """Show a figure with so many decimals; very large ones, and none, as they can be."""
    if not math.isfinite(value) or abs(value) >= _MOST_DECIMAL:
        return f"{value:.4g}"
    shown = f"{value:.{digits}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def figure_cells(
    figures: Sequence[Figure | None], metric: Metric, candidates: int, scale: float = 1.0
) -> list[Cell]:
    """Show figures of one metric, the best of the first ``candidates`` in bold.

    Figures that look alike are equally good; none is best where all do, or where fewer than two
    have a value.

    Parameters
    ----------
    scale : float
        Times which figures are shown: 100 for percent, with two decimals less.
    """
    digits = max(0, metric.digits - round(math.log10(scale)))
    best = _best(figures[:candidates], metric, digits, scale)
    return [_cell(f, digits, scale, best=f in best) for f in figures]


def notes_of(figures: Sequence[Figure]) -> Iterator[str]:
    """Say each note once, before it the metrics, systems and classes that it is about.

    Systems are left out where it is about every one that has the metric.
    """
    having: dict[str, dict[str, None]] = {}
    for figure in figures:
        having.setdefault(figure.metric, {})[figure.system] = None
    about: dict[tuple[str, str, str], dict[str, None]] = {}
    for f in figures:
        if f.note or f.value is None:
            lead = "not computed: " if f.value is None else ""
            said = f"{lead}{f.note or 'no reason given'}"
            about.setdefault((f.metric, f.label, said), {})[f.system] = None
    merged: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (metric, label, said), systems in about.items():
        named = () if systems.keys() == having[metric].keys() else tuple(systems)
        merged.setdefault((said, label, named), []).append(METRICS[metric].title)
    for (said, label, named), titles in merged.items():
        where = ", ".join(name for name in (label, *named) if name)
        yield f"{'; '.join(titles)}{f' ({where})' if where else ''}: {said}"


def _cell(figure: Figure | None, digits: int, scale: float, *, best: bool) -> Cell:
    if figure is None:
        return Cell()
    if figure.value is None:
        return MISSING
    extra = ""
    if figure.low is not None and figure.high is not None:
        extra = f"[{number(scale * figure.low, digits)}, {number(scale * figure.high, digits)}]"
    elif figure.spread is not None:
        extra = f"± {number(scale * figure.spread, digits)}"
    return Cell(number(scale * figure.value, digits), extra, best)


def _best(
    figures: Sequence[Figure | None], metric: Metric, digits: int, scale: float
) -> list[Figure]:
    ranks = {"higher": lambda v: -v, "lower": lambda v: v, "zero": abs}
    if metric.better not in ranks:
        return []
    rank = ranks[metric.better]
    ranked = [
        (rank(float(number(scale * f.value, digits))), f)
        for f in figures
        if f is not None and f.value is not None and math.isfinite(f.value)
    ]
    values = {value for value, _ in ranked}
    return [f for value, f in ranked if value == min(values)] if len(values) > 1 else []
