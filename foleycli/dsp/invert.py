"""What is known of a sound's spectrum -> the sound.

Long spectrograms are inverted in blocks, so that what the search needs is bounded. Blocks overlap.
Each is told how it begins, from the block before it: its phases go on from the known waveform's,
the search keeps that waveform, and it fades into the new one where both are well determined. What
the next block keeps is not the last of the one before, which no later frame had a say in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from foleycli.dsp.griffin_lim import MOMENTUM, Signal, begin_with, griffin_lim
from foleycli.dsp.nonnegative import UPDATES, undo_bands
from foleycli.dsp.pghi import integrate_phase
from foleycli.dsp.stft import Stft

_GIVEN_PHASE = ("istft", "if")
METHODS = (*_GIVEN_PHASE, "griffin-lim", "pghi", "pghi+griffin-lim")

_BLOCK_CELLS = 1 << 20  # 2043 frames of 513 bins; PGHI takes some 150 bytes a cell
# In lengths of the transform: how far blocks overlap, and how much of it is known beforehand.
_OVERLAP, _KNOWN = 8, 6
# The search tells how magnitudes lie within a band, which the band itself does not: at each refit
# magnitudes start from the geometric mean of both, the search's having this weight.
_REFIT_WEIGHT, _REFIT_UPDATES = 0.7, 3


@dataclass(frozen=True)
class Analysis:
    """What is known of a sound's short-time spectrum: where an inversion starts.

    Attributes
    ----------
    grid : Stft
        The frames.
    magnitude : (rows, frames) float
        Of the linear bins, or of bands when ``filters`` is given; in the waveform's units.
    phase : (bins, frames) float, optional
        In radians.
    filters : sparse (rows, bins) array, optional
        ``magnitude = filters @ |X|``.
    power : bool
        Whether the filters take powers: ``magnitude**2 = filters @ |X|**2``.
    """

    grid: Stft
    magnitude: NDArray[np.floating]
    phase: NDArray[np.floating] | None = None
    filters: sparse.csr_array | None = None
    power: bool = False


def invert(
    analysis: Analysis,
    *,
    samples: int,
    method: str,
    iterations: int = 32,
    momentum: float = MOMENTUM,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Turn an analysis back into sound.

    Parameters
    ----------
    analysis : Analysis
    samples : int
        Length of the sound; beyond what the frames cover it is silent.
    method : {"istft", "if", "griffin-lim", "pghi", "pghi+griffin-lim"}
        "istft" and "if" take the analysis' phase. "pghi" finds one from the magnitudes
        (:mod:`foleycli.dsp.pghi`); "griffin-lim" searches from a random one and
        "pghi+griffin-lim" from that (:mod:`foleycli.dsp.griffin_lim`). Bands are undone first
        (:mod:`foleycli.dsp.nonnegative`), whatever the method.
    iterations, momentum : int, float
        Of the search.
    seed : int
        Of the random phases.

    Returns
    -------
    (samples,) float32

    Raises
    ------
    ValueError
        When the method is unknown or needs a phase that there is not, when a number is out of
        range, or when the arrays' shapes do not fit together.
    """
    _require_invertible(analysis, method, samples)
    sound = np.zeros(_samples_analysed(analysis, samples), np.float32)
    for start, stop in _blocks(analysis) if len(sound) else ():
        part = _part(analysis, start, stop)
        grid = part.grid
        first = start * grid.hop_samples - analysis.grid.before if start else 0
        reach = len(sound) - first
        if stop < analysis.magnitude.shape[1]:
            reach = (stop - start - 1) * grid.hop_samples + grid.fft_samples - grid.before
        piece = _invert_block(
            part,
            sound[first : first + _KNOWN * grid.fft_samples] if start else None,
            samples=reach,
            method=method,
            iterations=iterations if method.endswith("griffin-lim") else 0,
            momentum=momentum,
            seed=[seed, start],
        )
        sound[first : first + reach] = piece[: len(sound) - first]  # the rest is padding after
    return np.pad(sound[:samples], (0, max(0, samples - len(sound))))


