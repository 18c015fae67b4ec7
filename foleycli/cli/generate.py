"""``foley generate``: a clip's picture -> a sound that fits it, alone or under the picture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from foleycli.cli import codes as codes_mode
from foleycli.cli import generate_codes as by_codes
from foleycli.cli import generate_options as choices
from foleycli.cli import options
from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import command
from foleycli.cli.dubbing import (
    PICTURE_SUFFIXES,
    SOUND_SUFFIXES,
    Extras,
    Settings,
    files_used,
    sound_clip,
)
from foleycli.cli.generate_conditions import Settings as CodeSettings
from foleycli.cli.inputs import VIDEO_SUFFIXES
from foleycli.cli.models import sound_generator

EPILOG = """\b
Examples:
  foley generate clip.mp4 -o clip.wav
  foley generate clip.mp4 -o dubbed.mp4 --class footstep --seed 3
  foley generate clip.mp4 -o dubbed.mkv --mix original --mix-gain -6
  foley generate clip.mp4 -o clip.wav --save-actions clip.txt
  foley generate clip.mp4 -o clip.wav --actions clip.txt --class chopping
  foley generate clips/ -o sounds/ --format mp4 -j 2
  foley generate clip.mp4 -o clip.wav --system specvqgan --model sampler/ --model codebook/
  foley generate clips/ -o out/ --system specvqgan --model s/ --model c/ --features features/

\b
SpecVQGAN (--system specvqgan):
  --model SAMPLER --model CODEBOOK, and a vocoder's, without which phases are searched
  for; a published sampler brings its codebook. Its condition is what it was trained
  on: features, a class, both, or nothing. A sampler of this package's own recogniser
  needs no --features. Sounds longer than its window (9.8 s) are drawn through one that
  slides, and features go along with it. --prime SECONDS gives back the clip's own
  beginning as the codebook draws it. Every sample and candidate has a seed of its own.

\b
Files:
  Events are CSV with the header time,strength,label (seconds, 0 to 1), or an Audacity label
  track (.txt). Videos are copied packet by packet; the sound has the picture's exact duration.
"""


class Renderer(StrEnum):
    """What draws the sound."""

    auto = "auto"
    gan = "gan"
    texture = "texture"


class Mix(StrEnum):
    """What becomes of the clip's own sound."""

    none = "none"
    original = "original"


class Format(StrEnum):
    """Kind of file written into a folder."""

    wav = "wav"
    flac = "flac"
    mp4 = "mp4"
    mov = "mov"
    mkv = "mkv"
    webm = "webm"


