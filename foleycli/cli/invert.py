"""``foley invert``: a spectrogram -> the sound it is a picture of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import codes, options, spectrogram
from foleycli.cli.batch import Batch, check_plan, run_batch
from foleycli.cli.console import Console, Progress, command
from foleycli.cli.inputs import MEDIA_SUFFIXES, Clip, Job, collect, is_batch
from foleycli.dsp.front_ends.names import SUMMARIES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foleycli.spectrograms import StoredSpectrogram

EPILOG = """\b
Examples:
  foley invert rain.spec.npz -o rain.wav
  foley invert rain.spec.npz -o rain.flac --method pghi --report
  foley invert mels/dog_mel.npy --front-end specvqgan -o dog.wav
  foley invert spectrograms/ -o sounds/ --reference clips/ --report
  foley invert speech.codes.npz --model codebook.safetensors -o speech.wav
  foley invert mels/ --model vocoder.safetensors -o sounds/

\b
Methods:
  istft                the phase that the spectrogram keeps
  if                   the phase that its instantaneous frequency adds up to
  icqt                 the inverse constant-Q transform
  pghi                 phase gradient heap integration: no iterations
  griffin-lim          from random phases; --momentum 0 is the original algorithm
  pghi+griffin-lim     from PGHI's phases
  Mel bands are undone first, by non-negative multiplicative updates. auto takes
  what was measured to be the best for the front end.
  A vocoder (--model) takes the place of all of them.

\b
Files:
  INPUT is what foley spectrogram writes, or with --front-end the .npy of a
  reference tool. Codes need the codebook they were made by, and may have a vocoder:
  a --model each. A vocoder alone takes the mels of the specvqgan front ends.
  The sound is mono, at the front end's sample rate, and as long as
  the sound that the spectrogram was made of; the suffix of -o (.wav or .flac)
  chooses the format. --post-filter takes an .npz that --fit-post-filter wrote, or an
  .npy of up to 65536 taps.

\b
Report:
  convergence_db       20 log10 of |wanted - got| / |wanted|, magnitudes of the front
                       end: of the spectrogram, and of the sound analysed again
  lsd_db               log-spectral distance of the same, over 80 dB
  snr_db, si_sdr_db    of the waveform against --reference
  Empty (null in --json) where there is nothing to compare or the ratio is infinite.
