"""One file -> what evaluations need of it, so that it has to be read once.

A sound gives the classifier's embedding and logits, a log-spectrogram of 64 x 64 for NDB, and
levels; what needs two sounds is in :mod:`foleycli.evaluation.pair_scores`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.table import front_end
from foleycli.dsp.rainbowgram import RAINBOWGRAM_RATE_HZ
from foleycli.evaluation.pictures import PictureEmbedder
from foleycli.evaluation.samples import EMBEDDING, LOGITS, SPECTROGRAM
from foleycli.media.audio import read_audio, resample
from foleycli.media.chain import sound_blocks
from foleycli.metrics.loudness import loudness
from foleycli.metrics.phase_coherence import phase_coherence
from foleycli.metrics.soundness import soundness
from foleycli.sound_embedding import SoundEmbedder

FORMAT = 2  # of what is measured: sets of another one do not compare
NDB_FRONT_END = "log-mel-mini"
NDB_SIZE = 64  # rows and columns
STEREO, SURROUND = 2, 6  # channels

Waveform = NDArray[np.float32]


class Measurer(Protocol):
    """Measures files of one kind, each by itself."""

    made_by: dict[str, Any]

    def __call__(self, path: Path) -> dict[str, Any]:
        """Give ``features``, name to float32 array, and ``levels``, name to float or None."""


class SoundMeasurer:
    """Measures sounds, each by itself.

    Parameters
    ----------
    embedder : SoundEmbedder
    network : str
        SHA-256 of its file.
    """

    def __init__(self, embedder: SoundEmbedder, network: str) -> None:
        self.embedder = embedder
        self.made_by: dict[str, Any] = {
            "kind": "sounds",
            "format": FORMAT,
            "embedding": embedder.describe(),
            "network_sha256": network,
            "classes": list(embedder.classes),
            "spectrogram": f"{NDB_FRONT_END}, {NDB_SIZE} x {NDB_SIZE}",
        }

    def __call__(self, path: Path) -> dict[str, Any]:
        """Measure one file.

        Returns
        -------
        dict
            ``features``: name to float32 array; ``levels``: name to float, None where undefined.

        Raises
        ------
        ValueError
            When nothing in it decodes, or its samples are not finite.
        """
        channels, rate_hz = read_audio(path, mono=False)
        levels: dict[str, float | None] = dict(_checks(channels, rate_hz))
        # Of more than two channels, which may be left out is told by their names in the file.
        mono = channels.mean(axis=0) if len(channels) <= STEREO else read_audio(path)[0]
        loud = loudness(channels if len(channels) <= SURROUND else mono, rate_hz)
        del channels
        levels |= {"loudness_lufs": loud.integrated_lufs, "true_peak_dbtp": loud.true_peak_dbtp}
        phase = phase_coherence(resample(mono, rate_hz, RAINBOWGRAM_RATE_HZ))
        levels |= {
            "phase_coherence": phase.value if phase else None,
            "phase_coherence_chance": phase.chance if phase else None,
        }
        spectrogram = ndb_spectrogram(resample(mono, rate_hz, front_end(NDB_FRONT_END).rate_hz))
        embedding, logits = self.embedder.embed(self._heard(path, mono, rate_hz))
        features = {EMBEDDING: embedding, LOGITS: logits, SPECTROGRAM: spectrogram.ravel()}
        return {"features": features, "levels": levels}

    def _heard(self, path: Path, mono: Waveform, rate_hz: int) -> Waveform | Iterator[Waveform]:
        """Read the sound as the network's front end wants it."""
        front = self.embedder.view.front
        if front.chain == "float":
            return resample(mono, rate_hz, front.rate_hz)
        return sound_blocks(path, front.rate_hz, front.chain)


class PictureMeasurer:
    """Measures pictures, each by itself.

    Parameters
    ----------
    embedder : PictureEmbedder
    network : str
        SHA-256 of its file.
    """

    def __init__(self, embedder: PictureEmbedder, network: str) -> None:
        self.embedder = embedder
        self.made_by: dict[str, Any] = {
            "kind": "pictures",
            "format": FORMAT,
            "embedding": embedder.describe(),
            "network_sha256": network,
            "classes": list(embedder.classes),
        }

    def __call__(self, path: Path) -> dict[str, Any]:
        """Measure one file; raises ValueError when it is no picture."""
        embedding, logits = self.embedder.embed(path)
        return {"features": {EMBEDDING: embedding, LOGITS: logits}, "levels": {}}


def ndb_spectrogram(waveform: Waveform) -> NDArray[np.float32]:
    """Log-mel spectrogram of a whole sound, averaged down to one size.

    Parameters
    ----------
    waveform : (samples,) float32
        Mono, at the front end's 22,050 Hz. Cells of time are 1/64 of the sound, however long.

    Returns
    -------
    (64, 64) float32
        Bands and time, in [-1, 1] as the front end scales it.

    Raises
    ------
    ValueError
        When the waveform is empty or not finite.
    """
    front = front_end(NDB_FRONT_END)
    arrays, _ = encode_whole(front, waveform)
    frames = -(-len(waveform) // front.spec.hop_samples)  # type: ignore[attr-defined]
    return area_average(arrays["picture"][0][:, :frames], NDB_SIZE)


def area_average(values: NDArray[np.floating], columns: int) -> NDArray[np.float32]:
    """Average (rows, n) over ``columns`` equal spans of its second axis, parts of values counted.

    Returns
    -------
    (rows, columns) float32
    """
    sums = np.cumsum(np.pad(values.astype(np.float64), ((0, 0), (1, 0))), axis=1)
    edges = np.linspace(0, values.shape[1], columns + 1)
    at = np.arange(values.shape[1] + 1)
    up_to = np.stack([np.interp(edges, at, row) for row in sums])
    average: NDArray[np.float32] = np.diff(up_to, axis=1) * (columns / values.shape[1])
    return average.astype(np.float32)


def _checks(channels: Waveform, rate_hz: int) -> Iterator[tuple[str, float]]:
    """Check each channel: a fault in one is a fault of the file."""
    found = [soundness(channel, rate_hz) for channel in channels]
    if broken := sum(one.not_finite for one in found):
        raise ValueError(f"{broken} samples are NaN or infinite")
    yield "rate_hz", rate_hz
    yield "channels", len(channels)
    yield "duration_s", channels.shape[1] / rate_hz
    yield "silent_share", min(one.silent_share for one in found)
    yield "clipped_samples", sum(one.clipped_samples for one in found)
