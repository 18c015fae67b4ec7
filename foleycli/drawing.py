"""Pictures for people: spectrograms with axes in seconds and hertz, with event times drawn in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import Levels
from foleycli.dsp.rainbowgram import Rainbowgram
from foleycli.files.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = (("#00e5ff", "-"), ("#ffffff", ":"), ("#ff5252", "--"))


def draw_spectrogram(
    path: str | os.PathLike[str],
    levels: Levels,
    *,
    title: str = "",
    events: Mapping[str, Sequence[float]] | None = None,
    duration_s: float | None = None,
) -> None:
    """Write a PNG of a spectrogram, its rows equally tall and labelled in hertz.

    Parameters
    ----------
    events : mapping of str to sequence of float, optional
        Named event times in seconds, drawn as lines across the picture, one style a name.
    duration_s : float, optional
        Where the time axis ends; the padding beyond is not shown.
    """
    import matplotlib.figure

    columns = levels.decibels.shape[1]
    starts_s = levels.first_s + (np.arange(columns + 1) - 0.5) * levels.hop_s
    length_s = duration_s or starts_s[-1]
    rows = np.arange(len(levels.edges_hz))
    figure = matplotlib.figure.Figure(
        figsize=(min(max(8.0, length_s), 40.0), 4.0), layout="constrained"
    )
    axes = figure.subplots()
    image = axes.pcolormesh(
        starts_s,
        rows,
        levels.decibels,
        cmap="magma",
        vmin=levels.floor_db,
        vmax=levels.ceiling_db,
        rasterized=True,
    )
    axes.set_facecolor("black")  # the sound may outlast its frames
    axes.set_yticks(*_ticks(levels.edges_hz))
    for (name, times), (colour, line) in zip((events or {}).items(), _STYLES, strict=False):
        for index, time in enumerate(times):
            axes.axvline(time, color=colour, linestyle=line, label=name if index == 0 else None)
    if any(len(times) for times in (events or {}).values()):
        axes.legend(loc="upper right", fontsize="small")
    axes.set(xlim=(0, length_s), ylim=(0, rows[-1]), xlabel="time (s)", ylabel="frequency (Hz)")
    axes.set_title(title, parse_math=False)
    figure.colorbar(image, label=f"level ({levels.unit})")
    _save(figure, path)


def gather(pieces: Iterable[Levels], pool: int) -> Levels:
    """Put pieces of a spectrogram together, the loudest of every ``pool`` columns standing for all.

    Every piece but the last must have a multiple of ``pool`` columns.
    """
    pooled = []
    for levels in pieces:
        decibels = levels.decibels
        missing = -decibels.shape[1] % pool
        decibels = np.pad(decibels, ((0, 0), (0, missing)), "edge")
        pooled.append(decibels.reshape(len(decibels), -1, pool).max(2))
    return replace(
        levels,
        decibels=np.concatenate(pooled, axis=1),
        hop_s=levels.hop_s * pool,
        first_s=levels.first_s + levels.hop_s * (pool - 1) / 2,
    )


def _ticks(edges_hz: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    """Round frequencies that lie far enough apart, and the rows where they belong."""
    linear = np.allclose(np.diff(edges_hz), edges_hz[1] - edges_hz[0])
    top = edges_hz[-1]
    if linear:
        step = 10.0 ** np.floor(np.log10(top / 3))
        step *= next(m for m in (1, 2, 5, 10) if top / (m * step) <= 8)
        wanted = np.arange(0, top + 1, step)
    else:
        wanted = np.array([0.0, *(62.5 * 2.0 ** np.arange(12))])
    wanted = wanted[(wanted >= edges_hz[0]) & (wanted <= top)]
    places = np.interp(wanted, edges_hz, np.arange(len(edges_hz)))
    kept: list[int] = []
    for index, place in enumerate(places):
        if not kept or place - places[kept[-1]] > len(edges_hz) / 20:
            kept.append(index)
    return places[kept], [f"{wanted[index]:g}" for index in kept]


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    with atomic_path(path) as temporary:
        # Without a fixed Software entry the same picture has other bytes under another matplotlib.
        figure.savefig(temporary, dpi=100, format="png", metadata={"Software": "foleycli"})


def draw_rainbowgrams(
    path: str | os.PathLike[str],
    sounds: Sequence[tuple[str, Rainbowgram]],
    *,
    columns: int = 2,
) -> None:
    """Write a PNG of rainbowgrams, row by row: two are side by side (FoleyGAN Fig. 5).

    Colour is instantaneous frequency, darkened towards black where the sound is quiet.

    Parameters
    ----------
    sounds : sequence of (str, Rainbowgram)
        Each with its title.
    columns : int
        Pictures in a row.

    Raises
    ------
    ValueError
        When there is nothing to draw.
    """
    if not sounds:
        raise ValueError("no rainbowgram to draw")
    import matplotlib.cm
    import matplotlib.figure

    columns = min(columns, len(sounds))
    rows = -(-len(sounds) // columns)
    figure = matplotlib.figure.Figure(figsize=(5.0 * columns, 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    colours = matplotlib.cm.ScalarMappable(cmap="rainbow")
    colours.set_clim(-1, 1)
    for panel in panels.flat[len(sounds) :]:
        panel.set_axis_off()
    for panel, (title, seen) in zip(panels.flat, sounds, strict=False):
        bins, frames = seen.steps.shape
        shade = colours.to_rgba(seen.steps)[..., :3] * seen.brightness[..., None]
        end_s = (frames - 0.5) * seen.hop_s
        panel.imshow(shade, origin="lower", aspect="auto", extent=(-seen.hop_s / 2, end_s, 0, bins))
        panel.set_yticks(*_ticks(seen.edges_hz))
        panel.set(xlim=(0, end_s), xlabel="time (s)", ylabel="frequency (Hz)")
        panel.set_title(title, parse_math=False)
    figure.colorbar(colours, ax=panels, aspect=20 * rows, label="phase step (half turns a frame)")
    _save(figure, path)
