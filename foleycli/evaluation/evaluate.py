"""An evaluation from end to end: sides measured, compared with each other, reported.

The real set stands on one side, one or more generated sets on the other. Beside them stands what a
reader needs to judge the figures: the real set against itself, systems that need no model, and for
synchrony the true sounds moved and shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from foleycli.evaluation.account import (
    manifest_of,
    missing_figures,
    rows_by_file,
    warnings_of,
)
from foleycli.evaluation.baselines import KINDS, RealClip, make_baseline
from foleycli.evaluation.differences import answered_rows, distance_difference, score_differences
from foleycli.evaluation.floors import FLOOR, floor_figures
from foleycli.evaluation.judged_pictures import picture_figures
from foleycli.evaluation.pair_scores import CONTROLS
from foleycli.evaluation.partners import (
    Partners,
    ScoredFile,
    clips_of,
    find_partners,
    level_figures,
    mean_figures,
    retrieval_figures,
    scored_files,
    with_labels_of_partners,
)
from foleycli.evaluation.pictures import InformativityJudge
from foleycli.evaluation.report import Difference, Figure, Report
from foleycli.evaluation.samples import Samples
from foleycli.evaluation.set_figures import Options, set_figures
from foleycli.evaluation.sides import Each, Network, Sample, Side, measure
from foleycli.evaluation.waveforms import hear_pairs
from foleycli.metrics.bins import Bins
from foleycli.vision.clip_retrieval import ClipRanker

BASELINE = "baseline "
StageProgress = Callable[[str, int, int], None]


@dataclass
class Evaluation:
    """What is asked for.

    Attributes
    ----------
    real : Side
    systems : sequence of Side
    options : Options
    network : Network
    baselines : sequence of str
        ``shaped-noise`` and ``real``.
    videos : mapping
        Path of a clip's picture by the id of its real sound.
    allow_unpaired : bool
        Whether figures of pairs may leave out files without partner.
    strict : bool
        Whether a file that cannot be measured ends it all.
    bins : dict
        NDB's bins by class; those missing are fitted, and put in.
    required : collection of str
        Figures that were asked for by name: those that cannot be had must be shown.
    clip, informativity : optional
        Referees for pictures.

    Raises
    ------
    ValueError
        When there is nothing to compare, a system is called as another column, or a baseline is
        not known or cannot be made of statistics.
    """

    real: Side
    systems: Sequence[Side]
    options: Options
    network: Network = field(default_factory=Network)
    baselines: Sequence[str] = ()
    videos: Mapping[str, Path] = field(default_factory=dict)
    allow_unpaired: bool = False
    strict: bool = False
    bins: dict[str, Bins] = field(default_factory=dict)
    required: Collection[str] = ()
    clip: ClipRanker | None = None
    informativity: InformativityJudge | None = None

    def __post_init__(self) -> None:
        """Refuse what could only fail after everything was measured."""
        if not self.systems:
            raise ValueError("no generated set to compare")
        if (self.clip or self.informativity) and not self.real.pictures:
            raise ValueError("--clip and --informativity judge pictures, and these are none")
        for side in self.systems:
            if side.name in ("", FLOOR, *CONTROLS) or side.name.startswith(BASELINE):
                raise ValueError(f"a system cannot be called {side.name!r}; write --fake NAME=PATH")
        for kind in self.baselines:
            if kind not in KINDS:
                raise ValueError(f"--baseline {kind}: choose one of {', '.join(KINDS)}")
            if not self.real.files or self.real.pictures:
                raise ValueError(f"--baseline {kind} is made of real sounds, and there are none")


@dataclass
class System:
    """A generated set on its way to the report.

    Attributes
    ----------
    side : Side
    samples : Samples
        With the classes of partners where files have none.
    measured : Samples
        As measured.
    partners : Partners or None
    unpaired : str
        Why there are no partners.
    baseline : bool
        Whether it was made of the real set.
    rows : list of ScoredFile
        Of the files that have a partner.
    """

    side: Side
    samples: Samples
    measured: Samples
    partners: Partners | None = None
    unpaired: str = ""
    baseline: bool = False
    rows: list[ScoredFile] = field(default_factory=list)


def evaluate(asked: Evaluation, each: Each = map, progress: StageProgress | None = None) -> Report:
    """Measure, compare and report.

    Parameters
    ----------
    asked : Evaluation
    each : callable
        ``map``, or something like it over processes: results do not depend on it.
    progress : callable
        ``progress(stage, done, total)``.

    Raises
    ------
    ValueError
        When a side cannot be had at all, sides were measured differently, or ``asked.strict`` and
        a file cannot be measured.
    OSError
        When a statistics file cannot be read.
    """
    options = asked.options
    tell = progress or (lambda *_: None)

    def measured(side: Side) -> Samples:
        return measure(side, asked.network, each, partial(tell, f"measuring {side.name}"))

    real = measured(asked.real)
    sets = [(side, measured(side)) for side in asked.systems]
    systems = [System(side, samples, samples) for side, samples in sets]
    _require_alike(real, systems)
    failures = _failures(real, systems)
    _refuse_failures(asked, failures)
    with TemporaryDirectory(prefix="foley-") as folder:
        for kind in asked.baselines:
            side = _baseline(kind, asked, real, Path(folder), partial(tell, f"making {kind}"))
            made = measured(side)
            systems.append(System(side, made, made, baseline=True))
        for system in systems:
            _find_partners(real, system, asked)
        sides = {system.side.name: system.side for system in systems}
        rows = [row for system in systems for row in system.rows]
        controls, unheard = hear_pairs(
            asked.real, sides, rows, options, asked.videos, each, partial(tell, "hearing pairs")
        )
    _refuse_failures(asked, unheard)
    figures: list[Figure] = []
    for done, system in enumerate(systems, 1):
        figures += _figures(real, system, asked)
        if system.side.pictures and (asked.clip or asked.informativity):
            figures += _judged(real, system, asked, partial(tell, "judging pictures"))
        tell("comparing", done, len(systems) + 1)
    of_floor = replace(options, bins_by_class={n: len(b.counts) for n, b in asked.bins.items()})
    figures += floor_figures(real, len(systems[0].samples), of_floor)
    for name in CONTROLS:
        figures += mean_figures([row for row in controls if row.system == name], options)
    figures += missing_figures(figures, systems, asked)
    names = [side.name for side in asked.systems]
    columns = dict.fromkeys([*sides, *(figure.system for figure in figures)])
    return Report(
        systems=tuple(names),
        references=tuple(name for name in columns if name not in names),
        figures=figures,
        differences=_differences(real, systems[: len(names)], options),
        warnings=warnings_of(real, systems, asked),
        failures=failures | unheard,
        per_file=[row for system in systems for row in rows_by_file(system)],
        manifest=manifest_of(real, systems, asked),
    )


def _failures(real: Samples, systems: Sequence[System]) -> dict[str, str]:
    sets = [real, *(system.samples for system in systems)]
    return dict(failure for samples in sets for failure in samples.failures.values())


def _refuse_failures(asked: Evaluation, failures: Mapping[str, str]) -> None:
    if asked.strict and failures:
        path, reason = next(iter(failures.items()))
        others = f" ({len(failures)} in all)" if len(failures) > 1 else ""
        raise ValueError(f"{path}: {reason}{others}; without --strict it is left out")


def _baseline(
    kind: str, asked: Evaluation, real: Samples, folder: Path, progress: Callable[[int, int], None]
) -> Side:
    """Make a system of the real sounds themselves."""
    measured = set(real.ids)
    clips = [RealClip(s.id, s.label, s.path) for s in asked.real.files if s.id in measured]
    made = make_baseline(kind, clips, folder / kind, seed=asked.options.seed, progress=progress)
    labels = dict(zip(real.ids, real.labels, strict=True))
    files = tuple(Sample(i, labels[i], path) for i, path in sorted(made.items()))
    if not files:
        raise ValueError(f"--baseline {kind}: no class has two real sounds to make it of")
    return Side(f"{BASELINE}{kind}", files)


def _find_partners(real: Samples, system: System, asked: Evaluation) -> None:
    """Pair a system's files with the real ones, and take over their classes."""
    allowed = asked.allow_unpaired or system.baseline  # a class of one clip has no baseline
    try:
        partners = find_partners(real, system.samples, allow_unpaired=allowed)
    except ValueError as error:
        system.unpaired = str(error)
        return
    system.samples = with_labels_of_partners(system.samples, partners)
    system.partners = Partners(real, system.samples, partners.pairing)
    system.rows = scored_files(system.partners, system.side.name, asked.options.metrics)


