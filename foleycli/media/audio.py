"""Sound in and out: float32 in [-1, 1], sample 0 at the picture's first frame.

Decoding starts where the picture does: silence is put before a sound that begins later, and what
precedes the picture (codec priming included) is cut. Integer samples are scaled by 2^(bits - 1)
both ways, so that PCM survives reading and writing bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import soundfile
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray
from scipy.io import wavfile

from foleycli.files.atomic import atomic_path
from foleycli.media.clock import picture_start
from foleycli.media.container import (
    MediaError,
    choose_stream,
    codec_name,
    describe_streams,
    open_media,
    packets_of,
)

_JITTER_S = 0.05  # timestamps stray by less than this (rounding, clock drift); more is a gap
_ABSURD = 4.0  # a lossy decoder that goes this far beyond full scale was fed damage
_BLOCK_SAMPLES = 1 << 16
_SUBTYPES = {".wav": ("PCM_16", "PCM_24", "FLOAT"), ".flac": ("PCM_16", "PCM_24")}


def read_audio(
    path: str | os.PathLike[str], *, rate_hz: int | None = None, mono: bool = True
) -> tuple[NDArray[np.float32], int]:
    """Decode the sound of any media file, aligned with its picture.

    Parameters
    ----------
    path : path
        Anything libavformat reads.
    rate_hz : int, optional
        Sample rate to convert to; the file's own unless told.
    mono : bool
        Average the channels with equal weights, leaving out a low-frequency (LFE) channel when
        there are more than two: never louder than the loudest channel.

    Returns
    -------
    waveform : (samples,) float32, or (channels, samples) when not ``mono``
        Nominally in [-1, 1]; float and lossy codings may exceed it. Sample 0 is the time of the
        first video frame where the file has a picture, else of the first sample.
    rate_hz : int

    Raises
    ------
    MediaError
        When there is no audio stream or nothing in it decodes.
    """
    with _opened(path) as (container, stream, start):
        blocks, rates = zip(*_laid(container, stream, start, mono), strict=True)
    waveform, rate = np.concatenate(blocks, axis=1), rates[0]
    if rate_hz is not None:
        waveform, rate = resample(waveform, rate, rate_hz), rate_hz
    return (waveform[0] if mono else waveform), rate


def stream_audio(path: str | os.PathLike[str], rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Decode to mono as :func:`read_audio` does, a block at a time: (samples,) float32 each.

    Concatenated, the blocks are what :func:`read_audio` returns; an hour takes no more memory than
    a second.
    """
    with _opened(path) as (container, stream, start):
        laid = _laid(container, stream, start, mono=True)
        first, rate = next(laid)
        mono = (block[0] for block, _ in chain([(first, rate)], laid))
        yield from mono if rate == rate_hz else _resampled(mono, rate, rate_hz)


def resample(waveform: NDArray[np.float32], rate_hz: int, new_rate_hz: int) -> NDArray[np.float32]:
    """Convert the sample rate with libswresample, keeping every event at its time.

    Parameters
    ----------
    waveform : (..., samples) float32

    Returns
    -------
    (..., round(samples * new_rate_hz / rate_hz)) float32; of one sample at least one is left
    """
    if min(rate_hz, new_rate_hz) <= 0:
        raise ValueError(f"sample rates must be positive, got {rate_hz} and {new_rate_hz}")
    if rate_hz == new_rate_hz or waveform.shape[-1] == 0:
        return waveform
    if waveform.ndim > 1:
        return np.stack([resample(row, rate_hz, new_rate_hz) for row in waveform])
    blocks = np.split(waveform, range(_BLOCK_SAMPLES, len(waveform), _BLOCK_SAMPLES))
    return np.concatenate(list(_resampled(blocks, rate_hz, new_rate_hz)))


