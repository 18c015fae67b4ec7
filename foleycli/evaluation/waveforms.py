"""Scores that need both sounds themselves: synchrony with its controls, and spectral distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from foleycli.evaluation.pair_scores import CONTROLS, PAIR_KEYS, PairTask, score_pair
from foleycli.evaluation.partners import ScoredFile
from foleycli.evaluation.set_figures import Options
from foleycli.evaluation.sides import Each, Progress, Side
from foleycli.metrics.sync_controls import derangement


def hear_pairs(
    real: Side,
    sides: Mapping[str, Side],
    rows: Sequence[ScoredFile],
    options: Options,
    videos: Mapping[str, Path],
    each: Each = map,
    progress: Progress | None = None,
) -> tuple[list[ScoredFile], dict[str, str]]:
    """Hold generated sounds against the real ones, clip by clip, and put the scores into ``rows``.

    Parameters
    ----------
    real : Side
    sides : mapping
        System to its files; those without files are passed over.
    rows : sequence of ScoredFile
        The pairs of all systems; these get the scores.
    options : Options
    videos : mapping
        Picture by the id of the real sound.
    each, progress
        As for :func:`foleycli.evaluation.sides.measure`.

    Returns
    -------
    controls : list of ScoredFile
        The true sounds, in time, late, and under the wrong picture.
    failures : dict
        Path to reason.
    """
    paths = {name: {s.id: s.path for s in side.files} for name, side in sides.items()}
    real_paths = {} if real.pictures else {sample.id: sample.path for sample in real.files}
    heard = {
        (row.system, str(paths[row.system][row.id])): row
        for row in rows
        if row.clip in real_paths and row.id in paths.get(row.system, {})
    }
    tasks = _tasks(heard, real_paths, options, videos)
    controls: list[ScoredFile] = []
    failures: dict[str, str] = {}
    label_of = {row.clip: row.label for row in rows}
    for done, (task, found) in enumerate(zip(tasks, each(score_pair, tasks), strict=True), 1):
        failures |= found.failures
        for column in found.columns:
            if column.column in CONTROLS:
                name, clip = column.column, task.id
                controls.append(ScoredFile(name, clip, clip, label_of[clip], column.figures))
            else:
                heard[column.column, str(column.path)].scores |= column.figures
        if progress:
            progress(done, len(tasks))
    return controls, failures


def _tasks(
    heard: Mapping[tuple[str, str], ScoredFile],
    real_paths: Mapping[str, Path],
    options: Options,
    videos: Mapping[str, Path],
) -> list[PairTask]:
    """One task a clip, with what all systems made for it."""
    metrics = frozenset(PAIR_KEYS & set(options.metrics))
    sounds: dict[str, dict[str, tuple[Path, ...]]] = {}
    label_of: dict[str, str] = {}
    for (system, path), row in heard.items() if metrics else ():
        of_clip = sounds.setdefault(row.clip, {})
        of_clip[system] = (*of_clip.get(system, ()), Path(path))
        label_of.setdefault(row.clip, row.label)
    others = derangement(sounds, label_of, options.seed)
    return [
        PairTask(
            id=clip,
            real=real_paths[clip],
            sounds=sounds[clip],
            other=real_paths[others[clip]] if clip in others else None,
            video=videos.get(clip),
            metrics=metrics,
            seed=options.seed,
        )
        for clip in sorted(sounds)
    ]
