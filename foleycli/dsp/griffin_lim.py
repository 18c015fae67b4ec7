"""Griffin-Lim: phases and a waveform for given magnitudes, by going to and fro.

Griffin and Lim (1984) repeat P, which gives a waveform's spectrum the wanted magnitudes and takes
the least-squares inverse of what results:

    x_n = P(x_{n-1}),   P(x) = istft(S * stft(x) / |stft(x)|)

The fast form (Perraudin, Balazs and Sondergaard 2013) starts each round further along the last
step, and the accelerated one (Nenov, Nguyen and Balazs 2023) goes beyond P as well. With momentum
alpha and relaxation gamma (the latter's alpha = beta),

    x_n = (1 - gamma) y_{n-1} + gamma P(y_{n-1}),   y_n = x_n + alpha (x_n - x_{n-1})

where the last round has gamma = 1. The papers write this for spectra. They are spectra of
waveforms, and the transform is linear, so that the waveforms do, in an eighth of the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from foleycli.dsp.stft import Stft, overlap_add

MOMENTUM = 0.95
RELAXATION = 1.3  # under 1 + 1 / (1 + 2 alpha), beyond which what P takes to zero grows instead
REFIT_EVERY = 8

# Frames at a time: what they need stays in the processor's cache.
_FRAMES = 128
# At the edges of a signal that is not padded, where squared windows sum to less than this, the
# sound fades: the exact inverse would raise the misfit there to a click. Windows peak at 1.
_EDGE = 0.1
_TINY = np.float32(1e-20)

Signal = NDArray[np.float32]
Refit = Callable[[slice, NDArray[np.float32]], NDArray[np.float32]]


def griffin_lim(
    magnitude: NDArray[np.floating],
    phase: NDArray[np.floating],
    grid: Stft,
    *,
    samples: int,
    iterations: int = 32,
    momentum: float = MOMENTUM,
    beginning: Signal | None = None,
    refit: Refit | None = None,
) -> Signal:
    """Find a waveform whose spectrum has the wanted magnitudes.

    Parameters
    ----------
    magnitude : (bins, frames) float
        S.
    phase : (bins, frames) float
        Where to start, in radians.
    samples : int
        Of the signal whose ``frames`` these are.
    iterations : int
        Rounds; none inverts the magnitudes with the phases as they are.
    momentum : float
        alpha, in [0, 1]; 0 is the original algorithm, with gamma = 1.
    beginning : (n,) float32, optional
        How the waveform begins, known from elsewhere: see :func:`begin_with`.
    refit : callable, optional
        Where S is an estimate itself: ``refit(columns, reached)`` returns a better S from the
        magnitudes that the search has reached, both (columns, bins); asked every ``REFIT_EVERY``
        rounds.

    Returns
    -------
    (samples,) float32

    Raises
    ------
    ValueError
        When the momentum is out of range or the iterations are negative.
    """
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum is {momentum}; it must lie in [0, 1]")
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}; it cannot be negative")
    relaxation = np.float32(RELAXATION if momentum else 1)
    search = _Search(magnitude, grid, samples)
    found = search.with_phase(phase)
    if beginning is not None:
        begin_with(beginning, found)
    start = last = found
    for turn in range(1, iterations + 1):
        refits = refit if turn % REFIT_EVERY == 0 and turn < iterations else None
        found = search.project(start, refits)
        if turn < iterations:
            found -= start
            found *= relaxation
            found += start
        if beginning is not None:
            begin_with(beginning, found)
        start = found - last
        start *= np.float32(momentum)
        start += found
        last = found
    return found


def begin_with(beginning: Signal, found: Signal) -> Signal:
    """Put a known beginning in place: kept in its first half, faded out over its second.

    Changes and returns ``found``.
    """
    known = len(beginning)
    fade = np.clip(2 - 2 * (np.arange(known) + 0.5) / known, 0, 1)
    weight = np.sin(np.pi / 2 * fade).astype(np.float32) ** 2
    found[:known] *= 1 - weight
    found[:known] += weight * beginning
    return found


class _Search:
    """The magnitudes wanted, and what turns a waveform into one that is nearer to having them."""

    def __init__(self, magnitude: NDArray[np.floating], grid: Stft, samples: int) -> None:
        self.wanted = np.array(magnitude.T, np.float32, order="C")
        self.grid = grid
        self.taps = grid.taps.astype(np.float32)
        frames, bins = self.wanted.shape
        self.hops = -(-grid.fft_samples // grid.hop_samples)  # that a frame reaches over
        self.rows = frames + self.hops  # hops of padded signal, and one that no frame reaches
        self.signal = slice(grid.before, grid.before + samples)
        squares = np.broadcast_to(grid.taps**2, (frames, grid.fft_samples))
        cover = overlap_add(squares, grid.hop_samples)
        cover = np.pad(cover, (0, self.rows * grid.hop_samples - len(cover)))[self.signal]
        self.weight = (1 / np.maximum(cover, _EDGE)).astype(np.float32)
        self._frames = np.empty((_FRAMES, grid.fft_samples), np.float32)
        self._reached = np.empty((_FRAMES, bins), np.float32)

    def with_phase(self, phase: NDArray[np.floating]) -> Signal:
        """Invert the wanted magnitudes with (bins, frames) phases."""
        return self._synthesise(self._polar(phase))

    def project(self, waveform: Signal, refit: Refit | None) -> Signal:
        """Invert the wanted magnitudes with the phases of a waveform: P of the module."""
        return self._synthesise(self._aligned(waveform, refit))

    def _polar(self, phase: NDArray[np.floating]) -> Iterator[NDArray[np.complex64]]:
        for columns in self._columns():
            angle = phase.T[columns].astype(np.float32)
            spectrum = np.empty(angle.shape, np.complex64)
            np.cos(angle, out=spectrum.real)
            np.sin(angle, out=spectrum.imag)
            spectrum *= self.wanted[columns]
            yield spectrum

    def _aligned(self, waveform: Signal, refit: Refit | None) -> Iterator[NDArray[np.complex64]]:
        fft = self.grid.fft_samples
        frames = sliding_window_view(_pad(waveform, self.grid), fft)[:: self.grid.hop_samples]
        for columns in self._columns():
            count = columns.stop - columns.start
            windowed = np.multiply(frames[columns], self.taps, out=self._frames[:count])
            spectrum = scipy.fft.rfft(windowed)
            scale = np.abs(spectrum, out=self._reached[:count])
            if refit is not None:
                self.wanted[columns] = refit(columns, scale)
            np.maximum(scale, _TINY, out=scale)
            np.divide(self.wanted[columns], scale, out=scale)
            yield np.multiply(spectrum, scale, out=spectrum)

    def _synthesise(self, spectra: Iterable[NDArray[np.complex64]]) -> Signal:
        """Take the least-squares inverse of spectra that come some frames at a time."""
        fft, hop = self.grid.fft_samples, self.grid.hop_samples
        summed, first = np.zeros((self.rows, hop), np.float32), 0
        for spectrum in spectra:
            pieces = scipy.fft.irfft(spectrum, n=fft)
            pieces *= self.taps
            last = first + len(pieces)
            for k in range(self.hops):
                part = pieces[:, k * hop : (k + 1) * hop]
                summed[first + k : last + k, : part.shape[1]] += part
            first = last
        signal: Signal = summed.reshape(-1)[self.signal] * self.weight
        return signal

    def _columns(self) -> Iterator[slice]:
        frames = len(self.wanted)
        return (slice(i, min(i + _FRAMES, frames)) for i in range(0, frames, _FRAMES))


def _pad(waveform: Signal, grid: Stft) -> Signal:
    """Put around a signal what its frames see there; one sample or none cannot be mirrored."""
    mirror = grid.padding == "reflect" and len(waveform) > 1
    return np.pad(waveform, (grid.before, grid.after), "reflect" if mirror else "constant")
