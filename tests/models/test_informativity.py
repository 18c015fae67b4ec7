"""The informativity classifier: the published layout and the reference's outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.informativity import INFORMATIVE, Informativity

Fill = Callable[[dict[str, list[int]]], dict[str, torch.Tensor]]


def test_layout_and_outputs_are_the_references(shared: Path, filled: Fill):
    layout = json.loads((shared / "goldens/s2i/keys/informativity.json").read_text())
    network = Informativity().eval()
    ours = {name: list(t.shape) for name, t in network.state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)
    assert sum(p.numel() for p in network.parameters()) == 34_730
    network.load_state_dict(filled(layout))
    draw = np.random.RandomState(3).standard_normal((2, 3, 96, 96)).astype(np.float32)
    with torch.inference_mode():
        found = network(torch.from_numpy(np.tanh(draw))).flatten().numpy()
    nets = json.loads((shared / "goldens/s2i/goldens.json").read_text())["nets"]
    golden = nets["informativity"]["log_probs"]
    assert np.abs(found[golden["flat_idx"]] - golden["values"]).max() < 1e-6


def test_outputs_are_log_probabilities():
    torch.manual_seed(0)
    pictures = torch.rand(4, 3, 96, 96) * 2 - 1
    found = Informativity().eval()(pictures)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(4))
    assert found.shape[1] > INFORMATIVE


def test_pictures_of_another_size_are_refused():
    with pytest.raises(ValueError, match="need pictures of 3 x 96 x 96"):
        Informativity().eval()(torch.zeros(1, 3, 64, 64))
