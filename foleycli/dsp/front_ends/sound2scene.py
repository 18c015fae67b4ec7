"""Sound2Scene's spectrogram (Sung-Bin et al. 2023), as its released code computes it.

16 kHz, 10 s: a longer sound is cut, a shorter one repeated. What follows is
``scipy.signal.spectrogram`` with 512 samples and 353 of overlap, the rest as scipy has it: frames
every 159 samples, the first on sample 0; each frame's mean removed; a Tukey window; one-sided power
density. Its natural logarithm, 1e-7 added, is shifted by its mean over the whole matrix and divided
by its standard deviation. The paper leaves out that last step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.fft
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
from foleycli.dsp.stft import Stft

_GRID = Stft(512, 159, window="tukey")


@dataclass(frozen=True)
class Sound2Scene(FrontEnd):
    """Sound2Scene's z-scored log power density.

    Attributes
    ----------
    grid : Stft
    clip_s : float
        Seconds that all sounds are brought to.
    power_floor : float
        What is added before the logarithm, in 1 / Hz; it hides most cells of most sounds.
    least_std : float
        What is added to the standard deviation.
    """

    grid: Stft = _GRID
    clip_s: float = 10.0
    power_floor: float = 1e-7
    least_std: float = 1e-9
    main: ClassVar[str] = "spectrogram"
    measures: ClassVar[tuple[str, ...]] = ("mean", "std")

    @property
    def clip_samples(self) -> int:
        """Samples that all sounds are brought to."""
        return round(self.clip_s * self.rate_hz)

    @property
    def frames(self) -> int:
        """Columns."""
        return self.grid.frames_for(self.clip_samples)

    def samples_kept(self, samples: int) -> int:
        """See :meth:`FrontEnd.samples_kept`."""
        return min(samples, self.clip_samples)

    def measure(self, sound: Blocks) -> dict[str, float]:
        """Return the mean and standard deviation of the logarithm over the matrix."""
        logarithm = self._logarithm(sound)
        return {"mean": float(logarithm.mean()), "std": float(logarithm.std())}

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``spectrogram``: (bins, frames) float32, DC in row 0, computed in float64."""
        centred = self._logarithm(sound) - measured["mean"]
        yield {"spectrogram": (centred / (measured["std"] + self.least_std)).astype(np.float32)}

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        require_shape(arrays, "spectrogram", self.grid.bins, None)

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`; of the frames without their means."""
        power = np.maximum(np.exp(self._undone(arrays, measured)) - self.power_floor, 0)
        return Analysis(self.grid, np.sqrt(power / self._density()[:, None]))

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        step_hz = self.rate_hz / self.grid.fft_samples
        edges_hz = np.clip((np.arange(self.grid.bins + 1) - 0.5) * step_hz, 0, self.rate_hz / 2)
        full_scale = (self.grid.taps.sum() / 2) ** 2 * self._density().max()  # of a sinusoid
        return Levels(
            10 / np.log(10) * self._undone(arrays, measured),
            edges_hz,
            self.grid.hop_samples / self.rate_hz,
            self.grid.fft_samples / 2 / self.rate_hz,
            10 * np.log10(self.power_floor),
            10 * np.log10(full_scale),
            "dB re 1/Hz",
        )

    def _undone(self, arrays: Arrays, measured: Measured) -> NDArray[np.float64]:
        """(bins, frames) the logarithm before its mean and deviation were taken away."""
        z = arrays["spectrogram"].astype(np.float64)
        logarithm: NDArray[np.float64] = z * (measured["std"] + self.least_std) + measured["mean"]
        return logarithm

    def _logarithm(self, sound: Blocks) -> NDArray[np.float64]:
        """(bins, frames) natural logarithm of the power density."""
        clip = self._clip(sound)
        frames = np.lib.stride_tricks.sliding_window_view(clip, self.grid.fft_samples)
        frames = frames[:: self.grid.hop_samples]
        frames = frames - frames.mean(axis=1, keepdims=True)
        spectrum = scipy.fft.rfft(frames * self.grid.taps, axis=1).T
        power = (spectrum.real**2 + spectrum.imag**2) * self._density()[:, None]
        logarithm: NDArray[np.float64] = np.log(power + self.power_floor)
        return logarithm

    def _density(self) -> NDArray[np.float64]:
        """(bins,) from |X|^2 to density: bins between DC and Nyquist stand for two."""
        density = np.full(self.grid.bins, 2 / (self.rate_hz * (self.grid.taps**2).sum()))
        density[[0, -1]] /= 2
        return density

    def _clip(self, sound: Blocks) -> NDArray[np.float64]:
        """(clip_samples,) in [-1, 1]; a sound is heard no longer than kept."""
        heard, samples = [], 0
        for block in sound:
            heard.append(block)
            samples += len(block)
            if samples >= self.clip_samples:
                break
        whole = np.resize(np.concatenate(heard).astype(np.float64), self.clip_samples)
        return np.clip(whole, -1, 1)


SOUND2SCENE = Sound2Scene("sound2scene", 16_000)
