"""Networks, front ends and schedules of sound classifiers, small and as in the papers.

FoleyGAN says of its judge only that it is a ResNet-50 on spectrogram images; Melception and
VGGish-ish are as SpecVQGAN's appendix has them, but for early stopping, which is left to whoever
reads the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from foleycli.dsp.front_ends.table import front_end
from foleycli.models.melception import MelceptionConfig
from foleycli.models.resnet import RESNET50, ResNetConfig
from foleycli.models.sound_classifier import Config, SoundClassifierConfig, architecture
from foleycli.models.vggishish import VggishishConfig
from foleycli.sound_embedding import SPECVQGAN_WINDOW_FRAMES, View


@dataclass(frozen=True)
class ClassifierRecipe:
    """Network, front end and schedule of one run.

    Attributes
    ----------
    network
        Kind and size of the network; its number of classes follows ``classes``.
    front_end, window_frames
        What it sees.
    steps, batch, learning_rate, weight_decay
        AdamW's where ``one_cycle``, under a learning rate that rises and falls; else Adam's, and
        constant.
    augment
        Whether windows are altered, mixed and masked.
    mix
        Chance that a window gets another one mixed into it, and its label.
    smoothing
        Share of the target that goes to all classes alike.
    average
        Decay of the weights' moving average, which is the model.
    save_every
        Steps between states that can be resumed.
    """

    network: Config
    front_end: str
    window_frames: int
    steps: int
    batch: int = 48
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    one_cycle: bool = True
    augment: bool = True
    mix: float = 0.5
    smoothing: float = 0.1
    average: float = 0.995
    save_every: int = 200
    classes: tuple[str, ...] = field(default=())

    @property
    def view(self) -> View:
        """What the network sees of a sound."""
        return View(front_end(self.front_end), self.window_frames)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints."""
        return {**asdict(self), "architecture": architecture(self.network)}


def _as_specvqgan(network: Config, weight_decay: float) -> ClassifierRecipe:
    return ClassifierRecipe(
        network,
        "specvqgan-codec",
        SPECVQGAN_WINDOW_FRAMES,
        steps=30_000,
        learning_rate=3e-4,
        weight_decay=weight_decay,
        one_cycle=False,
        augment=False,
        smoothing=0.0,
        average=0.0,
        save_every=1000,
    )


PRESETS = {
    "small": ClassifierRecipe(
        SoundClassifierConfig(ResNetConfig("basic", (1, 1, 1, 1), 16, stem_pool=False)),
        "log-mel-mini",
        256,
        steps=1500,
    ),
    "resnet50": ClassifierRecipe(
        SoundClassifierConfig(RESNET50),
        "log-mel",
        512,
        steps=20_000,
        batch=64,
        learning_rate=1e-3,
        save_every=1000,
    ),
    "melception": _as_specvqgan(MelceptionConfig(auxiliary=False), weight_decay=0.0),
    "vggishish": _as_specvqgan(VggishishConfig(), weight_decay=1e-3),
}
# What makes them train in seconds, for tests and for trying a data set.
_SMOKE: dict[str, dict[str, Any]] = {
    "small": {
        "network": SoundClassifierConfig(ResNetConfig("basic", (1, 1, 1, 1), 4, stem_pool=False))
    },
    "resnet50": {"network": SoundClassifierConfig(replace(RESNET50, blocks=(1, 1, 1, 1), width=4))},
    "melception": {
        "network": MelceptionConfig(scale=1 / 32, auxiliary=False),
        "window_frames": 96,
    },
    "vggishish": {"network": VggishishConfig(scale=1 / 32), "window_frames": 96},
}


def preset(
    arch: str, classes: Sequence[str], *, smoke: bool = False, **changes: Any
) -> ClassifierRecipe:
    """Return an architecture's recipe; ``changes`` replace its fields where they are not None.

    Raises
    ------
    ValueError
        When there is no such architecture, or too few classes.
    """
    if arch not in PRESETS:
        raise ValueError(f"unknown architecture {arch!r}; choose one of: {', '.join(PRESETS)}")
    if len(set(classes)) < 2:
        raise ValueError(f"need at least two classes, got: {', '.join(classes) or 'none'}")
    recipe = PRESETS[arch]
    if smoke:
        recipe = replace(recipe, **_SMOKE[arch], steps=8, batch=8)
    network = recipe.network
    if isinstance(network, SoundClassifierConfig):
        network = replace(network, resnet=replace(network.resnet, classes=len(classes)))
    else:
        network = replace(network, classes=len(classes))
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(recipe, network=network, classes=tuple(classes), **given)
