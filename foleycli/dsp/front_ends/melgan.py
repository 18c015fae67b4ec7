"""MelGAN's own mel (Kumar et al. 2019), which its published vocoders take.

22.05 kHz, 1024/256 with 384 samples of reflection on either side, so that 256 samples give one
frame; magnitudes, not powers, in 80 Slaney mel bands from 0 Hz to Nyquist; log10, not below -5.
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
)
from foleycli.dsp.invert import Analysis
from foleycli.dsp.mel import band_edges_hz, slaney_filters
from foleycli.dsp.stft import Stft

_GRID = Stft(1024, 256, before=384, after=384)


@dataclass(frozen=True)
class Melgan(FrontEnd):
    """MelGAN's mel, as long as the sound.

    Attributes
    ----------
    grid : Stft
    mels : int
        Rows.
    low_hz, high_hz : float
        Foot of the first mel triangle and of the last.
    floor_db, ceiling_db : float
        20 log10 of the least magnitude, to which smaller ones are raised, and of the largest to
        expect.
    """

    grid: Stft = _GRID
    mels: int = 80
    low_hz: float = 0.0
    high_hz: float = 11_025.0
    floor_db: float = -100.0
    ceiling_db: float = 20.0
    main: ClassVar[str] = "mel"

    @property
    def filters(self) -> sparse.csr_array:
        """(mels, bins) the mel bands."""
        return _filters(self.rate_hz, self.grid.fft_samples, self.mels, self.low_hz, self.high_hz)

    def scale(self, decibels: NDArray[np.floating]) -> NDArray[np.floating]:
        """Turn 20 log10 of a magnitude into what is kept."""
        return decibels / 20

    def unscale(self, mel: NDArray[np.floating]) -> NDArray[np.floating]:
        """Undo :meth:`scale`."""
        return mel * 20

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``mel``: (mels, frames) float32, computed in float64.

        A sound of less than one hop is filled up to one.
        """
        least = 10 ** (self.floor_db / 20)
        for spectrum in self.grid.stream(_in_float64(sound, self.grid.hop_samples)):
            magnitude = np.maximum(self.filters @ np.abs(spectrum), least)
            yield {"mel": self.scale(20 * np.log10(magnitude)).astype(np.float32)}

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        require_shape(arrays, "mel", self.mels, None)

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`; the bottom of the range is silence."""
        decibels = self.unscale(arrays["mel"].astype(np.float64))
        magnitude = np.where(decibels > self.floor_db, 10 ** (decibels / 20), 0)
        return Analysis(self.grid, magnitude, None, self.filters)

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        return Levels(
            self.unscale(arrays["mel"]),
            band_edges_hz(self.filters, self.rate_hz),
            self.grid.hop_samples / self.rate_hz,
            (self.grid.fft_samples / 2 - self.grid.before) / self.rate_hz,
            self.floor_db,
            self.ceiling_db,
        )


MELGAN = Melgan("melgan", 22_050)


def _in_float64(sound: Blocks, least_samples: int) -> Iterator[NDArray[np.float64]]:
    samples = 0
    for block in sound:
        samples += len(block)
        yield block.astype(np.float64)
    yield np.zeros(max(0, least_samples - samples))


@lru_cache(maxsize=4)
def _filters(
    rate_hz: int, fft_samples: int, mels: int, low_hz: float, high_hz: float
) -> sparse.csr_array:
    return sparse.csr_array(slaney_filters(rate_hz, fft_samples, mels, low_hz, high_hz))
