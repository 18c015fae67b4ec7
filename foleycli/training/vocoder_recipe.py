"""Sizes, rates and schedules of MelGAN's training, from seconds on a laptop to the paper's own.

Where the paper and the published configuration differ: a batch is 64, which stands in the file that
lies beside the published weights, not the paper's 16. Both have Adam at a constant 1e-4.

Two things are left to a recipe that the published one has fixed. ``normalised`` brings every
sound's peak to 0.95 before it is made quieter at random; that is kept in ``paper``. A codebook
draws mels of the level that sounds have, quiet ones too, and a vocoder that only heard loud ones
does not know them, so that the other presets leave levels as they are. ``mel`` adds the distance of
mels to the generator's loss, as HiFi-GAN does (Kong et al. 2020; its factor of 45 is for natural
logarithms, of which the mel's range here has 11.5). The adversary alone took two weeks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from foleycli.models.melgan import (
    MINI_MELGAN,
    MINI_MELGAN_DISCRIMINATOR,
    PAPER_MELGAN,
    PAPER_MELGAN_DISCRIMINATOR,
    MelganConfig,
    MelganDiscriminatorConfig,
)

HIFI_GAN_MEL = 45 * 11.5


@dataclass(frozen=True)
class VocoderRecipe:
    """Sizes, rates and schedule of one run.

    Attributes
    ----------
    generator, discriminator
        The networks.
    steps, batch, accumulate
        Updates; segments an update, of all processes together; parts that these are cut into.
    segment_frames
        Frames of mel in a segment; it has as many hops of sound.
    rate
        Learning rate of both Adams (betas 0.5 and 0.9); constant.
    mel
        Factor on the mean absolute difference of mels in [0, 1] in the generator's loss.
    starts_at
        First step, from 0, with a discriminator.
    normalised
        Whether every sound's peak is brought to 0.95 first.
    quietest
        Sounds are multiplied by a number drawn evenly from this to 1.
    short
        What a sound shorter than a segment is filled up with.
    valid_frames
        Frames of each held-out sound, at most, that are vocoded to validate.
    validate_every
        Steps between validations.
    patience
        Validations in a row without a lower cost that end the run; None for no such end.
    save_every
        Steps between states that can be resumed.
    """

    generator: MelganConfig
    discriminator: MelganDiscriminatorConfig
    steps: int
    batch: int = 16
    accumulate: int = 1
    segment_frames: int = 32
    rate: float = 1e-4
    mel: float = HIFI_GAN_MEL
    starts_at: int = 0
    normalised: bool = False
    quietest: float = 0.3
    short: str = "loop"
    valid_frames: int = 848
    validate_every: int = 0
    patience: int | None = None
    save_every: int = 1000

    @property
    def segment_samples(self) -> int:
        """Samples in a segment."""
        return self.segment_frames * self.generator.hop_samples

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints."""
        return asdict(self)


# A validate_every of 0 is once an epoch.
PRESETS = {
    "smoke": VocoderRecipe(
        MelganConfig(channels=2, residual_blocks=1),
        MelganDiscriminatorConfig(scales=1, channels=4, strided=2),
        steps=6,
        batch=4,
        segment_frames=8,
        starts_at=2,
        valid_frames=32,
        validate_every=3,
        save_every=3,
    ),
    # A step takes 0.12 s of one core, with discriminators 0.45 s: 10 to 20 minutes on two.
    "mini": VocoderRecipe(
        MINI_MELGAN,
        MINI_MELGAN_DISCRIMINATOR,
        steps=4000,
        batch=8,
        rate=1e-3,
        starts_at=2000,
        valid_frames=256,
        validate_every=250,
        save_every=100,
    ),
    "small": VocoderRecipe(
        MelganConfig(channels=16),
        PAPER_MELGAN_DISCRIMINATOR,
        steps=100_000,
        rate=2e-4,
        validate_every=2000,
    ),
    "paper": VocoderRecipe(
        PAPER_MELGAN,
        PAPER_MELGAN_DISCRIMINATOR,
        steps=3_000_000,
        batch=64,
        mel=0.0,
        normalised=True,
        validate_every=5000,
        save_every=5000,
    ),
}


def preset(name: str, clips: int, **changes: Any) -> VocoderRecipe:
    """Return a preset for so many clips; ``changes`` replace its fields where they are not None.

    Raises
    ------
    ValueError
        When there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of: {', '.join(PRESETS)}")
    given = {n: value for n, value in changes.items() if value is not None}
    recipe = replace(PRESETS[name], **given)
    if not recipe.validate_every:
        recipe = replace(recipe, validate_every=max(1, clips // recipe.batch))
    return recipe
