"""GANSynth's pictures (Engel et al. 2019): log magnitude and instantaneous frequency.

Its high-resolution layout: 16 kHz, 2048/512, 1024 bins (DC dropped), 128 frames from 64,000
samples, with all the padding in front. The instantaneous frequency is the phase's step from frame
to frame, wrapped to half a turn either way; the first step is from zero. Channels are mapped by
fixed factors and clipped to [-1, 1]. The released code's numbers are followed throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

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
from foleycli.dsp.spec import FOLEYGAN
from foleycli.dsp.stft import Stft

_NEPER_DB = 20 / np.log(10)
_TURN = 2 * np.pi
_BLOCK_FRAMES = 1024  # 33 s: some 90 MB while it is worked on
_GRID = Stft(2048, 512, before=3072, padding="zeros")


@dataclass(frozen=True)
class Gansynth(FrontEnd):
    """GANSynth's picture, on linear bins or on as many mel bands (IF-Mel).

    Attributes
    ----------
    mel : bool
        Whether power and phase are summed into mel bands.
    grid : Stft
    log_floor : float
        What is added before the logarithm.
    magnitude_scale, magnitude_offset, phase_scale : float
        The fixed map to [-1, 1].
    """

    mel: bool = False
    grid: Stft = _GRID
    log_floor: float = 1e-6
    magnitude_scale: float = 0.0661371661726
    magnitude_offset: float = 0.113718730221
    phase_scale: float = 0.8

    @property
    def methods(self) -> tuple[str, ...]:  # type: ignore[override]
        """Its own phase first, but not where it was mixed across bins."""
        searched = ("pghi+griffin-lim", "griffin-lim", "pghi")
        return (*searched, "if") if self.mel else ("if", *searched)

    @property
    def bins(self) -> int:
        """Rows."""
        return self.grid.bins - 1

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``picture``: (2, bins, frames) float32 in [-1, 1]."""
        last = np.zeros((self.bins, 1))
        sound = whole_hops(sound, self.grid.hop_samples)
        for spectrum in self.grid.stream(sound, _BLOCK_FRAMES):
            log_magnitude = np.log(np.abs(spectrum[1:]) + self.log_floor)
            phase = np.angle(spectrum[1:].astype(np.complex128))
            steps = _wrap(np.diff(phase, prepend=last))
            last = phase[:, -1:]
            if self.mel:  # a sum of steps is the step of the sums: no unwrapped phase need be kept
                filters = _filters(self.rate_hz, self.bins)
                log_magnitude = np.log(filters @ np.exp(2 * log_magnitude) + self.log_floor)
                steps = _wrap(filters @ steps)
            channels = (
                self.magnitude_scale * log_magnitude + self.magnitude_offset,
                self.phase_scale * steps / np.pi,
            )
            yield {"picture": np.clip(np.stack(channels), -1, 1).astype(np.float32)}

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        require_shape(arrays, "picture", 2, self.bins, None)

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`; bands are spread over bins as the released code does."""
        picture = arrays["picture"].astype(np.float64)
        log_magnitude = (picture[0] - self.magnitude_offset) / self.magnitude_scale
        magnitude = np.maximum(np.exp(log_magnitude) - self.log_floor, 0)
        phase = np.cumsum(picture[1] * (np.pi / self.phase_scale), axis=1)
        if self.mel:
            spread = _spread(self.rate_hz, self.bins)
            magnitude, phase = np.sqrt(spread @ magnitude), spread @ phase
            dc = np.zeros(magnitude.shape[1])
        else:
            dc = _dc(magnitude * np.exp(1j * phase))
        return Analysis(
            self.grid,
            np.vstack([np.abs(dc), magnitude]),
            np.vstack([np.where(dc < 0, np.pi, 0), _wrap(phase)]),
        )

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        log_magnitude = (arrays["picture"][0] - self.magnitude_offset) / self.magnitude_scale
        full_scale = np.log(self.grid.fft_samples / 4)
        decibels = _NEPER_DB * (log_magnitude / (2 if self.mel else 1) - full_scale)
        hop_s = self.grid.hop_samples / self.rate_hz
        first_s = (self.grid.fft_samples / 2 - self.grid.before) / self.rate_hz
        floor_db, ceiling_db = FOLEYGAN.floor_db, FOLEYGAN.ceiling_db
        return Levels(decibels, self._edges_hz(), hop_s, first_s, floor_db, ceiling_db, "dBFS")

    def _edges_hz(self) -> NDArray[np.float64]:
        """(bins + 1,) half-way between neighbouring centres."""
        if self.mel:
            centres = _feet_hz(self.rate_hz, self.bins)[1:-1]
        else:
            centres = np.arange(1, self.bins + 1) * self.rate_hz / self.grid.fft_samples
        between = (centres[1:] + centres[:-1]) / 2
        return np.concatenate([[0.0], between, [self.rate_hz / 2]])


GANSYNTH = Gansynth("gansynth", 16_000)
GANSYNTH_MEL = Gansynth("gansynth-mel", 16_000, mel=True)


def _dc(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    """(frames,) the DC bin, which is not kept, from all others: (bins, frames) without it.

    A frame's first sample lies under the Hann window's zero, so that the inverse transform there,
    the sum over all bins, is zero. What a generator draws need not have such a DC bin, and there
    the sum of its errors would rumble: real sound mostly stays within 4 times the next bin.
    """
    dc = -(2 * spectrum[:-1].real.sum(axis=0) + spectrum[-1].real)
    limit = 4 * np.abs(spectrum[0])
    bounded: NDArray[np.float64] = np.clip(dc, -limit, limit)
    return bounded


def _wrap(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring angles in radians to half a turn either way; half a turn itself keeps its sign."""
    return angle - _TURN * np.rint(angle / _TURN)


def _feet_hz(rate_hz: int, bins: int) -> NDArray[np.float64]:
    """(bins + 2,) the points that the mel triangles span, three each: foot, peak, foot.

    They are equally spaced in mel (HTK's, 1127 ln(1 + f / 700)), but a triangle narrower than 1.5
    bins is widened. The released code goes up through the triangles in place, so that widening one
    moves the peak of the next: below 5 kHz the peaks end up 0.75 bins apart, and only above are
    they mel spaced. Published checkpoints saw that scale.
    """
    narrowest_hz = 1.5 * (rate_hz / 2) / bins
    mel = np.linspace(0, 1127 * np.log1p(rate_hz / 2 / 700), bins + 2)
    for peak in range(1, bins + 1):
        left_hz, peak_hz, right_hz = 700 * np.expm1(mel[peak - 1 : peak + 2] / 1127)
        if right_hz - left_hz < narrowest_hz:
            reach = 1127 * np.arcsinh(narrowest_hz / 2 / (peak_hz + 700))
            mel[peak - 1], mel[peak + 1] = mel[peak] - reach, mel[peak] + reach
    feet: NDArray[np.float64] = 700 * np.expm1(mel / 1127)
    return feet


@lru_cache(maxsize=2)
def _filters(rate_hz: int, bins: int) -> sparse.csr_array:
    """(bands, bins) triangles of height one.

    The released code lays the bins, though DC is dropped, out from 0 Hz to Nyquist, and gives the
    first of them no weight, as HTK does with DC.
    """
    feet = _feet_hz(rate_hz, bins)
    bins_hz = np.linspace(0, rate_hz / 2, bins)
    rising = (bins_hz - feet[:-2, None]) / (feet[1:-1] - feet[:-2])[:, None]
    falling = (feet[2:, None] - bins_hz) / (feet[2:] - feet[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    triangles[:, 0] = 0
    return sparse.csr_array(triangles)


@lru_cache(maxsize=2)
def _spread(rate_hz: int, bins: int) -> sparse.csr_array:
    """(bins, bands) the released way back: the filters transposed, each bin's row rescaled.

    With M the filters as (bins, bands), row f of M^T is divided by the sum of column f of M M^T.
    """
    filters = _filters(rate_hz, bins)
    overlaps = (filters.T @ filters).sum(axis=0)
    return sparse.csr_array(sparse.diags_array(1 / np.maximum(overlaps, 1e-8)) @ filters.T)
