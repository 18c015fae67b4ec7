"""One side of a comparison: what was measured of its files, and the statistics file that keeps it.

Rows ascend by id, so that a set does not depend on the order in which its files were found, and
shards merged are the whole, bit by bit. The file holds every row, not only moments: intervals,
permutation tests, neighbours and bins need them.

Embeddings of other tools: :mod:`foleycli.evaluation.foreign_embeddings`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from foleycli.files.arrays import load_arrays, save_arrays

KIND = "sample-statistics"
EMBEDDING, LOGITS, SPECTROGRAM = "embedding", "logits", "spectrogram"
UNNAMED = "#"  # ids of rows that have no name begin with it
_TEXT = ("ids", "labels", "sha256")
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Samples:
    """Files of one side and what was measured of them.

    Attributes
    ----------
    ids : n str
        Names within the input, without suffix; ascending.
    labels : n str
        Classes; empty where unknown.
    sha256 : n str
        Of the files' contents; empty where they were not seen.
    features : mapping
        ``embedding`` (n, d), ``logits`` (n, classes) and ``spectrogram`` (n, bins), as far
        as there are.
    levels : mapping
        Column to (n,) float64; NaN where undefined.
    made_by : mapping
        What measured them, in plain values: two sets compare only if it is the same.
    failures : mapping
        Id to path and reason, of files that could not be measured.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    sha256: tuple[str, ...]
    features: Mapping[str, NDArray[np.floating]]
    levels: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    made_by: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Files measured."""
        return len(self.ids)

    @property
    def list_sha256(self) -> str:
        """SHA-256 over ids, classes and the files' contents: what was compared, in one line."""
        rows = zip(self.ids, self.labels, self.sha256, strict=True)
        return hashlib.sha256("".join("\0".join(row) + "\n" for row in rows).encode()).hexdigest()

    @property
    def sha256_of_all(self) -> str:
        """SHA-256 over everything that was measured too, and by what."""
        about = [self.list_sha256, self.made_by, self.failures]
        contents = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for arrays in (self.features, self.levels):
            for name in sorted(arrays):
                array = np.ascontiguousarray(arrays[name])
                contents.update(f"{name} {array.dtype.str} {array.shape}".encode())
                contents.update(array.tobytes())
        return contents.hexdigest()

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes there are, ascending; none where no file has one."""
        return tuple(sorted(set(self.labels) - {""}))

    def feature(self, name: str) -> NDArray[np.floating]:
        """Return one kind of feature; raises ValueError where there is none."""
        if name not in self.features:
            raise ValueError(f"no {name} in it")
        return self.features[name]

    def take(self, rows: Iterable[int]) -> Samples:
        """Choose rows by their numbers; the result ascends by id again."""
        index = sorted(rows, key=self.ids.__getitem__)

        def chosen(column: Sequence[str]) -> tuple[str, ...]:
            return tuple(column[i] for i in index)

        return replace(
            self,
            ids=chosen(self.ids),
            labels=chosen(self.labels),
            sha256=chosen(self.sha256),
            features={name: array[index] for name, array in self.features.items()},
            levels={name: column[index] for name, column in self.levels.items()},
        )

    def of_class(self, label: str) -> Samples:
        """Choose the files of a class."""
        return self.take([i for i, mine in enumerate(self.labels) if mine == label])

    @classmethod
    def of(
        cls,
        rows: Sequence[Mapping[str, Any]],
        made_by: Mapping[str, Any],
        failures: Mapping[str, tuple[str, str]] | None = None,
    ) -> Samples:
        """Put rows together, as :class:`Rows` takes them, in ascending order of ids."""
        gathered = Rows(len(rows))
        for row in rows:
            gathered.add(row)
        return gathered.samples(made_by, failures or {})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a statistics file: the same contents give the same bytes."""
        arrays: dict[str, NDArray[Any]] = {
            name: np.array(getattr(self, name), np.str_) for name in _TEXT
        }
        arrays |= {f"feature.{name}": rows for name, rows in self.features.items()}
        arrays |= {f"level.{name}": column for name, column in self.levels.items()}
        save_arrays(
            path,
            arrays,
            kind=KIND,
            meta={
                "made_by": dict(self.made_by),
                "failures": dict(self.failures),
                "files": len(self),
                "sha256": self.sha256_of_all,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a statistics file.

        Raises
        ------
        ValueError
            When it is something else, is damaged, or was changed since it was written.
        OSError
            When it cannot be read.
        """
        arrays, meta = load_arrays(path, KIND)
        try:
            ids, labels, sha256 = (tuple(str(value) for value in arrays[n]) for n in _TEXT)
            features, levels = _part(arrays, "feature."), _part(arrays, "level.")
            failures = {i: (str(where), str(why)) for i, (where, why) in meta["failures"].items()}
            found = cls(ids, labels, sha256, features, levels, meta["made_by"], failures)
            stated = meta["sha256"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: not the statistics of a set ({error} missing)") from None
        if {len(column) for column in arrays.values()} != {len(found)}:
            raise ValueError(f"{path}: its arrays differ in length")
        if found.sha256_of_all != stated:
            raise ValueError(f"{path}: changed since it was written; make it again")
        return found


class Rows:
    """What is measured of files, put into arrays as it comes.

    Small arrays kept between large passing ones would fill memory with holes: a few megabytes a
    file.

    Parameters
    ----------
    capacity : int
        Files at most.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._text: list[tuple[str, str, str]] = []
        self._features: dict[str, NDArray[np.float32]] = {}
        self._levels: dict[str, NDArray[np.float64]] = {}

    def __len__(self) -> int:
        """Files so far."""
        return len(self._text)

    def add(self, row: Mapping[str, Any]) -> None:
        """Put a file's row in.

        Parameters
        ----------
        row
            ``id``, ``label``, ``sha256``, ``features`` (name to array) and ``levels`` (name to
            number, None where undefined).
        """
        number = len(self._text)
        self._text.append((str(row["id"]), str(row["label"]), str(row["sha256"])))
        for name, array in row["features"].items():
            if name not in self._features:
                self._features[name] = np.zeros((self._capacity, len(array)), np.float32)
            self._features[name][number] = array
        for name, value in row["levels"].items():
            column = self._levels.setdefault(name, np.full(self._capacity, np.nan))
            column[number] = np.nan if value is None else value

    def samples(
        self, made_by: Mapping[str, Any], failures: Mapping[str, tuple[str, str]]
    ) -> Samples:
        """Put them in ascending order of ids; raises ValueError when two rows share an id."""
        count = len(self)
        ids, labels, sha256 = zip(*self._text, strict=True) if count else ((), (), ())
        refuse_twins(sorted(ids))
        return Samples(
            ids,
            labels,
            sha256,
            {name: array[:count] for name, array in self._features.items()},
            {name: column[:count] for name, column in self._levels.items()},
            json.loads(json.dumps(made_by)),  # as a file would give it back
            dict(failures),
        ).take(range(count))


def merged(sets: Sequence[Samples]) -> Samples:
    """Put shards together: what one run over all files gives.

    Raises
    ------
    ValueError
        When they were measured differently, or share an id.
    """
    first = sets[0]
    if any(other.made_by != first.made_by for other in sets):
        raise ValueError("measured by different networks or front ends; measure all alike")
    if any(
        part.keys() != other.keys()
        for s in sets
        for part, other in ((s.features, first.features), (s.levels, first.levels))
    ):
        raise ValueError("hold different features; measure all alike")
    ids = [i for s in sets for i in s.ids]
    if all(i.startswith(UNNAMED) for i in ids):
        ids = [f"{UNNAMED}{row:09}" for row in range(len(ids))]
    refuse_twins(sorted(ids))
    laid = Samples(
        ids=tuple(ids),
        labels=tuple(label for s in sets for label in s.labels),
        sha256=tuple(digest for s in sets for digest in s.sha256),
        features={n: np.concatenate([s.features[n] for s in sets]) for n in first.features},
        levels={n: np.concatenate([s.levels[n] for s in sets]) for n in first.levels},
        made_by=first.made_by,
        failures={id_: failure for s in sets for id_, failure in s.failures.items()},
    )
    return laid.take(range(len(ids)))


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): array
        for name, array in sorted(arrays.items())
        if name.startswith(prefix)
    }


def refuse_twins(ascending: Sequence[str]) -> None:
    """Raise ValueError when an id is there twice."""
    twins = sorted({a for a, b in pairwise(ascending) if a == b})
    if twins:
        more = f" and {len(twins) - _NAMED} more" if len(twins) > _NAMED else ""
        raise ValueError(f"several files share an id: {', '.join(twins[:_NAMED])}{more}")
