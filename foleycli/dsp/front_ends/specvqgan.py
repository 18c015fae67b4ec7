"""SpecVQGAN's mel (Iashin and Rahtu 2021): of 10 seconds, or of all of a sound for its codec.

22.05 kHz, 1024/256, centred frames; magnitudes, not powers, in 80 Slaney mel bands of 125 Hz to
7.6 kHz; -80 dB to 20 dB become 0 to 1. Of the 862 frames that 10 s give, the published features
keep the first 860: those that need nothing put after the sound, which is how they are had here.
Sound is read through 16-bit files, as theirs was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import Blocks, Measured
from foleycli.dsp.front_ends.melgan import Melgan
from foleycli.dsp.stft import Stft

_GRID = Stft(1024, 256, before=512)


@dataclass(frozen=True)
class SpecVqgan(Melgan):
    """SpecVQGAN's mel, which is MelGAN's but for its frames, bands and scale.

    Attributes
    ----------
    clip_s : float, optional
        Seconds to which a sound is cut or filled up with silence; as it is when None.
    looped : bool
        Whether a shorter sound is repeated instead, as in the published features.
    code_frames : int
        Frames in one column of the codebook's codes.
    """

    grid: Stft = _GRID
    low_hz: float = 125.0
    high_hz: float = 7600.0
    floor_db: float = -80.0
    clip_s: float | None = 10.0
    looped: bool = False
    code_frames: int = 16
    npy_suffix: ClassVar[str] = "_mel.npy"

    @property
    def chain(self) -> str:  # type: ignore[override]
        """See :class:`FrontEnd`."""
        return "s16-looped" if self.looped else "s16"

    @property
    def clip_samples(self) -> int | None:
        """Samples that all sounds are brought to; None where they are not."""
        return None if self.clip_s is None else round(self.clip_s * self.rate_hz)

    def samples_kept(self, samples: int) -> int:
        """See :meth:`FrontEnd.samples_kept`."""
        return min(samples, self.clip_samples or samples)

    def scale(self, decibels: NDArray[np.floating]) -> NDArray[np.floating]:
        """See :meth:`Melgan.scale`; [0, 1]."""
        unit = (decibels - self.floor_db) / (self.ceiling_db - self.floor_db)
        clipped: NDArray[np.floating] = np.clip(unit, 0, 1)
        return clipped

    def unscale(self, mel: NDArray[np.floating]) -> NDArray[np.floating]:
        """See :meth:`Melgan.unscale`."""
        return mel * (self.ceiling_db - self.floor_db) + self.floor_db

    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[np.float32]]]:
        """Yield ``mel``: (mels, frames) float32 in [0, 1]; a sound is heard no longer than kept."""
        return super().encode(self._fitted(sound), measured)

    def model_input(self, mel: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return what the published networks take: the middle of a clip, whole codes, in [-1, 1].

        Parameters
        ----------
        mel : (mels, frames) float
            In [0, 1].

        Returns
        -------
        (mels, frames) float
            848 of a clip's 860 frames, the first 6 left out; of the codec's all.
        """
        spare = 0 if self.clip_s is None else mel.shape[1] % self.code_frames
        first = spare // 2
        return 2 * mel[:, first : first + mel.shape[1] - spare] - 1

    def _fitted(self, sound: Blocks) -> Iterator[NDArray[np.floating]]:
        """Cut to a clip or fill up with silence."""
        if self.clip_samples is None:
            yield from sound
            return
        missing = self.clip_samples
        for block in sound:
            yield block[:missing]
            missing -= min(missing, len(block))
            if not missing:
                return
        yield np.zeros(missing)


SPECVQGAN = SpecVqgan("specvqgan", 22_050)
SPECVQGAN_DATASET = SpecVqgan("specvqgan-dataset", 22_050, looped=True)
SPECVQGAN_CODEC = SpecVqgan("specvqgan-codec", 22_050, replace(_GRID, after=512), clip_s=None)
