"""BigGAN (Brock, Donahue and Simonyan 2019) for spectrograms of any shape, visually guided.

FoleyGAN's generator is ``G(z, C, S_act)``: noise in chunks (one for the seed, one for every block),
a class, and the action spectrogram. Time is the width. S_act reaches the blocks two ways: as a
vector beside the class ("how much"), and pooled to every block's resolution and added through a
convolution ("when"). The convolutions start at zero, so that training starts from plain BigGAN,
whose parameter names and order of layers are kept.

The paper's discriminator sees the class only, and then nothing in the loss makes G follow the
action. With ``action=True`` D sees S_act as input channels and as a second projection: ``D = l(h) +
<E(C), h> + <V a, h>``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.models.spectral_norm import SNConv2d, SNEmbedding, SNLinear

ACTION_CHANNELS = 3
ACTION_WIDTH = 128
_BN_MOMENTUM = 0.1


@dataclass(frozen=True)
class GeneratorConfig:
    """Size of a generator; heights and widths double at every block.

    Attributes
    ----------
    widths : tuple of int
        Multiples of ``channels`` before the first and after every block.
    attention_after : int or None
        Index of the block that a non-local block follows.
    action : {"none", "vector", "spatial", "both"}
        How S_act is given; "none" is the paper's "without visual guidance".
    """

    classes: int = 12
    out_channels: int = 3
    channels: int = 96
    widths: tuple[int, ...] = (16, 16, 8, 8, 4, 2, 1, 1)
    seed_height: int = 4
    seed_width: int = 4
    attention_after: int | None = 3
    z_chunk: int = 20
    shared_width: int = 128
    action: str = "both"

    def __post_init__(self) -> None:
        if self.action not in ("none", "vector", "spatial", "both"):
            raise ValueError(f"action={self.action!r}; choose none, vector, spatial or both")

    @property
    def blocks(self) -> int:
        return len(self.widths) - 1

    @property
    def z_width(self) -> int:
        return self.z_chunk * (self.blocks + 1)

    @property
    def height(self) -> int:
        return self.seed_height * 2**self.blocks

    @property
    def width(self) -> int:
        return self.seed_width * 2**self.blocks

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "widths": tuple(fields["widths"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Size of a discriminator; every block but the last halves height and width."""

    classes: int = 12
    in_channels: int = 3
    channels: int = 96
    widths: tuple[int, ...] = (1, 1, 2, 4, 8, 8, 16, 16)
    attention_after: int | None = 2
    action: bool = True

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "widths": tuple(fields["widths"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class BatchNorm(nn.Module):
    """Batch normalisation with a learned gain and bias a channel (the generator's last)."""

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("stored_mean", torch.zeros(channels))
        self.register_buffer("stored_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.stored_mean, self.stored_var, self.gain, self.bias, self.training, _BN_MOMENTUM
        )


class ConditionalBatchNorm(nn.Module):
    """Batch normalisation with gain 1 + W_g c and bias W_b c, linear in a condition c."""

    stored_mean: Tensor
    stored_var: Tensor

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.gain = SNLinear(condition, channels, bias=False)
        self.bias = SNLinear(condition, channels, bias=False)
        self.register_buffer("stored_mean", torch.zeros(channels))
        self.register_buffer("stored_var", torch.ones(channels))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gain = 1 + self.gain(condition)
        bias = self.bias(condition)
        normalised = F.batch_norm(
            x, self.stored_mean, self.stored_var, None, None, self.training, _BN_MOMENTUM
        )
        return normalised * gain[:, :, None, None] + bias[:, :, None, None]


class NonLocal(nn.Module):
    """Self-attention over positions, keys and values pooled; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(channels // 8, 1)
        self.theta = SNConv2d(channels, narrow, 1, bias=False)
        self.phi = SNConv2d(channels, narrow, 1, bias=False)
        self.g = SNConv2d(channels, channels // 2, 1, bias=False)
        self.o = SNConv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        query = self.theta(x).flatten(2)  # (B, c/8, HW)
        key = F.max_pool2d(self.phi(x), 2).flatten(2)  # (B, c/8, HW/4)
        value = F.max_pool2d(self.g(x), 2).flatten(2)  # (B, c/2, HW/4)
        share = F.softmax(query.transpose(1, 2) @ key, dim=-1)  # (B, HW, HW/4)
        attended = (value @ share.transpose(1, 2)).unflatten(2, x.shape[2:])
        return self.gamma * self.o(attended) + x


class ActionEncoder(nn.Module):
    """S_act (B, 3, H, W) -> (B, ACTION_WIDTH): what happens, whatever the picture's size."""

    def __init__(self) -> None:
        super().__init__()
        widths = (ACTION_CHANNELS, 16, 32, 64, 64)
        pairs = pairwise(widths)
        self.layers = nn.ModuleList(SNConv2d(a, b, 3) for a, b in pairs)
        self.out = SNLinear(widths[-1], ACTION_WIDTH)

    def forward(self, s_act: Tensor) -> Tensor:
        h = s_act
        for layer in self.layers:
            h = F.avg_pool2d(F.relu(layer(h)), 2, ceil_mode=True)
        return self.out(h.mean((2, 3)))


class GeneratorBlock(nn.Module):
    """Residual block that doubles height and width."""

    def __init__(self, inputs: int, outputs: int, condition: int, spatial_action: bool) -> None:
        super().__init__()
        self.bn1 = ConditionalBatchNorm(inputs, condition)
        self.bn2 = ConditionalBatchNorm(outputs, condition)
        self.conv1 = SNConv2d(inputs, outputs, 3)
        self.conv2 = SNConv2d(outputs, outputs, 3)
        self.conv_sc = SNConv2d(inputs, outputs, 1)
        # Equal to concatenating the pooled S_act to conv1's input, but outside its spectral norm.
        self.conv_action = (
            nn.Conv2d(ACTION_CHANNELS, outputs, 3, padding=1, bias=False)
            if spatial_action
            else None
        )

    def forward(self, x: Tensor, condition: Tensor, s_act: Tensor | None) -> Tensor:
        h = F.relu(self.bn1(x, condition))
        h = self.conv1(F.interpolate(h, scale_factor=2.0))
        if self.conv_action is not None and s_act is not None:
            h = h + self.conv_action(F.adaptive_avg_pool2d(s_act, h.shape[2:]))
        h = self.conv2(F.relu(self.bn2(h, condition)))
        return h + self.conv_sc(F.interpolate(x, scale_factor=2.0))


class Generator(nn.Module):
    """(z, class, S_act) -> a spectrogram picture in [-1, 1].

    Shape
    -----
    z : (B, config.z_width) float32
    labels : (B,) int64
    s_act : (B, 3, height, width) float32 in [-1, 1]
    Output : (B, out_channels, height, width); with three channels the third is exactly zero.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        sizes = [config.channels * w for w in config.widths]
        with_vector = config.action in ("vector", "both")
        spatial = config.action in ("spatial", "both")
        condition = config.shared_width + config.z_chunk + (ACTION_WIDTH if with_vector else 0)
        self.shared = nn.Embedding(config.classes, config.shared_width)
        self.action_encoder = ActionEncoder() if with_vector else None
        self.linear = SNLinear(config.z_chunk, sizes[0] * config.seed_height * config.seed_width)
        self.blocks = nn.ModuleList()
        for index in range(config.blocks):
            parts: list[nn.Module] = [
                GeneratorBlock(sizes[index], sizes[index + 1], condition, spatial)
            ]
            if index == config.attention_after:
                parts.append(NonLocal(sizes[index + 1]))
            self.blocks.append(nn.ModuleList(parts))
        self.output_layer = nn.Sequential(
            BatchNorm(sizes[-1]), nn.ReLU(), SNConv2d(sizes[-1], config.out_channels, 3)
        )

    def forward(self, z: Tensor, labels: Tensor, s_act: Tensor | None = None) -> Tensor:
        config = self.config
        first, *chunks = z.split(config.z_chunk, dim=1)
        common = [self.shared(labels)]
        h = self.linear(first).view(len(z), -1, config.seed_height, config.seed_width)
        h = h.contiguous(memory_format=torch.channels_last)
        if self.action_encoder is not None:
            if s_act is None:
                raise ValueError(
                    "this generator is conditioned on an action spectrogram; none given"
                )
            vector = [self.action_encoder(s_act)]
        else:
            vector = []
        for parts, chunk in zip(self.blocks, chunks, strict=True):
            block, *attention = cast("nn.ModuleList", parts)
            h = block(h, torch.cat([*common, chunk, *vector], 1), s_act)
            for layer in attention:
                h = layer(h)
        picture = torch.tanh(self.output_layer(h))
        if config.out_channels == 3 and config.action != "none":
            picture = torch.cat([picture[:, :2], torch.zeros_like(picture[:, :1])], 1)
        return picture


class DiscriminatorBlock(nn.Module):
    """Residual block; halves height and width unless it is the last."""

    def __init__(self, inputs: int, outputs: int, first: bool, downsample: bool) -> None:
        super().__init__()
        self.first, self.downsample = first, downsample
        self.conv1 = SNConv2d(inputs, outputs, 3)
        self.conv2 = SNConv2d(outputs, outputs, 3)
        learned = inputs != outputs or downsample
        self.conv_sc = SNConv2d(inputs, outputs, 1) if learned else None

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.conv_sc is None:
            return x
        if self.first:  # pooling first is cheaper, and equal only here, where nothing was activated
            return self.conv_sc(F.avg_pool2d(x, 2))
        x = self.conv_sc(x)
        return F.avg_pool2d(x, 2) if self.downsample else x

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(x if self.first else F.relu(x))
        h = self.conv2(F.relu(h))
        if self.downsample:
            h = F.avg_pool2d(h, 2)
        return h + self._shortcut(x)


class Discriminator(nn.Module):
    """(picture, class, S_act) -> one logit a sample.

    Shape
    -----
    picture : (B, in_channels, H, W)
    labels : (B,) int64
    s_act : (B, 3, H, W) with ``config.action``, else None
    Output : (B, 1).
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        sizes = [config.channels * w for w in config.widths]
        inputs = config.in_channels + (ACTION_CHANNELS if config.action else 0)
        self.blocks = nn.ModuleList()
        for index, outputs in enumerate(sizes):
            last = index == len(sizes) - 1
            parts: list[nn.Module] = [DiscriminatorBlock(inputs, outputs, index == 0, not last)]
            if index == config.attention_after:
                parts.append(NonLocal(outputs))
            self.blocks.append(nn.ModuleList(parts))
            inputs = outputs
        self.linear = SNLinear(sizes[-1], 1)
        self.embed = SNEmbedding(config.classes, sizes[-1])
        self.action_encoder = ActionEncoder() if config.action else None
        self.action_project = (
            SNLinear(ACTION_WIDTH, sizes[-1], bias=False) if config.action else None
        )

    def forward(self, picture: Tensor, labels: Tensor, s_act: Tensor | None = None) -> Tensor:
        return self.judge(self.features(picture, s_act), labels, s_act)

    def features(self, picture: Tensor, s_act: Tensor | None = None) -> Tensor:
        """Return the pooled features h (B, widest)."""
        h = picture if s_act is None else torch.cat([picture, s_act], 1)
        h = h.contiguous(memory_format=torch.channels_last)
        for parts in self.blocks:
            for layer in cast("nn.ModuleList", parts):
                h = layer(h)
        return F.relu(h).sum((2, 3))

    def judge(self, h: Tensor, labels: Tensor, s_act: Tensor | None = None) -> Tensor:
        """Return the logit ``l(h) + <E(C), h> + <V a, h>`` (B, 1)."""
        logit = self.linear(h) + (self.embed(labels) * h).sum(1, keepdim=True)
        if (
            self.action_encoder is not None
            and self.action_project is not None
            and s_act is not None
        ):
            logit = logit + (self.action_project(self.action_encoder(s_act)) * h).sum(
                1, keepdim=True
            )
        return logit


def start_action_at_zero(generator: Generator) -> None:
    """Zero the spatial action convolutions, so that training starts from plain BigGAN."""
    for module in generator.modules():
        if isinstance(module, GeneratorBlock) and module.conv_action is not None:
            nn.init.zeros_(module.conv_action.weight)


def check_truncation(truncation: float | None) -> None:
    """Refuse a truncation that leaves next to nothing to draw from.

    Raises
    ------
    ValueError
        When it is under 0.02.
    """
    if truncation is not None and not truncation >= 0.02:
        raise ValueError(f"truncation {truncation} is too small to draw from; use 0.02 or more")


def truncated_noise(generator: torch.Generator, width: int, truncation: float | None) -> Tensor:
    """Draw z ~ N(0, I) of shape (1, width), coordinates beyond ``truncation`` drawn again.

    Raises
    ------
    ValueError
        When ``truncation`` is under 0.02.
    """
    check_truncation(truncation)
    z = torch.randn(1, width, generator=generator)
    while truncation is not None and (outside := z.abs() > truncation).any():
        z[outside] = torch.randn(int(outside.sum()), generator=generator)
    return z
