"""What ``foley metrics`` is given: sides, pictures of clips, names of figures."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from foleycli.cli.inputs import MEDIA_SUFFIXES, VIDEO_SUFFIXES, Clip, collect
from foleycli.evaluation.catalogue import GROUPS, METRICS

if TYPE_CHECKING:
    from foleycli.evaluation.sides import Side

STATISTICS_SUFFIXES = frozenset((".npz", ".npy"))


def side_of(given: Sequence[str], name: str = "") -> Side:
    """Read the paths of one side; ``NAME=PATH`` gives the name unless ``name`` does.

    Raises
    ------
    ValueError
        When a path is missing, there is nothing to measure in it, or two files have one name.
    """
    from foleycli.evaluation.sides import Sample, Side

    files: list[Clip] = []
    statistics: list[Path] = []
    for words in given:
        left, equals, right = words.partition("=")
        named = equals and not name and not Path(words).exists()
        path = Path(right if named else words)
        name = left if named else name or path.resolve().stem
        if not path.exists() and str(path) != "-":
            raise ValueError(f"{path}: no such file or folder")
        if path.suffix.lower() in STATISTICS_SUFFIXES:
            statistics.append(path)
        else:
            files += _files(path)
    seen: dict[str, Path] = {}
    for clip in files:
        if (other := seen.setdefault(clip.id, clip.path)) is not clip.path:
            raise ValueError(
                f"{other} and {clip.path} are both called {clip.id}; give one, or a manifest"
            )
    samples = tuple(Sample(clip.id, clip.label or _folder(clip.id), clip.path) for clip in files)
    return Side(name, samples, tuple(statistics))


def systems_of(given: Iterable[str]) -> list[Side]:
    """Read generated sets, one a word.

    Raises
    ------
    ValueError
        As :func:`side_of`, or when two have one name.
    """
    sides = [side_of([words]) for words in given]
    names = [side.name for side in sides]
    if twins := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two systems are called {twins[0]}; write --fake NAME=PATH")
    return sides


def video_paths(given: Sequence[Path], real: Side) -> dict[str, Path]:
    """Find the picture of each real clip: by id, or by name where no id is the same.

    Raises
    ------
    ValueError
        When pictures are given and none belongs to a clip.
    """
    if not given:
        return {}
    found = {clip.id: clip.path for clip in collect(given, VIDEO_SUFFIXES)}
    for key in (str, lambda i: PurePosixPath(i).name):
        by_key = {key(i): path for i, path in found.items()}
        paths = {s.id: by_key[key(s.id)] for s in real.files if key(s.id) in by_key}
        if paths:
            return paths
    raise ValueError(f"--video {given[0]}: none of its files is called like a real clip")


def metric_names(words: str) -> tuple[frozenset[str], frozenset[str]]:
    """Read ``--metrics``: all keys wanted, and those of them that were named one by one.

    Without words all are wanted. Of a group, what cannot be had is left out.

    Raises
    ------
    ValueError
        When there is no such figure or group.
    """
    keys: set[str] = set()
    named: set[str] = set()
    for word in filter(None, (part.strip() for part in words.split(","))):
        if word in GROUPS:
            keys |= {key for key, metric in METRICS.items() if metric.group == word}
        elif word in METRICS:
            named.add(word)
        else:
            near = difflib.get_close_matches(word.lower(), [*METRICS, *GROUPS], n=3)
            hint = f"; near it: {', '.join(near)}" if near else f"; groups: {', '.join(GROUPS)}"
            raise ValueError(f"--metrics {word}: no such figure{hint}")
    return frozenset(keys | named or METRICS), frozenset(named)


def _files(path: Path) -> list[Clip]:
    """Sounds, and where a folder has none, pictures."""
    from foleycli.media.stills import STILL_SUFFIXES

    try:
        return collect([path], MEDIA_SUFFIXES)
    except ValueError:
        if not path.is_dir():
            raise
        return collect([path], MEDIA_SUFFIXES | STILL_SUFFIXES)


def _folder(clip_id: str) -> str:
    """Class of a file that no manifest names: the folder it lies in, within its side."""
    return PurePosixPath(clip_id).parent.name
