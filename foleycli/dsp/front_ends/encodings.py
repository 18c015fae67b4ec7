"""The encodings that FoleyGAN compares (Table IV): STFT, MS, MFCC and LMS; CQT has its own module.

All are of the paper's 44.1 kHz, 1024/256 frames and have 512 rows. LMS (log mel) and STFT (log
magnitude and phase) are pictures like FoleyGAN's own. MS is the same mel magnitude without the
logarithm; MFCC is the discrete cosine transform of LMS, in dB, along frequency. As each row of the
mel filters sums to one, librosa's equals are HTK filters with ``norm=1``; where librosa's are
empty, ours take the nearest bin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import Arrays, Blocks, Levels, Measured, require_shape
from foleycli.dsp.front_ends.pictures import Picture, whole_tiles
from foleycli.dsp.invert import Analysis
from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.spec import FOLEYGAN

STFT = Picture.of(replace(FOLEYGAN, name="stft"))
LMS = Picture.of(replace(FOLEYGAN, name="lms", mels=FOLEYGAN.bins, phase=False))
# The paper's picture with its optional mel scale; the phase stays that of the linear bins.
FOLEYGAN_MEL = Picture.of(replace(FOLEYGAN, name="foleygan-mel", mels=FOLEYGAN.bins))


@dataclass(frozen=True)
class MelAmplitude(Picture):
    """MS: mel magnitudes without a logarithm, in [0, 1], where 1 is LMS's ceiling.

    The range starts at 0, not at -1, so that float32 keeps quiet sound: its steps shrink towards
    zero. The paper divides by a quantile of its data set instead of full scale; ``gain`` is the
    inverse of such a quantile, and what then exceeds 1 is clipped.
    """

    gain: float = 1.0

    @property
    def most(self) -> float:
        """Magnitude that reads 1."""
        return float(self.spec.full_scale * 10 ** (self.spec.ceiling_db / 20) / self.gain)

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``picture``: (1, bins, frames) float32 in [0, 1]."""
        spec = self.spec
        filters = band_average_filters(spec.rate_hz, spec.fft_samples, spec.mels)
        for spectrum in spec.grid.stream(whole_tiles(sound, spec)):
            amplitude = filters @ np.abs(spectrum) / self.most
            yield {"picture": np.minimum(amplitude, 1)[None].astype(np.float32)}

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`."""
        like_picture = super().analysis(arrays, measured)
        return replace(like_picture, magnitude=np.maximum(arrays["picture"][0], 0) * self.most)

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        amplitude = np.maximum(arrays["picture"][0] * self.most / self.spec.full_scale, 1e-10)
        like_picture = super().levels(arrays, measured)
        return replace(like_picture, decibels=20 * np.log10(amplitude))


@dataclass(frozen=True)
class Cepstrum(Picture):
    """MFCC: the orthonormal DCT-II of LMS, in dBFS, over its rows; unbounded.

    Attributes
    ----------
    coefficients : int
        How many are kept, the smoothest first; all of them lose nothing.
    """

    coefficients: int = FOLEYGAN.bins

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``picture``: (1, coefficients, frames) float32 in dB."""
        for piece in super().encode(sound, measured):
            decibels = super().levels(piece, measured).decibels
            cepstrum = scipy.fft.dct(decibels, axis=0, norm="ortho")[: self.coefficients]
            yield {"picture": cepstrum[None]}

    def check(self, arrays: Arrays) -> None:
        """See :meth:`FrontEnd.check`."""
        require_shape(arrays, "picture", 1, self.coefficients, None)

    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """See :meth:`FrontEnd.analysis`."""
        return super().analysis({"picture": self._log_mel(arrays)}, measured)

    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """See :meth:`FrontEnd.levels`."""
        return super().levels({"picture": self._log_mel(arrays)}, measured)

    def _log_mel(self, arrays: Arrays) -> NDArray[np.float32]:
        """(1, bins, frames) LMS, in [-1, 1]."""
        spec = self.spec
        decibels = scipy.fft.idct(arrays["picture"], n=spec.bins, axis=1, norm="ortho")
        unit = (decibels - spec.floor_db) / (spec.ceiling_db - spec.floor_db) * 2 - 1
        silence = unit < -1 + 1e-5  # but for rounding
        picture: NDArray[np.float32] = np.where(silence, -1, np.minimum(unit, 1))
        return picture


MS = MelAmplitude("ms", FOLEYGAN.rate_hz, replace(LMS.spec, name="ms"))
MFCC = Cepstrum("mfcc", FOLEYGAN.rate_hz, replace(LMS.spec, name="mfcc"))
