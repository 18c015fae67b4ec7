from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from foleycli.media.audio import read_audio
from foleycli.media.browser import browser_picture, plays_everywhere, write_sound
from foleycli.media.container import MediaError
from foleycli.media.stills import read_still, write_still
from foleycli.media.video import probe, read_frames, write_video


def film(
    path: Path, codec: str, pixels: str, size: tuple[int, int] = (64, 48), aspect: int = 1
) -> Path:
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.sample_aspect_ratio = aspect
        for k in range(10):
            shape = (size[1], size[0], 3)
            frame = av.VideoFrame.from_ndarray(np.full(shape, 20 * k, np.uint8), format="rgb24")
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def test_a_picture_that_plays_everywhere_is_itself(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", "libx264", "yuv420p")
    assert plays_everywhere(path)
    with browser_picture(path) as found:
        assert found == path


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "size"),
    [
        ("a.mp4", "libx264", "yuv444p", (64, 48)),
        ("a.avi", "mpeg4", "yuv420p", (64, 48)),
        ("a.webm", "libvpx", "yuv420p", (64, 48)),
        ("a.mkv", "ffv1", "yuv444p", (63, 47)),
    ],
)
def test_another_is_encoded_and_gone_afterwards(
    name: str, codec: str, pixels: str, size: tuple[int, int], tmp_path: Path
) -> None:
    path = film(tmp_path / name, codec, pixels, size)
    assert not plays_everywhere(path)
    with browser_picture(path) as found:
        assert plays_everywhere(found)
        info = probe(found)
        assert (info.width % 2, info.height % 2) == (0, 0)
        assert info.duration_s == pytest.approx(probe(path).duration_s, abs=0.041)
        before = [frame.rgb(8, 8).mean() for frame in read_frames(path)]
        after = [frame.rgb(8, 8).mean() for frame in read_frames(found)]
        assert after == pytest.approx(before, abs=4)
    assert not found.exists()


def test_without_a_picture_it_says_so(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.m4a", np.zeros((2, 4800), np.float32))
    with pytest.raises(MediaError, match="no video stream"):
        plays_everywhere(tmp_path / "a.m4a")


def test_sound_comes_back_at_its_place_and_length(tmp_path: Path) -> None:
    sound = np.zeros((2, 30_000), np.float32)
    sound[:, 10_000:10_100] = 0.5
    write_sound(tmp_path / "a.m4a", sound)
    back, rate_hz = read_audio(tmp_path / "a.m4a")
    assert (len(back), rate_hz) == (30_000, 48_000)
    assert abs(int(np.abs(back).argmax()) - 10_050) < 100
    first = (tmp_path / "a.m4a").read_bytes()
    write_sound(tmp_path / "a.m4a", sound)
    assert (tmp_path / "a.m4a").read_bytes() == first
    assert first.index(b"moov") < first.index(b"mdat")


def test_a_still_comes_back_as_it_was(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    write_still(tmp_path / "a.png", pixels)
    assert np.array_equal(read_still(tmp_path / "a.png"), pixels)


def test_a_long_pixel_is_made_square(tmp_path: Path) -> None:
    film(tmp_path / "a.avi", "mpeg4", "yuv420p", aspect=2)
    with browser_picture(tmp_path / "a.avi") as found:
        assert (probe(found).width, probe(found).height) == (128, 48)


def test_a_written_film_is_browser_safe(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", iter(np.zeros((3, 16, 16, 3), np.uint8)), 25)
    assert plays_everywhere(tmp_path / "a.mp4")
