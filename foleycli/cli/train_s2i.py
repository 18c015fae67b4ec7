"""``foley train s2i``: sounds and pictures -> a model that draws each second of a sound."""

from __future__ import annotations

from enum import StrEnum
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
  foley train s2i clips/ -o run/
  foley train s2i pairs/ -o run/   # cut by foley extract
  foley train s2i --sounds sounds/ --pictures photos/ --same rail=train -o run/
  foley train s2i clips/ -o run/ --preset paper --d-every-unit epoch --device cuda
  foley train s2i --sounds sounds/ --pictures photos/ -o run/ \\
    --pictures-where 'licence=CC0*|MIT*'
  foley train s2i s2i_data/embeddings_512/ -o run/ --autoencoder autoencoder.safetensors
  foley train s2i clips/ -o run/ --resume
{FILES}  RUN/state.pt           everything that --resume needs to go on exactly
  RUN/log.jsonl          losses, one line a step
"""


class Unit(StrEnum):
    """What ``--d-every`` counts."""

    step = "step"
    epoch = "epoch"


def s2i(
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
    autoencoder: Annotated[
        str,
        typer.Option(
            "--autoencoder",
            metavar="MODEL",
            help="What writes the sounds down: a model of the kind s2i-autoencoder or s2i. Without "
            "it one is trained.",
            show_default=False,
        ),
    ] = "",
    d_every: Annotated[
        int | None,
        typer.Option(
            "--d-every",
            min=1,
            metavar="N",
            help="Update the discriminator once in so many.",
            show_default="the preset's",
        ),
    ] = None,
    d_every_unit: Annotated[
        Unit, typer.Option("--d-every-unit", help="What --d-every counts.")
    ] = Unit.step,
    averaged: Annotated[
        int | None,
        typer.Option(
            "--averaged",
            min=1,
            metavar="K",
            help="Epochs of the adversarial loss's moving average; its weight is divided by K.",
            show_default="the preset's",
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
    """Train Sound-to-Imagination: a second of sound is written down, and drawn from that.

    Stages: autoencoder (a second of sound to an embedding and back) and translator (a dense
    generator, beside a discriminator). What the model makes of a split called valid is told in the
    end. Ctrl-C saves and stops; the last stage of a finished run may be made longer with --resume
    and more --steps.

    Of the records that the authors published, pairs train both stages; sounds alone train the
    autoencoder, which RUN/model.safetensors then is; embeddings train the translator, and need the
    --autoencoder that wrote them.
    """
    with training("train s2i", quiet=quiet, verbose=verbose) as console:
        from dataclasses import replace

        from foleycli.training.hearing import SEGMENT
        from foleycli.training.replicas import is_first, join
        from foleycli.training.s2i_parts import S2IPartsCourse, given_autoencoder, recipe_for
        from foleycli.training.s2i_recipe import preset as resolved
        from foleycli.training.stages import train_stages

        source = PairSource(
            *("s2i", data, sounds, pictures, same, classes),
            *(where, pictures_where, moments),
        )
        recipe = resolved(
            preset,
            steps=stage_steps(steps),
            batch=batch,
            d_every=d_every,
            d_every_unit=str(d_every_unit),
            averaged=averaged,
        )
        recipe = replace(recipe, classes=tuple(source.classes))
        given = given_autoencoder(autoencoder) if autoencoder else None
        if given:
            recipe = recipe_for(recipe, given[0])
        settings: dict[str, Any] = {"recipe": recipe.as_dict(), "seed": seed, **source.settings()}
        if dry_run:
            print_json(settings)
            return
        settings["device"] = join(options.torch_device(device))
        settings["data_sha256"] = digest_of(source.files())
        record = RunRecord("train s2i", settings)
        side = recipe.pictures.pixels
        pairs = source.load(console, SEGMENT, side, recipe.fit)
        recipe = replace(recipe, classes=pairs.labels)
        console.note(
            f"{len(pairs.sounds)} seconds of sound and {len(pairs.pictures)} pictures of "
            f"{len(pairs.labels)} classes: {', '.join(pairs.labels)}"
        )
        course = S2IPartsCourse(recipe, pairs, seed, settings["device"], given=given)
        if len(course.steps) == 1:
            console.note("no pictures: only the autoencoder is trained")
        if is_first():
            record.save(run / "run.json")
        about = {**provenance_of(settings), **source.settings()}
        with console.training() as report:
            model = train_stages(course, run, resume=resume, provenance=about, report=report)
        if not is_first():
            return
        # What an autoencoder alone does, or does to embeddings, is not told by pictures.
        valid = None
        if course.drawn_from_sound:
            valid = source.load_valid(console, SEGMENT, side, recipe.fit)
        finish(record, run, as_json, _validated(console, model, pairs, valid))


def _validated(
    console: Console, model: Path, train: SoundPictures, valid: SoundPictures | None
) -> dict[str, Any]:
    """Tell what the model makes of sounds and pictures it has not met."""
    from foleycli.checkpoints import load_checkpoint
    from foleycli.training.imagination_figures import known_labels, s2i_figures

    if valid is None:
        return {}
    try:
        found = s2i_figures(load_checkpoint(model), known_labels(train, valid))
    except ValueError as error:
        console.note(f"not validated: {error}")
        return {}
    console.note(
        f"valid: mean squared error {found['mse']:.4f} to pictures that a sound belongs to, "
        f"{found['mse_shuffled']:.4f} to others"
    )
    return {"valid": found}
