"""Ranked frames of clips, as text: which moments show best what is heard.

Two forms are read. A CSV of our own, one a clip or one for many, has a header and the columns
``clip``, ``rank`` (1 is the best), ``time_s`` (seconds from the first frame) and ``score``; only
``time_s`` is needed. Without ``clip`` a file stands for the clip it is called after, without
``rank`` its rows are in order. Sound2Scene's own JSON maps a clip, there called
``ID_STARTMS_ENDMS``, to numbers of frames at 10 a second, the best first.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from foleycli.files.atomic import write_text

SUFFIX = ".moments.csv"
PUBLISHED_FPS = 10.0
_COLUMNS = ("clip", "rank", "time_s", "score")

Moments = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Moment:
    """A frame: seconds from the first one, and how well it goes with the sound."""

    time_s: float
    score: float


def write_moments(path: str | os.PathLike[str], clip: str, ranked: Iterable[Moment]) -> None:
    """Write one clip's moments, the best first, as CSV, atomically."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for rank, moment in enumerate(ranked, 1):
        rows.writerow([clip, rank, f"{moment.time_s:.3f}", f"{moment.score:.6f}"])
    write_text(path, text.getvalue())


def write_published(path: str | os.PathLike[str], moments: Moments, top: int) -> None:
    """Write the ``top`` best of all clips in Sound2Scene's form, atomically.

    Clips go by the names of their files alone, unless two have the same.
    """
    stems = {clip: PurePosixPath(clip).name for clip in moments}
    names = stems if len(set(stems.values())) == len(stems) else {clip: clip for clip in stems}
    table = {
        names[clip]: [round(time_s * PUBLISHED_FPS) for time_s in times[:top]]
        for clip, times in sorted(moments.items())
    }
    write_text(path, json.dumps(table, ensure_ascii=False) + "\n")


def read_moments(path: str | os.PathLike[str]) -> dict[str, list[float]]:
    """Read ranked frames: clip -> seconds, the best first.

    Parameters
    ----------
    path
        A CSV, Sound2Scene's JSON, or a folder that holds ``.moments.csv`` of clips.

    Raises
    ------
    ValueError
        When it is none of these; the message names the file and the line.
    """
    source = Path(path)
    if source.is_dir():
        found: dict[str, list[float]] = {}
        for file in sorted(source.rglob(f"*{SUFFIX}")):
            name = file.relative_to(source).as_posix().removesuffix(SUFFIX)
            found |= _read_csv(file, name)
        if not found:
            raise ValueError(f"{source}: no ranked frames in it (looked for *{SUFFIX})")
        return found
    if source.suffix.lower() == ".csv":
        return _read_csv(source, source.name.removesuffix(SUFFIX).removesuffix(".csv"))
    return _read_published(source)


def moments_of(moments: Moments, path: Path) -> Sequence[float]:
    """Return a clip's moments by the longest end of its path that is known; empty when none is.

    ``rain/clip07`` is told from ``dog/clip07``, and ``clip07`` stands for both.
    """
    parts = path.absolute().with_suffix("").parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((moments[end] for end in ends if end in moments), ())


def _read_csv(path: Path, name: str) -> dict[str, list[float]]:
    found: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            if "time_s" not in (rows.fieldnames or ()):
                raise ValueError(f"{path}: has no column time_s; they are: {', '.join(_COLUMNS)}")
            for row in rows:
                ranked = found.setdefault(row.get("clip") or name, [])
                ranked.append(_moment(row, len(ranked), f"{path}, line {rows.line_num}"))
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{path}: not a text file of ranked frames") from None
    if not found:
        raise ValueError(f"{path}: holds no moments")
    ordered = {clip: sorted(ranked, key=lambda pair: pair[0]) for clip, ranked in found.items()}
    return {clip: [time_s for _, time_s in ranked] for clip, ranked in ordered.items()}


def _moment(row: Mapping[str, str | None], before: int, where: str) -> tuple[float, float]:
    """Return rank and time of a row."""
    rank, time_s = row.get("rank") or str(before + 1), row.get("time_s") or ""
    try:
        pair = float(rank), float(time_s)
        if not all(map(math.isfinite, pair)) or pair[1] < 0:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{where}: rank {rank!r} and time_s {time_s!r} must be numbers, from 0 s on"
        ) from None
    return pair


def _read_published(path: Path) -> dict[str, list[float]]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        found = {str(clip): [int(number) for number in ranks] for clip, ranks in table.items()}
        if not found or any(not ranks or min(ranks) < 0 for ranks in found.values()):
            raise ValueError
    except (ValueError, TypeError, AttributeError):
        raise ValueError(
            f'{path}: not ranked frames: neither CSV nor JSON such as {{"clip07": [31, 4]}}'
        ) from None
    return {clip: [n / PUBLISHED_FPS for n in ranks] for clip, ranks in found.items()}
