"""The dense generator: the published layouts, the reference's outputs, and what chance decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from foleycli.models.audio_autoencoder import xavier_uniform
from foleycli.models.dense_generator import DenseGenerator, DenseGeneratorConfig

Fill = Callable[[dict[str, list[int]]], dict[str, torch.Tensor]]

MINI = DenseGeneratorConfig(embedding=32, pixels=48, scale=1 / 16)
PUBLISHED = {
    128: 37_857_705,
    256: 38_119_849,
    512: 38_644_137,
    1024: 39_692_713,
    2048: 41_789_865,
}


def _mini(config: DenseGeneratorConfig = MINI) -> DenseGenerator:
    """Return a network in evaluation mode that has seen one batch."""
    network = DenseGenerator(config)
    xavier_uniform(network, torch.Generator().manual_seed(0))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(_embeddings(8), network.draw(8, torch.Generator().manual_seed(0)))
    return network.eval()


def _embeddings(count: int) -> torch.Tensor:
    return torch.randn(count, 32, generator=torch.Generator().manual_seed(1)).tanh()


def _seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("embedding", PUBLISHED)
def test_layout_is_the_published_one(shared: Path, embedding: int):
    path = shared / f"goldens/s2i/keys/generator_dense_{embedding}.json"
    layout = json.loads(path.read_text())
    with torch.device("meta"):
        network = DenseGenerator(DenseGeneratorConfig(embedding))
    ours = {name: list(t.shape) for name, t in network.state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)


@pytest.mark.parametrize(("embedding", "parameters"), PUBLISHED.items())
def test_published_parameter_counts(embedding: int, parameters: int):
    with torch.device("meta"):
        network = DenseGenerator(DenseGeneratorConfig(embedding))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_outputs_match_the_reference(shared: Path, filled: Fill):
    folder = shared / "goldens/s2i"
    network = DenseGenerator().eval()
    layout = json.loads((folder / "keys/generator_dense_512.json").read_text())
    network.load_state_dict(filled(layout))
    draw = np.random.RandomState(2).standard_normal((2, 512)).astype(np.float32)
    found = network.generate(torch.from_numpy(np.tanh(draw))).numpy()
    golden = json.loads((folder / "goldens.json").read_text())["nets"]["generator_dense"]["image"]
    assert list(found.shape) == golden["shape"]
    assert np.abs(found.flatten()[golden["flat_idx"]] - golden["values"]).max() < 1e-5
    assert abs(found.std() - golden["std"]) < 1e-5


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (DenseGeneratorConfig(128, pixels=48, scale=0.25), 2_378_433),
        (DenseGeneratorConfig(128, scale=0.25), 2_442_057),
    ],
    ids=["48", "96"],
)
def test_a_small_network_has_the_first_layers(config: DenseGeneratorConfig, parameters: int):
    network = DenseGenerator(config).eval()
    with torch.device("meta"):
        whole = list(DenseGenerator().state_dict())
    assert list(network.state_dict()) == whole[: len(network.state_dict())]
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network.generate(torch.zeros(1, 128)).shape == (1, 3, config.pixels, config.pixels)


def test_a_picture_depends_on_its_seed_and_not_on_its_batch():
    network = _mini()
    embeddings = _embeddings(3)
    together = network.generate(embeddings, _seeded(5, 6, 7))
    torch.manual_seed(99)  # torch's own generator has no say
    assert torch.equal(network.generate(embeddings[2:], _seeded(7)), together[2:])
    same_sound = network.generate(embeddings[:1].expand(2, -1), _seeded(5, 6))
    assert torch.equal(same_sound[:1], together[:1])
    assert (same_sound[0] - same_sound[1]).abs().max() > 0.1


def test_without_generators_the_picture_is_the_one_without_dropout():
    network = _mini()
    embeddings = _embeddings(2)
    assert torch.equal(network.generate(embeddings), network.generate(embeddings))
    kept = torch.ones(2, MINI.draw_width)
    with torch.no_grad():
        torch.testing.assert_close(network.generate(embeddings), network(embeddings, kept))


def test_draws_are_dropout_masks_with_the_published_probabilities():
    network = DenseGenerator()
    draws = network.draw(400, torch.Generator().manual_seed(0))
    widths = [width for width, _ in network.config.dropped]
    assert widths == [512, 512, 352, 224, 160, 112]
    shares = (0.15, 0.13, 0.11, 0.09, 0.07, 0.05)
    for mask, share in zip(draws.split(widths, 1), shares, strict=True):
        found = (mask == 0).float().mean()
        assert abs(float(found) - share) < 0.007
        torch.testing.assert_close(mask.max(), torch.tensor(1 / (1 - share)))
        assert len(mask.unique()) == 2


def test_a_draw_is_what_dropout_of_channels_does():
    network = _mini()
    embeddings = _embeddings(1)
    draw = network.draw(1, torch.Generator().manual_seed(3))
    masks = iter(draw.split([width for width, _ in MINI.dropped], 1))
    hooks = [
        network.get_submodule(f"transition{i}_bn").register_forward_hook(
            lambda _module, _inputs, x: x.relu() * next(masks)[0, :, None, None]
        )
        for i in range(len(MINI.dropped))
    ]
    with torch.no_grad():
        hooked = network(embeddings)
        for hook in hooks:
            hook.remove()
        torch.testing.assert_close(network(embeddings, draw), hooked)


def test_training_draws_anew_and_reaches_every_layer():
    network = _mini().train()
    embeddings = _embeddings(2)
    with torch.no_grad():
        assert not torch.equal(network(embeddings), network(embeddings))
    network(embeddings).square().mean().backward()
    # A bias before a batch norm has no effect.
    weights = [p for n, p in network.named_parameters() if n.endswith("weight")]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)


def test_noise_comes_before_the_embedding():
    config = DenseGeneratorConfig(embedding=32, pixels=48, scale=1 / 16, noise_ratio=0.5)
    network = _mini(config)
    assert network.get_parameter("transition0.weight").shape[0] == 48
    draws = network.draw(500, torch.Generator().manual_seed(0))
    noise = draws[:, :16]
    assert abs(float(noise.std()) - 0.035) < 0.001
    assert torch.equal(network.draw(500, torch.Generator().manual_seed(0)), draws)
    nn.init.zeros_(network.get_parameter("transition0.weight")[:16])
    masks = draws[:1, 16:].expand(2, -1)
    with torch.no_grad():
        deaf = network(_embeddings(1).expand(2, -1), torch.cat([noise[:2], masks], 1))
    torch.testing.assert_close(deaf[0], deaf[1])


def test_what_does_not_fit_is_refused():
    network = _mini()
    with pytest.raises(ValueError, match="need embeddings of 32 numbers"):
        network.generate(torch.zeros(1, 64))
    with pytest.raises(ValueError, match="need draws of 1 x"):
        network(torch.zeros(1, 32), torch.ones(2, MINI.draw_width))
    with pytest.raises(ValueError, match="2 embeddings need as many generators"):
        network.generate(_embeddings(2), _seeded(1))
    with pytest.raises(ValueError, match=r"call eval\(\) first"):
        network.train().generate(_embeddings(1))
    with pytest.raises(ValueError, match=r"choose one of \[48, 96\]"):
        DenseGeneratorConfig(pixels=64)
    with pytest.raises(ValueError, match="give 0 or more"):
        DenseGeneratorConfig(noise_ratio=-1)
