"""VGGish-ish: the VGG-16 that SpecVQGAN trained on its mels; LPAPS is a distance of its features.

One input channel and no batch norm; parameter names are torchvision's, but for the classifier,
which has no dropout. Input is as for Melception: ``[B, 1, 80, T]`` float32, every row standardised.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
_POOLED = (5, 10)


@dataclass(frozen=True)
class VggishishConfig:
    """Size of a :class:`Vggishish`.

    Attributes
    ----------
    classes
        Outputs.
    scale
        VGG's widths, the two hidden layers' too, are times this; 1 is the published network.
    """

    classes: int = 309
    scale: float = 1.0

    @property
    def features(self) -> int:
        """Length of the last hidden layer."""
        return self.width(4096)

    def width(self, channels: int) -> int:
        """Return how many channels stand for VGG's ``channels``."""
        return max(1, round(channels * self.scale))


class Vggishish(nn.Module):
    """Mel ``[B, 1, 80, T]`` -> class logits ``[B, classes]`` and features ``[B, 4096]``."""

    def __init__(self, config: VggishishConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or VggishishConfig()
        layers: list[nn.Module] = []
        self._ends = []  # of the stages, before the pooling
        channels = 1
        for stage, (width, count) in enumerate(_STAGES):
            if stage:
                layers.append(nn.MaxPool2d(2))
            for _ in range(count):
                layers += [nn.Conv2d(channels, config.width(width), 3, padding=1), nn.ReLU()]
                channels = config.width(width)
            self._ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        hidden = config.features
        self.classifier = nn.Sequential(
            nn.Linear(channels * _POOLED[0] * _POOLED[1], hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, config.classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def slices(self, mel: Tensor) -> list[Tensor]:
        """Return the five stages' outputs before their pooling, which LPAPS compares."""
        found = [mel]
        for first, end in pairwise([0, *self._ends]):
            found.append(self.features[first:end](found[-1]))
        return found[1:]

    def embed(self, mel: Tensor) -> Tensor:
        """Mel ``[B, 1, 80, T]`` to the last hidden layer ``[B, 4096]``."""
        pooled = F.adaptive_avg_pool2d(self.features(mel), _POOLED)
        return self.classifier[:-1](pooled.flatten(1))

    @property
    def head(self) -> nn.Linear:
        """The layer of the logits."""
        return self.classifier[-1]  # type: ignore[return-value]

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        features = self.embed(mel)
        return self.head(features), features
