"""What is measured of a file: known signals read as what they are, each file by itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.table import front_end
from foleycli.evaluation.measuring import (
    NDB_FRONT_END,
    NDB_SIZE,
    SoundMeasurer,
    area_average,
    ndb_spectrogram,
)
from foleycli.evaluation.samples import Samples
from foleycli.evaluation.sides import Network, load_measurer
from foleycli.media.audio import resample

FRONT = front_end(NDB_FRONT_END)
RATE = FRONT.rate_hz


def tone(hertz: float, seconds: float, rate_hz: int = RATE, amplitude: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float, seed: int = 0, amplitude: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (amplitude * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.fixture(scope="module")
def measurer() -> SoundMeasurer:
    found = load_measurer(Network())
    assert isinstance(found, SoundMeasurer)
    return found


@pytest.fixture
def write(tmp_path: Path):
    def written(sound: np.ndarray, rate_hz: int = RATE, name: str = "a") -> Path:
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, sound, rate_hz, subtype="FLOAT")
        return path

    return written


def test_a_part_of_a_value_counts_as_a_part() -> None:
    found = area_average(np.array([[1.0, 10, 100], [3, 3, 3]]), 2)
    np.testing.assert_allclose(found, [[(1 + 5) / 1.5, (5 + 100) / 1.5], [3, 3]], rtol=1e-6)
    wide = area_average(np.array([[1.0, 2]]), 6)
    np.testing.assert_allclose(wide, [[1, 1, 1, 2, 2, 2]], rtol=1e-6)


@given(
    values=arrays(
        np.float64, st.tuples(st.just(2), st.integers(1, 150)), elements=st.floats(-1, 1)
    ),
    columns=st.integers(1, 70),
)
def test_averaging_keeps_the_mean_and_the_range(values: np.ndarray, columns: int) -> None:
    found = area_average(values, columns)
    assert found.shape == (2, columns)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=1), values.mean(axis=1), atol=1e-6)
    assert (found <= values.max(axis=1, keepdims=True) + 1e-6).all()
    assert (found >= values.min(axis=1, keepdims=True) - 1e-6).all()


@pytest.mark.parametrize("hertz", [220.0, 1000.0, 3000.0, 8000.0])
def test_a_tone_lights_the_row_of_its_band(hertz: float) -> None:
    sound = tone(hertz, 2.0)
    edges = FRONT.levels(*encode_whole(FRONT, sound)).edges_hz
    row = int(np.searchsorted(edges, hertz)) - 1
    found = ndb_spectrogram(sound)
    assert found.shape == (NDB_SIZE, NDB_SIZE)
    assert abs(int(found.mean(axis=1).argmax()) - row) <= 1
    assert found[row].mean() > found[np.abs(np.arange(NDB_SIZE) - row) > 10].max()


@pytest.mark.parametrize("seconds", [0.01, 1.0, 4.3])
def test_silence_is_the_least_level(seconds: float) -> None:
    np.testing.assert_array_equal(ndb_spectrogram(tone(1, seconds, amplitude=0)), -1)


@pytest.mark.parametrize("seconds", [0.8, 3.3, 12.0])
def test_cells_of_time_are_parts_of_the_sound_whatever_its_length(seconds: float) -> None:
    sound = noise(seconds)
    sound[len(sound) // 4 : -len(sound) // 2] = 0
    level = ndb_spectrogram(sound).mean(axis=0)
    silent = slice(NDB_SIZE // 4 + 2, NDB_SIZE // 2 - 2)
    sounding = [*range(NDB_SIZE // 4 - 2), *range(NDB_SIZE // 2 + 2, NDB_SIZE)]
    assert level[silent].max() < -0.9 < -0.5 < level[sounding].min()


@pytest.mark.parametrize(
    "sound", [np.zeros(0, np.float32), np.array([0, np.nan], np.float32), np.zeros((2, 9))]
)
def test_what_is_no_sound_has_no_spectrogram(sound: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite mono waveform"):
        ndb_spectrogram(sound)


def test_levels_of_a_sine_are_known(measurer: SoundMeasurer, write) -> None:
    levels = measurer(write(tone(997, 2.5, 48_000), 48_000))["levels"]
    assert (levels["rate_hz"], levels["channels"], levels["duration_s"]) == (48_000, 1, 2.5)
    assert levels["loudness_lufs"] == pytest.approx(-3.01 - 6.02, abs=0.1)  # ITU-R BS.1770, mono
    assert levels["true_peak_dbtp"] == pytest.approx(-6.02, abs=0.05)
    assert levels["silent_share"] == levels["clipped_samples"] == 0
    assert levels["phase_coherence"] > 0.9 > 0.7 > levels["phase_coherence_chance"]


def test_silence_has_no_loudness_and_that_is_nan_in_a_set(measurer: SoundMeasurer, write) -> None:
    found = measurer(write(np.zeros(RATE, np.float32)))
    assert found["levels"]["silent_share"] == 1
    undefined = {name for name, value in found["levels"].items() if value is None}
    assert undefined == {
        "loudness_lufs",
        "true_peak_dbtp",
        "phase_coherence",
        "phase_coherence_chance",
    }
    row = {"id": "a", "label": "", "sha256": "", **found}
    kept = Samples.of([row], measurer.made_by)
    assert {name for name, column in kept.levels.items() if np.isnan(column[0])} == undefined


def test_a_fault_of_one_channel_is_one_of_the_file(measurer: SoundMeasurer, write) -> None:
    left, right = noise(1.0), noise(1.0, 1)
    right[1000:1004] = 1.0
    right[2000:2002] = 1.0  # two in a row may be a peak
    levels = measurer(write(np.stack([left, right], axis=1)))["levels"]
    assert (levels["channels"], levels["clipped_samples"]) == (2, 4)
    one_silent = measurer(write(np.stack([left, 0 * left], axis=1)))["levels"]
    assert one_silent["silent_share"] == 0


@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_no_numbers_are_counted(
    measurer: SoundMeasurer, write, channels: int
) -> None:
    sound = np.stack([noise(0.5, seed) for seed in range(channels)], axis=1)
    sound[5:8, -1] = np.nan
    sound[9, 0] = -np.inf
    with pytest.raises(ValueError, match="4 samples are NaN or infinite"):
        measurer(write(sound))


def test_a_file_without_sound_is_refused(measurer: SoundMeasurer, write, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"empty|no sound"):
        measurer(write(np.zeros(0, np.float32)))
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(ValueError):
        measurer(text)


def test_features_are_of_the_mean_of_the_channels(measurer: SoundMeasurer, write) -> None:
    stereo = np.stack([noise(1.2), tone(500, 1.2)], axis=1)
    found = measurer(write(stereo))["features"]
    mono = stereo.mean(axis=1)
    embedding, logits = measurer.embedder.embed(mono)
    np.testing.assert_allclose(found["embedding"], embedding, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["spectrogram"], ndb_spectrogram(mono).ravel(), atol=1e-6)
    assert all(array.dtype == np.float32 for array in found.values())


def test_a_sound_of_another_rate_is_resampled(measurer: SoundMeasurer, write) -> None:
    sound = tone(700, 1.0, 44_100) + tone(1900, 1.0, 44_100, 0.1)
    found = measurer(write(sound, 44_100))["features"]["spectrogram"]
    expected = ndb_spectrogram(resample(sound, 44_100, RATE))
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-6)


def test_a_file_is_measured_by_itself(measurer: SoundMeasurer, write) -> None:
    one, two = write(noise(1.0), name="one"), write(tone(300, 9.0), name="two")
    first, second = measurer(one), measurer(two)
    again = measurer(two), measurer(one)
    for found, expected in zip(again, (second, first), strict=True):
        assert found["levels"] == expected["levels"]
        for name, array in expected["features"].items():
            np.testing.assert_array_equal(found["features"][name], array)


def test_what_measured_is_said_in_plain_values(measurer: SoundMeasurer) -> None:
    about = measurer.made_by
    assert json.loads(json.dumps(about)) == json.loads(json.dumps(dict(about)))
    assert about["kind"] == "sounds"
    assert len(about["network_sha256"]) == 64
    assert about["classes"] == list(measurer.embedder.classes)


def test_pictures_have_an_embedding_and_logits_alone(tmp_path: Path) -> None:
    looker = load_measurer(Network(), pictures=True)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = looker(tmp_path / "a.png")
    assert found["features"].keys() == {"embedding", "logits"}
    assert found["levels"] == {}
    assert looker.made_by["kind"] == "pictures"
    assert len(found["features"]["logits"]) == len(looker.made_by["classes"])
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError):
        looker(tmp_path / "a.png")
