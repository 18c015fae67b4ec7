"""LPAPS (Iashin and Rahtu 2021, 3.1): how far two mels are apart in VGGish-ish's features.

Of each of five stages: features of length one at every position, their squared difference, weighed
and summed over channels, averaged over positions; then the sum of the stages.

The published codebooks were trained with something else: VGGish-ish's weights were looked for in
the wrong place of the file and not found, so that features stayed random, as did the *signed*
weights of the channels, which nobody ever trained; and half the channels were dropped at each call.
The loss could be negative. ``weights="published"`` is that, to compare with and to hold a published
file's tensors. The other two take features that :meth:`Lpaps.load_vggishish` brings and have no
random part: "none" is the paper's equation 3, "uniform" the mean over channels. Theirs have the
constant of the length inside the root, so that gradients of features near zero are at most
1 / sqrt(eps), not 1 / eps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from foleycli.models.vggishish import Vggishish, VggishishConfig

_PUBLISHED_EPS = 1e-10
_EPS = 1e-6


@dataclass(frozen=True)
class LpapsConfig:
    """What an :class:`Lpaps` compares.

    Attributes
    ----------
    vggishish
        Size of the network; its classes do not matter.
    weights
        Of the channels: "none" (1 each), "uniform" (1 / channels), or "published" (the file's).
    mels
        Rows.
    """

    vggishish: VggishishConfig = field(default_factory=VggishishConfig)
    weights: Literal["none", "uniform", "published"] = "none"
    mels: int = 80

    def __post_init__(self) -> None:
        if self.weights not in ("none", "uniform", "published"):
            raise ValueError(f"weights={self.weights!r}; choose none, uniform or published")

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "vggishish": VggishishConfig(**fields["vggishish"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


PUBLISHED_LPAPS = LpapsConfig(weights="published")


class Lpaps(nn.Module):
    """Two mels ``[B, 1, mels, T]`` in [-1, 1] -> their distance ``[B, 1, 1, 1]``; never trained."""

    def __init__(self, config: LpapsConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LpapsConfig()
        self.scaling_layer = RowScaling(config.mels)
        self.net = Stages(config.vggishish)
        if config.weights == "published":
            for index, width in enumerate(self.net.widths):
                self.add_module(f"lin{index}", ChannelWeights(width))
        self.requires_grad_(False)

    def load_vggishish(self, network: Vggishish) -> None:
        """Take over the convolutions of a trained classifier of mels.

        Raises
        ------
        RuntimeError
            torch's, when its size is another than ``config.vggishish``.
        """
        for stage in self.net.children():
            for name, layer in stage.named_children():
                layer.load_state_dict(network.features.get_submodule(name).state_dict())

    def terms(self, one: Tensor, other: Tensor) -> list[Tensor]:
        """Return the five stages' distances, ``[B, 1, 1, 1]`` each."""
        pairs = zip(
            self.net(self.scaling_layer(one)), self.net(self.scaling_layer(other)), strict=True
        )
        found = []
        for index, (a, b) in enumerate(pairs):
            if self.config.weights == "published":
                apart = (_published_unit(a) - _published_unit(b)).square()
                apart = self.get_submodule(f"lin{index}")(apart)
            else:
                apart = (_unit(a) - _unit(b)).square().sum(1, keepdim=True)
                if self.config.weights == "uniform":
                    apart = apart / a.shape[1]
            found.append(apart.mean((2, 3), keepdim=True))
        return found

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.stack(self.terms(one, other)).sum(0)


class RowScaling(nn.Module):
    """Mel in [-1, 1] -> every row standardised by the training set's statistics."""

    shift: Tensor
    scale: Tensor

    def __init__(self, mels: int) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(1, 1, mels, 1))
        self.register_buffer("scale", torch.ones(1, 1, mels, 1))

    def set_statistics(self, means: Sequence[float], deviations: Sequence[float]) -> None:
        """Take the rows' statistics, of mels in [0, 1]."""
        rows = self.shift.shape
        self.shift.copy_(2 * torch.as_tensor(means, dtype=torch.float64).view(rows) - 1)
        self.scale.copy_(2 * torch.as_tensor(deviations, dtype=torch.float64).view(rows))

    def forward(self, mel: Tensor) -> Tensor:
        return (mel - self.shift) / self.scale


class Stages(nn.Module):
    """The convolutions of a :class:`Vggishish`, which keep their numbers, by stage."""

    def __init__(self, config: VggishishConfig) -> None:
        super().__init__()
        with torch.device("meta"):  # its classifier, of 0.5 GB, is not wanted
            layers = Vggishish(config).features
        layers.to_empty(device=torch.get_default_device())
        self.widths: list[int] = []
        for index, layer in enumerate(layers):
            if index == 0 or isinstance(layer, nn.MaxPool2d):
                stage = nn.Sequential()
                self.widths.append(0)
                self.add_module(f"slice{len(self.widths)}", stage)
            if isinstance(layer, nn.Conv2d):
                layer.reset_parameters()
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                self.widths[-1] = layer.out_channels
            stage.add_module(str(index), layer)

    def forward(self, mel: Tensor) -> list[Tensor]:
        found = [mel]
        for stage in self.children():
            found.append(stage(found[-1]))
        return found[1:]


class ChannelWeights(nn.Module):
    """Dropout and a sum over channels: ``[B, C, H, W] -> [B, 1, H, W]``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def _published_unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + _PUBLISHED_EPS)


def _unit(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().sum(1, keepdim=True) + _EPS)
