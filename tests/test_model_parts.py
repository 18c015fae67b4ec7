"""Networks of a system that lie in several files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from foleycli.model_parts import ModelPart, filled, put_in

WEIGHTS = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


def _part(file: str, **tensors: torch.Tensor) -> ModelPart:
    return ModelPart({"width": 3}, {**WEIGHTS, **tensors}, Path(file))


def _build(part: ModelPart) -> nn.Linear:
    return filled(lambda: nn.Linear(part.config["width"], 2), part.tensors)


def test_a_network_has_the_tensors_of_its_part_in_memory_of_its_own() -> None:
    network = _part("a").built("layer", _build)
    assert torch.equal(network.weight, WEIGHTS["weight"])
    assert network.weight.data_ptr() != WEIGHTS["weight"].data_ptr()
    assert not network.training


@pytest.mark.parametrize(
    "part", [_part("a.pt", weight=torch.ones(2, 4)), ModelPart({}, WEIGHTS, Path("a.pt"))]
)
def test_what_does_not_fit_is_told_in_one_line_with_its_file(part: ModelPart) -> None:
    with pytest.raises(ValueError, match=r"^a\.pt: its layer does not fit the network \(.*\)$"):
        part.built("layer", _build)


def test_a_second_part_of_a_name_is_refused() -> None:
    parts = {"ear": _part("a")}
    with pytest.raises(ValueError, match="b: has a second ear, after a's"):
        put_in(parts, "ear", _part("b"))
    assert parts["ear"].path == Path("a")
