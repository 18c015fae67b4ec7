"""Putting a new soundtrack under a picture whose packets are copied untouched.

The soundtrack has the picture's duration to the sample, and its first sample is heard with the
first frame. Rotation, colour tags and frame times stay; Matroska and WebM round times to the
millisecond. Only picture and sound are written: subtitles, data and tags are left out.
"""

from __future__ import annotations

import heapq
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from foleycli.files.atomic import atomic_path
from foleycli.media.audio import fit, read_audio, require_finite, resample
from foleycli.media.clock import picture_clock, video_stream
from foleycli.media.container import EXACT_BYTES, MediaError, codec_name, open_media, packets_of
from foleycli.media.encode import add_sound, choose_codec, codec_rate_hz, encoded

_MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_MATROSKA = (".mkv", ".webm")


@dataclass(frozen=True)
class Soundtrack:
    """What was written: the codec, its rate, channels and samples a channel, and how loud.

    ``original_gain_db`` is None when the clip's own sound was left out. ``peak_scale`` is 1 unless
    the soundtrack exceeded full scale; then all of it was multiplied by that.
    """

    codec: str
    rate_hz: int
    channels: int
    samples: int
    original_gain_db: float | None
    peak_scale: float


def mux(
    video_path: str | os.PathLike[str],
    waveform: NDArray[np.floating],
    rate_hz: int,
    out_path: str | os.PathLike[str],
    *,
    codec: str = "auto",
    original_gain_db: float | None = None,
) -> Soundtrack:
    """Copy the picture of a clip and put ``waveform`` under it, atomically.

    The bytes written depend on nothing but the input. A decoder gives back exactly
    ``round(duration * rate)`` samples: the input rounded to 16 bits with FLAC, ALAC and PCM, what
    the coding leaves of it with AAC and Opus, every sample at its place.

    Parameters
    ----------
    video_path : path
    waveform : (samples,) or (channels, samples) float
        One or two channels, full scale [-1, 1]; cut or padded with silence to the picture's
        duration.
    rate_hz : int
        Kept where the codec has it; else the sound is resampled (Opus is always 48 kHz).
    out_path : path
        ``.mp4``, ``.m4v``, ``.mov``, ``.mkv`` or ``.webm``; may be ``video_path`` itself.
    codec : {"auto", "aac", "alac", "flac", "opus", "pcm"}
        ``auto`` is AAC, in Matroska FLAC, in WebM Opus; ``encode.CODECS`` lists what fits where.
    original_gain_db : float, optional
        Mix the clip's own sound in at this gain.

    Returns
    -------
    Soundtrack

    Raises
    ------
    MediaError
        When the source has no picture, or no sound to mix, or the container cannot hold it.
    ValueError
        For non-finite samples, more than two channels, or a codec the container does not take.
    """
    suffix = Path(out_path).suffix.lower()
    codec = choose_codec(codec, suffix)
    rate = codec_rate_hz(codec, rate_hz)
    sound = np.atleast_2d(require_finite(waveform).astype(np.float32))
    if len(sound) > 2:
        raise ValueError(f"a soundtrack has one or two channels, got {len(sound)}; mix it down")
    clock = picture_clock(video_path)
    samples = round(clock.duration * rate)
    sound = fit(resample(sound, rate_hz, rate), samples)
    if original_gain_db is not None:
        own = fit(_own_sound(video_path, rate), samples)
        sound = sound + own * np.float32(10 ** (original_gain_db / 20))
    scale = 1 / max(1.0, float(np.abs(sound).max(initial=0)))
    with atomic_path(out_path) as temporary:
        _write(video_path, clock.start, sound * np.float32(scale), rate, codec, temporary)
    return Soundtrack(codec, rate, len(sound), samples, original_gain_db, scale)


def _own_sound(path: str | os.PathLike[str], rate_hz: int) -> NDArray[np.float32]:
    """Return the (1 or 2, samples) sound of a clip; more channels are averaged to one."""
    own, _ = read_audio(path, rate_hz=rate_hz, mono=False)
    return own if len(own) <= 2 else read_audio(path, rate_hz=rate_hz)[0][None]


