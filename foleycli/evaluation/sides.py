"""The sides of a comparison: files to measure, statistics that were measured before, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from foleycli.checkpoints import find_checkpoint, load_checkpoint
from foleycli.evaluation.foreign_embeddings import load_foreign
from foleycli.evaluation.measuring import Measurer, PictureMeasurer, SoundMeasurer
from foleycli.evaluation.pictures import PictureEmbedder
from foleycli.evaluation.samples import Rows, Samples, merged
from foleycli.files.arrays import is_ours
from foleycli.files.provenance import file_sha256
from foleycli.media.stills import STILL_SUFFIXES
from foleycli.sound_embedding import SoundEmbedder

DEFAULT_NETWORK = "classifier"
PICTURE_NETWORK = "recognition"
PUBLISHED_SUFFIXES = (".pt", ".pth")

Task = TypeVar("Task")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]


class Each(Protocol):
    """How a function is called for each of many tasks: ``map``, or over processes, in order."""

    def __call__(
        self, work: Callable[[Task], Result], tasks: Sequence[Task], /
    ) -> Iterable[Result]:
        """Give the results in the order of the tasks."""


@dataclass(frozen=True)
class Sample:
    """One file of a side: its name within the side, its class if known, and where it is."""

    id: str
    label: str
    path: Path


@dataclass(frozen=True)
class Side:
    """Files and statistics files that together are one set.

    Attributes
    ----------
    name : str
    files : tuple of Sample
    statistics : tuple of Path
        What :func:`load_samples` reads.
    """

    name: str
    files: tuple[Sample, ...] = ()
    statistics: tuple[Path, ...] = ()

    @property
    def pictures(self) -> bool:
        """Whether the files are pictures."""
        return bool(self.files) and self.files[0].path.suffix.lower() in STILL_SUFFIXES


@dataclass(frozen=True)
class Network:
    """What listens or looks: a name or path, and how to run it.

    Attributes
    ----------
    name : str
        A shipped model, one of ``foley train classifier``, ``melception`` or ``vggishish``, or
        SpecVQGAN's published ``.pt``.
    means_stds : str
        The table that belongs with a published file.
    device : str
    """

    name: str = DEFAULT_NETWORK
    means_stds: str = ""
    device: str = "cpu"


@dataclass(frozen=True)
class _Measurement:
    sample: Sample
    network: Network
    pictures: bool


def measure(
    side: Side, network: Network, each: Each = map, progress: Progress | None = None
) -> Samples:
    """Measure a side's files and put the statistics it has beside them.

    Raises
    ------
    ValueError
        When nothing of it can be read, a statistics file is damaged or was measured otherwise, or
        the network is not there.
    OSError
        When a statistics file cannot be read.
    """
    parts = [load_samples(path) for path in side.statistics]
    if side.files:
        measurer = load_measurer(network, side.pictures)  # its faults are no file's
        tasks = [_Measurement(sample, network, side.pictures) for sample in side.files]
        rows = Rows(len(tasks))
        failures: dict[str, tuple[str, str]] = {}
        for done, (task, row) in enumerate(zip(tasks, each(measure_one, tasks), strict=True), 1):
            if isinstance(row, str):
                failures[task.sample.id] = (str(task.sample.path), row)
            else:
                rows.add(row)
            if progress:
                progress(done, len(tasks))
        if not len(rows) and not parts:
            path, reason = next(iter(failures.values()))
            raise ValueError(f"none of {len(tasks)} files could be measured; {path}: {reason}")
        parts.append(rows.samples(measurer.made_by, failures))
    filled = [part for part in parts if len(part)]
    if not filled:
        raise ValueError(f"{side.name}: no files")
    failed = {id_: why for part in parts for id_, why in part.failures.items()}
    return replace(merged(filled), failures=failed)


def load_samples(path: Path) -> Samples:
    """Read a statistics file, or another tool's embeddings; raises as both do."""
    if path.suffix.lower() == ".npz" and is_ours(path):
        return Samples.load(path)
    return load_foreign(path)


def measure_one(task: _Measurement) -> dict[str, Any] | str:
    """Measure one file: a row of :meth:`Samples.of`, or why there is none."""
    sample = task.sample
    try:
        found = load_measurer(task.network, task.pictures)(sample.path)
        return {
            "id": sample.id,
            "label": sample.label,
            "sha256": file_sha256(sample.path),
            **found,
        }
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return " ".join(reason.split())


@lru_cache(maxsize=2)
def load_measurer(network: Network, pictures: bool = False) -> Measurer:
    """Load what measures a kind of file, once a process."""
    if pictures:
        path = find_checkpoint(PICTURE_NETWORK)
        looker = PictureEmbedder.from_checkpoint(load_checkpoint(path, PICTURE_NETWORK))
        return PictureMeasurer(looker, file_sha256(path))
    listener, path = load_embedder(network)
    return SoundMeasurer(listener, file_sha256(path))


def load_embedder(network: Network) -> tuple[SoundEmbedder, Path]:
    """Find and load a network that listens.

    Raises
    ------
    ValueError
        When there is none of that name, or it is something else.
    """
    if network.means_stds or Path(network.name).suffix in PUBLISHED_SUFFIXES:
        if not network.means_stds:
            raise ValueError(
                f"{network.name}: a published network needs its table of means and deviations: "
                "--means-stds train_means_stds_melspec_10s_22050hz.txt"
            )
        embedder = SoundEmbedder.from_published(
            network.name, network.means_stds, device=network.device
        )
        return embedder, Path(network.name)
    path = find_checkpoint(network.name)
    checkpoint = load_checkpoint(path)
    try:
        return SoundEmbedder.from_checkpoint(checkpoint, network.device), path
    except ValueError as error:
        raise ValueError(f"{network.name}: {error}") from None
