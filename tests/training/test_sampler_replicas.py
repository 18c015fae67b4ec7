"""Two processes encode sounds and train a sampler as one does; torchrun runs this file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.media.audio import write_audio
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.sound_codes.codec import SoundCodec
from foleycli.training.code_data import encode_sounds
from foleycli.training.data import Example
from foleycli.training.replicas import join, meeting
from foleycli.training.sampler import SamplerTrainer
from foleycli.training.sampler_recipe import Told, preset
from foleycli.training.validated import train_validated

ROUNDING = 1e-4  # relative; what is wrong shows in the first digits
CONFIG = CodebookConfig(
    codes=16, code_width=4, channels=4, multiples=(1, 1, 1, 1, 1), residual_blocks=1, groups=2,
    frames=64,
)  # fmt: skip
TOLD: tuple[Told, ...] = ("class", "none")


def _train(told: Told, out: Path) -> None:
    """Five sounds a batch in two parts, three held out: nothing divides evenly."""
    torch.manual_seed(0)
    codec = SoundCodec(SpectrogramCodebook(CONFIG).eval().requires_grad_(False).fold())
    change = {"batch": 5, "accumulate": 2, "validate_every": 2, "steps": 4}
    recipe = preset("smoke", 6, CONFIG, told, classes=("a",), **change)
    examples = [Example(path, "a") for path in sorted((out.parent / "sounds").glob("*.wav"))]
    sounds = encode_sounds(examples, codec, "", recipe.sight, out / f"{told}-codes")
    trainer = SamplerTrainer(recipe, sounds, sounds[:3], codec.grid.column_s, 0)
    train_validated(trainer, out / told)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything done by one process and by two."""
    out = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    for number in range(6):
        noise = 0.1 * number * rng.uniform(-1, 1, 25_000)
        write_audio(out / f"sounds/{number}.wav", noise.astype(np.float32), 22_050)
    where = ("--standalone", "--nproc-per-node", "2", "--local-addr", "127.0.0.1")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *where, __file__, str(out / "two")],
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for told in TOLD:
        _train(told, out / "one")
    return out


@pytest.mark.parametrize("told", TOLD)
def test_two_processes_train_a_sampler_as_one(runs: Path, told: Told) -> None:
    logs = [(runs / number / told / "log.jsonl").read_text() for number in ("one", "two")]
    alone, shared = ([json.loads(line) for line in log.splitlines()] for log in logs)
    assert len(alone) == 4
    for line, again in zip(alone, shared, strict=True):
        del line["seconds"], again["seconds"]
        assert again == pytest.approx(line, rel=ROUNDING)
    codes = [{p.name for p in (runs / n / f"{told}-codes").iterdir()} for n in ("one", "two")]
    assert codes[0] == codes[1]
    assert len(codes[0]) == 6


if __name__ == "__main__":
    with meeting():
        join("cpu")
        for name in TOLD:
            _train(name, Path(sys.argv[1]))
