"""Drawing codes: the published loop's codes, for every seed alone, of any length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from foleycli.models.code_decoder import CodeDecoder
from foleycli.models.code_order import to_grid
from foleycli.models.code_sampling import (
    SamplingConfig,
    choose,
    draws,
    noise_features,
    sample_codes,
    window_start,
)
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig

ROWS, WINDOW = 2, 5
TINY = CodeTransformerConfig(
    codes=13,
    rows=ROWS,
    columns=WINDOW,
    features=3,
    feature_depth=6,
    layers=2,
    heads=2,
    width=16,
)
DRAWN = SamplingConfig(temperature=0.8, top_x=6)
SEEDS = [[3, 4], [5, 6]]


@pytest.fixture(scope="module")
def network() -> CodeTransformer:
    torch.manual_seed(0)
    network = CodeTransformer(TINY).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            embeds = name in ("pos_emb", "tok_emb.weight")
            std = 1.0 if embeds else 2 / parameter[0].numel() ** 0.5
            torch.nn.init.normal_(parameter, std=std)
    return network


@pytest.fixture(scope="module")
def decoder(network: CodeTransformer) -> CodeDecoder:
    return CodeDecoder(network)


@pytest.fixture(scope="module")
def features() -> Tensor:
    return torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1))


def _published_loop(
    network: CodeTransformer,
    seed: int,
    columns: int,
    features: Callable[[int], Tensor],
    config: SamplingConfig,
) -> Tensor:
    """One sample: every step reads the whole window anew, codes to come being zeros."""
    grid = torch.zeros(ROWS, columns, dtype=torch.int64)
    numbers = draws([seed], ROWS * columns)
    for column in range(columns):
        start = min(max(column - WINDOW // 2, 0), max(columns - WINDOW, 0))
        for row in range(ROWS):
            window = grid[:, start : start + WINDOW].T.reshape(1, -1)
            place = (column - start) * ROWS + row
            logits = network(window[:, :-1], features(start))[:, place]
            number = numbers[:, column * ROWS + row]
            grid[row, column] = choose(logits, number, config)
    return grid


@pytest.mark.parametrize("columns", [1, 3, 5, 6, 12])
@pytest.mark.parametrize("config", [DRAWN, SamplingConfig(), SamplingConfig(temperature=0)])
def test_codes_are_those_of_the_published_loop(
    network: CodeTransformer,
    decoder: CodeDecoder,
    features: Tensor,
    columns: int,
    config: SamplingConfig,
):
    found = sample_codes(decoder, SEEDS, columns, features=features, config=config)
    assert found.shape == (2, 2, ROWS, columns)
    for clip, seeds in enumerate(SEEDS):
        for sample, seed in enumerate(seeds):
            known = features[clip : clip + 1]
            wanted = _published_loop(network, seed, columns, lambda _, f=known: f, config)
            assert torch.equal(found[clip, sample], wanted), seed


def test_a_window_may_have_features_of_its_own(
    network: CodeTransformer, decoder: CodeDecoder, features: Tensor
):
    def moving(start: int) -> Tensor:
        return features[:1] + start

    found = sample_codes(decoder, [[7]], 9, features=moving, config=DRAWN)[0, 0]
    assert torch.equal(found, _published_loop(network, 7, 9, moving, DRAWN))
    still = sample_codes(decoder, [[7]], 9, features=features[:1], config=DRAWN)[0, 0]
    assert not torch.equal(found, still)


def test_a_sample_is_the_same_whatever_is_drawn_beside_it(decoder: CodeDecoder, features: Tensor):
    together = sample_codes(decoder, SEEDS, 8, features=features, config=DRAWN)
    swapped = sample_codes(
        decoder, [[6, 1, 5], [4, 2, 3]], 8, features=features.flip(0), config=DRAWN
    )
    assert torch.equal(swapped[0, [2, 0]], together[1])
    assert torch.equal(swapped[1, [2, 0]], together[0])
    alone = sample_codes(decoder, [[4]], 8, features=features[:1], config=DRAWN)
    assert torch.equal(alone[0, 0], together[0, 1])
    assert len({tuple(codes.flatten().tolist()) for codes in together.flatten(0, 1)}) == 4


def test_a_longer_sound_begins_alike_while_the_window_stands(
    decoder: CodeDecoder, features: Tensor
):
    short = sample_codes(decoder, SEEDS, 5, features=features, config=DRAWN)
    long = sample_codes(decoder, SEEDS, 40, features=features, config=DRAWN)
    stands = WINDOW // 2 + 1
    assert torch.equal(long[..., :stands], short[..., :stands])
    assert torch.equal(draws([9], 10), draws([9], 10_000)[:, :10])


@pytest.mark.parametrize("columns", [4, 11])
@pytest.mark.parametrize("known", [0, 1, 3, 4])
def test_its_own_beginning_is_continued_as_it_went_on(
    decoder: CodeDecoder, features: Tensor, columns: int, known: int
):
    whole = sample_codes(decoder, [[3], [5]], columns, features=features, config=DRAWN)
    again = sample_codes(
        decoder,
        [[3], [5]],
        columns,
        features=features,
        prime=whole[:, 0, :, :known],
        config=DRAWN,
    )
    assert torch.equal(again, whole)


def test_a_beginning_is_kept_and_heard(decoder: CodeDecoder, features: Tensor):
    prime = torch.randint(0, 13, (2, ROWS, 2), generator=torch.Generator().manual_seed(2))
    found = sample_codes(decoder, SEEDS, 8, features=features, prime=prime, config=DRAWN)
    assert torch.equal(found[..., :2], prime[:, None].expand(-1, 2, -1, -1))
    plain = sample_codes(decoder, SEEDS, 8, features=features, config=DRAWN)
    assert not torch.equal(found[..., 2:], plain[..., 2:])


@pytest.mark.parametrize("columns", [5, 9])
def test_no_position_is_passed_twice_but_for_a_new_window(
    network: CodeTransformer, features: Tensor, columns: int
):
    """Count what goes through a layer: the condition once, then every code once a window."""
    decoder, passed = CodeDecoder(network), []
    decoder.blocks[1].register_forward_hook(
        lambda _m, inputs, _y: passed.append(inputs[0].shape[:2].numel())
    )
    sample_codes(decoder, [[0]], columns, features=features[:1], config=DRAWN)
    slides = columns - WINDOW
    again = slides * ROWS * (WINDOW // 2)  # the columns before, read at every slide
    # Codes before a slide, and the very last, are never appended.
    assert sum(passed) == 3 + ROWS * columns - (slides + 1) + again


def test_sliding_further_at_a_time_reads_less_and_hears_more(
    network: CodeTransformer, features: Tensor
):
    counts = []
    for slide in (1, 3):
        decoder, passed = CodeDecoder(network), []
        decoder.blocks[1].register_forward_hook(
            lambda _m, inputs, _y, passed=passed: passed.append(inputs[0].shape[:2].numel())
        )
        config = replace(DRAWN, slide=slide)
        sample_codes(decoder, [[0]], 40, features=features[:1], config=config)
        counts.append(sum(passed))
        starts = [window_start(column, 40, WINDOW, slide) for column in range(40)]
        assert starts[-1] == 35
        past = [column - start for column, start in enumerate(starts)]
        assert all(WINDOW // 2 <= p < WINDOW for p in past[WINDOW // 2 :])
        assert len(set(starts)) <= 36 / slide + 2
    assert counts[1] < 0.8 * counts[0]


def test_window_is_the_published_one():
    """Of 5 x 53 codes in two windows' length: the column drawn comes after 26, but at the ends."""
    starts = [window_start(column, 106, 53) for column in range(106)]
    assert starts[:27] == [0] * 27
    assert starts[27:79] == list(range(1, 53))
    assert starts[79:] == [53] * 27
    assert {window_start(column, 40, 53) for column in range(40)} == {0}


