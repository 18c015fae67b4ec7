"""What was given on the command line -> clips in order -> where each one's output goes.

A clip's *id* is its name within the input it was found in, without suffixes: ``clip07`` for a file
given by itself, ``rain/clip07`` for ``DIR/rain/clip07.mp4`` found in DIR. It names the output, so
that a folder's sub-tree is kept, and it seeds the clip, so that a result does not depend on where
the data lie, on the order, the shard or the number of jobs.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from foleycli.files.manifest import LIST_SUFFIXES, ManifestEntry, parse_entries, read_manifest

VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .gif .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)
AUDIO_SUFFIXES = frozenset(".aac .aif .aiff .flac .m4a .mp3 .oga .ogg .opus .wav .wma".split())
MEDIA_SUFFIXES = VIDEO_SUFFIXES | AUDIO_SUFFIXES
_OWN_SUFFIXES = (".codes.npz", ".features.npz", ".pairs.npz", ".spec.npz")


@dataclass(frozen=True, slots=True)
class Clip:
    """One input: where it is, what it is called, and its class when a manifest says so."""

    path: Path
    id: str
    label: str = ""

    def seed(self, seed: int, draw: int = 0) -> int:
        """Seed of this clip's ``draw``-th sample, in [0, 2^63): stable across machines."""
        digest = hashlib.sha256(f"{seed}\0{self.id}\0{draw}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True, slots=True)
class Job:
    """One clip and the file to make of it; ``folder`` is None where ``-o`` names a file."""

    clip: Clip
    output: Path
    folder: Path | None = None

    @property
    def name(self) -> str:
        """Name of the output within the output folder."""
        return self.output.relative_to(self.folder or self.output.parent).as_posix()

    def companion(self, path: str, suffix: str) -> Path:
        """Where a second result goes: ``path`` if ``-o`` is a file, else ``path/ID + suffix``."""
        return Path(path) if self.folder is None else Path(path) / f"{self.clip.id}{suffix}"


def collect(inputs: Iterable[Path], suffixes: Collection[str]) -> list[Clip]:
    """List the clips behind INPUT..., ordered by id.

    A file given by name is taken whatever its suffix; of a folder, the files with one of
    ``suffixes``. A file that does not exist is listed too: it fails when its turn comes, as any
    unreadable one.

    Raises
    ------
    ValueError
        When a folder or list is empty or malformed.
    """
    clips: list[Clip] = []
    for given in inputs:
        if str(given) == "-":
            found = _from_entries(parse_entries(sys.stdin, Path(), "standard input"))
        elif given.is_dir():
            found = _from_folder(given, suffixes)
        elif given.suffix.lower() in LIST_SUFFIXES:
            found = _from_entries(read_manifest(given))
        else:
            found = [Clip(given, _stem(given.name))]
        if not found:
            wanted = " ".join(sorted(suffixes))
            raise ValueError(f"{given}: nothing to work on in it (looked for {wanted})")
        clips += found
    return sorted(clips, key=lambda clip: (clip.id, str(clip.path)))


def plan(
    clips: Sequence[Clip], output: str, suffix: str, *, folder: bool, allowed: Collection[str] = ()
) -> list[Job]:
    """Say where each clip's output goes.

    Parameters
    ----------
    output : str
        ``-o``: a file for one clip; a folder when it is one, ends in a slash, or ``folder`` is
        true.
    suffix : str
        Of outputs named after their clip: ``DIR/ID + suffix``.
    folder : bool
        Several clips may come, even if this time there is one.
    allowed : collection of str
        Suffixes that a single output file may have; empty allows any.

    Raises
    ------
    ValueError
        When two clips would write the same file, an output would overwrite an input, or ``output``
        is a file where a folder is needed.
    """
    target = Path(output)
    if not (folder or output.endswith(("/", os.sep)) or target.is_dir()):
        if allowed and target.suffix.lower() not in allowed:
            raise ValueError(f"-o {output}: the suffix must be one of {' '.join(sorted(allowed))}")
        jobs = [Job(clips[0], target)]
    else:
        if target.is_file() or (target.suffix in {suffix, *allowed} and not target.is_dir()):
            raise ValueError(f"-o {output}: several inputs need a folder; write -o DIR/")
        jobs = [Job(clip, target / f"{clip.id}{suffix}", target) for clip in clips]
    taken: dict[Path, Path] = {}
    for job in jobs:
        other = taken.setdefault(job.output, job.clip.path)
        if other is not job.clip.path:
            raise ValueError(
                f"{other} and {job.clip.path} would both write {job.output}; rename one, or give "
                "the folder that holds both"
            )
    sources = {clip.path.absolute() for clip in clips}
    for job in jobs:
        if job.output.absolute() in sources:
            raise ValueError(f"{job.output}: would overwrite an input; choose another -o")
    return jobs


def is_batch(inputs: Sequence[Path], clips: Sequence[Clip]) -> bool:
    """Whether the inputs may stand for several clips: then ``-o`` is a folder."""
    only = inputs[0]
    return (
        len(inputs) > 1
        or len(clips) > 1
        or str(only) == "-"
        or only.is_dir()
        or only.suffix.lower() in LIST_SUFFIXES
    )


def _from_folder(folder: Path, suffixes: Collection[str]) -> list[Clip]:
    def wanted(path: Path) -> bool:
        name = path.name.lower()
        return not name.startswith(".") and any(name.endswith(suffix) for suffix in suffixes)

    files = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
    return [
        Clip(path, _stem(path.relative_to(folder).as_posix())) for path in files if wanted(path)
    ]


def _from_entries(entries: Iterable[ManifestEntry]) -> list[Clip]:
    return [Clip(e.path, e.id or _stem(e.name), e.label) for e in entries]


def _stem(name: str) -> str:
    """Drop the suffix (our double ones whole) and whatever depends on where the data lie."""
    path = PurePosixPath(name)
    own = next((s for s in _OWN_SUFFIXES if path.name.endswith(s) and path.name != s), path.suffix)
    folders = () if path.is_absolute() else path.parts[:-1]
    return "/".join([*(part for part in folders if part != ".."), path.name.removesuffix(own)])
