from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foleycli.files.atomic import OutputError
from foleycli.files.folder import atomic_folder


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "a").write_text("new")
        assert not (tmp_path / "made").exists()
    assert (tmp_path / "made" / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_an_old_folder_is_replaced_with_all_that_was_in_it(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").write_text("old")
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "a").write_text("new")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "made") as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "made" / "old").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_an_old_folder_is_put_back_where_the_new_one_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "old").write_text("old")
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if Path(target).name == "made" and not path.name.endswith("-old"):
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError), atomic_folder(tmp_path / "made"):
        pass
    assert (tmp_path / "made" / "old").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_its_mode_is_that_of_any_folder(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "made"):
        pass
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_where_it_cannot_be_made_the_error_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError) as told,
        atomic_folder(tmp_path / "file" / "made"),
    ):
        pass
    assert "file" in str(told.value.filename)


def test_a_kill_leaves_no_half_folder(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from foleycli.files.folder import atomic_folder\n"
        "with atomic_folder(sys.argv[1]) as folder:\n"
        "    (folder / 'half').write_text('half')\n"
        "    print('working', flush=True)\n"
        "    time.sleep(60)\n"
    )
    target = tmp_path / "made"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert not target.exists()
    assert all(path.name.startswith(".made-") for path in tmp_path.iterdir())
