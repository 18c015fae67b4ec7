"""``foley spectrogram``: the sound of a clip -> the arrays that a published system works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import codes as codes_mode
from foleycli.cli import options
from foleycli.cli.batch import Batch, check_plan, run_batch
from foleycli.cli.console import Console, Progress, command
from foleycli.cli.inputs import MEDIA_SUFFIXES, Job, collect
from foleycli.cli.rainbowgram import rainbowgrams
from foleycli.dsp.front_ends.names import SUMMARIES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foleycli.dsp.front_ends.front_end import FrontEnd
    from foleycli.files.growing import GrowingArrays

SUFFIX = ".spec.npz"
_STATISTICS = "specgan-statistics"
_DRAWN_COLUMNS = 4000  # as many as the widest drawing has pixels
_MOST_WHOLE_S = 20 * 60

_NAMES = "\n".join(f"  {name:17} {summary}" for name, summary in SUMMARIES.items())
EPILOG = f"""\b
Examples:
  foley spectrogram rain.wav -o rain.spec.npz --png rain.png
  foley spectrogram clips/ -o mels/ --front-end specvqgan --npy -j 2
  foley spectrogram train/ -o train-specs/ --front-end specgan --fit specgan.npz
  foley spectrogram test/ -o test-specs/ --front-end specgan --statistics specgan.npz
  foley spectrogram real.wav generated.wav --rainbowgram -o pair.png
  foley spectrogram speech.wav -o speech.codes.npz --codes --model codebook.safetensors

\b
Front ends:
{_NAMES}

\b
Files:
  NAME.spec.npz holds the front end's arrays, float32 and low frequencies first
  unless the published ones are not (s2i):
    foleygan*, stft   picture (3, bins, frames): log magnitude, phase / pi, zeros
    log-mel*, lms, ms, mfcc
                      picture (1, bands, frames)
    specvqgan*, melgan
                      mel (80, frames)
    s2i               segments (n, 128, 100) uint8, the highest band first
    sound2scene       spectrogram (257, 1004)
    gansynth*         picture (2, 1024, frames)
    specgan           picture (1, 128, frames); mean, std (128,) float64
    cqt               picture (3, 504, frames)
  and as JSON, in __foley__, every constant of the front end, the number of
  samples, and how it was made. With --npy, or -o FILE.npy, the one array that the
  reference tools read is written instead.
  NAME.codes.npz, with --codes, holds codes (5, columns), int16 and low frequencies
  first, of any length of sound; a column stands for 4096 samples at 22.05 kHz. In
  __foley__ are the SHA-256 of the codebook, the number of samples, and the bitrate:
  bits of the codes by seconds of the sound, a kbit being 1000 (the paper's 1024 codes
  take 0.27 kbit/s).
"""


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    front_end: str
    png: bool
    statistics: str = ""


def spectrogram(
    inputs: options.Inputs,
    output: options.Output,
    front_end_name: Annotated[
        str,
        typer.Option(
            "--front-end",
            metavar="NAME",
            help="How sound becomes arrays; the list is below.",
            autocompletion=lambda: list(SUMMARIES),
        ),
    ] = "foleygan",
    png: Annotated[
        str,
        typer.Option(
            "--png",
            metavar="PATH",
            help="Draw it, too, with axes: a file, or a folder where -o is one.",
            show_default=False,
        ),
    ] = "",
    npy: Annotated[
        bool, typer.Option("--npy", help="Write the plain .npy that the reference tools read.")
    ] = False,
    rainbowgram: Annotated[
        bool,
        typer.Option(
            "--rainbowgram",
            help="Draw a rainbowgram instead (brightness: log magnitude, colour: instantaneous "
            "frequency) of up to a minute; -o FILE.png puts several inputs side by side.",
        ),
    ] = False,
    statistics: Annotated[
        str,
        typer.Option(
            "--statistics",
            metavar="FILE",
            help="Mean and deviation of every bin, as --fit wrote them (specgan).",
            show_default=False,
        ),
    ] = "",
    fit: Annotated[
        str,
        typer.Option(
            "--fit",
            metavar="FILE",
            help="First make --statistics from all the inputs and write them here (specgan).",
            show_default=False,
        ),
    ] = "",
    codes: codes_mode.Codes = False,
    model: codes_mode.Model = None,
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
    """Turn sound into the arrays of a published front end, exactly.

    The sound of a video or an audio file is mixed to mono (the mean of its channels), brought to
    the front end's sample rate and transformed; it begins where the picture does. The specvqgan
    front ends read it as the published features were made: from its own first sample, through
    16-bit files. An hour needs no more memory than a minute, but for cqt, which takes 20 minutes at
    most.
    """
    with command("spectrogram", quiet=quiet, verbose=verbose) as console:
        npy = npy or output.endswith(".npy")
        settings = Settings(_known(front_end_name), bool(png), statistics or fit)
        if codes != bool(model):
            raise ValueError("--codes and --model CODEBOOK belong together")
        if codes and (settings != Settings("foleygan", False) or npy or rainbowgram):
            raise ValueError(
                "--codes takes no --front-end, --png, --npy, --rainbowgram, --statistics or --fit"
            )
        suffix, writes = (_npy_suffix(front_end_name), {".npy"}) if npy else (SUFFIX, {".npz"})
        if codes:
            suffix = codes_mode.SUFFIX
        batch = Batch(
            inputs, output, MEDIA_SUFFIXES, suffix, writes,
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
            beside=[(png, ".png")], once=[fit], keeps=[statistics],
        )  # fmt: skip
        if codes:
            codes_mode.encode_clips(console, batch, model or [])
            return
        if rainbowgram:
            if png or npy or statistics or fit or front_end_name != "foleygan":
                raise ValueError(
                    "--rainbowgram takes no --front-end, --png, --npy, --statistics or --fit"
                )
            rainbowgrams(console, batch)
            return
        if bool(statistics or fit) != (front_end_name == "specgan") or (statistics and fit):
            raise ValueError(
                "the front end specgan, and no other, needs --statistics FILE or --fit FILE"
            )
        if fit and not dry_run:
            check_plan(batch)
            _fit(console, batch, fit)
        uses = [Path(settings.statistics)] if settings.statistics and not dry_run else []
        run_batch(console, batch, partial(transform, png=png), settings, uses=uses)


def transform(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None, *, png: str
) -> dict[str, Any]:
    """Transform one clip's sound."""
    from foleycli.files.atomic import make_parents
    from foleycli.files.growing import GrowingArrays
    from foleycli.spectrograms import KIND, about

    front = _front_end(settings)
    heard = _Heard(job.clip.path, front)
    measured = front.measure(heard.sound())
    make_parents(job.output)
    with GrowingArrays(front.time_axis, job.output.parent) as arrays:
        for piece in front.encode(heard.sound(), measured):
            arrays.append(piece)
        samples = front.samples_kept(heard.samples)
        if png:
            title = f"{job.clip.path.name} ({front.name})"
            drawing = job.companion(png, ".png")
            _draw(drawing, front, arrays, measured, title, samples / front.rate_hz)
        if job.output.suffix == ".npy":
            arrays.save_npy(job.output, front.main)
        else:
            arrays.save(
                job.output,
                kind=KIND,
                meta={**meta, **about(front, samples, measured)},
                constants=front.constants(),
            )
        shape = arrays.shape(front.main)
    return {"shape": list(shape), "duration_s": round(samples / front.rate_hz, 6)}


