"""Pictures for people: spectrograms with axes in seconds and hertz, with event times drawn in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.spec import SpectrogramSpec
from foleycli.files.atomic import atomic_path

_STYLES = (("#00e5ff", "-"), ("#ffffff", ":"), ("#ff5252", "--"))


def draw_spectrogram(
    path: str | os.PathLike[str],
    picture: NDArray[np.float32],
    spec: SpectrogramSpec,
    *,
    title: str = "",
    events: Mapping[str, Sequence[float]] | None = None,
    duration_s: float | None = None,
) -> None:
    """Write a PNG of a picture's log magnitude.

    Parameters
    ----------
    picture : (channels, bins, frames) float32 in [-1, 1]
        Channel 0 is drawn, in dBFS.
    events : mapping of str to sequence of float, optional
        Named event times in seconds, drawn as lines across the picture, one style a name.
    duration_s : float, optional
        Where the time axis ends; the padding beyond is not shown.
    """
    import matplotlib.figure

    decibels = (picture[0] + 1) / 2 * (spec.ceiling_db - spec.floor_db) + spec.floor_db
    hop_s = spec.hop_samples / spec.rate_hz
    length_s = duration_s or picture.shape[2] * hop_s
    figure = matplotlib.figure.Figure(
        figsize=(min(max(8.0, length_s), 40.0), 4.0), layout="constrained"
    )
    axes = figure.subplots()
    image = axes.pcolormesh(
        np.arange(picture.shape[2] + 1) * hop_s,
        _edges_hz(spec),
        decibels,
        cmap="magma",
        vmin=spec.floor_db,
        vmax=spec.ceiling_db,
        rasterized=True,
    )
    if spec.mels is not None:
        axes.set_yscale("function", functions=(_mel, _hertz))
        axes.set_yticks(
            [t for t in (0, 250, 500, 1000, 2000, 4000, 8000, 16000) if t <= spec.rate_hz / 2]
        )
    for (name, times), (colour, line) in zip((events or {}).items(), _STYLES, strict=False):
        for index, time in enumerate(times):
            axes.axvline(time, color=colour, linestyle=line, label=name if index == 0 else None)
    if any(len(times) for times in (events or {}).values()):
        axes.legend(loc="upper right", fontsize="small")
    axes.set(
        xlim=(0, length_s), ylim=(0, spec.rate_hz / 2), xlabel="time (s)", ylabel="frequency (Hz)"
    )
    axes.set_title(title)
    figure.colorbar(image, label="level (dBFS)")
    with atomic_path(path) as temporary:
        # Without a fixed Software entry the same picture has other bytes under another matplotlib.
        figure.savefig(temporary, dpi=100, format="png", metadata={"Software": "foleycli"})


def _edges_hz(spec: SpectrogramSpec) -> NDArray[np.float64]:
    """(bins + 1,) band edges: half-way between neighbouring centres."""
    if spec.mels is None:
        return np.arange(spec.bins + 1) * spec.rate_hz / spec.fft_samples
    top = _mel(np.array(spec.rate_hz / 2))
    edges = _hertz((np.arange(spec.mels + 1) + 0.5) * top / (spec.mels + 1))
    edges[0], edges[-1] = 0.0, spec.rate_hz / 2
    return edges


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 2595 * np.log10(1 + np.maximum(hertz, 0) / 700)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)