"""
COLUMNS = ("convergence_db", "lsd_db", "snr_db", "si_sdr_db")


class Method(StrEnum):
    """Where the phase comes from."""

    auto = "auto"
    istft = "istft"
    instantaneous_frequency = "if"
    icqt = "icqt"
    pghi = "pghi"
    griffin_lim = "griffin-lim"
    pghi_griffin_lim = "pghi+griffin-lim"


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    method: str
    iterations: int
    momentum: float
    seed: int
    front_end: str
    post_filter: str
    reference: str
    report: bool
    models: tuple[str, ...] = ()


def invert(
    inputs: options.Inputs,
    output: options.Output,
    method: Annotated[Method, typer.Option(help="Where the phase comes from.")] = Method.auto,
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
    ] = 0.95,
    front_end_name: Annotated[
        str,
        typer.Option(
            "--front-end",
            metavar="NAME",
            help="What a plain .npy holds; an .npz says it itself.",
            autocompletion=lambda: list(SUMMARIES),
            show_default=False,
        ),
    ] = "",
    report: Annotated[
        bool,
        typer.Option("--report", help="Print a table of how much was lost instead of the paths."),
    ] = False,
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            metavar="PATH",
            help="The original sound, or a folder of them named as the inputs are, to compare "
            "with; implies --report.",
            show_default=False,
        ),
    ] = "",
    post_filter: Annotated[
        str,
        typer.Option(
            "--post-filter",
            metavar="FILE",
            help="Filter the sound with these taps, without delay.",
            show_default=False,
        ),
    ] = "",
    fit_post_filter: Annotated[
        str,
        typer.Option(
            "--fit-post-filter",
            metavar="FILE",
            help="First learn a filter of 512 taps that brings the inputs' long-term spectrum to "
            "that of --reference, and write it here.",
            show_default=False,
        ),
    ] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="PATH",
            help="Codebook of the codes, or vocoder, or both: a file or run folder each.",
            show_default=False,
        ),
    ] = None,
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
    """Turn spectrograms back into sound, and say what that cost.

    A spectrogram is read whole: an hour of the largest needs some gigabytes. What is reported is of
    the file as written, 16 bits and clipping included.
    """
    with command("invert", quiet=quiet, verbose=verbose) as console:
        if fit_post_filter and (post_filter or not reference):
            raise ValueError("--fit-post-filter needs --reference, and no --post-filter")
        settings = Settings(
            method.value, iterations, momentum, seed, front_end_name,
            post_filter or fit_post_filter, reference, report or bool(reference),
            tuple(model or ()),
        )  # fmt: skip
        reads = {".npy"} if front_end_name else {spectrogram.SUFFIX}
        if model:
            reads = reads | {codes.SUFFIX}
        batch = Batch(
            inputs, output, reads, ".wav", {".wav", ".flac"},
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
            columns=COLUMNS if settings.report else (), once=[fit_post_filter],
            keeps=[post_filter, *([reference] if Path(reference).is_file() else [])],
        )  # fmt: skip
        if Path(reference).is_file() and is_batch(inputs, collect(inputs, reads)):
            raise ValueError(f"--reference {reference}: several inputs need a folder of originals")
        if fit_post_filter and not dry_run:
            check_plan(batch)
            _fit_post_filter(console, batch, replace(settings, post_filter=""), fit_post_filter)
        uses = [Path(settings.post_filter)] if settings.post_filter and not dry_run else []
        if model and not dry_run:
            from foleycli.sound_codes.loading import model_paths

            uses += model_paths(model)
        run_batch(console, batch, resynthesise, settings, uses=uses)


def resynthesise(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
) -> dict[str, Any]:
    """Invert one spectrogram."""
    from foleycli.dsp.post_filter import apply_post_filter
    from foleycli.media.audio import read_audio, write_audio
    from foleycli.spectrograms import read_taps

    given = _given(job.clip.path, settings)
    rate_hz = given.front.rate_hz
    waveform, method = _sound(given, settings, job.clip)
    if settings.post_filter:
        waveform = apply_post_filter(waveform, read_taps(settings.post_filter, rate_hz))
    original = None
    if settings.reference:
        original = _reference(job.clip.id, settings.reference, given, job.output)
    clipped = write_audio(job.output, waveform, rate_hz)
    done: dict[str, Any] = {"method": method, "rate_hz": rate_hz, "samples": len(waveform)}
    if clipped:
        done["note"] = f"{clipped} samples beyond full scale were clipped"
    if settings.report:
        done |= given.loss(read_audio(job.output)[0], original)
    return done


def _given(path: Path, settings: Settings) -> StoredSpectrogram:
    """Read a spectrogram, or codes as the mel that they decode to."""
    from foleycli.spectrograms import StoredSpectrogram, read_spectrogram

    if not path.name.endswith(codes.SUFFIX):
        if settings.models:
            codes.sound_codes(settings.models, ("vocoder",))
        return read_spectrogram(path, settings.front_end)
    if not settings.models:
        raise ValueError(f"{path}: codes need the codebook they were made by; give its --model")
    from foleycli.sound_codes.codec import FRONT_END
    from foleycli.sound_codes.stored import load_codes

    models = codes.sound_codes(settings.models, ("codebook",))
    codec = codes.codebook_of(models)
    stored = load_codes(path, codec.grid, models.codebook_sha256)
    return StoredSpectrogram(FRONT_END, {"mel": codec.decode(stored.codes)}, {}, stored.samples)


def _sound(
    given: StoredSpectrogram, settings: Settings, clip: Clip
) -> tuple[NDArray[np.float32], str]:
    """Invert; return the sound and the method that was used."""
    vocoder = codes.sound_codes(settings.models, ()).vocoder if settings.models else None
    if vocoder is not None:
        from foleycli.dsp.front_ends.specvqgan import SpecVqgan
        from foleycli.sound_codes.codec import vocode

        if not isinstance(given.front, SpecVqgan) or settings.method != Method.auto:
            raise ValueError(
                "a vocoder takes the mels of the specvqgan front ends and no --method, not "
                f"{given.front.name}, {settings.method}; leave its --model out"
            )
        return vocode(vocoder, given.arrays["mel"], given.samples), "vocoder"
    method = given.method(settings.method)
    seed = clip.seed(settings.seed)
    return given.sound(method, settings.iterations, settings.momentum, seed), method


def _fit_post_filter(console: Console, batch: Batch, settings: Settings, path: str) -> None:
    """Learn a filter from all the inputs, whatever the shard, and their originals."""
    from foleycli.dsp.post_filter import LongTermSpectrum, fit_post_filter
    from foleycli.files.arrays import save_arrays
    from foleycli.spectrograms import POST_FILTER

    real, made = LongTermSpectrum(), LongTermSpectrum()
    clips = collect(batch.inputs, batch.reads)
    rates_hz = set()
    with console.progress("learning the post-filter", unit="clip") as progress:
        for done, clip in enumerate(clips, 1):
            given = _given(clip.path, settings)
            made.hear([_sound(given, settings, clip)[0]])
            real.hear([_reference(clip.id, settings.reference, given, Path(path))])
            rates_hz.add(given.front.rate_hz)
            if progress:
                progress(done, len(clips))
    if len(rates_hz) != 1:
        raise ValueError(f"--fit-post-filter: the inputs have several sample rates, {rates_hz}")
    fitted = fit_post_filter(real.power, made.power, rates_hz.pop())
    meta = {"rate_hz": fitted.rate_hz, "inputs": [clip.id for clip in clips]}
    save_arrays(path, {"taps": fitted.taps}, kind=POST_FILTER, meta=meta)
    console.note(f"{path}: learned from {len(clips)} sounds")


def _reference(
    name: str, reference: str, given: StoredSpectrogram, output: Path
) -> NDArray[np.float32]:
    """Read the original of one input as the front end reads sound, as far as it reaches."""
    import numpy as np

    from foleycli.media.chain import sound_blocks

    original = Path(reference)
    if original.is_dir():
        stem = name.removesuffix(given.front.npy_suffix.removesuffix(".npy"))
        found = [original / f"{stem}{suffix}" for suffix in sorted(MEDIA_SUFFIXES)]
        there = [candidate for candidate in found if candidate.is_file()]
        if len(there) != 1:
            raise ValueError(
                f"--reference {original}: holds {len(there)} sounds called {stem}; one is needed"
            )
        original = there[0]
    if original.absolute() == output.absolute():
        raise ValueError(f"{output}: is its own --reference; choose another -o")
    blocks: list[NDArray[np.floating]] = []
    for block in sound_blocks(
        original, given.front.rate_hz, given.front.chain
    ):  # a looped sound never ends
        blocks.append(block)
        if sum(map(len, blocks)) >= given.samples:
            break
    return np.concatenate(blocks)[: given.samples].astype(np.float32)
