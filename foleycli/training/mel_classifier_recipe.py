"""Sizes, rates and schedules of SpecVQGAN's two classifiers of mels (its appendix).

Where the paper and the published configurations differ: VGGish-ish's weight decay is the paper's
1e-3, not 1e-4, and its patience the paper's 5 epochs, not 3; Melception's batch is the paper's 48,
not 8. Those are what the paper's figures are said to rest on; the others can be asked for. Neither
sees altered sounds: what little data the smaller presets may have, they will learn by heart, and
validation says when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from foleycli.models.melception import MelceptionConfig
from foleycli.models.vggishish import VggishishConfig
from foleycli.training.mel_data import Sight

Kind = Literal["melception", "vggishish"]
KINDS: tuple[Kind, ...] = ("melception", "vggishish")


@dataclass(frozen=True)
class MelClassifierRecipe:
    """Network and schedule of one run.

    Attributes
    ----------
    network
        Its kind and size; the number of classes follows ``classes``.
    sight
        What of every sound is looked at.
    steps, batch, accumulate
        Updates, at most; windows an update, of all processes together; parts that these are cut
        into.
    learning_rate, weight_decay
        Adam's; constant.
    validate_every
        Steps between validations.
    patience
        Validations in a row without a lower loss that end the run; None for no such end.
    save_every
        Steps between states that can be resumed.
    classes
        Their names.
    """

    network: MelceptionConfig | VggishishConfig
    sight: Sight
    steps: int
    batch: int = 48
    accumulate: int = 1
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
    validate_every: int = 0
    patience: int | None = 5
    save_every: int = 1000
    classes: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """Which of the two it is."""
        return "melception" if isinstance(self.network, MelceptionConfig) else "vggishish"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints."""
        return {**asdict(self), "kind": self.kind}


# A validate_every of 0 is once an epoch. A step of mini takes 0.44 s of one core for Melception and
# 0.17 s for VGGish-ish: some 10 minutes on two, at most.
_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "sight": Sight(96, whole=True),
        **{"steps": 6, "batch": 4, "validate_every": 3, "save_every": 3},
    },
    "mini": {
        "sight": Sight(256, whole=True),
        **{"steps": 2000, "batch": 16, "learning_rate": 1e-3, "validate_every": 100},
        "save_every": 100,
    },
    "small": {"sight": Sight(848, whole=True), "steps": 20_000},
    "paper": {"sight": Sight(), "steps": 100_000},
}
_SCALES = {
    "melception": {"smoke": 1 / 32, "mini": 1 / 16, "small": 1 / 2, "paper": 1.0},
    "vggishish": {"smoke": 1 / 32, "mini": 1 / 8, "small": 1 / 4, "paper": 1.0},
}
_WEIGHT_DECAY = {"melception": 0.0, "vggishish": 1e-3}


def preset(
    kind: Kind,
    name: str,
    labels: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    short: str | None = None,
    **changes: Any,
) -> MelClassifierRecipe:
    """Return a preset for clips of these classes; what is not None replaces its fields.

    Parameters
    ----------
    labels
        The class of every clip to learn from.
    classes
        Names and order of the classes; all there are, by name, unless told.
    short
        See :class:`Sight`.
    changes
        Fields of the recipe.

    Raises
    ------
    ValueError
        When there is no such preset, too few classes, or one without clips.
    """
    if name not in _SIZES:
        raise ValueError(f"unknown preset {name!r}; choose one of: {', '.join(_SIZES)}")
    classes = classes or sorted(set(labels))
    if len(set(classes)) < 2:
        raise ValueError(f"need at least two classes, got: {', '.join(classes) or 'none'}")
    empty = [label for label in classes if label not in labels]
    if empty:
        raise ValueError(f"no training clips for: {', '.join(empty)}; leave out the class")
    scale = _SCALES[kind][name]
    network: MelceptionConfig | VggishishConfig
    if kind == "melception":
        network = MelceptionConfig(len(classes), scale, auxiliary=False)
    else:
        network = VggishishConfig(len(classes), scale)
    given = {n: value for n, value in changes.items() if value is not None}
    recipe = MelClassifierRecipe(
        network,
        classes=tuple(classes),
        **{"weight_decay": _WEIGHT_DECAY[kind], **_SIZES[name], **given},
    )
    if short is not None:
        recipe = replace(recipe, sight=replace(recipe.sight, short=short))
    if not recipe.validate_every:
        recipe = replace(recipe, validate_every=max(1, len(labels) // recipe.batch))
    return recipe
