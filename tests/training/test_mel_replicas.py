"""Two processes train codebook, vocoder and classifiers as one does; torchrun runs this file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from foleycli.training.replicas import join, meeting
from foleycli.training.validated import ValidatedTrainer, train_validated

ROUNDING = 1e-3  # relative, after a few steps; what is wrong shows in the first digits
SYSTEMS = ("codebook", "vocoder", "melception", "vggishish")


def _trainer(system: str) -> ValidatedTrainer:
    """Five sounds a batch in two parts, three held out: nothing divides evenly."""
    from foleycli.training.codebook import CodebookTrainer
    from foleycli.training.codebook_recipe import preset as codebook
    from foleycli.training.mel_classifier import LabelledMels, MelClassifierTrainer
    from foleycli.training.mel_classifier_recipe import preset as mel_classifier
    from foleycli.training.vocoder import VocoderTrainer
    from foleycli.training.vocoder_recipe import preset as vocoder

    rng = np.random.default_rng(0)
    mels = [(rng.random((80, 110)) * (1 - n % 2 / 2)).astype(np.float16) for n in range(6)]
    waves = [rng.normal(0, 3000, 9000).astype(np.int16) for _ in range(6)]
    change = {"batch": 5, "steps": 4, "validate_every": 2}
    if system == "codebook":
        # One part: the discriminator's batch norm sees a part at a time.
        recipe = codebook("smoke", 6, starts_at=1, base_rate=1e-3, **change)
        return CodebookTrainer(recipe, mels, mels[:3], 0)
    if system == "vocoder":
        others = {"accumulate": 2, "starts_at": 1, "rate": 3e-3}
        return VocoderTrainer(vocoder("smoke", 6, **change, **others), waves, waves[:3], 0)
    recipe = mel_classifier(system, "smoke", ["a", "b"] * 3, **change)  # type: ignore[arg-type]
    held_out = LabelledMels(mels[:3], np.arange(3) % 2)
    trainer = MelClassifierTrainer(recipe, LabelledMels(mels, np.arange(6) % 2), held_out, 0)
    # Adam makes a whole step of a gradient that is zero but for rounding.
    trainer.network.double()
    single = trainer._standardised
    trainer._standardised = lambda windows: single(windows).double()  # type: ignore[method-assign]
    return trainer


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything done by one process and by two."""
    out = tmp_path_factory.mktemp("runs")
    where = ("--standalone", "--nproc-per-node", "2", "--local-addr", "127.0.0.1")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *where, __file__, str(out / "two")],
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for system in SYSTEMS:
        train_validated(_trainer(system), out / "one" / system)
    return out


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_processes_train_as_one(runs: Path, system: str) -> None:
    logs = [(runs / number / system / "log.jsonl").read_text() for number in ("one", "two")]
    alone, shared = ([json.loads(line) for line in log.splitlines()] for log in logs)
    assert len(alone) == 4
    for line, again in zip(alone, shared, strict=True):
        del line["seconds"], again["seconds"]
        assert again == pytest.approx(line, rel=ROUNDING, abs=ROUNDING / 10)


if __name__ == "__main__":
    with meeting():
        join("cpu")
        for name in SYSTEMS:
            train_validated(_trainer(name), Path(sys.argv[1]) / name)