def _write(
    video_path: str | os.PathLike[str],
    start: Fraction,
    sound: NDArray[np.float32],
    rate_hz: int,
    codec: str,
    target_path: Path,
) -> None:
    suffix = target_path.suffix.lower()
    options = dict(EXACT_BYTES)
    if suffix not in _MATROSKA:  # the index before the data, and edit lists that resolve a sample
        options |= {"movflags": "+faststart", "movie_timescale": str(rate_hz)}
    with open_media(video_path) as source:
        times = _packet_times(source, start, suffix)
    with open_media(video_path) as source:
        pictures = video_stream(source)
        try:
            with av.open(
                f"file:{target_path}", "w", format=_MUXERS[suffix], container_options=options
            ) as target:
                copy = _add_picture(target, pictures, suffix)
                track = add_sound(target, codec, rate_hz, len(sound))
                target.start_encoding()
                shown: Iterator[av.Packet[Any]] = _copied(
                    _packets(source, pictures, start), times, copy
                )
                heard: Iterator[av.Packet[Any]] = encoded(track, sound, codec)
                for packet in heapq.merge(shown, heard, key=_seconds):
                    target.mux(packet)
        except av.FFmpegError as error:
            reason = f"{codec_name(pictures)} into {suffix}: {error.strerror}"
            raise MediaError(f"the picture cannot be copied ({reason})") from None


def _packets(
    source: InputContainer, stream: VideoStream, start: Fraction
) -> Iterator[av.Packet[VideoStream]]:
    """Yield a picture's packets, without those that lead up to the first one that decodes."""
    for packet in packets_of(source, stream):
        if packet.size == 0:
            continue
        if packet.pts is None:
            raise MediaError("the picture's packets carry no times; put it into a container first")
        if packet.is_discard or packet.pts * packet.time_base >= start:
            yield packet


def _packet_times(source: InputContainer, start: Fraction, suffix: str) -> list[tuple[int, int]]:
    """Presentation and decoding time of each packet, in ticks from the first frame shown.

    Not every container stores decoding times (Matroska) or sensible ones (AVI), so they are made:
    the k-th packet decoded gets the time of the k-th frame shown, less the smallest delay with
    which every packet is decoded by the time it is shown.
    """
    stream = video_stream(source)
    first = int(start / cast(Fraction, stream.time_base))
    shown = [cast(int, packet.pts) - first for packet in _packets(source, stream, start)]
    if min(shown) < 0 and suffix in _MATROSKA:  # an edit list hides what decoding must begin with
        raise MediaError(f"the picture begins between key frames, which needs .mp4, not {suffix}")
    in_order = sorted(shown)
    rank = {pts: k for k, pts in enumerate(in_order)}
    delay = max(k - rank[pts] for k, pts in enumerate(shown))
    step = max(1, in_order[1] - in_order[0]) if delay else 1
    lead = [in_order[0] - early * step for early in range(delay, 0, -1)]
    return list(zip(shown, lead + in_order, strict=False))


def _copied(
    packets: Iterator[av.Packet[VideoStream]], times: list[tuple[int, int]], copy: VideoStream
) -> Iterator[av.Packet[VideoStream]]:
    for packet, (pts, dts) in zip(packets, times, strict=True):
        packet.pts, packet.dts, packet.stream = pts, dts, copy
        yield packet


def _seconds(packet: av.Packet[Any]) -> Fraction:
    return cast(int, packet.dts) * packet.time_base


def _add_picture(target: OutputContainer, pictures: VideoStream, suffix: str) -> VideoStream:
    name = codec_name(pictures)
    if not _takes(suffix, name):
        takers = [other for other in (".mkv", ".mp4", ".mov") if _takes(other, name)]
        advice = f"write {' or '.join(takers)}" if takers else "convert it to H.264 first"
        raise MediaError(f"{suffix} takes no {name} picture: {advice}")
    copy = target.add_stream_from_template(pictures, opaque=True)
    copy.codec_context.framerate = pictures.average_rate or pictures.guessed_rate or Fraction(25)
    if name == "hevc" and suffix not in _MATROSKA:
        copy.codec_context.codec_tag = "hvc1"  # QuickTime plays no other
    return copy


def _takes(suffix: str, picture_codec: str) -> bool:
    if suffix == ".mov" and picture_codec in ("av1", "vp8", "vp9"):  # it has tags but no headers
        return False
    with av.open(io.BytesIO(), "w", format=_MUXERS[suffix]) as target:
        return picture_codec in target.supported_codecs
