"""One code at a time: the same logits as all at once, for the work of one position."""

from __future__ import annotations

import runpy
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.code_decoder import CodeDecoder, Precision
from foleycli.models.code_sampling import SamplingConfig, sample_codes
from foleycli.models.code_transformer import (
    PAPER,
    CodeTransformer,
    CodeTransformerConfig,
    Condition,
)

TINY = CodeTransformerConfig(
    codes=11, rows=2, columns=4, features=3, feature_depth=6, classes=5, layers=2, heads=2, width=16
)
GOLDENS = {
    "sampler_vggsound_5feats": PAPER,
    "gptclass_vas": replace(PAPER, codes=128, condition="class", features=0, classes=8),
}


def _lively(config: CodeTransformerConfig) -> CodeTransformer:
    torch.manual_seed(0)
    network = CodeTransformer(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            embeds = name in ("pos_emb", "tok_emb.weight")
            std = 1.0 if embeds else 2 / parameter[0].numel() ** 0.5
            torch.nn.init.normal_(parameter, std=std)
    return network


def _condition(config: CodeTransformerConfig, samples: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    known = {}
    if config.has_features:
        shape = (samples, config.feature_depth, config.features)
        known["features"] = torch.randn(shape, generator=draw)
    if config.has_class:
        known["labels"] = torch.randint(0, config.classes, (samples,), generator=draw)
    return known


def _one_by_one(
    decoder: CodeDecoder, codes: torch.Tensor, known: dict[str, torch.Tensor]
) -> torch.Tensor:
    cache = decoder.new_cache(len(codes))
    logits = [decoder.start(cache, **known)]
    logits += [decoder.append(cache, codes[:, [place]]) for place in range(codes.shape[1])]
    return torch.stack(logits, dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDENS)
def test_published_network_gives_the_published_logits(shared: Path, name: str):
    """With and without what is kept, at full size; eight bits agree on the likeliest code."""
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    golden = np.load(shared / f"goldens/specvqgan/{name}.npz")
    config = GOLDENS[name]
    with torch.device("meta"):
        network = CodeTransformer(config).eval()
    filled = {
        key: torch.from_numpy(fill["fill_tensor"](f"transformer.{key}", list(tensor.shape)))
        for key, tensor in network.state_dict().items()
    }
    network.load_state_dict(filled, assign=True)
    features = fill["test_input"]("specvqgan/sampler_vggsound_5feats/features", [1, 2048, 5])
    known = (
        {"labels": torch.tensor([3])}
        if config.has_class
        else {"features": torch.from_numpy(features)}
    )
    codes = torch.from_numpy(golden["tokens"]).long()
    with torch.inference_mode():
        whole = network(codes, **known)[0]
        attention = network.last_attention(codes, **known)[0, :, -1].mean(0)
    wanted, largest = golden["logits"], np.abs(golden["logits"]).max()
    assert np.abs(whole.numpy()[golden["positions"]] - wanted).max() < 1e-5 * largest
    assert np.array_equal(whole.argmax(1), golden["argmax"])
    moments = torch.stack([whole.mean(1), whole.std(1, correction=0)], 1)
    assert np.abs(moments.numpy() - golden["logits_mean_std"]).max() < 1e-5
    shares = golden["attention_last_layer_mean_over_heads_row_last"]
    assert np.abs(attention.numpy() - shares).max() < 1e-5 * shares.max()

    decoder = CodeDecoder(network)
    cache = decoder.new_cache(1)
    logits, done = decoder.start(cache, **known), 0
    for place, expected in zip(golden["positions"], wanted, strict=True):
        if place > done:
            logits, done = decoder.append(cache, codes[:, done:place]), place
        assert np.abs(logits.numpy()[0] - expected).max() < 1e-5 * largest, place
    best = sample_codes(decoder, [[0]], 4, config=SamplingConfig(0), **known)[0, 0]
    assert np.array_equal(best.T.flatten(), golden["greedy"][0])
    del decoder, cache

    decoder = CodeDecoder(network, "int8")
    cache = decoder.new_cache(1)
    decoder.start(cache, **known)
    rough = [decoder.append(cache, codes[:, place : place + 1]) for place in range(30)]
    error = torch.cat(rough) - whole[1:31]
    assert error.norm() < 0.05 * whole[1:31].norm()
    clear = golden["top2_gap"][1:31] > 0.25  # of logits whose standard deviation is 1
    agree = (torch.cat(rough).argmax(1) == whole[1:31].argmax(1)).numpy()
    assert agree[clear].all()


@pytest.mark.parametrize(
    "condition", ["features", "class", "features+class", "noise", "coordinates"]
)
def test_logits_are_those_of_the_whole_network(condition: Condition):
    network = _lively(replace(TINY, condition=condition))
    known = _condition(network.config, 3)
    codes = torch.randint(0, 11, (3, 7))
    found = _one_by_one(CodeDecoder(network), codes, known)
    wanted = network(codes, **known)
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_codes_may_come_together_or_one_by_one(precision: Precision):
    network = _lively(TINY)
    decoder, known = CodeDecoder(network, precision), _condition(TINY, 2)
    codes = torch.randint(0, 11, (2, 7))
    single = _one_by_one(decoder, codes, known)
    cache = decoder.new_cache(2)
    decoder.start(cache, **known)
    for first, last in ((0, 3), (3, 4), (4, 7)):
        logits = decoder.append(cache, codes[:, first:last])
        assert torch.allclose(logits, single[:, last], atol=1e-4), last
    decoder.forget_codes(cache)
    assert torch.allclose(decoder.append(cache, codes[:, :2]), single[:, 2], atol=1e-4)


def test_a_new_code_costs_one_position_in_every_layer():
    network = _lively(TINY)
    decoder, known = CodeDecoder(network), _condition(TINY, 1)
    passed: Counter[str] = Counter()
    for name, layer in decoder.named_modules():
        if name.startswith("blocks.") or name == "head":
            layer.register_forward_hook(
                lambda _m, inputs, _y, name=name: passed.update({name: inputs[0][..., 0].numel()})
            )
    cache = decoder.new_cache(1)
    decoder.start(cache, **known)
    layers = 2 * (1 + len(("ln1", "qkv", "proj", "ln2", "inner", "outer")))
    assert passed == {**dict.fromkeys(passed, TINY.prefix), "head": 1}
    assert len(passed) == layers + 1
    for place in range(TINY.length - 1):
        passed.clear()
        decoder.append(cache, torch.tensor([[place]]))
        assert passed == dict.fromkeys(passed, 1)
        assert len(passed) == layers + 1


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_sample_has_the_same_bits_whatever_is_beside_it(precision: Precision):
    config = replace(TINY, width=64, codes=50, condition="features+class")
    decoder, known = CodeDecoder(_lively(config), precision), _condition(config, 6)
    codes = torch.randint(0, 50, (6, 7))
    together = _one_by_one(decoder, codes, known)
    for picked in ([0], [5], [4, 1], [3, 2, 1], [5, 4, 3, 2, 1]):
        alone = _one_by_one(decoder, codes[picked], {n: t[picked] for n, t in known.items()})
        assert torch.equal(alone, together[picked]), picked


def test_samples_of_one_condition_share_its_reading():
    network = _lively(TINY)
    decoder, known = CodeDecoder(network), _condition(TINY, 2)
    codes = torch.randint(0, 11, (6, 4))
    cache = decoder.new_cache(6)
    first = decoder.start(cache, **known)
    repeated = {n: t.repeat_interleave(3, dim=0) for n, t in known.items()}
    assert torch.equal(first, _one_by_one(decoder, codes[:, :0], repeated)[:, 0])
    for place in range(4):
        logits = decoder.append(cache, codes[:, [place]])
    assert torch.equal(logits, _one_by_one(decoder, codes, repeated)[:, -1])


def test_network_is_left_as_it_was():
    network = _lively(TINY)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    _one_by_one(
        CodeDecoder(network, "int8"),
        torch.zeros(1, 5, dtype=torch.int64),
        {"features": torch.ones(1, 6, 3)},
    )
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_what_does_not_fit_is_refused():
    decoder = CodeDecoder(_lively(TINY))
    cache = decoder.new_cache(2, codes=3)
    with pytest.raises(ValueError, match="3 conditions for 2 samples"):
        decoder.start(cache, torch.ones(3, 6, 3))
    decoder.start(cache, torch.ones(1, 6, 3))
    decoder.append(cache, torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="position 6 is beyond the cache's 5"):
        decoder.append(cache, torch.zeros(2, 1, dtype=torch.int64))
    with pytest.raises(ValueError, match="choose float32 or int8"):
        CodeDecoder(_lively(TINY), "int4")  # type: ignore[arg-type]
