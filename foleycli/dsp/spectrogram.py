"""Waveform -> the picture that FoleyGAN's generator makes.

The picture is (channels, bins, frames) float32 in [-1, 1], low frequencies first: log magnitude,
and where the front end keeps it phase / pi and a zero channel (FoleyGAN section IV-B1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.spec import SpectrogramSpec


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
    return draw(spec.grid.forward(np.pad(waveform.astype(np.float32), (0, missing))), spec)


def draw(spectrum: NDArray[np.complexfloating], spec: SpectrogramSpec) -> NDArray[np.float32]:
    """(fft // 2 + 1, frames) complex spectrum -> (spec.channels, spec.bins, frames) picture."""
    magnitude = np.abs(spectrum)
    if spec.mels is not None:
        filters = band_average_filters(spec.rate_hz, spec.fft_samples, spec.mels)
        log_magnitude = to_unit(filters @ magnitude, spec)
    else:  # dropping Nyquist limits the SNR to 119 dB, dropping DC would to 36
        log_magnitude = to_unit(magnitude[:-1], spec)
    if not spec.phase:
        return log_magnitude[None]
    phase = (np.angle(spectrum[:-1]) / np.pi).astype(np.float32)
    return np.stack([log_magnitude, phase, np.zeros_like(phase)])


def to_unit(magnitude: NDArray[np.floating], spec: SpectrogramSpec) -> NDArray[np.floating]:
    """Map magnitudes to [-1, 1]: dBFS, affine between the floor and the ceiling, clipped."""
    decibels = 20 * np.log10(np.maximum(magnitude / spec.full_scale, 1e-10))
    unit = (decibels - spec.floor_db) / (spec.ceiling_db - spec.floor_db) * 2 - 1
    clipped: NDArray[np.floating] = np.clip(unit, -1, 1)
    return clipped


def from_unit(unit: NDArray[np.floating], spec: SpectrogramSpec) -> NDArray[np.floating]:
    """Undo :func:`to_unit`; the bottom of the range is silence, not the floor's level."""
    decibels = (np.clip(unit, -1, 1) + 1) / 2 * (spec.ceiling_db - spec.floor_db) + spec.floor_db
    magnitude: NDArray[np.floating] = 10 ** (decibels / 20) * spec.full_scale
    magnitude[unit <= -1] = 0
    return magnitude
