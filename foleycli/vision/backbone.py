"""Frames to feature vectors: preprocessing, fixed batches, and where backbones come from.

A frame becomes a square: squeezed whole (small backbones, nothing at the sides is lost), or its
shorter side resized and the centre cut out (published ImageNet networks). Pixels are normalised
with the ImageNet mean and standard deviation. Batches always have the same size, filled up with
zeros, so that a frame's features do not depend on how many others were given.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.models.resnet import RESNET50, ResNet, ResNetConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_BATCH = 16


@dataclass(frozen=True)
class BackboneConfig:
    """A network and the pictures it wants.

    Attributes
    ----------
    network
        The trunk.
    input_size
        Side of the square in pixels.
    shorter_side
        Size to which the shorter side is brought before the centre is cut out; 0 squeezes the whole
        frame.
    fps
        Frames a second that are looked at.
    """

    network: ResNetConfig = field(
        default_factory=lambda: ResNetConfig("basic", (2, 2, 2, 1), 24, classes=0)
    )
    input_size: int = 96
    shorter_side: int = 0
    fps: float = 10.0


IMAGENET_RESNET50 = BackboneConfig(RESNET50, input_size=224, shorter_side=256)


def preprocess(frame: NDArray[np.uint8], config: BackboneConfig) -> NDArray[np.uint8]:
    """Bring a frame (H, W, 3) uint8 RGB to the backbone's square (S, S, 3) uint8."""
    height, width = frame.shape[:2]
    size = config.input_size
    if (height, width) == (size, size):
        return frame
    if not config.shorter_side:
        return _resize(frame, size, size)
    scale = config.shorter_side / min(height, width)
    frame = _resize(frame, round(width * scale), round(height * scale))
    top, left = (frame.shape[0] - size) // 2, (frame.shape[1] - size) // 2
    return frame[top : top + size, left : left + size]


def normalise(images: Tensor) -> Tensor:
    """Pixels ``[B, H, W, 3]`` uint8 to ``[B, 3, H, W]`` float32, by ImageNet's moments."""
    scaled = (images.float() / 255 - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)
    return scaled.permute(0, 3, 1, 2)  # stays channels-last in memory, the fast layout on a CPU


class FrameEncoder:
    """Takes frames one by one and gives their features at the end; holds one batch of frames."""

    def __init__(self, network: ResNet, config: BackboneConfig) -> None:
        self.config = config
        self._network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._waiting: list[NDArray[np.uint8]] = []
        self._done: list[NDArray[np.float32]] = []

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Take the next frame, (H, W, 3) uint8 RGB; one of the input size is taken as it is."""
        self._waiting.append(preprocess(frame, self.config))
        if len(self._waiting) == _BATCH:
            self._flush()

    def finish(self) -> NDArray[np.float32]:
        """Return the features of all frames, (N, D) float32, and begin anew."""
        if self._waiting:
            self._flush()
        done, self._done = self._done, []
        if not done:
            return np.empty((0, self.config.network.features), np.float32)
        return np.concatenate(done)

    @torch.inference_mode()
    def _flush(self) -> None:
        size, count = self.config.input_size, len(self._waiting)
        batch = np.zeros((_BATCH, size, size, 3), np.uint8)
        batch[:count] = np.stack(self._waiting)
        self._waiting.clear()
        self._done.append(self._network.embed(normalise(torch.from_numpy(batch)))[:count].numpy())


def load_imagenet_resnet50(path: str | os.PathLike[str]) -> ResNet:
    """Read torchvision's published ResNet-50.

    The file is ``resnet50-0676ba61.pth`` from https://download.pytorch.org/models/ (its SHA-256
    begins as its name says). It is opened without executing anything in it.

    Raises
    ------
    ValueError
        When the file is missing or holds something else.
    """
    try:
        state = torch.load(Path(path), map_location="cpu", weights_only=True)
        network = ResNet(RESNET50)
        network.load_state_dict(state)
    except (
        OSError,
        RuntimeError,
        pickle.UnpicklingError,
        EOFError,
        AttributeError,
        TypeError,
    ) as error:
        raise ValueError(
            f"{path}: not the ResNet-50 weights resnet50-0676ba61.pth "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from error
    return network.eval()


def _resize(frame: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    method = cv2.INTER_AREA if width < frame.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (width, height), interpolation=method), np.uint8)
