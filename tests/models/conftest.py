"""Weights that the goldens of both sound-to-image systems were made with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

Layout = dict[str, list[int]]


def _filled(layout: Layout) -> dict[str, torch.Tensor]:
    tensors = {}
    for i, (name, shape) in enumerate(layout.items()):
        leaf = name.rpartition(".")[2]
        if leaf == "num_batches_tracked":
            tensors[name] = torch.zeros(shape, dtype=torch.int64)
            continue
        draw = np.asarray(np.random.RandomState(1000 + i).standard_normal(shape))
        if leaf in ("running_var", "stored_var"):
            draw = 1 + 0.5 * np.abs(draw)
        elif leaf == "sv0":
            draw = np.ones(shape)
        elif leaf == "gamma":
            draw = np.asarray(0.5)
        elif len(shape) >= 2 and leaf != "u0":
            draw *= np.sqrt(2 / np.prod(shape[1:]))
        elif leaf in ("weight", "gain"):
            draw = 1 + 0.1 * draw
        elif leaf != "u0":
            draw = 0.1 * draw
        tensors[name] = torch.from_numpy(np.asarray(draw, np.float32))
    return tensors


@pytest.fixture(scope="session")
def filled() -> Callable[[Layout], dict[str, torch.Tensor]]:
    """Fill a layout by place: tensor i is drawn from seed 1000 + i, scaled by what it is."""
    return _filled
