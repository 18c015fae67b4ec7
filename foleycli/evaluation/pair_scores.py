"""One clip: its real sound, what systems made for it, and controls, all measured alike.

Controls are those of :mod:`foleycli.metrics.sync_controls`: the real sound itself, the same 40, 100
and 200 ms late, and the real sound of another clip. What the figures are is said in
:mod:`foleycli.evaluation.pair_figures`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from foleycli.evaluation.pair_figures import (
    LIKENESS_KEYS,
    PICTURE_KEYS,
    SYNC_KEYS,
    likeness_figures,
    picture_figures,
    sync_figures,
)
from foleycli.evaluation.sync_view import HeardSound, hear, see
from foleycli.metrics.sync_controls import GROUND_TRUTH, SHIFTS_S, SHUFFLED

DELAYED = {f"+{1000 * shift_s:.0f} ms": shift_s for shift_s in SHIFTS_S}
CONTROLS = (GROUND_TRUTH, *DELAYED, SHUFFLED)
PAIR_KEYS = SYNC_KEYS | LIKENESS_KEYS | PICTURE_KEYS

Found = TypeVar("Found")


@dataclass(frozen=True)
class PairTask:
    """What to measure of one clip; nothing else decides the scores.

    Attributes
    ----------
    id : str
    real : Path
        The real sound; a film with sound will do, here and below.
    sounds : mapping
        System to the sounds that it made for this clip: several where it drew several samples.
    other : Path, optional
        The real sound of another clip, for the shuffled control: see
        :func:`foleycli.metrics.sync_controls.derangement`.
    video : Path, optional
        The clip's picture, which may be in the same file as the real sound.
    controls : bool
        Whether the controls are wanted.
    metrics : frozenset of str
        Keys wanted; those that are not in :data:`PAIR_KEYS` are passed over. Without ``av_align``
        and with a picture a task takes a fraction of the time.
    seed : int

    Raises
    ------
    ValueError
        When a system has the name of a control.
    """

    id: str
    real: Path
    sounds: Mapping[str, tuple[Path, ...]]
    other: Path | None = None
    video: Path | None = None
    controls: bool = True
    metrics: frozenset[str] = PAIR_KEYS
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a system that could be taken for a control."""
        if taken := sorted(self.sounds.keys() & set(CONTROLS)):
            raise ValueError(f"a system cannot be called {taken[0]!r}, as a control is: rename it")


@dataclass(frozen=True)
class ColumnScores:
    """Scores of one sound.

    Attributes
    ----------
    column : str
        The system, or one of :data:`CONTROLS`.
    path : Path
        The file that was heard; the late controls are made of the real one.
    figures : dict
        By key, None where undefined. Controls have figures of synchrony alone, and those that
        need a picture are there when it could be seen.
    """

    column: str
    path: Path
    figures: dict[str, float | None]


@dataclass(frozen=True)
class PairScores:
    """Scores of one clip.

    Attributes
    ----------
    id : str
    columns : tuple of ColumnScores
        Systems in the order given, one a sound, then the controls. None of them where the real
        sound cannot be heard.
    failures : dict
        Path to reason, of the files that could not be measured and were left out.
    """

    id: str
    columns: tuple[ColumnScores, ...]
    failures: dict[str, str]


def score_pair(task: PairTask) -> PairScores:
    """Measure one clip.

    Each file is decoded once and each sound analysed once. A file that cannot be decoded is named
    in ``failures``, and what else there is is measured without it.
    """
    failures: dict[str, str] = {}
    real = _read(hear, task.real, failures)
    if real is None:
        return PairScores(task.id, (), failures)
    picture = None
    if task.video and task.metrics & PICTURE_KEYS:
        look = partial(see, av_align="av_align" in task.metrics)
        picture = _read(look, task.video, failures)
    columns = []
    for column, path, sound in _sounds(task, real, failures):
        fitted = sound.as_long_as(real)
        figures = sync_figures(real, fitted, task.metrics, task.seed)
        if picture:
            figures |= picture_figures(picture, fitted, task.metrics)
        if column not in CONTROLS:
            figures |= likeness_figures(real, sound, task.metrics)
        columns.append(ColumnScores(column, path, figures))
    return PairScores(task.id, tuple(columns), failures)


def _sounds(
    task: PairTask, real: HeardSound, failures: dict[str, str]
) -> Iterator[tuple[str, Path, HeardSound]]:
    """Yield column, file and sound of everything that is held against the real sound."""
    for system, paths in task.sounds.items():
        for path in paths:
            if sound := _read(hear, path, failures):
                yield system, path, sound
    if task.controls and task.metrics & (SYNC_KEYS | PICTURE_KEYS):
        yield GROUND_TRUTH, task.real, real
        for name, shift_s in DELAYED.items():
            yield name, task.real, real.late(shift_s)
        if task.other and (other := _read(hear, task.other, failures)):
            yield SHUFFLED, task.other, other


def _read(reader: Callable[[Path], Found], path: Path, failures: dict[str, str]) -> Found | None:
    try:
        return reader(path)
    except (ValueError, OSError) as error:
        failures[os.fspath(path)] = str(error)
        return None
