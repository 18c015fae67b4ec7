"""Tiles of sound with the action series a camera might have seen: the training pairs.

Little video comes with sound, so the series is derived from the *audio*: its onsets, then moved,
dropped, added to and reweighted until they look like what a detector makes of a picture. Short
recordings are thrown onto a silent tile once or several times, as events in a clip are; long ones
are cropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.action import action_spectrogram, series_from_events
from foleycli.dsp.onsets import detect_onsets
from foleycli.dsp.spec import SpectrogramSpec
from foleycli.dsp.spectrogram import encode
from foleycli.media.audio import read_audio
from foleycli.training.data import Example

Events = tuple[NDArray[np.float64], NDArray[np.float64]]  # times in seconds, strengths in (0, 1]

_JITTER_SECONDS = 0.025
_DROP_CHANCE = 0.1
_EXTRA_EVENTS = 0.3  # expected false alarms a tile
_STRENGTH_SPREAD = 0.25


@dataclass(frozen=True)
class Recording:
    """A mono waveform (samples,) float32, its class index and its events."""

    waveform: NDArray[np.float32]
    label: int
    events: Events


@dataclass(frozen=True)
class Tile:
    """A training pair: picture (C, bins, frames), S_act (3, bins, frames), float32 in [-1, 1]."""

    picture: NDArray[np.float32]
    s_act: NDArray[np.float32]
    label: int


def load_recordings(
    examples: Sequence[Example],
    classes: Sequence[str],
    spec: SpectrogramSpec,
    progress: Callable[[int, int], None] | None = None,
) -> list[Recording]:
    """Decode every clip's sound and hear its onsets.

    Raises
    ------
    ValueError
        When a clip has no sound that decodes; the message names it.
    """
    recordings = []
    for done, example in enumerate(examples, 1):
        try:
            waveform, rate_hz = read_audio(example.path, rate_hz=spec.rate_hz)
        except ValueError as error:
            raise ValueError(f"{example.path}: {error}") from error
        times, strengths = detect_onsets(waveform, rate_hz)
        recordings.append(Recording(waveform, classes.index(example.label), (times, strengths)))
        if progress:
            progress(done, len(examples))
    return recordings


def cut_tile(recording: Recording, spec: SpectrogramSpec, rng: np.random.Generator) -> Tile:
    """Cut or assemble one tile and the series that goes with it."""
    if len(recording.waveform) < 0.6 * spec.tile_samples:
        waveform, events = _assemble(recording, spec, rng)
    else:
        waveform, events = _crop(recording, spec, rng)
    waveform = waveform * np.float32(10 ** (rng.uniform(-6, 2) / 20))
    series = series_from_events(*_as_seen(events, spec.tile_seconds, rng), spec.tile_seconds)
    s_act = action_spectrogram(
        series,
        rows=spec.bins,
        columns=spec.tile_frames,
        duration_s=spec.tile_seconds,
        third_channel="series",
    )
    return Tile(encode(waveform, spec), s_act, recording.label)


def _crop(
    recording: Recording, spec: SpectrogramSpec, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Events]:
    spare = len(recording.waveform) - spec.tile_samples
    start = int(rng.integers(0, spare + 1)) if spare > 0 else int(-rng.integers(0, 1 - spare))
    tile = np.zeros(spec.tile_samples, np.float32)
    piece = recording.waveform[max(start, 0) : start + spec.tile_samples]
    tile[max(-start, 0) : max(-start, 0) + len(piece)] = piece
    times, strengths = recording.events
    times = times - start / spec.rate_hz
    inside = (times >= 0) & (times < spec.tile_seconds)
    return tile, (times[inside], strengths[inside])


def _assemble(
    recording: Recording, spec: SpectrogramSpec, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Events]:
    """Throw a short recording onto silence one to five times, 60 % of its length apart or more."""
    length_s = len(recording.waveform) / spec.rate_hz
    tile = np.zeros(spec.tile_samples, np.float32)
    times: list[float] = []
    strengths: list[float] = []
    start = rng.uniform(0, spec.tile_seconds * rng.uniform(0.2, 0.8))
    for _ in range(int(rng.integers(1, 6))):
        gain = 10 ** (rng.uniform(-9, 0) / 20)
        first = int(start * spec.rate_hz)
        if first >= spec.tile_samples:
            break
        piece = recording.waveform[: spec.tile_samples - first]
        tile[first : first + len(piece)] += np.float32(gain) * piece
        heard, strength = recording.events
        times += [start + t for t in heard]
        strengths += [gain * s for s in strength]
        start += length_s * rng.uniform(0.6, 1.5) + rng.exponential(0.15)
    return tile, (np.array(times), np.array(strengths))


def _as_seen(events: Events, duration_s: float, rng: np.random.Generator) -> Events:
    """Turn heard events into seen ones: jitter, misses, false alarms, unreliable strengths."""
    times, strengths = events
    kept = rng.random(len(times)) >= _DROP_CHANCE
    times = times[kept] + rng.normal(0, _JITTER_SECONDS, int(kept.sum()))
    strengths = strengths[kept] * np.exp(rng.normal(0, _STRENGTH_SPREAD, int(kept.sum())))
    extra = int(rng.poisson(_EXTRA_EVENTS))
    times = np.concatenate([times, rng.uniform(0, duration_s, extra)])
    strengths = np.concatenate([strengths, rng.uniform(0.05, 0.4, extra)])
    return times, np.clip(strengths, 0.05, 1.0)
