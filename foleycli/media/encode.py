"""Encoding a soundtrack so that a decoder gives back its samples at their place.

Lossless codecs carry 16 bits. AAC and Opus put some milliseconds before the first sample and fill
up the last packet; the container says how much of both to discard. Opus runs at 48 kHz only, AAC at
the rates of ISO/IEC 14496-3, table 1.18.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import PacketSideData, packet_sidedata_type_from_literal
from numpy.typing import NDArray

from foleycli.media.audio import quantize

CODECS = {  # what each container takes, the default first
    ".mp4": ("aac", "alac", "flac", "opus"),
    ".m4v": ("aac", "alac"),
    ".mov": ("aac", "alac", "pcm"),
    ".mkv": ("flac", "aac", "alac", "opus", "pcm"),
    ".webm": ("opus",),
}

_ENCODERS = {  # encoder and the sample format it is given
    "aac": ("aac", "fltp"),
    "alac": ("alac", "s16p"),
    "flac": ("flac", "s16"),
    "opus": ("libopus", "flt"),
    "pcm": ("pcm_s16le", "s16"),
}
_LOSSY = ("aac", "opus")
_BITS_A_SECOND = 128_000  # of a lossy channel
_OPUS_RATE_HZ = 48_000
_AAC_RATES_HZ = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200)
_AAC_TOP_RATE_HZ = 96_000
_BLOCK_SAMPLES = 4096  # for PCM, which has no frames


def choose_codec(codec: str, suffix: str) -> str:
    """Resolve ``auto`` and check that the container takes the codec, or raise ValueError."""
    if suffix not in CODECS:
        raise ValueError(f"no film format {suffix or '(no suffix)'}: write {', '.join(CODECS)}")
    if codec == "auto":
        return CODECS[suffix][0]
    if codec not in _ENCODERS:
        raise ValueError(f"no sound codec {codec!r}: choose auto, {', '.join(_ENCODERS)}")
    if codec not in CODECS[suffix]:
        raise ValueError(f"{suffix} takes no {codec} sound: choose {', '.join(CODECS[suffix])}")
    return codec


def codec_rate_hz(codec: str, rate_hz: int) -> int:
    """Return the rate to encode at: ``rate_hz`` if the codec has it, else its next higher one."""
    if codec == "opus":
        return _OPUS_RATE_HZ
    if codec == "aac":
        return next((rate for rate in _AAC_RATES_HZ if rate >= rate_hz), _AAC_TOP_RATE_HZ)
    return rate_hz


def add_sound(target: OutputContainer, codec: str, rate_hz: int, channels: int) -> AudioStream:
    """Add a track for one or two channels to a file that is not yet begun."""
    encoder, samples = _ENCODERS[codec]
    layout = "stereo" if channels == 2 else "mono"
    track = cast(AudioStream, target.add_stream(encoder, rate=rate_hz, layout=layout))
    context = track.codec_context
    context.format = av.AudioFormat(samples)
    context.flags |= Flags.bitexact
    if codec in _LOSSY:
        context.bit_rate = _BITS_A_SECOND * channels
    return track


def encoded(
    track: AudioStream, waveform: NDArray[np.float32], codec: str
) -> Iterator[av.Packet[AudioStream]]:
    """Encode (channels, samples) float32 into the packets of ``track``, one at a time."""
    context = track.codec_context
    samples: NDArray[Any] = waveform if codec in _LOSSY else quantize(waveform, bits=16)[0]
    size = context.frame_size or _BLOCK_SAMPLES
    for begin in range(0, waveform.shape[1], size):
        block = samples[:, begin : begin + size]
        if context.format.is_packed:
            block = block.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block), context.format.name, context.layout.name
        )
        frame.sample_rate, frame.pts = context.rate, begin
        frame.time_base = Fraction(1, context.rate)
        yield from track.encode(frame)
    for packet in track.encode(None):
        if codec == "aac":
            _declare_padding(packet, context.frame_size)
        yield packet


def _declare_padding(packet: av.Packet[AudioStream], frame_samples: int) -> None:
    """Write into a packet how many samples at its end to discard: Matroska has no other way.

    The Opus encoder does so by itself; the AAC encoder only gives its last packet a duration.
    """
    beyond = frame_samples - (packet.duration or frame_samples)
    if beyond > 0:
        kind = packet_sidedata_type_from_literal("skip_samples")
        discard = PacketSideData(kind, 10)  # type: ignore[call-arg]  # its stub has no arguments
        discard.update(struct.pack("<IIBB", 0, beyond, 0, 0))
        packet.set_sidedata(discard)
