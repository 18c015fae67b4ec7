"""Embeddings of other tools as a side of a comparison: a plain ``.npz`` or ``.npy``.

``embeddings`` (n, d) under one of :data:`NAMES` is enough. Beside it may stand ``logits``
(n, classes), ``classes`` (classes,), and by row ``ids`` and ``labels``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from foleycli.evaluation.samples import EMBEDDING, LOGITS, UNNAMED, Samples, refuse_twins
from foleycli.files.arrays import load_archive, load_plain
from foleycli.metrics.feature_matrix import feature_matrix

NAMES = ("embedding", "embeddings", "features", "feats", "arr_0")


def load_foreign(path: str | os.PathLike[str]) -> Samples:
    """Read another tool's embeddings; without ids they cannot be paired.

    Raises
    ------
    ValueError
        When there are none, or arrays do not fit each other.
    OSError
        When the file cannot be read.
    """
    plain = Path(path).suffix.lower() == ".npy"
    arrays = {NAMES[0]: load_plain(path)} if plain else load_archive(path)
    try:
        return _samples(arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _samples(arrays: Mapping[str, NDArray[Any]]) -> Samples:
    name = next((name for name in NAMES if name in arrays), None)
    if name is None:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise ValueError(f"holds {held}; call embeddings (n, d) one of: {', '.join(NAMES)}")
    features = {EMBEDDING: feature_matrix(arrays[name], name=name)}
    count, width = features[EMBEDDING].shape
    classes = _words(arrays, "classes", None)
    if LOGITS in arrays:
        features[LOGITS] = feature_matrix(arrays[LOGITS], name=LOGITS)
        if len(features[LOGITS]) != count:
            raise ValueError(f"{len(features[LOGITS])} rows of logits for {count} of {name}")
        if classes and len(classes) != features[LOGITS].shape[1]:
            raise ValueError(f"{len(classes)} classes for {features[LOGITS].shape[1]} logits")
    ids = _words(arrays, "ids", count) or [f"{UNNAMED}{row:09}" for row in range(count)]
    refuse_twins(sorted(ids))
    labels = _words(arrays, "labels", count) or [""] * count
    return Samples(
        ids=tuple(ids),
        labels=tuple(labels),
        sha256=("",) * count,
        features=features,
        made_by={"kind": "embeddings", "embedding": f"given, {width} wide", "classes": classes},
    ).take(range(count))


def _words(arrays: Mapping[str, NDArray[Any]], name: str, count: int | None) -> list[str]:
    """Read a row of words; none where there is no such array."""
    if name not in arrays:
        return []
    words = arrays[name]
    if words.ndim != 1 or words.dtype.kind not in "USiu":
        raise ValueError(f"{name} is {words.dtype} {words.shape}; save it as np.array(..., str)")
    if count is not None and len(words) != count:
        raise ValueError(f"{len(words)} {name} for {count} embeddings")
    return [
        w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in words.tolist()
    ]
