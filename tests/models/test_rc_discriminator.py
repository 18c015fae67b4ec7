"""The RC-score discriminator: published layouts and scores, and its last batch norm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from foleycli.models.audio_autoencoder import xavier_uniform
from foleycli.models.rc_discriminator import RCDiscriminator, RCDiscriminatorConfig

Fill = Callable[[dict[str, list[int]]], dict[str, torch.Tensor]]

MINI = RCDiscriminatorConfig(embedding=32, pixels=48, scale=1 / 12)


def _mini() -> RCDiscriminator:
    network = RCDiscriminator(MINI)
    xavier_uniform(network, torch.Generator().manual_seed(0))
    return network


def _pairs(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(count, 3, 48, 48, generator=generator) * 2 - 1
    return pictures, torch.randn(count, 32, generator=generator).tanh()


@pytest.mark.parametrize("embedding", [128, 256, 512, 1024, 2048])
def test_layout_is_the_published_one(shared: Path, embedding: int):
    path = shared / f"goldens/s2i/keys/discriminator_{embedding}.json"
    layout = json.loads(path.read_text())
    with torch.device("meta"):
        network = RCDiscriminator(RCDiscriminatorConfig(embedding))
    ours = {name: list(t.shape) for name, t in network.state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)


def test_published_parameter_count():
    with torch.device("meta"):
        assert sum(p.numel() for p in RCDiscriminator().parameters()) == 5_276_450


def test_scores_match_the_reference(shared: Path, filled: Fill):
    folder = shared / "goldens/s2i"
    network = RCDiscriminator().eval()
    layout = json.loads((folder / "keys/discriminator_512.json").read_text())
    network.load_state_dict(filled(layout))
    draw = np.random.RandomState(3).standard_normal((2, 3, 96, 96)).astype(np.float32)
    embedding = np.random.RandomState(2).standard_normal((2, 512)).astype(np.float32)
    with torch.inference_mode():
        found = network(torch.from_numpy(np.tanh(draw)), torch.from_numpy(np.tanh(embedding)))
    found = found.numpy()
    golden = json.loads((folder / "goldens.json").read_text())["nets"]["discriminator"]["score"]
    assert found.shape == (2,)
    assert np.abs(found[golden["flat_idx"]] - golden["values"]).max() < 1e-5


@pytest.mark.parametrize(
    ("pixels", "layers", "parameters"), [(48, 7, 111_050), (96, 13, 333_002)], ids=["48", "96"]
)
def test_a_small_network_keeps_the_first_layers_and_the_last_kernel(
    pixels: int, layers: int, parameters: int
):
    network = RCDiscriminator(RCDiscriminatorConfig(128, pixels, 0.25)).eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network.get_parameter(f"conv{layers}.weight").shape == (1, 64 + 32, 2, 2)
    assert len(network.state_dict()) == 6 * layers
    score = network(torch.zeros(1, 3, pixels, pixels), torch.zeros(1, 128))
    assert score.shape == (1,)


def test_scores_depend_on_picture_and_sound():
    network = _mini().eval()
    pictures, embeddings = _pairs(2)
    with torch.no_grad():
        scores = network(pictures, embeddings)
        assert torch.equal(network(pictures, embeddings), scores)
        assert (network(pictures.flip(0), embeddings) - scores).abs().min() > 1e-4
        assert (network(pictures, embeddings.flip(0)) - scores).abs().min() > 1e-4
    assert scores.abs().max() < 1


@pytest.mark.parametrize(("training", "least", "most"), [(True, 0, 1e-5), (False, 1e-2, 10)])
def test_training_mode_hides_what_the_scores_of_a_batch_have_in_common(
    training: bool, least: float, most: float
):
    network = _mini().train(training)
    shift = torch.zeros(1, requires_grad=True)
    network.get_submodule("conv7").register_forward_hook(lambda _module, _inputs, x: x + shift)
    scores = network(*_pairs(8))
    (1 - scores).square().mean().backward()
    assert shift.grad is not None
    assert least <= abs(float(shift.grad)) <= most


def test_half_of_the_channels_are_dropped_after_every_inner_layer(monkeypatch: pytest.MonkeyPatch):
    drops = []
    monkeypatch.setattr(F, "dropout2d", lambda x, p, _training: drops.append(p) or x)
    _mini().eval()(*_pairs(1))
    assert drops == [0.5] * 6


def test_dropout_is_on_in_training_alone():
    network = _mini()
    pairs = _pairs(4)
    with torch.no_grad():
        assert not torch.equal(network(*pairs), network(*pairs))
        network.eval()
        assert torch.equal(network(*pairs), network(*pairs))


def test_what_does_not_fit_is_refused():
    network = _mini().eval()
    pictures, embeddings = _pairs(1)
    with pytest.raises(ValueError, match="need pictures of 3 x 48 x 48"):
        network(torch.zeros(1, 3, 96, 96), embeddings)
    with pytest.raises(ValueError, match="need embeddings of 32 numbers"):
        network(pictures, torch.zeros(1, 33))
    with pytest.raises(ValueError, match="give a multiple of 4"):
        RCDiscriminatorConfig(embedding=130)
    with pytest.raises(ValueError, match=r"choose one of \[48, 96\]"):
        RCDiscriminatorConfig(pixels=64)
