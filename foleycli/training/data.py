"""Training clips: a folder of class folders, or a manifest; and tiles cut from their sound.

A manifest is CSV with a header or JSON lines; ``path`` (relative to the manifest) and ``class`` are
needed, ``split`` is honoured where there (only ``train`` rows train), and any column can be
filtered on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foleycli.files.manifest import ManifestEntry, read_manifest

MEDIA_SUFFIXES = frozenset(
    ".aac .aif .aiff .flac .m4a .mp3 .oga .ogg .opus .wav "
    ".avi .m4v .mkv .mov .mp4 .mpg .ts .webm".split()
)


@dataclass(frozen=True)
class Example:
    """One labelled clip."""

    path: Path
    label: str


def read_examples(
    data: Path,
    *,
    classes: Sequence[str] | None = None,
    split: str | None = "train",
    where: Mapping[str, str] | None = None,
) -> list[Example]:
    """List labelled clips in a stable order.

    Parameters
    ----------
    data : Path
        ``DATA/CLASS/clip.*``, ``DATA/{train,valid,test}/CLASS/clip.*``, or a manifest file.
    classes : sequence of str, optional
        Keep only these.
    split : str, optional
        Which split; clips and manifests that name none count as ``train``.
    where : mapping, optional
        Manifest columns and the value each must have.

    Raises
    ------
    ValueError
        When there is no such data, or nothing is left.
    """
    if data.is_dir():
        root = data / split if split and (data / split).is_dir() else data
        entries = [
            ManifestEntry(path, path.name, label=path.parent.name)
            for path in sorted(root.glob("*/*"))
            if path.suffix.lower() in MEDIA_SUFFIXES
        ]
    elif data.is_file():
        entries = read_manifest(data)
    else:
        raise ValueError(f"{data}: no such folder or manifest")
    wanted = dict(where or {})
    for column in wanted:
        if not any(column in entry.columns for entry in entries):
            raise ValueError(f"{column!r}: the manifest has no such column")
    examples = [
        Example(entry.path, entry.label)
        for entry in entries
        if (entry.label in classes if classes is not None else entry.label)
        and (split is None or (entry.split or "train") == split)
        and all(entry.columns.get(column) == value for column, value in wanted.items())
    ]
    if not examples:
        raise ValueError(
            f"{data}: no clips left (class folders with media files, or a manifest, are needed)"
        )
    return examples
