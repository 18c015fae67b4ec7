"""MelGAN (Kumar et al. 2019): a mel to a waveform, and the discriminators it is trained against.

The generator lengthens a mel by the ratios of transposed convolutions, each followed by residual
blocks of dilated convolutions. SpecVQGAN trained it on its own mel in [0, 1]: 80 bands of 125 Hz to
7.6 kHz and 256 samples a frame, at 22.05 kHz. All weights are normalised; parameter names are the
published ones, ``weight_g`` and ``weight_v``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of the leaky rectifiers
_KERNEL = 7  # of the first and the last convolution
_SPREAD = 0.02
_MOST_CHANNELS = 1024  # of a discriminator


@dataclass(frozen=True)
class MelganConfig:
    """Size of a :class:`MelganGenerator`.

    Attributes
    ----------
    mels : int
        Rows of the mel.
    channels : int
        At the waveform's rate; twice as many before every lengthening.
    ratios : tuple of int
        Factors of lengthening, even.
    residual_blocks : int
        After each, the i-th (from 0) with a dilation of 3**i.
    """

    mels: int = 80
    channels: int = 32
    ratios: tuple[int, ...] = (8, 8, 2, 2)
    residual_blocks: int = 3

    def __post_init__(self) -> None:
        if any(ratio % 2 for ratio in self.ratios):
            raise ValueError(f"ratios={self.ratios}; they must be even to be centred")

    @property
    def hop_samples(self) -> int:
        """Samples that one frame of the mel becomes."""
        return math.prod(self.ratios)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "ratios": tuple(fields["ratios"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class MelganDiscriminatorConfig:
    """Size of a :class:`MelganDiscriminator`.

    Attributes
    ----------
    scales : int
        Discriminators; each hears half the rate of the one before.
    channels : int
        Of the first layer.
    strided : int
        Layers that shorten by ``stride``.
    """

    scales: int = 3
    channels: int = 16
    strided: int = 4
    stride: int = 4

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**fields)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


PAPER_MELGAN = MelganConfig()
PAPER_MELGAN_DISCRIMINATOR = MelganDiscriminatorConfig()
# For training without an accelerator.
MINI_MELGAN = MelganConfig(channels=8, residual_blocks=2)
MINI_MELGAN_DISCRIMINATOR = MelganDiscriminatorConfig(scales=2, channels=4, strided=3)


class MelganGenerator(nn.Module):
    """Mel ``[B, mels, T]`` in [0, 1] -> waveform ``[B, 1, hop_samples T]`` in (-1, 1)."""

    def __init__(self, config: MelganConfig = PAPER_MELGAN) -> None:
        super().__init__()
        self.config = config
        channels = config.channels * 2 ** len(config.ratios)
        layers: list[nn.Module] = [
            nn.ReflectionPad1d(_KERNEL // 2),
            WNConv1d(config.mels, channels, _KERNEL),
        ]
        for ratio in config.ratios:
            layers += [nn.LeakyReLU(SLOPE), WNLengthening(channels, channels // 2, ratio)]
            channels //= 2
            layers += [Residual(channels, 3**i) for i in range(config.residual_blocks)]
        layers += [
            nn.LeakyReLU(SLOPE),
            nn.ReflectionPad1d(_KERNEL // 2),
            WNConv1d(channels, 1, _KERNEL),
            nn.Tanh(),
        ]
        self.model = nn.Sequential(*layers)

    def forward(self, mel: Tensor) -> Tensor:
        check_frames(mel)
        return self.model(mel)


class Residual(nn.Module):
    """``[B, C, T] -> [B, C, T]``: a dilated and a plain convolution beside a 1x1 shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            nn.ReflectionPad1d(dilation),
            WNConv1d(channels, channels, 3, dilation=dilation),
            nn.LeakyReLU(SLOPE),
            WNConv1d(channels, channels, 1),
        )
        self.shortcut = WNConv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.block(x)


