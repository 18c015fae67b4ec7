"""The record files that Sound-to-Imagination's authors published (``leofanzeres/s2i_data``).

A file is nothing but records of one length, which tells its form, and a form's records are

- a sound: 1 byte, the number of its class from 0, and 128 x 100 bytes of log mel;
- a pair: 11 digits, the numbers of its class (3), track (5) and second (3), from 1 on; a sound; and
  96 x 96 x 3 bytes of RGB;
- an embedding: the 11 digits, 128 to 2048 numbers (float32, little-endian) of their autoencoder,
  and the picture.

Files called ``data_batch_*`` are for training, ``val_batch_*`` and ``test_batch_*`` are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.training.data import Example
from foleycli.training.sound_pictures import SoundPictures, fitted

SUFFIX = ".bin"
EMBEDDINGS = (128, 256, 512, 1024, 2048)
# Their numbers of classes begin at 1 in the digits and at 0 in the byte.
CLASSES = ("baby cry", "dog", "rail transport", "fireworks", "water flowing")

_SOUND = ("sound", "u1", (128, 100))
_PICTURE = ("picture", "u1", (96, 96, 3))
_DIGITS = ("digits", "u1", (11,))
_FORMS = {
    "sounds": np.dtype([("number", "u1"), _SOUND]),
    "pairs": np.dtype([_DIGITS, _SOUND, _PICTURE]),
    **{
        f"embeddings of {width}": np.dtype([_DIGITS, ("embedding", "<f4", (width,)), _PICTURE])
        for width in EMBEDDINGS
    },
}
_SPLITS = {"val_batch_": "valid", "test_batch_": "test"}
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Records:
    """One file's records, read when they are needed.

    Attributes
    ----------
    path : Path
    form : str
        ``sounds``, ``pairs`` or ``embeddings of N``.
    rows : (n,) structured array
        On disk; fields ``sound`` or ``embedding``, and ``picture`` where there is one.
    classes : (n,) int64
        Number of each record's class, from 0.
    """

    path: Path
    form: str
    rows: NDArray[Any]
    classes: NDArray[np.int64]


def open_records(path: Path) -> Records:
    """Recognise a file by its size, and by the digits that its records begin with.

    Raises
    ------
    ValueError
        When its size fits none of the forms, or it is a pointer of git-lfs.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise ValueError(f"{path}: a pointer of git-lfs, not the data; run git lfs pull")
    fitting = [name for name, form in _FORMS.items() if size and size % form.itemsize == 0]
    # Two lengths may divide one size; digits are then the stronger sign.
    for name in sorted(fitting, key=lambda name: name == "sounds"):
        rows = np.memmap(path, _FORMS[name], mode="r")
        if name == "sounds":
            return Records(path, name, rows, rows["number"].astype(np.int64))
        digits = np.array(rows["digits"]) - ord("0")
        classes = digits[:, :3].astype(np.int64) @ (100, 10, 1) - 1
        if digits.max() <= 9 and classes.min() >= 0:
            return Records(path, name, rows, classes)
    lengths = ", ".join(f"{form.itemsize} ({name})" for name, form in _FORMS.items())
    reason = "they do not begin with 11 digits" if fitting else f"it has {size} bytes"
    raise ValueError(f"{path}: no records of Sound-to-Imagination: {reason}; lengths: {lengths}")


def list_records(data: Path, split: str | None = "train") -> list[Path]:
    """List the record files of a folder and split in a stable order, or the file itself.

    Raises
    ------
    ValueError
        When they are not all of one form.
    """
    if data.is_file():
        return [data] if split in (None, "train") else []
    files = sorted(data.rglob(f"*{SUFFIX}"))
    chosen = [path for path in files if split in (None, _split_of(path))]
    forms = {open_records(path).form: path for path in chosen}
    if len(forms) > 1:
        each = ", ".join(f"{path.name}: {form}" for form, path in forms.items())
        raise ValueError(f"{data}: records of several forms ({each}); give the folder of one")
    return chosen


def load_records(
    paths: Sequence[Path], classes: Sequence[str] | None, side: int, fit: str
) -> SoundPictures:
    """Read records for training; each is a group of its own.

    Parameters
    ----------
    classes
        Use only these; None takes all.

    Returns
    -------
    SoundPictures
        ``sounds`` are levels (128, 100) uint8, or embeddings (N,) float32; those of sounds alone
        have no pictures, and a class is a group.

    Raises
    ------
    ValueError
        When nothing is left, or an embedding holds NaN or infinity.
    """
    files = [open_records(path) for path in paths]
    kept = [np.flatnonzero(_of_classes(file, classes)) for file in files]
    numbers = [file.classes[rows] for file, rows in zip(files, kept, strict=True)]
    joined = np.concatenate(numbers)
    present, of_label = np.unique(joined, return_inverse=True)
    labels = tuple(class_name(number) for number in present)
    if not len(joined):
        raise ValueError(f"{paths[0]}: no records of these classes")
    heard = "embedding" if files[0].form.startswith("embeddings") else "sound"
    sounds = [file.rows[row][heard] for file, rows in zip(files, kept, strict=True) for row in rows]
    if heard == "embedding" and not all(np.isfinite(sound).all() for sound in sounds):
        raise ValueError(f"{paths[0].parent}: embeddings hold NaN or infinity")
    each = np.arange(len(sounds))
    if files[0].form == "sounds":
        none = np.zeros(0, np.int64)
        pictures = np.zeros((0, side, side, 3), np.uint8)
        groups = np.arange(len(labels))
        return SoundPictures(labels, groups, sounds, of_label, pictures, none, none)
    pictures = np.empty((len(sounds), side, side, 3), np.uint8)
    all_rows = ((f, row) for f, rows in zip(files, kept, strict=True) for row in rows)
    for number, (file, row) in enumerate(all_rows):
        pictures[number] = fitted(file.rows[row]["picture"], side, fit)
    return SoundPictures(labels, of_label, sounds, each, pictures, each, of_label)


def records_as_examples(paths: Sequence[Path], classes: Sequence[str] | None) -> list[Example]:
    """Name each class that a file holds once, for counting and for what is recorded of the data."""
    return [
        Example(path, class_name(number))
        for path in paths
        for number in np.unique(open_records(path).classes)
        if classes is None or class_name(number) in classes
    ]


def class_name(number: int) -> str:
    """Return what the authors call a class, counted from 0."""
    return CLASSES[number] if number < len(CLASSES) else f"class {number + 1}"


def _of_classes(file: Records, classes: Sequence[str] | None) -> NDArray[np.bool_]:
    wanted = [
        number
        for number in np.unique(file.classes)
        if classes is None or class_name(number) in classes
    ]
    return np.isin(file.classes, wanted)


def _split_of(path: Path) -> str:
    return next((s for start, s in _SPLITS.items() if path.name.startswith(start)), "train")
