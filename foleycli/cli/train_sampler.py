"""``foley train sampler``: sounds, a codebook -> what draws codes for a clip."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foleycli.cli import codes as codes_mode
from foleycli.cli import options
from foleycli.cli.console import Console
from foleycli.cli.inputs import MEDIA_SUFFIXES, collect
from foleycli.cli.train import (
    Classes,
    Continue,
    DryRun,
    Json,
    Run,
    Seed,
    Where,
    class_names,
    digest_of,
    training,
)
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
    from foleycli.sound_codes.loading import SoundCodes
    from foleycli.training.code_data import CodedSound
    from foleycli.training.data import Example
    from foleycli.training.sampler import SamplerTrainer
    from foleycli.training.sampler_recipe import SamplerRecipe

EPILOG = f"""\b
Examples:
  foley train sampler sounds/ -o sampler/ --codebook codebook/
  foley train sampler clips/ -o sampler/ --codebook codebook/ --features features/
  foley train sampler clips/ -o sampler/ --codebook codebook/ --features features/ \\
      --condition features+class --count 212
  foley train sampler sounds/ -o sampler/ --codebook codebook/ --condition none
  foley train sampler vas/ -o sampler/ --codebook codebook.safetensors --preset vas --device cuda
  foley train sampler sounds/ -o sampler/ --codebook codebook/ --resume
  torchrun --nproc-per-node 2 -m foleycli train sampler sounds/ -o sampler/ --codebook codebook/
  foley generate clip.mp4 -o clip.wav --system specvqgan --model sampler/ --model codebook/
{RUN_FILES}  RUN/codes/             codes of the sounds, by their SHA-256, so that a second run
                         starts at once

\\b
Features:
  DIR/ID.features.npz is that of the clip ID, as foley extract DATA -o DIR/ names it:
  of DATA/train/rain/a.mp4 it is DIR/train/rain/a.features.npz. SpecVQGAN's own see the
  features of foley extract --backbone; those of foley extract alone will do, too.
