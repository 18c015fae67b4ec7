"""Manifests: paths start at the manifest's folder, and a bad line is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.files.manifest import ManifestEntry, read_manifest, write_manifest

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
IDS = NAMES.filter(lambda text: not text.startswith("/") and ".." not in text)


@given(rows=st.lists(st.tuples(NAMES, IDS, NAMES), max_size=5))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("manifest") / "clips.jsonl"
    entries = [ManifestEntry(path.parent / name, name, i, c, "train") for name, i, c in rows]
    write_manifest(path, entries)
    assert read_manifest(path) == entries


def test_three_forms_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('# clips\n\n{"path": "rain/a.mp4"}\n{"path": "/b.mp4"}\n')
    (tmp_path / "a.csv").write_text("path,licence\nrain/a.mp4,CC0\n/b.mp4,CC0\n")
    (tmp_path / "a.txt").write_text("rain/a.mp4\n# not this\n/b.mp4\n")
    expected = [tmp_path / "rain" / "a.mp4", Path("/b.mp4")]
    for name in ("a.jsonl", "a.csv", "a.txt"):
        assert [entry.path for entry in read_manifest(tmp_path / name)] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"path": "a.mp4"}\nnot json\n', "line 2: need a"),
        ('{"file": "a.mp4"}\n', 'line 1: need a "path"'),
        ('{"path": "a.mp4", "class": 3}\n', "line 1: 3 must be text"),
        ('{"path": "a.mp4", "id": "../../etc/passwd"}\n', "would lead out"),
        ('{"path": "a.mp4", "id": "/etc/passwd"}\n', "would lead out"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_manifest(tmp_path / "a.jsonl")


def test_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match="not a text file"):
        read_manifest(tmp_path / "a.txt")
