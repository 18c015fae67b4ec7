"""``foley train melception`` and ``foley train vggishish``: SpecVQGAN's classifiers of mels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from foleycli.cli import options
from foleycli.cli.train import Classes, Continue, Data, DryRun, Json, Run, Seed, Where, training
from foleycli.cli.train_mels import (
    RUN_FILES,
    Accumulate,
    Batch,
    Order,
    Patience,
    Short,
    ShortOption,
    Steps,
    ValidateEvery,
    carry_out,
)

if TYPE_CHECKING:
    from foleycli.training.data import Example
    from foleycli.training.mel_classifier_recipe import Kind

_TOLD = """

The model kept is the one of least cross-entropy on the split valid; told of it are how often it is
right, how often the class is among its five likeliest, and over the classes the mean average
precision and the mean area under the curve of hits over false alarms. Where nothing is held out it
is the latest. Ctrl-C saves and stops. Started by torchrun, several processes, each with a GPU or on
a CPU, share out every batch, and the result is the same."""
_ABOUT = {
    "melception": "Train Melception, the Inception network that SpecVQGAN's metrics listen with.",
    "vggishish": "Train VGGish-ish, the VGG that foley train codebook --lpaps listens with.",
}


def _epilog(kind: Kind) -> str:
    return f"""\b
Examples:
  foley train {kind} sounds/ -o run/
  foley train {kind} manifest.csv -o run/ --where tier=free --classes rain,dog
  foley train {kind} sounds/ -o run/ --preset paper --device cuda
  foley train {kind} sounds/ -o run/ --resume
  torchrun --nproc-per-node 2 -m foleycli train {kind} sounds/ -o run/
{RUN_FILES}"""


MELCEPTION, VGGISHISH = _epilog("melception"), _epilog("vggishish")


def mel_classifier(kind: Kind) -> Callable[..., None]:
    """Make the command of one of the two."""

    def train_one(
        data: Data,
        run: Run,
        preset: Annotated[
            str, typer.Option("--preset", metavar="NAME", help="Size: smoke, mini, small or paper.")
        ] = "mini",
        rate: Annotated[
            float | None,
            typer.Option(
                "--rate", min=0, metavar="X", help="Learning rate.", show_default="the preset's"
            ),
        ] = None,
        weight_decay: Annotated[
            float | None,
            typer.Option(
                "--weight-decay",
                min=0,
                metavar="X",
                help="Adam's weight decay.",
                show_default="the preset's",
            ),
        ] = None,
        classes: Classes = "",
        where: Where = [],  # noqa: B006 (Typer reads the default, nobody writes it)
        short: ShortOption = Short.loop,
        steps: Steps = None,
        batch: Batch = None,
        accumulate: Accumulate = None,
        validate_every: ValidateEvery = None,
        patience: Patience = None,
        seed: Seed = 0,
        device: options.DeviceOption = options.Device.auto,
        resume: Continue = False,
        dry_run: DryRun = False,
        as_json: Json = False,
        quiet: options.Quiet = False,
        verbose: options.Verbose = False,
    ) -> None:
        name = f"train {kind}"
        with training(name, quiet=quiet, verbose=verbose) as console:
            from foleycli.cli.train import class_names
            from foleycli.training.mel_classifier import LabelledMels, MelClassifierTrainer
            from foleycli.training.mel_classifier_recipe import MelClassifierRecipe
            from foleycli.training.mel_classifier_recipe import preset as resolved
            from foleycli.training.mel_data import load_mels

            def recipe_for(examples: list[Example]) -> MelClassifierRecipe:
                return resolved(
                    kind,
                    preset,
                    [example.label for example in examples],
                    classes=class_names(classes),
                    short=short.value,
                    learning_rate=rate,
                    weight_decay=weight_decay,
                    steps=steps,
                    batch=batch,
                    accumulate=accumulate,
                    validate_every=validate_every,
                    patience=patience,
                )

            def trainer_for(
                recipe: MelClassifierRecipe, examples: list[Example], judged: list[Example], on: str
            ) -> MelClassifierTrainer:
                def labelled(some: list[Example]) -> LabelledMels:
                    with console.progress("loading", unit="clip") as progress:
                        mels = load_mels(some, recipe.sight, progress)
                    return LabelledMels.of(mels, some, recipe.classes)

                return MelClassifierTrainer(recipe, labelled(examples), labelled(judged), seed, on)

            order = Order(
                *(name, data, run, classes, where, seed, device, resume, dry_run, as_json),
                labelled=True,
            )
            carry_out(console, order, recipe_for, trainer_for)

    train_one.__name__ = kind
    train_one.__doc__ = _ABOUT[kind] + _TOLD
    return train_one


melception = mel_classifier("melception")
vggishish = mel_classifier("vggishish")
