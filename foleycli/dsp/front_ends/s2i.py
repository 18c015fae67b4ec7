"""Sound-to-Imagination's bytes (Fanzeres and Nadeu 2023): a second of log mel as a small image.

The paper gives 25-ms Hamming windows every 10 ms and 128 mel bands of power. What it leaves out is
taken from the statistics of the authors' 61,990 published images: 44.1 kHz, Slaney's mels, and 40
dB below the loudest cell of the whole track, as bytes, the highest band in row 0. Its networks take
byte / 127.5 - 1.

A second is exactly 100 columns: column j is centred on (j + 1/2) hops, the sound mirrored at its
two ends. The last second is filled up with silence: nothing is lost, and a segment that is mostly
padding can be told by ``padded_columns``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from foleycli.dsp.front_ends.front_end import (
    Arrays,
    Blocks,
    FrontEnd,
    Levels,
    Measured,
    require_shape,
    whole_hops,
)
from foleycli.dsp.invert import Analysis
from foleycli.dsp.mel import band_edges_hz, slaney_filters
from foleycli.dsp.stft import Stft

_LEAST_POWER = 1e-30  # what an all-silent track is relative to


@dataclass(frozen=True)
class S2i(FrontEnd):
    """Sound-to-Imagination's images of one second each.

    Attributes
    ----------
    fft_samples, mels : int
    segment_columns : int
        Columns in a second.
    window_s : float
    floor_db : float
        Relative to the loudest cell of the track: what byte 0 is.
    """

    fft_samples: int = 2048
    mels: int = 128
    segment_columns: int = 100
    window_s: float = 0.025
    floor_db: float = -40.0
    main: ClassVar[str] = "segments"
    measures: ClassVar[tuple[str, ...]] = ("peak_db",)
    time_axis: ClassVar[int] = 0

    def __post_init__(self) -> None:
        """Raise ValueError for a rate at which a second is not a whole number of columns."""
        if self.rate_hz % self.segment_columns:
            raise ValueError(f"{self.rate_hz} Hz is no multiple of {self.segment_columns}")

    @property
    def grid(self) -> Stft:
        """How the signal is cut into columns."""
        hop = self.rate_hz // self.segment_columns
        window = int(self.window_s * self.rate_hz)
        around = self.fft_samples - hop
        return Stft(
            self.fft_samples, hop, window, "hamming", before=around // 2, after=around - around // 2
        )

    @property
    def filters(self) -> sparse.csr_array:
        """(mels, bins) the mel bands."""
        return _filters(self.rate_hz, self.fft_samples, self.mels)

    def measure(self, sound: Blocks) -> dict[str, float]:
        """Return the track's loudest cell and how many columns stand for the padding alone."""
        samples, loudest = 0, _LEAST_POWER

        def counted() -> Iterator[NDArray[np.floating]]:
            nonlocal samples
            for block in sound:
                samples += len(block)
                yield block

        for power in self._powers(counted()):
            loudest = max(loudest, float(power.max()))
        padded = -samples % self.rate_hz // self.grid.hop_samples
        return {"peak_db": 10 * float(np.log10(loudest)), "padded_columns": float(padded)}

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.uint8]]]:
        """Yield ``segments``: (n, mels, segment_columns) uint8, the highest band first."""
        loudest = 10 ** (measured["peak_db"] / 10)
        for power in self._powers(sound):
            relative = np.maximum(power / loudest, 10 ** (self.floor_db / 10))
            unit = 1 - 10 * np.log10(relative) / self.floor_db
            yield {"segments": np.rint(255 * np.clip(unit, 0, 1)).astype(np.uint8)[None, ::-1]}

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        segments = require_shape(arrays, "segments", None, self.mels, self.segment_columns)
        if segments.dtype != np.uint8:
            raise ValueError(f"segments are {segments.dtype}; this front end's are uint8")

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`; the bands are of power, and byte 0 is silence."""
        image = self._image(arrays)
        power = np.where(image > 0, 10 ** ((self._decibels(image) + measured["peak_db"]) / 10), 0)
        return Analysis(self.grid, np.sqrt(power), None, self.filters, power=True)

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        hop_s = self.grid.hop_samples / self.rate_hz
        edges_hz = band_edges_hz(self.filters, self.rate_hz)
        decibels = self._decibels(self._image(arrays))
        return Levels(decibels, edges_hz, hop_s, hop_s / 2, self.floor_db, 0.0, "dB re loudest")

    def _powers(self, sound: Blocks) -> Iterator[NDArray[np.floating]]:
        """Yield (mels, segment_columns) power, low bands first, a second at a time."""
        for spectrum in self.grid.stream(whole_hops(sound, self.rate_hz), self.segment_columns):
            yield self.filters @ (spectrum.real**2 + spectrum.imag**2)

    def _image(self, arrays: Arrays) -> NDArray[np.uint8]:
        """(mels, columns) low bands first."""
        joined = arrays["segments"].transpose(1, 0, 2).reshape(self.mels, -1)
        return joined[::-1]

    def _decibels(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self.floor_db * (1 - image / 255)


S2I = S2i("s2i", 44_100)


def to_model(segments: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bring bytes to [-1, 1], as the published networks take them."""
    return (segments / 127.5 - 1).astype(np.float32)


@lru_cache(maxsize=4)
def _filters(rate_hz: int, fft_samples: int, mels: int) -> sparse.csr_array:
    return sparse.csr_array(slaney_filters(rate_hz, fft_samples, mels))