"""
_SUFFIX = ".features.npz"
_OWN_BACKBONE = "recognition"  # which foley extract itself does not name
_COUNT = 5


class Condition(StrEnum):
    """What ``--condition`` takes."""

    features = "features"
    label = "class"
    both = "features+class"
    none = "none"


def sampler(
    data: Sounds,
    run: Run,
    codebook: Annotated[
        str,
        typer.Option(
            "--codebook",
            metavar="PATH",
            help="Whose codes to learn: a file or run folder, of foley train codebook or imported.",
            show_default=False,
        ),
    ],
    features: Annotated[
        Path | None,
        typer.Option(
            "--features",
            metavar="DIR",
            help="Folder of the clips' features, of foley extract.",
            show_default=False,
        ),
    ] = None,
    condition: Annotated[
        Condition | None,
        typer.Option(
            "--condition",
            help="What it is told of a clip; none is noise, as in the paper.",
            show_default="features with --features, else class",
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            min=1,
            metavar="N",
            help="How many of a window's features it sees, evenly picked: 1, 5 and 212 in the "
            "paper.",
            show_default=str(_COUNT),
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            "--preset", metavar="NAME", help="Size: smoke, mini, small, paper (VGGSound's) or vas."
        ),
    ] = "mini",
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
    """Train SpecVQGAN's sampler, which draws the codes of a sound for a clip.

    Each sound is encoded once by the codebook; the sampler learns to tell each code from those
    before it and from what it is told of the clip: its features, its class, both, or nothing. The
    model kept is the one of least loss on the split valid, and the run ends when that has not
    fallen for a while. Ctrl-C saves and stops. Started by torchrun, several processes, each with a
    GPU or on a CPU, share out every batch, and the result is the same.
    """
    with training("train sampler", quiet=quiet, verbose=verbose) as console:
        from foleycli.training.sampler_recipe import FeatureForm
        from foleycli.training.sampler_recipe import preset as resolved

        told = condition or (Condition.features if features else Condition.label)
        seen = None
        if "features" not in told and (features or count):
            raise ValueError(f"--features and --count are not for --condition {told}")
        if "features" in told:
            if features is None:
                raise ValueError(f"--condition {told} needs --features DIR; foley extract makes it")
            seen = _Features(data, features)

        def recipe_for(examples: list[Example]) -> SamplerRecipe:
            models = codes_mode.sound_codes((codebook,), ("codebook",))
            form = FeatureForm(*seen.form(examples), count or _COUNT) if seen else None
            labels = {example.label for example in examples}
            return resolved(
                preset,
                len(examples),
                codes_mode.codebook_of(models).grid.config,
                told.value,
                classes=(class_names(classes) or sorted(labels)) if "class" in told else (),
                features=form,
                short=short.value,
                codebook_sha256=models.codebook_sha256,
                base_rate=base_rate,
                steps=steps,
                batch=batch,
                accumulate=accumulate,
                validate_every=validate_every,
                patience=patience,
            )

        def trainer_for(
            recipe: SamplerRecipe, examples: list[Example], judged: list[Example], on: str
        ) -> SamplerTrainer:
            from foleycli.training.sampler import SamplerTrainer

            models = codes_mode.sound_codes((codebook,), ("codebook",), on)
            column_s = codes_mode.codebook_of(models).grid.column_s
            sounds = _coded(console, [*examples, *judged], models, recipe, run / "codes", seen)
            mine, others = sounds[: len(examples)], sounds[len(examples) :]
            return SamplerTrainer(recipe, mine, others, column_s, seed, on)

        order = Order(
            *("train sampler", data, run, classes, where, seed, device, resume, dry_run, as_json),
            labelled="class" in told,
        )
        carry_out(console, order, recipe_for, trainer_for)


class _Features:
    """Where the features of clips lie."""

    def __init__(self, data: Path, folder: Path) -> None:
        names = {clip.path: clip.id for clip in collect([data], MEDIA_SUFFIXES)}
        self._files = {path: folder / f"{name}{_SUFFIX}" for path, name in names.items()}

    def of(self, examples: list[Example]) -> list[Path]:
        return [self._files[example.path] for example in examples]

    def form(self, examples: list[Example]) -> tuple[str, int, str]:
        """Return backbone, width, and the hash of all; those of the first stand for all."""
        from foleycli.training.code_data import read_tracks

        files = self.of(examples)
        missing = [str(file) for file in files if not file.is_file()]
        if missing:
            raise ValueError(
                f"{missing[0]}: no such features ({len(missing)} of {len(files)} are missing); "
                "foley extract DATA -o DIR/ makes them"
            )
        track = next(read_tracks(files))
        return track.backbone or _OWN_BACKBONE, track.values.shape[1], digest_of(files)


def _coded(
    console: Console,
    examples: list[Example],
    models: SoundCodes,
    recipe: SamplerRecipe,
    folder: Path,
    features: _Features | None,
) -> list[CodedSound]:
    """Encode sounds, and put to each its class and features."""
    from dataclasses import replace

    from foleycli.training.code_data import encode_sounds, read_tracks

    codec = codes_mode.codebook_of(models)
    with console.progress("encoding", unit="clip") as progress:
        sounds = encode_sounds(
            examples, codec, models.codebook_sha256, recipe.sight, folder, progress
        )
    if recipe.classes:
        numbers = {name: number for number, name in enumerate(recipe.classes)}
        sounds = [
            replace(sound, label=numbers[example.label])
            for sound, example in zip(sounds, examples, strict=True)
        ]
    if features is None:
        return sounds
    size, column_s = recipe.network, codec.grid.column_s
    with console.progress("features", unit="clip") as progress:
        return [
            replace(sound, track=track).condensed(size.columns, column_s, size.features)
            for sound, track in zip(
                sounds, read_tracks(features.of(examples), progress), strict=True
            )
        ]
