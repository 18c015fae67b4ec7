"""Features of a clip's frames as SpecVQGAN takes them: 215 rows of 21.5 a second.

Of a clip's first ten seconds every row is stored; what reads them takes the middle 212 (see
``sound_codes/conditions.py``). A shorter clip's rows are repeated from the first on, as theirs
were. The rows of ResNet-50 are its frames'. BN-Inception's row k is of frame k + 1 and of the flow
that leads to it, because the published counter lost the first frame; a repeated clip's flow goes
over the seam.

Frames come at the rate as ffmpeg's ``fps`` filter gives them: row k shows what is on screen half a
step later, and a last row needs half a step to be there. On the six clips whose published features
are at hand, rows change when these frames change (rank correlations of 0.50 to 0.85, against 0.55
and less a row earlier or later), and there are as many of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.media.clock import picture_clock
from foleycli.media.video import read_frames
from foleycli.models.bn_inception import (
    FLOW_MEANS,
    FRAME_MEANS,
    BNInception,
    flow_weights,
)
from foleycli.models.resnet import ResNet
from foleycli.vision.backbone import normalise
from foleycli.vision.published_pictures import (
    SIDE,
    FlowPictures,
    inception_picture,
    resnet_picture,
    squeezed,
)

FPS = 21.5
ROWS = 215
_BATCH = 16
_ROUNDING_S = 1e-9

Picture = NDArray[np.uint8]
Progress = Callable[[int, int], None]
Timed = TypeVar("Timed", bound="_Shown")


class _Shown(Protocol):
    """What is needed of a frame."""

    @property
    def time_s(self) -> float:
        """Seconds from the first frame."""

    @property
    def duration_s(self) -> float:
        """Seconds on the screen."""


@dataclass(frozen=True, eq=False)
class ClipRows:
    """Features of a clip.

    Attributes
    ----------
    values : (N, width) float32
    times_s : (N,) float64
        Where in the clip the frame of each row is.
    duration_s : float
        Of the picture.
    frames : int
        Rows before any were repeated.
    damage : tuple of str
        What was wrong with the file; empty when it decoded whole.
    """

    values: NDArray[np.float32]
    times_s: NDArray[np.float64]
    duration_s: float
    frames: int
    damage: tuple[str, ...]


class Eye(Protocol):
    """A network and the pictures it wants."""

    name: str
    ahead: int  # frames by which row k looks beyond frame k

    def pictures(self, frames: Iterable[Picture], *, repeat: bool) -> Iterator[list[Picture]]:
        """Turn frames (H, W, 3) uint8 RGB into the pictures of each row; ``repeat`` as in a loop.

        Yields
        ------
        list of (224, 224, C) uint8
        """

    def embed(self, pictures: list[Tensor]) -> Tensor:
        """Turn batches ``[B, 224, 224, C]`` uint8 into features ``[B, width]``."""


class ResnetEye:
    """ResNet-50's 2048 features, averaged over space."""

    name, ahead = "resnet50", 0

    def __init__(self, network: ResNet) -> None:
        self._network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def pictures(self, frames: Iterable[Picture], *, repeat: bool) -> Iterator[list[Picture]]:
        """See :class:`Eye`."""
        return ([resnet_picture(frame)] for frame in frames)

    def embed(self, pictures: list[Tensor]) -> Tensor:
        """See :class:`Eye`."""
        device = self._network.conv1.weight.device
        return self._network.embed(normalise(pictures[0]).to(device))


class InceptionEye:
    """BN-Inception's 1024 features of frames, and 1024 of the flow if there is a network for it.

    Both networks are changed: batch norms go into convolutions.
    """

    ahead = 1

    def __init__(self, network: BNInception, flow: BNInception | None = None) -> None:
        self.name = "bninception" if flow is None else "bninception+flow"
        self._networks = [network.fold()] if flow is None else [network.fold(), flow.fold()]
        self._flow = None if flow is None else FlowPictures()

    def pictures(self, frames: Iterable[Picture], *, repeat: bool) -> Iterator[list[Picture]]:
        """See :class:`Eye`."""
        for before, after in _pairs(map(squeezed, frames), repeat=repeat):
            found = [inception_picture(after)]
            if self._flow is not None:
                found.append(self._flow(before, after))
            yield found

    def embed(self, pictures: list[Tensor]) -> Tensor:
        """See :class:`Eye`."""
        found = []
        means = (FRAME_MEANS, FLOW_MEANS)
        for network, given, mean in zip(self._networks, pictures, means, strict=False):
            centred = (given.float() - torch.tensor(mean)).permute(0, 3, 1, 2)
            found.append(network(centred.to(next(network.parameters()).device)))
        return torch.cat(found, dim=1)


