"""NDB's bins as a file, so that every set is put into the same ones."""

from __future__ import annotations

import os
from collections.abc import Mapping

from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.metrics.bins import Bins

KIND = "ndb-bins"


def save_bins(path: str | os.PathLike[str], bins: Mapping[str, Bins]) -> None:
    """Write the bins of every class."""
    labels = sorted(bins)
    arrays = {
        f"{number}.{name}": array
        for number, label in enumerate(labels)
        for name, array in vars(bins[label]).items()
    }
    save_arrays(path, arrays, kind=KIND, meta={"classes": labels})


def load_bins(path: str | os.PathLike[str]) -> dict[str, Bins]:
    """Read what :func:`save_bins` wrote.

    Raises
    ------
    ValueError
        When the file is something else, or damaged.
    """
    arrays, meta = load_arrays(path, KIND)
    found = {}
    for number, label in enumerate(meta.get("classes", ())):
        start = f"{number}."
        own = {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
        try:
            found[label] = Bins(**own)
        except TypeError:
            raise ValueError(f"{path}: the bins of {label or 'all'} are not whole") from None
    if not found:
        raise ValueError(f"{path}: holds no bins")
    return found
