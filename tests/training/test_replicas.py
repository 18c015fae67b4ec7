"""Two processes train as one does; torchrun runs this file, pytest compares.

What two processes may differ by is rounding, which is tight where all is in double precision. The
trainers are in single precision, and Adam divides a gradient by its size: where a gradient is zero
but for rounding, a weight moves by the learning rate one way or the other. Losses, the sizes of
gradients and the statistics of batch norm do not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.training import (
    classifier,
    classifier_recipe,
    foleygan,
    foleygan_recipe,
    s2i_recipe,
    sound2scene_recipe,
)
from foleycli.training.loop import load_state, train
from foleycli.training.replicas import (
    agree,
    any_replica,
    is_first,
    join,
    meeting,
    replica,
    sum_gradients,
)
from foleycli.training.s2i import AutoencoderStage, S2ICourse, TranslatorStage
from foleycli.training.shares import Share, shares
from foleycli.training.sound2scene import Sound2SceneCourse
from foleycli.training.sound_pictures import SoundPictures
from foleycli.training.stages import Results, Stage, train_stages
from foleycli.training.tiles import Recording
from foleycli.training.windows import Labelled

LABELS = ("dog", "rain")
ROUNDING = 1e-4  # relative, after a few steps; what is wrong shows in the first digits


def _pairs(rows: int) -> SoundPictures:
    rng = np.random.default_rng(0)
    label = np.arange(8) % 2
    levels = [(_levels(rng, rows, kind)) for kind in label]
    pictures = rng.integers(0, 256, (8, 48, 48, 3), np.uint8)
    return SoundPictures(LABELS, np.arange(2), levels, label, pictures, label, label)


def _levels(rng: np.random.Generator, rows: int, kind: int) -> np.ndarray:
    if rows == 128:
        return rng.integers(0, 256, (128, 100)).astype(np.uint8)
    return (rng.normal(-20, 1, (rows, 90)) + 10 * kind).astype(np.float16)


def _foleygan(folder: Path, resume: bool = False, steps: int = 2) -> None:
    recipe = foleygan_recipe.preset(
        "smoke", LABELS, steps=steps, batch=5, accumulate=2, d_steps=2, save_every=2
    )
    rng = np.random.default_rng(0)
    nothing = (np.zeros(0), np.zeros(0))
    sounds = [
        Recording(rng.normal(0, 0.1, 20_000).astype(np.float32), kind, nothing) for kind in (0, 1)
    ]
    train(foleygan.Trainer(recipe, sounds, 0), folder, resume=resume)


def _classifier(folder: Path, resume: bool = False) -> None:
    recipe = classifier_recipe.preset("small", LABELS, smoke=True, steps=2, batch=5)
    view, rng = recipe.view, np.random.default_rng(0)
    sounds = [
        Labelled(rng.uniform(*view.range, (view.bands, 300)).astype(np.float16), kind)
        for kind in (0, 1)
    ]
    train(classifier.Trainer(recipe, sounds, 0), folder, resume=resume)


def _sound2scene(folder: Path, resume: bool = False) -> None:
    recipe = sound2scene_recipe.preset("smoke", steps=[2, 2, 2], batch=5)
    course = Sound2SceneCourse(replace(recipe, classes=LABELS), _pairs(257), 0)
    train_stages(course, folder, resume=resume)


def _s2i(folder: Path, resume: bool = False, stop: int | None = None) -> None:
    """In double precision: batch norm over five numbers makes much of rounding."""
    recipe = s2i_recipe.preset("smoke", steps=[2, 3], batch=5)
    recipe = replace(recipe, autoencoder=replace(recipe.autoencoder, labels=0.1))
    course = S2ICourse(replace(recipe, classes=LABELS), _pairs(128), 0)
    build = course.stage

    def stage(name: str, results: Results) -> Stage:
        made = build(name, results)
        for part in vars(made).values():
            if isinstance(part, nn.Module):
                part.double()
        if isinstance(made, AutoencoderStage):
            segments = made._segments
            made._segments = lambda *given: segments(*given).double()
        elif isinstance(made, TranslatorStage):
            made.embeddings = made.embeddings.double().round(decimals=3)
            batch, train_step = made.batch, made.train_step
            made.batch = lambda step: tuple(tensor.double() for tensor in batch(step))

            def until(step: int) -> dict[str, float]:
                if step == stop and replica() == (1, 2):
                    os.kill(os.getpid(), signal.SIGTERM)
                return train_step(step)

            made.train_step = until
        return made

    course.stage = stage
    train_stages(course, folder, resume=resume)


SYSTEMS: dict[str, Callable[..., None]] = {
    "foleygan": _foleygan,
    "classifier": _classifier,
    "sound2scene": _sound2scene,
    "s2i": _s2i,
}


class _Everything(nn.Module):
    """What looks across a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6)
        self.linear, self.flat_norm = nn.Linear(6, 4), nn.BatchNorm1d(4, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        h = F.dropout2d(self.norm(self.conv(x)).relu(), 0.3, self.training)
        return self.flat_norm(self.linear(F.dropout(h, 0.2, self.training).mean((2, 3))))


def _exact(accumulate: int = 1) -> dict[str, Any]:
    """Gradients and statistics of a step in double precision, with 2 batches in one forward."""
    torch.manual_seed(0)
    network = _Everything().double().to(memory_format=torch.channels_last)
    x, y = torch.randn(2, 7, 2, 6, 5).double(), torch.randn(7, 4).double()
    scores = {"loss": 0.0}
    for share in shares(7, accumulate):
        torch.manual_seed(1)
        own = x[:, share.rows].flatten(0, 1).contiguous(memory_format=torch.channels_last)
        if accumulate > 1:
            network.eval()  # without what looks across a batch
        with share.whole_batch():
            one, other = network(own).chunk(2)
        loss = F.mse_loss(one, y[share.rows])
        if accumulate == 1:
            loss = loss + (share.gathered(one) @ share.gathered(other).T).softmax(1)[:, 0].mean()
        share.weigh(loss).backward()
        scores["loss"] += share.mean({"loss": float(loss.detach())})["loss"]
    sum_gradients(network.parameters())
    gradients = {n: p.grad for n, p in network.named_parameters()}
    return {**gradients, **dict(network.named_buffers()), **scores}


def _main(out: Path) -> None:
    """Do what torchrun starts."""
    with meeting():
        assert join("cpu") == "cpu"
        for accumulate in (1, 3):
            torch.save(_exact(accumulate), out / f"exact{accumulate}.{replica()[0]}.pt")
        for name, system in SYSTEMS.items():
            system(out / "two" / name)
        _foleygan(out / "resumed", resume=True)
        try:
            _s2i(out / "terminated", stop=1)
        except KeyboardInterrupt as interruption:
            (out / f"said{replica()[0]}").write_text(str(interruption))
        assert any_replica(is_first())
        assert not any_replica(False)
        own = {"weights": [torch.full((2, 3), float(replica()[0])).T]}
        agree({"seed": 0}, lambda: own)
        torch.save(own, out / f"agreed{replica()[0]}.pt")
        for name, refused in (
            ("small", lambda: shares(1)),
            ("differ", lambda: agree({"seed": replica()[0]}, dict)),
        ):
            with pytest.raises(ValueError) as caught:
                refused()
            (out / f"{name}{replica()[0]}").write_text(str(caught.value))


def torchrun(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start two processes on this machine, which meet on a port that is free."""
    where = ("--standalone", "--nproc-per-node", "2", "--local-addr", "127.0.0.1")
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *where, *map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything done by one process and by two."""
    out = tmp_path_factory.mktemp("runs")
    _foleygan(out / "resumed", steps=1)
    done = torchrun(Path(__file__), out)
    assert done.returncode == 0, done.stderr
    for name, system in SYSTEMS.items():
        system(out / "one" / name)
    return out


def _log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def _tensors(state: Any, name: str = "") -> dict[str, Tensor]:
    if isinstance(state, Tensor):
        return {name: state.double()}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    parts = [(f"{name}/{k}", v) for k, v in items if isinstance(v, (dict, list, Tensor))]
    return {n: t for name, part in parts for n, t in _tensors(part, name).items()}


def _apart(one: Path, other: Path) -> tuple[float, list[float]]:
    """Greatest relative difference of what the logs say, and those of the states' tensors."""
    logs = _log(one), _log(other)
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]]
    scores = [
        (line[name], again[name])
        for line, again in zip(*logs, strict=True)
        for name in line.keys() - {"step", "stage", "seconds"}
    ]
    states = [_tensors(load_state(folder)) for folder in (one, other)]
    assert states[0].keys() == states[1].keys()
    tensors = [(t - states[1][n]).norm() / (t.norm() + 1e-12) for n, t in states[0].items()]
    return max(abs(a - b) / max(abs(a), 0.1) for a, b in scores), sorted(map(float, tensors))


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_processes_train_as_one(runs: Path, system: str) -> None:
    scores, tensors = _apart(runs / "one" / system, runs / "two" / system)
    assert scores < ROUNDING
    assert tensors[len(tensors) // 2] < ROUNDING


def test_a_run_of_one_process_is_resumed_by_two(runs: Path) -> None:
    scores, tensors = _apart(runs / "one/foleygan", runs / "resumed")
    assert scores < ROUNDING
    assert tensors[len(tensors) // 2] < ROUNDING


def test_a_signal_to_one_stops_all_and_one_process_goes_on(runs: Path) -> None:
    said = [(runs / f"said{rank}").read_text() for rank in (0, 1)]
    assert said == ["saved after step 4; go on with --resume"] * 2
    assert load_state(runs / "terminated")["step"] == 4
    _s2i(runs / "terminated", resume=True)
    scores, _ = _apart(runs / "one/s2i", runs / "terminated")
    assert scores < ROUNDING


@pytest.mark.parametrize("accumulate", [1, 3])
def test_gradients_are_the_whole_batchs(runs: Path, accumulate: int) -> None:
    alone = _exact(accumulate)
    for rank in (0, 1):
        found = torch.load(runs / f"exact{accumulate}.{rank}.pt", weights_only=True)
        torch.testing.assert_close(found, alone, rtol=1e-10, atol=1e-12)


def test_accumulated_gradients_are_the_whole_batchs() -> None:
    torch.testing.assert_close(_exact(3), _exact(2), rtol=1e-10, atol=1e-12)


def test_replicas_begin_alike_or_not_at_all(runs: Path) -> None:
    for rank in (0, 1):
        assert "differ in data, options or version" in (runs / f"differ{rank}").read_text()
        small = (runs / f"small{rank}").read_text()
        assert small.startswith("a batch of 1 cannot be shared out to 2 processes")
        agreed = torch.load(runs / f"agreed{rank}.pt", weights_only=True)
        assert torch.equal(agreed["weights"][0], torch.zeros(3, 2))


def test_shares_are_even_and_in_order() -> None:
    alone = shares(7)[0]
    assert (alone.rows, alone.sizes) == (slice(0, 7), (7,))
    loss = torch.ones(())
    assert alone.weigh(loss) is loss
    assert [share.rows for share in shares(7, 3)] == [slice(0, 3), slice(3, 5), slice(5, 7)]
    second = Share((2, 1), 1, 3, 6)
    assert second.rows == slice(5, 6)
    assert second.weigh(loss) == pytest.approx(1 / 6)
    wide = second.widened(torch.ones(1, 2))
    assert wide.tolist() == [[0, 0], [0, 0], [1, 1]]
    assert torch.equal(second.narrowed(wide), torch.ones(1, 2))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