def flow_network(network: BNInception) -> BNInception:
    """Make the network of flow out of that of frames, as published."""
    made = BNInception(replace(network.config, channels=len(FLOW_MEANS)))
    made.load_state_dict(flow_weights(network.state_dict()))
    return made


def clip_rows(
    path: str | os.PathLike[str],
    eye: Eye,
    *,
    every: bool = False,
    progress: Progress | None = None,
) -> ClipRows:
    """Look at a clip, in constant memory but for the features.

    Parameters
    ----------
    path
        Any clip with a picture.
    eye
        What looks.
    every
        Keep a row for every frame of the clip, however long, instead of :data:`ROWS`.
    progress
        Called with rows seen, of how many.

    Raises
    ------
    MediaError
        When there is no picture.
    """
    duration_s = float(picture_clock(path).duration)
    damage: list[str] = []
    total = max(1, int(duration_s * FPS + 0.5))
    wanted = total if every else min(total, ROWS)
    frames = (frame.rgb() for frame in at_nearest(read_frames(path, warnings=damage), FPS))
    rows = eye.pictures(frames, repeat=not every)
    values = _embedded(eye, rows if every else islice(rows, ROWS), wanted, progress)
    found = len(values)
    times_s = (np.arange(found) + eye.ahead) / FPS
    if not every:
        values = np.resize(values, (ROWS, values.shape[1]))
        times_s = np.resize(times_s, ROWS)
    # The row after the last frame is of the first, in a loop, or of the last.
    beyond = times_s > (total - 0.5) / FPS
    times_s[beyond] = (total - 1) / FPS if every else 0.0
    return ClipRows(values, times_s, duration_s, found, tuple(damage))


def at_nearest(frames: Iterable[Timed], fps: float) -> Iterator[Timed]:
    """Sample a picture at a constant rate as ffmpeg's ``fps`` filter does.

    Yields
    ------
    frame
        That on screen at ``(k + 1/2) / fps``, for k = 0 ... ``max(1, round(duration * fps)) - 1``.
    """
    shown, rows = None, 0
    for frame in frames:
        if shown is not None:
            while (rows + 0.5) / fps <= frame.time_s + _ROUNDING_S:
                yield shown
                rows += 1
        shown = frame
    if shown is None:
        return
    end_s = shown.time_s + shown.duration_s
    while rows == 0 or (rows + 0.5) / fps <= end_s + _ROUNDING_S:
        yield shown
        rows += 1


def _pairs(pictures: Iterable[Picture], *, repeat: bool) -> Iterator[tuple[Picture, Picture]]:
    """Yield each picture and the next; after the last comes the first, or itself."""
    first = before = None
    for picture in pictures:
        if before is None:
            first = picture
        else:
            yield before, picture
        before = picture
    if before is not None and first is not None:
        yield before, first if repeat else before


@torch.inference_mode()
def _embedded(
    eye: Eye, rows: Iterable[list[Picture]], wanted: int, progress: Progress | None
) -> NDArray[np.float32]:
    """Embed pictures in batches of one size, filled up with zeros: a row is the same in any."""
    source, found = iter(rows), []
    while waiting := list(islice(source, _BATCH)):
        batches = []
        for pictures in zip(*waiting, strict=True):
            batch = np.zeros((_BATCH, SIDE, SIDE, pictures[0].shape[2]), np.uint8)
            batch[: len(waiting)] = np.stack(pictures)
            batches.append(torch.from_numpy(batch))
        found.append(eye.embed(batches)[: len(waiting)].cpu().numpy())
        if progress:
            progress(min(sum(map(len, found)), wanted), wanted)
    return np.concatenate(found)
