"""Windows of labelled spectrograms to train a classifier on: cut, altered, mixed and masked.

Everything is done to levels in dB, not to sound: gains add, the powers of two sounds add, and a
spectrogram is computed once. What is altered is what differs between recordings of one class and
says nothing of it: level, microphone, bandwidth, hiss, place in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foleycli.media.chain import sound_blocks
from foleycli.sound_embedding import View
from foleycli.training.data import Example

Levels = NDArray[np.float32]  # (bands, window_frames) in dB

_QUIETER_DB, _LOUDER_DB = -12.0, 3.0
_KNOTS = 6  # of the random curve over frequency
_CURVE_DB = 3.0
_LOW_PASS_CHANCE = 0.2
_STEEPEST_DB = 12.0  # a band
_HISS_CHANCE = 0.3
_MASKS = 2
_MASKED_BANDS, _MASKED_FRAMES = 0.15, 0.15  # at most this share, each


@dataclass(frozen=True)
class Labelled:
    """A whole sound's spectrogram (bands, frames) float16, as the view gives it, and its class."""

    spectrogram: NDArray[np.float16]
    label: int


def load_labelled(
    examples: Sequence[Example],
    classes: Sequence[str],
    view: View,
    progress: Callable[[int, int], None] | None = None,
) -> list[Labelled]:
    """Transform every clip's sound; ten seconds take about 0.1 MB.

    Raises
    ------
    ValueError
        When a class has no clips, or a clip no sound that decodes; the message names it.
    """
    empty = [c for c in classes if all(example.label != c for example in examples)]
    if empty:
        raise ValueError(f"no training clips for: {', '.join(empty)}; leave out the class")
    found = []
    for done, example in enumerate(examples, 1):
        try:
            sound = _Counted(read_sound(example, view))
            pieces = list(view.spectrogram(sound))
        except ValueError as error:
            raise ValueError(f"{example.path}: {error}") from error
        frames = -(-sound.samples // view.hop_samples)  # beyond is what the front end filled up
        spectrogram = np.concatenate(pieces, axis=1)[:, :frames].astype(np.float16)
        found.append(Labelled(spectrogram, classes.index(example.label)))
        if progress:
            progress(done, len(examples))
    return found


def read_sound(example: Example, view: View) -> Iterator[NDArray[np.float32]]:
    """Decode a clip's sound, in blocks, as the view's front end wants it."""
    front = view.front
    return sound_blocks(example.path, front.rate_hz, front.chain)


class _Counted:
    """Blocks of sound, and how many samples went by."""

    def __init__(self, blocks: Iterable[NDArray[np.float32]]) -> None:
        self._blocks, self.samples = blocks, 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for block in self._blocks:
            self.samples += len(block)
            yield block


def cut_window(sound: Labelled, view: View, rng: np.random.Generator) -> Levels:
    """Cut a window anywhere, or put a short sound anywhere in silence; levels in dB."""
    size, frames = view.window_frames, sound.spectrogram.shape[1]
    start = int(rng.integers(abs(frames - size) + 1))
    if frames >= size:
        return _decibels(sound.spectrogram[:, start : start + size], view)
    window = np.full((view.bands, size), view.range_db[0], np.float32)
    window[:, start : start + frames] = _decibels(sound.spectrogram, view)
    return window


def altered(levels: Levels, view: View, rng: np.random.Generator) -> Levels:
    """Record a window anew: another gain and microphone, at times a low-pass filter or hiss."""
    floor, ceiling = view.range_db
    place = np.linspace(0, 1, view.bands)
    knots = rng.normal(0, _CURVE_DB, _KNOTS)
    gain = rng.uniform(_QUIETER_DB, _LOUDER_DB) + np.interp(place, np.linspace(0, 1, _KNOTS), knots)
    if rng.random() < _LOW_PASS_CHANCE:
        above = np.maximum(0, np.arange(view.bands) - rng.uniform(0.4, 1) * view.bands)
        gain = gain - rng.uniform(0.5, _STEEPEST_DB) * above
    changed = np.where(levels > floor, levels + gain[:, None], floor)
    if rng.random() < _HISS_CHANCE:
        hiss = floor + rng.uniform(5, 35) + rng.uniform(-20, 5) * place
        changed = sum_of_powers(changed, hiss[:, None] + rng.normal(0, 4, levels.shape))
    return np.clip(changed, floor, ceiling).astype(np.float32)


def mixed(levels: Levels, other: Levels, share: float, view: View) -> Levels:
    """Add another sound, brought to ``(1 - share) / share`` times this one's amplitude."""
    floor, _ = view.range_db
    gain = _mean_power_db(levels) - _mean_power_db(other) + 20 * np.log10((1 - share) / share)
    return sum_of_powers(levels, np.where(other > floor, other + np.float32(gain), floor))


def masked(levels: Levels, rng: np.random.Generator) -> Levels:
    """Cover some bands and some frames with the window's mean (SpecAugment, Park et al. 2019)."""
    covered, mean = levels.copy(), levels.mean()
    for axis, share in ((0, _MASKED_BANDS), (1, _MASKED_FRAMES)) * _MASKS:
        size = levels.shape[axis]
        width = int(rng.integers(int(size * share) + 1))
        start = int(rng.integers(size - width + 1))
        np.moveaxis(covered, axis, 0)[start : start + width] = mean
    return covered


def to_view(levels: Levels, view: View) -> NDArray[np.float32]:
    """Bring levels in dB to the view's range, clipped."""
    (floor, ceiling), (least, most) = view.range_db, view.range
    unit = (levels - floor) / (ceiling - floor)
    return (np.clip(unit, 0, 1) * (most - least) + least).astype(np.float32)


def sum_of_powers(one: NDArray[np.floating], other: NDArray[np.floating]) -> Levels:
    """Add two sounds of unrelated phase: levels in dB."""
    louder = np.maximum(one, other)
    return (louder + 10 * np.log10(1 + 10 ** (-np.abs(one - other) / 10))).astype(np.float32)


def _decibels(spectrogram: NDArray[np.float16], view: View) -> Levels:
    (floor, ceiling), (least, most) = view.range_db, view.range
    unit = (spectrogram.astype(np.float32) - least) / (most - least)
    return np.asarray(unit * (ceiling - floor) + floor, np.float32)


def _mean_power_db(levels: Levels) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))
