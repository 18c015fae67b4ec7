"""Manifests: which clips there are, what they show, and which split they belong to.

``.jsonl`` (one JSON object a line) and ``.csv`` (with a header) have the columns ``path``
(required; relative paths start at the manifest's folder), ``id`` (name of the clip and of what is
made from it; by default the path without its suffix), ``class`` and ``split``; others are left
alone, so that a manifest may serve other tools too. ``.txt`` holds one path a line. Empty lines and
lines that begin with ``#`` are skipped.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from foleycli.files.atomic import write_text

LIST_SUFFIXES = frozenset({".csv", ".jsonl", ".txt"})


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One clip; ``name`` is its path as written, ``path`` where it is found from here.

    ``columns`` holds the whole row, the columns that mean nothing here included, as text.
    """

    path: Path
    name: str
    id: str = ""
    label: str = ""
    split: str = ""
    columns: dict[str, str] = field(default_factory=dict, compare=False)


def read_manifest(path: str | os.PathLike[str]) -> list[ManifestEntry]:
    """Read a ``.jsonl`` or ``.csv`` manifest, or a ``.txt`` list of paths, in its own order.

    Raises
    ------
    ValueError
        When a line is malformed; the message names it.
    OSError
        When the file cannot be read.
    """
    source = Path(path)
    form = source.suffix.lower().removeprefix(".")
    try:
        with source.open(encoding="utf-8-sig", newline="") as lines:
            return parse_entries(lines, source.parent, str(source), form)
    except UnicodeDecodeError:
        raise ValueError(f"{source}: not a text file") from None


def parse_entries(
    lines: Iterable[str], base: Path, source: str, form: str = "txt"
) -> list[ManifestEntry]:
    """Read entries from lines of text in the form ``jsonl``, ``csv`` or ``txt``.

    ``source`` is what error messages call the lines; relative paths start at ``base``.
    """
    rows = {"jsonl": _json_rows, "csv": _csv_rows}.get(form, _text_rows)
    entries = []
    for number, row in rows(lines):
        try:
            entries.append(_entry(row, base))
        except ValueError as error:
            raise ValueError(f"{source}, line {number}: {error}") from None
    return entries


def write_manifest(path: str | os.PathLike[str], entries: Iterable[ManifestEntry]) -> None:
    """Write entries as ``.jsonl``, atomically; empty fields are left out."""
    lines = []
    for entry in entries:
        row = {"path": entry.name, "id": entry.id, "class": entry.label, "split": entry.split}
        kept = {key: value for key, value in row.items() if value}
        lines.append(json.dumps(kept, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))


def _json_rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in _text_rows(lines):
        try:
            value = json.loads(row["path"])
        except json.JSONDecodeError:
            value = None
        yield number, value if isinstance(value, dict) else {}


def _csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(lines, skipinitialspace=True)
    for row in reader:
        yield reader.line_num, row


def _text_rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            yield number, {"path": text}


def _entry(row: dict[str, Any], base: Path) -> ManifestEntry:
    name = row.get("path")
    if not isinstance(name, str) or not name:
        raise ValueError('need a "path", such as {"path": "rain/clip07.mp4", "class": "rain"}')
    texts = [row.get(key) or "" for key in ("id", "class", "split")]
    for value in texts:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} must be text: write it in quotes")
    clip_id = PurePosixPath(texts[0])
    if clip_id.is_absolute() or ".." in clip_id.parts:
        raise ValueError(f"id {texts[0]!r} would lead out of the output folder")
    columns = {str(key): str(value) for key, value in row.items() if value is not None}
    return ManifestEntry(base / name, name, texts[0], texts[1], texts[2], columns)
