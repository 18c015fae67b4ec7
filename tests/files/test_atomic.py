"""A reader sees the old file or the whole new one, whatever happens while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.files.atomic import OutputError, atomic_path, write_text


@pytest.mark.parametrize("failure", [OSError("disk full"), ValueError("bad"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, failure: BaseException
) -> None:
    target = tmp_path / "out.wav"
    target.write_text("old")
    with pytest.raises(type(failure)), atomic_path(target) as temporary:
        temporary.write_text("half of the n")
        raise failure
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_failed_rename_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.wav"
    target.write_text("old")

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OutputError, match="read-only"):
            write_text(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@given(chunks=st.lists(st.binary(max_size=64), max_size=8), fail_after=st.integers(0, 8))
def test_contents_are_old_or_whole(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], fail_after: int
) -> None:
    target = tmp_path_factory.mktemp("atomic") / "out.bin"
    target.write_bytes(b"old")
    try:
        with atomic_path(target) as temporary, temporary.open("wb") as file:
            for number, chunk in enumerate(chunks):
                if number == fail_after:
                    raise OSError("injected")
                file.write(chunk)
    except OSError:
        assert target.read_bytes() == b"old"
    else:
        assert target.read_bytes() == b"".join(chunks)
    assert [path.name for path in target.parent.iterdir()] == ["out.bin"]


def test_folders_are_made_and_permissions_are_ordinary(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "out.txt"
    write_text(target, "é\n")
    assert target.read_bytes() == "é\n".encode()
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask


def test_the_suffix_is_kept_for_writers_that_choose_a_format_by_it(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "out.flac") as temporary:
        assert temporary.suffix == ".flac"
        assert temporary.parent == tmp_path
        temporary.write_text("x")


def test_what_cannot_be_written_is_named_itself_not_its_sibling(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.txt").mkdir()
    for target in (tmp_path / "file/out.txt", tmp_path / "folder.txt"):
        with pytest.raises(OutputError) as caught:
            write_text(target, "new")
        assert caught.value.filename == str(target)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.txt"}
