"""A folder of the user's own pictures, and which of them is nearest to a sound.

Every picture's unit feature is computed once and known by the hash of its contents and of the
model, so that an index that was kept serves as long as both stay, whatever the files are called.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.files.provenance import file_sha256
from foleycli.imagination.systems import SceneSystem
from foleycli.media.stills import STILL_SUFFIXES, read_still

KIND = "picture-index"
PICTURE_SUFFIXES = STILL_SUFFIXES | frozenset(".gif .ppm .tif .tiff".split())

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Library:
    """Pictures and their features.

    Attributes
    ----------
    folder : Path
    names : tuple of str
        Paths within the folder, in alphabetical order.
    hashes : tuple of str
        SHA-256 of their contents.
    features : (pictures, features) float32
        Unit vectors.
    model : str
        What saw them: the SHA-256 of the system's files.
    unreadable : dict of str to str
        Files that are no pictures, and why.
    """

    folder: Path
    names: tuple[str, ...]
    hashes: tuple[str, ...]
    features: NDArray[np.float32]
    model: str
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of all names and contents: two libraries of one digest are the same."""
        lines = [f"{h} {n}" for n, h in zip(self.names, self.hashes, strict=True)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def nearest(self, latent: NDArray[np.float32], count: int) -> list[tuple[str, float]]:
        """Return names and cosines of the ``count`` pictures nearest to a unit latent.

        Of equally near ones the first by name comes first.

        Raises
        ------
        ValueError
            When there are not so many.
        """
        if count > len(self.names):
            raise ValueError(
                f"{self.folder}: holds {len(self.names)} pictures; --samples {count} needs more"
            )
        cosines = self.features.astype(np.float64) @ latent.astype(np.float64)
        order = np.argsort(-cosines, kind="stable")[:count]
        return [(self.names[i], float(cosines[i])) for i in order]

    def read(self, name: str) -> NDArray[np.uint8]:
        """Read one of the pictures, (H, W, 3) uint8 RGB."""
        return read_still(self.folder / name)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keep the index as ``.npz``."""
        meta = {
            "model": self.model,
            "names": list(self.names),
            "hashes": list(self.hashes),
            "unreadable": dict(self.unreadable),
        }
        save_arrays(path, {"features": self.features}, kind=KIND, meta=meta)

    @classmethod
    def load(cls, path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Library:
        """Read an index that :meth:`save` wrote; raises ValueError when it is none."""
        arrays, meta = load_arrays(path, KIND)
        try:
            features = arrays["features"]
            names, hashes = tuple(meta["names"]), tuple(meta["hashes"])
            if features.ndim != 2 or not len(features) == len(names) == len(hashes):
                raise ValueError
            return cls(Path(folder), names, hashes, features, meta["model"], meta["unreadable"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{path}: a damaged index of pictures; remove it") from None


def model_hash(system: SceneSystem) -> str:
    """SHA-256 that stands for all files of a system."""
    return hashlib.sha256("\n".join(f.sha256 for f in system.files).encode()).hexdigest()


def index_library(
    folder: str | os.PathLike[str],
    system: SceneSystem,
    known: Library | None = None,
    progress: Progress | None = None,
) -> Library:
    """See every picture of a folder and its sub-folders.

    Parameters
    ----------
    known
        An index from before: what it holds of the same model is not computed again.

    Raises
    ------
    ValueError
        When there is no folder, or no picture in it that can be read.
    """
    root, model = Path(folder), model_hash(system)
    found = _pictures(root)
    features: dict[str, NDArray[np.float32]] = {}
    if known is not None and known.model == model:
        features = dict(zip(known.hashes, known.features, strict=True))
    names, hashes, unreadable = [], [], {}
    for done, name in enumerate(found, 1):
        try:
            digest = file_sha256(root / name)
            if digest not in features:
                features[digest] = system.see(read_still(root / name))
        except (OSError, ValueError) as error:
            unreadable[name] = getattr(error, "strerror", None) or str(error)
        else:
            names.append(name)
            hashes.append(digest)
        if progress:
            progress(done, len(found))
    if not names:
        name, reason = next(iter(unreadable.items()))
        raise ValueError(f"{root}: none of its pictures can be read ({name}: {reason})")
    rows = np.stack([features[digest] for digest in hashes])
    return Library(root, tuple(names), tuple(hashes), rows, model, unreadable)


def _pictures(root: Path) -> list[str]:
    """List what looks like a picture by its suffix, as paths within ``root``."""
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; --library takes a folder of pictures")
    files = [Path(place) / name for place, _, names in os.walk(root) for name in names]
    found = sorted(
        path.relative_to(root).as_posix()
        for path in files
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise ValueError(
            f"{root}: no pictures in it (looked for {' '.join(sorted(PICTURE_SUFFIXES))})"
        )
    return found
