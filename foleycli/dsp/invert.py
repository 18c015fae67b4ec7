"""Magnitudes -> waveform: mel inversion by non-negative least squares, then Griffin-Lim.

Griffin-Lim (1984) alternates between the spectrograms that have the wanted magnitudes and those
that some waveform has. Its fast form (Perraudin, Balazs and Sondergaard 2013) pushes on along the
last step:

    c_n = P_waveform(P_magnitude(t_{n-1}));   t_n = c_n + alpha (c_n - c_{n-1})
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.spec import SpectrogramSpec
from foleycli.dsp.spectrogram import from_unit
from foleycli.dsp.stft import istft, stft

BLOCK_FRAMES = 2048
OVERLAP_FRAMES = 64


def invert_magnitude(
    picture: NDArray[np.float32],
    spec: SpectrogramSpec,
    *,
    samples: int | None = None,
    iterations: int = 32,
    momentum: float = 0.99,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Turn a picture's log-magnitude channel into a waveform, whatever its length.

    Long pictures are inverted in blocks of ``BLOCK_FRAMES`` that overlap by ``OVERLAP_FRAMES`` and
    are cross-faded there (equal power: the phases of two blocks are unrelated), so that memory
    stays bounded.

    Parameters
    ----------
    picture : (channels, spec.bins, frames) float32 in [-1, 1]
    samples : int, optional
        Length to cut to.
    iterations : int
        Griffin-Lim rounds; 0 keeps the random phase.
    momentum : float
        alpha above; 0 is the original algorithm.
    seed : int
        Of the first phases.

    Returns
    -------
    (samples or frames * hop,) float32
    """
    magnitude = torch.from_numpy(np.ascontiguousarray(picture[0]))
    frames, hop = magnitude.shape[1], spec.hop_samples
    fade = OVERLAP_FRAMES * hop
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))
    waveform = np.zeros(frames * hop, np.float32)
    generator = torch.Generator().manual_seed(seed)
    start = 0
    while True:
        stop = min(start + BLOCK_FRAMES, frames)
        block = linear_magnitude(magnitude[:, start:stop], spec)
        piece = griffin_lim(block, spec, iterations, momentum, generator).numpy()
        if start:
            head = slice(start * hop, start * hop + fade)
            waveform[head] = waveform[head] * ramp[::-1] + piece[:fade] * ramp
            piece = piece[fade:]
            waveform[head.stop : head.stop + len(piece)] = piece
        else:
            waveform[: len(piece)] = piece
        if stop == frames:
            return waveform[:samples]
        start = stop - OVERLAP_FRAMES


def linear_magnitude(unit: Tensor, spec: SpectrogramSpec, updates: int = 60) -> Tensor:
    """Linear-frequency magnitudes behind a log-magnitude picture.

    Mel bands are undone by multiplicative updates for ``min_S>=0 |M S - Y|^2`` (Lee and Seung
    2001): ``S <- S (M^T Y) / (M^T M S)``.

    Parameters
    ----------
    unit : Tensor
        (spec.bins, frames) in [-1, 1].

    Returns
    -------
    Tensor
        (spec.fft_samples // 2 + 1, frames), non-negative.
    """
    wanted = from_unit(unit, spec)
    if spec.mels is None:
        return torch.cat([wanted, torch.zeros_like(wanted[:1])])
    filters = band_average_filters(spec.rate_hz, spec.fft_samples, spec.mels)
    target = filters.T @ wanted
    gram = filters.T @ filters
    estimate = (filters.T / filters.T.sum(1, keepdim=True).clamp_min(1e-8)) @ wanted
    for _ in range(updates):
        estimate = estimate * target / (gram @ estimate).clamp_min(1e-12)
    return estimate


def griffin_lim(
    magnitude: Tensor,
    spec: SpectrogramSpec,
    iterations: int,
    momentum: float,
    generator: torch.Generator,
) -> Tensor:
    """(fft // 2 + 1, frames) magnitudes -> (frames * hop,) waveform, by the equations above."""
    fft, hop = spec.fft_samples, spec.hop_samples
    phase = torch.rand(magnitude.shape, generator=generator) * 2 * torch.pi
    previous = consistent = accelerated = torch.polar(magnitude, phase)
    for _ in range(iterations):
        aligned = magnitude * (accelerated / accelerated.abs().clamp_min(1e-12))
        consistent = stft(istft(aligned, fft, hop), fft, hop)
        accelerated = consistent + momentum * (consistent - previous)
        previous = consistent
    final = magnitude * (consistent / consistent.abs().clamp_min(1e-12))
    return istft(final, fft, hop)
