"""Checkpoints: one safetensors file = tensors + the config that builds the network + provenance.

safetensors holds raw arrays and a string table, so that opening a stranger's file executes nothing.
The table keeps ``foley`` = JSON of ``{"kind", "config", "provenance"}``. Small models travel inside
the package (``foleycli/assets/NAME.safetensors``) and are loaded by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from foleycli.files.atomic import atomic_path

METADATA_KEY = "foley"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds; tensors are float32 (or integer) on the CPU."""

    kind: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    provenance: dict[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors named ``prefix.*``, without the prefix, as a state dict."""
        start = len(prefix) + 1
        return {
            name[start:]: t for name, t in self.tensors.items() if name.startswith(f"{prefix}.")
        }


def save_checkpoint(
    path: str | os.PathLike[str],
    *,
    kind: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    provenance: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a checkpoint atomically; ``half`` stores floating tensors as float16."""
    stored = {
        name: (
            t.detach().cpu().half() if half and t.is_floating_point() else t.detach().cpu()
        ).clone(memory_format=torch.contiguous_format)
        for name, t in tensors.items()
    }
    header = {"kind": kind, "config": dict(config), "provenance": dict(provenance or {})}
    with atomic_path(path) as temporary:
        save_file(stored, temporary, {METADATA_KEY: json.dumps(header, sort_keys=True)})


def embedded_models() -> list[str]:
    """Names of the models that travel inside the package."""
    folder = resources.files("foleycli") / "assets"
    return sorted(
        f.name.removesuffix(".safetensors")
        for f in folder.iterdir()
        if f.name.endswith(".safetensors")
    )


def find_checkpoint(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the path of a checkpoint given by path, by training folder, or by embedded name.

    Raises
    ------
    ValueError
        When there is no such file, folder or name.
    """
    path = Path(name_or_path)
    if path.is_dir():
        path = path / "model.safetensors"
    if path.is_file():
        return path
    embedded = Path(str(resources.files("foleycli") / "assets" / f"{name_or_path}.safetensors"))
    if os.sep not in str(name_or_path) and embedded.is_file():
        return embedded
    raise ValueError(
        f"{name_or_path}: no such model; give a .safetensors file, a training folder, "
        f"or one of: {', '.join(embedded_models())}"
    )


def load_checkpoint(name_or_path: str | os.PathLike[str], kind: str | None = None) -> Checkpoint:
    """Read a checkpoint written by :func:`save_checkpoint`; half precision comes back as float32.

    Raises
    ------
    ValueError
        When the file is missing, is not one of ours, or holds another ``kind`` than asked for.
    """
    path = find_checkpoint(name_or_path)
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[METADATA_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise ValueError(f"{path}: not a foley checkpoint ({type(error).__name__})") from error
    if kind is not None and header["kind"] != kind:
        raise ValueError(f"{path}: holds a {header['kind']!r} model where {kind!r} is needed")
    tensors = {n: t.float() if t.dtype == torch.float16 else t for n, t in tensors.items()}
    return Checkpoint(header["kind"], header["config"], tensors, header["provenance"])
