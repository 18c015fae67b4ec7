"""Mels and waveforms of any sounds, held in memory, and the windows that SpecVQGAN trains on.

A sound of any rate and layout is read as the published features were: mono at 22.05 kHz, through
16-bit files. What is shorter than a window is repeated, as theirs was, or filled up with silence.
The paper's networks see the middle 848 frames of a sound's first ten seconds and nothing else. Here
that is a choice: of long recordings there is more to learn, so the smaller presets take windows
from anywhere in all of a sound.

Every sound is taken once before any is taken again, in an order that follows from (seed, epoch), so
that a batch is a function of (seed, step).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.specvqgan import (
    SPECVQGAN,
    SPECVQGAN_CODEC,
    SPECVQGAN_DATASET,
    SpecVqgan,
)
from foleycli.files.manifest import read_manifest
from foleycli.media.chain import sound_blocks
from foleycli.training.data import MEDIA_SUFFIXES, Example, read_examples

Progress = Callable[[int, int], None]
Mel = NDArray[np.float16]  # (80, frames) in [0, 1]; a step of 0.05 dB at most
Wave = NDArray[np.int16]  # (samples,), mono at 22.05 kHz

Loaded = TypeVar("Loaded")

SPLITS = ("train", "valid", "test")

_ORDER, _PLACE = 0, 1  # what random numbers are for
_FULL_SCALE = 2**15


@dataclass(frozen=True)
class Sight:
    """What of a sound is looked at.

    Attributes
    ----------
    frames
        In a window.
    whole
        Whether windows are taken anywhere in all of a sound; else the middle of its first ten
        seconds is the one window, as in the paper.
    short
        What a sound is filled up with that is shorter than a window, or than those ten seconds.
    """

    frames: int = 848
    whole: bool = False
    short: str = "loop"

    def __post_init__(self) -> None:
        """Refuse what is neither."""
        if self.short not in ("loop", "silence"):
            raise ValueError(f"short={self.short!r}; choose loop or silence")

    @property
    def front(self) -> SpecVqgan:
        """The front end; its frames are the same whichever it is."""
        if self.whole:
            return SPECVQGAN_CODEC
        return SPECVQGAN_DATASET if self.short == "loop" else SPECVQGAN


def list_sounds(
    data: Path,
    *,
    classes: Sequence[str] | None = None,
    split: str | None = "train",
    where: Mapping[str, str] | None = None,
) -> list[Example]:
    """Do as :func:`read_examples` does, and take sounds that have no class, unless some are named.

    Those are the files of a flat folder, or of flat folders named after splits, and the rows of a
    manifest, or list, without that column.

    Raises
    ------
    ValueError
        When there is no such data, or nothing is left.
    """
    found: list[Example] = []
    if classes is None and data.is_dir():
        root = data / split if split and (data / split).is_dir() else data
        files = sorted(path for path in root.iterdir() if path.suffix.lower() in MEDIA_SUFFIXES)
        found = [Example(path, "") for path in files if not where]
    elif classes is None and data.is_file():
        classes = sorted({entry.label for entry in read_manifest(data)})
    try:
        found += read_examples(data, classes=classes, split=split, where=where)
    except ValueError:
        if not found:
            raise
    other_splits = [data / name for name in SPLITS if name != split]
    return [example for example in found if example.path.parent not in other_splits]


def list_held_out(
    data: Path,
    split: str,
    *,
    classes: Sequence[str] | None = None,
    where: Mapping[str, str] | None = None,
) -> list[Example]:
    """List the sounds of another split; none where the data have no such split."""
    apart = (data / split).is_dir()
    try:
        return list_sounds(
            data / split if apart else data,
            classes=classes,
            split=None if apart else split,
            where=where,
        )
    except ValueError:
        return []


def load_mels(
    examples: Sequence[Example], sight: Sight, progress: Progress | None = None
) -> list[Mel]:
    """Transform every sound: (80, frames) float16, of ``sight.frames`` or more.

    Ten seconds take 0.14 MB, so that VGGSound's 156,487 clips take 21 GB.

    Raises
    ------
    ValueError
        When a sound does not decode; the message names it.
    """
    return list(_loaded(examples, lambda path: read_mel(path, sight), progress))


def load_waves(
    examples: Sequence[Example],
    least_samples: int,
    short: str,
    progress: Progress | None = None,
) -> list[Wave]:
    """Read every sound: (samples,) int16 at 22.05 kHz, of ``least_samples`` or more.

    Raises
    ------
    ValueError
        When a sound does not decode; the message names it.
    """
    return list(_loaded(examples, lambda p: read_wave(p, least_samples, short), progress))


def read_mel(path: Path, sight: Sight) -> Mel:
    """Transform a sound, filled up to a window where it is short."""
    front = sight.front
    mel = _mel(front, _blocks(path, front.chain))
    if mel.shape[1] < sight.frames and sight.short == "loop":
        samples = sight.frames * front.grid.hop_samples
        mel = _mel(front, _first(_blocks(path, SPECVQGAN_DATASET.chain), samples))
    mel = np.pad(mel, ((0, 0), (0, max(0, sight.frames - mel.shape[1]))))  # 0 is silence
    return mel.astype(np.float16)


def read_wave(path: Path, least_samples: int, short: str) -> Wave:
    """Read a sound, filled up to ``least_samples`` where it is short."""
    wave = np.concatenate(list(_blocks(path, SPECVQGAN.chain)))
    if len(wave) < least_samples and short == "loop":
        blocks = _blocks(path, SPECVQGAN_DATASET.chain)
        wave = np.concatenate(list(_first(blocks, least_samples)))
    wave = np.pad(wave, (0, max(0, least_samples - len(wave))))
    return np.rint(wave * _FULL_SCALE).astype(np.int16)


def drawn(seed: int, step: int, batch: int, count: int) -> NDArray[np.int64]:
    """Return which of ``count`` sounds make up a step's batch: (batch,) numbers."""
    epochs, places = np.divmod(step * batch + np.arange(batch), count)
    orders = {e: _rng(seed, int(e), _ORDER).permutation(count) for e in np.unique(epochs)}
    return np.array([orders[e][p] for e, p in zip(epochs, places, strict=True)])


