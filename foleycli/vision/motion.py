"""Peaks of motion, for metrics of synchrony.

AV-Align (Yariv et al., AAAI 2024) takes the mean magnitude of Farneback flow at the picture's own
size, in pixels a frame: its threshold depends on resolution and frame rate, and a panning camera or
a cut is motion to it. :func:`motion_peaks_s` starts from :mod:`foleycli.vision.flow` instead, where
pictures have one size, the camera is taken off, cuts are passed over, and time is that of the
frames' timestamps.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from foleycli.vision.flow import MotionFeatures

AV_ALIGN_LEAST_PIXELS = 0.1  # a frame
_CURVE = "speed_mean"
_PROMINENCE = 0.1  # of the clip's highest


def av_align_magnitudes(frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Mean magnitude of optical flow from frame to frame, as AV-Align measures it.

    Parameters
    ----------
    frames : iterable of (height, width, 3) uint8
        RGB, all of one size; held two at a time.

    Returns
    -------
    (frames,) float64
        Pixels a frame. Value ``k`` is the flow from frame ``k - 1`` to ``k``; the first repeats the
        second. One frame has a zero.
    """
    cv2.setNumThreads(1)  # the sums inside depend on how a picture is split among threads
    magnitudes: list[float] = []
    before = None
    for frame in frames:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None:
            flow = np.zeros((*gray.shape, 2), np.float32)
            cv2.calcOpticalFlowFarneback(
                before,
                gray,
                flow,
                pyr_scale=0.5,
                levels=3,
                winsize=15,
                iterations=3,
                poly_n=5,
                poly_sigma=1.2,
                flags=0,
            )
            magnitudes.append(float(cv2.mean(cv2.magnitude(flow[..., 0], flow[..., 1]))[0]))
        before = gray
    if before is None:
        return np.zeros(0)
    return np.array([*(magnitudes[:1] or [0.0]), *magnitudes])


def av_align_video_peaks_s(magnitudes: NDArray[np.floating], fps: float) -> NDArray[np.float64]:
    """Find the peaks of motion of AV-Align: values of 0.1 and more above both neighbours.

    Parameters
    ----------
    magnitudes : (frames,) float
        Pixels a frame, of :func:`av_align_magnitudes`.
    fps : float
        Frames a second; the reference knows no timestamps.

    Returns
    -------
    (peaks,) float64
        Seconds, ascending.
    """
    inner = magnitudes[1:-1]
    peak = (magnitudes[:-2] < inner) & (inner > magnitudes[2:]) & (inner >= AV_ALIGN_LEAST_PIXELS)
    return (1 + np.flatnonzero(peak)) / fps


def motion_curve(features: MotionFeatures) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Speed of what moves in the picture, the camera apart.

    Returns
    -------
    times_s, speeds : (N,) float64
        Middles of the steps in seconds; pixels of 1/160 of the width, each 1/30 s.
    """
    speeds = features.values[:, features.names.index(_CURVE)].astype(np.float64)
    return np.maximum(np.arange(len(speeds)) - 0.5, 0) / features.fps, speeds


def motion_peaks_s(features: MotionFeatures) -> NDArray[np.float64]:
    """Find the moments at which motion is at its height: AV-Align's peaks, corrected.

    A peak stands out from the valleys beside it by a tenth of the clip's highest speed.

    Returns
    -------
    (peaks,) float64
        Seconds, ascending.
    """
    times_s, speeds = motion_curve(features)
    peaks, _ = find_peaks(speeds, prominence=_PROMINENCE * max(speeds.max(initial=0.0), 1e-6))
    return times_s[peaks]
