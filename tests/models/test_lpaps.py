"""LPAPS: the published layout and values, and the sound variants."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from foleycli.models.lpaps import PUBLISHED_LPAPS, Lpaps, LpapsConfig
from foleycli.models.vggishish import Vggishish, VggishishConfig

SMALL = VggishishConfig(classes=3, scale=1 / 16)
VARIANTS: tuple[Literal["none", "uniform"], ...] = ("none", "uniform")


def _pair(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.rand(2, 2, 1, 80, 64, generator=generator) * 2 - 1
    return one, other


def test_layout_and_values_are_the_references(shared: Path) -> None:
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    layout = json.loads((shared / "goldens/specvqgan/keys/lpaps.json").read_text())
    golden = np.load(shared / "goldens/specvqgan/lpaps.npz")
    network = Lpaps(PUBLISHED_LPAPS).eval()
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)
    assert sum(p.numel() for p in network.parameters()) == 14_715_008
    weights = {}
    for name, shape in layout.items():
        tensor = fill["fill_tensor"](name, shape)
        if tensor.ndim >= 2:
            tensor = tensor * np.float32(np.sqrt(2))
        if name.startswith("lin"):
            tensor = np.abs(tensor)
        if name.startswith("scaling_layer"):
            tensor = golden[name.rpartition(".")[2]].reshape(shape)
        weights[name] = torch.from_numpy(tensor)
    network.load_state_dict(weights)
    mels = []
    for name in ("specvqgan/lpaps/a", "specvqgan/lpaps/b"):
        coarse = fill["test_input"](f"{name}/coarse", [2, 1, 5, 53]).repeat(16, 2).repeat(16, 3)
        fine = fill["test_input"](name, [2, 1, 80, 848])
        mels.append(torch.from_numpy(np.float32(0.7) * coarse + np.float32(0.3) * fine))
    with torch.inference_mode():
        terms = network.terms(*mels)
        value = torch.stack(terms).sum(0)
    assert value.shape == (2, 1, 1, 1)
    assert np.abs(value.numpy() - golden["value"]).max() < 1e-4 * golden["value"].max()
    per_stage = torch.cat(terms, 1).flatten(1).numpy()
    assert np.abs(per_stage - golden["per_slice"]).max() < 1e-4 * golden["per_slice"].max()


@pytest.mark.parametrize("weights", VARIANTS)
def test_sound_variants_are_distances(weights: Literal["none", "uniform"]) -> None:
    torch.manual_seed(0)
    network = Lpaps(LpapsConfig(SMALL, weights))  # in training: nothing is dropped
    one, other = _pair()
    apart = network(one, other)
    assert apart.shape == (2, 1, 1, 1)
    assert (apart > 0).all()
    assert torch.equal(apart, network(one, other))
    torch.testing.assert_close(apart, network(other, one))
    assert not network(one, one).any()
    nearer = network(one, one + 0.1 * (other - one))
    assert (nearer < apart).all()


def test_uniform_weights_are_the_mean_over_channels() -> None:
    torch.manual_seed(0)
    plain = Lpaps(LpapsConfig(SMALL, "none"))
    uniform = Lpaps(LpapsConfig(SMALL, "uniform"))
    uniform.load_state_dict(plain.state_dict())
    terms = zip(plain.terms(*_pair()), uniform.terms(*_pair()), plain.net.widths, strict=True)
    for whole, mean, width in terms:
        torch.testing.assert_close(whole, width * mean)


def test_published_variant_drops_out_in_training_and_may_be_negative() -> None:
    torch.manual_seed(0)
    network = Lpaps(LpapsConfig(SMALL, "published"))
    one, other = _pair()
    assert not torch.equal(network(one, other), network(one, other))
    network.eval()
    assert torch.equal(network(one, other), network(one, other))
    for index in range(5):
        network.get_parameter(f"lin{index}.model.1.weight").fill_(-1)
    assert (network(one, other) < 0).all()


def test_gradients_stay_finite_where_features_vanish() -> None:
    torch.manual_seed(0)
    network = Lpaps(LpapsConfig(SMALL))
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
    silent = torch.zeros(1, 1, 80, 64, requires_grad=True)
    faint = (1e-20 * _pair()[0][:1]).requires_grad_()
    for mel in (silent, faint):
        network(mel, _pair()[1][:1]).sum().backward()
        assert mel.grad.isfinite().all()
        assert mel.grad.abs().max() < 1e3 * 80


def test_nothing_of_it_is_trained() -> None:
    assert not any(p.requires_grad for p in Lpaps(LpapsConfig(SMALL, "published")).parameters())


def test_features_are_those_of_the_classifier_it_was_given() -> None:
    torch.manual_seed(0)
    classifier = Vggishish(SMALL)
    network = Lpaps(LpapsConfig(SMALL))
    network.load_vggishish(classifier)
    means, deviations = np.linspace(0.2, 0.6, 80), np.linspace(0.1, 0.3, 80)
    network.scaling_layer.set_statistics(means.tolist(), deviations.tolist())
    unit = torch.rand(1, 1, 80, 64)
    rows = (unit - torch.tensor(means).view(-1, 1)) / torch.tensor(deviations).view(-1, 1)
    wanted = classifier.slices(rows.float())
    found = network.net(network.scaling_layer(2 * unit - 1))
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_unknown_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="choose none, uniform or published"):
        LpapsConfig(weights="signed")  # type: ignore[arg-type]
    config = LpapsConfig(SMALL, "uniform")
    assert LpapsConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config
