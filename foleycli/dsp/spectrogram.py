"""Waveform -> the picture that FoleyGAN's generator makes, and back where that is exact.

The picture is (channels, bins, frames) float32 in [-1, 1], low frequencies first. Linear front ends
carry log magnitude, phase / pi and a zero channel (FoleyGAN section IV-B1); mel front ends carry
log magnitude only.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.spec import SpectrogramSpec
from foleycli.dsp.stft import istft, stft


def encode(waveform: NDArray[np.floating], spec: SpectrogramSpec) -> NDArray[np.float32]:
    """Draw a waveform as the front end's picture.

    Parameters
    ----------
    waveform : (samples,) float
        Mono, full scale 1, at ``spec.rate_hz``; padded with silence to whole frames and at least
        one tile.

    Returns
    -------
    (spec.channels, spec.bins, spec.frames_for(samples)) float32 in [-1, 1]

    Raises
    ------
    ValueError
        When the waveform is not one-dimensional or holds NaN or infinity.
    """
    if waveform.ndim != 1 or not np.isfinite(waveform).all():
        raise ValueError(f"need a finite mono waveform, got shape {waveform.shape}")
    missing = spec.frames_for(len(waveform)) * spec.hop_samples - len(waveform)
    signal = F.pad(torch.from_numpy(np.asarray(waveform, np.float32)), (0, missing))
    spectrum = stft(signal, spec.fft_samples, spec.hop_samples)
    if spec.mels is not None:
        filters = band_average_filters(spec.rate_hz, spec.fft_samples, spec.mels)
        picture = to_unit(filters @ spectrum.abs(), spec)[None]
    else:
        kept = spectrum[
            : spec.bins
        ]  # dropping Nyquist costs 119 dB of SNR's ceiling, dropping DC would cost 36
        phase = kept.angle() / torch.pi
        picture = torch.stack([to_unit(kept.abs(), spec), phase, torch.zeros_like(phase)])
    return picture.numpy()


def decode_phase(
    picture: NDArray[np.float32], spec: SpectrogramSpec, samples: int | None = None
) -> NDArray[np.float32]:
    """Invert a linear front end by its own phase (Algorithm 1, line 12).

    Parameters
    ----------
    picture : (3, spec.bins, frames) float32
    samples : int, optional
        Length to cut to: undoes the padding of :func:`encode`.

    Returns
    -------
    (samples,) float32

    Raises
    ------
    ValueError
        When the front end has no phase.
    """
    if spec.mels is not None:
        raise ValueError(f"front end {spec.name!r} keeps no phase; invert it with griffin-lim")
    magnitude = from_unit(torch.from_numpy(picture[0]), spec)
    kept = torch.polar(magnitude, torch.from_numpy(picture[1]) * torch.pi)
    spectrum = F.pad(kept, (0, 0, 0, 1))  # the Nyquist bin comes back as zero
    return istft(spectrum, spec.fft_samples, spec.hop_samples)[:samples].numpy()


def to_unit(magnitude: Tensor, spec: SpectrogramSpec) -> Tensor:
    """Map magnitudes to [-1, 1]: dBFS, affine between the floor and the ceiling, clipped."""
    decibels = 20 * torch.log10((magnitude / spec.full_scale).clamp_min(1e-10))
    unit = (decibels - spec.floor_db) / (spec.ceiling_db - spec.floor_db) * 2 - 1
    return unit.clamp(-1, 1)


def from_unit(unit: Tensor, spec: SpectrogramSpec) -> Tensor:
    """Undo :func:`to_unit`; the bottom of the range is silence, not the floor's level."""
    decibels = (unit.clamp(-1, 1) + 1) / 2 * (spec.ceiling_db - spec.floor_db) + spec.floor_db
    magnitude = 10 ** (decibels / 20) * spec.full_scale
    return torch.where(unit <= -1, torch.zeros_like(magnitude), magnitude)
