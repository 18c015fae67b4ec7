"""Sizes, rates and schedules of codebook training, from seconds on a laptop to the paper's own.

The learning rate is ``base_rate`` times the batch, which is that of all processes and
micro-batches together: the published rule, base x processes x batch x accumulation.

Where the paper and the published configurations differ: the batch is the paper's 8, not 3. VAS has
a quarter of the base rate, 128 codes and an earlier discriminator; that is the preset ``vas``.
The published training computed a ratio of two gradients at every step and clamped it to 1; it is
left out (see ``codebook_losses.py``). It went through the networks twice a batch, so that the
discriminator saw what the codebook drew after its update; here it sees what was drawn before it,
which costs half.

``mini`` hears its discriminator at 0.1, not 0.8. It learns ten times as fast as the paper's, and at
0.8 a fresh discriminator doubled the difference of mels within 40 steps; the gradient it sent to
the last layer was three times that of the reconstruction. At 0.1 the difference fell again.

LPAPS is off unless a trained VGGish-ish is given, because without one it compares random features.
The published training did that, by mistake, and its weights of the channels were random too. With
one, ``uniform`` takes the mean over channels, ``none`` the paper's equation, which is their sum.
The sum drowns the mean difference of mels: of blurred ones its gradient was 50 times as large at
full size, and 230 times at an eighth, where the mean's was 0.24 and 8 times as large. Hence
``uniform`` is the default.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from foleycli.models.patch_discriminator import (
    MINI_PATCHES,
    PAPER_PATCHES,
    PatchDiscriminatorConfig,
)
from foleycli.models.spectrogram_codebook import (
    MINI_CODEBOOK,
    PAPER_CODEBOOK,
    VAS_CODEBOOK,
    CodebookConfig,
)
from foleycli.training.codebook_losses import (
    PAPER_CODEBOOK_LOSS,
    VAS_CODEBOOK_LOSS,
    CodebookLossConfig,
)
from foleycli.training.mel_data import Sight

LpapsWeights = Literal["off", "none", "uniform"]


@dataclass(frozen=True)
class CodebookRecipe:
    """Sizes, rates and schedule of one run.

    Attributes
    ----------
    network, patches, loss
        The codebook, its discriminator, and their losses.
    sight
        What of every sound is looked at.
    steps, batch, accumulate
        Updates; windows an update, of all processes together; parts that these are cut into.
    base_rate
        Learning rate of both Adams (betas 0.5 and 0.9) for a batch of one; constant.
    revive_every
        Steps after which codes that were not used since are put where the encoder's vectors are;
        0 for never, as in the paper. Without it a small network that learns fast uses a few codes.
    lpaps, lpaps_sha256
        Weights of LPAPS's channels, or off, and the hash of the file that it listens with.
    validate_every
        Steps between validations.
    patience
        Validations in a row without a lower cost that end the run; None for no such end.
    save_every
        Steps between states that can be resumed.
    """

    network: CodebookConfig
    patches: PatchDiscriminatorConfig
    loss: CodebookLossConfig
    sight: Sight
    steps: int
    batch: int
    base_rate: float
    accumulate: int = 1
    revive_every: int = 0
    lpaps: LpapsWeights = "off"
    lpaps_sha256: str = ""
    validate_every: int = 0
    patience: int | None = None
    save_every: int = 1000

    @property
    def rate(self) -> float:
        """Learning rate."""
        return self.base_rate * self.batch

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints."""
        return asdict(self)


_SMOKE_CODEBOOK = CodebookConfig(
    codes=16, code_width=8, channels=4, multiples=(1, 1, 1, 2, 2), residual_blocks=1, groups=4,
    frames=64,
)  # fmt: skip
_SMALL_CODEBOOK = CodebookConfig(codes=512, code_width=128, channels=64, residual_blocks=1)

# A validate_every of 0 is once an epoch.
PRESETS = {
    "smoke": CodebookRecipe(
        _SMOKE_CODEBOOK,
        PatchDiscriminatorConfig(channels=4, halvings=2),
        CodebookLossConfig(starts_at=2),
        Sight(64, whole=True),
        steps=6,
        batch=4,
        base_rate=2e-4,
        revive_every=2,
        validate_every=3,
        save_every=3,
    ),
    # A step takes 0.31 s of one core, with a discriminator 0.34 s: 10 to 20 minutes on two.
    "mini": CodebookRecipe(
        MINI_CODEBOOK,
        MINI_PATCHES,
        CodebookLossConfig(adversarial=0.1, starts_at=1500),
        Sight(256, whole=True),
        steps=3000,
        batch=4,
        base_rate=1e-4,
        revive_every=50,
        validate_every=250,
        save_every=100,
    ),
    "small": CodebookRecipe(
        _SMALL_CODEBOOK,
        PAPER_PATCHES,
        CodebookLossConfig(starts_at=8_000),
        Sight(848, whole=True),
        steps=30_000,
        batch=16,
        base_rate=1e-5,
        revive_every=500,
        validate_every=1000,
    ),
    "vas": CodebookRecipe(
        VAS_CODEBOOK,
        PAPER_PATCHES,
        VAS_CODEBOOK_LOSS,
        Sight(),
        steps=95_000,
        batch=8,
        base_rate=1e-6,
    ),
    "paper": CodebookRecipe(
        PAPER_CODEBOOK,
        PAPER_PATCHES,
        PAPER_CODEBOOK_LOSS,
        Sight(),
        steps=300_000,
        batch=8,
        base_rate=4.5e-6,
    ),
}


def preset(
    name: str,
    clips: int,
    *,
    short: str | None = None,
    starts_at: int | None = None,
    adversarial: float | None = None,
    **changes: Any,
) -> CodebookRecipe:
    """Return a preset for so many clips; what is not None replaces its fields.

    Parameters
    ----------
    short
        See :class:`Sight`.
    starts_at, adversarial
        First step with a discriminator, and the weight of what it says.
    changes
        Fields of the recipe.

    Raises
    ------
    ValueError
        When there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of: {', '.join(PRESETS)}")
    recipe = replace(
        PRESETS[name], **{n: value for n, value in changes.items() if value is not None}
    )
    if short is not None:
        recipe = replace(recipe, sight=replace(recipe.sight, short=short))
    loss = {"starts_at": starts_at, "adversarial": adversarial}
    given = {name: value for name, value in loss.items() if value is not None}
    recipe = replace(recipe, loss=replace(recipe.loss, **given))  # type: ignore[arg-type]
    if not recipe.validate_every:
        recipe = replace(recipe, validate_every=max(1, clips // recipe.batch))
    return recipe
