"""Sizes, rates and schedules of sampler training, from seconds on a laptop to the paper's own.

The learning rate is ``base_rate`` times the batch, which is that of all processes and micro-batches
together: the published rule, base x processes x batch x accumulation. On VAS the published base is
a fifth (the preset ``vas``); sizes are the same. The paper's runs ended by patience, after about
18,000 steps on VGGSound and 3,000 on VAS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from foleycli.models.code_transformer import CodeTransformerConfig, Condition
from foleycli.models.spectrogram_codebook import CodebookConfig
from foleycli.training.mel_data import Sight

Told = Literal["features", "class", "features+class", "none"]
_NOISE_WIDTH = 2048  # of the one random vector that stands for features in the paper's "No Feats"
_CONDITIONS: dict[Told, Condition] = {
    "features": "features",
    "class": "class",
    "features+class": "features+class",
    "none": "noise",
}


@dataclass(frozen=True)
class FeatureForm:
    """What features a sampler sees.

    Attributes
    ----------
    backbone
        Name of what makes them.
    width
        Length of one.
    sha256
        Of the files that they are learned from.
    count
        How many of a window.
    """

    backbone: str
    width: int
    sha256: str
    count: int


@dataclass(frozen=True)
class SamplerRecipe:
    """Size, rate and schedule of one run.

    Attributes
    ----------
    network
        The transformer.
    sight
        What of every sound is looked at.
    steps, batch, accumulate
        Updates, at most; windows an update, of all processes together; parts that these are cut
        into.
    base_rate
        Learning rate of AdamW (betas 0.9 and 0.95) for a batch of one; constant.
    weight_decay
        Of the weights of linear layers; nothing else decays.
    validate_every
        Steps between validations.
    patience
        Validations in a row without a lower loss that end the run; None for no such end.
    save_every
        Steps between states that can be resumed.
    classes
        Their names, where the condition has a class.
    features
        Where it has features.
    codebook_sha256
        Of the file whose codes are drawn.
    """

    network: CodeTransformerConfig
    sight: Sight
    steps: int
    batch: int
    base_rate: float
    accumulate: int = 1
    weight_decay: float = 0.01
    validate_every: int = 0
    patience: int | None = 2
    save_every: int = 1000
    classes: tuple[str, ...] = ()
    features: FeatureForm | None = None
    codebook_sha256: str = ""

    @property
    def rate(self) -> float:
        """Learning rate."""
        return self.base_rate * self.batch

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints."""
        return asdict(self)


# A validate_every of 0 is once an epoch. Mini takes 15 to 20 minutes on two cores.
_PAPER: dict[str, Any] = {"steps": 50_000, "batch": 64, "base_rate": 5e-6}
_SCHEDULES: dict[str, dict[str, Any]] = {
    "smoke": {"steps": 6, "batch": 4, "base_rate": 1e-3, "validate_every": 3, "save_every": 3},
    "mini": {
        **{"steps": 1500, "batch": 16, "base_rate": 6e-5, "validate_every": 100},
        **{"patience": 4, "save_every": 100},
    },
    "small": {"steps": 20_000, "batch": 32, "base_rate": 1e-5, "validate_every": 250},
    "paper": _PAPER,
    "vas": {**_PAPER, "base_rate": 1e-6},
}
_SIZES: dict[str, dict[str, int]] = {
    "smoke": {"layers": 1, "heads": 2, "width": 16},
    "mini": {"layers": 4, "heads": 4, "width": 128},
    "small": {"layers": 8, "heads": 8, "width": 512},
    "paper": {},
    "vas": {},
}
_MIDDLE_ONLY = ("paper", "vas")


def preset(
    name: str,
    clips: int,
    codebook: CodebookConfig,
    condition: Told,
    *,
    classes: Sequence[str] = (),
    features: FeatureForm | None = None,
    short: str = "loop",
    **changes: Any,
) -> SamplerRecipe:
    """Return a preset for so many clips; what is not None replaces its fields.

    Parameters
    ----------
    codebook
        Whose codes are drawn; its window is the sampler's.
    condition
        What the sampler is told of a clip.
    classes, features
        Where the condition has them.
    short
        See :class:`Sight`.
    changes
        Fields of the recipe.

    Raises
    ------
    ValueError
        When there is no such preset, or the condition lacks something.
    """
    if name not in _SCHEDULES:
        raise ValueError(f"unknown preset {name!r}; choose one of: {', '.join(_SCHEDULES)}")
    if "class" in condition and not classes:
        raise ValueError(f"condition {condition!r} needs classes; there are none")
    if "features" in condition and features is None:
        raise ValueError(f"condition {condition!r} needs features; give --features")
    features = features if "features" in condition else None
    classes = classes if "class" in condition else ()
    seen = features or FeatureForm("", _NOISE_WIDTH, "", 1)
    has_vectors = condition != "class"
    network = CodeTransformerConfig(
        codes=codebook.codes,
        rows=codebook.code_rows,
        columns=codebook.code_columns,
        condition=_CONDITIONS[condition],
        features=seen.count if has_vectors else 0,
        feature_depth=seen.width if has_vectors else 0,
        classes=len(classes),
        **_SIZES[name],
    )
    recipe = SamplerRecipe(
        network,
        Sight(codebook.frames, whole=name not in _MIDDLE_ONLY, short=short),
        classes=tuple(classes),
        features=features,
        **{**_SCHEDULES[name], **{n: v for n, v in changes.items() if v is not None}},
    )
    if recipe.validate_every:
        return recipe
    return replace(recipe, validate_every=max(1, clips // recipe.batch))
