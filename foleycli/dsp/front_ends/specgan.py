"""SpecGAN's picture (Donahue et al. 2019): log magnitudes normalised by a training set's.

16 kHz, 256/128, the sound padded at its end so that 16,384 samples give 128 frames, the Nyquist bin
dropped: 128 x 128. Each bin of log(|X| + 1e-6) is shifted by its mean over the training set,
divided by three of its standard deviations and clipped to [-1, 1]. There is no phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

_GRID = Stft(256, 128, after=128, padding="zeros")
_LEAST_STD = 1e-6  # of a bin that never varied: rounding alone must not fill the range


@dataclass(frozen=True, eq=False)
class SpecGanStatistics:
    """What the log magnitudes of a training set are like.

    Attributes
    ----------
    mean, std : (bins,) float64
        Of log(|X| + 1e-6) over all frames of all sounds (population standard deviation).
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


@dataclass(frozen=True)
class SpecGan(FrontEnd):
    """SpecGAN's picture, as long as the sound.

    Attributes
    ----------
    grid : Stft
    log_floor : float
        What is added before the logarithm.
    deviations : float
        Standard deviations from the middle of the range to its end.
    statistics : SpecGanStatistics, optional
        Needed by all but :meth:`check`; files carry them along.
    """

    grid: Stft = _GRID
    log_floor: float = 1e-6
    deviations: float = 3.0
    statistics: SpecGanStatistics | None = field(default=None, compare=False, repr=False)

    @property
    def bins(self) -> int:
        """Rows."""
        return self.grid.bins - 1

    def as_dict(self) -> dict[str, Any]:
        """See :meth:`FrontEnd.as_dict`; the statistics are arrays, not constants."""
        return {key: value for key, value in super().as_dict().items() if key != "statistics"}

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``picture``: (1, bins, frames) float32 in [-1, 1].

        Raises
        ------
        ValueError
            When there are no statistics.
        """
        statistics = self._known()
        middle, reach = statistics.mean[:, None], self._reach(statistics.std)
        for levels in log_magnitudes(self, sound):
            yield {"picture": np.clip((levels - middle) / reach, -1, 1)[None].astype(np.float32)}

    def constants(self) -> dict[str, NDArray[Any]]:
        """Return ``mean`` and ``std``: (bins,) float64."""
        statistics = self._known()
        return {"mean": statistics.mean, "std": statistics.std}

    def with_constants(self, arrays: Arrays) -> SpecGan:
        """See :meth:`FrontEnd.with_constants`."""
        mean = require_shape(arrays, "mean", self.bins)
        std = require_shape(arrays, "std", self.bins)
        if (std < 0).any():
            raise ValueError("std is negative")
        return replace(self, statistics=SpecGanStatistics(mean, std))

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        require_shape(arrays, "picture", 1, self.bins, None)
        self.with_constants(arrays)

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`; the Nyquist bin, which is not kept, is zero."""
        magnitude = np.maximum(np.exp(self._logarithm(arrays)) - self.log_floor, 0)
        return Analysis(self.grid, np.pad(magnitude, ((0, 1), (0, 0))))

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        full_scale = np.log(self.grid.fft_samples / 4)
        decibels = 20 / np.log(10) * (self._logarithm(arrays) - full_scale)
        edges_hz = (np.arange(self.bins + 1) - 0.5) * self.rate_hz / self.grid.fft_samples
        hop_s = self.grid.hop_samples / self.rate_hz
        edges_hz[0] = 0
        floor_db, ceiling_db = FOLEYGAN.floor_db, FOLEYGAN.ceiling_db
        return Levels(decibels, edges_hz, hop_s, hop_s, floor_db, ceiling_db, "dBFS")

    def _logarithm(self, arrays: Arrays) -> NDArray[np.float64]:
        """(bins, frames) log(|X| + floor), but for what was clipped."""
        known = self._known()
        reach = self._reach(known.std)
        logarithm: NDArray[np.float64] = arrays["picture"][0] * reach + known.mean[:, None]
        return logarithm

    def _reach(self, std: NDArray[np.float64]) -> NDArray[np.float64]:
        """(bins, 1) from the middle of the range to its end."""
        reach: NDArray[np.float64] = self.deviations * np.maximum(std, _LEAST_STD)[:, None]
        return reach

    def _known(self) -> SpecGanStatistics:
        if self.statistics is None:
            raise ValueError(
                "specgan normalises by a training set's statistics; give --statistics FILE, "
                "or --fit FILE to make it from these inputs"
            )
        return self.statistics


SPECGAN = SpecGan("specgan", 16_000)


def log_magnitudes(front: SpecGan, sound: Blocks) -> Iterator[NDArray[np.float64]]:
    """Yield log(|X| + floor), (bins, frames) float64, some frames at a time."""
    for spectrum in front.grid.stream(whole_hops(sound, front.grid.hop_samples)):
        yield np.log(np.abs(spectrum[:-1].astype(np.complex128)) + front.log_floor)


def accumulate(front: SpecGan, sounds: Iterable[Blocks]) -> SpecGanStatistics:
    """Measure a training set, in constant memory.

    Blocks' means and sums of squared deviations are merged as Chan, Golub and LeVeque (1983) do,
    in float64: within 1e-12 of all frames taken at once.

    Parameters
    ----------
    sounds : iterable of blocks
        Each sound mono at ``front.rate_hz``, in blocks of any length.

    Returns
    -------
    SpecGanStatistics

    Raises
    ------
    ValueError
        When there is no sound.
    """
    frames, mean, squares = 0, np.zeros(front.bins), np.zeros(front.bins)
    for sound in sounds:
        for levels in log_magnitudes(front, sound):
            more = levels.shape[1]
            away = levels.mean(axis=1) - mean
            squares += levels.var(axis=1) * more + away**2 * (frames * more / (frames + more))
            mean += away * (more / (frames + more))
            frames += more
    if not frames:
        raise ValueError("no sound to measure statistics from")
    return SpecGanStatistics(mean, np.sqrt(squares / frames))
