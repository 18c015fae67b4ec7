"""Sizes, rates and schedules of Sound2Scene runs, from seconds on a laptop to the papers' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from foleycli.models.icgan import ICGANDiscriminatorConfig, ICGANGeneratorConfig
from foleycli.models.resnet import ResNetConfig
from foleycli.models.scene_audio_encoder import (
    MINI_AUDIO_ENCODER,
    SceneAudioEncoderConfig,
)
from foleycli.models.swav_resnet50 import SWAV_RESNET50
from foleycli.training.picture_encoder import EncoderRecipe

STAGES = ("picture", "sound", "gan")


@dataclass(frozen=True)
class SoundRecipe:
    """How the audio encoder is trained: Adam, on InfoNCE.

    Attributes
    ----------
    temperature
        What distances are divided by; 1 as published.
    pull
        Weight of the mean squared distance between what belongs together; 0 as published. InfoNCE
        alone puts a sound beside its pictures, which is near enough to find them but not to draw.
    levelled
        Sounds of a step that are also heard at three levels and kept in order, by
        :func:`foleycli.training.contrastive.order_of_levels`; 0 as published. Sweeps of the gain
        are steady then.
    augment
        Whether spectrograms are altered.
    one_cycle
        Whether the learning rate rises and falls; else constant.
    """

    steps: int
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    temperature: float = 1.0
    pull: float = 0.0
    levelled: int = 0
    augment: bool = True
    one_cycle: bool = True


@dataclass(frozen=True)
class GANRecipe:
    """How the generator is trained: IC-GAN's hinge loss on neighbourhoods of pictures, Adam.

    Attributes
    ----------
    neighbours
        Real pictures that a picture's feature may stand for: the nearest, itself among them.
    heard
        Share of conditions that are the feature of a sound, the real picture one that it may meet;
        0 as published, where the generator hears none before it is done.
    copies
        Altered copies of every sound whose features are kept for that.
    consistency
        Weight of one less the cosine between the condition and the feature of what was drawn for
        it, both standardised; 0 as published.
    augment
        Whether what the discriminator sees is altered (DiffAugment).
    """

    steps: int
    batch: int = 32
    g_rate: float = 2e-4
    d_rate: float = 4e-4
    average: float = 0.999
    neighbours: int = 20
    heard: float = 0.0
    copies: int = 4
    consistency: float = 0.0
    augment: bool = True


@dataclass(frozen=True)
class Sound2SceneRecipe:
    """Networks and stages of one run.

    Attributes
    ----------
    image, image_pixels, fit
        The picture encoder, without classes; the side it takes, and how pictures come to it.
    loaded_pixels
        Side at which pictures are held in memory.
    audio, generator, discriminator
        The other networks.
    picture, sound, gan
        The stages. ``picture.steps`` 0 asks for an encoder that is given.
    save_every
        Steps between states that can be resumed.
    """

    image: ResNetConfig
    image_pixels: int
    loaded_pixels: int
    audio: SceneAudioEncoderConfig
    generator: ICGANGeneratorConfig
    discriminator: ICGANDiscriminatorConfig
    picture: EncoderRecipe
    sound: SoundRecipe
    gan: GANRecipe
    fit: str = "crop"
    save_every: int = 200
    classes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints; those that survive a round trip."""
        plain = asdict(self)
        plain["classes"] = list(self.classes)
        plain["image"]["blocks"] = list(self.image.blocks)
        plain["audio"]["input_pool"] = list(self.audio.input_pool)
        for network in ("generator", "discriminator"):
            plain[network]["widths"] = list(plain[network]["widths"])
        return plain


_SMOKE_GENERATOR = ICGANGeneratorConfig(
    features=32,
    shared_width=8,
    channels=16,
    widths=(1, 1, 1),
    attention_after=None,
    z_chunk=4,
    unread_classes=0,
    standardised=True,
)
_MINI_GENERATOR = ICGANGeneratorConfig(
    features=256,
    shared_width=64,
    channels=16,
    widths=(8, 8, 4, 2, 1),
    attention_after=None,
    z_chunk=16,
    unread_classes=0,
    standardised=True,
)

