"""``foley train vocoder``: sounds -> a MelGAN that turns SpecVQGAN's mels into sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from foleycli.cli import options
from foleycli.cli.train import Classes, Continue, DryRun, Json, Run, Seed, Where, training
from foleycli.cli.train_mels import (
    RUN_FILES,
    Accumulate,
    Batch,
    Order,
    Patience,
    Short,
    ShortOption,
    Sounds,
    Steps,
    ValidateEvery,
    carry_out,
)

if TYPE_CHECKING:
    from foleycli.training.data import Example

EPILOG = f"""\b
Examples:
  foley train vocoder sounds/ -o vocoder/
  foley train vocoder manifest.csv -o vocoder/ --where tier=free
  foley train vocoder sounds/ -o vocoder/ --preset paper --device cuda
  foley train vocoder sounds/ -o vocoder/ --resume
  torchrun --nproc-per-node 2 -m foleycli train vocoder sounds/ -o vocoder/
{RUN_FILES}"""


def vocoder(
    data: Sounds,
    run: Run,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="Size: smoke, mini, small or paper.")
    ] = "mini",
    starts_at: Annotated[
        int | None,
        typer.Option(
            "--discriminator-from",
            min=0,
            metavar="STEP",
            help="First step with discriminators.",
            show_default="the preset's",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", min=0, metavar="X", help="Learning rate.", show_default="the preset's"
        ),
    ] = None,
    mel: Annotated[
        float | None,
        typer.Option(
            "--mel",
            min=0,
            metavar="X",
            help="Factor on the difference of mels in the generator's loss; the paper has 0.",
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
    """Train MelGAN on SpecVQGAN's mels: it turns what the codebook draws into sound.

    Any sounds will do. The model kept is the one whose sounds have the mels nearest to those of the
    split valid; told is their mean difference (0.01 is 1 dB). Ctrl-C saves and stops. Started by
    torchrun, several processes, each with a GPU or on a CPU, share out every batch, and the result
    is the same.
    """
    with training("train vocoder", quiet=quiet, verbose=verbose) as console:
        from foleycli.training.mel_data import load_waves
        from foleycli.training.vocoder import VocoderTrainer, least_samples
        from foleycli.training.vocoder_recipe import VocoderRecipe
        from foleycli.training.vocoder_recipe import preset as resolved

        def recipe_for(examples: list[Example]) -> VocoderRecipe:
            return resolved(
                preset,
                len(examples),
                short=short.value,
                starts_at=starts_at,
                rate=rate,
                mel=mel,
                steps=steps,
                batch=batch,
                accumulate=accumulate,
                validate_every=validate_every,
                patience=patience,
            )

        def trainer_for(
            recipe: VocoderRecipe, examples: list[Example], judged: list[Example], on: str
        ) -> VocoderTrainer:
            with console.progress("loading", unit="clip") as progress:
                sounds = [*examples, *judged]
                waves = load_waves(sounds, least_samples(recipe), recipe.short, progress)
            split = len(examples)
            return VocoderTrainer(recipe, waves[:split], waves[split:], seed, on)

        order = Order(
            "train vocoder", data, run, classes, where, seed, device, resume, dry_run, as_json
        )
        carry_out(console, order, recipe_for, trainer_for)
