"""The command line starts without the heavy packages; commands load them when they need them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("av", "cv2", "matplotlib", "numpy", "rich", "safetensors", "scipy"),
    *("soundfile", "torch", "torchaudio", "tqdm"),
}
SHOW_MODULES = (
    "; import json, sys; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
)


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code + SHOW_MODULES], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    assert modules_after("import foleycli.cli.main") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["invert", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['foley', *{arguments!r}]\n"
        "from foleycli.cli.main import app\n"
        "app(prog_name='foley', standalone_mode=False)\n"
        "pass"
    )
    assert modules_after(code) & HEAVY == set()


def test_completion_loads_nothing_heavy_and_knows_the_commands() -> None:
    code = (
        "import os, subprocess, sys\n"
        "os.environ |= {'_FOLEY_COMPLETE': 'complete_bash', 'COMP_WORDS': 'foley inv',"
        " 'COMP_CWORD': '1'}\n"
        "from foleycli.cli.main import app\n"
        "try: app(prog_name='foley')\n"
        "except SystemExit: pass\n"
        "pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + SHOW_MODULES], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == "invert"
    assert set(json.loads(done.stdout.splitlines()[-1])) & HEAVY == set()