PRESETS = {
    "smoke": Sound2SceneRecipe(
        ResNetConfig("basic", (1, 1, 1, 1), 4, stem_pool=False, classes=0),
        16,
        24,
        SceneAudioEncoderConfig(width=4, features=32, input_pool=(4, 8)),
        _SMOKE_GENERATOR,
        ICGANDiscriminatorConfig(
            features=32,
            channels=16,
            widths=(1, 1, 1),
            halvings=2,
            attention_after=None,
            standardised=True,
        ),
        EncoderRecipe(4, batch=8, views=1),
        SoundRecipe(4, batch=8, levelled=2),
        GANRecipe(4, batch=8, average=0.9, neighbours=3, heard=0.5, copies=1, consistency=1.0),
    ),
    "mini": Sound2SceneRecipe(
        ResNetConfig("basic", (1, 1, 1, 1), 32, stem_pool=False, classes=0),
        64,
        96,
        MINI_AUDIO_ENCODER,
        _MINI_GENERATOR,
        ICGANDiscriminatorConfig(
            features=256,
            channels=16,
            widths=(1, 2, 4, 8, 8),
            halvings=4,
            attention_after=None,
            standardised=True,
        ),
        EncoderRecipe(2000),
        SoundRecipe(1500, temperature=0.2, pull=0.5, levelled=8),
        GANRecipe(8000, heard=0.5, consistency=4.0),
    ),
    # Sound2Scene's section 4.1 and IC-GAN's configuration; epochs turned into steps for VGGSound's
    # 50 classes. The picture encoder is SwAV's, which must be given.
    "paper": Sound2SceneRecipe(
        SWAV_RESNET50,
        224,
        224,
        SceneAudioEncoderConfig(),
        ICGANGeneratorConfig(unread_classes=0),
        ICGANDiscriminatorConfig(),
        EncoderRecipe(0),
        SoundRecipe(30_000, augment=False, one_cycle=False),
        GANRecipe(
            200_000,
            batch=64,
            g_rate=4e-5,
            d_rate=1e-4,
            average=0.9999,
            neighbours=50,
            augment=False,
        ),
        fit="squash",
        save_every=1000,
    ),
}


def preset(
    name: str,
    *,
    steps: Sequence[int] = (),
    batch: int | None = None,
    given: tuple[ResNetConfig, int, str] | None = None,
) -> Sound2SceneRecipe:
    """Return a preset.

    Parameters
    ----------
    steps
        Of the stages, in their order; none for the preset's own.
    batch
        Of all stages.
    given
        Network, pixels and fit of a picture encoder that needs no training; the other networks'
        features follow.

    Raises
    ------
    ValueError
        When there is no such preset, the number of ``steps`` is another than that of stages, or
        there is no picture encoder, neither given nor to be trained.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of: {', '.join(PRESETS)}")
    recipe = PRESETS[name]
    for stage, changes in stage_changes(STAGES, steps, batch).items():
        recipe = replace(recipe, **{stage: replace(getattr(recipe, stage), **changes)})
    if given:
        image, pixels, fit = given
        recipe = replace(
            recipe,
            image=image,
            image_pixels=pixels,
            loaded_pixels=max(pixels, recipe.generator.pixels),
            fit=fit,
            audio=replace(recipe.audio, features=image.features),
            generator=replace(recipe.generator, features=image.features),
            discriminator=replace(recipe.discriminator, features=image.features),
            picture=replace(recipe.picture, steps=0),
        )
    elif not recipe.picture.steps:
        raise ValueError(
            f"preset {name!r} needs --picture-encoder FILE (see foley checkpoint pull), or steps "
            "to train one with"
        )
    return recipe


def stage_changes(
    stages: Sequence[str], steps: Sequence[int], batch: int | None
) -> dict[str, dict[str, int]]:
    """Return what is to be changed in each stage.

    Raises
    ------
    ValueError
        When ``steps`` is not empty and not one number a stage.
    """
    if steps and len(steps) != len(stages):
        raise ValueError(
            f"--steps {','.join(map(str, steps))}: give {len(stages)} numbers, for the stages "
            f"{', '.join(stages)}"
        )
    changes: dict[str, dict[str, int]] = {stage: {} for stage in stages}
    for stage, count in zip(stages, steps, strict=False):
        changes[stage]["steps"] = count
    if batch is not None:
        for stage in stages:
            changes[stage]["batch"] = batch
    return changes
