"""Picture files: values, labels, provenance, and the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foleycli import __version__
from foleycli.imagination.sheets import as_pixels, contact_sheet, write_gif, write_png

RED, GREY = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 90, np.uint8)
RED[..., 0] = 255


def test_pixels_are_half_of_the_value_plus_one_and_stretched_only_when_asked() -> None:
    picture = np.zeros((2, 2, 3), np.float32)
    picture[0, 0], picture[1, 1] = -0.5, 0.5
    assert as_pixels(picture)[..., 0].tolist() == [[64, 128], [128, 191]]
    assert as_pixels(picture, stretched=True)[..., 0].tolist() == [[0, 128], [128, 255]]
    assert not as_pixels(np.full((2, 2, 3), -1.0), stretched=True).any()
    assert (as_pixels(np.full((2, 2, 3), 1.2)) == 255).all()


def test_cells_lie_under_their_labels_and_keep_their_colours() -> None:
    sheet = contact_sheet([[RED, GREY], [GREY, RED]], ["-20 dB", "0 dB"], ["draw 0", "draw 1"])
    reds = (sheet == (255, 0, 0)).all(-1)
    assert reds.sum() == 2 * 96 * 96
    rows, columns = np.nonzero(reds)
    assert (columns[rows < rows.mean()] < sheet.shape[1] / 2).all()
    assert (columns[rows > rows.mean()] > sheet.shape[1] / 2).all()
    plain = contact_sheet([[RED, GREY], [GREY, RED]], ["", ""], ["", ""])
    assert plain.shape[0] == sheet.shape[0] - 3 * 16
    assert ((plain == 255).all(-1) | (plain == (255, 0, 0)).all(-1) | (plain == 90).all(-1)).all()
    other = contact_sheet([[RED, GREY], [GREY, RED]], ["-10 dB", "0 dB"], ["draw 0", "draw 1"])
    assert (other != sheet).any()


def test_a_long_row_goes_on_below() -> None:
    row = [GREY] * 24 + [RED]
    sheet = contact_sheet([row], [f"{k} s" for k in range(25)], [""])
    assert sheet.shape[1] == 10 * 100 + 4
    rows, columns = np.nonzero((sheet == (255, 0, 0)).all(-1))
    assert rows.min() > sheet.shape[0] * 2 / 3
    assert columns.min() == 4 + 4 * 100


def test_large_and_long_pictures_are_shrunk_whole() -> None:
    wide = np.tile(np.arange(0, 250, 25, dtype=np.uint8)[None, :, None], (100, 200, 3))
    sheet = contact_sheet([[wide, RED]], ["a picture with a name that is far too long", "b"], [""])
    assert sheet.shape == (256 + 2 * 4 + 16, 2 * 260 + 4, 3)


def test_png_tells_its_making_and_is_the_same_every_time(tmp_path: Path) -> None:
    record = {"seed": 3, "input": {"name": "Geräusch.wav"}}
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, contact_sheet([[RED]], ["0 dB"], [""]), record)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["Software"] == f"foley {__version__}"
        assert json.loads(image.text["foley"]) == record


def test_gif_has_a_frame_a_moment_and_tells_its_making(tmp_path: Path) -> None:
    record = {"input": {"name": "Geräusch.wav"}}
    frames = [[RED, GREY], [GREY, RED], [GREY, GREY]]
    for name in ("a.gif", "b.gif"):
        write_gif(tmp_path / name, frames, 1000, record)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 3
        assert image.info["duration"] == 1000
        told = image.info["comment"].decode().partition("{")
        assert told[0] == f"foley {__version__} "
        assert json.loads(told[1] + told[2]) == record
        image.seek(1)
        frame = np.asarray(image.convert("RGB"))
    assert frame.shape == (96, 192, 3)
    assert frame[50, 150].tolist() == [255, 0, 0]
    assert frame[50, 50] == pytest.approx(90, abs=2)