def test_codes_come_as_often_as_they_are_likely():
    logits = torch.tensor([[1.0, -2.0, 0.5, 3.0, 2.9]])
    numbers = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    for temperature in (0.5, 1.0, 3.0):
        found = choose(
            logits.expand(len(numbers), -1), numbers, SamplingConfig(temperature=temperature)
        )
        shares = torch.bincount(found, minlength=5) / len(numbers)
        assert torch.allclose(shares, (logits[0] / temperature).softmax(0), atol=2e-5)


def test_top_x_keeps_the_likeliest_and_what_is_as_likely():
    logits = torch.tensor([0.0, 2.0, 1.0, 2.0, 1.0, -1.0])
    numbers = torch.linspace(0, 1 - 1e-16, 5000, dtype=torch.float64)
    kept = {1: {1, 3}, 2: {1, 3}, 3: {1, 2, 3, 4}, 5: {0, 1, 2, 3, 4}, 99: set(range(6))}
    for top_x, codes in kept.items():
        found = choose(logits.expand(5000, -1), numbers, SamplingConfig(top_x=top_x))
        assert set(found.tolist()) == codes, top_x


def test_no_temperature_takes_the_likeliest():
    logits = torch.randn(50, 13)
    found = choose(logits, torch.rand(50, dtype=torch.float64), SamplingConfig(temperature=0))
    assert torch.equal(found, logits.argmax(1))


