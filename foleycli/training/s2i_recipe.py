"""Sizes, rates and schedules of Sound-to-Imagination runs, from seconds to the paper's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from foleycli.models.audio_autoencoder import AutoencoderConfig
from foleycli.models.dense_generator import DenseGeneratorConfig
from foleycli.models.rc_discriminator import RCDiscriminatorConfig
from foleycli.training.sound2scene_recipe import stage_changes

STAGES = ("autoencoder", "translator")


@dataclass(frozen=True)
class AutoencoderRecipe:
    """How the autoencoder is trained: SGD, on the mean squared error.

    Attributes
    ----------
    labels
        Weight of the cross entropy of the classes, told from the embedding by one linear layer
        that is thrown away; 0 as published. Without it an embedding says how a second sounds, and
        not what.
    augment
        Whether segments are altered.
    """

    steps: int
    batch: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    labels: float = 0.0
    augment: bool = False


@dataclass(frozen=True)
class TranslatorRecipe:
    """How generator and discriminator are trained: SGD.

    Attributes
    ----------
    adversarial
        Weight of the adversarial loss beside the mean squared error.
    averaged
        Over how many epochs the adversarial loss is a moving average, the running one counted.
        Only what is computed now has a gradient, so that this divides ``adversarial``; the paper
        does not give it.
    d_every, d_every_unit
        The discriminator is updated in one step, or in one epoch, of so many.
    copies
        Altered copies of every segment whose embeddings are kept, besides its own.
    """

    steps: int
    batch: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.5
    adversarial: float = 0.1
    averaged: int = 5
    d_every: int = 5
    d_every_unit: Literal["step", "epoch"] = "step"
    copies: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be."""
        if self.d_every_unit not in ("step", "epoch"):
            raise ValueError(f"d_every_unit={self.d_every_unit!r}; choose step or epoch")
        if min(self.d_every, self.averaged) < 1:
            raise ValueError(
                f"d_every={self.d_every}, averaged={self.averaged}; both must be 1 or more"
            )


@dataclass(frozen=True)
class S2IRecipe:
    """Networks and stages of one run.

    Attributes
    ----------
    sounds, pictures, judge
        Autoencoder, generator and discriminator, of one embedding.
    autoencoder, translator
        The stages.
    fit
        How pictures come to the generator's square.
    save_every
        Steps between states that can be resumed.
    """

    sounds: AutoencoderConfig
    pictures: DenseGeneratorConfig
    judge: RCDiscriminatorConfig
    autoencoder: AutoencoderRecipe
    translator: TranslatorRecipe
    fit: str = "crop"
    save_every: int = 200
    classes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints; those that survive a round trip."""
        return {**asdict(self), "classes": list(self.classes)}


def _recipe(embedding: int, pixels: int, scale: float, *stages: Any, **rest: Any) -> S2IRecipe:
    return S2IRecipe(
        AutoencoderConfig(embedding, scale),
        DenseGeneratorConfig(embedding, pixels, scale),
        RCDiscriminatorConfig(embedding, pixels, scale),
        *stages,
        **rest,
    )


PRESETS = {
    "smoke": _recipe(
        *(16, 48, 0.02),
        AutoencoderRecipe(4, batch=8),
        TranslatorRecipe(4, batch=8, d_every=2, copies=1),
    ),
    "mini": _recipe(
        *(128, 48, 0.25),
        AutoencoderRecipe(1500, labels=0.1, augment=True),
        TranslatorRecipe(4000, copies=4),
    ),
    # 1000 and 4000 epochs of 48,945 pairs.
    "paper": _recipe(
        *(512, 96, 1.0),
        AutoencoderRecipe(765_000),
        TranslatorRecipe(3_060_000),
        save_every=1000,
    ),
}


def preset(
    name: str,
    *,
    steps: Sequence[int] = (),
    batch: int | None = None,
    **translator: Any,
) -> S2IRecipe:
    """Return a preset.

    Parameters
    ----------
    steps
        Of the stages, in their order; none for the preset's own.
    batch
        Of all stages.
    translator
        Fields of :class:`TranslatorRecipe` that replace the preset's where they are not None.

    Raises
    ------
    ValueError
        When there is no such preset, or the number of ``steps`` is another than that of stages.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of: {', '.join(PRESETS)}")
    recipe = PRESETS[name]
    for stage, changes in stage_changes(STAGES, steps, batch).items():
        recipe = replace(recipe, **{stage: replace(getattr(recipe, stage), **changes)})
    given = {field: value for field, value in translator.items() if value is not None}
    return replace(recipe, translator=replace(recipe.translator, **given))
