"""The audio autoencoder: the published layouts, the reference's outputs, and smaller sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from foleycli.models.audio_autoencoder import (
    AudioAutoencoder,
    AutoencoderConfig,
    scaled_width,
    xavier_uniform,
)

Fill = Callable[[dict[str, list[int]]], dict[str, torch.Tensor]]

MINI = AutoencoderConfig(embedding=32, scale=1 / 16)
PUBLISHED = {
    128: 29_875_635,
    256: 31_055_667,
    512: 33_415_731,
    1024: 38_135_859,
    2048: 47_576_115,
}


def _mini(seed: int = 0) -> AudioAutoencoder:
    network = AudioAutoencoder(MINI)
    xavier_uniform(network, torch.Generator().manual_seed(seed))
    return network


def _segments(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 128, 100, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("embedding", PUBLISHED)
def test_layout_is_the_published_one(shared: Path, embedding: int):
    path = shared / f"goldens/s2i/keys/audio_autoencoder_{embedding}.json"
    layout = json.loads(path.read_text())
    with torch.device("meta"):
        network = AudioAutoencoder(AutoencoderConfig(embedding))
    ours = {name: list(t.shape) for name, t in network.state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)


@pytest.mark.parametrize(("embedding", "parameters"), PUBLISHED.items())
def test_published_parameter_counts(embedding: int, parameters: int):
    with torch.device("meta"):
        network = AudioAutoencoder(AutoencoderConfig(embedding))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_outputs_match_the_reference(shared: Path, filled: Fill):
    folder = shared / "goldens/s2i"
    network = AudioAutoencoder().eval()
    layout = json.loads((folder / "keys/audio_autoencoder_512.json").read_text())
    network.load_state_dict(filled(layout))
    draw = np.random.RandomState(1).standard_normal((2, 1, 128, 100)).astype(np.float32)
    with torch.inference_mode():
        reconstruction, embedding = network(torch.from_numpy(np.tanh(draw)))
    goldens = json.loads((folder / "goldens.json").read_text())["nets"]["audio_autoencoder"]
    for name, output in (("reconstruction", reconstruction), ("embedding", embedding)):
        golden, found = goldens[name], output.numpy()
        assert list(found.shape) == golden["shape"]
        assert np.abs(found.flatten()[golden["flat_idx"]] - golden["values"]).max() < 1e-5, name
        assert abs(found.std() - golden["std"]) < 1e-5, name


def test_the_reconstruction_is_the_embedding_decoded():
    network = _mini().eval()
    segments = _segments(2)
    with torch.no_grad():
        reconstruction, embedding = network(segments)
        assert torch.equal(embedding, network.encode(segments))
        assert torch.equal(reconstruction, network.decode(embedding))
    assert embedding.shape == (2, 32)
    assert reconstruction.shape == segments.shape


def test_dropout_is_in_the_decoder_alone_and_in_training_alone():
    network = _mini()
    segments = _segments(2)
    with torch.no_grad():
        network(segments)  # moves the running statistics once
        embedding = network.encode(segments)
        assert torch.equal(network.encode(segments), embedding)
        assert not torch.equal(network.decode(embedding), network.decode(embedding))
        network.eval()
        assert torch.equal(network.decode(embedding), network.decode(embedding))


def test_dropout_falls_along_the_decoder_as_published(monkeypatch: pytest.MonkeyPatch):
    drops = []
    monkeypatch.setattr(F, "dropout2d", lambda x, p, _training: drops.append(p) or x)
    _mini().eval()(_segments(1))
    assert drops == [0.15, 0.14, 0.13, 0.12, 0.11, 0.1, 0.1, 0.09, 0.08, 0.07, 0.06, 0.05]


def test_a_narrow_network_has_the_same_layers():
    with torch.device("meta"):
        wide, narrow = AudioAutoencoder(), AudioAutoencoder(AutoencoderConfig(128, 0.25))
    assert list(narrow.state_dict()) == list(wide.state_dict())
    assert sum(p.numel() for p in narrow.parameters()) == 2_094_851
    inner = narrow.config.widths[1:-1]
    assert all(width % 8 == 0 for width in inner)
    assert inner[-1] == 128


@pytest.mark.parametrize(
    ("channels", "scale", "width"), [(176, 1, 176), (3, 1, 8), (416, 0.5, 208)]
)
def test_widths_are_multiples_of_eight(channels: int, scale: float, width: int):
    assert scaled_width(channels, scale) == width


def test_xavier_depends_on_the_seed_alone_and_has_its_variance():
    first, again, other = _mini(0), _mini(0), _mini(1)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert not torch.equal(first.get_parameter("conv1.weight"), other.get_parameter("conv1.weight"))
    conv = nn.ConvTranspose2d(64, 32, 3)
    xavier_uniform(conv, torch.Generator().manual_seed(0))
    bound = (6 / ((64 + 32) * 9)) ** 0.5
    assert 0.99 * bound < conv.weight.abs().max() <= bound
    assert conv.bias is not None
    assert conv.bias.abs().max() == 0


def test_a_few_steps_of_the_papers_optimiser_lower_the_loss():
    network = _mini()
    tilted = torch.linspace(-1, 1, 128)[None, None, :, None].expand(4, -1, -1, 100)
    segments = tilted * torch.tensor([1, -1, 0.5, -0.5])[:, None, None, None]
    torch.manual_seed(0)  # of the dropout
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(8):
        loss = (network(segments)[0] - segments).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_other_shapes_are_refused():
    network = _mini().eval()
    with pytest.raises(ValueError, match="need segments of 1 x 128 x 100"):
        network(torch.zeros(1, 1, 128, 99))
    with pytest.raises(ValueError, match="need embeddings of 32 numbers"):
        network.decode(torch.zeros(1, 31))