def _resampled(
    blocks: Iterable[NDArray[np.float32]], rate_hz: int, new_rate_hz: int
) -> Iterator[NDArray[np.float32]]:
    """Convert a signal that comes in blocks to round(samples * new / old) samples, at least one."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=new_rate_hz)
    taken = given = 0
    for block in blocks:
        taken += len(block)
        for frame in resampler.resample(_mono_frame(block, rate_hz)) if len(block) else ():
            given += frame.samples
            yield frame.to_ndarray()[0]
    rest = [frame.to_ndarray()[0] for frame in resampler.resample(None)]
    wanted = max(min(taken, 1), round(Fraction(taken * new_rate_hz, rate_hz)))
    yield fit(np.concatenate([*rest, np.zeros(0, np.float32)]), wanted - given)


def fit(waveform: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Cut or pad with silence the last axis to ``samples``."""
    missing = max(0, samples - waveform.shape[-1])
    padding = [(0, 0)] * (waveform.ndim - 1) + [(0, missing)]
    return np.pad(waveform[..., :samples], padding)


def write_audio(
    path: str | os.PathLike[str],
    waveform: NDArray[np.floating],
    rate_hz: int,
    *,
    subtype: str | None = None,
) -> int:
    """Write ``.wav`` or ``.flac``, atomically and byte-identical on every run.

    Parameters
    ----------
    path : path
    waveform : (samples,) or (channels, samples) float
        Full scale is [-1, 1].
    rate_hz : int
    subtype : {"PCM_16", "PCM_24", "FLOAT"}, optional
        16 bits unless told. FLOAT (WAV only) keeps float32 as it is, beyond full scale too; the
        others round to the nearest step, without dither, and clip.

    Returns
    -------
    int
        Number of samples beyond full scale that were clipped: report it when it is not 0.

    Raises
    ------
    ValueError
        For non-finite samples, an unknown suffix, or a subtype the format does not have.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _SUBTYPES:
        raise ValueError(f"cannot write {suffix or 'no suffix'}: choose .wav or .flac")
    subtype = subtype or "PCM_16"
    if subtype not in _SUBTYPES[suffix]:
        raise ValueError(f"{suffix} has no {subtype}: choose {' or '.join(_SUBTYPES[suffix])}")
    if subtype == "FLOAT":
        exact = require_finite(waveform).astype(np.float32)
        with atomic_path(path) as temporary:  # libsndfile would add a chunk with the time of day
            wavfile.write(temporary, rate_hz, exact.T)
        return 0
    samples, clipped = quantize(waveform, bits=int(subtype[-2:]))
    with atomic_path(path) as temporary:
        soundfile.write(temporary, samples.T, rate_hz, subtype)
    return clipped


def quantize(
    waveform: NDArray[np.floating], bits: int
) -> tuple[NDArray[np.int16] | NDArray[np.int32], int]:
    """Round to the nearest integer step; 16 bits as int16, 24 bits in the upper bytes of int32.

    Returns
    -------
    samples : int16 or int32, shaped like ``waveform``
    clipped : int
        How many values lay outside [-1, 1]; 1 itself becomes the largest integer.
    """
    scale = 2.0 ** (bits - 1)
    steps = np.rint(require_finite(waveform) * scale).clip(-scale, scale - 1)
    clipped = int(np.count_nonzero(np.abs(waveform) > 1))
    if bits == 16:
        return steps.astype(np.int16), clipped
    return steps.astype(np.int32) << (32 - bits), clipped


def require_finite(waveform: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the waveform as float64, or raise ValueError when it holds NaN or infinity."""
    if waveform.ndim not in (1, 2):
        raise ValueError(f"a waveform is (samples,) or (channels, samples), got {waveform.shape}")
    wrong = int(np.count_nonzero(~np.isfinite(waveform)))
    if wrong:
        raise ValueError(f"{wrong} samples are NaN or infinite; a waveform must be finite")
    return waveform.astype(np.float64)