def places(seed: int, step: int, batch: int) -> NDArray[np.float64]:
    """Return where in its sound each of a step's windows begins: (batch,), 0 to 1 of the room."""
    return _rng(seed, step, _PLACE).random(batch)


def window_batch(
    mels: Sequence[Mel], sight: Sight, seed: int, step: int, batch: int, rows: slice
) -> NDArray[np.float32]:
    """Return some rows of a step's batch of windows: (B, 80, ``sight.frames``) in [0, 1]."""
    numbers, begins = drawn(seed, step, batch, len(mels))[rows], places(seed, step, batch)[rows]
    return np.stack([cut(mels[n], sight, place) for n, place in zip(numbers, begins, strict=True)])


def cut(mel: Mel, sight: Sight, place: float | None = None) -> NDArray[np.float32]:
    """Cut a window (80, ``sight.frames``): the middle one, or, where ``whole``, that at a place."""
    spare = mel.shape[1] - sight.frames
    first = spare // 2 if place is None or not sight.whole else int(place * (spare + 1))
    return mel[:, first : first + sight.frames].astype(np.float32)


def row_statistics(mels: Iterable[Mel]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean over sounds of every row's mean, and of its standard deviation: (80,) each."""
    rows = [(m.mean(1, dtype=np.float64), m.std(1, dtype=np.float64)) for m in mels]
    means, deviations = np.mean(rows, axis=0).astype(np.float32)
    return means, deviations


def _loaded(
    examples: Sequence[Example], read: Callable[[Path], Loaded], progress: Progress | None
) -> Iterator[Loaded]:
    for done, example in enumerate(examples, 1):
        try:
            yield read(example.path)
        except ValueError as error:
            raise ValueError(f"{example.path}: {error}") from error
        if progress:
            progress(done, len(examples))


def _mel(front: SpecVqgan, blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([piece["mel"] for piece in front.encode(blocks, {})], axis=1)


def _blocks(path: Path, chain: str) -> Iterator[NDArray[np.float32]]:
    return sound_blocks(path, SPECVQGAN.rate_hz, chain)


def _first(blocks: Iterable[NDArray[np.float32]], samples: int) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        yield block[:samples]
        samples -= min(samples, len(block))
        if not samples:
            return


def _rng(seed: int, number: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, number, purpose])
