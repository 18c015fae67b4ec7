"""IC-GAN (Casanova et al. 2021) on BigGAN: a picture from noise and an image's feature.

The feature, of unit length, takes the class's place: through one shared linear layer it reaches
every conditional batch normalisation of the generator, beside that block's own chunk of noise
("hier"), and the discriminator projects on it: ``D = l(h) + <W f, h>``. The blocks are BigGAN's.
Parameter names and order are those of the published 128-pixel networks, which Sound2Scene draws
with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.models.biggan import (
    BatchNorm,
    DiscriminatorBlock,
    GeneratorBlock,
    NonLocal,
    check_truncation,
    truncated_noise,
)
from foleycli.models.spectral_norm import SNConv2d, SNLinear

SEED_PIXELS = 4
_NOISE_EDGE = 2.0  # of IC-GAN's truncated normal
_EMBEDDING_WIDTH = 128  # of ``shared``
_LEAST_DEVIATION = 1e-3  # of unit features: one that never varies says nothing


@dataclass(frozen=True)
class ICGANGeneratorConfig:
    """Size of a generator; the default is the published one at 128 pixels.

    Attributes
    ----------
    features : int
        Length of the conditioning feature.
    shared_width : int
        What the feature is brought to before the blocks see it.
    widths : tuple of int
        Multiples of ``channels`` before the first and after every block; each block doubles the
        picture.
    attention_after : int or None
        Index of the block that a non-local block follows.
    z_chunk : int
        Noise values for the seed and for each block.
    unread_classes : int
        Rows of ``shared``, a class embedding that the published file holds and nothing reads.
    standardised : bool
        Whether features are brought to mean 0 and deviation 1 first; not so in the published
        network. Features that went through a ReLU have most of their length in common: what tells
        them apart is lost beside the noise, and small runs take long to find it.
    """

    features: int = 2048
    shared_width: int = 512
    channels: int = 96
    widths: tuple[int, ...] = (16, 16, 8, 4, 2, 1)
    attention_after: int | None = 3
    z_chunk: int = 20
    unread_classes: int = 1000
    standardised: bool = False

    @property
    def blocks(self) -> int:
        return len(self.widths) - 1

    @property
    def z_width(self) -> int:
        return self.z_chunk * (self.blocks + 1)

    @property
    def pixels(self) -> int:
        """Height and width of a picture."""
        return SEED_PIXELS * 2**self.blocks

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "widths": tuple(fields["widths"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ICGANDiscriminatorConfig:
    """Size of a discriminator; the default is the published one at 128 pixels.

    Attributes
    ----------
    widths : tuple of int
        Multiples of ``channels`` after every block.
    halvings : int
        How many blocks, from the first, halve the picture.
    standardised : bool
        As the generator's.
    """

    features: int = 2048
    channels: int = 96
    widths: tuple[int, ...] = (1, 2, 4, 8, 16, 16)
    halvings: int = 5
    attention_after: int | None = 0
    standardised: bool = False

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "widths": tuple(fields["widths"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# 32 pixels, as BigGAN was built for CIFAR-10, for training without an accelerator.
MINI_GENERATOR = ICGANGeneratorConfig(
    features=256,
    shared_width=64,
    channels=16,
    widths=(4, 4, 4, 4),
    attention_after=None,
    z_chunk=16,
    unread_classes=0,
)
MINI_DISCRIMINATOR = ICGANDiscriminatorConfig(
    features=256, channels=16, widths=(4, 4, 4, 4), halvings=2, attention_after=None
)


class Standardised(nn.Module):
    """Features (B, D) less their mean over their deviation, of a set given once."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.mean: Tensor
        self.deviation: Tensor

    def fit(self, features: Tensor) -> None:
        """Take both moments from (N, D) features."""
        self.mean.copy_(features.mean(0))
        self.deviation.copy_(features.std(0) + _LEAST_DEVIATION)

    def forward(self, feature: Tensor) -> Tensor:
        return (feature - self.mean) / self.deviation


