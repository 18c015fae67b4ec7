"""Mel filter banks, and the only import of torchaudio.

torchaudio's wheel links CUDA libraries and will not load beside a CPU build of torch, but its
filter banks are plain Python: its compiled half is replaced by an empty module where torch has no
CUDA.
"""

from __future__ import annotations

import sys
import types
import warnings
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def _torchaudio_functional() -> Any:
    """Import ``torchaudio.functional`` without its compiled extension when torch has no CUDA."""
    if torch.version.cuda is None and "torchaudio" not in sys.modules:
        stand_in = types.ModuleType("torchaudio._extension")
        stand_in.__dict__["_IS_TORCHAUDIO_EXT_AVAILABLE"] = False
        stand_in.__dict__["fail_if_no_align"] = lambda function: function
        sys.modules["torchaudio._extension"] = stand_in
    import torchaudio.functional

    return torchaudio.functional


@lru_cache(maxsize=8)
def band_average_filters(rate_hz: int, fft_samples: int, mels: int) -> Tensor:
    """HTK mel triangles from 0 Hz to Nyquist, each row summing to one.

    A row gives the *mean* magnitude of its band, so that a flat spectrum stays flat. Triangles
    narrower than one bin would be empty: such a row takes the bin nearest to its centre instead.

    Returns
    -------
    Tensor
        (mels, fft_samples // 2 + 1) float32, non-negative.
    """
    bins = fft_samples // 2 + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchaudio warns of the empty rows that are filled below
        filters: Tensor = (
            _torchaudio_functional()
            .melscale_fbanks(bins, 0.0, rate_hz / 2, mels, rate_hz, None, "htk")
            .T.contiguous()
        )
    top_mel = 2595 * torch.log10(torch.tensor(1 + rate_hz / 2 / 700))
    centres_hz = 700 * (10 ** (torch.arange(1, mels + 1) * top_mel / (mels + 1) / 2595) - 1)
    for row in torch.nonzero(filters.sum(1) == 0).flatten().tolist():
        filters[row, round(float(centres_hz[row]) * fft_samples / rate_hz)] = 1.0
    return filters / filters.sum(1, keepdim=True)
