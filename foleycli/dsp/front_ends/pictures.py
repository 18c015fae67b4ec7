"""FoleyGAN's pictures: log magnitude, linear or mel, with the phase or without it.

The paper's own (section IV-B1) is 44.1 kHz, 1024/256, 513 bins of which the lowest 512 are kept,
512 frames a tile, log magnitude and phase in [-1, 1] and a third channel of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.spec import SpectrogramSpec
from foleycli.dsp.spectrogram import draw, from_unit


@dataclass(frozen=True)
class Picture(FrontEnd):
    """The picture of a :class:`SpectrogramSpec`, as long as the sound and at least one tile."""

    spec: SpectrogramSpec

    @classmethod
    def of(cls, spec: SpectrogramSpec) -> Picture:
        """Make the front end of a picture, called like it."""
        return cls(spec.name, spec.rate_hz, spec)

    @property
    def methods(self) -> tuple[str, ...]:  # type: ignore[override]
        """Its own phase first, where it keeps one."""
        searched = ("pghi+griffin-lim", "griffin-lim", "pghi")
        return ("istft", *searched) if self.spec.phase else searched

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``picture``: (channels, bins, frames) float32 in [-1, 1]."""
        for spectrum in self.spec.grid.stream(whole_tiles(sound, self.spec)):
            yield {"picture": draw(spectrum, self.spec)}

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        require_shape(arrays, "picture", self.spec.channels, self.spec.bins, None)

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`; the Nyquist bin is not kept, but follows from a phase."""
        spec, picture = self.spec, arrays["picture"]
        magnitude, filters, phase = from_unit(picture[0], spec), None, None
        if spec.phase:
            phase = np.pad(picture[1] * np.pi, ((0, 1), (0, 0)))
        if spec.mels is None:
            nyquist = np.zeros(magnitude.shape[1]) if phase is None else _nyquist(magnitude, phase)
            magnitude = np.vstack([magnitude, np.abs(nyquist).astype(magnitude.dtype)])
            if phase is not None:
                phase[-1] = np.where(nyquist < 0, np.pi, 0)
        else:
            filters = sparse.csr_array(
                band_average_filters(spec.rate_hz, spec.fft_samples, spec.mels)
            )
        return Analysis(spec.grid, magnitude, phase, filters)

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        spec = self.spec
        hop_s = spec.hop_samples / spec.rate_hz
        decibels = (arrays["picture"][0] + 1) / 2 * (
            spec.ceiling_db - spec.floor_db
        ) + spec.floor_db
        return Levels(
            decibels, _edges_hz(spec), hop_s, hop_s / 2, spec.floor_db, spec.ceiling_db, "dBFS"
        )


def _nyquist(magnitude: NDArray[np.floating], phase: NDArray[np.floating]) -> NDArray[np.floating]:
    """(frames,) the Nyquist bin from all others.

    A frame's first sample lies under the Hann window's zero, so that the sum over all bins there is
    zero. The sum of a generator's errors would whistle: real sound stays within 4 times the next
    bin.
    """
    real = magnitude * np.cos(phase[:-1])
    found: NDArray[np.floating] = -(real[0] + 2 * real[1:].sum(axis=0))
    limit = 4 * magnitude[-1]
    bounded: NDArray[np.floating] = np.clip(found, -limit, limit)
    return bounded


def whole_tiles(sound: Blocks, spec: SpectrogramSpec) -> Iterator[NDArray[np.floating]]:
    """Add silence up to whole frames and at least one tile."""
    samples = 0
    for block in sound:
        samples += len(block)
        yield block.astype(np.float32, copy=False)
    yield np.zeros(spec.frames_for(samples) * spec.hop_samples - samples, np.float32)


def _edges_hz(spec: SpectrogramSpec) -> NDArray[np.float64]:
    """(bins + 1,) band edges: half-way between neighbouring centres."""
    if spec.mels is None:
        return np.arange(spec.bins + 1) * spec.rate_hz / spec.fft_samples
    top = 2595 * np.log10(1 + spec.rate_hz / 2 / 700)
    mel = (np.arange(spec.mels + 1) + 0.5) * top / (spec.mels + 1)
    edges: NDArray[np.float64] = 700 * (10 ** (mel / 2595) - 1)
    edges[0], edges[-1] = 0.0, spec.rate_hz / 2
    return edges