def test_noise_is_a_seed_s_own():
    config = replace(TINY, condition="noise", features=1)
    noise = noise_features(config, [3, 9])
    assert noise.shape == (2, 6, 1)
    assert torch.equal(noise[1:], noise_features(config, [9]))
    assert noise.min() >= 0
    assert noise.max() < 1
    assert not torch.equal(noise[0], noise[1])


def test_columns_are_told_as_they_are_done(decoder: CodeDecoder, features: Tensor):
    told: list[int] = []
    prime = torch.zeros(2, ROWS, 2, dtype=torch.int64)
    sample_codes(decoder, SEEDS, 6, features=features, prime=prime, on_column=told.append)
    assert told == [2, 3, 4, 5]


def test_codes_are_read_in_time(decoder: CodeDecoder, features: Tensor):
    found = sample_codes(decoder, [[3]], 5, features=features[:1], config=SamplingConfig(0))[0, 0]
    cache = decoder.new_cache(1)
    logits, codes = decoder.start(cache, features[:1]), []
    for _ in range(ROWS * 5):
        codes.append(logits.argmax(1))
        if len(codes) < ROWS * 5:
            logits = decoder.append(cache, codes[-1][:, None])
    assert torch.equal(found, to_grid(torch.cat(codes), ROWS))


def test_what_does_not_fit_is_refused(decoder: CodeDecoder, features: Tensor):
    def sample(seeds: list[list[int]] = SEEDS, **more: object) -> Tensor:
        return sample_codes(decoder, seeds, features=features, **more)  # type: ignore[arg-type]

    for seeds in ([], [[], []], [[1], [2, 3]]):
        with pytest.raises(ValueError, match="as many seeds for every clip"):
            sample(seeds)
    with pytest.raises(ValueError, match="needed"):
        sample(prime=torch.zeros(1, ROWS, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="2 x 2 x at most 5 are needed"):
        sample(prime=torch.zeros(2, ROWS, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="not all in 0 to 12"):
        sample(prime=torch.full((2, ROWS, 1), 13))
    with pytest.raises(ValueError, match="slide 4 is more than half"):
        sample(config=SamplingConfig(slide=4))
    with pytest.raises(ValueError, match="columns"):
        sample(columns=0)
    with pytest.raises(ValueError, match="features of 2 clips, where there are seeds for 4"):
        sample([[1], [2], [3], [4]])
    for wrong in ({"temperature": -1.0}, {"temperature": float("nan")}, {"top_x": 0}, {"slide": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SamplingConfig(**wrong)  # type: ignore[arg-type]
