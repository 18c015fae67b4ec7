"""Arrays longer than memory: they grow along one axis, on disk, until they are saved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from foleycli.files.arrays import save_members
from foleycli.files.atomic import atomic_path

_HELD_BYTES = 1 << 26  # what one array keeps in memory before it goes to disk


@dataclass
class _Part:
    file: IO[bytes]
    dtype: np.dtype[Any]
    shape: list[int]


class GrowingArrays(ExitStack):
    """Named arrays that come piece by piece; a context manager, which frees their disk space.

    Parameters
    ----------
    time_axis : int
        Along which they grow: -1 or 0.
    folder : path, optional
        Where they wait on disk, in files without a name.
    """

    def __init__(self, time_axis: int = -1, folder: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self._axis = time_axis
        self._folder = None if folder is None else os.fspath(folder)
        self._parts: dict[str, _Part] = {}

    def append(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add a piece to each array; the pieces of one array differ in length alone."""
        for name, piece in arrays.items():
            if name not in self._parts:
                held = tempfile.SpooledTemporaryFile(_HELD_BYTES, dir=self._folder)  # noqa: SIM115
                file = self.enter_context(held)
                self._parts[name] = _Part(file, piece.dtype, list(piece.shape))
                self._parts[name].shape[self._axis] = 0
            part = self._parts[name]
            part.shape[self._axis] += piece.shape[self._axis]
            part.file.seek(0, os.SEEK_END)
            part.file.write(piece.tobytes("C" if self._axis == 0 else "F"))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape that an array has grown to."""
        return tuple(self._parts[name].shape)

    def pieces(self, length: int) -> Iterator[dict[str, NDArray[Any]]]:
        """Read all arrays again, ``length`` entries of the growing axis at a time."""
        grown = max(part.shape[self._axis] for part in self._parts.values())
        for start in range(0, grown, length):
            yield {name: self._read(part, start, length) for name, part in self._parts.items()}

    def _read(self, part: _Part, start: int, length: int) -> NDArray[Any]:
        """Return entries ``start`` to ``start + length`` of one array."""
        shape = list(part.shape)
        shape[self._axis] = 1
        entry_bytes = int(np.prod(shape)) * part.dtype.itemsize
        part.file.seek(start * entry_bytes)
        stored = np.frombuffer(part.file.read(length * entry_bytes), part.dtype)
        shape[self._axis] = -1
        return stored.reshape(shape, order="C" if self._axis == 0 else "F")

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        kind: str,
        meta: Mapping[str, Any],
        constants: Mapping[str, NDArray[Any]],
    ) -> None:
        """Write them, and arrays that do not grow, as :func:`~foleycli.files.arrays.save_arrays`.

        Arrays that grow along the last axis lie in the file in Fortran order, frame after frame.
        """
        whole = {
            name: partial(np.lib.format.write_array, array=array, allow_pickle=False)
            for name, array in constants.items()
        }
        grown = {name: partial(self._write, name) for name in self._parts}
        save_members(path, {**whole, **grown}, kind, meta)

    def save_npy(self, path: str | os.PathLike[str], name: str) -> None:
        """Write one array alone as NumPy's plain ``.npy``, atomically."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            self._write(name, file)

    def _write(self, name: str, file: IO[bytes]) -> None:
        part = self._parts[name]
        layout = {
            "descr": np.lib.format.dtype_to_descr(part.dtype),
            "fortran_order": self._axis != 0,
            "shape": tuple(part.shape),
        }
        np.lib.format.write_array_header_1_0(file, layout)
        part.file.seek(0)
        shutil.copyfileobj(part.file, file)
