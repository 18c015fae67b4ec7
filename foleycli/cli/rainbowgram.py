"""``foley spectrogram --rainbowgram``: phase coherence, of several sounds in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Console, Progress
from foleycli.cli.inputs import Job, collect

if TYPE_CHECKING:
    from foleycli.dsp.rainbowgram import Rainbowgram

_MOST_S = 60.0


@dataclass(frozen=True)
class Settings:
    """What decides the result: nothing but the clips."""


def rainbowgrams(console: Console, batch: Batch) -> None:
    """Draw all inputs into one ``-o FILE.png``, in the order given, or each into ``-o DIR/``."""
    to_file = batch.output.lower().endswith(".png") and not Path(batch.output).is_dir()
    clips = [clip for given in batch.inputs for clip in collect([given], batch.reads)]
    if not to_file or len(clips) == 1:
        batch = replace(batch, suffix=".png", writes={".png"})
        run_batch(console, batch, draw_one, Settings())
        return
    if batch.shard or batch.resume or batch.as_json:
        raise ValueError("one picture of several sounds takes no --shard, --resume or --json")
    target = Path(batch.output)
    if batch.dry_run:
        for clip in clips:
            typer.echo(f"{clip.path}\t{target}")
        return
    if not (batch.no_clobber and target.exists()):
        _draw(target, [Job(clip, target) for clip in clips])
    typer.echo(target)


def draw_one(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
) -> dict[str, Any]:
    """Draw one clip's rainbowgram."""
    _draw(job.output, [job])
    return {}


def _draw(path: Path, jobs: Sequence[Job]) -> None:
    from foleycli.drawing import draw_rainbowgrams

    draw_rainbowgrams(path, [(job.clip.path.name, _of(job.clip.path)) for job in jobs])


def _of(path: Path) -> Rainbowgram:
    """Analyse one clip's sound.

    Raises
    ------
    ValueError
        When it cannot be read, is empty, or longer than a minute.
    """
    from foleycli.dsp.rainbowgram import RAINBOWGRAM_RATE_HZ, rainbowgram
    from foleycli.media.audio import read_audio

    try:
        waveform, _ = read_audio(path, rate_hz=RAINBOWGRAM_RATE_HZ)
        seconds = len(waveform) / RAINBOWGRAM_RATE_HZ
        if seconds > _MOST_S:
            raise ValueError(f"lasts {seconds:.0f} s; a rainbowgram shows {_MOST_S:.0f}: cut it")
        return rainbowgram(waveform)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
