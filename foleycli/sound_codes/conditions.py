"""Which of a clip's features a sampler sees, in the window that it is drawing.

SpecVQGAN extracts 21.5 features a second, 212 of which lie over a window of 53 columns, and picks
from these as many as the network takes, evenly. A clip shorter than the window is repeated, as
theirs were. In a longer one the features go along with the window as far as they reach, where the
published loop shows the first window's until the end. Theirs begin with row 1, since the mels they
train on begin at the time of that row; a sound that begins with the clip begins with row 0.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.files.arrays import load_arrays

_KIND = "features"


@dataclass(frozen=True, eq=False)
class FeatureTrack:
    """Features of a clip from its first frame on.

    Attributes
    ----------
    values : (N, width) float32
    fps : float
        Of them, a second.
    backbone : str
        What made them; empty when not told.
    """

    values: NDArray[np.float32]
    fps: float
    backbone: str = ""

    def window(self, start_s: float, length_s: float, count: int) -> Tensor:
        """Return what the network sees of a window: ``[1, width, count]`` float32.

        A window that reaches beyond the last row is seen as the last that does not.
        """
        known, span = len(self.values), max(1, round(length_s * self.fps))
        first = int(start_s * self.fps)  # what is on screen then
        rows = picked_rows(span, count)
        rows = (first + rows) % known if known < span else min(first, known - span) + rows
        return torch.from_numpy(np.ascontiguousarray(self.values[rows].T[None], np.float32))


def picked_rows(span: int, count: int) -> NDArray[np.int64]:
    """Return which of ``span`` features are taken, (count,): of 212 one is 106.

    Five are 35, 77, 119, 162 and 204; 212 are all.
    """
    first = np.linspace(0, span, count, endpoint=False).astype(np.int64)
    return np.minimum(first + span // (count + 1), span - 1)


def load_features(path: str | os.PathLike[str]) -> FeatureTrack:
    """Read what ``foley extract`` wrote.

    Raises
    ------
    ValueError
        When the file holds something else.
    OSError
        When it cannot be read at all.
    """
    arrays, meta = load_arrays(path, kind=_KIND)
    values, fps = arrays.get("features"), meta.get("fps")
    if values is None or values.ndim != 2 or not values.size or values.dtype.kind != "f":
        raise ValueError(f"{path}: holds no features (N, width); make them by foley extract")
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: its features hold NaN or infinity")
    if not isinstance(fps, int | float) or not 0 < fps < float("inf"):
        raise ValueError(f"{path}: does not say how many features a second it holds")
    return FeatureTrack(values.astype(np.float32), float(fps), str(meta.get("backbone", "")))
