"""One pass over a clip's picture: motion for the timing, frames for the recogniser."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foleycli.media.clock import picture_clock
from foleycli.media.video import Frame, at_rate, read_frames
from foleycli.vision.flow import MotionAnalyser, MotionFeatures
from foleycli.vision.recognition import Recogniser


@dataclass(frozen=True)
class ClipFeatures:
    """What was seen.

    Attributes
    ----------
    duration_s : float
        Of the picture, in seconds.
    motion : MotionFeatures
        Optical flow by region at 30 steps a second.
    frames : (N, D) float32 or None
        Frame features at the recogniser's rate; None when no recogniser looked.
    damage : tuple of str
        What was wrong with the file, one phrase each; empty when it decoded whole.
    """

    duration_s: float
    motion: MotionFeatures
    frames: NDArray[np.float32] | None
    damage: tuple[str, ...] = ()


def watch(path: str | os.PathLike[str], recogniser: Recogniser | None = None) -> ClipFeatures:
    """Look at a clip once, in constant memory but for the features.

    Raises
    ------
    MediaError
        When there is no picture to look at.
    """
    duration_s = float(picture_clock(path).duration)
    analyser = MotionAnalyser()
    damage: list[str] = []

    def observed(frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            analyser.add(frame)
            yield frame

    frames = observed(read_frames(path, warnings=damage))
    features = None
    if recogniser is None:
        for _ in frames:
            pass
    else:
        encoder, size = recogniser.encoder(), recogniser.config.backbone.input_size
        squeeze = not recogniser.config.backbone.shorter_side
        for _, _, frame in at_rate(frames, recogniser.fps):
            encoder.add(frame.rgb(size, size) if squeeze else frame.rgb())
        features = encoder.finish()
    return ClipFeatures(duration_s, analyser.finish(), features, tuple(damage))
