"""The constant-Q transform, and the encoding that FoleyGAN's Table IV makes of it.

44.1 kHz, 9 octaves of 56 bins from C1 (504 bins, 33 Hz to 16.5 kHz), hop 256. A bin's filter is as
long as its frequency asks (2.5 s at C1, 5 ms at the top), so the transform needs the whole sound,
and its inverse is approximate: what lies outside the 9 octaves is lost. The transform, its inverse
and its Griffin-Lim search are librosa's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import (
    Arrays,
    Blocks,
    FrontEnd,
    Levels,
    Measured,
    require_shape,
)
from foleycli.dsp.invert import Analysis
from foleycli.dsp.spec import FOLEYGAN


@dataclass(frozen=True)
class ConstantQ:
    """One constant-Q transform: frame ``j`` is centred on sample ``j * hop``.

    Attributes
    ----------
    rate_hz, hop_samples : int
        The hop can be halved once an octave, save one.
    octaves, bins_per_octave : int
    lowest_hz : float
        Of the first bin.
    filter_scale : float
        Under 1, filters are shorter than their bandwidth asks.
    """

    rate_hz: int
    hop_samples: int
    octaves: int
    bins_per_octave: int
    lowest_hz: float
    filter_scale: float = 1.0

    @property
    def bins(self) -> int:
        """Rows."""
        return self.octaves * self.bins_per_octave

    @property
    def centres_hz(self) -> NDArray[np.float64]:
        """(bins,) frequencies."""
        return np.asarray(self.lowest_hz * 2 ** (np.arange(self.bins) / self.bins_per_octave))

    @property
    def edges_hz(self) -> NDArray[np.float64]:
        """(bins + 1,) frequencies half-way, in pitch, between the bins."""
        pitch = (np.arange(self.bins + 1) - 0.5) / self.bins_per_octave
        return np.asarray(self.lowest_hz * 2**pitch)

    @property
    def filter_samples(self) -> NDArray[np.float64]:
        """(bins,) lengths of the filters."""
        ratio = 4 ** (1 / self.bins_per_octave)
        quality = self.filter_scale * (ratio + 1) / (ratio - 1)
        return np.asarray(quality * self.rate_hz / self.centres_hz)

    @property
    def full_scale(self) -> NDArray[np.float64]:
        """(bins,) magnitudes of a full-scale sinusoid on each bin's centre."""
        return np.sqrt(self.filter_samples) / 2

    def frames_for(self, samples: int) -> int:
        """Count the frames up to the first one centred on the sound's end or beyond it."""
        return 1 - (-samples // self.hop_samples)

    def forward(self, waveform: NDArray[np.floating]) -> NDArray[np.complexfloating]:
        """Transform a whole sound.

        Parameters
        ----------
        waveform : (samples,) float

        Returns
        -------
        (bins, frames_for(samples)) complex
        """
        import librosa

        frames = self.frames_for(len(waveform))
        missing = self._samples(frames) - len(waveform)
        spectrum: NDArray[np.complexfloating] = librosa.cqt(
            np.pad(waveform, (0, missing)), n_bins=self.bins, **self._options()
        )
        return spectrum[:, :frames]

    def inverse(self, spectrum: NDArray[np.complexfloating], samples: int) -> NDArray[np.floating]:
        """Turn a spectrum, (bins, frames) complex, into (samples,) of sound."""
        import librosa

        whole = self._widened(spectrum)
        length = self._samples(whole.shape[1])
        return _cut(librosa.icqt(whole, length=length, **self._options()), samples)

    def search(
        self,
        magnitude: NDArray[np.floating],
        samples: int,
        *,
        iterations: int,
        momentum: float,
        seed: int,
    ) -> NDArray[np.floating]:
        """Find (samples,) of sound with magnitudes, (bins, frames), by fast Griffin-Lim."""
        import librosa

        whole = self._widened(magnitude)
        sound = librosa.griffinlim_cqt(
            whole,
            n_iter=iterations,
            momentum=momentum,
            random_state=seed % 2**32,  # as many as NumPy's old generator takes
            length=self._samples(whole.shape[1]),
            **self._options(),
        )
        return _cut(sound, samples)

    def _samples(self, frames: int) -> int:
        """Length that gives so many frames, and at which librosa can fill its longest filter."""
        longest = 1 << int(np.ceil(np.log2(self.filter_samples[0])))
        return max((frames - 1) * self.hop_samples, longest)

    def _widened(self, spectrum: NDArray[Any]) -> NDArray[Any]:
        """Put silent frames behind a spectrum too short for librosa."""
        frames = self.frames_for(self._samples(spectrum.shape[1]))
        return np.pad(spectrum, ((0, 0), (0, frames - spectrum.shape[1])))

    def _options(self) -> dict[str, Any]:
        return {
            "sr": self.rate_hz,
            "hop_length": self.hop_samples,
            "fmin": self.lowest_hz,
            "bins_per_octave": self.bins_per_octave,
            "filter_scale": self.filter_scale,
        }


_NINE_OCTAVES = ConstantQ(FOLEYGAN.rate_hz, FOLEYGAN.hop_samples, 9, 56, 440 * 2 ** (-45 / 12))


@dataclass(frozen=True)
class Cqt(FrontEnd):
    """Log magnitude in [-1, 1], phase / pi and a channel of zeros, as FoleyGAN's picture.

    Attributes
    ----------
    transform : ConstantQ
    floor_db, ceiling_db : float
        dBFS mapped to -1 and +1: each bin reads 0 dB for a full-scale sinusoid on its centre.
        What lies under the floor decodes to exact zero.
    """

    streamed: ClassVar[bool] = False
    methods: ClassVar[tuple[str, ...]] = ("icqt", "griffin-lim")

    transform: ConstantQ = _NINE_OCTAVES
    floor_db: float = FOLEYGAN.floor_db
    ceiling_db: float = FOLEYGAN.ceiling_db

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``picture``, once: (3, bins, frames) float32 in [-1, 1]."""
        spectrum = self.transform.forward(np.concatenate(list(sound)).astype(np.float32))
        full_scale = self.transform.full_scale[:, None]
        decibels = 20 * np.log10(np.maximum(np.abs(spectrum) / full_scale, 1e-10))
        unit = np.interp(decibels, (self.floor_db, self.ceiling_db), (-1, 1))
        phase = np.angle(spectrum) / np.pi
        yield {"picture": np.stack([unit, phase, np.zeros_like(unit)]).astype(np.float32)}

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        require_shape(arrays, "picture", 3, self.transform.bins, None)

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """Raise ValueError: there are no frames of one length."""
        raise ValueError(f"{self.name} is not a short-time spectrum; choose {self._choices()}")

    def resynthesise(
        self,
        arrays: Arrays,
        measured: Measured,
        *,
        samples: int,
        method: str,
        iterations: int = 32,
        momentum: float = 0.99,
        seed: int = 0,
    ) -> NDArray[np.float32]:
        """See :meth:`FrontEnd.resynthesise`; momentum and seed are the search's alone."""
        unit, phase = arrays["picture"][0], arrays["picture"][1]
        relative = np.where(unit <= -1, 0, 10 ** (self._decibels(unit) / 20))
        magnitude = relative * self.transform.full_scale[:, None]
        if method == "icqt":
            spectrum = (magnitude * np.exp(1j * np.pi * phase)).astype(np.complex64)
            return self.transform.inverse(spectrum, samples).astype(np.float32)
        if method == "griffin-lim":
            sound = self.transform.search(
                magnitude.astype(np.float32),
                samples,
                iterations=iterations,
                momentum=momentum,
                seed=seed,
            )
            return sound.astype(np.float32)
        raise ValueError(f"{self.name} cannot be inverted by {method!r}; choose {self._choices()}")

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        decibels = self._decibels(arrays["picture"][0])
        hop_s = self.transform.hop_samples / self.rate_hz
        edges_hz = self.transform.edges_hz
        return Levels(decibels, edges_hz, hop_s, 0.0, self.floor_db, self.ceiling_db, "dBFS")

    def _decibels(self, unit: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.interp(unit, (-1, 1), (self.floor_db, self.ceiling_db))

    def _choices(self) -> str:
        return " or ".join(self.methods)


CQT = Cqt("cqt", FOLEYGAN.rate_hz)


def _cut(sound: NDArray[np.floating], samples: int) -> NDArray[np.floating]:
    """Return exactly so many samples, silence behind where there are too few."""
    return np.pad(sound[:samples], (0, max(0, samples - len(sound))))
