"""The best model is kept, patience ends a run, and both survive an interruption."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foleycli.checkpoints import Checkpoint, load_checkpoint
from foleycli.training.loop import load_state
from foleycli.training.validated import ValidatedTrainer, train_validated


@dataclass(frozen=True)
class _Recipe:
    steps: int = 8
    save_every: int = 100
    validate_every: int = 1
    patience: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Scripted(ValidatedTrainer):
    """Costs as they are told; its one weight counts the updates."""

    kind = "scripted"
    kept = ("network",)

    def __init__(self, costs: list[float], recipe: _Recipe, judged_from: int = 0) -> None:
        super().__init__(recipe, seed=0)
        self.costs, self.judged_from = costs, judged_from
        self.network = nn.Linear(1, 1)
        nn.init.zeros_(self.network.weight)

    def update(self, step: int) -> dict[str, float]:
        with torch.no_grad():
            self.network.weight += 1
        return {"loss": 0.0 if step < 6 else float("nan")}

    def validate(self) -> dict[str, float]:
        done = int(self.network.weight)
        return {"height": self.costs[done - 1]} if self.costs else {}

    def cost(self, scores: Any) -> float:
        return scores["height"]

    def model_config(self) -> dict[str, Any]:
        return {}

    def model_tensors(self) -> dict[str, Tensor]:
        return {"steps": self.network.weight}


def _trained(folder: Path, costs: list[float], judged_from: int = 0, **recipe: Any) -> Checkpoint:
    trainer = _Scripted(costs, _Recipe(**recipe), judged_from)
    model = train_validated(trainer, folder, resume=(folder / "state.pt").exists())
    return load_checkpoint(model, "scripted")


def test_the_best_model_is_kept(tmp_path: Path) -> None:
    model = _trained(tmp_path, [5, 3, 4, 2, 6], steps=5)
    assert model.tensors["steps"].item() == 4
    assert model.provenance["valid"] == {"step": 4, "height": 2}
    assert model.provenance["step"] == 5
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["valid_height"] for line in log] == [5, 3, 4, 2, 6]


def test_the_latest_is_the_model_where_nothing_is_held_out(tmp_path: Path) -> None:
    model = _trained(tmp_path, [], steps=3, patience=1)
    assert model.tensors["steps"].item() == 3
    assert model.provenance["valid"] == {}


def test_patience_ends_a_run_and_a_longer_one_goes_on(tmp_path: Path) -> None:
    costs = [5, 3, 4, 4, 2, 1]
    assert _trained(tmp_path, costs, steps=6, patience=2).tensors["steps"].item() == 2
    assert load_state(tmp_path)["step"] == 4
    assert _trained(tmp_path, costs, steps=6, patience=2).provenance["step"] == 4
    assert _trained(tmp_path, costs, steps=6, patience=3).tensors["steps"].item() == 6


def test_an_interrupted_run_judges_as_a_whole_one(tmp_path: Path) -> None:
    costs = [5, 3, 4, 4, 4, 2]
    _trained(tmp_path / "parts", costs, steps=3, patience=3)
    part, whole = (
        _trained(tmp_path / name, costs, steps=6, patience=3) for name in ("parts", "whole")
    )
    assert part.provenance == whole.provenance
    assert part.tensors["steps"].item() == whole.tensors["steps"].item() == 2


def test_what_comes_before_it_counts_is_forgotten_once_there_is_more(tmp_path: Path) -> None:
    early = _trained(tmp_path / "early", [2, 1, 3], 3, steps=3, patience=1)
    assert early.tensors["steps"].item() == 2
    late = _trained(tmp_path / "late", [2, 1, 3, 9, 8, 10], 3, steps=6, patience=1)
    assert late.tensors["steps"].item() == 5


def test_validation_is_every_so_often_and_in_the_end(tmp_path: Path) -> None:
    _trained(tmp_path, [1] * 5, steps=5, validate_every=2)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert ["valid_height" in line for line in log] == [False, True, False, True, True]


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="loss is not finite in step 7; begin anew with a lower"):
        _trained(tmp_path, [])


def test_only_length_and_patience_may_change(tmp_path: Path) -> None:
    _trained(tmp_path, [1] * 5, steps=2)
    with pytest.raises(ValueError, match="cannot resume: validate_every was 1, now 2"):
        _trained(tmp_path, [1] * 5, steps=2, validate_every=2)
