"""Pairs in files, ``NAME.pairs.npz``, one a clip: see :func:`.pair_cutting.cut_pairs` for arrays.

``meta`` has ``system``, ``fit``, ``pixels``, ``class`` (empty where none is known), the counts
``sounds`` and ``pictures``, and ``front_end``, the constants of what heard.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.files.arrays import load_arrays, read_meta
from foleycli.files.growing import GrowingArrays
from foleycli.training.data import Example
from foleycli.training.pair_cutting import KINDS, PairKind
from foleycli.training.scene_levels import scene_levels
from foleycli.training.sound_pictures import SoundPictures, fitted

KIND = "sound-image-pairs"
SUFFIX = ".pairs.npz"
SPLITS = ("train", "valid", "test")

Progress = Callable[[int, int], None]
Arrays = Mapping[str, NDArray[Any]]

_FULL_SCALE = 2**15


def save_pairs(
    path: Path, arrays: GrowingArrays, kind: PairKind, fit: str, label: str, meta: Mapping[str, Any]
) -> None:
    """Write what :func:`.pair_cutting.cut_pairs` has put into ``arrays``, atomically."""
    about = {
        "system": kind.name,
        "fit": fit,
        "pixels": kind.pixels,
        "class": label,
        "sounds": arrays.shape("sounds")[0],
        "pictures": arrays.shape("pictures")[0],
        "front_end": kind.hearing.front.as_dict(),
    }
    arrays.save(path, kind=KIND, meta={**meta, **about}, constants={})


def list_pairs(data: Path, split: str | None = "train") -> list[Example]:
    """List the pair files of a folder in a stable order, each with its class, or the folder's name.

    A file's class is the clip's, or the name of the folder it lies in below ``data``. Where
    ``data`` has a folder called after ``split``, that one alone is looked through; of folders
    without splits all files are ``train``.

    Raises
    ------
    ValueError
        When a file is damaged or holds something else.
    """
    unnamed = (data.parent if data.is_file() else data).resolve().name
    if data.is_file():
        return [_labelled(data, data.parent, unnamed)] if split in (None, "train") else []
    if split and any((data / name).is_dir() for name in SPLITS):
        data = data / split
    elif split not in (None, "train"):
        return []
    return [_labelled(path, data, unnamed) for path in sorted(data.rglob(f"*{SUFFIX}"))]


def load_pairs(
    files: Sequence[Example], system: str, side: int, fit: str, progress: Progress | None = None
) -> tuple[SoundPictures, list[str]]:
    """Read pairs for training.

    Parameters
    ----------
    files
        With the classes they count as.
    system
        What is trained; pairs cut for another are refused.
    side, fit
        To what pictures are brought; those of another ``fit`` were made squares in their own way.

    Returns
    -------
    pairs
        Every sound is a group of its own, with its pictures.
    notes
        What is worth knowing.

    Raises
    ------
    ValueError
        When a file is damaged or is of another system.
    """
    kind = KINDS[system]
    labels = tuple(sorted({file.label for file in files}))
    expected = [_checked_meta(file.path, kind) for file in files]
    pictures = np.empty((sum(meta["pictures"] for meta in expected), side, side, 3), np.uint8)
    sounds: list[NDArray[Any]] = []
    groups, group_label = np.empty(len(pictures), np.int64), list[int]()
    filled = 0
    for done, (file, meta) in enumerate(zip(files, expected, strict=True), 1):
        arrays = _checked_arrays(file.path, kind, meta)
        here = slice(filled, filled + meta["pictures"])
        pictures[here] = [fitted(picture, side, fit) for picture in arrays["pictures"]]
        groups[here] = len(sounds) + arrays["picture_sound"]
        sounds += _levels(arrays, kind)
        group_label += [labels.index(file.label)] * meta["sounds"]
        filled = here.stop
        if progress:
            progress(done, len(files))
    of_group = np.array(group_label)
    pairs = SoundPictures(
        *(labels, of_group, sounds, np.arange(len(sounds)), pictures, groups, of_group[groups])
    )
    other = sorted({meta["fit"] for meta in expected} - {fit})
    notes = [
        f"pictures were made squares by {was!r} and the recipe says {fit!r}; cut the pairs with "
        f"--fit {fit} to train on what the model will be shown"
        for was in other
    ]
    return pairs, notes


def _levels(arrays: Arrays, kind: PairKind) -> list[NDArray[Any]]:
    if kind.name == "s2i":
        return list(arrays["sounds"])
    samples = np.rint(arrays["sound_length_s"] * SOUND2SCENE.rate_hz).astype(int)
    return [
        scene_levels(wave[:length].astype(np.float32) / _FULL_SCALE)
        for wave, length in zip(arrays["sounds"], samples, strict=True)
    ]


def _labelled(path: Path, root: Path, unnamed: str) -> Example:
    folder = path.parent.name if path.parent != root else ""
    return Example(path, str(read_meta(path).get("class") or "") or folder or unnamed)


def _checked_meta(path: Path, kind: PairKind) -> dict[str, Any]:
    meta = read_meta(path)
    counted = all(isinstance(meta.get(key), int) for key in ("sounds", "pictures", "pixels"))
    if meta.get("system") not in KINDS or not counted:
        raise ValueError(f"{path}: holds no pairs; foley extract --pairs makes them")
    if meta["system"] != kind.name:
        raise ValueError(
            f"{path}: was cut for {meta['system']}; cut the clips with --pairs {kind.name}"
        )
    if meta.get("front_end") != json.loads(json.dumps(kind.hearing.front.as_dict())):
        raise ValueError(
            f"{path}: its front end had other constants than this foley's; cut the clips again"
        )
    return meta


def _checked_arrays(path: Path, kind: PairKind, meta: Mapping[str, Any]) -> Arrays:
    arrays, _ = load_arrays(path, KIND)
    samples = round(kind.hearing.front.rate_hz * kind.hearing.piece_s)
    sound = ((128, 100), np.uint8) if kind.name == "s2i" else ((samples,), np.int16)
    m, n, side = meta["sounds"], meta["pictures"], meta["pixels"]
    wanted: dict[str, tuple[tuple[int, ...], Any]] = {
        "sounds": ((m, *sound[0]), sound[1]),
        "sound_length_s": ((m,), np.float64),
        "pictures": ((n, side, side, 3), np.uint8),
        "picture_sound": ((n,), np.int64),
    }
    for name, (shape, dtype) in wanted.items():
        there = arrays.get(name)
        if there is None or there.shape != shape or there.dtype != dtype:
            raise ValueError(f"{path}: its {name} are not {shape} {np.dtype(dtype)}")
    of = arrays["picture_sound"]
    if not n or of.min() < 0 or of.max() >= m:
        raise ValueError(f"{path}: its pictures belong to sounds that are not there")
    return arrays
