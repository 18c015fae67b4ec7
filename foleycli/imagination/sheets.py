"""Pictures as files: one PNG, a labelled contact sheet, or a GIF, that say how they were made.

The record is JSON in a text chunk of the PNG, in the comment of the GIF, and holds no clock: the
same pictures and record give the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from foleycli import __version__
from foleycli.files.atomic import atomic_path

RECORD = "foley"  # keyword of the text chunk

_LEAST_CELL_PIXELS = 96  # a label needs as much
_MOST_CELL_PIXELS = 256
_MOST_COLUMNS = 10  # then the sheet goes on below
_GAP_PIXELS = 4
_FONT_PIXELS = 12
_LINE_PIXELS = 16
_GROUND, _INK = "white", "black"

Pixels = NDArray[np.uint8]


def as_pixels(picture: NDArray[np.floating[Any]], *, stretched: bool = False) -> Pixels:
    """Bring a drawn picture (H, W, 3) in [-1, 1] to uint8.

    ``stretched`` first brings its least and largest value to the ends of the range, as both
    reference implementations save pictures; it changes colours.
    """
    unit = (picture.astype(np.float64) + 1) / 2
    if stretched:
        least, most = unit.min(), unit.max()
        unit = (unit - least) / max(most - least, 1e-5)
    return np.asarray(np.rint(255 * unit.clip(0, 1)), np.uint8)


def contact_sheet(
    rows: Sequence[Sequence[Pixels]], columns: Sequence[str], names: Sequence[str]
) -> Pixels:
    """Lay pictures out in a grid with labels above the columns and the rows.

    Parameters
    ----------
    rows : sequence of sequences of (H, W, 3) uint8
    columns : sequence of str
        Labels above the columns; an empty one takes no room where all are.
    names : sequence of str
        Labels above the rows, likewise.

    Returns
    -------
    (H, W, 3) uint8
        Small pictures are enlarged by a whole factor, large ones shrunk; all keep their shape.
    """
    side = _cell_side([picture for row in rows for picture in row])
    head = _LINE_PIXELS if any(columns) else 0
    line = _LINE_PIXELS if any(names) else 0
    pitch = side + _GAP_PIXELS
    across = min(len(columns), _MOST_COLUMNS)
    block = head + len(rows) * (line + pitch)
    width = across * pitch + _GAP_PIXELS
    height = -(-len(columns) // across) * block + _GAP_PIXELS
    sheet = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_PIXELS)

    def write(x: int, y: int, label: str, room: int) -> None:
        draw.text((x, y), _cut(label, draw, font, room), fill=_INK, font=font)

    for j, column in enumerate(columns):
        top, left = j // across * block, _GAP_PIXELS + j % across * pitch
        write(left, top + 2, column, side)
        for i, row in enumerate(rows):
            place = top + head + i * (line + pitch) + _GAP_PIXELS
            if j % across == 0:
                write(left, place - 2, names[i], width)
            cell = _fitted(row[j], side)
            margins = (side - cell.width) // 2, (side - cell.height) // 2
            sheet.paste(cell, (left + margins[0], place + line + margins[1]))
    return np.asarray(sheet, np.uint8)


def write_png(path: str | os.PathLike[str], pixels: Pixels, record: Mapping[str, Any]) -> None:
    """Write one picture, with ``record`` as JSON in a text chunk named ``foley``."""
    text = PngInfo()
    text.add_text("Software", f"foley {__version__}")
    text.add_text(RECORD, _json(record))
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG", pnginfo=text)


def write_gif(
    path: str | os.PathLike[str],
    frames: Sequence[Sequence[Pixels]],
    frame_ms: int,
    record: Mapping[str, Any],
) -> None:
    """Write an animation that repeats, with ``record`` as JSON in its comment.

    Parameters
    ----------
    frames : sequence of sequences of (H, W, 3) uint8
        The pictures of every frame, which stand side by side.
    frame_ms : int
        How long a frame is shown, in milliseconds.
    """
    side = _cell_side([picture for frame in frames for picture in frame])
    drawn = []
    for pictures in frames:
        frame = Image.new("RGB", (len(pictures) * side, side), _GROUND)
        for j, picture in enumerate(pictures):
            cell = _fitted(picture, side)
            place = (j * side + (side - cell.width) // 2, (side - cell.height) // 2)
            frame.paste(cell, place)
        drawn.append(frame.quantize(256))
    comment = f"foley {__version__} {_json(record)}".encode("ascii")
    with atomic_path(path) as temporary:
        drawn[0].save(
            temporary,
            "GIF",
            save_all=True,
            append_images=drawn[1:],
            duration=frame_ms,
            loop=0,
            comment=comment,
        )


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, allow_nan=False)


def _cell_side(pictures: Sequence[Pixels]) -> int:
    """Side of the square that every picture goes into."""
    largest: int = max(max(picture.shape[:2]) for picture in pictures)
    factor = -(-_LEAST_CELL_PIXELS // largest)
    return min(largest * factor, _MOST_CELL_PIXELS)


def _fitted(picture: Pixels, side: int) -> Image.Image:
    """Bring a picture's longer side to ``side``: smoothly down, by repeating pixels up."""
    image = Image.fromarray(picture)
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)


def _cut(
    label: str,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
) -> str:
    """Leave out the end of a label that is wider than its place."""
    if draw.textlength(label, font=font) <= width:
        return label
    while label and draw.textlength(f"{label}...", font=font) > width:
        label = label[:-1]
    return f"{label}..."
