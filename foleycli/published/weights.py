"""Reading the weights that others published, without executing anything in their files."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from foleycli.published.runs import GZIP, settings_beside, unpack_run

_CONTAINERS = ("state_dict", "model")  # entries of a training state that hold the weights
_WRAPPERS = ("module.", "model.")  # what DataParallel and the like put before every name
# What a file may begin with instead of weights.
_OTHER_FILES = {
    b"version https://git-lfs": "a Git LFS pointer, not the file; get it by git lfs pull",
    b"<!doctype html": "a web page, not the file; fetch it again, by hand if need be",
    b"<html": "a web page, not the file; fetch it again, by hand if need be",
}
# Lightning keeps its callbacks by class, beside the weights. An empty class stands for each.
_STUBBED = ("pytorch_lightning.callbacks.", "lightning.pytorch.callbacks.")
_LONGEST_HEAD = 32


class _Stub:
    """What is read, and thrown away, for a class of :data:`_STUBBED`."""


@dataclass(frozen=True)
class PublishedWeights:
    """What a published file holds.

    Attributes
    ----------
    tensors : dict of str to Tensor
        On the CPU, of the shapes and types they have in the file, in its order.
    settings : dict
        Of the training run, where they lie beside the weights.
    """

    tensors: dict[str, Tensor]
    settings: dict[str, Any] = field(default_factory=dict)


def published_weights(path: str | os.PathLike[str]) -> PublishedWeights:
    """Read the weights in a ``.pt``, ``.pth``, ``.pth.tar``, ``.ckpt`` or ``.safetensors`` file.

    Those under ``state_dict`` or ``model`` are taken, where there is such an entry, and the
    prefixes ``module.`` and ``model.`` that wrappers leave are taken off. A ``.tar.gz`` is a
    training run (:mod:`foleycli.published.runs`); its checkpoint is unpacked into a temporary
    folder, which TMPDIR chooses.

    Raises
    ------
    ValueError
        When the file is missing or cut short, holds no weights, or asks for classes.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(_LONGEST_HEAD)
    except OSError as error:
        raise ValueError(f"{path}: not a readable file of weights ({error.strerror})") from None
    for beginning, what in _OTHER_FILES.items():
        if head.lstrip().lower().startswith(beginning):
            raise ValueError(f"{path}: {what}")
    if not head.startswith(GZIP):
        try:
            settings = settings_beside(path)
        except ValueError as error:
            raise ValueError(f"{path}: settings beside it: {error}") from None
        return PublishedWeights(_tensors(path, Path(path), head), settings)
    # What has been mapped stays readable when its name is gone.
    with tempfile.TemporaryDirectory(prefix="foley-") as folder:
        try:
            checkpoint, settings = unpack_run(path, folder)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        with checkpoint.open("rb") as file:
            head = file.read(_LONGEST_HEAD)
        return PublishedWeights(_tensors(path, checkpoint, head), settings)


def published_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors of :func:`published_weights` alone; raises as that does."""
    return published_weights(path).tensors


def _tensors(named: str | os.PathLike[str], path: Path, head: bytes) -> dict[str, Tensor]:
    """Read a file's weights; errors call it ``named``."""
    try:
        found = load_file(path) if head[8:9] == b"{" else _unpickled(path)
    except Exception as error:  # a damaged or hostile file may fail in any way
        raise ValueError(f"{named}: not a readable file of weights ({_reason(error)})") from None
    for entry in _CONTAINERS:
        if isinstance(found, dict) and isinstance(found.get(entry), dict):
            found = found[entry]
    if not isinstance(found, dict) or not found or not all(map(_is_weight, found.items())):
        raise ValueError(f"{named}: holds no table of weights")
    return _unwrapped(found)


def _unpickled(path: str | os.PathLike[str]) -> Any:
    # Scores lie beside the weights as NumPy's numbers.
    # Only the newer, zipped form can be mapped instead of read, and tells the classes it names.
    mapped = zipfile.is_zipfile(path)
    named = torch.serialization.get_unsafe_globals_in_checkpoint(path) if mapped else []
    stubs = [(_Stub, name) for name in named if name.startswith(_STUBBED)]
    known = [*_numpy_scalars(), *stubs]
    with torch.serialization.safe_globals(known), warnings.catch_warnings(action="ignore"):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def _is_weight(entry: tuple[object, object]) -> bool:
    name, tensor = entry
    return (
        isinstance(name, str)
        and name.isprintable()
        and isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and not tensor.is_quantized
        and tensor.device.type == "cpu"
    )


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in tensors):
            return _unwrapped({name.removeprefix(prefix): t for name, t in tensors.items()})
    return dict(tensors)


def _reason(error: Exception) -> str:
    text = str(error)
    asked = re.search(r"GLOBAL ([\w.]+)", text)
    if asked:
        return (
            f"it asks for {asked[1]}, which is not run; use a file that holds tensors alone, "
            "as torch.save(network.state_dict(), FILE) makes"
        )
    if "Unsupported operand" in text:
        return "a pickle as torch.save does not make it, which is not run"
    return text.partition("\n")[0] or type(error).__name__


def _numpy_scalars() -> list[Any]:
    """Return what makes a pickled NumPy number, under the names of NumPy 1 and 2."""
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    kinds = [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.bool_)]
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *kinds]
