"""Drawing the codes of a sound with SpecVQGAN's sampler, for any number of columns.

Sounds longer than the network sees at once are drawn through a window of its columns that slides
along with the column being drawn: that comes at its middle, so that half a window is heard before
it (26 columns, 4.8 s, in the paper's), except at both ends. The condition is read anew with every
window. Every sample has a seed of its own and draws one number a code, so that it is the same
whatever samples are drawn beside it, and a longer sound begins as a shorter one while the window
stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foleycli.models.code_decoder import CodeDecoder
from foleycli.models.code_order import to_grid, to_sequence
from foleycli.models.code_transformer import CodeTransformerConfig

Features = Tensor | Callable[[int], Tensor] | None


@dataclass(frozen=True)
class SamplingConfig:
    """How the next code is chosen of its logits, and how the window slides.

    Attributes
    ----------
    temperature
        What logits are divided by; 0 takes the likeliest code, without drawing.
    top_x
        Only this many of the likeliest codes are drawn from, and those as likely as the last of
        them; None draws from all. The paper takes half of the codebook.
    slide
        By how many columns the window slides at a time. One is published; with more, the codes
        before are read anew less often, and up to ``slide - 1`` more columns of them are heard.
    """

    temperature: float = 1.0
    top_x: int | None = None
    slide: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature {self.temperature} is not a number from 0 up")
        if self.top_x is not None and self.top_x < 1:
            raise ValueError(f"top_x {self.top_x} leaves no code to draw; use 1 or more")
        if self.slide < 1:
            raise ValueError(f"slide {self.slide} leaves the window where it is; use 1 or more")


def choose(logits: Tensor, uniform: Tensor, config: SamplingConfig) -> Tensor:
    """Choose a code a sample: its place in the distribution that ``uniform`` falls on.

    Parameters
    ----------
    logits
        ``[B, codes]`` float32.
    uniform
        ``[B]`` float64 in [0, 1).

    Returns
    -------
    Tensor
        ``[B]`` int64.
    """
    if config.temperature == 0:
        return logits.argmax(dim=1)
    if config.top_x is not None and config.top_x < logits.shape[1]:
        least = logits.topk(config.top_x, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    reached = (logits.double() / config.temperature).softmax(dim=1).cumsum(dim=1)
    place = uniform[:, None] * reached[:, -1:]
    return torch.searchsorted(reached, place, right=True)[:, 0].clamp_max(logits.shape[1] - 1)


def window_start(column: int, columns: int, window: int, slide: int = 1) -> int:
    """Return the first column that the network sees when it draws ``column`` of ``columns``."""
    past = max(0, column - window // 2)
    return min(past // slide * slide, max(0, columns - window))


def draws(seeds: Sequence[int], codes: int) -> Tensor:
    """Draw the numbers that codes are chosen by: ``[len(seeds), codes]`` float64 in [0, 1).

    A seed's first numbers are the same however many there are.
    """
    return torch.stack(
        [torch.rand(codes, generator=_stream(seed, 0), dtype=torch.float64) for seed in seeds]
    )


def noise_features(config: CodeTransformerConfig, seeds: Sequence[int]) -> Tensor:
    """Draw the paper's condition of none: uniform in [0, 1), one a seed.

    Returns
    -------
    Tensor
        ``[len(seeds), feature_depth, features]`` float32.
    """
    shape = (config.feature_depth, config.features)
    return torch.stack([torch.rand(shape, generator=_stream(seed, 1)) for seed in seeds])


@torch.inference_mode()
def sample_codes(
    decoder: CodeDecoder,
    seeds: Sequence[Sequence[int]],
    columns: int | None = None,
    *,
    features: Features = None,
    labels: Tensor | None = None,
    prime: Tensor | None = None,
    config: SamplingConfig | None = None,
    on_column: Callable[[int], object] | None = None,
) -> Tensor:
    """Draw the codes of several sounds for each of several clips, all side by side.

    Parameters
    ----------
    decoder
        The network.
    seeds
        One for every sample of every clip: ``seeds[clip][sample]``, as many for each clip.
    columns
        Length of the sounds in columns of codes; what the network sees at once, if None.
    features
        ``[clips, feature_depth, features]`` float32, where the condition has them; or what gives
        them for a window that begins at a column.
    labels
        ``[clips]`` int64, where the condition has a class.
    prime
        ``[clips, rows, c]`` int64: the first columns, which are kept, and continued.
    config
        How codes are chosen.
    on_column
        Called with every column that is done.

    Returns
    -------
    Tensor
        ``[clips, samples, rows, columns]`` int64.

    Raises
    ------
    ValueError
        When shapes or lengths do not fit one another.
    """
    size, config = decoder.config, config or SamplingConfig()
    rows, window = size.rows, size.columns
    columns = window if columns is None else columns
    if columns < 1:
        raise ValueError(f"a sound of {columns} columns; give 1 or more")
    if config.slide > window - window // 2:
        raise ValueError(f"slide {config.slide} is more than half of the window's {window} columns")
    clips, samples = len(seeds), len(seeds[0]) if seeds else 0
    if not samples or any(len(clip) != samples for clip in seeds):
        raise ValueError("need as many seeds for every clip, one at least")
    drawn = torch.zeros(clips * samples, rows * columns, dtype=torch.int64)
    first = 0
    if prime is not None:
        first = prime.shape[-1]
        _check_prime(prime, (clips, rows, columns), size.codes)
        drawn[:, : rows * first] = to_sequence(prime).repeat_interleave(samples, dim=0)
    uniform = draws([seed for clip in seeds for seed in clip], rows * columns)
    cache = decoder.new_cache(len(drawn), rows * min(columns, window))
    starts = [window_start(column, columns, window, config.slide) for column in range(columns)]
    logits = drawn
    for column in range(first, columns):
        start = starts[column]
        if column == first or start != starts[column - 1]:
            if column == first or callable(features):
                given = features(start) if callable(features) else features
                _check_conditions(given, labels, clips)
                logits = decoder.start(cache, given, labels)
            decoder.forget_codes(cache)
            if column > start:
                logits = decoder.append(cache, drawn[:, rows * start : rows * column])
        # What the next column's window reads anew need not be read before it slides.
        slides = column + 1 == columns or start != starts[column + 1]
        last = rows * (column + 1) - 1
        for place in range(rows * column, last + 1):
            drawn[:, place] = choose(logits.cpu(), uniform[:, place], config)
            if place < last or not slides:
                logits = decoder.append(cache, drawn[:, place : place + 1])
        if on_column is not None:
            on_column(column)
    return to_grid(drawn, rows).unflatten(0, (clips, samples))


def _check_prime(prime: Tensor, most: tuple[int, int, int], codes: int) -> None:
    if prime.ndim != 3 or prime.shape[:2] != most[:2] or prime.shape[2] > most[2]:
        raise ValueError(
            f"codes to begin with of {' x '.join(map(str, prime.shape))}, where "
            f"{most[0]} x {most[1]} x at most {most[2]} are needed"
        )
    if prime.numel() and not 0 <= prime.min() <= prime.max() < codes:
        raise ValueError(f"codes to begin with are not all in 0 to {codes - 1}")


def _check_conditions(features: Tensor | None, labels: Tensor | None, clips: int) -> None:
    for name, known in (("features", features), ("labels", labels)):
        if known is not None and len(known) != clips:
            raise ValueError(f"{name} of {len(known)} clips, where there are seeds for {clips}")


def _stream(seed: int, number: int) -> torch.Generator:
    """Return one of the independent streams of a seed: 0 draws codes, 1 conditions."""
    state = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state))
