"""Residual networks for images, with torchvision's parameter names and stride placement.

Images are ``[B, 3, H, W]`` float32, normalised by the caller. A published ``resnet50`` state dict
loads as it is; a narrow network of basic blocks is the same class with another configuration.

K. He et al., "Deep residual learning for image recognition", CVPR 2016; the stride of a bottleneck
sits in its 3x3 convolution ("version 1.5"), as in the published torchvision weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ResNetConfig:
    """Size of a residual network.

    Attributes
    ----------
    block
        ``"basic"`` (two 3x3 convolutions) or ``"bottleneck"`` (1x1, 3x3, 1x1 to four times the
        width).
    blocks
        Blocks in each of the four stages; stage ``i`` is ``width * 2**i`` wide.
    width
        Channels of the stem and of the first stage.
    stem_pool
        Halve the stem's output once more by max-pooling, as for 224-pixel images.
    classes
        Outputs of ``fc``; 0 leaves it out, so that only the trunk remains.
    """

    block: Literal["basic", "bottleneck"] = "bottleneck"
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    width: int = 64
    stem_pool: bool = True
    classes: int = 1000

    @property
    def features(self) -> int:
        """Length of the pooled feature vector."""
        return self.width * 8 * _EXPANSION[self.block]


RESNET50 = ResNetConfig()
RESNET18 = ResNetConfig(block="basic", blocks=(2, 2, 2, 2))

_EXPANSION = {"basic": 1, "bottleneck": 4}


class ResNet(nn.Module):
    """Residual network whose state dict has torchvision's names (``layer1.0.conv1.weight`` ...)."""

    def __init__(self, config: ResNetConfig = RESNET50) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv2d(3, config.width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(config.width)
        block = {"basic": BasicBlock, "bottleneck": Bottleneck}[config.block]
        channels = config.width
        for stage, count in enumerate(config.blocks):
            width = config.width * 2**stage
            layers = []
            for i in range(count):
                layers.append(block(channels, width, stride=2 if stage > 0 and i == 0 else 1))
                channels = width * _EXPANSION[config.block]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(channels, config.classes) if config.classes else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def embed(self, images: Tensor) -> Tensor:
        """Images ``[B, 3, H, W]`` to the last stage's features, averaged over space ``[B, D]``."""
        x = F.relu(self.bn1(self.conv1(images)))
        if self.config.stem_pool:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage in range(4):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return x.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Images ``[B, 3, H, W]`` to class logits ``[B, classes]``."""
        if self.fc is None:
            raise ValueError("this trunk has no classes; call embed(), or configure classes > 0")
        return self.fc(self.embed(images))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: ``[B, C_in, H, W] -> [B, width, H/s, W/s]``."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 beside a shortcut: ``[B, C_in, H, W] -> [B, 4 width, H/s, W/s]``."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = _projection(channels, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _projection(channels: int, out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(
        nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
    )
