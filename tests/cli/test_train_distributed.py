"""``torchrun -m foleycli train ...``: one voice, one set of files, one end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foleycli.checkpoints import load_checkpoint

Launch = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--smoke", "--steps", "3", "--batch", "5", "--device", "cpu")
# The second process meets an error in its second step, when the first awaits what it has to say.
BROKEN = """
import os
from foleycli.cli.main import run
from foleycli.training.classifier import Trainer

step = Trainer.batch

def batch(trainer, number):
    if number == 1 and os.environ["RANK"] == "1":
        raise ValueError("clip07.wav: cannot be read any more")
    return step(trainer, number)

Trainer.batch = batch
run()
"""


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two classes of a sound each, also as a split to validate on."""
    from foleycli.media.audio import write_audio

    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        for label in ("clock", "rain"):
            folder = tmp_path / "sounds" / split / label
            folder.mkdir(parents=True)
            wave = rng.uniform(-0.3, 0.3, 6000).astype(np.float32)
            write_audio(folder / "a.wav", wave, 22_050)
    return tmp_path / "sounds"


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """Start two processes on this machine, which meet on a port that is free."""

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        here = ("--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2")
        return subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", *here, *map(str, command)],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def test_two_processes_are_one_command(
    launch: Launch, foley_here, tmp_path: Path, sounds: Path
) -> None:
    made = launch("-m", "foleycli", "train", "classifier", sounds, "-o", "two", *QUICK)
    assert made.returncode == 0, made.stderr
    assert made.stdout == "two/model.safetensors\n"
    said = [line for line in made.stderr.splitlines() if line.startswith("foley")]
    assert [line.split()[3] for line in said] == ["2", "step", "valid:"]
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == [
        *("log.jsonl", "model.safetensors", "run.json", "state.pt")
    ]
    log = [json.loads(line) for line in (tmp_path / "two/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 2, 3]
    alone = foley_here("train", "classifier", sounds, "-o", "one", *QUICK)
    assert alone.exit_code == 0, alone.stderr
    one, two = (load_checkpoint(tmp_path / run) for run in ("one", "two"))
    assert one.provenance == two.provenance
    assert all(np.allclose(one.tensors[n], two.tensors[n], atol=2e-3) for n in one.tensors)


def test_an_error_of_one_process_ends_all_in_one_line(
    launch: Launch, tmp_path: Path, sounds: Path
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    ended = launch("broken.py", "train", "classifier", sounds, "-o", "run", *QUICK, "--quiet")
    assert ended.returncode != 0
    assert ended.stdout == ""
    said = [line for line in ended.stderr.splitlines() if line.startswith("foley")]
    assert said == ["foley train classifier: clip07.wav: cannot be read any more"]
    assert "ended" not in ended.stderr
    assert not (tmp_path / "run/model.safetensors").exists()


@pytest.mark.parametrize("rank", [0, 1])
def test_what_trains_in_one_process_says_so_once(
    rank: int, foley_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", str(rank))
    refused = foley_here("train", "timing", tmp_path, "-o", "run")
    assert refused.exit_code == (1 if rank else 2)
    message = "foley train timing: this trains in one process; start it without torchrun\n"
    assert refused.stderr == ("" if rank else message)
    assert not (tmp_path / "run").exists()
