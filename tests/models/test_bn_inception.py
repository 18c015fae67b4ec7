"""BN-Inception: the published layouts and features, folding, and the flow network's weights."""

from __future__ import annotations

import copy
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.bn_inception import (
    FLOW_BN_INCEPTION,
    FLOW_MEANS,
    FRAME_MEANS,
    RGB_BN_INCEPTION,
    BNInception,
    BNInceptionConfig,
    flow_weights,
)

TINY = BNInceptionConfig(scale=1 / 32)


@pytest.mark.parametrize(
    ("kind", "layout", "config", "count"),
    [
        ("rgb", "bninception", RGB_BN_INCEPTION, 10_270_240),
        ("flow", "bninception_flow", FLOW_BN_INCEPTION, 10_267_104),
    ],
    ids=["rgb", "flow"],
)
def test_layout_and_features_are_the_references(
    shared: Path, kind: str, layout: str, config: BNInceptionConfig, count: int
) -> None:
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    shapes = json.loads((shared / f"goldens/specvqgan/keys/{layout}.json").read_text())
    network = BNInception(config).eval()
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert ours == shapes
    assert list(ours) == list(shapes)
    assert sum(p.numel() for p in network.parameters()) == count
    network.load_state_dict(
        {
            name: torch.from_numpy(np.asarray(fill["fill_tensor"](name, shape)))
            for name, shape in shapes.items()
        }
    )
    name, channels = f"specvqgan/bninception_{kind}", config.channels
    fine = fill["test_input"](name, [1, channels, 224, 224])
    coarse = fill["test_input"](f"{name}/coarse", [1, channels, 7, 7])
    coarse = coarse.repeat(32, axis=2).repeat(32, axis=3)
    picture = (np.float32(0.7) * coarse + np.float32(0.3) * fine + 1) * np.float32(127.5)
    means = FLOW_MEANS
    if kind == "rgb":
        picture, means = picture[:, ::-1].copy(), FRAME_MEANS
    images = torch.from_numpy(picture) - torch.tensor(means).view(1, -1, 1, 1)
    golden = np.load(shared / f"goldens/specvqgan/bninception_{kind}.npz")["features"]
    with torch.inference_mode():
        for built in (network, network.fold()):
            features = built(images)
            assert features.shape == (1, config.features) == (1, 1024)
            assert np.abs(features.numpy() - golden).max() < 1e-5 * golden.max()


def test_sizes_are_rounded_up() -> None:
    sizes = {}
    network = BNInception(TINY).eval()
    for name in ("conv1_7x7_s2", "conv2_3x3", "inception_3a_1x1", "inception_4a_1x1",
                 "inception_5a_1x1"):  # fmt: skip
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: sizes.__setitem__(name, output.shape[2])
        )
    with torch.inference_mode():
        network(torch.zeros(1, 3, 224, 224))
    assert list(sizes.values()) == [112, 56, 28, 14, 7]


def test_folding_keeps_the_features() -> None:
    torch.manual_seed(0)
    network = BNInception(TINY)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    network.eval()
    folded = copy.deepcopy(network).fold()
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        features = network(images)
        torch.testing.assert_close(folded(images), features, rtol=1e-4, atol=1e-5)
    assert features.std() > 0.01
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())


def test_flow_weights_show_grey_flow_what_frames_showed() -> None:
    torch.manual_seed(0)
    frames = BNInception(TINY).eval()
    flow = BNInception(BNInceptionConfig(channels=2, scale=TINY.scale)).eval()
    flow.load_state_dict(flow_weights(frames.state_dict()))
    grey = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        of_frames = frames.conv1_7x7_s2(grey.expand(-1, 3, -1, -1)) - frames.conv1_7x7_s2.bias.view(
            1, -1, 1, 1
        )
        of_flow = flow.conv1_7x7_s2(grey.expand(-1, 2, -1, -1)) - flow.conv1_7x7_s2.bias.view(
            1, -1, 1, 1
        )
    torch.testing.assert_close(of_flow, of_frames * 2 / 3, rtol=1e-4, atol=1e-5)
