"""``foley train sound2scene``: sounds and pictures -> a model that draws what is heard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.console import Console, print_json
from foleycli.cli.pair_source import PairSource
from foleycli.cli.train import (
    FILES,
    Continue,
    DryRun,
    Json,
    Run,
    Seed,
    digest_of,
    finish,
    provenance_of,
    training,
)
from foleycli.cli.train_pairs import (
    Batch,
    Clips,
    Moments,
    Pictures,
    PicturesWhere,
    Same,
    SoundClasses,
    Sounds,
    Steps,
    WhereAny,
    stage_steps,
)
from foleycli.files.provenance import RunRecord

if TYPE_CHECKING:
    from foleycli.training.sound_pictures import SoundPictures

EPILOG = f"""\b
Examples:
  foley train sound2scene clips/ -o run/
  foley train sound2scene pairs/ -o run/   # cut by foley extract
  foley train sound2scene --sounds sounds/ --pictures photos/ --same rail=train -o run/
  foley train sound2scene clips/ -o run/ --preset paper --picture-encoder swav.safetensors
  foley train sound2scene --sounds sounds/ --pictures photos/ -o run/ \\
    --pictures-where 'licence=CC0*|MIT*'
  foley train sound2scene clips/ -o run/ --resume
{FILES}  RUN/state.pt           everything that --resume needs to go on exactly
  RUN/log.jsonl          losses, one line a step
"""


def sound2scene(
    run: Run,
    data: Clips = None,
    sounds: Sounds = None,
    pictures: Pictures = None,
    same: Same = "",
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="Size: smoke, mini or paper.")
    ] = "mini",
    classes: SoundClasses = "",
    where: WhereAny = [],  # noqa: B006 (Typer reads the default, nobody writes it)
    pictures_where: PicturesWhere = [],  # noqa: B006
    moments: Moments = None,
    picture_encoder: Annotated[
        str,
        typer.Option(
            "--picture-encoder",
            metavar="MODEL",
            help="What the pictures are described by: a model of the kind swav-resnet50, resnet50, "
            "recognition or sound2scene. Without it one is trained.",
            show_default=False,
        ),
    ] = "",
    teacher: Annotated[
        Path | None,
        typer.Option(
            "--teacher",
            metavar="FILE",
            help="SqueezeNet 1.0 weights (.safetensors) that the picture encoder learns from.",
            show_default=False,
        ),
    ] = None,
    steps: Steps = "",
    batch: Batch = None,
    seed: Seed = 0,
    device: options.DeviceOption = options.Device.auto,
    resume: Continue = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train Sound2Scene: sounds are put among pictures, from where an IC-GAN draws.

    Stages: picture (an encoder of pictures), sound (an encoder of ten seconds of sound, drawn to
    it) and gan. What the model makes of a split called valid is told in the end. Ctrl-C saves and
    stops; the last stage of a finished run may be made longer with --resume and more --steps.
    """
    with training("train sound2scene", quiet=quiet, verbose=verbose) as console:
        from dataclasses import replace

        from foleycli.training.hearing import SCENE
        from foleycli.training.picture_encoder import given_encoder
        from foleycli.training.recognition import read_teacher
        from foleycli.training.replicas import is_first, join
        from foleycli.training.sound2scene import Sound2SceneCourse
        from foleycli.training.sound2scene_recipe import preset as resolved
        from foleycli.training.stages import train_stages

        if picture_encoder and teacher:
            raise ValueError("--picture-encoder is not trained, and so needs no --teacher")
        source = PairSource(
            *("sound2scene", data, sounds, pictures, same, classes),
            *(where, pictures_where, moments),
        )
        given = given_encoder(picture_encoder) if picture_encoder else None
        recipe = resolved(
            preset, steps=stage_steps(steps), batch=batch, given=given[:3] if given else None
        )
        recipe = replace(recipe, classes=tuple(source.classes))
        settings: dict[str, Any] = {"recipe": recipe.as_dict(), "seed": seed, **source.settings()}
        if dry_run:
            print_json(settings)
            return
        settings["device"] = join(options.torch_device(device))
        master = read_teacher(teacher) if teacher else None
        settings["data_sha256"] = digest_of([*source.files(), *([teacher] if teacher else [])])
        record = RunRecord("train sound2scene", settings)
        pairs = source.load(console, SCENE, recipe.loaded_pixels, recipe.fit)
        recipe = replace(recipe, classes=pairs.labels)
        console.note(
            f"{len(pairs.sounds)} sounds and {len(pairs.pictures)} pictures of "
            f"{len(pairs.labels)} classes: {', '.join(pairs.labels)}"
        )
        with console.progress("asking the teacher") as asking, console.training() as report:
            course = Sound2SceneCourse(
                *(recipe, pairs, seed, settings["device"]),
                encoder=given[3] if given else None,
                teacher=master,
                progress=asking,
            )
            if is_first():
                record.save(run / "run.json")
            about = {**provenance_of(settings), **source.settings()}
            model = train_stages(course, run, resume=resume, provenance=about, report=report)
        if not is_first():
            return
        valid = source.load_valid(console, SCENE, recipe.loaded_pixels, recipe.fit)
        finish(record, run, as_json, _validated(console, model, pairs, valid))


def _validated(
    console: Console, model: Path, train: SoundPictures, valid: SoundPictures | None
) -> dict[str, Any]:
    """Tell what the model makes of sounds and pictures it has not met."""
    from foleycli.checkpoints import load_checkpoint
    from foleycli.training.imagination_figures import known_labels, sound2scene_figures

    if valid is None:
        return {}
    try:
        found = sound2scene_figures(load_checkpoint(model), train, known_labels(train, valid))
    except ValueError as error:
        console.note(f"not validated: {error}")
        return {}
    console.note(
        f"valid: {found['recall_at_1']:.3f} of {found['sounds']:.0f} sounds find a picture of "
        f"theirs first (by chance {found['chance_at_1']:.3f}); {found['drawn']:.3f} draw one, says "
        f"the picture encoder (by chance {found['chance_drawn']:.3f})"
    )
    return {"valid": found}
