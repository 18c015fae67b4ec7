"""Linear layers of a few rows: what they compute, and that rows do not touch one another."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from foleycli.models.packed_linear import Int8Linear, PackedLinear

SIZES = [(48, 64), (309, 96), (1024, 1024)]


def _layer(outputs: int, inputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(outputs, inputs) / inputs**0.5, torch.randn(outputs)


@pytest.mark.parametrize(("outputs", "inputs"), SIZES)
def test_packed_is_the_plain_layer(outputs: int, inputs: int):
    weight, bias = _layer(outputs, inputs)
    x = torch.randn(2, 7, inputs)
    assert torch.allclose(PackedLinear(weight, bias)(x), F.linear(x, weight, bias), atol=1e-5)
    assert torch.allclose(PackedLinear(weight)(x), F.linear(x, weight), atol=1e-5)


@pytest.mark.parametrize("kind", [PackedLinear, Int8Linear])
@pytest.mark.parametrize(("outputs", "inputs"), SIZES)
def test_a_row_has_the_same_bits_whatever_is_beside_it(
    kind: type[PackedLinear] | type[Int8Linear], outputs: int, inputs: int
):
    layer = kind(*_layer(outputs, inputs))
    x = torch.randn(12, inputs)
    together = layer(x)
    for rows in (1, 2, 3, 4, 5, 8):
        assert torch.equal(layer(x[2 : 2 + rows]), together[2 : 2 + rows]), rows


def test_int8_rounds_weights_by_output_and_inputs_by_row():
    weight, bias = _layer(40, 64)
    weight[3] *= 50  # has a scale of its own
    x = torch.randn(6, 64)
    x[2] *= 100
    layer = Int8Linear(weight, bias)
    steps = weight.abs().amax(1) / 127, x.abs().amax(1) / layer.reach
    wholes = (weight / steps[0][:, None]).round(), (x / steps[1][:, None]).round()
    wanted = steps[1][:, None] * (wholes[1] @ wholes[0].T) * steps[0] + bias
    assert torch.allclose(layer(x), wanted, rtol=1e-5, atol=1e-5)
    exact = F.linear(x, weight, bias)
    error = (layer(x) - exact).norm(dim=1) / exact.norm(dim=1)
    assert 1e-4 < error.max() < 0.02


def test_rows_and_outputs_of_zeros_stay_finite():
    weight, bias = _layer(16, 32)
    weight[5] = 0
    layer = Int8Linear(weight, bias)
    assert torch.equal(layer(torch.zeros(2, 32)), bias.expand(2, -1))
    assert torch.equal(layer(torch.randn(3, 32))[:, 5], bias[5].expand(3))


def test_int8_sums_are_exact_at_the_largest_values():
    """Without VNNI products are added in pairs as 16 bits; inputs are then kept smaller."""
    layer = Int8Linear(torch.full((16, 64), 2.0))
    assert layer.reach in (127, 63)
    assert torch.allclose(layer(torch.full((2, 64), 3.0)), torch.tensor(64 * 2 * 3.0), rtol=1e-6)


def test_int8_leaves_the_quantised_engine_of_others_alone():
    before = torch.backends.quantized.engine
    Int8Linear(*_layer(16, 32))
    assert torch.backends.quantized.engine == before