def _invert_block(
    part: Analysis,
    known: Signal | None,
    *,
    samples: int,
    method: str,
    iterations: int,
    momentum: float,
    seed: list[int],
) -> Signal:
    """Invert one block, given how it begins unless it is the first."""
    grid, magnitude = part.grid, _magnitude(part)
    if part.phase is not None and method in _GIVEN_PHASE:
        spectrum = magnitude * np.exp(1j * part.phase)
        found = grid.inverse(spectrum, samples).astype(np.float32)
        return found if known is None else begin_with(known, found)
    phase = _initial_phase(magnitude, grid, known, method.startswith("pghi"), seed)

    def refit(columns: slice, reached: NDArray[np.float32]) -> NDArray[np.float32]:
        start = magnitude[:, columns] ** (1 - _REFIT_WEIGHT) * reached.T**_REFIT_WEIGHT
        return _magnitude(part, columns, start).T

    return griffin_lim(
        magnitude,
        phase,
        grid,
        samples=samples,
        iterations=iterations,
        momentum=momentum,
        beginning=known,
        refit=None if part.filters is None else refit,
    )


def _initial_phase(
    magnitude: NDArray[np.floating],
    grid: Stft,
    known: Signal | None,
    from_pghi: bool,
    seed: list[int],
) -> NDArray[np.float32]:
    """(bins, frames) phases to start from; in the first columns those of the known beginning."""
    given = None if known is None else np.angle(replace(grid, after=0).forward(known))
    if from_pghi:
        return integrate_phase(magnitude, grid, seed=seed, known=given)
    phase = np.random.default_rng(seed).random(magnitude.shape, np.float32) * np.float32(2 * np.pi)
    if given is not None:
        phase[:, : given.shape[1]] = given
    return phase


def _magnitude(
    part: Analysis, columns: slice = slice(None), start: NDArray[np.float32] | None = None
) -> NDArray[np.floating]:
    """Return the magnitudes of the linear bins, undoing bands; from ``start`` a few updates do."""
    if part.filters is None:
        return part.magnitude[:, columns]
    exponent = 2 if part.power else 1
    spectrum = undo_bands(
        part.magnitude[:, columns] ** exponent,
        part.filters,
        start=None if start is None else start**exponent,
        updates=UPDATES if start is None else _REFIT_UPDATES,
    )
    return np.sqrt(spectrum) if part.power else spectrum


def _blocks(analysis: Analysis) -> Iterator[tuple[int, int]]:
    """Yield the first frame of every block and the one after its last."""
    grid, frames = analysis.grid, analysis.magnitude.shape[1]
    overlap = _OVERLAP * -(-grid.fft_samples // grid.hop_samples)
    length = max(_BLOCK_CELLS // grid.bins, 2 * overlap)
    for start in range(0, max(1, frames - overlap), length - overlap):
        yield start, min(start + length, frames)


def _part(analysis: Analysis, start: int, stop: int) -> Analysis:
    """Cut out a block; only the outermost have samples around the signal."""
    grid, last = analysis.grid, stop == analysis.magnitude.shape[1]
    return replace(
        analysis,
        grid=replace(grid, before=0 if start else grid.before, after=grid.after if last else 0),
        magnitude=analysis.magnitude[:, start:stop],
        phase=None if analysis.phase is None else analysis.phase[:, start:stop],
    )


def _samples_analysed(analysis: Analysis, samples: int) -> int:
    """Length, as near to ``samples`` as can be, of a signal that has as many frames."""
    grid, frames = analysis.grid, analysis.magnitude.shape[1]
    least = (frames - 1) * grid.hop_samples + grid.fft_samples - grid.before - grid.after
    return max(0, min(max(samples, least), least + grid.hop_samples - 1)) if frames else 0


def _require_invertible(analysis: Analysis, method: str, samples: int) -> None:
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of: {', '.join(METHODS)}")
    if samples < 0:
        raise ValueError(f"samples is {samples}; it cannot be negative")
    bins, frames = analysis.grid.bins, analysis.magnitude.shape[1]
    rows = bins if analysis.filters is None else analysis.filters.shape[0]
    if len(analysis.magnitude) != rows:
        raise ValueError(f"need {rows} rows of magnitude, got {len(analysis.magnitude)}")
    if method in _GIVEN_PHASE:
        if analysis.phase is None:
            raise ValueError(
                f"method {method!r} needs a phase, and this front end keeps none; "
                "choose pghi+griffin-lim"
            )
        if analysis.phase.shape != (bins, frames):
            raise ValueError(f"need {bins} x {frames} phases, got {analysis.phase.shape}")
