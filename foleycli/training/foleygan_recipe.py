"""Sizes, rates and schedules of FoleyGAN runs, from seconds on a laptop to the paper's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from foleycli.dsp.spec import (
    FOLEYGAN,
    LOG_MEL,
    LOG_MEL_MINI,
    LOG_MEL_TINY,
    SpectrogramSpec,
    picture_spec,
)
from foleycli.models.biggan import DiscriminatorConfig, GeneratorConfig


@dataclass(frozen=True)
class Recipe:
    """Sizes, rates and schedule of one run.

    ``batch`` samples make a micro-batch, ``accumulate`` of them an optimiser step; ``d_steps``
    discriminator steps come before every generator step (BigGAN's 2 in the paper's preset).
    """

    front_end: str
    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    steps: int
    batch: int = 16
    accumulate: int = 1
    d_steps: int = 1
    g_rate: float = 2e-4
    d_rate: float = 2e-4
    ema_decay: float = 0.999
    orthogonal: float = 1e-4
    mismatch: float = 0.5
    envelope: float = 10.0
    augment: bool = True
    save_every: int = 100
    classes: tuple[str, ...] = field(default=())

    @property
    def spec(self) -> SpectrogramSpec:
        """The front end."""
        return picture_spec(self.front_end)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints."""
        plain = asdict(self)
        plain["classes"] = list(self.classes)
        for network in ("generator", "discriminator"):
            plain[network]["widths"] = list(plain[network]["widths"])
        return plain


def _recipe(
    spec: SpectrogramSpec,
    g_widths: tuple[int, ...],
    d_widths: tuple[int, ...],
    channels: int,
    attention: tuple[int | None, int | None],
    **rest: Any,
) -> Recipe:
    blocks = len(g_widths) - 1
    generator = GeneratorConfig(
        out_channels=spec.channels,
        channels=channels,
        widths=g_widths,
        seed_height=spec.bins >> blocks,
        seed_width=spec.tile_frames >> blocks,
        attention_after=attention[0],
    )
    discriminator = DiscriminatorConfig(
        in_channels=spec.channels, channels=channels, widths=d_widths, attention_after=attention[1]
    )
    return Recipe(spec.name, generator, discriminator, **rest)


# facts: 64x64 attention costs 2.5-3.5x at small widths, so the small presets attend at 8x32 ..
# 16x64.
PRESETS = {
    "smoke": _recipe(
        LOG_MEL_TINY, (4, 2, 2, 1), (1, 2, 2, 4), 4, (None, None), steps=4, batch=4, ema_decay=0.9
    ),
    "mini": _recipe(
        LOG_MEL_MINI, (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 16, (1, 1), steps=3000
    ),
    "small": _recipe(
        LOG_MEL,
        (16, 16, 8, 8, 4, 2, 1),
        (1, 2, 4, 8, 8, 16, 16),
        64,
        (3, 1),
        steps=50_000,
        batch=64,
    ),
    # FoleyGAN section V-B: 512x512x3, minibatch 128 x 16 = 2048, G 5e-5, D 2e-4, two D steps as in
    # BigGAN.
    "paper": _recipe(
        FOLEYGAN,
        (16, 16, 8, 8, 4, 2, 1, 1),
        (1, 1, 2, 4, 8, 8, 16, 16),
        96,
        (3, 2),
        steps=12_000,
        batch=128,
        accumulate=16,
        d_steps=2,
        g_rate=5e-5,
        d_rate=2e-4,
        ema_decay=0.9999,
    ),
}


def preset(name: str, classes: Sequence[str], **changes: Any) -> Recipe:
    """Return a preset for these classes; ``changes`` replace its fields where they are not None.

    Raises
    ------
    ValueError
        When there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of: {', '.join(PRESETS)}")
    recipe = PRESETS[name]
    count = len(classes)
    recipe = replace(
        recipe,
        classes=tuple(classes),
        generator=replace(recipe.generator, classes=count),
        discriminator=replace(recipe.discriminator, classes=count),
    )
    return replace(recipe, **{name: value for name, value in changes.items() if value is not None})