class ICGANGenerator(nn.Module):
    """(z, feature) -> a picture in [-1, 1].

    Shape
    -----
    z : (B, config.z_width) float32
    feature : (B, config.features) float32, of unit length
    Output : (B, 3, config.pixels, config.pixels).
    """

    def __init__(self, config: ICGANGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        sizes = [config.channels * w for w in config.widths]
        condition = config.shared_width + config.z_chunk
        if config.unread_classes:
            self.shared = nn.Embedding(config.unread_classes, _EMBEDDING_WIDTH)
            self.shared.requires_grad_(False)
        self.scale = Standardised(config.features) if config.standardised else nn.Identity()
        self.shared_feat = SNLinear(config.features, config.shared_width)
        self.linear = SNLinear(config.z_chunk, sizes[0] * SEED_PIXELS**2)
        self.blocks = nn.ModuleList()
        for index in range(config.blocks):
            parts: list[nn.Module] = [
                GeneratorBlock(sizes[index], sizes[index + 1], condition, spatial_action=False)
            ]
            if index == config.attention_after:
                parts.append(NonLocal(sizes[index + 1]))
            self.blocks.append(nn.ModuleList(parts))
        self.output_layer = nn.Sequential(
            BatchNorm(sizes[-1]), nn.ReLU(), SNConv2d(sizes[-1], 3, 3)
        )

    def forward(self, z: Tensor, feature: Tensor) -> Tensor:
        first, *chunks = z.split(self.config.z_chunk, dim=1)
        shared = self.shared_feat(self.scale(feature))
        h = self.linear(first).view(len(z), -1, SEED_PIXELS, SEED_PIXELS)
        h = h.contiguous(memory_format=torch.channels_last)
        for parts, chunk in zip(self.blocks, chunks, strict=True):
            block, *attention = cast("nn.ModuleList", parts)
            h = block(h, torch.cat([shared, chunk], 1), None)
            for layer in attention:
                h = layer(h)
        return torch.tanh(self.output_layer(h))

    def fold(self) -> Self:
        """Put ``weight / sigma`` in each weight's place, for inference only; returns the network.

        In eval mode sigma comes from one step from a stored vector, so that it is the same at every
        call: pictures are equal to rounding. The network can no longer be trained, nor saved in the
        published layout.
        """
        self.eval().requires_grad_(False)
        for module in list(self.modules()):
            for name, layer in list(module.named_children()):
                if isinstance(layer, SNConv2d | SNLinear):
                    setattr(module, name, _plain(layer))
        # The layout that pictures have: weights in another are brought to it at every call.
        return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class ICGANDiscriminator(nn.Module):
    """(picture, feature) -> one logit a sample.

    Shape
    -----
    picture : (B, 3, H, W) float32 in [-1, 1]
    feature : (B, config.features) float32, of unit length
    Output : (B, 1).
    """

    def __init__(self, config: ICGANDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        inputs = 3
        self.blocks = nn.ModuleList()
        for index, width in enumerate(config.widths):
            outputs = config.channels * width
            parts: list[nn.Module] = [
                DiscriminatorBlock(inputs, outputs, index == 0, index < config.halvings)
            ]
            if index == config.attention_after:
                parts.append(NonLocal(outputs))
            self.blocks.append(nn.ModuleList(parts))
            inputs = outputs
        self.linear = SNLinear(inputs, 1)
        self.scale = Standardised(config.features) if config.standardised else nn.Identity()
        self.linear_feat = SNLinear(config.features, inputs)

    def forward(self, picture: Tensor, feature: Tensor) -> Tensor:
        h = picture.contiguous(memory_format=torch.channels_last)
        for parts in self.blocks:
            for layer in cast("nn.ModuleList", parts):
                h = layer(h)
        h = F.relu(h).sum((2, 3))
        return self.linear(h) + (self.linear_feat(self.scale(feature)) * h).sum(1, keepdim=True)


def sample_z(
    seed: int,
    draws: Sequence[int],
    width: int,
    *,
    std: float = 1.0,
    truncation: float | None = None,
) -> Tensor:
    """Draw the noise of samples, each from its own (seed, draw), whatever else is in the batch.

    Parameters
    ----------
    seed : int
        Not negative.
    draws : sequence of int
        Which samples, not negative: ``range(8)`` for the first eight.
    width : int
        ``config.z_width``.
    std : float
        Factor on the noise (Sound2Scene's ``z_var``, which its code takes as a deviation).
    truncation : float or None
        Another factor, on noise drawn from [-2, 2] only, as IC-GAN truncates.

    Returns
    -------
    Tensor
        (len(draws), width) float32.

    Raises
    ------
    ValueError
        When ``truncation`` is under 0.02.
    """
    check_truncation(truncation)
    edge = None if truncation is None else _NOISE_EDGE
    factor = std if truncation is None else std * truncation
    rows = [torch.empty(0, width)]
    for draw in draws:
        state = int(np.random.SeedSequence((seed, draw)).generate_state(1, np.uint64)[0])
        rows.append(truncated_noise(torch.Generator().manual_seed(state), width, edge))
    return factor * torch.cat(rows)


def _plain(layer: SNConv2d | SNLinear) -> nn.Module:
    """Return the layer with its weight normalised once and for all."""
    plain: nn.Conv2d | nn.Linear
    with torch.device("meta"):
        if isinstance(layer, SNConv2d):
            plain = nn.Conv2d(
                layer.in_channels,
                layer.out_channels,
                layer.kernel_size,  # type: ignore[arg-type]
                padding=layer.padding,  # type: ignore[arg-type]
                bias=layer.bias is not None,
            )
        else:
            plain = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    plain.weight = nn.Parameter(layer.normalised_weight(), requires_grad=False)
    plain.bias = layer.bias
    return plain.eval()
