"""``foley s2i``: a sound -> a picture of what it is the sound of."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import typer

from foleycli.cli import options
from foleycli.cli import s2i_options as choices
from foleycli.cli.batch import Batch, check_plan, run_batch
from foleycli.cli.console import Exit, command
from foleycli.cli.inputs import MEDIA_SUFFIXES
from foleycli.cli.s2i_drawing import Made, Settings, draw_clip
from foleycli.cli.s2i_preparing import gains, mixed_sound, numbers, prepare

EPILOG = """\b
Examples:
  foley s2i bark.wav -o dog.png
  foley s2i bark.wav -o dogs.png --samples 8 --truncation 0.7 --candidates 10
  foley s2i sounds/ -o pictures/ --library photos/ -j 2
  foley s2i rain.wav -o louder.png --gain-db -20,-10,0,10
  foley s2i rain.wav -o both.png --mix thunder.wav:-6 --mix-norm rms
  foley s2i rain.wav -o sweep.gif --mix fire.wav --mix-sweep 0:1:9
  foley s2i rain.wav -o morph.gif --interp fire.wav --steps 16 --slerp
  foley s2i waves.wav -o wilder.png --edit beach.jpg --edit-strength 0,1,2
  foley s2i clip.mp4 -o film.gif --system s2i --per-second

\b
Systems and decoders:
  sound2scene      hears the first 10 s (or one second) and draws from noise
  s2i              Sound-to-Imagination: hears one second, the loudest unless told;
                   what differs between its draws is dropout
  generator        draws a new picture
  retrieval        gives the picture of --library that is nearest: real, and closer
                   to the sound than a drawn one. auto takes it when there is a
                   --library. Needs the image part of a sound2scene model

\b
Several pictures:
  Values are a list, -20,0,10, or FROM:TO:COUNT. One control may have several; they
  make the columns, and --samples the rows, of a labelled sheet (.png) or the frames
  of an animation (.gif). The noise is the same all along a row.

\b
Files:
  A PNG tells in its text chunk foley, a GIF in its comment, how it was made, as
  JSON: system, models and input by SHA-256, seed, options. No clock: the same
  command makes the same bytes.
"""


def s2i(
    inputs: options.Inputs,
    output: options.Output,
    system: choices.System = choices.SystemName.auto,
    model: choices.Model = None,
    seed: options.Seed = 0,
    samples: choices.Samples = 1,
    truncation: choices.Truncation = None,
    candidates: choices.Candidates = None,
    decoder: choices.DecoderOption = choices.Decoder.auto,
    library: choices.Library = "",
    library_index: choices.LibraryIndex = "",
    gain_db: choices.GainDb = "",
    mix: choices.Mix = None,
    mix_norm: choices.MixNormOption = choices.MixNorm.none,
    mix_sweep: choices.MixSweep = "",
    interp: choices.Interp = "",
    steps: choices.Steps = 8,
    slerp: choices.Slerp = False,
    image: choices.Image = "",
    image_weight: choices.ImageWeight = "0.5",
    edit: choices.Edit = "",
    edit_gain: choices.EditGain = "10,-10",
    edit_strength: choices.EditStrength = "1",
    edit_steps: choices.EditSteps = 300,
    edit_kept: choices.EditKept = "",
    per_second: choices.PerSecond = False,
    segment: choices.Segment = None,
    no_dropout: choices.NoDropout = False,
    ref_level: choices.RefLevel = None,
    stretch: choices.Stretch = False,
    format_: choices.FormatOption = choices.Format.png,
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
    """Make a picture of a sound.

    The sound of any file is heard, brought into a space of pictures, and drawn by a generator or
    looked up among pictures of yours. Volume, mixtures, ways between two sounds, a picture beside
    the sound and photographs to edit are the controls that the two papers show.
    """
    with command("s2i", quiet=quiet, verbose=verbose) as console:
        from foleycli.imagination.columns import Controls

        sounds, mix_gains = zip(*map(mixed_sound, mix or []), strict=True) if mix else ((), ())
        of_edit = gains("--edit-gain", edit_gain)
        if len(of_edit) != 2:
            raise ValueError(f"--edit-gain {edit_gain}: give two gains, as 10,-10")
        controls = Controls(
            gains_db=gains("--gain-db", gain_db),
            mix_gains_db=mix_gains,
            mix_norm=mix_norm.value,
            mix_weights=numbers("--mix-sweep", mix_sweep),
            interpolation=tuple(k / (steps - 1) for k in range(steps)) if interp else (),
            slerp=slerp,
            image_weights=numbers("--image-weight", image_weight) if image else (),
            edit_gains_db=(of_edit[0], of_edit[1]) if edit else None,
            edit_strengths=numbers("--edit-strength", edit_strength),
            per_second=per_second,
            second=segment,
            reference_db=ref_level,
        )
        settings = Settings(
            models=tuple(model or ()), system=system.value, decoder=decoder.value,
            device="cpu" if dry_run else options.torch_device(device), seed=seed, samples=samples,
            truncation=truncation, candidates=candidates, dropout=not no_dropout, stretch=stretch,
            controls=controls, mix=sounds, interp=interp, image=image, edit=edit,
            edit_steps=edit_steps if edit else 0, library=library,
        )  # fmt: skip
        read = [*sounds, *(name for name in (interp, image, edit) if name)]
        with tempfile.TemporaryDirectory(prefix="foley-") as scratch:
            kept = edit_kept or (str(_beside(output, edit, scratch)) if edit else "")
            batch = Batch(
                inputs, output, MEDIA_SUFFIXES, f".{format_}", {".png", ".gif"},
                shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
                once=[library_index, kept], keeps=read,
            )  # fmt: skip
            if dry_run:
                run_batch(console, batch, partial(draw_clip, made=Made()), settings)
                return
            if Path("-") not in inputs:  # standard input can be read but once
                check_plan(batch)
            paths = [Path(name) for name in read]
            prepared = prepare(console, settings, Made(library_index, kept), Path(scratch))
            batch = replace(batch, keeps=[*read, *prepared.pictures])
            work = partial(draw_clip, made=prepared.made)
            run_batch(console, batch, work, prepared.settings, uses=[*prepared.models, *paths])
            if prepared.unreadable:
                raise typer.Exit(Exit.FAILED)


def _beside(output: str, photo: str, scratch: str) -> Path:
    """Say where an inversion is kept unless told: beside the output."""
    target = Path(output)
    folder = target.parent if target.suffix.lower() in (".png", ".gif") else target
    return (Path(scratch) if output == "-" else folder) / f"{Path(photo).stem}.inversion.npz"
