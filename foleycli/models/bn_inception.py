"""BN-Inception as it was published for Caffe, for frames and for optical flow.

S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015, whose table this is; converted for
temporal segment networks (L. Wang et al., ECCV 2016), which RegNet and SpecVQGAN take their visual
features from. What tells it from torchvision's relatives: convolutions have biases, and pooling
rounds sizes up. Parameter names are the published ones; there is no classifier.

Frames are ``[B, 3, 224, 224]``: blue, green, red of 0 to 255 less 104, 117, 128. Flow is
``[B, 2, 224, 224]``: x and y of 0 to 255 less 128.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

FRAME_MEANS = (104.0, 117.0, 128.0)  # blue, green, red
FLOW_MEANS = (128.0, 128.0)
_FIRST = "conv1_7x7_s2"


class Block(NamedTuple):
    """One row of the paper's table: widths of the branches, 0 for one that is not there.

    A strided block halves height and width; its third branch is the largest of 3x3. Elsewhere
    that is a convolution of ``pooling``.
    """

    name: str
    single: int
    reduced: int
    triple: int
    double_reduced: int
    double: int
    projected: int
    pooling: str = "mean"

    @property
    def strided(self) -> bool:
        return self.projected == 0


_BLOCKS = (
    Block("3a", 64, 64, 64, 64, 96, 32),
    Block("3b", 64, 64, 96, 64, 96, 64),
    Block("3c", 0, 128, 160, 64, 96, 0, "largest"),
    Block("4a", 224, 64, 96, 96, 128, 128),
    Block("4b", 192, 96, 128, 96, 128, 128),
    Block("4c", 160, 128, 160, 128, 160, 128),
    Block("4d", 96, 128, 192, 160, 192, 128),
    Block("4e", 0, 128, 192, 192, 256, 0, "largest"),
    Block("5a", 352, 192, 320, 160, 224, 128),
    Block("5b", 352, 192, 320, 192, 224, 128, "largest"),
)


@dataclass(frozen=True)
class BNInceptionConfig:
    """Size of a :class:`BNInception`.

    Attributes
    ----------
    channels
        Of the input: 3 for frames, 2 for flow.
    scale
        The published widths are times this.
    """

    channels: int = 3
    scale: float = 1.0

    @property
    def features(self) -> int:
        """Length of the pooled feature vector."""
        last = _BLOCKS[-1]
        return sum(self.width(n) for n in (last.single, last.triple, last.double, last.projected))

    def width(self, channels: int) -> int:
        """Return how many channels stand for the published ``channels``."""
        return max(1, round(channels * self.scale)) if channels else 0


RGB_BN_INCEPTION = BNInceptionConfig()
FLOW_BN_INCEPTION = BNInceptionConfig(channels=2)


class BNInception(nn.Module):
    """Frames or flow ``[B, channels, 224, 224]`` -> features ``[B, 1024]``, averaged over space."""

    def __init__(self, config: BNInceptionConfig = RGB_BN_INCEPTION) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self._add(_FIRST, config.channels, width(64), 7, stride=2)
        self._add("conv2_3x3_reduce", width(64), width(64), 1)
        self._add("conv2_3x3", width(64), width(192), 3)
        channels = width(192)
        for block in _BLOCKS:
            self._add_block(block, channels)
            kept = channels if block.strided else width(block.projected)
            channels = width(block.single) + width(block.triple) + width(block.double) + kept
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = _halved(self._convolved(_FIRST, images))
        x = _halved(self._convolved("conv2_3x3", self._convolved("conv2_3x3_reduce", x)))
        for block in _BLOCKS:
            x = self._mixed(block, x)
        return x.mean((2, 3))

    def fold(self) -> Self:
        """Put every batch norm into its convolution, for inference only; returns the network.

        Equal to rounding. It can no longer be trained, nor saved in the published layout.
        """
        self.eval().requires_grad_(False)
        for name, layer in list(self.named_children()):
            norm = getattr(self, f"{name}_bn", None)
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(self, name, fuse_conv_bn_eval(layer, norm))
                setattr(self, f"{name}_bn", nn.Identity())
        return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _add(self, name: str, channels: int, width: int, kernel: int, stride: int = 1) -> None:
        self.add_module(name, nn.Conv2d(channels, width, kernel, stride, kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(width))

    def _add_block(self, block: Block, channels: int) -> None:
        name, width, stride = f"inception_{block.name}", self.config.width, 1 + block.strided
        if block.single:
            self._add(f"{name}_1x1", channels, width(block.single), 1)
        self._add(f"{name}_3x3_reduce", channels, width(block.reduced), 1)
        self._add(f"{name}_3x3", width(block.reduced), width(block.triple), 3, stride)
        double = f"{name}_double_3x3"
        self._add(f"{double}_reduce", channels, width(block.double_reduced), 1)
        self._add(f"{double}_1", width(block.double_reduced), width(block.double), 3)
        self._add(f"{double}_2", width(block.double), width(block.double), 3, stride)
        if not block.strided:
            self._add(f"{name}_pool_proj", channels, width(block.projected), 1)

    def _convolved(self, name: str, x: Tensor) -> Tensor:
        return F.relu_(self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x)))

    def _mixed(self, block: Block, x: Tensor) -> Tensor:
        name, branches = f"inception_{block.name}", []
        if block.single:
            branches.append(self._convolved(f"{name}_1x1", x))
        for first, *others in (
            ("3x3_reduce", "3x3"),
            ("double_3x3_reduce", "double_3x3_1", "double_3x3_2"),
        ):
            y = self._convolved(f"{name}_{first}", x)
            for other in others:
                y = self._convolved(f"{name}_{other}", y)
            branches.append(y)
        if block.strided:
            branches.append(_halved(x))
        else:
            pooled = (
                F.avg_pool2d(x, 3, stride=1, padding=1, ceil_mode=True)
                if block.pooling == "mean"
                else F.max_pool2d(x, 3, stride=1, padding=1, ceil_mode=True)
            )
            branches.append(self._convolved(f"{name}_pool_proj", pooled))
        return torch.cat(branches, dim=1)


def flow_weights(frame_weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the flow network's weights, made of the frames' as SpecVQGAN did (6.1.1).

    The first convolution's kernels are averaged over the colours and repeated for x and y.

    Parameters
    ----------
    frame_weights
        State dict of a :class:`BNInception` of three channels.
    """
    first = f"{_FIRST}.weight"
    mean = frame_weights[first].mean(1, keepdim=True)
    return {**frame_weights, first: mean.repeat(1, len(FLOW_MEANS), 1, 1)}


def _halved(x: Tensor) -> Tensor:
    """Largest of 3x3, every other one, the size rounded up."""
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)
