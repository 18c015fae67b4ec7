"""VGGish-ish: the published layout and the reference's outputs at every stage."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.vggishish import Vggishish, VggishishConfig

TINY = VggishishConfig(classes=3, scale=1 / 32)


def test_published_size_and_layout(shared: Path):
    layout = json.loads((shared / "goldens/specvqgan/keys/vggishish16.json").read_text())
    with torch.device("meta"):
        network = Vggishish()
    assert sum(p.numel() for p in network.parameters()) == 137_622_517
    ours = {f"model.{name}": list(t.shape) for name, t in network.state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)


@pytest.mark.slow
def test_outputs_match_the_reference(shared: Path):
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    layout = json.loads((shared / "goldens/specvqgan/keys/vggishish16.json").read_text())
    gain = np.float32(np.sqrt(2))
    network = Vggishish().eval()
    with torch.no_grad():  # one tensor at a time: there are 0.5 GB of them
        for name, tensor in network.state_dict().items():
            filled = fill["fill_tensor"](f"model.{name}", layout[f"model.{name}"])
            tensor.copy_(torch.from_numpy(filled * gain if filled.ndim >= 2 else filled))
    fine = fill["test_input"]("specvqgan/vggishish16", [1, 80, 848])
    coarse = fill["test_input"]("specvqgan/vggishish16/coarse", [1, 5, 53])
    coarse = coarse.repeat(16, axis=1).repeat(16, axis=2)
    mel = torch.from_numpy(np.float32(0.7) * coarse + np.float32(0.3) * fine)[None]
    golden = np.load(shared / "goldens/specvqgan/vggishish16.npz")
    with torch.inference_mode():
        slices = network.slices(mel)
        logits, _ = network(mel)
    for number, found in enumerate(slices, 1):
        values = found.flatten().numpy()
        wanted = golden[f"slice{number}"]
        assert np.abs(values[golden[f"slice{number}_flat_index"]] - wanted).max() < 1e-4
        moments = [values.mean(dtype=np.float64), values.std(dtype=np.float64)]
        assert np.abs(moments - golden[f"slice{number}_mean_std"]).max() < 1e-5
    assert np.abs(logits.numpy() - golden["logits"]).max() < 1e-4


def test_stages_halve_and_are_not_pooled_at_the_end():
    network = Vggishish(TINY).eval()
    with torch.inference_mode():
        sizes = [tuple(found.shape[2:]) for found in network.slices(torch.zeros(1, 1, 80, 848))]
    assert sizes == [(80, 848), (40, 424), (20, 212), (10, 106), (5, 53)]


def test_logits_are_the_head_of_the_features_at_any_length():
    torch.manual_seed(0)
    network = Vggishish(TINY)  # no dropout: the same in training
    for frames in (160, 848, 860):
        logits, features = network(torch.randn(2, 1, 80, frames))
        assert features.shape == (2, TINY.features)
        assert torch.equal(logits, network.head(features))
        assert features.min() >= 0
