"""What an evaluation found: figures by metric, system and class, and how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALL = ""  # the group of all classes together


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes
    ----------
    metric : str
        Key in :data:`foleycli.evaluation.catalogue.METRICS`.
    system : str
        Column: a generated set, a floor, a baseline or a control.
    value : float or None
        None where there is none; ``note`` then says why.
    low, high : float or None
        Interval at the report's level.
    spread : float or None
        Standard deviation over splits or subsets; says nothing of other samples.
    count : int
        Files or pairs that it rests on.
    label : str
        Class; :data:`ALL` for all together.
    note : str
    """

    metric: str
    system: str
    value: float | None
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    count: int = 0
    label: str = ALL
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """Two systems in one metric, and how often chance alone would part them as far.

    Attributes
    ----------
    metric, first, second : str
    difference : float
        First less second.
    p_value : float
        Two-sided, of a permutation test.
    paired : bool
        Whether the clips of both were paired.
    """

    metric: str
    first: str
    second: str
    difference: float
    p_value: float
    paired: bool


@dataclass
class Report:
    """All of one evaluation.

    Attributes
    ----------
    systems : tuple of str
        Generated sets, in the order given.
    references : tuple of str
        Further columns, for comparison: floors, baselines, controls.
    figures : list of Figure
    differences : list of Difference
    warnings : list of str
    failures : mapping
        Path to reason, of files that could not be measured and were left out.
    per_file : list of dict
        One a generated file: ``system``, ``id``, ``label`` and figures by key.
    manifest : mapping
        Sides with their hashes, network, seeds, versions: what a reviewer needs.
    """

    systems: tuple[str, ...]
    references: tuple[str, ...] = ()
    figures: list[Figure] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: Mapping[str, str] = field(default_factory=dict)
    per_file: list[dict[str, Any]] = field(default_factory=list)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def figure(self, metric: str, system: str, label: str = ALL) -> Figure | None:
        """Find a figure; None where there is none of that name."""
        wanted = (metric, system, label)
        found = (f for f in self.figures if (f.metric, f.system, f.label) == wanted)
        return next(found, None)
