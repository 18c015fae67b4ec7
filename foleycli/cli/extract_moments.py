"""``foley extract --moments``: clips -> their frames, those first that show best what is heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Console, Progress
from foleycli.cli.inputs import Job, collect, is_batch, plan

SUFFIX = ".moments.csv"
FPS = 10.0
_PUBLISHED_TOP = 10

Moments = Annotated[
    bool,
    typer.Option(
        "--moments",
        help="Rank the frames of each clip by how near a sound2scene --model puts them to the "
        "sound they are seen with.",
    ),
]
MomentsJson = Annotated[
    str,
    typer.Option(
        "--moments-json",
        metavar="FILE.json",
        help="With --moments: list the best frames of all clips here, too, as Sound2Scene's own "
        "file does.",
        show_default=False,
    ),
]
Model = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="With --moments or --backbone: a shipped name, a file or a run folder; several may "
        "give a part each.",
        show_default="with --moments the shipped sound2scene",
    ),
]


@dataclass(frozen=True)
class Settings:
    """What decides the result; models are known by their hashes."""

    fps: float
    device: str


def extract_moments(
    console: Console,
    batch: Batch,
    models: Sequence[str],
    settings: Settings,
    json_path: str,
    top: int | None,
) -> None:
    """Rank the frames of every clip of a batch."""
    if top and not json_path:
        raise ValueError("--top counts what --moments-json lists; the .csv ranks all frames")
    if json_path and batch.output == "-":
        raise ValueError("--moments-json lists files: give -o a folder, or a file")
    uses: list[Path] = []
    if not batch.dry_run:
        from foleycli.cli.s2i_drawing import seeing, system_of
        from foleycli.imagination.loading import model_paths

        uses = model_paths(models, "sound2scene")
        seeing(system_of(tuple(models), "sound2scene", settings.device))
    failed: typer.Exit | None = None
    try:
        run_batch(console, batch, _Rank(tuple(models)), settings, uses=uses)
    except typer.Exit as leaving:
        failed = leaving
    if json_path and not batch.dry_run:
        _list_best(console, batch, json_path, top or _PUBLISHED_TOP)
    if failed:
        raise failed


@dataclass(frozen=True)
class _Rank:
    """Ranks one clip's frames; names of models decide nothing, what is in them does."""

    models: tuple[str, ...]

    def __call__(
        self, job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
    ) -> dict[str, Any]:
        from foleycli.cli.s2i_drawing import seeing, system_of
        from foleycli.imagination.ranking import rank_frames
        from foleycli.training.moments import Moment, write_moments

        system = seeing(system_of(self.models, "sound2scene", settings.device))
        ranked = [Moment(*m) for m in rank_frames(job.clip.path, system, settings.fps, progress)]
        write_moments(job.output, job.clip.id, ranked)
        best, worst = ranked[0], ranked[-1]
        return {
            "note": f"frames: {len(ranked)}, the best at {best.time_s:.1f} s "
            f"(similarity {best.score:.3f}; the worst {worst.score:.3f})",
            "frames": len(ranked),
            "best_s": best.time_s,
            "best_score": best.score,
        }


def _list_best(console: Console, batch: Batch, path: str, top: int) -> None:
    """Write the published form of all clips whose ranking is there, whichever shard made it."""
    from foleycli.training.moments import read_moments, write_published

    clips = collect(batch.inputs, batch.reads)
    jobs = plan(clips, batch.output, batch.suffix, folder=is_batch(batch.inputs, clips))
    found: dict[str, list[float]] = {}
    for job in jobs:
        if job.output.is_file():
            found |= read_moments(job.output)
    if found:
        write_published(path, found, top)
        console.note(f"{path}: the best {top} frames of {len(found)} of {len(jobs)} clips")
