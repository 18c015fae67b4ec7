"""The code sampler's network: the published layouts, counts and outputs; what it sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foleycli.models.code_transformer import (
    MINI,
    PAPER,
    CodeTransformer,
    CodeTransformerConfig,
    Condition,
)

TINY = CodeTransformerConfig(
    codes=11, rows=2, columns=4, features=3, feature_depth=6, classes=5, layers=2, heads=2, width=16
)
CLASS = replace(PAPER, condition="class", features=0, feature_depth=0)
BOTH = replace(PAPER, condition="features+class", features=212)
PLAIN = replace(PAPER, classes=0)
LAYOUTS = {
    "transformer_vggsound_1feats": replace(PLAIN, features=1),
    "transformer_vggsound_5feats": PLAIN,
    "transformer_vggsound_212feats": replace(PLAIN, features=212),
    "transformer_vas_1feats": replace(PLAIN, features=1, codes=128),
    "transformer_vas_5feats": replace(PLAIN, codes=128),
    "transformer_vas_212feats": replace(PLAIN, features=212, codes=128),
    "gptclass_vggsound": CLASS,
    "gptclass_vas": replace(CLASS, codes=128, classes=8),
    "gptfeatsclass_vggsound": BOTH,
    "gptfeatsclass_vas": replace(BOTH, codes=128, classes=8),
}
CONDITIONS: list[Condition] = ["features", "class", "features+class", "noise", "coordinates"]


def lively(config: CodeTransformerConfig) -> CodeTransformer:
    """Build a network whose logits differ, as a trained one's do."""
    torch.manual_seed(0)
    network = CodeTransformer(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            embeds = name in ("pos_emb", "tok_emb.weight")
            std = 1.0 if embeds else 2 / parameter[0].numel() ** 0.5
            torch.nn.init.normal_(parameter, std=std)
    return network


def given(config: CodeTransformerConfig, samples: int) -> dict[str, torch.Tensor]:
    """Draw what the condition needs."""
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(samples, config.feature_depth, config.features, generator=draw)
    labels = torch.randint(0, max(config.classes, 1), (samples,), generator=draw)
    needed = {"features": config.has_features, "labels": config.has_class}
    return {
        name: value for name, value in (("features", features), ("labels", labels)) if needed[name]
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_the_published_one(shared: Path, name: str):
    layout = json.loads((shared / f"goldens/specvqgan/keys/{name}.json").read_text())
    published = {
        key.removeprefix("transformer."): shape
        for key, shape in layout.items()
        if key.startswith("transformer.") and not key.endswith(".attn.mask")
    }
    with torch.device("meta"):
        network = CodeTransformer(LAYOUTS[name])
    assert {key: list(t.shape) for key, t in network.state_dict().items()} == published
    assert network.pos_emb.shape[1] == layout["transformer.blocks.0.attn.mask"][2]


@pytest.mark.parametrize("name", LAYOUTS)
def test_size_follows_from_published_shapes(name: str):
    with torch.device("meta"):
        shapes = {n: tuple(t.shape) for n, t in CodeTransformer(LAYOUTS[name]).state_dict().items()}
    assert CodeTransformerConfig.from_published(shapes) == LAYOUTS[name]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("transformer_vggsound_212feats", 306_995_200),
        ("gptclass_vggsound", 304_997_376),
        ("gptclass_vas", 302_854_144),
    ],
)
def test_published_number_of_parameters(name: str, parameters: int):
    with torch.device("meta"):
        network = CodeTransformer(LAYOUTS[name])
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_logit_sees_the_codes_before_it_and_the_condition_alone(condition: Condition):
    config = replace(TINY, condition=condition)
    network, known = lively(config), given(config, 2)
    codes = torch.randint(0, 11, (2, 7))
    logits = network(codes, **known)
    assert logits.shape == (2, 8, 11)
    other = codes.clone()
    other[:, 4] = (other[:, 4] + 1) % 11
    changed = (network(other, **known) - logits).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.tolist() == [False] * 5 + [True] * 3
    shorter = network(codes[:, :3], **known)
    assert torch.allclose(shorter, logits[:, :4], atol=1e-5)
    for name, value in known.items():
        moved = value + 1 if name == "features" else (value + 1) % 5
        answer = network(codes, **{**known, name: moved})
        assert ((answer - logits).abs().amax(2) > 1e-6).all(), name


def test_condition_is_causal_too():
    network = lively(replace(TINY, condition="features+class"))
    known = given(network.config, 1)
    shares = network.last_attention(torch.randint(0, 11, (1, 7)), **known)
    assert shares.shape == (1, 2, 4 + 7, 4 + 7)
    assert (shares.triu(1) == 0).all()
    assert torch.allclose(shares.sum(3), torch.ones(1, 2, 11))


def test_attention_is_what_the_last_layer_uses():
    network = lively(TINY)
    last, seen = network.blocks[-1].attn, {}
    last.register_forward_hook(lambda _m, inputs, output: seen.update(x=inputs[0], y=output))
    codes, known = torch.randint(0, 11, (2, 5)), given(TINY, 2)
    network(codes, **known)
    value = last.value(seen["x"]).unflatten(2, (2, -1)).transpose(1, 2)
    mixed = (network.last_attention(codes, **known) @ value).transpose(1, 2).flatten(2)
    assert torch.allclose(last.proj(mixed), seen["y"], atol=1e-5)


def test_coordinates_are_codes_that_grow_with_time():
    network = lively(replace(TINY, condition="coordinates", codes=16))
    found = network.embed_condition() - network.pos_emb[:, :8]
    wanted = network.tok_emb(torch.tensor([0, 0, 4, 4, 8, 8, 12, 12]))
    assert torch.allclose(found[0], wanted, atol=1e-6)


def test_starts_uniform_and_trains():
    torch.manual_seed(0)
    config = replace(TINY, condition="class", width=32)
    network = CodeTransformer(config)
    assert (network.pos_emb == 0).all()
    assert 0.015 < network.blocks[0].mlp[0].weight.std() < 0.025
    codes = torch.randint(0, 11, (16, 8))
    labels = torch.arange(16) % 5
    codes[:] = torch.randint(0, 11, (5, 8))[labels]
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        logits = network(codes[:, :-1], labels=labels)
        losses.append(torch.nn.functional.cross_entropy(logits.flatten(0, 1), codes.flatten()))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert abs(losses[0].item() - torch.tensor(11.0).log().item()) < 0.05
    assert losses[-1] < 0.1


def test_the_mini_is_small():
    with torch.device("meta"):
        assert sum(p.numel() for p in CodeTransformer(MINI).parameters()) < 2e6


def test_what_does_not_fit_is_refused():
    network = lively(replace(TINY, condition="features+class"))
    known = given(network.config, 1)
    codes = torch.zeros(1, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match="needs features of 6 x 3, got none"):
        network(codes, labels=known["labels"])
    with pytest.raises(ValueError, match="needs features of 6 x 3, got 6 x 2"):
        network(codes, known["features"][:, :, :2], known["labels"])
    with pytest.raises(ValueError, match="needs a class"):
        network(codes, known["features"])
    with pytest.raises(ValueError, match="8 codes, where it sees 7"):
        network(torch.zeros(1, 8, dtype=torch.int64), **known)
    with pytest.raises(ValueError, match="choose one of features, class"):
        replace(TINY, condition="sound")
    with pytest.raises(ValueError, match="leaves nothing to begin with"):
        replace(TINY, features=0)
    with pytest.raises(ValueError, match="3 heads do not share a width of 16"):
        replace(TINY, heads=3)
