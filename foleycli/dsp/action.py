"""The action series (what happens when) and its spectrogram S_act, FoleyGAN IV-A2 and Fig. 4.

A series holds one value in [0, 1] a video frame; value ``k`` stands for time ``k / fps``. Events
are drawn into it as short pulses, so that a detected event, one typed by hand and one heard in a
training recording all look alike to the generator. The transform is taken at the *video* rate (Hann
16, 64-point, hop 1): brought up to the audio rate first, 99.9996 % of a 30-fps series' energy would
fall into the two lowest bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.stft import Stft

ACTION_FPS = 30.0
PULSE_SECONDS = 0.04  # standard deviation of an event's pulse: a little over one frame
_WINDOW_FRAMES = 16
_FFT_FRAMES = 64
_GRID = Stft(_FFT_FRAMES, 1, _WINDOW_FRAMES, before=_FFT_FRAMES // 2, after=_FFT_FRAMES // 2)
_RANGE_DB = 80.0


@dataclass(frozen=True)
class ActionSeries:
    """Activity a frame: ``values`` (N,) float32 in [0, 1], value k at time ``k / fps`` seconds."""

    values: NDArray[np.float32]
    fps: float = ACTION_FPS

    @property
    def duration_s(self) -> float:
        """Seconds that the series covers."""
        return len(self.values) / self.fps


def series_from_events(
    times_s: Sequence[float] | NDArray[np.floating],
    strengths: Sequence[float] | NDArray[np.floating],
    duration_s: float,
    fps: float = ACTION_FPS,
) -> ActionSeries:
    """Draw events as Gaussian pulses; where pulses meet, the stronger one stands.

    Parameters
    ----------
    times_s, strengths : (events,) float
        Seconds from the start (events outside the clip leave only their tails), heights in [0, 1].
    duration_s : float
        Length of the series; it has ``ceil(duration_s * fps)`` values.
    """
    count = int(np.ceil(duration_s * fps - 1e-9))
    clock = np.arange(count) / fps
    values = np.zeros(count, np.float32)
    for time, strength in zip(times_s, strengths, strict=True):
        pulse = strength * np.exp(-0.5 * ((clock - time) / PULSE_SECONDS) ** 2)
        values = np.maximum(values, pulse.astype(np.float32))
    return ActionSeries(np.clip(values, 0, 1), fps)


def action_spectrogram(
    series: ActionSeries,
    *,
    rows: int,
    columns: int,
    duration_s: float,
    third_channel: str = "zeros",
) -> NDArray[np.float32]:
    """Draw S_act: the series' complex spectrogram on the audio picture's grid.

    Column ``j`` is centred on ``(j + 1/2) duration / columns`` seconds, as audio frames are. Real
    and imaginary parts are interpolated (wrapped phase cannot be), then turned into log magnitude
    over a fixed 80 dB and phase / pi. The range is fixed because a range per clip would hide that
    nothing happens.

    Parameters
    ----------
    series : ActionSeries
        At least 1 value; the part under ``duration_s`` is drawn, silence beyond its end.
    rows, columns : int
        Size of the picture.
    third_channel : {"zeros", "series"}
        The paper leaves it open: zeros, or the series itself (mapped to [-1, 1]) on every row.

    Returns
    -------
    (3, rows, columns) float32 in [-1, 1]
    """
    count = max(int(np.ceil(duration_s * series.fps)) + 1, _FFT_FRAMES)
    values = np.zeros(count, np.float32)
    given = series.values[:count]
    values[: len(given)] = given
    spectrum = _GRID.forward(values)[:, :count]
    times = (np.arange(columns) + 0.5) * duration_s / columns * series.fps
    grid = _resample(
        _resample(spectrum, times, axis=1), _row_positions(spectrum.shape[0], rows), axis=0
    )
    decibels = 20 * np.log10(np.maximum(np.abs(grid) / (_WINDOW_FRAMES / 2), 1e-10))
    log_magnitude = np.clip(2 * decibels / _RANGE_DB + 1, -1, 1)
    third = np.zeros((rows, columns))
    if third_channel == "series":
        third += 2 * np.interp(times, np.arange(count), values) - 1
    return np.stack([log_magnitude, np.angle(grid) / np.pi, third]).astype(np.float32)


def _row_positions(bins: int, rows: int) -> NDArray[np.float64]:
    return np.linspace(0, bins - 1, rows)


def _resample(
    grid: NDArray[np.complexfloating], positions: NDArray[np.float64], axis: int
) -> NDArray[np.complexfloating]:
    """Linear interpolation along one axis at fractional indices, held at the ends."""
    last = grid.shape[axis] - 1
    positions = np.clip(positions, 0, last)
    low = np.minimum(positions.astype(int), max(last - 1, 0))
    share = (positions - low).reshape([-1 if a == axis else 1 for a in range(grid.ndim)])
    below, above = (np.take(grid, i, axis=axis) for i in (low, np.minimum(low + 1, last)))
    between: NDArray[np.complexfloating] = below * (1 - share) + above * share
    return between
