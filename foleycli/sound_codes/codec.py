"""Sound -> mel -> codes of SpecVQGAN's codebook -> mel -> sound, of any length.

One column of codes is 16 frames of mel, 4096 samples, and a sound is filled up with silence to
whole columns. The codebook was trained on windows of 848 frames, 53 columns, and normalises and
attends over all it is given. A sound of up to a quarter more is coded whole, as the published codec
does with all: ten seconds are 54 columns. A longer one is coded window by window, each exactly as
long as in training, because neither the network's statistics nor its attention were ever of
anything much longer, and because activations of an hour would need 13 GB a layer. Windows overlap;
there the codes are those of the nearer window, so that none is stored twice, and decoded mels are
cross-faded. The vocoder hears six frames to either side and is run over blocks with as many around
them, which changes nothing but rounding.

Windows and blocks follow from the sound's length, and are passed one at a time: nothing depends on
what else is coded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import Blocks
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN_CODEC
from foleycli.models.melgan import MelganConfig
from foleycli.models.melgan_folded import FoldedMelgan
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook

FRONT_END = SPECVQGAN_CODEC
RATE_HZ = FRONT_END.rate_hz
PEAK = 10 ** (-1 / 20)  # louder sounds are turned down to -1 dBFS

_HOP_SAMPLES = FRONT_END.grid.hop_samples
_OVERLAP_SHARE = 0.25  # of a window; 13 columns, 2.4 s, in the paper's
_BLOCK_FRAMES = 1024
_LACKING_FRAMES = 2


@dataclass(frozen=True)
class CodeGrid:
    """How codes lie over a sound.

    Attributes
    ----------
    config : CodebookConfig
    """

    config: CodebookConfig

    @property
    def column_samples(self) -> int:
        """Samples that one column of codes stands for."""
        return self.config.factor * _HOP_SAMPLES

    @property
    def column_s(self) -> float:
        """The same in seconds."""
        return self.column_samples / RATE_HZ

    @property
    def bits(self) -> int:
        """Bits of one code where all take as many: 10 of 1024."""
        return (self.config.codes - 1).bit_length()

    def columns(self, samples: int) -> int:
        """Return how many columns cover a sound."""
        return -(-samples // self.column_samples)

    def bitrate_bps(self, samples: int) -> float:
        """Return the bits that a second of a sound takes.

        Notes
        -----
        A window of the paper's: 5 x 53 codes of 10 bits in 848 x 256 samples at 22.05 kHz (9.845 s)
        are 2650 bits and 269 bit/s, its 0.27 kbit/s; 7 bits (VAS) are 188 bit/s, its 0.19. A kbit
        has 1000 bits there, where the published notebook divides by 1024 and prints 0.26.
        """
        rows = self.config.code_rows
        return self.bits * rows * self.columns(samples) * RATE_HZ / samples


class SoundCodec:
    """A codebook at work, with a vocoder if there is one.

    Attributes
    ----------
    grid : CodeGrid
    has_vocoder : bool
    """

    def __init__(self, codebook: SpectrogramCodebook, vocoder: FoldedMelgan | None = None) -> None:
        self.grid = CodeGrid(codebook.config)
        self.has_vocoder = vocoder is not None
        self._codebook, self._vocoder = codebook, vocoder

    def encode_sound(self, sound: Blocks) -> tuple[NDArray[np.int64], int]:
        """Turn mono sound at :data:`RATE_HZ` into codes.

        Returns
        -------
        codes : (rows, columns) int64
        samples : int
            Of the sound, without the silence behind it.

        Raises
        ------
        ValueError
            When the sound is empty, or holds NaN or infinity.
        """
        heard = _Heard(sound, self.grid.column_samples)
        pieces = [piece["mel"] for piece in FRONT_END.encode(heard, {})]
        columns = self.grid.columns(heard.samples)
        mel = np.concatenate(pieces, axis=1)[:, : columns * self.grid.config.factor]
        return self.encode(mel), heard.samples

    @torch.inference_mode()
    def encode(self, mel: NDArray[np.floating]) -> NDArray[np.int64]:
        """Turn a mel (mels, frames) in [0, 1] into codes (rows, frames // 16) int64.

        Frames beyond the last whole column have no say.

        Raises
        ------
        ValueError
            When it has no whole column.
        """
        config, device = self.grid.config, self._codebook.quantize.embedding.weight.device
        columns = mel.shape[1] // config.factor
        mel = mel[:, : columns * config.factor]
        codes = np.empty((config.code_rows, columns), np.int64)
        kept = 0
        spans = windows(columns, config.code_columns)
        ends = [(stop + start) // 2 for (_, stop), (start, _) in pairwise(spans)]
        for (start, stop), end in zip(spans, [*ends, columns], strict=True):
            window = mel[:, start * config.factor : stop * config.factor]
            given = torch.from_numpy((2 * window - 1).astype(np.float32)).to(device)
            found = self._codebook.encode(given[None, None]).codes[0].cpu().numpy()
            codes[:, kept:end] = found[:, kept - start : end - start]
            kept = end
        return codes

    @torch.inference_mode()
    def decode(self, codes: NDArray[np.integer]) -> NDArray[np.float32]:
        """Turn codes (rows, columns) into a mel (mels, 16 columns) float32, nominally in [0, 1].

        Nothing is clamped, as published.
        """
        config, device = self.grid.config, self._codebook.quantize.embedding.weight.device
        columns = codes.shape[1]
        mel = np.zeros((config.mels, columns * config.factor), np.float32)
        weights = np.zeros(mel.shape[1], np.float32)
        for start, stop in windows(columns, config.code_columns):
            window = torch.from_numpy(codes[:, start:stop].astype(np.int64))
            decoded = self._codebook.decode_codes(window[None].to(device))[0, 0].cpu().numpy()
            first = start * config.factor
            fade = _fade(decoded.shape[1], round(_OVERLAP_SHARE * config.frames))
            mel[:, first : first + len(fade)] += (decoded + 1) / 2 * fade
            weights[first : first + len(fade)] += fade
        mel /= weights
        return mel

    def sound(
        self, mel: NDArray[np.floating], samples: int, *, seed: int = 0
    ) -> NDArray[np.float32]:
        """Turn a mel (mels, frames) in [0, 1] into a sound of up to :data:`PEAK`.

        By the vocoder; without one phases are searched for, from those that ``seed`` draws.

        Returns
        -------
        (samples,) float32
        """
        if self._vocoder is not None:
            waveform = vocode(self._vocoder, mel, samples)
        else:
            waveform = FRONT_END.resynthesise(
                {"mel": mel.clip(0, 1)},
                {},
                samples=samples,
                method=FRONT_END.methods[0],
                seed=seed,
            )
        peak = float(np.abs(waveform).max(initial=0))
        return waveform * np.float32(PEAK / peak) if peak > PEAK else waveform


@torch.inference_mode()
def vocode(vocoder: FoldedMelgan, mel: NDArray[np.floating], samples: int) -> NDArray[np.float32]:
    """Turn a mel (mels, frames) in [0, 1] into (samples,) float32.

    SpecVQGAN's mel of ten seconds lacks the last two frames, for which the one before stands; what
    lies further beyond the mel is silent.

    Raises
    ------
    ValueError
        When the vocoder takes other mels.
    """
    config = vocoder.config
    if mel.shape[0] != config.mels:
        raise ValueError(f"the vocoder takes {config.mels} mel bands, not {mel.shape[0]}")
    wanted = -(-samples // config.hop_samples)
    lacking = min(max(0, wanted - mel.shape[1]), _LACKING_FRAMES)
    mel = np.pad(mel, ((0, 0), (0, lacking)), mode="edge")
    margin, frames = vocoder_reach(config), min(mel.shape[1], wanted)
    device = next(vocoder.parameters()).device
    given = torch.from_numpy(np.ascontiguousarray(mel, np.float32)).to(device)
    waveform = np.zeros(samples, np.float32)
    for first in range(0, frames, _BLOCK_FRAMES):
        before = max(0, first - margin)
        block = given[None, :, before : first + _BLOCK_FRAMES + margin]
        skip = (first - before) * config.hop_samples
        made = vocoder(block)[0, 0, skip : skip + _BLOCK_FRAMES * config.hop_samples]
        begin = first * config.hop_samples
        part = waveform[begin : begin + len(made)]
        part[:] = made.cpu().numpy()[: len(part)]
    return waveform


def vocoder_reach(config: MelganConfig) -> int:
    """Return how many frames to either side of one have a say in its samples.

    The first and the last layer reach three of their own steps, those that lengthen half of one
    of the steps before, dilated ones a power of three; in the paper's network steps are 1, 1/8,
    1/64, 1/128 and 1/256 of a frame.
    """
    rate, reach = 1, 3.0
    for ratio in config.ratios:
        reach += 0.5 / rate
        rate *= ratio
        reach += sum(3**i for i in range(config.residual_blocks)) / rate
    return math.ceil(reach + 3 / rate)


def windows(columns: int, window: int) -> list[tuple[int, int]]:
    """Return the first column of every window, and the one after its last.

    They are evenly laid and overlap by a quarter or, rounded, more; up to a window and a quarter
    there is but one, of all columns.
    """
    spare, overlap = columns - window, round(_OVERLAP_SHARE * window)
    if spare <= overlap:
        return [(0, columns)]
    steps = -(-spare // (window - overlap))
    starts = [round(step * spare / steps) for step in range(steps + 1)]
    return [(start, start + window) for start in starts]


def _fade(frames: int, overlap: int) -> NDArray[np.float32]:
    """Return a window's weight (frames,): from nearly 0 to 1 at either end."""
    nearest = np.minimum(np.arange(frames), np.arange(frames)[::-1]) + 0.5
    faded: NDArray[np.float32] = np.minimum(1, nearest / overlap).astype(np.float32)
    return faded


class _Heard:
    """A sound filled up with silence to whole columns; counts the samples before."""

    def __init__(self, sound: Blocks, column_samples: int) -> None:
        self._sound: Iterable[NDArray[np.floating]] = sound
        self._column_samples = column_samples
        self.samples = 0

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        for block in self._sound:
            wrong = int(np.count_nonzero(~np.isfinite(block)))
            if wrong:
                second = self.samples / RATE_HZ
                raise ValueError(f"{wrong} samples near {second:.1f} s are NaN or infinite")
            self.samples += len(block)
            yield block
        if not self.samples:
            raise ValueError("the sound is empty (0 samples)")
        yield np.zeros(-self.samples % self._column_samples, np.float32)
