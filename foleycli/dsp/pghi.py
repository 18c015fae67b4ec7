"""Phase gradient heap integration: magnitudes -> phases, without iterations.

Prusa, Balazs and Sondergaard 2017 ("A noniterative method for reconstruction of phase from STFT
magnitude"). For a Gaussian window exp(-pi t^2 / gamma) the phase's derivatives are those of the
log magnitude s[m, n] = log |X[m, n]|, crosswise. With hop a and M bins of transform,

    from frame to frame   phi[m, n+1] - phi[m, n] =  (a M / gamma) ds/dm + 2 pi a m / M
    from bin to bin       phi[m+1, n] - phi[m, n] = -(gamma / (a M)) ds/dn - pi

where derivatives are central differences, averaged over the two cells, and the -pi is there
because time runs from the start of a frame whose window is centred in it.

The published order of summation takes the loudest cell reached so far and goes on from it. Here
the sum runs along a maximum spanning tree, which climbs down from the ridges as well: of all trees
that reach every cell, the one whose quietest steps are as loud as can be. It needs no loop over
cells.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.sparse import csgraph

from foleycli.dsp.stft import Stft

FLOOR = 1e-6  # of the loudest cell: quieter ones get random phases
_RANKS = 2.0**24  # levels that the order tells apart; two of them fit into a float64


def integrate_phase(
    magnitude: NDArray[np.floating],
    grid: Stft,
    *,
    seed: int | list[int] = 0,
    known: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Find phases that fit the magnitudes.

    Parameters
    ----------
    magnitude : (bins, frames) float
        Of linear bins, DC and Nyquist included.
    grid : Stft
    seed : int or list of int
        Of the phases of cells under ``FLOOR``.
    known : (bins, columns) float, optional
        Phases of the first columns in radians, kept as they are and gone on from.

    Returns
    -------
    (bins, frames) float32
        In [0, 2 pi) radians.
    """
    levels = np.ascontiguousarray(magnitude.T, np.float32)  # frame by frame
    phase = np.random.default_rng(seed).random(levels.shape, np.float32) * np.float32(2 * np.pi)
    peak = float(levels.max(initial=0.0))
    if peak > 0:
        loud = levels > FLOOR * peak
        logs = np.log(np.maximum(levels, np.float32(FLOOR * peak)))
        given = np.zeros((0, levels.shape[1])) if known is None else known.T
        parents = _spanning_tree(logs, loud, len(given))
        summed = _sum_along(parents, *_increments(logs, grid), given)
        phase[loud] = summed.reshape(levels.shape)[loud] % (2 * np.pi)
    if known is not None:
        phase[: known.shape[1]] = known.T
    return phase.T


@lru_cache(maxsize=16)
def gaussian_gamma(grid: Stft) -> float:
    """Gamma of the Gaussian exp(-pi t^2 / gamma) nearest to the window, in samples^2.

    Nearest in the mean square over all time. For a Hann window of L samples that gives 0.2562 L^2
    (the paper's constant is 0.25645), for Hamming 0.2977 L^2, for Tukey's with a quarter tapered
    0.727 L^2. Real clips invert best within a tenth of it, whatever the window.
    """
    taps = grid.taps
    length = len(taps)
    time = np.arange(-length, 2 * length) - length / 2
    window = np.pad(taps, length)

    def error(gamma: float) -> float:
        return float(((window - np.exp(-np.pi * time**2 / (gamma * length**2))) ** 2).sum())

    return float(minimize_scalar(error, bounds=(1e-4, 2.0), method="bounded").x) * length**2


