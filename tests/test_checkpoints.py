"""Checkpoints: what is written comes back, and what is not ours is refused unopened."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from foleycli.checkpoints import embedded_models, find_checkpoint, load_checkpoint, save_checkpoint

TENSORS = {"net.weight": torch.randn(3, 2), "net.steps": torch.tensor(7), "other": torch.ones(2)}


def test_round_trip_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, kind="demo", config={"width": 2}, tensors=TENSORS, provenance={"seed": 1})
    back = load_checkpoint(path, kind="demo")
    assert (back.config, back.provenance) == ({"width": 2}, {"seed": 1})
    assert all(torch.equal(back.tensors[n], t) for n, t in TENSORS.items())
    assert set(back.part("net")) == {"weight", "steps"}


def test_same_contents_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_checkpoint(tmp_path / f"{name}.safetensors", kind="demo", config={}, tensors=TENSORS)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_half_precision_is_stored_small_and_comes_back_single(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_checkpoint(
        path, kind="demo", config={}, tensors={"w": torch.full((1000,), 0.1)}, half=True
    )
    assert path.stat().st_size < 2400
    assert load_checkpoint(path).tensors["w"].dtype == torch.float32


def test_training_folder_stands_for_its_model(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model.safetensors", kind="demo", config={}, tensors=TENSORS)
    assert find_checkpoint(tmp_path) == tmp_path / "model.safetensors"


def test_shipped_models_are_found_by_name_and_are_small() -> None:
    names = embedded_models()
    draws_pictures = {"sound2scene", "s2i"}
    assert {"foleygan", "recognition", "timing", "sound2scene"} <= set(names)
    for kept in (draws_pictures & set(names), set(names) - draws_pictures):
        assert sum(find_checkpoint(name).stat().st_size for name in kept) <= 10_000_000
    for name in names:
        assert load_checkpoint(name).kind == name


def test_other_kinds_and_strangers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, kind="demo", config={}, tensors=TENSORS)
    with pytest.raises(ValueError, match="holds a 'demo' model where 'foleygan' is needed"):
        load_checkpoint(path, kind="foleygan")
    path.write_bytes(pickle.dumps({"evil": print}))
    with pytest.raises(ValueError, match="not a foley checkpoint"):
        load_checkpoint(path)
    with pytest.raises(ValueError, match="no such model; give a"):
        load_checkpoint("no-such-model")
