"""A soundtrack of the picture's exact length under packets copied untouched."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from foleycli.media.audio import read_audio
from foleycli.media.clock import picture_clock
from foleycli.media.mux import Soundtrack, mux
from foleycli.media.video import MediaError, probe, read_frames

Click = Callable[..., NDArray[np.float32]]
Film = Callable[..., Path]

COMBINATIONS = [
    *((".mp4", codec) for codec in ("aac", "alac", "flac", "opus")),
    *((".m4v", codec) for codec in ("aac", "alac")),
    *((".mov", codec) for codec in ("aac", "alac", "pcm")),
    *((".mkv", codec) for codec in ("flac", "aac", "alac", "opus", "pcm")),
]
LOSSLESS = ("flac", "alac", "pcm")
NTSC = Fraction(1001, 30_000)  # 61 of these are no whole number of samples at any rate


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def pictures(path: Path) -> list[bytes]:
    return [frame.picture.to_ndarray().tobytes() for frame in read_frames(path)]


def starts(path: Path) -> list[float]:
    return [frame.time_s for frame in read_frames(path)]


@pytest.mark.parametrize(("suffix", "codec"), COMBINATIONS)
@pytest.mark.parametrize("rate_hz", [22_050, 44_100])
def test_the_soundtrack_is_as_long_as_the_picture_to_the_sample_and_in_place(
    film: Film, click: Click, tmp_path: Path, suffix: str, codec: str, rate_hz: int
) -> None:
    source, out = film("in.mp4", range(61), NTSC), tmp_path / f"out{suffix}"
    waveform = click(3, rate_hz)
    report = mux(source, waveform, rate_hz, out, codec=codec)
    rate = 48_000 if codec == "opus" else rate_hz
    samples = round(61 * NTSC * rate)
    assert report == Soundtrack(codec, rate, 1, samples, None, 1.0)
    decoded, decoded_rate = read_audio(out)
    assert (len(decoded), decoded_rate) == (samples, rate)
    assert abs(int(np.argmax(np.abs(decoded))) / rate - 1) <= 0.001
    if codec in LOSSLESS:
        assert np.abs(decoded - waveform[:samples]).max() <= 2**-16


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_picture_is_copied_untouched(film: Film, tmp_path: Path, suffix: str) -> None:
    noisy = [np.random.default_rng(k).integers(0, 255, (64, 96, 3), np.uint8) for k in range(40)]
    bframes = {"bf": "3", "b-adapt": "0"}
    source = film("in.mp4", range(40), pictures=noisy, options=bframes)
    out = tmp_path / f"out{suffix}"
    mux(source, np.zeros(8000), 8000, out)
    assert packets(out) == packets(source)
    assert pictures(out) == pictures(source)
    assert starts(out) == pytest.approx(starts(source), abs=0.0006)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("in.mkv", "libx264"), ("in.ts", "libx264"), ("in.avi", "mpeg4"), ("in.mpg", "mpeg2video")],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_usual_source_keeps_its_frames_and_times(
    film: Film, click: Click, tmp_path: Path, name: str, codec: str, suffix: str
) -> None:
    source = film(name, range(100, 140), codec=codec, options={"bf": "2", "b-adapt": "0"})
    out = tmp_path / f"out{suffix}"
    mux(source, click(2, 8000), 8000, out)
    assert pictures(out) == pictures(source)
    assert starts(out) == pytest.approx(starts(source), abs=0.0006)
    decoded, rate = read_audio(out)
    assert len(decoded) == 40 * rate // 25
    assert abs(int(np.argmax(decoded)) / rate - 1) <= 0.001


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_rate_times_survive(film: Film, tmp_path: Path, suffix: str) -> None:
    ticks = [0, 10, 20, 130, 140, 190, 1190, 1200]
    source = film("in.mp4", ticks, Fraction(1, 1000), options={"bf": "0"})
    out = tmp_path / f"out{suffix}"
    mux(source, np.zeros(10), 8000, out)
    assert [round(time * 1000) for time in starts(out)] == ticks
    assert len(read_audio(out)[0]) == round(picture_clock(source).duration * 8000)


def test_webm_takes_vp9_with_opus(film: Film, click: Click, tmp_path: Path) -> None:
    source, out = film("in.webm", range(50), codec="libvpx-vp9"), tmp_path / "out.webm"
    assert mux(source, click(2, 22_050), 22_050, out).codec == "opus"
    assert packets(out) == packets(source)
    decoded, rate = read_audio(out)
    assert (len(decoded), rate) == (96_000, 48_000)
    assert abs(int(np.argmax(decoded)) / rate - 1) <= 0.001


def test_hidden_leading_frames_stay_hidden(
    film: Film, recopied: Callable[..., Path], click: Click, tmp_path: Path
) -> None:
    def earlier(given: list[av.Packet]) -> list[av.Packet]:
        for packet in given:
            shift = round(Fraction(10, 25) / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return given

    source, out = recopied(film("whole.mp4", range(50)), "in.mp4", earlier), tmp_path / "out.mp4"
    mux(source, click(2, 8000), 8000, out)
    assert len(pictures(source)) == 40
    assert pictures(out) == pictures(source)
    decoded, rate = read_audio(out)
    assert len(decoded) == 40 * rate // 25
    assert abs(int(np.argmax(decoded)) / rate - 1) <= 0.001
    with pytest.raises(
        MediaError, match=r"begins between key frames, which needs \.mp4, not \.mkv"
    ):
        mux(source, click(2, 8000), 8000, tmp_path / "out.mkv")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_rotation_and_colour_tags_stay(film: Film, tmp_path: Path, suffix: str) -> None:
    tags = {"x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=pc"}
    source = film("in.mp4", range(5), options=tags, turned=(-90, False, False))
    out = tmp_path / f"out{suffix}"
    mux(source, np.zeros(10), 8000, out)
    one, other = next(read_frames(source)).picture, next(read_frames(out)).picture
    assert probe(out).rotation_deg == 90
    for tag in ("colorspace", "color_primaries", "color_trc", "color_range"):
        assert getattr(other, tag) == getattr(one, tag) > 0
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.color_primaries == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_the_same_input_gives_the_same_bytes(film: Film, tmp_path: Path, suffix: str) -> None:
    source = film("in.webm", codec="libvpx-vp9") if suffix == ".webm" else film("in.mp4")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 22_050))
    mux(source, noise, 22_050, tmp_path / f"a{suffix}")
    mux(source, noise, 22_050, tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_index_comes_before_the_data(film: Film, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    mux(film("in.mp4"), np.zeros(8000), 8000, out)
    data = out.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_hevc_is_tagged_so_that_quicktime_plays_it(film: Film, tmp_path: Path) -> None:
    source = film("in.mkv", codec="libx265", options={"x265-params": "log-level=none"})
    mux(source, np.zeros(10), 8000, tmp_path / "out.mp4")
    assert b"hvc1" in (tmp_path / "out.mp4").read_bytes()
    assert len(pictures(tmp_path / "out.mp4")) == 25


def test_a_file_can_be_given_its_new_sound_in_place(film: Film, click: Click) -> None:
    path = film("clip.mp4", range(50))
    before = packets(path)
    mux(path, click(2, 44_100), 44_100, path)
    assert packets(path) == before
    assert len(read_audio(path)[0]) == 88_200


# --- the clip's own sound


def test_the_clips_own_sound_is_mixed_in_at_its_gain(film: Film, tmp_path: Path) -> None:
    own = np.stack([np.full(96_000, 0.5, np.float32), np.full(96_000, -0.25, np.float32)])
    source = film("in.mkv", range(50), sound=own, sound_codec="flac")
    out = tmp_path / "out.mkv"
    report = mux(source, np.full(44_100, 0.25), 44_100, out, original_gain_db=-6)
    assert (report.channels, report.original_gain_db, report.peak_scale) == (2, -6, 1.0)
    mixed, rate = read_audio(out, mono=False)
    gain = 10 ** (-6 / 20)
    for channel, level in zip(mixed, (0.5, -0.25), strict=True):
        assert channel[1000:43_000] == pytest.approx(0.25 + gain * level, abs=1e-3)
        assert channel[45_000:-1000] == pytest.approx(gain * level, abs=1e-3)
    assert rate == 44_100


def test_the_clips_own_click_stays_in_its_place(film: Film, click: Click, tmp_path: Path) -> None:
    source = film("in.mp4", range(50), sound=click(2, 48_000, 1.5)[None])
    mux(source, click(2, 22_050, 0.5), 22_050, tmp_path / "out.mkv", original_gain_db=0)
    mixed, rate = read_audio(tmp_path / "out.mkv")
    assert abs(int(np.argmax(np.abs(mixed[:rate]))) / rate - 0.5) <= 0.001
    assert abs(int(np.argmax(np.abs(mixed[rate:]))) / rate - 0.5) <= 0.001


def test_a_sum_beyond_full_scale_is_scaled_as_a_whole_and_said(film: Film, tmp_path: Path) -> None:
    source = film(
        "in.mkv", range(25), sound=np.full((1, 48_000), 0.9, np.float32), sound_codec="flac"
    )
    loud = np.full(48_000, 0.6)
    report = mux(source, loud, 48_000, tmp_path / "out.mkv", original_gain_db=0)
    assert report.peak_scale == pytest.approx(1 / 1.5, abs=1e-3)
    mixed, _ = read_audio(tmp_path / "out.mkv")
    assert mixed == pytest.approx(1.0, abs=1e-4)
    assert mux(source, 2 * loud, 48_000, tmp_path / "out.mkv").peak_scale == pytest.approx(1 / 1.2)


# --- what does not fit


def test_what_does_not_fit_is_refused_in_one_line_and_leaves_nothing(
    film: Film, tmp_path: Path
) -> None:
    h264, gif, silent = film("a.mp4"), film("b.gif", codec="gif", pixels="rgb8"), np.zeros(8000)
    vp8 = film("c.webm", codec="libvpx")
    kept = set(tmp_path.iterdir())
    refused = [
        (h264, "o.webm", "auto", r"^\.webm takes no h264 picture: write \.mkv or \.mp4 or \.mov$"),
        (vp8, "o.mp4", "auto", r"^\.mp4 takes no vp8 picture: write \.mkv$"),
        (vp8, "o.mov", "auto", r"^\.mov takes no vp8 picture: write \.mkv$"),
        (gif, "o.mp4", "auto", r"^\.mp4 takes no gif picture: write \.mov$"),
        (h264, "o.webm", "flac", r"^\.webm takes no flac sound: choose opus$"),
        (h264, "o.mov", "opus", r"^\.mov takes no opus sound: choose aac, alac, pcm$"),
        (h264, "o.mp4", "mp3", r"^no sound codec 'mp3': choose auto, aac, alac, flac, opus, pcm$"),
        (
            h264,
            "o.avi",
            "auto",
            r"^no film format \.avi: write \.mp4, \.m4v, \.mov, \.mkv, \.webm$",
        ),
    ]
    for source, name, codec, sentence in refused:
        with pytest.raises(ValueError, match=sentence):
            mux(source, silent, 8000, tmp_path / name, codec=codec)
    with pytest.raises(ValueError, match="2 samples are NaN or infinite"):
        mux(h264, np.array([np.nan, np.inf]), 8000, tmp_path / "o.mp4")
    with pytest.raises(ValueError, match="one or two channels, got 3"):
        mux(h264, np.zeros((3, 10)), 8000, tmp_path / "o.mp4")
    with pytest.raises(MediaError, match=r"no audio stream \(found: video/h264\)"):
        mux(h264, silent, 8000, tmp_path / "o.mp4", original_gain_db=0)
    with pytest.raises(MediaError, match="carry no times"):
        mux(film("raw.h264"), silent, 8000, tmp_path / "o.mp4")
    assert set(tmp_path.iterdir()) - {tmp_path / "raw.h264"} == kept


# --- real files


REAL = [
    *("vfr.mp4", "vfr_long_hold.mkv", "fragmented.mp4", "h264_aac.ts", "mpeg2_mp2.mpg"),
    *("mpeg4_mp3.avi", "av1_video.mkv", "h265_10bits.mp4", "audio_longer.mp4", "one_frame.mp4"),
    *("rotated_90.mp4", "streamio_ios9.mov", "streamio_file_with_data_streams_works_.mp4"),
]


@pytest.mark.parametrize(("suffix", "names"), [(".mp4", REAL), (".mkv", REAL[:6])])
def test_real_files_keep_their_picture_and_get_sound_of_its_length(
    shared: Path, click: Click, tmp_path: Path, suffix: str, names: list[str]
) -> None:
    out = tmp_path / f"out{suffix}"
    for name in names:
        source = shared / "data" / "odd" / name
        mux(source, click(20, 22_050, 0.02), 22_050, out)
        clock = picture_clock(source)
        decoded, rate = read_audio(out)
        assert len(decoded) == round(clock.duration * rate), name
        assert abs(int(np.argmax(np.abs(decoded))) / rate - 0.02) <= 0.001, name
        for one, other in zip(read_frames(source), read_frames(out), strict=True):
            assert other.time_s == pytest.approx(one.time_s, abs=0.0011), name
            assert (other.gray() == one.gray()).all(), name
        assert probe(out).rotation_deg == clock.rotation_deg, name
