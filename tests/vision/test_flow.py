"""Motion features: true rates whatever the timestamps, and nothing where nothing moves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from foleycli.vision.flow import CELLS, FEATURE_NAMES, GRID_COLUMNS, MotionFeatures, analyse

_NOISE = cv2.GaussianBlur(np.random.default_rng(0).random((120, 400)), (0, 0), 2)
_SCENERY = np.uint8(255 * (_NOISE - _NOISE.min()) / np.ptp(_NOISE))


@dataclass
class Shot:
    """A stand-in for a decoded frame."""

    time_s: float
    duration_s: float
    picture: np.ndarray

    def gray(self, width: int, height: int) -> np.ndarray:
        assert self.picture.shape == (height, width)
        return self.picture


def _still(left: int = 0) -> np.ndarray:
    return np.ascontiguousarray(_SCENERY[:, left : left + 160])


def _moving_square(times_s: np.ndarray, pixels_a_second: float = 60.0) -> list[Shot]:
    """A textured square of 20 pixels going right over scenery that stands still."""
    shots = []
    for time in times_s:
        picture = _still().astype(np.float32)
        shift = np.float32([[1, 0, 20 + pixels_a_second * time], [0, 1, 50]])
        square = np.ascontiguousarray(_SCENERY[40:64, 200:224]).astype(np.float32)
        cv2.warpAffine(square, shift, (160, 120), picture, borderMode=cv2.BORDER_TRANSPARENT)
        shots.append(Shot(float(time), 1 / 30, picture.astype(np.uint8)))
    return shots


def _column(motion: MotionFeatures, name: str) -> np.ndarray:
    return motion.values[:, FEATURE_NAMES.index(name)]


@pytest.mark.parametrize("fps", [15, 25, 30, 60, 120])
def test_speed_is_in_pixels_a_thirtieth_at_any_rate(fps):
    motion = analyse(_moving_square(np.arange(0, 1, 1 / fps), pixels_a_second=60))
    fastest = _column(motion, "speed_top")[3:-3]
    reference = analyse(_moving_square(np.arange(0, 1, 1 / 30), pixels_a_second=60))
    assert np.median(fastest) == pytest.approx(np.median(_column(reference, "speed_top")), rel=0.3)
    assert 0.8 < np.median(fastest) < 2.5  # 60 pixels a second are 2 a step


def test_motion_is_found_in_its_cell():
    motion = analyse(_moving_square(np.arange(0, 0.5, 1 / 30)))
    rightward = motion.values[5, :CELLS].reshape(
        -1, GRID_COLUMNS
    )  # the square spans x 30..54, y 50..74 then
    row, column = np.unravel_index(rightward.argmax(), rightward.shape)
    assert row in (2, 3)
    assert column in (1, 2)


def test_a_panning_camera_moves_nothing():
    motion = analyse(Shot(k / 30, 1 / 30, _still(2 * k)) for k in range(20))
    assert np.median(_column(motion, "camera_x")) == pytest.approx(-2, abs=0.3)
    assert np.median(_column(motion, "speed_mean")) < 0.3


def test_a_still_picture_has_no_motion():
    motion = analyse(Shot(k / 30, 1 / 30, _still()) for k in range(10))
    assert np.abs(motion.values).max() < 1e-3


def test_uneven_timestamps_do_not_look_like_acceleration():
    rng = np.random.default_rng(3)
    times = np.cumsum(np.concatenate([[0.0], rng.choice([1 / 30, 2 / 30, 1 / 60], 30)]))
    speed = _column(analyse(_moving_square(times)), "speed_top")[2:-2]
    assert speed.std() < 0.35 * speed.mean()


def test_a_cut_is_not_motion():
    other = np.ascontiguousarray(_SCENERY[:, 240:400])
    motion = analyse(Shot(k / 30, 1 / 30, _still() if k < 5 else other) for k in range(10))
    assert np.abs(motion.values).max() < 1e-3


def test_a_flash_is_a_brightening_and_no_cut():
    pictures = [
        np.uint8(np.clip(_still() * 0.5 + (90 if k == 5 else 0), 0, 255)) for k in range(10)
    ]
    motion = analyse(Shot(k / 30, 1 / 30, p) for k, p in enumerate(pictures))
    assert _column(motion, "flash_top").argmax() == 5
    assert _column(motion, "brightening_mean")[5] == pytest.approx(90, abs=2)


@pytest.mark.parametrize(("frames", "rows"), [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_the_shortest_clips(frames, rows):
    motion = analyse(Shot(k / 30, 1 / 30, _still(k)) for k in range(frames))
    assert motion.values.shape == (rows, len(FEATURE_NAMES))
    assert np.isfinite(motion.values).all()


def test_rows_cover_the_duration_at_five_frames_a_second():
    assert len(analyse(_moving_square(np.arange(0, 2, 0.2))).values) == round((1.8 + 1 / 30) * 30)


def test_layout_is_channels_then_cells():
    assert len(FEATURE_NAMES) == 6 * CELLS + 10
    assert FEATURE_NAMES[CELLS + GRID_COLUMNS] == "flow_y[8]"