def generate(
    inputs: options.Inputs,
    output: options.Output,
    label: Annotated[
        str,
        typer.Option(
            "--class", metavar="NAME", help="What makes the sound; auto looks for itself."
        ),
    ] = "auto",
    seed: options.Seed = 0,
    truncation: Annotated[
        float | None,
        typer.Option(
            "--truncation",
            metavar="X",
            help="Redraw noise beyond X (try 0.5 to 2): less variety, fewer failures.",
            show_default="off",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME|PATH",
            help="Generator: a shipped name, file or run folder; for specvqgan one a part.",
            show_default="foleygan",
        ),
    ] = None,
    system: choices.SystemOption = choices.System.foleygan,
    timing: options.TimingModel = "timing",
    recognition: options.RecognitionModel = "recognition",
    actions: Annotated[
        str,
        typer.Option(
            "--actions",
            metavar="PATH",
            help="Use these events instead of the detected ones: a file, or a folder of CLIP.csv.",
            show_default=False,
        ),
    ] = "",
    save_actions: Annotated[
        str,
        typer.Option(
            "--save-actions",
            metavar="PATH",
            help="Write the events that were used: .csv or .txt (Audacity), or a folder.",
            show_default=False,
        ),
    ] = "",
    source: options.ActionSourceOption = options.ActionSource.timing,
    save_spectrogram: Annotated[
        str,
        typer.Option(
            "--save-spectrogram",
            metavar="PATH",
            help="Write the spectrogram drawn: .spec.npz or .png, or a folder.",
            show_default=False,
        ),
    ] = "",
    renderer: Annotated[
        Renderer,
        typer.Option(
            "--renderer",
            help="The GAN, class-shaped noise, or the better of the two for the class.",
        ),
    ] = Renderer.auto,
    mix: Annotated[
        Mix,
        typer.Option("--mix", help="Keep the clip's own sound under the new one (video outputs)."),
    ] = Mix.none,
    mix_gain: Annotated[
        float,
        typer.Option("--mix-gain", metavar="DB", help="Gain of the clip's own sound with --mix."),
    ] = 0.0,
    features: choices.Features = "",
    top_x: choices.TopX = None,
    temperature: choices.Temperature = 1.0,
    samples: choices.Samples = 1,
    prime: choices.Prime = 0.0,
    candidates: choices.Candidates = 1,
    rank: choices.RankOption = None,
    rank_model: choices.RankModel = "classifier",
    precision: choices.PrecisionOption = choices.Precision.float32,
    save_codes: choices.SaveCodes = "",
    codec: Annotated[
        str,
        typer.Option(
            "--codec",
            metavar="NAME",
            help="Of the soundtrack in a video: auto, aac, flac, alac, opus, pcm.",
        ),
    ] = "auto",
    format_: Annotated[
        Format, typer.Option("--format", help="Kind of file written when -o is a folder.")
    ] = Format.wav,
    device: options.DeviceOption = options.Device.auto,
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
    """Make a sound for a silent clip.

    The picture is watched once: optical flow and a small network say when something sounds, a
    recogniser says what (or say it with --class). A generator draws the spectrogram of a sound of
    that class with those events, which is inverted to a waveform as long as the picture.

    The recogniser knows few things and says so when it is unsure; then use --class.

    With --system specvqgan a transformer draws codes of a codebook, seeing features of the clip,
    which are decoded to a mel spectrogram and vocoded.
    """
    with command("generate", quiet=quiet, verbose=verbose) as console:
        by_specvqgan = system is choices.System.specvqgan
        own = {
            "--features": features, "--top-x": top_x, "--temperature": temperature != 1.0,
            "--samples": samples > 1, "--prime": prime, "--candidates": candidates > 1,
            "--rank": rank, "--rank-model": rank_model != "classifier",
            "--precision": precision is not choices.Precision.float32, "--save-codes": save_codes,
        }  # fmt: skip
        others = {
            "--truncation": truncation is not None, "--actions": actions,
            "--save-actions": save_actions, "--renderer": renderer is not Renderer.auto,
            "--action-source": source is not options.ActionSource.timing,
        }  # fmt: skip
        _refuse(others if by_specvqgan else own, system)
        if not by_specvqgan and model and len(model) > 1:
            raise ValueError("--system foleygan takes one --model")
        place = "cpu" if dry_run else options.torch_device(device)
        gain_db = mix_gain if mix is Mix.original else None
        generator = model[0] if model else "foleygan"
        settings = Settings(
            label, seed, truncation, generator, timing, recognition, source, renderer, codec,
            gain_db, place,
        )  # fmt: skip
        beside = [
            (save_actions, ".csv"), (save_spectrogram, ".spec.npz"),
            (save_codes, codes_mode.SUFFIX),
        ]  # fmt: skip
        batch = Batch(
            inputs, output, VIDEO_SUFFIXES, f".{format_}", SOUND_SUFFIXES | PICTURE_SUFFIXES,
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast, beside=beside,
        )  # fmt: skip
        written = [path for path in (output, *(path for path, _ in beside)) if path]
        if len({os.path.normpath(path) for path in written if not path.endswith("/")}) < sum(
            not path.endswith("/") for path in written
        ):
            raise ValueError("two outputs have one name; give each its own")
        if mix is Mix.original and Path(output).suffix.lower() in SOUND_SUFFIXES:
            raise ValueError(f"--mix original needs a video output, not {output}")
        if by_specvqgan:
            by_codes.generate_codes(
                console, batch,
                CodeSettings(
                    tuple(model or ()), label, seed, features, top_x, temperature, samples, prime,
                    candidates, rank.value if rank else "", rank_model, precision.value, timing,
                    recognition, codec, gain_db, place,
                ),
                by_codes.Extras(save_spectrogram, save_codes),
            )  # fmt: skip
            return
        extras = Extras(actions, save_actions, save_spectrogram)
        uses = [] if dry_run else files_used(settings, extras)
        if not dry_run and label != "auto":
            sound_generator(generator, settings.device).check_class(label)
        run_batch(console, batch, partial(sound_clip, extras=extras), settings, uses=uses)


def _refuse(given: Mapping[str, object], system: str) -> None:
    """Raise ValueError when options of the other system were given."""
    names = [name for name, value in given.items() if value]
    if names:
        raise ValueError(f"--system {system} takes no {', '.join(names)}")