class MelganDiscriminator(nn.Module):
    """Waveform ``[B, 1, N]`` -> for every scale, all layers' outputs, the logits last.

    Layer 0 keeps the length, the strided ones divide it; the scores are ``[B, 1, N / 256]`` at the
    first scale, N/512 and N/1024 at the next.
    """

    def __init__(self, config: MelganDiscriminatorConfig = PAPER_MELGAN_DISCRIMINATOR) -> None:
        super().__init__()
        self.config = config
        self.model = nn.ModuleDict({f"disc_{i}": Scale(config) for i in range(config.scales)})

    def forward(self, waveform: Tensor) -> list[list[Tensor]]:
        found = []
        for scale in self.model.values():
            found.append(scale(waveform))
            waveform = F.avg_pool1d(waveform, 4, stride=2, padding=1, count_include_pad=False)
        return found


class Scale(nn.Module):
    """The discriminator of one scale: ``[B, 1, N]`` -> its layers' outputs."""

    def __init__(self, config: MelganDiscriminatorConfig) -> None:
        super().__init__()
        channels, stride = config.channels, config.stride
        layers: list[nn.Module] = [
            nn.Sequential(nn.ReflectionPad1d(7), WNConv1d(1, channels, 15), nn.LeakyReLU(SLOPE))
        ]
        for _ in range(config.strided):
            width = min(channels * stride, _MOST_CHANNELS)
            conv = WNConv1d(
                channels,
                width,
                10 * stride + 1,
                stride=stride,
                padding=5 * stride,
                groups=channels // 4,
            )
            layers.append(nn.Sequential(conv, nn.LeakyReLU(SLOPE)))
            channels = width
        width = min(2 * channels, _MOST_CHANNELS)
        last = WNConv1d(channels, width, 5, padding=2)
        layers += [nn.Sequential(last, nn.LeakyReLU(SLOPE)), WNConv1d(width, 1, 3, padding=1)]
        self.model = nn.ModuleDict({f"layer_{i}": layer for i, layer in enumerate(layers)})

    def forward(self, waveform: Tensor) -> list[Tensor]:
        found = [waveform]
        for layer in self.model.values():
            found.append(layer(found[-1]))
        return found[1:]


class WNConv1d(nn.Conv1d):
    """Convolution with the weight ``g v / |v|``, a norm for every output channel."""

    bias: nn.Parameter
    weight_g: nn.Parameter
    weight_v: nn.Parameter

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _split(self)

    @property
    def folded_weight(self) -> Tensor:
        """The weight as a plain convolution has it."""
        return torch._weight_norm(self.weight_v, self.weight_g)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.folded_weight, self.bias)


class WNLengthening(nn.ConvTranspose1d):
    """``[B, C_in, T] -> [B, C, ratio T]``, transposed; a norm for every *input* channel."""

    bias: nn.Parameter
    weight_g: nn.Parameter
    weight_v: nn.Parameter

    def __init__(self, channels: int, width: int, ratio: int) -> None:
        super().__init__(channels, width, 2 * ratio, stride=ratio, padding=ratio // 2)
        self.ratio = ratio
        _split(self)

    @property
    def folded_weight(self) -> Tensor:
        """The weight as a plain transposed convolution has it."""
        return torch._weight_norm(self.weight_v, self.weight_g)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return F.conv_transpose1d(
            x, self.folded_weight, self.bias, stride=self.ratio, padding=self.ratio // 2
        )


def check_frames(mel: Tensor) -> None:
    """Refuse a mel ``[B, mels, T]`` whose ends cannot be reflected.

    Raises
    ------
    ValueError
        When it has fewer than four frames.
    """
    least = _KERNEL // 2 + 1
    if mel.shape[2] < least:
        raise ValueError(f"a mel of {mel.shape[2]} frames is too short; give {least} or more")


def _split(layer: nn.Conv1d | nn.ConvTranspose1d) -> None:
    weight = nn.init.normal_(layer.weight, 0, _SPREAD).detach()
    del layer.weight
    layer.weight_g = nn.Parameter(torch.linalg.vector_norm(weight, dim=(1, 2), keepdim=True))
    layer.weight_v = nn.Parameter(weight)
