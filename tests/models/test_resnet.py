"""ResNet: the published layout, size and outputs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.resnet import RESNET18, RESNET50, ResNet, ResNetConfig
from foleycli.models.squeezenet import SqueezeNet


def _parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_sizes():
    with torch.device("meta"):
        assert _parameters(ResNet(ResNetConfig(classes=0))) == 23_508_032
        assert _parameters(ResNet(RESNET50)) == 25_557_032
        assert _parameters(ResNet(RESNET18)) == 11_689_512
        assert _parameters(SqueezeNet()) == 1_248_424


def test_layout_is_torchvisions(shared: Path):
    layout = json.loads((shared / "goldens/vision/keys/resnet50.json").read_text())
    with torch.device("meta"):
        ours = {name: list(t.shape) for name, t in ResNet(RESNET50).state_dict().items()}
    assert ours == layout


def test_outputs_match_the_reference(shared: Path):
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    golden = np.load(shared / "goldens/vision/resnet50.npz")
    network = ResNet(RESNET50).eval()
    state = fill["fill_layout"](shared / "goldens/vision/keys/resnet50.json")
    gain = np.float32(1.25)
    network.load_state_dict(
        {n: torch.from_numpy(t * gain if t.ndim >= 2 else t) for n, t in state.items()}
    )
    fine = fill["test_input"]("vision/resnet50", [2, 3, 224, 224])
    coarse = fill["test_input"]("vision/resnet50/coarse", [2, 3, 7, 7])
    coarse = coarse.repeat(32, axis=2).repeat(32, axis=3)
    with torch.inference_mode():
        pooled = network.embed(torch.from_numpy(np.float32(0.7) * coarse + np.float32(0.3) * fine))
        logits = network.fc(pooled)
    for ours, name in ((pooled, "pooled"), (logits, "logits")):
        error = np.abs(ours.numpy() - golden[name]).max() / np.abs(golden[name]).max()
        assert error < 1e-4, name


def test_a_narrow_network_is_a_configuration():
    config = ResNetConfig("basic", (1, 1, 1, 1), width=8, stem_pool=False, classes=0)
    network = ResNet(config).eval()
    assert network.embed(torch.zeros(2, 3, 48, 48)).shape == (2, config.features) == (2, 64)
    with pytest.raises(ValueError, match="no classes"):
        network(torch.zeros(1, 3, 48, 48))
