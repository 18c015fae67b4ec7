"""Motion by region: optical flow and brightness changes on a coarse grid, at 30 steps a second.

Frames are reduced to 160x120 grey; Farneback flow between neighbours is scaled to pixels per 1/30 s
by the true timestamps, and the frame's median vector is taken off (the camera). Means over an 8x6
grid of cells keep *where* something moves, which is what tells an impact from a busy picture. Value
``k`` is the mean over the 1/30 s that end at time ``k / 30``, whatever the rate of the clip: motion
is constant between two frames, so that its integral is piecewise linear and the steps are
differences of that integral.

G. Farneback, Two-frame motion estimation based on polynomial expansion, SCIA 2003.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.action import ACTION_FPS

WIDTH, HEIGHT = 160, 120
GRID_COLUMNS, GRID_ROWS = 8, 6
CELLS = GRID_COLUMNS * GRID_ROWS
_CELL = WIDTH // GRID_COLUMNS  # pixels, square
_TOP_PIXELS = 400  # the area of one cell: a small object moving alone
_SHORTEST_STEP_S = (
    1 / 65
)  # clips above 60 fps are thinned: the time goes into flow, the eye gains nothing
_ROUNDING_S = 1e-6  # timestamps are fractions
_CUT_LIKENESS = 0.35  # correlation of neighbouring pictures under which they are two shots

# One value a cell, then one value a picture.
CELL_NAMES = ("flow_x", "flow_y", "speed", "peak_speed", "change", "brightening")
PICTURE_NAMES = (
    "camera_x",
    "camera_y",
    "speed_mean",
    "speed_top",
    "change_mean",
    "change_top",
    "brightening_mean",
    "flash_top",
    "spread_x",
    "spread_y",
)
FEATURE_NAMES = (
    *(f"{name}[{cell}]" for name in CELL_NAMES for cell in range(CELLS)),
    *PICTURE_NAMES,
)


class TimedPicture(Protocol):
    """What is needed of a frame; :class:`foleycli.media.video.Frame` is one."""

    @property
    def time_s(self) -> float:
        """Seconds from the first frame."""

    @property
    def duration_s(self) -> float:
        """Seconds on the screen."""

    def gray(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the picture as (height, width) uint8."""


@dataclass(frozen=True)
class MotionFeatures:
    """Motion of a clip.

    ``values`` is (N, D) float32, row k for the 1/fps s that end at ``k / fps``.
    """

    values: NDArray[np.float32]
    fps: float = ACTION_FPS
    names: tuple[str, ...] = FEATURE_NAMES


class MotionAnalyser:
    """Collects motion as frames are decoded; holds one small picture, and a row a step."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)  # the sums inside depend on how a picture is split among threads
        self._previous: NDArray[np.uint8] | None = None
        self._time_s = 0.0
        self._end_s = 0.0
        self._motion = np.zeros(len(FEATURE_NAMES), np.float32)
        self._travelled = np.zeros(len(FEATURE_NAMES))  # integral of the motion up to this frame
        self._at_last_step = self._travelled  # and up to the last whole step
        self._rows: list[NDArray[np.float32]] = []

    def add(self, frame: TimedPicture) -> None:
        """Take the next frame, in order of time."""
        self._end_s = frame.time_s + frame.duration_s
        step_s = frame.time_s - self._time_s
        if self._previous is not None and step_s < _SHORTEST_STEP_S:
            return
        picture = frame.gray(WIDTH, HEIGHT)
        # Motion across a cut means nothing: what moved before goes on, so that no change is seen.
        if self._previous is not None and not _is_cut(self._previous, picture):
            self._motion = _motion(self._previous, picture, step_s * ACTION_FPS)
        before, self._travelled = self._travelled, self._travelled + self._motion * step_s
        while (
            ahead_s := (len(self._rows) + 1) / ACTION_FPS - self._time_s
        ) <= step_s + _ROUNDING_S:
            share = min(ahead_s / step_s, 1.0)
            self._push(before + (self._travelled - before) * share)
        self._previous, self._time_s = picture, frame.time_s

    def finish(self) -> MotionFeatures:
        """Return the motion of all frames taken, ``ceil(duration * 30)`` rows.

        A clip of one frame has rows of zeros, one of no frames no rows.
        """
        count = int(np.ceil(self._end_s * ACTION_FPS - 1e-9)) if self._previous is not None else 0
        while len(self._rows) + 1 < count:
            self._push(self._travelled)
        first = self._rows[:1] or [np.zeros(len(FEATURE_NAMES), np.float32)]
        rows = [*first, *self._rows][:count]  # nothing is known of what moved before the clip
        return MotionFeatures(np.array(rows, np.float32).reshape(count, len(FEATURE_NAMES)))

    def _push(self, travelled: NDArray[np.float64]) -> None:
        """Close a step: its motion is what has been travelled since the last."""
        self._rows.append(((travelled - self._at_last_step) * ACTION_FPS).astype(np.float32))
        self._at_last_step = travelled


def analyse(frames: Iterable[TimedPicture]) -> MotionFeatures:
    """Motion of a whole clip; see :class:`MotionAnalyser`."""
    analyser = MotionAnalyser()
    for frame in frames:
        analyser.add(frame)
    return analyser.finish()


def _motion(
    before: NDArray[np.uint8], after: NDArray[np.uint8], steps: float
) -> NDArray[np.float32]:
    """Measure the motion between two pictures ``steps`` thirtieths of a second apart: (D,)."""
    if np.array_equal(before, after):  # Farneback would see some motion along the edges
        return np.zeros(len(FEATURE_NAMES), np.float32)
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    cv2.calcOpticalFlowFarneback(
        before,
        after,
        flow,
        pyr_scale=0.5,
        levels=3,
        winsize=13,
        iterations=3,
        poly_n=5,
        poly_sigma=1.1,
        flags=0,
    )
    flow *= 1 / steps
    camera = np.median(flow.reshape(-1, 2)[::7], axis=0)
    flow -= camera
    x, y = np.ascontiguousarray(flow[..., 0]), np.ascontiguousarray(flow[..., 1])
    speed = np.hypot(x, y)
    brighter = after.astype(np.float32) - before
    change = np.abs(brighter)
    coarse = cv2.resize(speed, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    peaks = coarse.reshape(GRID_ROWS, _CELL // 4, GRID_COLUMNS, _CELL // 4).max(axis=(1, 3))
    picture = [
        *camera,
        speed.mean(),
        _top_mean(speed),
        change.mean(),
        _top_mean(change),
        brighter.mean(),
        _top_mean(brighter),
        x.std(),
        y.std(),
    ]
    cells = [
        *(_cell_means(p) for p in (x, y, speed)),
        peaks,
        _cell_means(change),
        _cell_means(brighter),
    ]
    return np.concatenate([*(c.ravel() for c in cells), picture]).astype(np.float32)


def _cell_means(picture: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(
        cv2.resize(picture, (GRID_COLUMNS, GRID_ROWS), interpolation=cv2.INTER_AREA), np.float32
    )


def _top_mean(picture: NDArray[np.float32]) -> float:
    """Mean of the ``_TOP_PIXELS`` largest values."""
    return float(np.partition(picture.ravel(), -_TOP_PIXELS)[-_TOP_PIXELS:].mean())


def _is_cut(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    """Whether two neighbouring pictures share no layout; a flash keeps it, brighter."""
    small = [
        cv2.resize(p, (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
        for p in (before, after)
    ]
    one, two = (p - p.mean() for p in small)
    size = np.sqrt((one**2).mean() * (two**2).mean())
    return bool(size > 25.0 and (one * two).mean() < _CUT_LIKENESS * size)
