"""``foley invert``: a spectrogram -> the sound it is a picture of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from foleycli.cli import options, spectrogram
from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Progress, command
from foleycli.cli.inputs import Job

EPILOG = """\b
Examples:
  foley invert rain.spec.npz -o rain.wav
  foley invert rain.spec.npz -o rain.flac --method griffin-lim --iterations 100
  foley invert spectrograms/ -o sounds/ --resume

\b
Files:
  INPUT is what foley spectrogram writes. The sound is mono, at the front end's
  sample rate, and as long as the sound that the spectrogram was made of; the
  suffix of -o (.wav or .flac) chooses the format.
"""


class Method(StrEnum):
    """Where the phase comes from."""

    auto = "auto"
    istft = "istft"
    griffin_lim = "griffin-lim"


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    method: str
    iterations: int
    momentum: float
    seed: int


def invert(
    inputs: options.Inputs,
    output: options.Output,
    method: Annotated[
        Method,
        typer.Option(
            help="istft uses the phase that the spectrogram keeps, griffin-lim looks for one; auto "
            "uses it where there is one."
        ),
    ] = Method.auto,
    iterations: Annotated[
        int, typer.Option("--iterations", min=0, metavar="N", help="Rounds of griffin-lim.")
    ] = 32,
    momentum: Annotated[
        float,
        typer.Option(
            "--momentum",
            min=0.0,
            max=1.0,
            metavar="X",
            help="Acceleration of griffin-lim; 0 is the original algorithm.",
        ),
    ] = 0.99,
    seed: options.Seed = 0,
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
    """Turn spectrograms back into sound."""
    with command("invert", quiet=quiet, verbose=verbose) as console:
        settings = Settings(method.value, iterations, momentum, seed)
        batch = Batch(
            inputs, output, {spectrogram.SUFFIX}, ".wav", {".wav", ".flac"},
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
        )  # fmt: skip
        run_batch(console, batch, resynthesise, settings)


def resynthesise(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
) -> dict[str, Any]:
    """Invert one spectrogram."""
    from foleycli.files.arrays import load_arrays

    arrays, made = load_arrays(job.clip.path, kind="spectrogram")

    from foleycli.dsp.invert import invert_magnitude
    from foleycli.dsp.spec import SpectrogramSpec
    from foleycli.dsp.spectrogram import decode_phase
    from foleycli.media.audio import write_audio

    spec, samples = SpectrogramSpec(**made["front_end"]), int(made["samples"])
    keeps_phase = spec.mels is None
    if settings.method == Method.istft or (settings.method == Method.auto and keeps_phase):
        waveform = decode_phase(arrays["picture"], spec, samples)
    else:
        waveform = invert_magnitude(
            arrays["picture"],
            spec,
            samples=samples,
            iterations=settings.iterations,
            momentum=settings.momentum,
            seed=job.clip.seed(settings.seed),
        )
    write_audio(job.output, waveform, spec.rate_hz)
    return {"rate_hz": spec.rate_hz, "samples": len(waveform)}
