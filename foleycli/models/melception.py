"""Melception: the Inception v3 that SpecVQGAN measures its sounds with (appendix of the paper).

torchvision's network and parameter names, with three changes that suit a spectrogram of few rows:
the first convolution takes one channel, both max-poolings before ``Mixed_5b`` are left out, and 309
classes. Input is ``[B, 1, 80, T]`` float32: the mel of ``dsp/front_ends/specvqgan.py`` in [0, 1],
every row less its mean over its standard deviation on the training set; T was 848. Its pooled 2048
features, W f and W f + b are what the paper's FID, Inception score and MKL are taken of.

C. Szegedy et al., "Rethinking the Inception architecture", CVPR 2016; blocks A to E are its figures
5, 6, 7 and the two reductions between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class MelceptionConfig:
    """Size of a :class:`Melception`.

    Attributes
    ----------
    classes
        Outputs of ``fc``.
    scale
        Inception's widths are times this; 1 is the published network.
    auxiliary
        Whether there is the second head of the published files. It is not computed: the
        reference overwrites its loss.
    """

    classes: int = 309
    scale: float = 1.0
    auxiliary: bool = True

    @property
    def features(self) -> int:
        """Length of the pooled feature vector."""
        return sum(self.width(n) for n in (320, 384, 384, 384, 384, 192))

    def width(self, channels: int) -> int:
        """Return how many channels stand for Inception's ``channels``."""
        return max(1, round(channels * self.scale))


class Melception(nn.Module):
    """Mel ``[B, 1, 80, T]`` -> class logits ``[B, classes]`` and features ``[B, 2048]``."""

    def __init__(self, config: MelceptionConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MelceptionConfig()
        channels = 1
        for name, width, kernel, stride, padding in _STEM:
            wide = config.width(width)
            self.add_module(name, ConvBN(channels, wide, kernel, stride, padding))
            channels = wide
        for name, branches, strided in _BLOCKS:
            block = Mixed(channels, branches, strided, config)
            self.add_module(name, block)
            channels = block.channels
            if name == "Mixed_6e" and config.auxiliary:
                self.AuxLogits = _auxiliary_head(channels, config)
        self.fc = nn.Linear(channels, config.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def embed(self, mel: Tensor) -> Tensor:
        """Mel ``[B, 1, 80, T]`` to features ``[B, 2048]``, averaged over space."""
        x = mel
        for name in _LAYERS:
            x = self.get_submodule(name)(x)
        return x.mean(dim=(2, 3))

    @property
    def head(self) -> nn.Linear:
        """The layer of the logits; W f, without its bias, is what the paper's ISC takes."""
        return self.fc

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        features = self.embed(mel)
        return self.fc(F.dropout(features, 0.5, self.training)), features


class ConvBN(nn.Module):
    """Convolution without bias, batch norm, ReLU: ``[B, C_in, H, W] -> [B, C, H', W']``."""

    def __init__(
        self, channels: int, width: int, kernel: tuple[int, int], stride: int, padding: bool
    ) -> None:
        super().__init__()
        around = (kernel[0] // 2, kernel[1] // 2) if padding else 0
        self.conv = nn.Conv2d(channels, width, kernel, stride, around, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Conv(NamedTuple):
    """One convolution of a branch."""

    name: str
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


class Fork(NamedTuple):
    """Two convolutions of the same input, side by side: the end of a branch."""

    left: Conv
    right: Conv


Branch = tuple[Conv | Fork, ...]


class Mixed(nn.Module):
    """Branches of convolutions, and one of pooling, side by side.

    A strided block halves height and width, without padding; its pooling branch is the largest
    of 3x3. Elsewhere that is a convolution of their mean, in which the padding counts.
    """

    def __init__(
        self, channels: int, branches: tuple[Branch, ...], strided: bool, config: MelceptionConfig
    ) -> None:
        super().__init__()
        self.strided = strided
        self.branches = [[_names(step) for step in branch] for branch in branches]
        self.channels = channels if strided else 0
        for branch in branches:
            width = channels
            for step in branch:
                made = [step] if isinstance(step, Conv) else list(step)
                for conv in made:
                    # Only what strides goes without padding.
                    self.add_module(
                        conv.name,
                        ConvBN(
                            width,
                            config.width(conv.width),
                            conv.kernel,
                            conv.stride,
                            conv.stride == 1,
                        ),
                    )
                width = sum(config.width(conv.width) for conv in made)
            self.channels += width

    def forward(self, x: Tensor) -> Tensor:
        done = []
        for branch in self.branches:
            y = x
            if branch == [["branch_pool"]]:
                y = F.avg_pool2d(x, 3, stride=1, padding=1)
            for step in branch:
                y = torch.cat([self.get_submodule(name)(y) for name in step], dim=1)
            done.append(y)
        if self.strided:
            done.append(F.max_pool2d(x, 3, stride=2))
        return torch.cat(done, dim=1)


def _names(step: Conv | Fork) -> list[str]:
    return [step.name] if isinstance(step, Conv) else [conv.name for conv in step]


def _auxiliary_head(channels: int, config: MelceptionConfig) -> nn.Module:
    width = config.width(768)
    return nn.ModuleDict(
        {
            "conv0": ConvBN(channels, config.width(128), (1, 1), 1, False),
            "conv1": ConvBN(config.width(128), width, (5, 5), 1, False),
            "fc": nn.Linear(width, config.classes),
        }
    )


def _seven(name: str, first: int, widths: tuple[int, ...], across: bool) -> Branch:
    """1x1, then 1x7 and 7x1 in turn, beginning with 1x7 where ``across``."""
    kernels = [(1, 7) if (i % 2 == 0) == across else (7, 1) for i in range(len(widths))]
    return (
        Conv(f"{name}_1", first),
        *(
            Conv(f"{name}_{i}", w, k)
            for i, (w, k) in enumerate(zip(widths, kernels, strict=True), 2)
        ),
    )


def _a(pool: int) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 64),),
        (Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, (5, 5))),
        (
            Conv("branch3x3dbl_1", 64),
            Conv("branch3x3dbl_2", 96, (3, 3)),
            Conv("branch3x3dbl_3", 96, (3, 3)),
        ),
        (Conv("branch_pool", pool),),
    )


