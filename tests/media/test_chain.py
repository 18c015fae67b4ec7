"""Sound through 16-bit files: the published mels, levels, loops, and what is passed over."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from foleycli.dsp.front_ends.specvqgan import SPECVQGAN, SPECVQGAN_DATASET, SpecVqgan
from foleycli.media.audio import quantize, read_audio
from foleycli.media.chain import chain_blocks
from foleycli.media.container import MediaError

Film = Callable[..., Path]


def heard(path: Path, rate_hz: int) -> np.ndarray:
    """(samples,) the whole sound in units of 1 / 32768."""
    return np.concatenate(list(chain_blocks(path, rate_hz))) * 32768


def noise(samples: int, channels: int = 1) -> np.ndarray:
    """(samples, channels) int16."""
    generator = np.random.default_rng(samples)
    return generator.integers(-9000, 9000, (samples, channels)).astype(np.int16)


# --- the published features: each clip's mel from its film (mean and 99th percentile of the error)


@pytest.mark.parametrize(
    ("film", "mel", "front", "mean", "p99"),
    [
        ("cough/vas_00331", "video_00331", SPECVQGAN, 4e-3, 0.16),
        ("other/vgg_0nib7bMm8BA_canary", "0nib7bMm8BA_15000_25000", SPECVQGAN, 4e-3, 0.16),
        ("drum/vas_02542", "video_02542", SPECVQGAN_DATASET, 2.5e-2, 0.16),
        ("drum/vgg_Qowmc0P9ic", "-Qowmc0P9ic_34000_44000", SPECVQGAN_DATASET, 2.5e-2, 0.16),
        ("other/vgg_6zlMP_kQ_w_harp", "6zlMP_kQ_-w_30000_40000", SPECVQGAN, 2.5e-2, 0.16),
        # Eight seconds, looped; back to back instead of with a gap the mean would be 1.5e-2.
        ("gunshot/vas_00819", "video_00819", SPECVQGAN_DATASET, 1e-2, 0.16),
    ],
)
def test_published_mels_come_out_of_their_films(
    shared: Path, film: str, mel: str, front: SpecVqgan, mean: float, p99: float
) -> None:
    """Two AAC codings lie between a film and its mel: loud cells agree, silence cannot."""
    path = shared / "data" / "video" / f"{film}.mp4"
    sound = chain_blocks(path, front.rate_hz, looped=front is SPECVQGAN_DATASET)
    ours = np.concatenate([piece["mel"] for piece in front.encode(sound, {})], axis=1)
    published = np.load(shared / "goldens" / "specvqgan" / "mel" / f"{mel}_mel.npy")
    wrong = np.abs(ours - published)
    assert wrong.mean() <= mean
    assert np.quantile(wrong, 0.99) <= p99
    assert np.median(wrong[published > 0.6]) <= 0.015


# --- levels and samples


def test_a_wav_of_the_wanted_kind_comes_through_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    every = np.arange(-32768, 32768).astype(np.int16)
    soundfile.write(path, every, 22_050)
    np.testing.assert_array_equal(heard(path, 22_050), every)


def test_two_equal_channels_are_no_louder_than_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one.wav", tmp_path / "two.flac"
    sound = noise(20_000)
    soundfile.write(one, sound, 44_100)
    soundfile.write(two, np.repeat(sound, 2, axis=1), 44_100)
    np.testing.assert_allclose(heard(two, 22_050), heard(one, 22_050), rtol=0, atol=1)


def test_two_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sound = noise(20_000, 2)
    soundfile.write(path, sound, 22_050)
    np.testing.assert_allclose(heard(path, 22_050), sound.mean(axis=1), rtol=0, atol=1)


def test_what_16_bits_do_not_hold_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.repeat([0.4, 0.6, 3e5, -3e5], 1000) / 32768, 22_050, "FLOAT")
    wanted = np.repeat([0, 1, 32767, -32768], 1000)
    np.testing.assert_array_equal(heard(path, 22_050), wanted)


@pytest.mark.parametrize(
    ("codec", "rate_hz", "channels"), [("aac", 44_100, 2), ("aac", 48_000, 6), ("flac", 16_000, 1)]
)
def test_it_is_the_same_as_going_through_a_16_bit_file(
    film: Film, tmp_path: Path, codec: str, rate_hz: int, channels: int
) -> None:
    sound = np.ascontiguousarray(noise(2 * rate_hz + 777, channels).T) / np.float32(2**15)
    path = film("a.mp4", sound=sound, sound_codec=codec, sound_rate_hz=rate_hz)
    decoded, rate = read_audio(path, mono=False)
    wav = tmp_path / "native.wav"
    soundfile.write(wav, quantize(decoded, 16)[0].T, rate)
    direct, through = heard(path, 22_050), heard(wav, 22_050)
    assert len(direct) == pytest.approx(len(decoded[0]) * 22_050 / rate, abs=2)
    np.testing.assert_array_equal(direct, through)
    assert direct.std() > 300


def test_a_sound_longer_than_a_block_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sound = noise(400_000)
    soundfile.write(path, sound, 22_050)
    blocks = list(chain_blocks(path, 22_050))
    assert len(blocks) > 3
    np.testing.assert_array_equal(np.concatenate(blocks) * 32768, sound[:, 0])


def test_a_sound_begins_with_its_first_sample_wherever_the_picture_does(film: Film) -> None:
    sound = noise(8000).T / np.float32(2**15)
    late = film("late.mkv", sound=sound, sound_codec="flac", sound_rate_hz=8000, sound_at=4000)
    assert len(read_audio(late)[0]) == 12_000
    np.testing.assert_allclose(heard(late, 8000), sound[0] * 32768, rtol=0, atol=1)


def test_a_rate_that_changes_on_the_way_changes_no_duration(tmp_path: Path) -> None:
    joined = tmp_path / "joined.mp2"
    for rate_hz, layout in ((44_100, "mono"), (22_050, "stereo")):
        piece = tmp_path / "piece.mp2"
        with av.open(str(piece), "w") as target:
            stream = target.add_stream("mp2", rate=rate_hz, layout=layout)
            channels = stream.codec_context.layout.nb_channels
            wave = np.full((1, 2 * rate_hz * channels), 8000, np.int16)
            frame = av.AudioFrame.from_ndarray(wave, "s16", layout)
            frame.sample_rate = rate_hz
            target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        joined.write_bytes((joined.read_bytes() if joined.exists() else b"") + piece.read_bytes())
    sound = heard(joined, 16_000)
    assert len(sound) / 16_000 == pytest.approx(4, abs=0.1)
    np.testing.assert_allclose(sound[16_000 * np.array([1, 3])], 8000, rtol=0.02)


# --- looping


def test_a_loop_has_whole_aac_frames_and_one_more_between(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sound = noise(44_100)
    soundfile.write(path, sound, 44_100)
    period = 44 * 1024 + 1024  # a second does not quite fill 44 frames
    turns = np.concatenate(list(islice(chain_blocks(path, 44_100, looped=True), 40))) * 32768
    assert len(turns) > 3 * period
    silence = np.zeros(period - 44_100)
    turn = np.concatenate([sound[:, 0], silence])
    np.testing.assert_array_equal(turns, np.resize(turn, len(turns)))


def test_a_stereo_loop_is_as_long_as_a_mono_one(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.repeat(noise(1024), 2, axis=1), 8000)
    turns = np.concatenate(list(islice(chain_blocks(path, 8000, looped=True), 5)))
    assert turns[:1024].any()
    assert not turns[1024:2048].any()
    np.testing.assert_array_equal(turns[2048:4096], turns[:2048])


# --- what cannot be read


def test_a_film_without_sound_is_refused(film: Film) -> None:
    with pytest.raises(MediaError, match=r"no audio stream \(found: video/h264\)"):
        next(chain_blocks(film("mute.mp4"), 22_050))


def test_a_sound_that_does_not_decode_is_refused(
    film: Film, recopied: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    whole = film("whole.mkv", sound=noise(8000).T / np.float32(2**15), sound_rate_hz=8000)

    def mute(packets: list[av.Packet]) -> list[av.Packet]:
        return [p for p in packets if p.stream.type == "video"]

    with pytest.raises(MediaError, match="no sound decodes"):
        next(chain_blocks(recopied(whole, "torn.mkv", mute), 22_050))
