"""Measures the class-shaped noise that a generator has to beat, from its own recordings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from foleycli.dsp.spec import SpectrogramSpec
from foleycli.dsp.spectrogram import encode, from_unit
from foleycli.models.texture import Texture
from foleycli.training.tiles import Recording

RESPONSE_SECONDS = 1.5
_FLOOR_QUANTILE = 0.2  # of a band over time: what sounds between the events
_PEAK_QUANTILE = 0.995  # of a band over time: as loud as a recording gets
_LOUD_RECORDINGS = 0.9  # the loudest tenth of a class's recordings does not raise its ceiling


def fit_texture(recordings: Sequence[Recording], classes: int, spec: SpectrogramSpec) -> Texture:
    """Measure background, onset response and ceiling of every class.

    Backgrounds are geometric means over recordings; a response is the mean, over all onsets of a
    class, of the magnitude above the recording's own background, divided by the onset's strength.

    Parameters
    ----------
    recordings : sequence of Recording
        Waveforms at ``spec.rate_hz`` with their events.
    """
    delays = round(RESPONSE_SECONDS * spec.rate_hz / spec.hop_samples)
    texture = Texture(classes, spec.bins, delays)
    for label in range(classes):
        floors, peaks, responses = [], [], []
        for recording in recordings:
            if recording.label == label and len(recording.waveform):
                floor, peak, rises = _measure(recording, spec, delays)
                floors.append(floor.clamp_min(1e-6).log())
                peaks.append(peak)
                responses += rises
        if floors:
            texture.background[label] = torch.stack(floors).mean(0).exp()
            texture.ceiling[label] = torch.stack(peaks).quantile(_LOUD_RECORDINGS, dim=0)
        if responses:
            texture.response[label] = torch.stack(responses).mean(0)
    return texture


def _measure(
    recording: Recording, spec: SpectrogramSpec, delays: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Return background (bins,), peak level (bins,) and the responses (bins, delays) to onsets."""
    frames = max(1, len(recording.waveform) // spec.hop_samples)
    unit = encode(recording.waveform, spec)[0][:, :frames]
    magnitude = torch.from_numpy(from_unit(unit, spec) / spec.full_scale)
    floor, peak = magnitude.quantile(torch.tensor([_FLOOR_QUANTILE, _PEAK_QUANTILE]), dim=1)
    rises = []
    for time, strength in zip(*recording.events, strict=True):
        start = min(round(float(time) * spec.rate_hz / spec.hop_samples), frames - 1)
        piece = magnitude[:, start : start + delays] - floor[:, None]
        rise = piece.clamp_min(0) / max(float(strength), 0.1)
        rises.append(F.pad(rise, (0, delays - rise.shape[1])))
    return floor, peak, rises
