"""Sound2Scene's spectrogram against scipy and its goldens, and how sounds are fitted to 10 s."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE

CLIP = 160_000


def noise(samples: int, gain: float = 0.1) -> np.ndarray:
    return (gain * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


def spectrogram_of(sound: np.ndarray) -> np.ndarray:
    return encode_whole(SOUND2SCENE, sound)[0]["spectrogram"]


def test_twelve_published_clips_come_out(shared: Path) -> None:
    folder = shared / "goldens" / "sound2scene"
    clips = json.loads((folder / "sound2scene_goldens.json").read_text(encoding="utf-8"))["files"]
    assert len(clips) == 12
    for name, golden in clips.items():
        sound, rate_hz = soundfile.read(folder / "wavs" / Path(name).name, dtype="float32")
        assert rate_hz == SOUND2SCENE.rate_hz
        arrays, measured = encode_whole(SOUND2SCENE, sound)
        z = arrays["spectrogram"].astype(np.float64)
        assert list(z.shape) == golden["shape"] == [257, 1004]
        assert measured["mean"] == pytest.approx(golden["log_mean"], rel=1e-13)
        assert measured["std"] == pytest.approx(golden["log_std"], rel=1e-13)
        assert (z.min(), z.max()) == pytest.approx((golden["z_min"], golden["z_max"]), abs=5e-7)
        for place, value in golden["z_points"].items():
            row, column = map(int, place.split(","))
            assert z[row, column] == pytest.approx(value, abs=5e-7), (name, place)
        rows = golden["z_row_mean_0_64_128_192_256"]
        assert z[::64].mean(axis=1) == pytest.approx(rows, abs=1e-7)


def test_it_is_scipys_spectrogram_z_scored() -> None:
    sound = noise(CLIP)
    _, _, power = scipy.signal.spectrogram(
        sound.astype(np.float64), 16_000, window=("tukey", 0.25), nperseg=512, noverlap=353
    )
    logarithm = np.log(power + 1e-7)
    wanted = (logarithm - logarithm.mean()) / (logarithm.std() + 1e-9)
    ours = spectrogram_of(sound)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=5e-7)


@given(samples=st.integers(1, CLIP - 1))
@settings(max_examples=10)
def test_a_short_sound_is_repeated(samples: int) -> None:
    sound = noise(samples)
    repeated = np.tile(sound, CLIP // samples + 1)[:CLIP]
    np.testing.assert_array_equal(spectrogram_of(sound), spectrogram_of(repeated))
    assert SOUND2SCENE.samples_kept(samples) == samples


@given(block=st.integers(1000, 200_000))
@settings(max_examples=10)
def test_neither_blocks_nor_what_follows_change_anything(block: int) -> None:
    sound = noise(200_000)
    arrays, measured = encode_whole(SOUND2SCENE, sound[:CLIP])

    def blocks() -> Iterator[np.ndarray]:
        return (sound[k : k + block] for k in range(0, len(sound), block))

    assert SOUND2SCENE.measure(blocks()) == measured
    (piece,) = SOUND2SCENE.encode(blocks(), measured)
    np.testing.assert_array_equal(piece["spectrogram"], arrays["spectrogram"])


def test_no_more_than_ten_seconds_are_heard() -> None:
    heard = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal heard
        while True:
            heard += 16_000
            yield noise(16_000)

    SOUND2SCENE.measure(endless())
    assert heard == CLIP
    assert SOUND2SCENE.samples_kept(10**9) == CLIP


def test_what_exceeds_full_scale_is_clipped() -> None:
    sound = noise(CLIP, 1.0)
    assert np.abs(sound).max() > 1
    np.testing.assert_array_equal(spectrogram_of(sound), spectrogram_of(sound.clip(-1, 1)))


def test_silence_is_flat() -> None:
    arrays, measured = encode_whole(SOUND2SCENE, np.zeros(1000, np.float32))
    assert measured["mean"] == pytest.approx(np.log(1e-7))
    np.testing.assert_allclose(arrays["spectrogram"], 0, atol=1e-5)
    assert SOUND2SCENE.analysis(arrays, measured).magnitude.max() < 1e-5


def test_analysis_returns_the_magnitudes_of_frames_without_their_mean() -> None:
    sound = noise(CLIP).astype(np.float64)
    arrays, measured = encode_whole(SOUND2SCENE, sound + 0.2)
    analysis = SOUND2SCENE.analysis(arrays, measured)
    frames = np.lib.stride_tricks.sliding_window_view(sound, 512)[::159]
    centred = (frames - frames.mean(axis=1, keepdims=True)) * analysis.grid.taps
    wanted = np.abs(np.fft.rfft(centred, axis=1)).T
    loud = wanted > 0.1
    assert loud.mean() > 0.9
    np.testing.assert_allclose(analysis.magnitude[loud], wanted[loud], rtol=1e-5)
    np.testing.assert_allclose(analysis.magnitude, wanted, atol=1e-3)


@pytest.mark.parametrize("tone_hz", [200, 1000, 7900])
def test_a_tone_is_drawn_in_its_band(tone_hz: int) -> None:
    sound = np.sin(2 * np.pi * tone_hz / 16_000 * np.arange(16_000))
    levels = SOUND2SCENE.levels(*encode_whole(SOUND2SCENE, sound))
    assert levels.decibels.shape == (257, 1004)
    assert len(levels.edges_hz) == 258
    row = int(levels.decibels[:, 40].argmax())
    assert levels.edges_hz[row] <= tone_hz <= levels.edges_hz[row + 1]
    assert levels.ceiling_db - 3 < levels.decibels[row, 40] <= levels.ceiling_db + 0.1
    assert levels.decibels.min() == pytest.approx(levels.floor_db, abs=3)


def test_arrays_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="257 x any"):
        SOUND2SCENE.check({"spectrogram": np.zeros((256, 1004))})