def _require_alike(real: Samples, systems: Sequence[System]) -> None:
    for system in systems:
        if system.samples.made_by != real.made_by:
            other = next(
                key
                for key in {**real.made_by, **system.samples.made_by}
                if real.made_by.get(key) != system.samples.made_by.get(key)
            )
            raise ValueError(
                f"{system.side.name} and the real set were measured differently ({other} differs); "
                "measure both with the same network"
            )


def _figures(real: Samples, system: System, asked: Evaluation) -> list[Figure]:
    """All figures of one system."""
    name, options = system.side.name, asked.options
    clips = clips_of(real, system.samples, system.partners)
    figures = set_figures(real, system.samples, name, options, asked.bins, clips)
    if system.partners:
        figures += retrieval_figures(system.partners, name, options)
    if system.rows:
        figures += mean_figures(system.rows, options)
    partners = None if system.baseline else system.partners  # it has a sample rate of its own
    return [*figures, *level_figures(system.samples, name, options, partners)]


def _judged(
    real: Samples, system: System, asked: Evaluation, progress: Callable[[int, int], None]
) -> list[Figure]:
    """Figures of referees that look at the pictures themselves."""
    label_of = dict(zip(system.samples.ids, system.samples.labels, strict=True))
    pictures = [replace(s, label=label_of[s.id]) for s in system.side.files if label_of.get(s.id)]
    classes = sorted({*real.classes, *system.samples.classes})
    name = system.side.name
    return picture_figures(
        pictures, classes, name, asked.options, asked.clip, asked.informativity, progress
    )


def _differences(real: Samples, systems: Sequence[System], options: Options) -> list[Difference]:
    """Compare the first system with every other one."""
    first, *others = systems
    found: list[Difference] = []
    for other in others:
        names = first.side.name, other.side.name
        if "fd" in options.metrics:
            clip_of = {row.id: row.clip for row in first.rows}
            found += distance_difference(
                real, first.samples, other.samples, names, options, clip_of
            )
        if "accuracy_micro" in options.metrics:
            answered = [answered_rows(s.samples, s.rows, s.side.name) for s in (first, other)]
            found += score_differences(answered[0], answered[1], options)
        found += score_differences(first.rows, other.rows, options)
    return found
