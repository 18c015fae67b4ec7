"""Melception: the published layout, the sizes in between, and the reference's outputs."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foleycli.models.melception import Melception, MelceptionConfig

TINY = MelceptionConfig(classes=3, scale=1 / 32)
LAYERS = {64: "Conv2d_2b_3x3", 192: "Conv2d_4a_3x3", 768: "Mixed_6e"}


def _parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _listened(network: Melception, names: Iterable[str], mel: torch.Tensor) -> dict[str, Any]:
    """Return what the layers of these names give, and under the empty name the network."""
    heard: dict[str, Any] = {}
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: heard.__setitem__(name, output)
        )
    heard[""] = network(mel)
    return heard


@pytest.fixture(scope="module")
def published(shared: Path) -> tuple[Melception, torch.Tensor]:
    """The network under filled weights, and the golden's input."""
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    filled = fill["fill_layout"](shared / "goldens/specvqgan/keys/melception.json")
    gain = np.float32(np.sqrt(2))
    network = Melception().eval()
    network.load_state_dict(
        {
            name.removeprefix("model."): torch.from_numpy(t * gain if t.ndim >= 2 else t)
            for name, t in filled.items()
        }
    )
    fine = fill["test_input"]("specvqgan/melception", [1, 80, 848])
    coarse = fill["test_input"]("specvqgan/melception/coarse", [1, 5, 53])
    coarse = coarse.repeat(16, axis=1).repeat(16, axis=2)
    mel = np.float32(3) * (np.float32(0.7) * coarse + np.float32(0.3) * fine)
    return network, torch.from_numpy(mel)[None]


def test_published_size():
    with torch.device("meta"):
        assert _parameters(Melception()) == 25_213_450
        assert _parameters(Melception(MelceptionConfig(auxiliary=False))) == 22_418_133


def test_layout_is_the_published_one(shared: Path):
    layout = json.loads((shared / "goldens/specvqgan/keys/melception.json").read_text())
    with torch.device("meta"):
        ours = {f"model.{n}": list(t.shape) for n, t in Melception().state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)


def test_outputs_match_the_reference(shared: Path, published: tuple[Melception, torch.Tensor]):
    network, mel = published
    golden = np.load(shared / "goldens/specvqgan/melception.npz")
    with torch.inference_mode():
        maps = _listened(network, LAYERS.values(), mel)
        logits, features = maps.pop("")
        ours = {f"feat{n}": maps[name].mean((2, 3)) for n, name in LAYERS.items()}
        ours |= {"feat2048": features, "logits": logits}
        ours["logits_unbiased"] = logits - network.head.bias
    assert set(ours) == set(golden)
    for name, found in ours.items():
        assert np.abs(found.numpy() - golden[name]).max() < 1e-5, name


def test_maps_have_the_published_sizes():
    sizes = {
        "Conv2d_1a_3x3": (39, 423),
        "Conv2d_2b_3x3": (37, 421),
        "Mixed_5d": (35, 419),
        "Mixed_6e": (17, 209),
        "Mixed_7c": (8, 104),
    }
    with torch.inference_mode():
        maps = _listened(Melception(TINY).eval(), sizes, torch.zeros(1, 1, 80, 848))
    assert {name: tuple(maps[name].shape[2:]) for name in sizes} == sizes


def test_dropout_is_off_when_listening_and_on_in_training():
    torch.manual_seed(0)
    network = Melception(TINY)
    mel = torch.randn(2, 1, 80, 90)
    assert not torch.equal(network(mel)[0], network(mel)[0])
    network.eval()
    logits, features = network(mel)
    assert torch.equal(logits, network.head(features))
    assert features.shape == (2, TINY.features)


def test_an_unused_head_changes_nothing_but_the_layout():
    torch.manual_seed(0)
    with_head = Melception(TINY).eval()
    without = Melception(MelceptionConfig(classes=3, scale=1 / 32, auxiliary=False)).eval()
    kept = {n: t for n, t in with_head.state_dict().items() if not n.startswith("AuxLogits.")}
    without.load_state_dict(kept)
    mel = torch.randn(1, 1, 80, 90)
    assert torch.equal(with_head(mel)[0], without(mel)[0])
