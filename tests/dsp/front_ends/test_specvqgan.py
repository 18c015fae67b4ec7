"""SpecVQGAN's mel against the published features and librosa, and how sounds are fitted to 10 s."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.specvqgan import (
    SPECVQGAN,
    SPECVQGAN_CODEC,
    SPECVQGAN_DATASET,
    SpecVqgan,
)


def noise(samples: int, gain: float = 0.1) -> np.ndarray:
    return (gain * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


def mel_of(front: SpecVqgan, sound: np.ndarray) -> np.ndarray:
    return encode_whole(front, sound)[0]["mel"]


@pytest.mark.parametrize("clip", ["video_02677", "6zlMP_kQ_-w_30000_40000"])
def test_published_mels_come_out_of_their_published_waveforms(shared: Path, clip: str) -> None:
    folder = shared / "goldens" / "specvqgan" / "mel"
    sound, rate_hz = soundfile.read(folder / f"{clip}_22050_mono_s16.wav", dtype="float32")
    assert rate_hz == SPECVQGAN.rate_hz
    published = np.load(folder / f"{clip}_mel.npy")
    np.testing.assert_allclose(mel_of(SPECVQGAN, sound), published, rtol=0, atol=1e-7)


def test_mel_equals_the_definition_computed_with_librosa() -> None:
    sound = noise(50_000)
    mel = librosa.feature.melspectrogram(
        y=sound.astype(np.float64), sr=22_050, n_fft=1024, hop_length=256,
        n_mels=80, fmin=125, fmax=7600, power=1, pad_mode="reflect",
    )  # fmt: skip
    wanted = np.clip((20 * np.log10(np.maximum(mel, 1e-5)) - 20 + 100) / 100, 0, 1)
    np.testing.assert_allclose(mel_of(SPECVQGAN_CODEC, sound), wanted, rtol=0, atol=1e-6)


def test_a_clip_has_the_published_shapes() -> None:
    mel = mel_of(SPECVQGAN, noise(220_500))
    assert (mel.shape, mel.dtype) == ((80, 860), np.float32)
    taken = SPECVQGAN.model_input(mel)
    np.testing.assert_array_equal(taken, 2 * mel[:, 6:854] - 1)


def test_a_clips_frames_are_the_first_of_those_with_sound_after_it() -> None:
    sound = noise(220_500)
    longer = mel_of(SPECVQGAN_CODEC, sound)
    assert longer.shape == (80, 862)
    np.testing.assert_array_equal(mel_of(SPECVQGAN, sound), longer[:, :860])


def test_a_short_sound_is_filled_up_with_silence() -> None:
    sound = noise(40_000)
    padded = np.pad(sound, (0, 180_500))
    np.testing.assert_array_equal(mel_of(SPECVQGAN, sound), mel_of(SPECVQGAN, padded))


@given(samples=st.integers(1, 9000), block=st.integers(1, 5000))
def test_blocks_change_nothing(samples: int, block: int) -> None:
    sound = noise(samples)
    blocks = (sound[k : k + block] for k in range(0, samples, block))
    streamed = np.concatenate([p["mel"] for p in SPECVQGAN_CODEC.encode(blocks, {})], axis=1)
    np.testing.assert_array_equal(streamed, mel_of(SPECVQGAN_CODEC, sound))


@given(block=st.integers(1000, 300_000))
@settings(max_examples=10)
def test_a_clip_does_not_depend_on_blocks_or_on_what_follows(block: int) -> None:
    sound = noise(300_000)
    blocks = (sound[k : k + block] for k in range(0, len(sound), block))
    streamed = np.concatenate([p["mel"] for p in SPECVQGAN.encode(blocks, {})], axis=1)
    np.testing.assert_array_equal(streamed, mel_of(SPECVQGAN, sound[:220_500]))


def test_no_more_than_ten_seconds_are_heard() -> None:
    heard = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal heard
        while True:
            heard += 22_050
            yield np.zeros(22_050, np.float32)

    list(SPECVQGAN_DATASET.encode(endless(), {}))
    assert heard == 220_500
    assert SPECVQGAN.samples_kept(10**9) == 220_500
    assert SPECVQGAN.samples_kept(1000) == 1000
    assert SPECVQGAN_CODEC.samples_kept(10**9) == 10**9


def test_the_codec_keeps_every_frame() -> None:
    mel = mel_of(SPECVQGAN_CODEC, noise(3 * 22_050))
    assert mel.shape == (80, 259)  # of three seconds, as published
    np.testing.assert_array_equal(SPECVQGAN_CODEC.model_input(mel), 2 * mel - 1)


def test_twenty_decibels_are_a_fifth_of_the_range() -> None:
    quiet, loud = mel_of(SPECVQGAN_CODEC, noise(9000)), mel_of(SPECVQGAN_CODEC, 10 * noise(9000))
    assert 0 < quiet.min() < loud.max() < 1
    np.testing.assert_allclose(loud - quiet, 0.2, atol=1e-6)


def test_analysis_returns_the_mel_magnitudes() -> None:
    sound = noise(220_500)
    analysis = SPECVQGAN.analysis(encode_whole(SPECVQGAN, sound)[0], {})
    assert analysis.filters is not None
    wanted = analysis.filters @ np.abs(analysis.grid.forward(sound.astype(np.float64)))
    np.testing.assert_allclose(analysis.magnitude, wanted, rtol=2e-6)


def test_silence_stays_silence() -> None:
    arrays, _ = encode_whole(SPECVQGAN, np.zeros(10, np.float32))
    assert not arrays["mel"].any()
    assert not SPECVQGAN.analysis(arrays, {}).magnitude.any()


@pytest.mark.parametrize("tone_hz", [200, 1000, 7000])
def test_a_tone_is_drawn_in_its_band(tone_hz: int) -> None:
    sound = np.sin(2 * np.pi * tone_hz / 22_050 * np.arange(22_050))
    levels = SPECVQGAN_CODEC.levels(encode_whole(SPECVQGAN_CODEC, sound)[0], {})
    row = int(levels.decibels[:, 40].argmax())
    near = 22_050 / 1024  # a bin: low bands are little wider
    assert levels.edges_hz[row] - near <= tone_hz <= levels.edges_hz[row + 1] + near
    assert (levels.floor_db, levels.ceiling_db, levels.first_s) == (-80, 20, 0)


def test_each_says_how_its_sound_is_read_and_its_array_called() -> None:
    fronts = (SPECVQGAN, SPECVQGAN_DATASET, SPECVQGAN_CODEC)
    assert [front.chain for front in fronts] == ["s16", "s16-looped", "s16"]
    assert {(front.main, front.npy_suffix) for front in fronts} == {("mel", "_mel.npy")}


def test_mels_of_another_kind_are_refused() -> None:
    SPECVQGAN.check({"mel": np.zeros((80, 848))})  # what the published sampler writes
    with pytest.raises(ValueError, match="80 x any"):
        SPECVQGAN.check({"mel": np.zeros((64, 860))})