@contextmanager
def _opened(
    path: str | os.PathLike[str],
) -> Iterator[tuple[InputContainer, AudioStream, Fraction | None]]:
    """Open a file's sound: the container, the stream to read, and the time of the picture."""
    start = picture_start(path)
    with open_media(path) as container:
        stream = cast(AudioStream | None, choose_stream(container, "audio"))
        if stream is None:
            raise MediaError(f"no audio stream (found: {describe_streams(container)})")
        yield container, stream, start


def _laid(
    container: InputContainer, stream: AudioStream, start: Fraction | None, mono: bool
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode a sound and lay its frames end to end from time ``start`` (its own unless told).

    Frames are placed by their timestamps only at the beginning and after something is missing:
    containers round the times in between. The last one ends where its packet says, which cuts a
    codec's padding.

    Yields
    ------
    block : (channels, samples) float32
    rate_hz : int
        Of the first frame decoded, which knows better than a header.
    """
    last: NDArray[np.float32] | None = None
    rate = written = due = beyond = channels = 0  # samples laid, where the next belongs, padding
    for frame, gap in decoded_frames(container, stream):
        rate = rate or frame.sample_rate
        block = _mixed(frame) if mono else _samples(frame)
        if not stream.codec_context.codec.lossless and not np.abs(block).max(initial=0) < _ABSURD:
            block = np.zeros_like(block)
        if frame.sample_rate != rate:
            block = resample(block, frame.sample_rate, rate)
        channels = channels or len(block)
        if len(block) != channels:  # they changed on the way
            block = np.repeat(block.mean(0, keepdims=True), channels, axis=0)
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * Fraction(frame.time_base)
            start = time if start is None else start
            stated = round((time - start) * rate)
            if gap or abs(stated - due) > _JITTER_S * rate:
                due = stated
        if last is not None:
            yield last, rate
        if due > written:
            yield np.zeros((channels, due - written), np.float32), rate
            written = due
        last = block[:, written - due :]
        due += block.shape[1]
        written = max(written, due)
        beyond = padding_samples(frame)
    if last is None:
        raise MediaError(f"no sound decodes (found: audio/{codec_name(stream)})")
    yield last[:, : max(0, last.shape[1] - beyond)], rate


def decoded_frames(
    container: InputContainer, stream: AudioStream
) -> Iterator[tuple[av.AudioFrame, bool]]:
    """Yield every frame that decodes, and whether it is the first or follows one that did not."""
    gap = True
    for packet in packets_of(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            gap = True
            continue
        for frame in frames:
            yield frame, gap
            gap = False


def padding_samples(frame: av.AudioFrame) -> int:
    """Count the samples beyond a packet's stated duration, where its time base resolves them."""
    if not frame.duration or not frame.time_base or frame.time_base * frame.sample_rate > 1:
        return 0
    stated = round(frame.duration * frame.time_base * frame.sample_rate)
    return max(0, frame.samples - stated)


def _mixed(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Return the (1, samples) mean of the channels, without LFE where there are more than two."""
    samples = _samples(frame)
    if len(samples) > 2:
        names = [channel.name for channel in frame.layout.channels]
        kept = [k for k, name in enumerate(names) if name not in ("LFE", "LFE2")]
        samples = samples[kept or slice(None)]
    return np.asarray(samples.mean(0, keepdims=True), np.float32)


def _samples(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Return (channels, samples) float32 of a decoded frame, integers over their full scale."""
    array: NDArray[Any] = frame.to_ndarray()
    if frame.format.is_packed:
        array = array.reshape(-1, frame.layout.nb_channels).T
    floats = array.astype(np.float32)
    if array.dtype == np.uint8:
        return (floats - np.float32(128)) / np.float32(128)
    if array.dtype.kind == "i":
        return floats * np.float32(2.0 ** (1 - 8 * array.dtype.itemsize))
    return floats


def _mono_frame(block: NDArray[np.float32], rate_hz: int) -> av.AudioFrame:
    row = np.ascontiguousarray(block[None])
    frame = av.AudioFrame.from_ndarray(row, format="flt", layout="mono")
    frame.sample_rate = rate_hz
    return frame
