"""Training clips are found, filtered and never taken from another split."""

from __future__ import annotations

from pathlib import Path

import pytest

from foleycli.training.data import Example, read_examples

ROWS = """path,class,split,tier
rain/a.wav,rain,train,free
rain/b.wav,rain,test,free
clock/c.wav,clock,train,nc
clock/d.wav,clock,,free
"""


def test_manifest_is_filtered_by_class_split_and_column(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text(ROWS)
    every = read_examples(manifest)
    assert [e.path.name for e in every] == [
        "a.wav",
        "c.wav",
        "d.wav",
    ]  # no split named counts as train
    assert every[0] == Example(tmp_path / "rain" / "a.wav", "rain")
    assert [e.path.name for e in read_examples(manifest, where={"tier": "free"})] == [
        "a.wav",
        "d.wav",
    ]
    assert [e.path.name for e in read_examples(manifest, split="test")] == ["b.wav"]
    assert [e.label for e in read_examples(manifest, classes=["clock"])] == ["clock", "clock"]


def test_class_folders_with_and_without_splits(tmp_path: Path) -> None:
    for name in (
        "plain/rain/a.wav",
        "plain/rain/notes.md",
        "split/train/rain/b.mp4",
        "split/test/rain/c.mp4",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [e.path.name for e in read_examples(tmp_path / "plain")] == ["a.wav"]
    assert [e.path.name for e in read_examples(tmp_path / "split")] == ["b.mp4"]


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no clips left"):
        read_examples(tmp_path)
    with pytest.raises(ValueError, match="no such folder or manifest"):
        read_examples(tmp_path / "missing")
    manifest = tmp_path / "m.csv"
    manifest.write_text(ROWS)
    with pytest.raises(ValueError, match="'colour': the manifest has no such column"):
        read_examples(manifest, where={"colour": "red"})
