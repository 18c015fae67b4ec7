"""The order in which the codes of a spectrogram are read: column by column, low rows first.

A codebook's codes lie on a grid ``[rows, columns]``, frequency by time; the transformer reads them
as one sequence, whose position is ``column * rows + row``. Time is the slow axis, so that a longer
sound is a longer sequence that begins alike, whatever its number of columns.
"""

from __future__ import annotations

import torch
from torch import Tensor


def to_sequence(grid: Tensor) -> Tensor:
    """Codes ``[..., rows, columns]`` to ``[..., rows * columns]``, column by column."""
    return grid.transpose(-1, -2).flatten(-2)


def to_grid(sequence: Tensor, rows: int) -> Tensor:
    """Codes ``[..., rows * columns]``, column by column, to ``[..., rows, columns]``.

    Raises
    ------
    ValueError
        When they do not fill the last column.
    """
    if sequence.shape[-1] % rows:
        raise ValueError(f"{sequence.shape[-1]} codes do not fill columns of {rows}")
    return sequence.unflatten(-1, (-1, rows)).transpose(-1, -2)


def column_major(rows: int, columns: int) -> Tensor:
    """Return the published shuffle: what of the grid, read row by row, comes at each position.

    Returns
    -------
    Tensor
        ``[rows * columns]`` int64, ``forward_shuffle_idx`` of the published samplers;
        ``argsort`` of it is their ``backward_shuffle_idx``.
    """
    return to_sequence(torch.arange(rows * columns).view(rows, columns))
