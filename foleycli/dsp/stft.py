"""Short-time Fourier transform with edges that invert exactly.

Frames are not centred by padding half a window: the signal is reflected by ``(fft - hop) / 2``
samples, so that ``n`` samples give ``n / hop`` frames, every sample lies under full overlap, and
weighted overlap-add

    x[t] = sum_j w[t - jH] y_j[t - jH] / sum_j w[t - jH]^2

returns the signal to rounding (Griffin and Lim 1984, equation 6).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def stft(waveform: Tensor, fft_samples: int, hop_samples: int) -> Tensor:
    """Transform a waveform whose length is a multiple of the hop.

    Parameters
    ----------
    waveform : Tensor
        (..., samples) float, ``samples = frames * hop_samples``, more than the edge.

    Returns
    -------
    Tensor
        (..., fft_samples // 2 + 1, frames) complex.

    Raises
    ------
    ValueError
        When the length is not a positive multiple of the hop.
    """
    samples = waveform.shape[-1]
    if samples == 0 or samples % hop_samples:
        raise ValueError(
            f"{samples} samples are not a multiple of the hop {hop_samples}; pad first"
        )
    edge = (fft_samples - hop_samples) // 2
    lead = waveform.shape[:-1]
    padded = F.pad(waveform.reshape(-1, 1, samples), (edge, edge), "reflect").squeeze(1)
    window = torch.hann_window(fft_samples, dtype=waveform.dtype, device=waveform.device)
    spectrum = torch.stft(
        padded, fft_samples, hop_samples, window=window, center=False, return_complex=True
    )
    return spectrum.reshape(*lead, *spectrum.shape[-2:])


def istft(spectrum: Tensor, fft_samples: int, hop_samples: int) -> Tensor:
    """Invert :func:`stft`: (..., fft_samples // 2 + 1, frames) complex -> (..., frames * hop)."""
    frames = spectrum.shape[-1]
    edge = (fft_samples - hop_samples) // 2
    window = torch.hann_window(fft_samples, dtype=spectrum.real.dtype, device=spectrum.device)
    pieces = torch.fft.irfft(spectrum, n=fft_samples, dim=-2) * window[:, None]
    lead = pieces.shape[:-2]

    def overlap_add(columns: Tensor) -> Tensor:
        length = (frames - 1) * hop_samples + fft_samples
        return F.fold(columns, (1, length), (1, fft_samples), stride=(1, hop_samples)).flatten(1)

    summed = overlap_add(pieces.reshape(-1, fft_samples, frames))
    weight = overlap_add((window**2)[None, :, None].expand(1, -1, frames))
    # Only the reflected edges, cut off here, come near zero weight.
    inside = slice(edge, edge + frames * hop_samples)
    return (summed[:, inside] / weight[:, inside].clamp_min(1e-8)).reshape(*lead, -1)
