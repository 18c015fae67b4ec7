"""Named arrays in one ``.npz``: no pickle, a stated kind, and the same bytes for the same contents.

The file is NumPy's own (``numpy.load`` reads it) plus one member ``__foley__``: UTF-8 JSON in a
uint8 array, holding ``kind`` (what the arrays mean), ``format`` (version of this layout) and
``meta``. Member dates are fixed and members sorted, and ``meta`` has no clock in it, so making a
file again gives the same file: checksums and build tools can tell whether anything changed.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from foleycli.files.atomic import atomic_path

FORMAT = 1
_HEADER = "__foley__"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    *,
    kind: str,
    meta: Mapping[str, Any],
) -> None:
    """Write arrays of any shape and plain dtype, compressed and atomically.

    Raises
    ------
    ValueError
        When an array holds Python objects or ``meta`` is not JSON.
    """
    save_members(path, {n: partial(_write_whole, a) for n, a in arrays.items()}, kind, meta)


def save_members(
    path: str | os.PathLike[str],
    members: Mapping[str, Callable[[IO[bytes]], None]],
    kind: str,
    meta: Mapping[str, Any],
) -> None:
    """Do what :func:`save_arrays` does, each array written in ``.npy`` format by its function."""
    try:
        header = json.dumps(
            {"format": FORMAT, "kind": kind, "meta": dict(meta)}, sort_keys=True, allow_nan=False
        )
    except TypeError as error:
        raise ValueError(f"meta of {path}: {error}; keep to text, numbers, lists") from None
    text = np.frombuffer(header.encode(), np.uint8)
    members = {**members, _HEADER: partial(_write_whole, text)}
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                members[name](member)


def load_arrays(
    path: str | os.PathLike[str], kind: str | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what :func:`save_arrays` wrote: the arrays, and ``meta``.

    Raises
    ------
    ValueError
        When the file is not one of ours, is damaged, holds pickled objects, or holds another
        ``kind``.
    OSError
        When it cannot be read at all.
    """
    members = _read_members(Path(path), None)
    header = _header(path, members.pop(_HEADER, None))
    if kind is not None and header["kind"] != kind:
        raise ValueError(f"{path}: holds {header['kind']!r} where {kind!r} is needed")
    return members, header["meta"]


def read_meta(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read ``meta`` alone; raises as :func:`load_arrays` does."""
    meta: dict[str, Any] = _header(path, _read_members(Path(path), _HEADER).get(_HEADER))["meta"]
    return meta


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether :func:`save_arrays` wrote an ``.npz``; raises as :func:`load_arrays` does."""
    return _HEADER in _read_members(Path(path), _HEADER)


def load_archive(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read a plain ``.npz``, as other tools write it.

    Raises
    ------
    ValueError
        When it is damaged or holds pickled objects.
    """
    return _read_members(Path(path), None)


def load_plain(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a plain ``.npy``, as other tools write it.

    Raises
    ------
    ValueError
        When it is damaged or holds pickled objects.
    """
    with Path(path).open("rb") as file:
        try:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except Exception as error:  # damaged headers raise several kinds
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{path}: not a readable .npy file ({reason})") from None
    return array


def _write_whole(array: NDArray[Any], file: IO[bytes]) -> None:
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


def _read_members(path: Path, only: str | None) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
                return {name: _read(archive, name) for name in names if only in (None, name)}
        except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds on damaged bytes
            reason = str(error).partition("\n")[0].strip("'\"")
            raise ValueError(f"{path}: not a readable array file ({reason})") from None


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        return array


def _header(path: str | os.PathLike[str], stored: NDArray[Any] | None) -> dict[str, Any]:
    try:
        if stored is None:
            raise ValueError
        header: dict[str, Any] = json.loads(stored.tobytes().decode())
        known = header["format"] == FORMAT and {"kind", "meta"} <= header.keys()
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: not written by foley (it has no {_HEADER} header)") from None
    if not known:
        raise ValueError(f"{path}: format {header['format']} is newer than this foley reads")
    return header
