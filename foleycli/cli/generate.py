"""``foley generate``: a clip's picture -> a sound that fits it, alone or under the picture."""

from __future__ import annotations

import os
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

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
        str,
        typer.Option(
            "--model", metavar="NAME|PATH", help="Generator: a shipped name, file or run folder."
        ),
    ] = "foleygan",
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
    """
    with command("generate", quiet=quiet, verbose=verbose) as console:
        settings = Settings(
            label, seed, truncation, model, timing, recognition, source, renderer, codec,
            mix_gain if mix is Mix.original else None,
            "cpu" if dry_run else options.torch_device(device),
        )  # fmt: skip
        batch = Batch(
            inputs, output, VIDEO_SUFFIXES, f".{format_}", SOUND_SUFFIXES | PICTURE_SUFFIXES,
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
            beside=[(save_actions, ".csv"), (save_spectrogram, ".spec.npz")],
        )  # fmt: skip
        extras = Extras(actions, save_actions, save_spectrogram)
        written = [path for path in (output, save_actions, save_spectrogram) if path]
        if len({os.path.normpath(path) for path in written if not path.endswith("/")}) < sum(
            not path.endswith("/") for path in written
        ):
            raise ValueError("two outputs have one name; give each its own")
        if mix is Mix.original and Path(output).suffix.lower() in SOUND_SUFFIXES:
            raise ValueError(f"--mix original needs a video output, not {output}")
        uses = [] if dry_run else files_used(settings, extras)
        if not dry_run and label != "auto":
            sound_generator(model, settings.device).check_class(label)
        run_batch(console, batch, partial(sound_clip, extras=extras), settings, uses=uses)
