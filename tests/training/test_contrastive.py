"""Contrastive losses: the reference's values, their bounds, and gradients where vectors meet."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from foleycli.training.contrastive import (
    absolute_difference,
    infonce_of_cosine,
    infonce_of_distance,
    order_of_levels,
    squared_difference,
    unit,
)

INFONCE = [infonce_of_distance, infonce_of_cosine]


def _pair(batch: int) -> tuple[Tensor, Tensor]:
    """The goldens' arrays."""
    draw = np.random.RandomState(batch)
    audio = np.maximum(draw.randn(batch, 2048), 0)
    image = np.abs(draw.randn(batch, 2048)) * 0.3 + audio * 0.5
    return torch.from_numpy(audio), torch.from_numpy(image)


@pytest.mark.parametrize("batch", [4, 8, 64])
def test_values_are_the_references(shared: Path, batch: int) -> None:
    path = shared / "goldens" / "sound2scene" / "sound2scene_goldens.json"
    golden = json.loads(path.read_text())["infonce"][str(batch)]
    audio, image = _pair(batch)
    for loss, name in ((infonce_of_distance, "l2"), (infonce_of_cosine, "cos_scale1")):
        expected = golden[f"infonce_{name}"]
        assert loss(audio, image).item() == pytest.approx(expected, rel=1e-12)
        assert loss(audio.float(), image.float()).item() == pytest.approx(expected, rel=1e-6)


def test_distance_loss_lies_between_its_bounds_for_features_over_zero() -> None:
    own = torch.eye(64)
    best = math.log(1 + 63 * math.exp(-math.sqrt(2)))
    assert best == pytest.approx(2.79, abs=0.005)
    assert infonce_of_distance(own, own).item() == pytest.approx(best, rel=1e-6)
    same = torch.ones(64, 64)
    assert infonce_of_distance(same, same).item() == pytest.approx(math.log(64), rel=1e-6)


def test_distances_of_nearly_equal_vectors_are_exact() -> None:
    audio, _ = _pair(64)
    value = infonce_of_distance(audio, audio).item()
    single = audio.float()
    assert infonce_of_distance(single, single).item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("loss", INFONCE)
def test_both_directions_count_alike_and_lengths_do_not_count(loss) -> None:
    audio, image = _pair(8)
    image[3] = image[0]  # now one direction has the harder problem
    value = loss(audio, image)
    torch.testing.assert_close(loss(image, audio), value)
    lengths = torch.arange(1.0, 9.0, dtype=torch.float64)[:, None]
    torch.testing.assert_close(loss(audio * lengths, image / lengths), value)
    assert loss(audio, image.roll(1, 0)) > value


@pytest.mark.parametrize("loss", INFONCE)
def test_silent_and_equal_features_have_gradients_that_are_numbers(loss) -> None:
    audio, image = (t.float() for t in _pair(4))
    audio[0] = 0
    audio[1] = image[1]
    audio.requires_grad_()
    loss(torch.relu(audio), image).backward()
    assert audio.grad.isfinite().all()
    assert audio.grad[0].abs().max() == 0
    assert audio.grad[2].abs().max() > 0


def test_descending_brings_pairs_together() -> None:
    torch.manual_seed(0)
    audio, image = torch.rand(8, 16, requires_grad=True), torch.rand(8, 16)
    optimizer = torch.optim.SGD([audio], lr=10)
    before = infonce_of_distance(audio, image).item()
    for _ in range(50):
        optimizer.zero_grad()
        infonce_of_distance(audio, image).backward()
        optimizer.step()
    assert infonce_of_distance(audio, image).item() < before - 0.1
    nearest = torch.cdist(unit(image), unit(audio)).argmin(1)
    assert nearest.tolist() == list(range(8))


def test_plain_differences_are_of_features_as_they_come() -> None:
    audio, image = torch.tensor([[0.0, 3.0]]), torch.tensor([[1.0, 1.0]])
    assert squared_difference(audio, image).item() == 2.5
    assert absolute_difference(audio, image).item() == 1.5


def test_levels_in_order_cost_nothing_and_others_what_they_lack() -> None:
    line = torch.linspace(0, 1, 4)[:, None] * torch.tensor([[3.0, 4.0]])  # 5/3 apart
    ends, near, far = line[:1], line[1:2], line[2:3]
    assert order_of_levels(ends, near, line[3:], margin=0.1).item() == 0
    # 5/3 between the outer two, and 5/3 and 10/3 to what should lie between them
    assert order_of_levels(ends, far, near, margin=0.1).item() == pytest.approx(5 / 3 + 0.1 + 0.1)
    same = torch.ones(2, 2, requires_grad=True)
    loss = order_of_levels(same, same, same, margin=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(0.2)
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()
