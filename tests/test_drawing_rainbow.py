"""Rainbowgrams drawn: one colour for a tone, darkness for silence, rows of pairs, equal bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from foleycli.drawing import draw_rainbowgrams
from foleycli.dsp.rainbowgram import RAINBOWGRAM_RATE_HZ, Rainbowgram, rainbowgram


def _flat(brightness: float, step: float) -> Rainbowgram:
    edges_hz = 65.0 * 2.0 ** (np.arange(241) / 40)
    shape = (240, 100)
    return Rainbowgram(
        np.full(shape, brightness, np.float32), np.full(shape, step, np.float32), edges_hz, 0.016
    )


def _pixels(path: Path) -> np.ndarray:
    """(height, width, 3) in [0, 1], top row first."""
    return matplotlib.image.imread(path)[..., :3]


@pytest.mark.parametrize("step", [-0.9, 0.0, 0.5])
def test_colour_is_the_phase_step_and_darkness_the_level(step: float, tmp_path: Path) -> None:
    rainbow = np.array(matplotlib.colormaps["rainbow"]((step + 1) / 2)[:3])
    for brightness in (1.0, 0.5, 0.0):
        draw_rainbowgrams(tmp_path / "a.png", [("flat", _flat(brightness, step))])
        pixels = _pixels(tmp_path / "a.png")
        inside = pixels[100:200, 150:300].reshape(-1, 3)
        np.testing.assert_allclose(inside, np.tile(rainbow * brightness, (15_000, 1)), atol=0.01)


def test_tone_is_a_line_of_one_colour_at_its_height(tmp_path: Path) -> None:
    time = np.arange(3 * RAINBOWGRAM_RATE_HZ) / RAINBOWGRAM_RATE_HZ
    seen = rainbowgram(0.3 * np.sin(2 * np.pi * 440 * time))
    draw_rainbowgrams(tmp_path / "tone.png", [("440 Hz", seen)])
    inside = _pixels(tmp_path / "tone.png")[:, 180:320]  # away from the sound's two ends
    row = int(
        np.ptp(inside, axis=2).mean(axis=1).argmax()
    )  # the one that is neither grey nor white
    line = inside[row]
    assert np.ptp(line, axis=0).max() < 0.02
    half_turns = 2 * 440 * 256 / RAINBOWGRAM_RATE_HZ - 14
    wanted = matplotlib.colormaps["rainbow"]((half_turns + 1) / 2)[:3]
    np.testing.assert_allclose(line.mean(axis=0), wanted, atol=0.05)
    black = inside.max(axis=(1, 2)) < 0.02
    top, bottom = np.flatnonzero(black)[[0, -1]]
    height = (bottom - row) / (bottom - top)
    assert height == pytest.approx(np.log2(440 / 65.4) / 6, abs=0.03)


def test_same_picture_same_bytes(tmp_path: Path) -> None:
    sounds = [("a", _flat(1.0, 0.2)), ("b", _flat(0.5, -0.2))]
    for name in ("a.png", "b.png"):
        draw_rainbowgrams(tmp_path / name, sounds)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert b"matplotlib" not in (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("count", "columns", "shape"),
    [(1, 2, (1, 1)), (2, 2, (1, 2)), (3, 2, (2, 2)), (6, 3, (2, 3)), (2, 5, (1, 2))],
)
def test_rows_are_filled_left_to_right(
    count: int, columns: int, shape: tuple[int, int], tmp_path: Path
) -> None:
    sounds = [(str(k), _flat(1.0, -0.8 + 0.3 * k)) for k in range(count)]
    draw_rainbowgrams(tmp_path / "a.png", sounds, columns=columns)
    pixels = _pixels(tmp_path / "a.png")
    rows, across = shape
    assert pixels.shape[:2] == (300 * rows, 500 * across)
    for k in range(count):
        wanted = np.array(matplotlib.colormaps["rainbow"]((0.2 + 0.3 * k) / 2)[:3])
        here = np.abs(pixels - wanted).max(axis=2) < 0.01
        high, wide = np.divmod(np.flatnonzero(here), pixels.shape[1])
        assert len(high) > 20_000
        assert int(np.median(high)) * rows // pixels.shape[0] == k // across
        assert int(np.median(wide)) * across // pixels.shape[1] == k % across


def test_titles_may_hold_dollars_and_nothing_is_refused(tmp_path: Path) -> None:
    draw_rainbowgrams(tmp_path / "a.png", [("cost_$5_and_$", _flat(1.0, 0.0))])
    with pytest.raises(ValueError, match="no rainbowgram"):
        draw_rainbowgrams(tmp_path / "b.png", [])
    assert not (tmp_path / "b.png").exists()
