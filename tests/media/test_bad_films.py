"""One sentence for what is no film, and what is left of one that is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from foleycli.media.video import MediaError, probe, read_frames


def test_what_is_not_media_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "words.mp4").write_text("not a film, but a sentence\n" * 20)
    (tmp_path / "words.txt").write_text("not a film, but a sentence\n" * 20)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    expected = {
        ".": "is a directory",
        "missing.mp4": "no such file",
        "empty.mp4": "empty file",
        "words.mp4": "not a media file, or one whose header is damaged",
        "noise.mp4": "not a media file, or one whose header is damaged",
        "words.txt": "not a media file, but text",
    }
    for name, sentence in expected.items():
        for use in (probe, lambda path: next(read_frames(path))):
            with pytest.raises(MediaError) as raised:
                use(tmp_path / name)
            assert str(raised.value) == sentence


def test_an_unreadable_file_says_so(
    film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film("locked.mp4")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root, as which containers run, may read anything
    with pytest.raises(MediaError, match=r"^permission denied$"):
        probe(path)


def test_sound_alone_is_no_film_but_can_be_described(
    film: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as target:
        track = target.add_stream("aac", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 44_100), np.float32), "fltp", "stereo")
        frame.sample_rate = 44_100
        target.mux([*track.encode(frame), *track.encode(None)])
    with pytest.raises(MediaError, match=r"^no video stream \(found: audio/aac\)$"):
        next(read_frames(path))
    info = probe(path)
    assert (info.video_codec, info.duration_s, info.width) == (None, 0, 0)
    assert (info.audio_codec, info.audio_rate_hz, info.audio_channels) == ("aac", 44_100, 2)
    assert info.audio_duration_s == pytest.approx(1.0, abs=0.05)


def test_cover_art_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as target:
        track = target.add_stream("aac", rate=44_100, layout="mono")
        cover = target.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        target.start_encoding()
        target.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), "fltp", "mono")
        frame.sample_rate = 44_100
        target.mux([*track.encode(frame), *track.encode(None)])
    with pytest.raises(
        MediaError, match=r"^no video stream \(found: audio/aac, video/cover art\)$"
    ):
        next(read_frames(path))
    assert probe(path).video_codec is None


def test_awkward_names_are_files(film: Callable[..., Path], tmp_path: Path) -> None:
    path = film("plain.mp4", range(3))
    for name in ("12:30 take, 100%d.mp4", "http:x.mp4", "ünï & (1) 'q'.mp4", "-i.mp4"):
        renamed = path.rename(tmp_path / name)
        assert len(list(read_frames(renamed))) == 3
        path = renamed


def test_a_film_cut_short_gives_what_is_there_and_says_so(
    film: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noisy = [np.random.default_rng(k).integers(0, 255, (64, 96, 3), np.uint8) for k in range(100)]
    whole = film(
        "whole.mp4", range(100), pictures=noisy, container_options={"movflags": "+faststart"}
    )
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    warnings: list[str] = []
    frames = list(read_frames(path, warnings=warnings))
    assert 20 < len(frames) < 80
    assert [warning for warning in warnings if warning.startswith("the picture ends early")]
    assert probe(path).duration_s == pytest.approx(frames[-1].time_s + frames[-1].duration_s)
    assert capfd.readouterr() == ("", "")


def test_damage_inside_a_film_is_passed_over_and_counted(
    film: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noisy = [np.random.default_rng(k).integers(0, 255, (64, 96, 3), np.uint8) for k in range(50)]
    data = bytearray(film("whole.mp4", range(50), pictures=noisy).read_bytes())
    middle = slice(len(data) // 3, len(data) // 3 + 3000)
    data[middle] = np.random.default_rng(1).bytes(3000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    warnings: list[str] = []
    frames = list(read_frames(path, warnings=warnings))
    assert 30 < len(frames) <= 50
    assert all("damaged" in warning for warning in warnings)
    assert warnings
    assert frames[-1].time_s + frames[-1].duration_s == pytest.approx(2.0)
    assert capfd.readouterr() == ("", "")


def test_a_whole_film_gives_no_warning(film: Callable[..., Path]) -> None:
    warnings: list[str] = []
    list(read_frames(film("whole.mp4"), warnings=warnings))
    assert warnings == []


def test_every_odd_file_decodes_as_described_or_is_refused(shared: Path) -> None:
    folder = shared / "data" / "odd"
    turned = {
        "rotated_90.mp4": 90,
        "rotated_180.mp4": 180,
        "rotated_270.mp4": 270,
        "streamio_vertical_video_from_iphone.mov": 90,
        "streamio_ios9.mov": 90,
        "streamio_sideways_movie.mov": 90,
    }
    for name, described in json.loads((folder / "expected.json").read_text()).items():
        path, stated = folder / name, described["probe"]
        if stated.startswith(("unreadable", "no video")) or " 0x0 " in stated:
            with pytest.raises(MediaError) as raised:
                next(read_frames(path))
            assert "\n" not in str(raised.value), name
            continue
        info, count = probe(path), 0
        for frame in read_frames(path):
            last, count = frame, count + 1
        size = (info.height, info.width) if turned.get(name, 0) % 180 else (info.width, info.height)
        assert f" {size[0]}x{size[1]} " in stated, name
        assert info.rotation_deg == turned.get(name, 0), name
        assert last.rgb().shape == (info.height, info.width, 3), name
        assert info.duration_s == pytest.approx(last.time_s + last.duration_s, abs=1e-9), name
        assert count / info.duration_s == pytest.approx(info.fps, rel=0.02), name
