"""A published checkpoint -> ours: recognised by its tensors' names and shapes, checked strictly."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from foleycli.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from foleycli.files.provenance import file_sha256
from foleycli.published.kinds import KINDS, PublishedKind, published_kind
from foleycli.published.weights import published_weights

AUTO = "auto"

_COUNTER = "num_batches_tracked"  # not yet in files of 2017; no network here reads it
_NAMED = 3  # names told of a list before it is only counted


@dataclass(frozen=True)
class Comparison:
    """A file's tensors against the network of one kind.

    Attributes
    ----------
    kind : PublishedKind
    config : dataclass or None
        Configuration that follows from the shapes.
    missing, unexpected, misshapen, dropped : tuple of str
        What the network has and the file has not; the reverse; what both have in another shape or
        type, with both told; and what the kind leaves out.
    """

    kind: PublishedKind
    config: Any
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def faults(self) -> int:
        """Tensors that do not fit."""
        return len(self.missing) + len(self.unexpected) + len(self.misshapen)

    def describe(self) -> str:
        """Say what does not fit: the first names of each list, and how many more there are."""
        lists = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "of another shape": self.misshapen,
        }
        return "; ".join(f"{len(n)} {what}: {_some(n)}" for what, n in lists.items() if n)


def compare(kind: PublishedKind, tensors: Mapping[str, Tensor]) -> Comparison:
    """Compare tensors with a kind's network, name by name, shape by shape.

    Raises
    ------
    ValueError
        When the tensors do not even say how the network is configured.
    """
    tensors = kind.prepared(tensors)
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    try:
        if any(0 in shape for shape in shapes.values()):
            raise ValueError("a tensor is empty")
        config = kind.config(shapes)
        wanted = _layout(kind, config)
    except (LookupError, ValueError, RuntimeError) as error:
        raise ValueError(f"its size cannot be told ({error})") from None
    dropped = tuple(name for name in tensors if _is_dropped(name, kind.dropped))
    given = {name: t for name, t in tensors.items() if name not in dropped}
    return Comparison(
        kind,
        config,
        tuple(n for n in wanted if n not in given and not n.endswith(_COUNTER)),
        tuple(n for n in given if n not in wanted),
        tuple(
            f"{n} ({_form(t)}, not {_form(wanted[n])})"
            for n, t in given.items()
            if n in wanted and _form(t) != _form(wanted[n])
        ),
        dropped,
    )


def recognise(tensors: Mapping[str, Tensor]) -> Comparison | None:
    """Return the kind that fits without a fault, of several the one that drops least."""
    fitting = [c for c in _comparisons(tensors) if not c.faults]
    return min(fitting, key=lambda c: len(c.dropped), default=None)


def import_checkpoint(
    source: str | os.PathLike[str], output: str | os.PathLike[str], kind_name: str = AUTO
) -> Comparison:
    """Read a published checkpoint and write it as ours: float32 safetensors of that kind.

    Parameters
    ----------
    source
        The file as published.
    output
        Checkpoint to write; its provenance names the source and its SHA-256.
    kind_name
        One of :data:`foleycli.published.kinds.KINDS`, or ``auto``.

    Raises
    ------
    ValueError
        When the file cannot be read, is of another kind or of none that is known, or holds numbers
        that are not finite. Nothing is written then.
    """
    if Path(output).exists() and Path(source).exists() and Path(output).samefile(source):
        raise ValueError(f"{output}: would overwrite what is read; choose another -o")
    if kind_name != AUTO:
        published_kind(kind_name)
    published = published_weights(source)
    found = _matched(source, published.tensors, kind_name)
    tensors = found.kind.prepared(published.tensors)
    kept = {name: t for name, t in tensors.items() if name not in found.dropped}
    kept |= {
        name: torch.zeros(t.shape, dtype=t.dtype)
        for name, t in _layout(found.kind, found.config).items()
        if name not in kept
    }
    kept = {name: t.float() if t.is_floating_point() else t for name, t in kept.items()}
    spoilt = [name for name, t in kept.items() if not t.isfinite().all()]
    if spoilt:
        raise ValueError(f"{source}: NaN or infinity in {len(spoilt)} tensors: {_some(spoilt)}")
    save_checkpoint(
        output,
        kind=found.kind.name,
        config=configuration(found, published.settings),
        tensors=kept,
        provenance={
            "source": Path(source).name,
            "source_sha256": file_sha256(source),
            "imported_as": found.kind.name,
            "licence": found.kind.licence,
        },
    )
    return found


def configuration(found: Comparison, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint keeps: sizes, and what the run's settings tell beyond them."""
    sizes = {} if found.config is None else asdict(found.config)
    return {**sizes, **found.kind.told(found.config, settings)}


def load_published(path: str | os.PathLike[str], kind_name: str) -> tuple[nn.Module, Checkpoint]:
    """Load an imported checkpoint into its network, in evaluation mode on the CPU.

    Raises
    ------
    ValueError
        When the file is not a checkpoint of this kind, or its tensors are not its network's.
    """
    kind = published_kind(kind_name)
    checkpoint = load_checkpoint(path, kind_name)
    try:
        found = compare(kind, checkpoint.tensors)
    except ValueError as error:
        raise ValueError(f"{path}: not a {kind.name}: {error}") from None
    if found.faults:
        raise ValueError(f"{path}: not a {kind.name}: {found.describe()}")
    network = kind.network(found.config)
    network.load_state_dict(checkpoint.tensors)
    return network.eval(), checkpoint


def _matched(
    source: str | os.PathLike[str], tensors: Mapping[str, Tensor], kind_name: str
) -> Comparison:
    fitting = recognise(tensors)
    if kind_name == AUTO and fitting:
        return fitting
    if kind_name == AUTO:
        nearest = min(_comparisons(tensors), key=lambda c: c.faults, default=None)
        if nearest and nearest.faults < len(tensors) / 2:
            raise ValueError(f"{source}: nearest to {nearest.kind.name}, but {nearest.describe()}")
        names = ", ".join(kind.name for kind in KINDS)
        raise ValueError(f"{source}: none of the checkpoints that can be imported: {names}")
    try:
        found = compare(published_kind(kind_name), tensors)
        fault = found.describe()
    except ValueError as error:
        fault = str(error)
    if fault:
        hint = f"; --as {fitting.kind.name} fits" if fitting else ""
        raise ValueError(f"{source}: not a {kind_name}: {fault}{hint}")
    return found


def _comparisons(tensors: Mapping[str, Tensor]) -> list[Comparison]:
    found = []
    for kind in KINDS:
        try:
            found.append(compare(kind, tensors))
        except ValueError:
            continue
    return found


@cache
def _layout(kind: PublishedKind, config: Any) -> dict[str, Tensor]:
    """Names, shapes and types of a network's tensors, which have no numbers in them."""
    with torch.device("meta"):
        return dict(kind.network(config).state_dict())


def _is_dropped(name: str, dropped: Iterable[str]) -> bool:
    return any(
        name == left
        or (left.endswith(".") and name.startswith(left))
        or (left.startswith(".") and name.endswith(left))
        for left in dropped
    )


def _form(tensor: Tensor) -> str:
    kind = "" if tensor.is_floating_point() else f" {tensor.dtype}".replace("torch.", "")
    return ("x".join(map(str, tensor.shape)) or "scalar") + kind


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more
