"""The pictures that generators draw: the one home of every rate, window, hop and range.

Shapes are derived. Magnitudes are in dBFS, scaled so that a full-scale sinusoid on a bin centre
reads 0 dB: ``20 log10(|X| / (fft / 4))`` with a Hann window, whose samples sum to ``fft / 2``. A
*tile* is the fixed number of frames that a generator makes; with ``(fft - hop) / 2`` samples of
reflection on either side, a signal of ``n`` samples gives exactly ``n / hop`` frames and frame
``j`` is centred on ``(j + 1/2) hop``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line asks for names and rates, and must not wait for NumPy
    from foleycli.dsp.stft import Stft


@dataclass(frozen=True)
class SpectrogramSpec:
    """One kind of picture.

    Attributes
    ----------
    name : str
        What ``--front-end`` calls it.
    rate_hz, fft_samples, hop_samples : int
        Sample rate, window (periodic Hann, as long as the transform) and hop.
    tile_frames : int
        Frames in one generator window.
    mels : int or None
        Number of mel bands; None keeps the linear bins, the Nyquist bin dropped.
    phase : bool
        Whether a second channel holds the phase of the linear bins, and a third one zeros.
    floor_db, ceiling_db : float
        dBFS mapped to -1 and +1; what lies under the floor decodes to exact zero.
    """

    name: str
    rate_hz: int
    fft_samples: int
    hop_samples: int
    tile_frames: int
    mels: int | None
    phase: bool
    floor_db: float
    ceiling_db: float

    @property
    def bins(self) -> int:
        """Rows: mel bands, or linear bins without Nyquist."""
        return self.mels if self.mels is not None else self.fft_samples // 2

    @property
    def channels(self) -> int:
        """Log magnitude alone, or log magnitude, phase and a zero channel."""
        return 3 if self.phase else 1

    @property
    def grid(self) -> Stft:
        """How the signal is cut into frames."""
        from foleycli.dsp.stft import Stft

        edge = (self.fft_samples - self.hop_samples) // 2
        return Stft(self.fft_samples, self.hop_samples, before=edge, after=edge)

    @property
    def tile_samples(self) -> int:
        """Samples that one tile covers."""
        return self.tile_frames * self.hop_samples

    @property
    def tile_seconds(self) -> float:
        """Seconds that one tile covers."""
        return self.tile_samples / self.rate_hz

    @property
    def full_scale(self) -> float:
        """Magnitude of a full-scale sinusoid on a bin centre."""
        return self.fft_samples / 4

    def frames_for(self, samples: int) -> int:
        """Frames that cover ``samples``, never fewer than one tile."""
        return max(self.tile_frames, math.ceil(samples / self.hop_samples))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON."""
        return asdict(self)


# FoleyGAN section IV-B: 44.1 kHz, 1024/256, 513 -> 512 bins, 512 frames. -94..6 dB keeps 16-bit
# sound whole.
FOLEYGAN = SpectrogramSpec("foleygan", 44_100, 1024, 256, 512, None, True, -94.0, 6.0)
# The same picture with as many mel bands as bins: what the paper's Table IV finds best (LMS).
LOG_MEL = SpectrogramSpec("log-mel", 44_100, 1024, 256, 512, 128, False, -94.0, 6.0)
# What two CPU cores train: a quarter of the pixels, still 11.6 ms a frame for the timing.
LOG_MEL_MINI = SpectrogramSpec("log-mel-mini", 22_050, 1024, 256, 256, 64, False, -90.0, 0.0)
# For tests and smoke runs: seconds to train, poor to hear.
LOG_MEL_TINY = SpectrogramSpec("log-mel-tiny", 11_025, 1024, 512, 64, 32, False, -90.0, 0.0)

PICTURES = {spec.name: spec for spec in (FOLEYGAN, LOG_MEL, LOG_MEL_MINI, LOG_MEL_TINY)}


def picture_spec(name: str) -> SpectrogramSpec:
    """Return the picture called ``name``.

    Raises
    ------
    ValueError
        When there is none; the message lists those there are.
    """
    try:
        return PICTURES[name]
    except KeyError:
        known = ", ".join(PICTURES)
        raise ValueError(f"unknown front end {name!r}; choose one of: {known}") from None
