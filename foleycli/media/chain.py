"""Sound as the published pipelines read it: through 16-bit files.

They decode to a wav at the file's own rate and layout, and make a mono wav at another rate of that,
both steps in libswresample. Its integer downmix is the mean of two channels, its float downmix 3 dB
more; and rounding twice to 16 bits is heard where a sound is quiet. Timestamps are not heeded: the
sound begins with its first sample, wherever the picture does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, cycle, groupby
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from foleycli.media.audio import decoded_frames, padding_samples, stream_audio
from foleycli.media.container import (
    MediaError,
    choose_stream,
    codec_name,
    describe_streams,
    open_media,
)

_BLOCK_SAMPLES = 1 << 16
_AAC_SAMPLES = 1024
_STEP = np.float32(2.0**-15)


def sound_blocks(
    path: str | os.PathLike[str], rate_hz: int, how: str
) -> Iterator[NDArray[np.float32]]:
    """Read a sound as a front end asks for it, a block at a time.

    Parameters
    ----------
    path : path
    rate_hz : int
    how : {"float", "s16", "s16-looped"}
        :attr:`foleycli.dsp.front_ends.front_end.FrontEnd.chain`: at full precision and in time with
        the picture, or through 16-bit files.

    Yields
    ------
    (samples,) float32

    Raises
    ------
    MediaError
        When there is no audio stream or nothing in it decodes.
    """
    if how == "float":
        return stream_audio(path, rate_hz)
    return chain_blocks(path, rate_hz, looped=how == "s16-looped")


def chain_blocks(
    path: str | os.PathLike[str], rate_hz: int, *, looped: bool = False
) -> Iterator[NDArray[np.float32]]:
    """Decode to mono through 16-bit files, a block at a time.

    What ``ffmpeg -i PATH a.wav`` and then ``ffmpeg -i a.wav -ac 1 -ar RATE b.wav`` make, sample by
    sample; decoding stops where the caller does.

    Parameters
    ----------
    path : path
        Anything libavformat reads; the picture is passed over.
    rate_hz : int
    looped : bool
        Repeat the sound without end, as the makers of SpecVQGAN's data set repeated short clips:
        they coded the wav as AAC and looped the file, so that each turn is filled up to whole AAC
        frames and parted from the next by one more, the encoder's priming.

    Yields
    ------
    (samples,) float32
        Multiples of 1 / 32768 in [-1, 1).

    Raises
    ------
    MediaError
        When there is no audio stream or nothing in it decodes.
    """
    wav = _looped(_wav(path)) if looped else _wav(path)
    for frame in _converted(wav, av.AudioResampler("s16", "mono", rate_hz)):
        yield frame.to_ndarray()[0] * _STEP


def _wav(path: str | os.PathLike[str]) -> Iterator[av.AudioFrame]:
    """Decode to 16 bits, all in the first frame's rate and layout, without the codec's padding."""
    with open_media(path) as container:
        stream = cast(AudioStream | None, choose_stream(container, "audio"))
        if stream is None:
            raise MediaError(f"no audio stream (found: {describe_streams(container)})")
        latest: av.AudioFrame | None = None

        def decoded() -> Iterator[av.AudioFrame]:
            nonlocal latest
            for latest, _ in decoded_frames(container, stream):
                yield latest

        last: av.AudioFrame | None = None
        for frame in _uniform(decoded()):
            if last is not None:
                yield last
            last = frame
        if last is None or latest is None:
            raise MediaError(f"no sound decodes (found: audio/{codec_name(stream)})")
        kept = last.samples - padding_samples(latest)
        if kept > 0:
            yield _like(last, last.to_ndarray()[:, : kept * last.layout.nb_channels])


def _uniform(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Bring frames to 16 bits and to the first one's rate and layout, should these change."""
    first: list[Any] = []
    for (_, *kind), run in groupby(frames, lambda f: (f.format.name, f.layout.name, f.sample_rate)):
        first = first or kind
        yield from _converted(_joined(run), av.AudioResampler("s16", *first))


def _joined(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Make few long frames of many short ones, which cost libswresample more than their samples."""
    held: list[NDArray[Any]] = []
    for frame in frames:
        held.append(frame.to_ndarray())
        if held[-1].dtype.kind == "f" and not np.isfinite(held[-1]).all():
            raise MediaError("the sound holds samples that are NaN or infinite")
        if len(held) * frame.samples >= _BLOCK_SAMPLES:
            yield _like(frame, np.concatenate(held, axis=1))
            held = []
    if held:
        yield _like(frame, np.concatenate(held, axis=1))


def _converted(
    frames: Iterable[av.AudioFrame], resampler: av.AudioResampler
) -> Iterator[av.AudioFrame]:
    for frame in chain(frames, [None]):
        yield from (converted for converted in resampler.resample(frame) if converted)


def _looped(wav: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Repeat frames as an AAC file is: filled up to whole coded frames, and one frame between."""
    kept = []
    for frame in wav:
        kept.append(frame)
        yield frame
    gap = -sum(frame.samples for frame in kept) % _AAC_SAMPLES + _AAC_SAMPLES
    silence = np.zeros((1, gap * kept[0].layout.nb_channels), np.int16)
    yield from cycle([_like(kept[0], silence), *kept])


def _like(frame: av.AudioFrame, array: NDArray[Any]) -> av.AudioFrame:
    """Make a frame of other samples in the same format, layout and rate."""
    made = av.AudioFrame.from_ndarray(array, frame.format.name, frame.layout.name)
    made.sample_rate = frame.sample_rate
    return made
