"""Systems that learn nothing, made of the real sounds: what every generator is to be held against.

- ``shaped-noise``: white noise with the average spectrum of a class and the loudness of one of its
  recordings. Classifiers take most of it for the class, so that it is the floor that accuracy and
  Inception Score have to be read against. Of the clip it knows the class and the length.
- ``real``: another recording of the class, an event of it at each event of the clip's own sound.
  Nothing sounds more like the class, and its timing is the onset detector's: the ceiling.

Both are made of the sounds that they are then compared with, to which they lie nearer, in distances
of sets, than sounds from elsewhere can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.onsets import ONSET_RATE_HZ
from foleycli.evaluation.baseline_sounds import (
    Events,
    Waveform,
    events_of,
    log_spectrum,
    looped,
    placed,
    shaped_noise,
)
from foleycli.media.audio import read_audio, require_finite, stream_audio, write_audio

KINDS = ("shaped-noise", "real")

MOST_RECORDINGS = 40  # that a class's spectrum is the mean of
MOST_TRIES = 8  # recordings heard for one whose kind, events or texture, is the clip's


@dataclass(frozen=True)
class RealClip:
    """A real sound: its name, class and file."""

    id: str
    label: str
    path: Path


# of a clip and the others of its class, in random order
_Maker = Callable[[RealClip, Sequence[RealClip], np.random.Generator], Waveform | None]


def make_baseline(
    kind: str,
    clips: Sequence[RealClip],
    folder: Path,
    *,
    rate_hz: int = ONSET_RATE_HZ,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Make a sound for every clip that shares its class with another one.

    Parameters
    ----------
    kind : {"shaped-noise", "real"}
    clips : sequence of RealClip
        In any order. A few sounds are held at a time, and spectra of one class.
    folder : Path
        Where ``<id>.wav`` is written: 16 bits, below full scale, as long as the clip.
    rate_hz : int
        Sample rate of what is made.
    seed : int
        A file's bytes depend on the seed, the clip's id and its class's clips, as a set.
    progress : callable
        ``progress(done, total)``, in clips.

    Returns
    -------
    dict
        Clip to file, ids ascending. Missing are clips that cannot be read, and those whose class
        has no other clip that can: there is nothing to make them of.

    Raises
    ------
    ValueError
        For another kind, when two clips have one id, or an id leads out of the folder.
    """
    if kind not in KINDS:
        raise ValueError(f"no baseline is called {kind}: choose {' or '.join(KINDS)}")
    classes: dict[str, list[RealClip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.id):
        classes[clip.label].append(clip)
        if Path(clip.id).is_absolute() or ".." in Path(clip.id).parts:
            raise ValueError(f"{clip.id}: an id must not lead out of the folder")
    if len({clip.id for clip in clips}) < len(clips):
        raise ValueError("two clips have one id; give each its own")
    made: dict[str, Path] = {}
    done = 0
    for label, members in classes.items():
        if kind == "real":
            make = _event_maker(rate_hz)
        else:
            make = _noise_maker(label, members, rate_hz, seed)
        for clip in members:
            rng = np.random.default_rng([seed, *clip.id.encode()])
            others = [member for member in members if member is not clip]
            waveform = make(clip, [others[i] for i in rng.permutation(len(others))], rng)
            if waveform is not None:
                path = folder / f"{clip.id}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_audio(path, waveform, rate_hz)
                made[clip.id] = path
            done += 1
            if progress:
                progress(done, len(clips))
    return dict(sorted(made.items()))


def _noise_maker(label: str, members: Sequence[RealClip], rate_hz: int, seed: int) -> _Maker:
    rng = np.random.default_rng([seed, *label.encode()])
    spectra: dict[str, NDArray[np.float64]] = {}
    for i in rng.permutation(len(members)):
        if len(spectra) > MOST_RECORDINGS:  # one more, for a clip leaves itself out
            break
        with suppress(ValueError, OSError):
            spectra[members[i].id] = log_spectrum(stream_audio(members[i].path, rate_hz))

    def make(
        clip: RealClip, others: Sequence[RealClip], rng: np.random.Generator
    ) -> Waveform | None:
        own, other = _sound_of(clip, rate_hz), next(_sounds(others, rate_hz), None)
        if own is None or other is None:
            return None
        of_others = [spectrum for name, spectrum in spectra.items() if name != clip.id]
        mean = np.mean(of_others[:MOST_RECORDINGS], axis=0)
        return shaped_noise(mean, other[1], len(own), rate_hz, rng)

    return make


def _event_maker(rate_hz: int) -> _Maker:
    known: dict[str, Events] = {}

    def events(clip: RealClip, sound: Waveform) -> Events:
        if clip.id not in known:
            known[clip.id] = events_of(sound, rate_hz)
        return known[clip.id]

    def make(
        clip: RealClip, others: Sequence[RealClip], rng: np.random.Generator
    ) -> Waveform | None:
        own, first = _sound_of(clip, rate_hz), None
        if own is None:
            return None
        wanted = events(clip, own)
        for other, donor in _sounds(others[:MOST_TRIES], rate_hz):
            found = events(other, donor)
            if not len(wanted.times_s) and not len(found.times_s):
                return looped(donor, len(own), rate_hz, rng)
            if len(wanted.times_s) and len(found.times_s):
                return placed(donor, found, wanted, len(own), rate_hz, rng)
            first = donor if first is None else first
        return None if first is None else looped(first, len(own), rate_hz, rng)

    return make


def _sounds(clips: Sequence[RealClip], rate_hz: int) -> Iterator[tuple[RealClip, Waveform]]:
    """Decode clips as far as they are asked for, passing over those that fail."""
    for clip in clips:
        if (waveform := _sound_of(clip, rate_hz)) is not None:
            yield clip, waveform


def _sound_of(clip: RealClip, rate_hz: int) -> Waveform | None:
    try:
        waveform, _ = read_audio(clip.path, rate_hz=rate_hz)
        require_finite(waveform)
    except (ValueError, OSError):
        return None
    return waveform if len(waveform) else None
