"""Small films whose every frame shows its own number, with timestamps as the test wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from foleycli.media.video import Frame

Film = Callable[..., Path]
STEP = 4  # grey levels from one frame to the next: survives lossy coding


def picture(number: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Flat grey of level ``20 + STEP * number``."""
    return np.full((height, width, 3), 20 + STEP * number, np.uint8)


@pytest.fixture(scope="session")
def number_on() -> Callable[[Frame], int]:
    """Read back which picture a frame is."""
    return lambda frame: round((float(frame.gray(8, 8).mean()) - 20) / STEP)


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Write a film whose frames are shown at ``ticks``, in units of ``tick`` seconds."""

    def write(
        name: str,
        ticks: Sequence[int] = range(25),
        tick: Fraction = Fraction(1, 25),
        *,
        pictures: Sequence[NDArray[np.uint8]] | None = None,
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        pixels: str = "yuv420p",
        turned: tuple[float, bool, bool] | None = None,
        sound: NDArray[np.float32] | None = None,
        sound_codec: str = "aac",
        sound_rate_hz: int = 48_000,
        sound_at: int = 0,
        container_options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        shown = pictures or [picture(k % 55) for k in range(len(ticks))]
        with av.open(str(path), "w", container_options=container_options or {}) as target:
            # A rate of one frame a tick keeps encoders from rounding the times given.
            stream = target.add_stream(codec, rate=1 / tick, options=options or {})
            stream.height, stream.width = shown[0].shape[:2]
            stream.pix_fmt = pixels
            stream.codec_context.time_base = tick
            if turned:
                stream.set_display_rotation(*turned)
            track = None
            if sound is not None:
                layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(sound)]
                track = target.add_stream(sound_codec, rate=sound_rate_hz, layout=layout)
            target.start_encoding()
            for when, image in zip(ticks, shown, strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = when, tick
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
            if track is not None:
                frame = av.AudioFrame.from_ndarray(sound, "fltp", track.codec_context.layout.name)
                frame.sample_rate, frame.pts = sound_rate_hz, sound_at
                frame.time_base = Fraction(1, sound_rate_hz)
                target.mux(track.encode(frame))
                target.mux(track.encode(None))
        return path

    return write


@pytest.fixture
def recopied(tmp_path: Path) -> Callable[..., Path]:
    """Copy packets into a new file through a function that may change, drop or reorder them."""

    def copy(source: Path, name: str, change: Callable[[list[av.Packet]], list[av.Packet]]) -> Path:
        path = tmp_path / name
        with av.open(str(source)) as given, av.open(str(path), "w") as target:
            copies = {
                s.index: target.add_stream_from_template(s, opaque=True) for s in given.streams
            }
            for packet in change([p for p in given.demux() if p.size]):
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
        return path

    return copy


@pytest.fixture(scope="session")
def click() -> Callable[..., NDArray[np.float32]]:
    """(samples,) silence with a click at ``at_s``."""

    def make(duration_s: float, rate_hz: int, at_s: float = 1.0) -> NDArray[np.float32]:
        waveform = np.zeros(round(duration_s * rate_hz), np.float32)
        waveform[round(at_s * rate_hz)] = 0.9
        return waveform

    return make
