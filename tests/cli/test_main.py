"""The command as a user meets it, in its own process: exit codes, streams, configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foleycli import __version__


def test_version_and_help(foley, tmp_path: Path) -> None:
    assert foley("--version").stdout.startswith(f"foley {__version__} (Python 3.")
    for flag in ("-h", "--help"):
        done = foley(flag)
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: foley ")
        assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["compose"],
        ["invert"],
        ["invert", "a.spec.npz"],
        ["invert", "a.spec.npz", "-o", "a.wav", "--iterations", "many"],
        ["invert", "a.spec.npz", "-o", "a.mp3"],
        ["invert", "a.spec.npz", "-o", "a.wav", "--shard", "4/4"],
        ["--config", "none.toml", "invert", "a.spec.npz", "-o", "a.wav"],
    ],
)
def test_wrong_usage_is_two_and_writes_nothing(foley, tmp_path: Path, arguments: list[str]) -> None:
    done = foley(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["missing", "folder", "empty", "text"])
def test_unreadable_input_is_one_line_and_two(foley, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    done = foley("invert", name, "-o", "a.wav")
    assert done.returncode == 2
    assert done.stderr.startswith(f"foley invert: {name}: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "a.wav").exists()


def test_full_disk_and_closed_pipe_on_stdout_are_no_tracebacks(foley, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = foley("--help", capture_output=False, stdout=full, stderr=-1)
    assert done.returncode == 1
    assert done.stderr == "foley: standard output: No space left on device\n"
    reading, writing = os.pipe()
    os.close(reading)
    done = foley("--help", capture_output=False, stdout=writing, stderr=-1)
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""


def test_config_gives_defaults_and_the_command_line_wins(foley, tmp_path: Path) -> None:
    (tmp_path / "a.spec.npz").touch()
    (tmp_path / "foley.toml").write_text("[invert]\ndry-run = true\noutput = 'config.wav'\n")
    done = foley("--config", "foley.toml", "invert", "a.spec.npz")
    assert done.stdout == "a.spec.npz\tconfig.wav\n"
    done = foley("--config", "foley.toml", "invert", "a.spec.npz", "-o", "b.wav")
    assert done.stdout == "a.spec.npz\tb.wav\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[invert]\nsed = 3\n", "'sed' under [invert] is none of: "),
        ("[inverse]\nseed = 3\n", "'inverse' under [foley] is none of: "),
        ("seed 3", "not TOML"),
    ],
)
def test_misspelt_config_is_an_error(foley, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "foley.toml").write_text(text)
    done = foley("--config", "foley.toml", "invert", "a.spec.npz", "-o", "a.wav")
    assert done.returncode == 2
    assert message in done.stderr
