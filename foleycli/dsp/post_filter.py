"""The filter of 512 taps that FoleyGAN puts behind its generator (section V-B).

WaveGAN learns such a filter with its generator. Behind a spectrogram there is nothing to learn it
through, so that here it is fitted: its gain takes the mean spectrum of generated sound to that of
real sound. It has linear phase about a whole sample, and applying a filter undoes its delay, so
that sound stays in time with the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from foleycli.dsp.stft import Stft, overlap_add

TAPS = 512
MOST_TAPS = 1 << 16
GAIN_LIMIT_DB = 12.0
FLOOR_DB = -80.0  # under the loudest bin: quieter ones are taken to be equally quiet
SMOOTHING_OCTAVES = 1 / 3
_GRID = Stft(1024, 512, before=512, after=512, padding="zeros")
_SYMMETRIC = 1e-5  # of the largest tap


@dataclass(frozen=True)
class PostFilter:
    """A finite impulse response.

    Attributes
    ----------
    taps : (n,) float32
    rate_hz : int
        Sample rate that it is for.
    """

    taps: NDArray[np.float32]
    rate_hz: int


@dataclass
class LongTermSpectrum:
    """Mean power spectrum of all the sound that it has heard.

    Attributes
    ----------
    total : (513,) float64
        Sum of |X|^2 over frames of 1024 samples.
    frames : int
    """

    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(_GRID.bins))
    frames: int = 0

    def hear(self, sound: Iterable[NDArray[np.floating]]) -> None:
        """Take in one sound, a block of samples at a time."""
        for spectrum in _GRID.stream(sound):
            self.total += (np.abs(spectrum) ** 2).sum(axis=1, dtype=np.float64)
            self.frames += spectrum.shape[1]

    @property
    def power(self) -> NDArray[np.float64]:
        """(513,) mean of |X|^2 over frames, zero when nothing was heard."""
        return self.total / max(1, self.frames)


def fit_post_filter(
    reference_power: NDArray[np.floating], generated_power: NDArray[np.floating], rate_hz: int
) -> PostFilter:
    """Design the filter that gives generated sound the long-term spectrum of real sound.

    Its gain is the square root of the ratio of the two spectra, each averaged over a third of an
    octave, within 12 dB either way. By frequency sampling with a Hann window it becomes 511
    symmetric taps about sample 255, and a zero.

    Parameters
    ----------
    reference_power, generated_power : (bins,) float
        Mean power from DC to Nyquist, as :class:`LongTermSpectrum` gives it.
    rate_hz : int
        Of both.

    Returns
    -------
    PostFilter

    Raises
    ------
    ValueError
        When the shapes differ, or when either spectrum is silent or not finite.
    """
    if reference_power.shape != generated_power.shape or reference_power.ndim != 1:
        raise ValueError(
            f"need two spectra alike, got {reference_power.shape} and {generated_power.shape}"
        )
    for name, power in (("reference", reference_power), ("generated", generated_power)):
        if not (np.isfinite(power).all() and power.max(initial=0.0) > 0):
            raise ValueError(f"the {name} sound is silent or not finite; there is nothing to fit")
    floor = 10 ** (FLOOR_DB / 10) * max(reference_power.max(), generated_power.max())
    wanted, had = (np.maximum(_smooth(p), floor) for p in (reference_power, generated_power))
    gain_db = np.clip(10 * np.log10(wanted / had), -GAIN_LIMIT_DB, GAIN_LIMIT_DB)
    length = TAPS - 1
    response = np.fft.fftshift(scipy.fft.irfft(10 ** (gain_db / 20)))
    centre = len(response) // 2
    taps = response[centre - length // 2 : centre + length // 2 + 1] * np.hanning(length + 2)[1:-1]
    return PostFilter(np.append(taps, 0.0).astype(np.float32), rate_hz)


def apply_post_filter(
    waveform: NDArray[np.floating], taps: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Filter a sound without delaying it.

    A symmetric filter, not counting zeros at its ends, is undone the delay of its centre (of the
    sample before, where it has an even length: half a sample too early). Any other is undone half
    its length, as WaveGAN's padding does to its filter, whose taps are those of a correlation:
    reverse them first.

    Parameters
    ----------
    waveform : (samples,) float
    taps : (n,) float
        Of a convolution.

    Returns
    -------
    (samples,) float
        Of the waveform's type.

    Raises
    ------
    ValueError
        When the taps are none, more than 65,536 or not finite.
    """
    if taps.ndim != 1 or not 1 <= len(taps) <= MOST_TAPS or not np.isfinite(taps).all():
        raise ValueError(f"need 1 to {MOST_TAPS} finite taps, got an array {taps.shape}")
    if not len(waveform):
        return waveform.copy()
    length = scipy.fft.next_fast_len(4 * len(taps), real=True)
    step = length - len(taps) + 1
    blocks = np.pad(waveform, (0, -len(waveform) % step)).reshape(-1, step)
    spectra = scipy.fft.rfft(blocks, length) * scipy.fft.rfft(taps.astype(waveform.dtype), length)
    filtered = overlap_add(scipy.fft.irfft(spectra, length), step)
    delay = _delay(taps)
    return filtered[delay : delay + len(waveform)]


def _delay(taps: NDArray[np.floating]) -> int:
    """Return the samples by which a filter is late."""
    size = np.abs(taps)
    heard = np.flatnonzero(size > _SYMMETRIC * size.max())
    if len(heard):
        core = taps[heard[0] : heard[-1] + 1]
        if np.abs(core - core[::-1]).max() <= _SYMMETRIC * size.max():
            return int(heard[0] + heard[-1]) // 2
    return len(taps) // 2


def _smooth(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average every bin with those within a sixth of an octave, and at least its neighbours."""
    bins = np.arange(len(power))
    reach = 2 ** (SMOOTHING_OCTAVES / 2)
    low = np.maximum(np.minimum(np.round(bins / reach).astype(int), bins - 1), 0)
    high = np.minimum(np.maximum(np.round(bins * reach).astype(int), bins + 1), len(power) - 1)
    summed = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    smooth: NDArray[np.float64] = (summed[high + 1] - summed[low]) / (high + 1 - low)
    return smooth
