"""``foley spectrogram``: the sound of a clip -> the picture that a generator would have to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Progress, command
from foleycli.cli.inputs import MEDIA_SUFFIXES, Job
from foleycli.dsp.spec import FOLEYGAN, FRONT_ENDS, front_end

SUFFIX = ".spec.npz"
EPILOG = """\b
Examples:
  foley spectrogram rain.wav -o rain.spec.npz --png rain.png
  foley spectrogram clip.mp4 -o clip.spec.npz --front-end log-mel
  foley spectrogram clips/ -o spectrograms/ --png spectrograms/ -j 2

\b
Files:
  NAME.spec.npz holds
    picture  (channels, bins, frames) float32 in [-1, 1], low frequencies first:
             log magnitude, and for linear front ends phase / pi and a zero channel
  and as JSON, in __foley__, the front end, the number of samples, and how it was made.
"""


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    front_end: str
    png: bool


def spectrogram(
    inputs: options.Inputs,
    output: options.Output,
    front_end_name: Annotated[
        str,
        typer.Option(
            "--front-end",
            metavar="NAME",
            help=f"How sound becomes a picture: {', '.join(FRONT_ENDS)}.",
            autocompletion=lambda: list(FRONT_ENDS),
        ),
    ] = FOLEYGAN.name,
    png: Annotated[
        str,
        typer.Option(
            "--png",
            metavar="PATH",
            help="Draw it, too, with axes: a file, or a folder where -o is one.",
            show_default=False,
        ),
    ] = "",
    jobs: options.Jobs = 1,
    shard: options.Shard = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    no_clobber: options.NoClobber = False,
    resume: options.Resume = False,
    fail_fast: options.FailFast = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Turn sound into a spectrogram.

    The sound of a video or an audio file is mixed to mono, brought to the front end's sample rate
    and transformed. The front end foleygan keeps the phase, so that foley invert gives the sound
    back; the mel front ends keep magnitudes only.
    """
    with command("spectrogram", quiet=quiet, verbose=verbose) as console:
        settings = Settings(front_end(front_end_name).name, bool(png))
        batch = Batch(
            inputs, output, MEDIA_SUFFIXES, SUFFIX, {".npz"},
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
        )  # fmt: skip
        run_batch(console, batch, partial(transform, png=png), settings)


def transform(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None, *, png: str
) -> dict[str, Any]:
    """Transform one clip's sound."""
    from foleycli.dsp.spectrogram import encode
    from foleycli.files.arrays import save_arrays
    from foleycli.media.audio import read_audio

    spec = front_end(settings.front_end)
    waveform, _ = read_audio(job.clip.path, rate_hz=spec.rate_hz)
    picture = encode(waveform, spec)
    duration_s = len(waveform) / spec.rate_hz
    if png:
        from foleycli.drawing import draw_spectrogram

        title = job.clip.path.name
        drawing = job.companion(png, ".png")
        draw_spectrogram(drawing, picture, spec, title=title, duration_s=duration_s)
    save_arrays(
        job.output,
        {"picture": picture},
        kind="spectrogram",
        meta={**meta, "front_end": spec.as_dict(), "samples": len(waveform)},
    )
    return {"shape": list(picture.shape), "duration_s": round(duration_s, 6)}
