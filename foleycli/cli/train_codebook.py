"""``foley train codebook``: sounds -> SpecVQGAN's codebook of their mels."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
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
from foleycli.files.provenance import file_sha256

if TYPE_CHECKING:
    from foleycli.training.data import Example

EPILOG = f"""\b
Examples:
  foley train codebook sounds/ -o codebook/
  foley train codebook manifest.csv -o codebook/ --where tier=free
  foley train vggishish sounds/ -o ears/
  foley train codebook sounds/ -o codebook/ --lpaps ears/model.safetensors
  foley train codebook sounds/ -o codebook/ --preset paper --device cuda --accumulate 2
  foley train codebook sounds/ -o codebook/ --resume
  torchrun --nproc-per-node 2 -m foleycli train codebook sounds/ -o codebook/
{RUN_FILES}"""


class LpapsWeights(StrEnum):
    """What ``--lpaps-weights`` takes."""

    uniform = "uniform"
    none = "none"


def codebook(
    data: Sounds,
    run: Run,
    preset: Annotated[
        str,
        typer.Option(
            "--preset", metavar="NAME", help="Size: smoke, mini, small, paper (VGGSound's) or vas."
        ),
    ] = "mini",
    lpaps: Annotated[
        Path | None,
        typer.Option(
            "--lpaps",
            metavar="FILE",
            help="Also compare mels as this VGGish-ish hears them: of foley train vggishish, or "
            "imported.",
            show_default=False,
        ),
    ] = None,
    lpaps_weights: Annotated[
        LpapsWeights,
        typer.Option(
            "--lpaps-weights",
            help="Take the mean over its channels, or their sum (the paper's equation).",
        ),
    ] = LpapsWeights.uniform,
    starts_at: Annotated[
        int | None,
        typer.Option(
            "--discriminator-from",
            min=0,
            metavar="STEP",
            help="First step with a discriminator.",
            show_default="the preset's",
        ),
    ] = None,
    adversarial: Annotated[
        float | None,
        typer.Option(
            "--discriminator-weight",
            min=0,
            metavar="X",
            help="Weight of what it says; the paper has 0.8.",
            show_default="the preset's",
        ),
    ] = None,
    base_rate: Annotated[
        float | None,
        typer.Option(
            "--base-rate",
            min=0,
            metavar="X",
            help="Learning rate for a batch of one; it grows with the batch.",
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
    """Train SpecVQGAN's codebook, which writes a mel spectrogram as a few codes and draws it again.

    Any sounds will do. The model kept is the one that draws the split valid best, once the
    discriminator is heard; told of it are the mean difference of mels (0.01 is 1 dB), the codes'
    perplexity, and how many are never used. Ctrl-C saves and stops. Started by torchrun, several
    processes, each with a GPU or on a CPU, share out every batch, and the result is the same.
    """
    with training("train codebook", quiet=quiet, verbose=verbose) as console:
        from foleycli.training.codebook import CodebookTrainer
        from foleycli.training.codebook_perceptual import load_lpaps
        from foleycli.training.codebook_recipe import CodebookRecipe
        from foleycli.training.codebook_recipe import preset as resolved
        from foleycli.training.mel_data import load_mels, row_statistics

        def recipe_for(examples: list[Example]) -> CodebookRecipe:
            return resolved(
                preset,
                len(examples),
                short=short.value,
                starts_at=starts_at,
                adversarial=adversarial,
                base_rate=base_rate,
                steps=steps,
                batch=batch,
                accumulate=accumulate,
                validate_every=validate_every,
                patience=patience,
                lpaps=lpaps_weights.value if lpaps else None,
                lpaps_sha256=file_sha256(lpaps) if lpaps else None,
            )

        def trainer_for(
            recipe: CodebookRecipe, examples: list[Example], judged: list[Example], on: str
        ) -> CodebookTrainer:
            with console.progress("loading", unit="clip") as progress:
                mels = load_mels([*examples, *judged], recipe.sight, progress)
            mels, others = mels[: len(examples)], mels[len(examples) :]
            ears = None
            if lpaps:
                ears, own_rows = load_lpaps(lpaps, lpaps_weights.value, row_statistics(mels))
                if not own_rows:
                    console.note(f"{lpaps}: has no statistics of rows; those of DATA are taken")
            return CodebookTrainer(recipe, mels, others, seed, on, ears)

        order = Order(
            "train codebook", data, run, classes, where, seed, device, resume, dry_run, as_json
        )
        carry_out(console, order, recipe_for, trainer_for)
