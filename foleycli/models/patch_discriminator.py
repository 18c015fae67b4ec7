"""Patch discriminator of pix2pix (Isola et al. 2017), as Spectrogram VQGAN uses it on mels.

Every logit judges one patch of 70 x 70 values. Parameter names are the published ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from torch import Tensor, nn

_KERNEL = 4
_SLOPE = 0.2
_SPREAD = 0.02


@dataclass(frozen=True)
class PatchDiscriminatorConfig:
    """Size of a :class:`PatchDiscriminator`.

    Attributes
    ----------
    channels : int
        Of the first layer; each later one has twice as many, up to eight times.
    halvings : int
        Layers that halve the picture.
    """

    channels: int = 64
    halvings: int = 3

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**fields)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


PAPER_PATCHES = PatchDiscriminatorConfig()
MINI_PATCHES = PatchDiscriminatorConfig(channels=16)


class PatchDiscriminator(nn.Module):
    """Mel ``[B, 1, 80, 848]`` in [-1, 1] -> a logit of every patch ``[B, 1, 8, 104]``."""

    def __init__(self, config: PatchDiscriminatorConfig = PAPER_PATCHES) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [
            nn.Conv2d(1, config.channels, _KERNEL, stride=2, padding=1),
            nn.LeakyReLU(_SLOPE),
        ]
        channels = config.channels
        for index in range(1, config.halvings + 1):
            width = config.channels * min(2**index, 8)
            stride = 2 if index < config.halvings else 1
            layers += [
                nn.Conv2d(channels, width, _KERNEL, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(_SLOPE),
            ]
            channels = width
        layers.append(nn.Conv2d(channels, 1, _KERNEL, padding=1))
        self.main = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, _SPREAD)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, _SPREAD)

    def forward(self, mel: Tensor) -> Tensor:
        return self.main(mel)
