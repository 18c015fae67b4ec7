"""Peaks of motion: AV-Align's as published, and those that neither size nor rate moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from foleycli.vision.flow import FEATURE_NAMES, MotionFeatures
from foleycli.vision.motion import (
    av_align_magnitudes,
    av_align_video_peaks_s,
    motion_curve,
    motion_peaks_s,
)

_NOISE = cv2.GaussianBlur(np.random.default_rng(0).random((96, 400)), (0, 0), 2)
_SCENERY = np.uint8(255 * (_NOISE - _NOISE.min()) / np.ptp(_NOISE))


def picture(left: int) -> np.ndarray:
    return np.ascontiguousarray(np.repeat(_SCENERY[:, left : left + 128, None], 3, axis=2))


def features(speeds: np.ndarray) -> MotionFeatures:
    values = np.zeros((len(speeds), len(FEATURE_NAMES)), np.float32)
    values[:, FEATURE_NAMES.index("speed_mean")] = speeds
    return MotionFeatures(values)


def test_magnitudes_are_pixels_a_frame_and_the_first_is_repeated() -> None:
    lefts = np.cumsum([0, 2, 2, 0, 4])
    magnitudes = av_align_magnitudes(picture(left) for left in lefts)
    assert magnitudes.shape == (5,)
    assert magnitudes[0] == magnitudes[1]
    assert magnitudes[[1, 2]] == pytest.approx(2, rel=0.2)
    assert magnitudes[3] < 0.1
    assert magnitudes[4] == pytest.approx(4, rel=0.2)


def test_magnitudes_are_those_of_the_published_call() -> None:
    before, after = (cv2.cvtColor(picture(left), cv2.COLOR_RGB2GRAY) for left in (0, 3))
    flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    expected = cv2.mean(cv2.magnitude(flow[..., 0], flow[..., 1]))[0]
    assert av_align_magnitudes([picture(0), picture(3)])[1] == expected


def test_one_frame_or_none_has_no_motion() -> None:
    assert av_align_magnitudes([]).tolist() == []
    assert av_align_magnitudes([picture(0)]).tolist() == [0]
    for magnitudes in (np.zeros(0), np.zeros(1), np.zeros(2)):
        assert len(av_align_video_peaks_s(magnitudes, 30)) == 0


def test_published_peaks_are_strict_maxima_of_a_tenth_of_a_pixel_and_more() -> None:
    magnitudes = np.array([0, 0.5, 0, 0.05, 0, 0.1, 0, 2, 2, 0, 3.0])
    assert av_align_video_peaks_s(magnitudes, 10).tolist() == [0.1, 0.5]


def test_published_peaks_depend_on_resolution_through_the_threshold_in_pixels() -> None:
    magnitudes = np.array([0, 0.15, 0, 0.15, 0])
    assert len(av_align_video_peaks_s(magnitudes, 30)) == 2
    assert len(av_align_video_peaks_s(magnitudes / 2, 30)) == 0  # the film at half its width
    assert len(motion_peaks_s(features(magnitudes))) == 2
    assert len(motion_peaks_s(features(magnitudes / 2))) == 2


def test_a_peak_of_motion_is_where_speed_is_highest() -> None:
    times_s = np.arange(120) / 30
    speeds = sum(np.exp(-0.5 * ((times_s - centre) / 0.1) ** 2) for centre in (1, 2, 3.2))
    peaks_s = motion_peaks_s(features(speeds))
    assert peaks_s + 0.5 / 30 == pytest.approx([1, 2, 3.2], abs=0.02)


def test_ripples_and_stillness_have_no_peaks() -> None:
    times_s = np.arange(120) / 30
    swell = np.exp(-0.5 * ((times_s - 2) / 0.5) ** 2)
    ripples = 0.02 * np.random.default_rng(0).random(120)
    assert len(motion_peaks_s(features(swell + ripples))) == 1
    assert len(motion_peaks_s(features(np.zeros(120)))) == 0
    assert len(motion_peaks_s(features(np.zeros(0)))) == 0


def test_the_curve_has_the_middles_of_its_steps_as_times() -> None:
    times_s, speeds = motion_curve(features(np.arange(4.0)))
    assert times_s == pytest.approx([0, 0.5 / 30, 1.5 / 30, 2.5 / 30])
    assert speeds.tolist() == [0, 1, 2, 3]
    assert (np.diff(times_s) > 0).all()
