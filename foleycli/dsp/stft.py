"""Short-time Fourier transforms: how the references cut a signal into frames, and back.

Frame ``j`` starts at sample ``j * hop - before`` of the signal. Published systems differ in how
many samples they put around the signal and of what kind; the transform itself is one,

    X[m, j] = sum_t w[t] x[jH - before + t] exp(-2 pi i m t / fft)

and its inverse is the least-squares one (Griffin and Lim 1984, equation 6),

    x[t] = sum_j w[t - jH] y_j[t - jH] / sum_j w[t - jH]^2

Phases are those of NumPy's and torch's transforms: time runs from the start of each frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Waveform = NDArray[np.floating]
BLOCK_FRAMES = 128  # what they and their transform take fits into the processor's cache
_LEAST_COVERAGE = 1e-2  # of the sum of squared windows, relative to the inside


@dataclass(frozen=True)
class Stft:
    """One way to cut and transform.

    Attributes
    ----------
    fft_samples, hop_samples : int
    window_samples : int
        Length of the window, centred in the frame; 0 means as long as the transform.
    window : {"hann", "hamming", "tukey"}
        Periodic; Tukey with a quarter of its length tapered.
    before, after : int
        Samples put before and after the signal.
    padding : {"reflect", "zeros"}
        What they are.
    """

    fft_samples: int
    hop_samples: int
    window_samples: int = 0
    window: str = "hann"
    before: int = 0
    after: int = 0
    padding: str = "reflect"

    @property
    def bins(self) -> int:
        """Rows of the spectrum, DC and Nyquist included."""
        return self.fft_samples // 2 + 1

    @property
    def taps(self) -> NDArray[np.float64]:
        """(fft_samples,) the window, zeros around it where it is shorter than the transform."""
        return _taps(self)

    def frames_for(self, samples: int) -> int:
        """Count the frames that lie wholly within the padded signal."""
        padded = self.before + samples + self.after
        return max(0, 1 + (padded - self.fft_samples) // self.hop_samples)

    def forward(self, waveform: Waveform) -> NDArray[np.complexfloating]:
        """Transform a whole signal.

        Parameters
        ----------
        waveform : (samples,) float
            In float32 the transform is complex64, else complex128.

        Returns
        -------
        (bins, frames_for(samples)) complex
        """
        edges = (self.before, self.after)
        if self.padding == "zeros":
            padded = np.pad(waveform, edges)
        else:  # one sample or none cannot be mirrored
            padded = np.pad(waveform, edges, "reflect" if len(waveform) > 1 else "constant")
        return self._transform(padded)

    def stream(
        self, blocks: Iterable[Waveform], block_frames: int = BLOCK_FRAMES
    ) -> Iterator[NDArray[np.complexfloating]]:
        """Transform a signal that comes in blocks: columns of :meth:`forward`, some at a time."""
        step = block_frames * self.hop_samples
        reach = step - self.hop_samples + self.fft_samples
        held: list[Waveform] = []
        for block in self._padded(blocks):
            held.append(block)
            if sum(map(len, held)) < reach:
                continue
            signal, start = np.concatenate(held), 0
            while start + reach <= len(signal):
                yield self._transform(signal[start : start + reach])
                start += step
            held = [signal[start:]]
        rest = np.concatenate(held)
        if len(rest) >= self.fft_samples:
            yield self._transform(rest)

    def inverse(
        self, spectrum: NDArray[np.complexfloating], samples: int | None = None
    ) -> NDArray[np.floating]:
        """Invert :meth:`forward`.

        Parameters
        ----------
        spectrum : (bins, frames) complex
        samples : int, optional
            Length of the signal; unless told, all that the frames cover but for the padding.
            Beyond the last frame there is silence.

        Returns
        -------
        (samples,) float
        """
        pieces = scipy.fft.irfft(spectrum.T, n=self.fft_samples, axis=-1)
        pieces *= self.taps.astype(pieces.dtype)
        padded = overlap_add(pieces, self.hop_samples)
        padded *= _inverse_weight(self, spectrum.shape[1]).astype(pieces.dtype)
        if samples is None:
            return padded[self.before : len(padded) - self.after]
        signal = padded[self.before : self.before + samples]
        return np.pad(signal, (0, samples - len(signal)))

    def _transform(self, padded: Waveform) -> NDArray[np.complexfloating]:
        if len(padded) < self.fft_samples:
            kind = np.complex64 if padded.dtype == np.float32 else np.complex128
            return np.zeros((self.bins, 0), kind)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.fft_samples)
        windowed = frames[:: self.hop_samples] * self.taps.astype(padded.dtype)
        spectrum: NDArray[np.complexfloating] = scipy.fft.rfft(windowed, axis=-1).T
        return spectrum

    def _padded(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """Put the samples around a signal that comes in blocks; keeps only its two ends."""
        reach = max(self.before, self.after) + 1
        head: Waveform | None = np.zeros(0, np.float32)
        tail = np.zeros(0, np.float32)
        for block in blocks:
            if head is not None:
                head = np.concatenate([head, block]) if len(head) else block
                if len(head) <= reach:
                    continue
                block = np.concatenate([self._edge(head[: self.before + 1], self.before), head])
                head = None
            yield block
            tail = np.concatenate([tail, block])[-reach:]
        if head is not None:  # shorter than its padding
            edges = (self.before, self.after)
            mirror = self.padding == "reflect" and len(head) > 1
            yield np.pad(head, edges, "reflect" if mirror else "constant")
        elif self.after:
            yield self._edge(tail[::-1][: self.after + 1], self.after)[::-1]

    def _edge(self, nearest: Waveform, samples: int) -> Waveform:
        """Return what goes before a signal that begins with ``nearest`` (samples + 1,)."""
        if self.padding == "zeros":
            return np.zeros(samples, nearest.dtype)
        return nearest[1:][::-1]


def overlap_add(pieces: NDArray[np.floating], hop_samples: int) -> NDArray[np.floating]:
    """Sum (frames, fft) pieces, each ``hop`` after the last: ((frames - 1) * hop + fft,)."""
    frames, fft = pieces.shape
    hops = -(-fft // hop_samples)
    if fft % hop_samples:
        pieces = np.pad(pieces, ((0, 0), (0, hops * hop_samples - fft)))
    summed = np.zeros((frames + hops - 1, hop_samples), pieces.dtype)
    for k in range(hops):
        summed[k : k + frames] += pieces[:, k * hop_samples : (k + 1) * hop_samples]
    return summed.reshape(-1)[: max(0, frames - 1) * hop_samples + fft]


@lru_cache(maxsize=16)
def _taps(grid: Stft) -> NDArray[np.float64]:
    length = grid.window_samples or grid.fft_samples
    if grid.window == "tukey":
        distance = np.minimum(np.arange(length), length - np.arange(length))  # from either end
        window = np.sin(np.pi / 2 * np.minimum(1, distance / (length / 8))) ** 2
    else:
        symmetric = {"hann": np.hanning, "hamming": np.hamming}[grid.window]
        window = symmetric(length + 1)[:-1]
    left = (grid.fft_samples - length) // 2
    return np.pad(window, (left, grid.fft_samples - length - left))


@lru_cache(maxsize=4)
def _inverse_weight(grid: Stft, frames: int) -> NDArray[np.float64]:
    """1 / sum_j w^2; where frames hardly reach, at the outer edges, it is held down.

    There a spectrum that no waveform has would click: a window's foot undone at full amplification
    is hundreds of times too loud.
    """
    squares = np.broadcast_to(grid.taps**2, (frames, grid.fft_samples))
    weight = overlap_add(squares, grid.hop_samples)
    inverse: NDArray[np.float64] = 1 / np.maximum(
        weight, _LEAST_COVERAGE * weight.max(initial=1e-8)
    )
    return inverse
