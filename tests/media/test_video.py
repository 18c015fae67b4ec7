"""Frames at their true times, upright, in constant memory."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.media.video import Frame, at_rate, probe, read_frames, write_video

NumberOn = Callable[[Frame], int]


def times(path: Path) -> list[float]:
    return [frame.time_s for frame in read_frames(path)]


def end(path: Path) -> float:
    *_, last = read_frames(path)
    return last.time_s + last.duration_s


# --- times


@pytest.mark.parametrize("fps", [5, 25, Fraction(24000, 1001), 59.94, 120])
def test_a_constant_rate_gives_exact_times_and_duration(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, [np.full((16, 16, 3), 4 * k, np.uint8) for k in range(40)], fps)
    exact = Fraction(fps).limit_denominator(1001)
    assert times(path) == pytest.approx([float(k / exact) for k in range(40)], abs=1e-12)
    assert probe(path).duration_s == pytest.approx(float(40 / exact), abs=1e-12)
    assert probe(path).fps == pytest.approx(float(exact))


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mov", "vfr.mkv"])
def test_a_variable_rate_keeps_every_time_and_holds_frames(
    film: Callable[..., Path], number_on: NumberOn, name: str
) -> None:
    ticks = [0, 10, 20, 130, 140, 190, 1190, 1200]  # in milliseconds, one frame held for a second
    frames = list(read_frames(film(name, ticks, Fraction(1, 1000))))
    assert [number_on(frame) for frame in frames] == list(range(8))
    assert [round(frame.time_s * 1000) for frame in frames] == ticks
    for frame, following in pairwise(frames):
        assert frame.time_s + frame.duration_s == pytest.approx(following.time_s)


def test_reordered_frames_come_in_display_order(
    film: Callable[..., Path], number_on: NumberOn
) -> None:
    path = film(
        "b.mp4", range(40), options={"bf": "3", "b-adapt": "0", "x264-params": "b-pyramid=2"}
    )
    with av.open(str(path)) as container:
        stored = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert stored != sorted(stored)
    frames = list(read_frames(path))
    assert [number_on(frame) for frame in frames] == list(range(40))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(40) / 25)


@pytest.mark.parametrize("name", ["late.ts", "late.mkv", "late.mp4"])
def test_times_count_from_the_first_frame_shown(film: Callable[..., Path], name: str) -> None:
    path = film(name, range(50, 70))
    assert times(path) == pytest.approx(np.arange(20) / 25, abs=0.001)
    assert probe(path).duration_s == pytest.approx(20 / 25)


def test_what_an_edit_list_hides_is_not_shown(
    film: Callable[..., Path], recopied: Callable[..., Path], number_on: NumberOn
) -> None:
    def earlier(packets: list[av.Packet]) -> list[av.Packet]:
        for packet in packets:
            shift = round(Fraction(10, 25) / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return packets

    path = recopied(film("whole.mp4"), "cut.mp4", earlier)
    frames = list(read_frames(path))
    assert [number_on(frame) for frame in frames] == list(range(10, 25))
    assert frames[0].time_s == 0
    assert probe(path).duration_s == pytest.approx(15 / 25)


def test_a_stream_without_times_runs_at_its_rate(film: Callable[..., Path]) -> None:
    path = film("raw.h264", range(30))
    assert times(path) == pytest.approx(np.arange(30) / 25)
    assert probe(path).duration_s == pytest.approx(30 / 25)


def test_a_clock_that_restarts_runs_on(
    film: Callable[..., Path], recopied: Callable[..., Path], number_on: NumberOn, tmp_path: Path
) -> None:
    parts = [film(f"{k}.ts", range(100, 150), options={"bf": "0"}).read_bytes() for k in range(2)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    assert np.diff(times(path)) == pytest.approx(1 / 25)
    assert end(path) == pytest.approx(100 / 25)
    assert probe(path).duration_s == pytest.approx(end(path))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.avi", "mpeg4"),
        ("a.avi", "mjpeg"),
        ("a.mpg", "mpeg2video"),
        ("a.ts", "libx264"),
        ("a.flv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.webm", "libvpx-vp9"),
        ("a.mkv", "libx265"),
        ("a.mp4", "libsvtav1"),
        ("a.gif", "gif"),
        ("a.wmv", "wmv2"),
    ],
)
def test_every_usual_coding_gives_its_frames_and_its_duration(
    film: Callable[..., Path], name: str, codec: str
) -> None:
    pixels = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = film(name, range(20), codec=codec, pixels=pixels, options=quiet)
    frames = list(read_frames(path))
    assert len(frames) == 20
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(20) / 25, abs=0.011)
    assert probe(path).duration_s == pytest.approx(end(path), abs=1e-9)
    assert probe(path).duration_s == pytest.approx(20 / 25, abs=0.011)


# --- pictures


def test_grey_is_full_range_and_rgb_keeps_colours(tmp_path: Path) -> None:
    path = tmp_path / "colours.mp4"
    levels = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    write_video(path, [np.full((64, 96, 3), level, np.uint8) for level in levels], 25)
    frames = list(read_frames(path))
    assert [int(frame.gray().mean()) for frame in frames[:3]] == [0, 255, 128]
    for frame, level in zip(frames, levels, strict=True):
        assert np.abs(frame.rgb().mean((0, 1)) - level).max() <= 3


@pytest.mark.parametrize(
    ("pixels", "codec"), [("yuv420p10le", "libx264"), ("yuvj420p", "mjpeg"), ("yuv444p", "libx264")]
)
def test_deep_full_range_and_unsubsampled_pictures_have_the_same_levels(
    film: Callable[..., Path], number_on: NumberOn, pixels: str, codec: str
) -> None:
    path = film("deep.mkv", range(30), codec=codec, pixels=pixels)
    assert [number_on(frame) for frame in read_frames(path)] == list(range(30))


def test_pictures_are_averaged_when_they_shrink(tmp_path: Path) -> None:
    board = (np.indices((64, 96)).sum(0) % 2 * 255).astype(np.uint8)
    path = tmp_path / "board.mkv"
    write_video(path, [np.repeat(board[..., None], 3, axis=2)], 25)
    small = next(read_frames(path)).gray(12, 8)
    assert small.shape == (8, 12)
    assert np.abs(small.astype(int) - 127).max() <= 4


def test_odd_and_tiny_sizes_decode(film: Callable[..., Path]) -> None:
    for width, height in ((333, 187), (16, 16), (2, 2)):
        shown = [np.full((height, width, 3), 100, np.uint8)] * 3
        pixels = "yuv444p" if width % 2 else "yuv420p"
        path = film(f"{width}.mkv", range(3), pictures=shown, pixels=pixels)
        frame = next(read_frames(path))
        assert frame.rgb().shape == (height, width, 3)
        assert frame.gray(7, 5).shape == (5, 7)
        assert (probe(path).width, probe(path).height) == (width, height)


QUARTERS = np.zeros((64, 96, 3), np.uint8)  # every corner its own level, so every turn shows
QUARTERS[:32, :48], QUARTERS[:32, 48:], QUARTERS[32:, :48] = 240, 160, 80


@pytest.mark.parametrize("counterclockwise", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [(False, False), (True, False), (False, True)])
def test_pictures_stand_upright_as_ffmpeg_shows_them(
    film: Callable[..., Path], counterclockwise: int, mirrored: tuple[bool, bool]
) -> None:
    path = film("t.mp4", range(2), pictures=[QUARTERS] * 2, turned=(counterclockwise, *mirrored))
    frame = next(read_frames(path))
    shown = ffmpeg_autorotated(frame.picture)
    assert frame.gray().shape == shown.shape
    assert np.abs(frame.gray().astype(int) - shown).max() <= 3
    assert frame.gray(*shown.shape[1::-1]).shape == shown.shape
    assert (probe(path).height, probe(path).width) == shown.shape
    if mirrored != (False, True):  # that is half a turn more, mirrored left to right
        assert probe(path).rotation_deg == -counterclockwise % 360
    if not any(mirrored):
        turned = np.rot90(QUARTERS[..., 0], counterclockwise // 90)
        assert np.abs(frame.gray().astype(int) - turned).max() <= 8


def ffmpeg_autorotated(picture: av.VideoFrame) -> np.ndarray:
    """Upright grey picture by the filters that the ffmpeg command inserts for a display matrix."""
    grey = picture.reformat(format="gray")
    if "DISPLAYMATRIX" not in picture.side_data:
        return grey.to_ndarray()
    matrix = np.frombuffer(bytes(picture.side_data["DISPLAYMATRIX"]), np.int32)
    filters: list[tuple[str, ...]] = []
    match round(-picture.rotation) % 360:
        case 90:
            filters = [("transpose", "cclock_flip" if matrix[3] > 0 else "clock")]
        case 270:
            filters = [("transpose", "clock_flip" if matrix[3] < 0 else "cclock")]
        case 180:
            filters = [("hflip",)] if matrix[0] < 0 else []
            filters += [("vflip",)] if matrix[4] < 0 else []
        case 0:
            filters = [("vflip",)] if matrix[4] < 0 else []
    graph = av.filter.Graph()
    source = graph.add_buffer(template=grey, time_base=Fraction(1, 25))
    graph.link_nodes(source, *(graph.add(*f) for f in filters), graph.add("buffersink"))
    graph.configure()
    graph.push(grey)
    return graph.pull().to_ndarray()


# --- memory


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    frame = np.zeros((360, 640, 3), np.uint8)
    write_video(path, (np.roll(frame, k) for k in range(1500)), 30)
    resident, alive = [], 0
    for k, shown in enumerate(read_frames(path)):
        shown.gray(160, 120)
        if k in (300, 1499):
            resident.append(int(Path("/proc/self/statm").read_text().split()[1]))
            alive = sum(type(item) is Frame for item in gc.get_objects())
    grown_mb = (resident[1] - resident[0]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    assert grown_mb < 8  # 1200 frames of 640x360 would be 400
    assert alive <= 2


# --- sampling at a rate


@given(
    lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=20),
    fps=st.sampled_from([1.0, 8.0, 15.0, 24000 / 1001, 30.0, 100.0]),
)
def test_at_rate_gives_the_frame_on_screen_and_covers_the_picture(
    lengths: list[int], fps: float
) -> None:
    starts = np.cumsum([0, *lengths])
    frames = [
        Frame(float(a) / 1000, float(b - a) / 1000, None, None)  # type: ignore[arg-type]
        for a, b in pairwise(starts)
    ]
    sampled = list(at_rate(frames, fps))
    duration = starts[-1] / 1000
    assert [k for k, _, _ in sampled] == list(range(len(sampled)))
    assert abs(len(sampled) - max(1, (duration - 0.001) * fps)) <= 1
    for k, time, frame in sampled:
        assert time == k / fps
        if k:
            assert (
                frame.time_s - 0.001 - 1e-9 <= time < frame.time_s + frame.duration_s - 0.001 + 1e-9
            )
    assert sampled[0][2] is frames[0]


@pytest.mark.parametrize(("fps", "rate"), [(30, 30), (30, 15), (24, 30), (25, 30), (60, 30)])
def test_at_rate_of_a_whole_clip_has_duration_times_rate_samples(
    tmp_path: Path, fps: int, rate: int
) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, [np.zeros((16, 16, 3), np.uint8)] * (2 * fps), fps)
    assert len(list(at_rate(read_frames(path), rate))) == 2 * rate


def test_rounded_times_neither_skip_nor_repeat_a_frame(tmp_path: Path, number_on: NumberOn) -> None:
    path = tmp_path / "rounded.mkv"  # Matroska knows milliseconds only
    write_video(path, [np.full((16, 16, 3), 20 + 4 * k, np.uint8) for k in range(50)], 30)
    assert [number_on(frame) for _, _, frame in at_rate(read_frames(path), 30)] == list(range(50))


@pytest.mark.parametrize("fps", [0, -1, math.inf, math.nan])
def test_at_rate_refuses_impossible_rates(fps: float) -> None:
    with pytest.raises(ValueError, match="fps must be positive"):
        list(at_rate([], fps))


# --- writing


def test_write_video_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    frames = [np.random.default_rng(k).integers(0, 255, (32, 48, 3), np.uint8) for k in range(5)]
    for name in ("a.mp4", "b.mkv"):
        path = tmp_path / name
        write_video(path, frames, 30000 / 1001)
        first = path.read_bytes()
        write_video(path, iter(frames), Fraction(30000, 1001))
        assert path.read_bytes() == first


def test_write_video_refuses_what_it_cannot_encode_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(ValueError, match="at least one frame"):
        write_video(path, [], 25)
    with pytest.raises(ValueError, match="must be even, got 33x16"):
        write_video(path, [np.zeros((16, 33, 3), np.uint8)], 25)
    assert list(tmp_path.iterdir()) == []


# --- real files


def test_an_iphone_portrait_stands_upright_as_ffmpeg_shows_it(shared: Path) -> None:
    path = shared / "data" / "odd" / "streamio_vertical_video_from_iphone.mov"
    frame = next(read_frames(path))
    shown = ffmpeg_autorotated(frame.picture)
    assert shown.shape == (1920, 1080)
    assert np.abs(frame.gray().astype(int) - shown).mean() < 1