def _c(narrow: int) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 192),),
        _seven("branch7x7", narrow, (narrow, 192), True),
        _seven("branch7x7dbl", narrow, (narrow, narrow, narrow, 192), False),
        (Conv("branch_pool", 192),),
    )


_B: tuple[Branch, ...] = (
    (Conv("branch3x3", 384, (3, 3), 2),),
    (
        Conv("branch3x3dbl_1", 64),
        Conv("branch3x3dbl_2", 96, (3, 3)),
        Conv("branch3x3dbl_3", 96, (3, 3), 2),
    ),
)
_D: tuple[Branch, ...] = (
    (Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, (3, 3), 2)),
    (*_seven("branch7x7x3", 192, (192, 192), True), Conv("branch7x7x3_4", 192, (3, 3), 2)),
)
_E: tuple[Branch, ...] = (
    (Conv("branch1x1", 320),),
    (
        Conv("branch3x3_1", 384),
        Fork(Conv("branch3x3_2a", 384, (1, 3)), Conv("branch3x3_2b", 384, (3, 1))),
    ),
    (
        Conv("branch3x3dbl_1", 448),
        Conv("branch3x3dbl_2", 384, (3, 3)),
        Fork(Conv("branch3x3dbl_3a", 384, (1, 3)), Conv("branch3x3dbl_3b", 384, (3, 1))),
    ),
    (Conv("branch_pool", 192),),
)
# Name, width, kernel, stride, whether padded.
_STEM = (
    ("Conv2d_1a_3x3", 32, (3, 3), 2, False),
    ("Conv2d_2a_3x3", 32, (3, 3), 1, False),
    ("Conv2d_2b_3x3", 64, (3, 3), 1, True),
    ("Conv2d_3b_1x1", 80, (1, 1), 1, False),
    ("Conv2d_4a_3x3", 192, (3, 3), 1, False),
)
# Name, branches, whether strided.
_BLOCKS = (
    *(
        ("Mixed_5" + letter, _a(pool), False)
        for letter, pool in zip("bcd", (32, 64, 64), strict=True)
    ),
    ("Mixed_6a", _B, True),
    *(
        ("Mixed_6" + letter, _c(n), False)
        for letter, n in zip("bcde", (128, 160, 160, 192), strict=True)
    ),
    ("Mixed_7a", _D, True),
    *(("Mixed_7" + letter, _E, False) for letter in "bc"),
)
_LAYERS = (*(row[0] for row in _STEM), *(row[0] for row in _BLOCKS))
