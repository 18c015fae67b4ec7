"""Sound decoded at its place against the picture, resampled and written without loss."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foleycli.media.audio import read_audio, resample, stream_audio, write_audio
from foleycli.media.video import MediaError

Click = Callable[..., NDArray[np.float32]]


def peak_s(waveform: NDArray[np.float32], rate_hz: int) -> float:
    return int(np.argmax(np.abs(waveform))) / rate_hz


# --- decoding


@pytest.mark.parametrize(
    ("name", "video", "audio", "rate_hz"),
    [
        ("a.mp4", "libx264", "aac", 44_100),
        ("a.mov", "libx264", "aac", 22_050),
        ("a.mkv", "libx264", "aac", 48_000),
        ("a.ts", "libx264", "aac", 48_000),
        ("a.flv", "libx264", "aac", 44_100),
        ("a.mkv", "libx264", "flac", 44_100),
        ("a.mov", "libx264", "pcm_s16le", 8_000),
        ("a.avi", "mpeg4", "pcm_s16le", 44_100),
        ("a.mkv", "libx264", "libmp3lame", 44_100),
        ("a.mpg", "mpeg2video", "mp2", 44_100),
        ("a.webm", "libvpx", "libopus", 48_000),
    ],
)
def test_a_click_is_heard_when_the_picture_of_its_time_is_shown(
    film: Callable[..., Path], click: Click, name: str, video: str, audio: str, rate_hz: int
) -> None:
    path = film(
        name,
        range(50),
        codec=video,
        options={"bf": "0"} if video != "libvpx" else {},
        sound=click(2, rate_hz)[None],
        sound_codec=audio,
        sound_rate_hz=rate_hz,
    )
    waveform, rate = read_audio(path)
    assert rate == rate_hz
    assert waveform.dtype == np.float32
    assert abs(peak_s(waveform, rate) - 1) <= 0.001


@pytest.mark.parametrize("late_s", [0.25, -0.25])
@pytest.mark.parametrize("name", ["a.mkv", "a.mov"])
def test_sample_0_is_heard_with_the_first_frame(
    film: Callable[..., Path], click: Click, name: str, late_s: float
) -> None:
    """The sound starts 0.25 s after the picture, or the picture 0.25 s after the sound."""
    path = film(
        name,
        range(25) if late_s > 0 else range(round(-late_s * 100), 125, 4),
        Fraction(1, 25) if late_s > 0 else Fraction(1, 100),
        options={"bf": "0"},
        sound=click(1, 8000, 0.5)[None] + 0.1,
        sound_codec="pcm_s16le",
        sound_rate_hz=8000,
        sound_at=round(max(0, late_s) * 8000),
    )
    waveform, rate = read_audio(path)
    assert abs(peak_s(waveform, rate) - (0.5 + late_s)) <= 0.001
    assert len(waveform) == pytest.approx((1 + late_s) * 8000, abs=8)
    silent = int(np.argmax(np.abs(waveform) > 0.01)) / rate
    assert silent == pytest.approx(max(0, late_s), abs=0.001)


def test_mono_is_the_mean_of_the_channels_and_never_louder(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    channels = np.stack([np.full(1000, 0.5), np.full(1000, -0.25)])
    write_audio(path, channels, 8000, subtype="PCM_16")
    both, _ = read_audio(path, mono=False)
    assert both == pytest.approx(channels)
    mono, _ = read_audio(path)
    assert mono.shape == (1000,)
    assert mono == pytest.approx(0.125)


def test_the_low_frequency_channel_stays_out_of_mono(film: Callable[..., Path]) -> None:
    surround = np.zeros((6, 8000), np.float32)
    surround[3] = 0.8  # LFE in 5.1
    surround[0] = 0.5
    path = film("s.mkv", sound=surround, sound_codec="flac", sound_rate_hz=8000)
    assert read_audio(path, mono=False)[0].shape == (6, 8000)
    assert read_audio(path)[0] == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_format_is_scaled_to_one(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "a.wav"
    wave = np.array([0, 0.5, -0.5, -1, 0.25])
    soundfile.write(path, wave, 8000, subtype)
    step = 2**-7 if subtype == "PCM_U8" else 2**-15
    assert read_audio(path)[0] == pytest.approx(wave, abs=step)


def test_a_gap_is_silence_of_its_length(
    film: Callable[..., Path], click: Click, recopied: Callable[..., Path]
) -> None:
    whole = film("whole.mkv", range(50), sound=click(2, 48_000, 1.5)[None])

    def torn(packets: list[av.Packet]) -> list[av.Packet]:
        kept = (p for p in packets if p.stream.type == "video" or not 0.5 < p.pts * p.time_base < 1)
        return list(kept)

    waveform, rate = read_audio(recopied(whole, "torn.mkv", torn))
    assert abs(peak_s(waveform, rate) - 1.5) <= 0.001


def test_damage_is_not_heard_as_a_roar(
    film: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hum = 0.3 * np.sin(np.arange(96_000) / 20, dtype=np.float32)
    data = bytearray(film("whole.mp4", range(2), sound=hum[None]).read_bytes())
    generator = np.random.default_rng(0)
    for place in generator.integers(len(data) // 4, len(data) * 3 // 4, 400):
        data[place] = generator.integers(256)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    waveform, _ = read_audio(path)
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() < 4
    assert len(waveform) == pytest.approx(96_000, abs=3000)
    assert capfd.readouterr() == ("", "")


def test_what_has_no_sound_says_so(film: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"^no audio stream \(found: video/h264\)$"):
        read_audio(film("mute.mp4"))
    with pytest.raises(MediaError, match=r"^no such file$"):
        read_audio(tmp_path / "missing.wav")


# --- resampling


@settings(deadline=None, max_examples=40)
@given(
    samples=st.integers(0, 200_000),
    rates=st.tuples(*[st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000])] * 2),
)
def test_resampling_gives_the_nearest_number_of_samples(
    samples: int, rates: tuple[int, int]
) -> None:
    old, new = rates
    assert len(resample(np.zeros(samples, np.float32), old, new)) == round(
        Fraction(samples * new, old)
    )


@pytest.mark.parametrize("rates", [(44_100, 22_050), (22_050, 48_000), (48_000, 16_000)])
@pytest.mark.parametrize("at_s", [0.01, 1.0, 2.97])
def test_resampling_keeps_a_click_at_its_time(
    click: Click, rates: tuple[int, int], at_s: float
) -> None:
    old, new = rates
    assert abs(peak_s(resample(click(3, old, at_s), old, new), new) - at_s) <= 1 / min(rates)


def test_resampling_keeps_a_tone_and_removes_what_would_fold(tmp_path: Path) -> None:
    seconds = np.arange(88_200) / 44_100
    tone = 0.5 * np.sin(2 * np.pi * 1000 * seconds)
    path = tmp_path / "tone.wav"
    write_audio(path, tone + 0.4 * np.sin(2 * np.pi * 15_000 * seconds), 44_100, subtype="FLOAT")
    waveform, rate = read_audio(path, rate_hz=22_050)
    assert (len(waveform), rate) == (44_100, 22_050)
    assert np.abs(waveform - tone[::2])[200:-200].max() < 0.002


def test_channels_are_resampled_apart(click: Click) -> None:
    two = np.stack([click(1, 8000, 0.25), click(1, 8000, 0.75)])
    twice = resample(two, 8000, 16_000)
    assert twice.shape == (2, 16_000)
    assert twice.argmax(axis=1).tolist() == [4000, 12_000]


def test_impossible_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="must be positive, got 0 and 8000"):
        resample(np.zeros(4, np.float32), 0, 8000)


# --- writing


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize(("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23)])
def test_integers_survive_writing_and_reading_bit_for_bit(
    tmp_path: Path, suffix: str, subtype: str, step: float
) -> None:
    path = tmp_path / f"a{suffix}"
    steps = np.random.default_rng(0).integers(-(1 / step), 1 / step, (2, 5000))
    steps[0, :2] = -(1 / step), 1 / step - 1
    assert write_audio(path, steps * step, 44_100, subtype=subtype) == 0
    assert soundfile.info(path).subtype == subtype
    assert (read_audio(path, mono=False)[0] == np.float32(steps * step)).all()


def test_rounding_is_to_the_nearest_step_and_full_scale_is_no_clipping(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    assert write_audio(path, np.array([0.6, -0.4, 32_768, -32_768]) / 32_768, 8000) == 0
    assert soundfile.read(path, dtype="int16")[0].tolist() == [1, 0, 32_767, -32_768]


def test_clipping_is_counted(tmp_path: Path) -> None:
    loud = np.array([0.5, 1.5, -2.0, 1.0])
    assert write_audio(tmp_path / "a.wav", loud, 8000) == 2
    assert soundfile.read(tmp_path / "a.wav")[0] == pytest.approx([0.5, 1, -1, 1], abs=1e-4)
    assert write_audio(tmp_path / "b.wav", loud, 8000, subtype="FLOAT") == 0
    assert soundfile.read(tmp_path / "b.wav")[0].tolist() == loud.tolist()


def test_the_same_sound_is_the_same_bytes_at_any_time(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-1, 1, (2, 3000))
    kinds = (".wav", "PCM_16"), (".wav", "PCM_24"), (".wav", "FLOAT"), (".flac", "PCM_24")

    def written() -> list[bytes]:
        for suffix, subtype in kinds:
            write_audio(tmp_path / f"{subtype}{suffix}", wave, 44_100, subtype=subtype)
        return [path.read_bytes() for path in sorted(tmp_path.iterdir())]

    first = written()
    time.sleep(1.1)  # a header with the time of day counts seconds
    assert written() == first


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    wave = np.zeros(10)
    with pytest.raises(ValueError, match="1 samples are NaN or infinite"):
        write_audio(tmp_path / "a.wav", np.array([0, np.nan]), 8000)
    with pytest.raises(ValueError, match=r"cannot write \.mp3: choose \.wav or \.flac"):
        write_audio(tmp_path / "a.mp3", wave, 8000)
    with pytest.raises(ValueError, match=r"\.flac has no FLOAT: choose PCM_16 or PCM_24"):
        write_audio(tmp_path / "a.flac", wave, 8000, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"\(channels, samples\), got \(2, 2, 2\)"):
        write_audio(tmp_path / "a.wav", np.zeros((2, 2, 2)), 8000)
    assert list(tmp_path.iterdir()) == []


# --- real files


def test_every_odd_file_gives_its_sound_or_one_sentence(shared: Path) -> None:
    folder = shared / "data" / "odd"
    for name, described in json.loads((folder / "expected.json").read_text()).items():
        stated = described["probe"]
        if "unreadable" in stated or "no audio" in stated:
            with pytest.raises(MediaError) as raised:
                read_audio(folder / name)
            assert "\n" not in str(raised.value), name
            continue
        waveform, rate = read_audio(folder / name, mono=False)
        assert f" {rate}Hz {len(waveform)}ch" in stated, name
        assert np.isfinite(waveform).all(), name
        assert waveform.any() or name == "silent_audio.mp4", name


def test_a_sound_delayed_by_a_second_is_the_same_sound_a_second_later(shared: Path) -> None:
    folder = shared / "data" / "odd"
    prompt, rate = read_audio(folder / "h264_pcm.mov")
    delayed, _ = read_audio(folder / "audio_delayed_1s.mp4")
    assert np.abs(delayed[: int(0.95 * rate)]).max() < 1e-3
    product = np.fft.irfft(np.fft.rfft(delayed, 2**20) * np.conj(np.fft.rfft(prompt, 2**20)))
    assert abs(int(np.argmax(product)) / rate - 1) <= 0.001


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_blocks_are_the_whole_sound_bit_for_bit(tmp_path: Path, rate_hz: int) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 200_001)).astype(np.float32)
    write_audio(tmp_path / "a.wav", sound, 44_100)
    blocks = list(stream_audio(tmp_path / "a.wav", rate_hz))
    assert len(blocks) > 2
    np.testing.assert_array_equal(
        np.concatenate(blocks), read_audio(tmp_path / "a.wav", rate_hz=rate_hz)[0]
    )


def test_a_stream_that_is_left_early_closes_its_file(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", np.zeros(500_000, np.float32), 44_100)
    blocks = stream_audio(tmp_path / "a.wav", 16_000)
    assert len(next(blocks)) > 0
    blocks.close()
    assert list(blocks) == []
