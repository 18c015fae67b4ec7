"""What baselines are made by: noise under a spectrum and an envelope, events put at other times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from foleycli.dsp.onsets import ONSET_RATE_HZ, detect_onsets, onset_strength
from foleycli.dsp.stft import Stft
from foleycli.media.audio import require_finite, resample

Waveform = NDArray[np.float32]

GRID = Stft(4096, 2048, before=2048, after=2048, padding="zeros")
_RANGE_DB = 100.0
_ENVELOPE_S = 0.02
_PEAK = 0.99

_LEAD_S = 0.02  # an attack may begin a hop and a half before its onset is seen
_FADE_S = 0.005
_JOIN_S = 0.05  # of a texture with itself
_STEADY = 0.25  # median onset strength, of its 99.5th percentile, from which a sound is a texture
_SHORTEST_TEXTURE_S = 0.5


class Events(NamedTuple):
    """Onsets in seconds and their strengths in (0, 1]: (events,) float64 both."""

    times_s: NDArray[np.float64]
    strengths: NDArray[np.float64]


def log_spectrum(blocks: Iterable[Waveform]) -> NDArray[np.float64]:
    """Long-term spectrum of a sound that comes in blocks.

    Returns
    -------
    (2049,) float64
        Natural logarithm of the mean power of each bin, at least 100 dB under the loudest: the
        mean over sounds is that of their geometric mean, to which level gives no weight. Silence
        is flat.

    Raises
    ------
    ValueError
        When samples are not finite.
    """
    power, frames = np.zeros(GRID.bins), 0
    for columns in GRID.stream(blocks):
        power += (np.abs(columns).astype(np.float64) ** 2).sum(axis=1)
        frames += columns.shape[1]
    require_finite(power)
    power /= max(frames, 1)
    floor = 10 ** (-_RANGE_DB / 10) * max(float(power.max()), float(np.finfo(np.float32).tiny))
    return np.asarray(np.log(np.maximum(power, floor)), np.float64)


def shaped_noise(
    spectrum: NDArray[np.float64],
    donor: Waveform,
    samples: int,
    rate_hz: int,
    rng: np.random.Generator,
) -> Waveform:
    """White noise under a spectrum, as loud from moment to moment as another sound.

    Parameters
    ----------
    spectrum : (2049,) float64
        As :func:`log_spectrum` gives it.
    donor : (m,) float32
        Gives its root mean square over 20 ms. A longer sound is cut at random, a shorter one goes
        round from a random moment on.
    samples : int
        Length of what is made.

    Returns
    -------
    (samples,) float32
    """
    white = np.fft.rfft(rng.standard_normal(samples))
    bins = np.fft.rfftfreq(samples) * GRID.fft_samples
    noise = np.fft.irfft(
        white * np.exp(np.interp(bins, np.arange(GRID.bins), spectrum) / 2), samples
    )
    noise /= np.sqrt(np.mean(noise**2)) or 1.0
    width = max(1, round(_ENVELOPE_S * rate_hz))
    power = uniform_filter1d(donor.astype(np.float64) ** 2, width, mode="constant")
    starts = len(donor) - samples + 1 if len(donor) >= samples else len(donor)
    turned = int(rng.integers(starts))
    envelope = np.sqrt(np.maximum(power, 0))[(turned + np.arange(samples)) % len(donor)]
    return _below_full_scale(noise * envelope)


def events_of(waveform: Waveform, rate_hz: int) -> Events:
    """Find the events of a sound; none in a texture.

    The detector finds some in rain as well. What tells a texture is that flux has no pauses: its
    median is a quarter and more of its highest.
    """
    heard = resample(waveform, rate_hz, ONSET_RATE_HZ)
    strength = onset_strength(heard, ONSET_RATE_HZ)
    steady = np.median(strength) > _STEADY * np.percentile(strength, 99.5)
    if steady and len(heard) > _SHORTEST_TEXTURE_S * ONSET_RATE_HZ:
        return Events(np.zeros(0), np.zeros(0))
    return Events(*detect_onsets(heard, ONSET_RATE_HZ))


def placed(
    donor: Waveform,
    donor_events: Events,
    events: Events,
    samples: int,
    rate_hz: int,
    rng: np.random.Generator,
) -> Waveform:
    """Put an event of one sound at each event of another, its peak as high as the strength says.

    Each is drawn from the donor's events that last until the next one is due, or is the longest
    there is; then silence follows.

    Parameters
    ----------
    donor : (m,) float32
    donor_events, events : Events
        Neither is empty.

    Returns
    -------
    (samples,) float32
    """
    lead = round(_LEAD_S * rate_hz)
    sources, starts = (
        np.rint(np.asarray(e.times_s) * rate_hz).astype(int) - lead for e in (donor_events, events)
    )
    lasting = np.diff(sources, append=len(donor))
    out = np.zeros(samples)
    loudest = float(np.abs(donor).max())
    stops = [*starts[1:], samples]
    for start, stop, strength in zip(starts, stops, events.strengths, strict=True):
        enough = np.flatnonzero(lasting >= stop - start)
        chosen = rng.choice(enough) if len(enough) else lasting.argmax()
        source, length = sources[chosen], min(stop - start, lasting[chosen])
        skipped = max(-start, -source, 0)  # before either sound
        piece = donor[source + skipped : source + length].astype(np.float64)
        fade = np.minimum(1, np.arange(1, len(piece) + 1) / (_FADE_S * rate_hz))
        piece *= fade * fade[::-1]
        piece *= strength * loudest / (np.abs(piece).max(initial=0) or 1.0)
        out[start + skipped : start + skipped + len(piece)] += piece
    return _below_full_scale(out)


def looped(donor: Waveform, samples: int, rate_hz: int, rng: np.random.Generator) -> Waveform:
    """Cut a sound at random to a length, or repeat it, cross-faded with itself over 50 ms.

    Returns
    -------
    (samples,) float32
    """
    if len(donor) >= samples:
        start = int(rng.integers(len(donor) - samples + 1))
        return _below_full_scale(donor[start : start + samples].astype(np.float64))
    join = min(round(_JOIN_S * rate_hz), len(donor) // 2)
    rise = np.sqrt((np.arange(join) + 0.5) / join)  # powers add: the two are not alike
    out = np.zeros(samples)
    for start in range(0, samples, len(donor) - join):
        turn = donor.astype(np.float64)
        if start:
            turn[:join] *= rise
        turn[len(turn) - join :] *= rise[::-1]
        part = turn[: samples - start]
        out[start : start + len(part)] += part
    return _below_full_scale(out)


def _below_full_scale(waveform: NDArray[np.float64]) -> Waveform:
    return (waveform / max(1.0, float(np.abs(waveform).max(initial=0)) / _PEAK)).astype(np.float32)
