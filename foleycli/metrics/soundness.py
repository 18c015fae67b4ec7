"""Soundness of a file: silence, clipping, broken samples, and the length and rate asked for.

Distances between sets of sounds can be good for silence; these checks are what tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SILENCE_DBFS = -60.0
FRAME_S = 0.05
FULL_SCALE = 32_766 / 32_768  # the highest value of 16 bits but one
CLIP_RUN = 3  # fewer samples in a row may be a true peak
DURATION_TOLERANCE_S = 0.05


@dataclass(frozen=True)
class Soundness:
    """What was found in one file.

    Attributes
    ----------
    rate_hz : int
    duration_s : float
    not_finite : int
        Samples that are NaN or infinite; they count as zeros below.
    silent_share : float
        Share of the frames of 50 ms in which no sample exceeds -60 dBFS.
    clipped_runs, clipped_samples : int
        Runs of 3 or more samples of one sign at full scale, and the samples in them.
    problems : tuple of str
        In words; empty when all is well.
    """

    rate_hz: int
    duration_s: float
    not_finite: int
    silent_share: float
    clipped_runs: int
    clipped_samples: int
    problems: tuple[str, ...]


def soundness(
    waveform: NDArray[np.floating],
    rate_hz: int,
    expected_duration_s: float | None = None,
    expected_rate_hz: int | None = None,
    tolerance_s: float = DURATION_TOLERANCE_S,
) -> Soundness:
    """Check one sound.

    Parameters
    ----------
    waveform : (samples,) float
        Mono, full scale 1, as stored: before any resampling.
    rate_hz : int
    expected_duration_s, expected_rate_hz : optional
        Of the reference sound or picture; not checked unless given.
    tolerance_s : float
        How far the duration may be off.

    Returns
    -------
    Soundness

    Raises
    ------
    ValueError
        When the waveform is not one-dimensional or the rate is not positive.
    """
    if waveform.ndim != 1 or rate_hz <= 0:
        raise ValueError(
            f"need (samples,) at a positive rate, got {waveform.shape} at {rate_hz} Hz"
        )
    finite = np.isfinite(waveform)
    sound = np.where(finite, waveform, 0).astype(np.float64)
    not_finite = int((~finite).sum())
    duration_s = len(sound) / rate_hz
    silent_share = _silent_share(sound, rate_hz)
    runs = np.concatenate([_run_lengths(side >= FULL_SCALE) for side in (sound, -sound)])
    clipped = runs[runs >= CLIP_RUN]
    problems = []
    if not len(sound):
        problems.append("no samples")
    if not_finite:
        problems.append(f"{not_finite} samples are not finite")
    if len(sound) and silent_share == 1:
        problems.append(f"silent: nothing above {SILENCE_DBFS:g} dBFS")
    if len(clipped):
        problems.append(f"clipped in {len(clipped)} places, {clipped.sum()} samples")
    if expected_rate_hz is not None and rate_hz != expected_rate_hz:
        problems.append(f"{rate_hz} Hz instead of {expected_rate_hz} Hz")
    if expected_duration_s is not None and abs(duration_s - expected_duration_s) > tolerance_s:
        problems.append(f"{duration_s:.3f} s instead of {expected_duration_s:.3f} s")
    return Soundness(
        rate_hz,
        duration_s,
        not_finite,
        silent_share,
        len(clipped),
        int(clipped.sum()),
        tuple(problems),
    )


def _silent_share(sound: NDArray[np.float64], rate_hz: int) -> float:
    if not len(sound):
        return 1.0
    starts = np.arange(0, len(sound), max(1, round(FRAME_S * rate_hz)))
    peaks = np.maximum.reduceat(np.abs(sound), starts)
    return float((peaks <= 10 ** (SILENCE_DBFS / 20)).mean())


def _run_lengths(marked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Lengths of the runs of true values."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    return edges[1::2] - edges[::2]
