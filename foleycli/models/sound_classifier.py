"""Classifiers of sound by its spectrogram: residual networks, and the others that serve as one.

FoleyGAN scores generated sound by a ResNet-50 on spectrogram images; the classifier in the package
is a narrow network of the same kind. All classifiers take ``[B, 1, bands, T]`` float32, rows
standardised, and give class logits ``[B, classes]`` and the features ``[B, D]`` that their last
layer, :attr:`head`, takes: the embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from foleycli.models.melception import Melception, MelceptionConfig
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.vggishish import Vggishish, VggishishConfig


@dataclass(frozen=True)
class SoundClassifierConfig:
    """Size of a :class:`SoundClassifier`.

    Attributes
    ----------
    resnet
        The network and its classes.
    dropout
        Share of the embedding left out in training.
    """

    resnet: ResNetConfig = field(default_factory=ResNetConfig)
    dropout: float = 0.2

    @property
    def features(self) -> int:
        """Length of the embedding."""
        return self.resnet.features


class SoundClassifier(nn.Module):
    """Residual network on spectrograms, whose one channel is shown in an image's three."""

    def __init__(self, config: SoundClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.resnet = ResNet(config.resnet)

    @property
    def head(self) -> nn.Linear:
        """The layer of the logits."""
        if self.resnet.fc is None:
            raise ValueError("a classifier needs classes; configure resnet.classes > 0")
        return self.resnet.fc

    def forward(self, spectrograms: Tensor) -> tuple[Tensor, Tensor]:
        features = self.resnet.embed(spectrograms.expand(-1, 3, -1, -1))
        return self.head(F.dropout(features, self.config.dropout, self.training)), features


Config = SoundClassifierConfig | MelceptionConfig | VggishishConfig
Classifier = SoundClassifier | Melception | Vggishish


def build_classifier(config: Config) -> Classifier:
    """Make the network of a configuration, with random weights."""
    if isinstance(config, MelceptionConfig):
        return Melception(config)
    if isinstance(config, VggishishConfig):
        return Vggishish(config)
    return SoundClassifier(config)


def architecture(config: Config) -> str:
    """Return what a checkpoint calls this kind of network."""
    return next(name for name, kind in _CONFIGS.items() if isinstance(config, kind))


def classifier_config(name: str, sizes: Mapping[str, Any]) -> Config:
    """Read a configuration back from its architecture's name and plain values.

    Raises
    ------
    ValueError
        When there is no such architecture, or it has other sizes.
    """
    if name not in _CONFIGS:
        raise ValueError(f"unknown architecture {name!r}; known are: {', '.join(_CONFIGS)}")
    try:
        if name != "resnet":
            return _CONFIGS[name](**sizes)
        resnet = dict(sizes["resnet"])
        resnet["blocks"] = tuple(resnet["blocks"])
        return SoundClassifierConfig(**{**sizes, "resnet": ResNetConfig(**resnet)})
    except (TypeError, KeyError) as error:
        raise ValueError(f"sizes that are not those of {name}: {error}") from None


def config_among(name: str, told: Mapping[str, Any]) -> Config:
    """Read a configuration whose fields lie among others; those that are missing are the usual.

    Raises as :func:`classifier_config`.
    """
    fields = _CONFIGS[name].__dataclass_fields__ if name in _CONFIGS else {}
    return classifier_config(name, {field: told[field] for field in fields if field in told})


_CONFIGS: dict[str, type[Config]] = {
    "resnet": SoundClassifierConfig,
    "melception": MelceptionConfig,
    "vggishish": VggishishConfig,
}
