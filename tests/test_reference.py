"""Man pages and completions say what the command tree says, and every command is documented."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from foleycli.cli import reference
from foleycli.cli.console import EXIT_STATUS, Exit

ROOT = Path(__file__).resolve().parents[1]
TREE = list(reference.commands())
NAMES = [reference.page_name(context) for _, context in TREE]
LEAVES = [pair for pair in TREE if not getattr(pair[0], "commands", None)]


@pytest.mark.skipif(
    f"typer=={metadata.version('typer')}" not in (ROOT / "constraints.txt").read_text(),
    reason="Typer's wording differs by version; pages are made with the one in constraints.txt",
)
def test_committed_pages_and_completions_are_up_to_date() -> None:
    assert reference.main(["--check"]) == 0


def test_check_names_what_drifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("man", "completions"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "man" / "foley.1").write_text("old")
    (tmp_path / "man" / "foley-gone.1").write_text("of a command that is no more")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    assert reference.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert "man/foley.1" in said and "man/foley-gone.1" in said
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


@pytest.mark.parametrize(("command", "context"), TREE, ids=NAMES)
def test_every_command_and_parameter_has_help(command: Any, context: Any) -> None:
    assert command.help
    for parameter in command.get_params(context):
        assert parameter.help, f"{parameter.name} has no help"


@pytest.mark.parametrize(
    ("command", "context"), LEAVES, ids=[reference.page_name(c) for _, c in LEAVES]
)
def test_every_command_has_an_example_whose_options_exist(command: Any, context: Any) -> None:
    page = reference.files()[f"man/{reference.page_name(context)}.1"]
    assert ".SH EXAMPLES" in page
    examples = re.findall(r"^  (foley .*)$", command.epilog, re.MULTILINE)
    assert examples
    known = {o for p in command.get_params(context) for o in (*p.opts, *p.secondary_opts)}
    for example in examples:
        if example.startswith(context.command_path):
            used = set(re.findall(r"(?<= )--?[a-z][\w-]*", example.partition("|")[0]))
            assert used <= known | {"--config"}, example


@pytest.mark.parametrize(("command", "context"), TREE, ids=NAMES)
def test_same_option_same_spelling_everywhere(command: Any, context: Any) -> None:
    short = {
        **{"-o": "--output", "-j": "--jobs", "-n": "--dry-run", "-q": "--quiet"},
        **{"-v": "--verbose", "-h": "--help", "-V": "--version"},
    }
    for parameter in command.get_params(context):
        for option in parameter.opts:
            if option in short:
                assert short[option] in parameter.opts
            elif parameter.param_type_name == "option":
                assert option.startswith("--"), f"{option}: short letters are for {sorted(short)}"


def test_every_exit_code_is_documented() -> None:
    assert [int(code) for code in Exit] == list(EXIT_STATUS)
    for name, text in reference.files().items():
        if name.endswith(".1"):
            assert ".SH EXIT STATUS" in text


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
@pytest.mark.parametrize("name", NAMES)
def test_man_finds_nothing_to_complain_about(name: str) -> None:
    done = subprocess.run(
        ["man", "--warnings=all", "-l", str(ROOT / "man" / f"{name}.1")],
        capture_output=True,
        text=True,
        env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert done.stderr == ""
    assert name.upper() in done.stdout
