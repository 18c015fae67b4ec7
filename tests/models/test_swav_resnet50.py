"""SwAV's ResNet-50: the published layout and outputs, and what a published file wraps around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.resnet import ResNet
from foleycli.models.swav_resnet50 import SWAV_RESNET50, trunk_tensors

Fill = Callable[[dict[str, list[int]]], dict[str, torch.Tensor]]


def _wrapped(trunk: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As published: behind ``module.``, with the heads of SwAV's training."""
    heads = {
        "projection_head.0.weight": torch.zeros(2048, 2048),
        "projection_head.1.running_mean": torch.zeros(2048),
        "projection_head.3.bias": torch.zeros(128),
        "prototypes.weight": torch.zeros(3000, 128),
    }
    return {f"module.{name}": t for name, t in {**trunk, **heads}.items()}


def test_pooled_feature_is_the_references_whatever_is_wrapped_around(
    shared: Path, filled: Fill
) -> None:
    folder = shared / "goldens" / "sound2scene"
    layout = json.loads((folder / "keys" / "image_encoder_swav_resnet50.json").read_text())
    goldens = json.loads((folder / "sound2scene_goldens.json").read_text())["net_goldens"]
    golden = goldens["nets"]["image_encoder_swav_resnet50"]["pooled2048"]
    network = ResNet(SWAV_RESNET50).eval()
    ours = {name: list(t.shape) for name, t in network.state_dict().items()}
    assert ours | {"fc.weight": [1000, 2048], "fc.bias": [1000]} == layout
    network.load_state_dict(trunk_tensors(_wrapped(filled(layout))))
    images = np.random.RandomState(4).standard_normal((1, 3, 224, 224)).astype(np.float32)
    with torch.inference_mode():
        pooled = network.embed(torch.from_numpy(images))
    assert list(pooled.shape) == golden["shape"]
    found = pooled.flatten()[golden["flat_idx"]].numpy()
    assert np.abs(found - golden["values"]).max() < 1e-5 * golden["max"]
    summary = [pooled.mean().item(), pooled.min().item(), pooled.max().item()]
    assert summary == pytest.approx([golden[k] for k in ("mean", "min", "max")], rel=1e-5)


def test_a_file_without_wrapping_loads_too() -> None:
    bare = {"conv1.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}
    assert trunk_tensors(bare) == {"conv1.weight": bare["conv1.weight"]}


def test_what_does_not_belong_is_left_for_a_strict_load_to_name() -> None:
    network = ResNet(SWAV_RESNET50)
    published = {**_wrapped(network.state_dict()), "module.decoder.weight": torch.zeros(1)}
    with pytest.raises(RuntimeError, match=r"Unexpected key.*decoder\.weight"):
        network.load_state_dict(trunk_tensors(published))