def _increments(
    logs: NDArray[np.float32], grid: Stft
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(frames, bins) log magnitudes -> phase from each cell to the next frame's and next bin's.

    Both are (frames, bins); the last frame's and the last bin's are of no meaning.
    """
    frames, bins = logs.shape
    slope = grid.hop_samples * grid.fft_samples / gaussian_gamma(grid)
    along_bins = np.zeros(logs.shape)  # the spectrum of a real signal is even about DC and Nyquist
    along_bins[:, 1:-1] = (logs[:, 2:] - logs[:, :-2]) / 2
    along_frames = np.gradient(logs, axis=0) if frames > 1 else np.zeros(logs.shape)
    to_frame, to_bin = np.zeros(logs.shape), np.zeros(logs.shape)
    turns = (grid.hop_samples * np.arange(bins)) % grid.fft_samples / grid.fft_samples
    to_frame[:-1] = slope / 2 * (along_bins[:-1] + along_bins[1:]) + 2 * np.pi * turns
    to_bin[:, :-1] = -(along_frames[:, :-1] + along_frames[:, 1:]) / (2 * slope) - np.pi
    return to_frame, to_bin


def _spanning_tree(
    logs: NDArray[np.float32], loud: NDArray[np.bool_], columns: int
) -> NDArray[np.intp]:
    """Find for every cell the cell before it, counted frame by frame.

    One node more than there are cells is the root. The first ``columns`` frames' cells hang on it
    before any other edge is taken, and peaks do when all others are: so the loudest cell of every
    island of loud cells does. Quiet cells, which no edge reaches, count as hanging on it.
    """
    root = logs.size
    cells = np.arange(root, dtype=np.int32).reshape(logs.shape)
    depth = logs.max() - logs
    rank = np.floor((1 - depth / max(float(depth.max()), 1e-9)) * (_RANKS - 1)).astype(np.float64)
    sources, targets, costs = [], [], []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        exists = loud[one] & loud[other]
        ends = rank[one][exists], rank[other][exists]
        sources.append(cells[one][exists])
        targets.append(cells[other][exists])
        # Least where the quieter end is loudest and, among equals, where the louder one is.
        costs.append(2 * _RANKS**2 - np.minimum(*ends) * _RANKS - np.maximum(*ends))
    known = np.zeros(logs.shape, np.bool_)
    known[:columns] = loud[:columns]
    peaks = loud & _local_maxima(rank)
    peaks[:columns] = False
    for hung, cost in ((known, np.ones(logs.shape)), (peaks, 3 * _RANKS**2 - rank)):
        sources.append(cells[hung])
        targets.append(np.full_like(cells[hung], root))
        costs.append(cost[hung])
    edges = np.concatenate(sources), np.concatenate(targets)
    graph = sparse.coo_array((np.concatenate(costs), edges), shape=(root + 1, root + 1)).tocsr()
    tree = csgraph.minimum_spanning_tree(graph, overwrite=True)
    before = csgraph.breadth_first_order(tree, root, directed=False)[1][:-1]
    parents: NDArray[np.intp] = np.where(before < 0, root, before).astype(np.intp)
    return parents


def _local_maxima(rank: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the cells that none of their four neighbours exceeds."""
    around = np.pad(rank, 1)
    return (
        (rank >= around[:-2, 1:-1])
        & (rank >= around[2:, 1:-1])
        & (rank >= around[1:-1, :-2])
        & (rank >= around[1:-1, 2:])
    )


def _sum_along(
    parents: NDArray[np.intp],
    to_frame: NDArray[np.float64],
    to_bin: NDArray[np.float64],
    known: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Sum increments from the root to every cell; each pass doubles how far a cell looks back."""
    cells, bins = len(parents), to_frame.shape[1]
    step = np.arange(cells) - parents
    lower = np.minimum(np.arange(cells), parents)
    along = np.where(np.abs(step) == bins, to_frame.reshape(-1)[lower], to_bin.reshape(-1)[lower])
    phase = np.append(np.where(step > 0, along, -along), 0.0)
    hangs = parents == cells
    phase[:-1][hangs] = 0.0
    phase[: known.size] = np.where(hangs[: known.size], known.reshape(-1), phase[: known.size])
    reach = np.append(parents, cells)
    while (reach < cells).any():
        phase += phase[reach]
        reach = reach[reach]
    return phase[:-1]