def _named(path: Path, sound: Iterator[NDArray[np.floating]]) -> Iterator[NDArray[np.floating]]:
    """Say in which of many sounds something is wrong."""
    try:
        yield from sound
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


class _Heard:
    """A clip's sound, which may be heard more than once, and how long it was."""

    def __init__(self, path: Path, front: FrontEnd) -> None:
        self._path, self._front = path, front
        self.samples = 0

    def sound(self) -> Iterator[NDArray[np.floating]]:
        """Yield the sound in blocks; ValueError when it is empty or not finite."""
        import numpy as np

        from foleycli.media.chain import sound_blocks

        self.samples = 0
        for block in sound_blocks(self._path, self._front.rate_hz, self._front.chain):
            wrong = int(np.count_nonzero(~np.isfinite(block)))
            if wrong:
                second = self.samples / self._front.rate_hz
                raise ValueError(f"{wrong} samples near {second:.1f} s are NaN or infinite")
            self.samples += len(block)
            if not self._front.streamed and self.samples > _MOST_WHOLE_S * self._front.rate_hz:
                raise ValueError(
                    f"{self._front.name} transforms a sound whole, which is kept to "
                    f"{_MOST_WHOLE_S // 60} minutes; cut it, or take a front end that streams"
                )
            yield block
        if not self.samples:
            raise ValueError("the sound is empty (0 samples)")


def _draw(
    path: Path,
    front: FrontEnd,
    arrays: GrowingArrays,
    measured: Mapping[str, float],
    title: str,
    duration_s: float,
) -> None:
    """Draw what has been made, at no more columns than the drawing has."""
    from foleycli.drawing import draw_spectrogram, gather

    pool = max(1, -(-arrays.shape(front.main)[front.time_axis] // _DRAWN_COLUMNS))
    pieces = (
        front.levels({**piece, **front.constants()}, measured) for piece in arrays.pieces(64 * pool)
    )
    draw_spectrogram(path, gather(pieces, pool), title=title, duration_s=duration_s)


def _front_end(settings: Settings) -> FrontEnd:
    """Return the front end, with its statistics where it has some."""
    from foleycli.dsp.front_ends.table import front_end

    front = front_end(settings.front_end)
    if not settings.statistics:
        return front
    from foleycli.files.arrays import load_arrays

    return front.with_constants(load_arrays(settings.statistics, kind=_STATISTICS)[0])


def _fit(console: Console, batch: Batch, path: str) -> None:
    """Make the statistics of all the inputs, whatever the shard."""
    from foleycli.dsp.front_ends.specgan import SPECGAN, accumulate
    from foleycli.files.arrays import save_arrays
    from foleycli.files.provenance import file_sha256

    clips = collect(batch.inputs, batch.reads)
    with console.progress("statistics", unit="clip") as progress:

        def sounds() -> Iterator[Iterator[NDArray[np.floating]]]:
            for done, clip in enumerate(clips, 1):
                yield _named(clip.path, _Heard(clip.path, SPECGAN).sound())
                if progress:
                    progress(done, len(clips))

        found = accumulate(SPECGAN, sounds())
    made_of = [{"name": clip.id, "sha256": file_sha256(clip.path)} for clip in clips]
    arrays = {"mean": found.mean, "std": found.std}
    meta = {"front_end": SPECGAN.as_dict(), "inputs": made_of}
    save_arrays(path, arrays, kind=_STATISTICS, meta=meta)
    console.note(f"{path}: statistics of {len(clips)} sounds")


def _known(name: str) -> str:
    if name not in SUMMARIES:
        raise ValueError(f"unknown front end {name!r}; choose one of: {', '.join(SUMMARIES)}")
    return name


def _npy_suffix(name: str) -> str:
    from foleycli.dsp.front_ends.table import front_end

    return front_end(name).npy_suffix
