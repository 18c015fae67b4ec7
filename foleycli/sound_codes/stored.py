"""Files of codes: what they hold, and by which codebook they were made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.sound_codes.codec import FRONT_END, CodeGrid

KIND = "codes"
SUFFIX = ".codes.npz"


@dataclass(frozen=True, eq=False)
class StoredCodes:
    """The codes of one sound.

    Attributes
    ----------
    codes : (rows, columns) int64
        Low frequencies first.
    samples : int
        Of the sound.
    """

    codes: NDArray[np.int64]
    samples: int


def save_codes(
    path: str | os.PathLike[str],
    stored: StoredCodes,
    grid: CodeGrid,
    codebook_sha256: str,
    meta: Mapping[str, Any],
) -> None:
    """Write codes, int16 where they fit, and what they mean; ``meta`` says how they were made."""
    smallest = np.int16 if grid.config.codes <= np.iinfo(np.int16).max + 1 else np.int32
    save_arrays(
        path,
        {"codes": stored.codes.astype(smallest)},
        kind=KIND,
        meta={
            **meta,
            "codebook_sha256": codebook_sha256,
            "front_end": FRONT_END.as_dict(),
            "samples": stored.samples,
            "bitrate_bps": grid.bitrate_bps(stored.samples),
        },
    )


def load_codes(path: str | os.PathLike[str], grid: CodeGrid, codebook_sha256: str) -> StoredCodes:
    """Read codes that were made by this codebook.

    Raises
    ------
    ValueError
        When the file holds something else, is damaged, or is of another codebook.
    OSError
        When it cannot be read at all.
    """
    arrays, meta = load_arrays(path, kind=KIND)
    if meta.get("codebook_sha256") != codebook_sha256:
        raise ValueError(
            f"{path}: made by another codebook (SHA-256 "
            f"{str(meta.get('codebook_sha256'))[:12]}, not {codebook_sha256[:12]}); give that one"
        )
    if meta.get("front_end") != FRONT_END.as_dict():
        raise ValueError(f"{path}: its front end had other constants than this foley's")
    codes, samples = arrays.get("codes"), meta.get("samples")
    if not isinstance(samples, int) or not 1 <= samples < 1 << 40:
        raise ValueError(f"{path}: does not say how many samples it stands for; make it again")
    wanted = (grid.config.code_rows, grid.columns(samples))
    if codes is None or codes.shape != wanted or codes.dtype.kind not in "iu":
        raise ValueError(f"{path}: does not hold {wanted[0]} x {wanted[1]} codes; make it again")
    if not 0 <= int(codes.min()) <= int(codes.max()) < grid.config.codes:
        raise ValueError(f"{path}: codes are not all in 0 to {grid.config.codes - 1}")
    return StoredCodes(codes.astype(np.int64), samples)
