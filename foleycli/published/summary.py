"""What a checkpoint file holds, told without executing anything in it."""

from __future__ import annotations

import json
import os
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from foleycli.checkpoints import METADATA_KEY, find_checkpoint
from foleycli.files.provenance import file_sha256
from foleycli.published.importing import configuration, recognise
from foleycli.published.weights import published_weights


def summarise(name_or_path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe one of our checkpoints, by path or shipped name, or a published file.

    Returns
    -------
    dict
        ``file``, ``bytes``, ``sha256``; ``kind``, ``guessed`` (whether the kind is read off the
        tensors, being told nowhere; None when they fit none), ``config``, ``provenance``;
        ``tensors``, a list of ``name``, ``shape`` and ``dtype`` in the file's order; and
        ``parameters``, how many floating-point numbers these have, running means and the like too.

    Raises
    ------
    ValueError
        When the file is missing or holds no weights.
    """
    path = Path(name_or_path)
    path = path if path.is_file() else find_checkpoint(name_or_path)
    found = _ours(path) or _published(path)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": file_sha256(path),
        **found,
        "parameters": sum(prod(t["shape"]) for t in found["tensors"] if "float" in t["dtype"]),
    }


def _ours(path: Path) -> dict[str, Any] | None:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = [_row(n, file.get_tensor(n)) for n in file.keys()]  # noqa: SIM118
        return {
            "kind": str(header["kind"]),
            "guessed": False,
            "config": dict(header["config"]),
            "provenance": dict(header["provenance"]),
            "tensors": tensors,
        }
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None


def _published(path: Path) -> dict[str, Any]:
    published = published_weights(path)
    tensors = published.tensors
    fitting = recognise(tensors)
    return {
        "kind": fitting.kind.name if fitting else None,
        "guessed": True,
        "config": configuration(fitting, published.settings) if fitting else {},
        "provenance": {},
        "tensors": [_row(name, tensor) for name, tensor in tensors.items()],
    }


def _row(name: str, tensor: Tensor) -> dict[str, Any]:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"name": name, "shape": list(tensor.shape), "dtype": dtype}
