"""Sound-to-Imagination's bytes: their scale, times and rows, and the published statistics."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.s2i import S2I, S2i, to_model
from foleycli.media.audio import read_audio

RATE_HZ = 44_100


def noise(samples: int, gain: float = 0.1) -> np.ndarray:
    return (gain * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


def tone(hz: float, seconds: float, gain: float = 0.5) -> np.ndarray:
    return gain * np.sin(2 * np.pi * hz / RATE_HZ * np.arange(round(seconds * RATE_HZ)))


def segments_of(sound: np.ndarray, front: S2i = S2I) -> np.ndarray:
    return encode_whole(front, sound)[0]["segments"]


def test_bytes_equal_the_definition_computed_with_librosa() -> None:
    sound = noise(2 * RATE_HZ) * np.linspace(0, 1, 2 * RATE_HZ, dtype=np.float32)
    padded = np.pad(sound.astype(np.float64), (803, 804), "reflect")
    power = librosa.feature.melspectrogram(
        y=padded, sr=RATE_HZ, n_fft=2048, hop_length=441, win_length=1102, window="hamming",
        center=False, power=2, n_mels=128,
    )  # fmt: skip
    decibels = librosa.power_to_db(power, ref=np.max, amin=1e-20, top_db=40)
    wanted = (255 * (1 + decibels / 40))[::-1].reshape(128, 2, 100).transpose(1, 0, 2)
    ours = segments_of(sound)
    assert ours.dtype == np.uint8
    assert ours.min() == 0
    assert np.abs(ours - wanted).max() < 0.501


@pytest.mark.parametrize(
    ("samples", "segments", "padded"),
    [
        (RATE_HZ, 1, 0),
        (3 * RATE_HZ, 3, 0),
        (RATE_HZ + 1, 2, 99),
        (RATE_HZ + 442, 2, 98),
        (2 * RATE_HZ - 1, 2, 0),
        (1, 1, 99),
    ],
)
def test_a_second_is_a_hundred_columns_and_the_last_one_is_filled_up(
    samples: int, segments: int, padded: int
) -> None:
    arrays, measured = encode_whole(S2I, noise(samples))
    assert arrays["segments"].shape == (segments, 128, 100)
    assert measured["padded_columns"] == padded


@pytest.mark.parametrize("column", [30, 99, 100, 170])
def test_a_click_is_loudest_in_the_column_of_its_time(column: int) -> None:
    sound = np.zeros(2 * RATE_HZ, np.float32)
    sound[round((column + 0.5) * 441)] = 1
    loudness = segments_of(sound).astype(int).sum(axis=1).reshape(-1)
    assert loudness.argmax() == column
    assert loudness[column - 2] == loudness[(column + 2) % 200] == 0


def test_the_highest_band_is_in_row_0() -> None:
    rows = [segments_of(tone(hz, 1))[0].mean(axis=1).argmax() for hz in (15_000, 4000, 150)]
    assert rows == sorted(rows)
    assert rows[0] < 20
    assert rows[-1] > 115


def test_bytes_are_decibels_below_the_loudest_cell_of_the_track() -> None:
    sound = np.concatenate([tone(1000, 1), tone(1000, 1, 0.05), tone(1000, 1, 0.0005)])
    peaks = segments_of(sound)[:, :, 10:90].max(axis=(1, 2))
    assert peaks[0] == 255
    assert peaks[1] == pytest.approx(255 / 2, abs=1)  # -20 dB of -40
    assert peaks[2] == 0


def test_volume_changes_nothing() -> None:
    sound = noise(RATE_HZ)
    np.testing.assert_array_equal(segments_of(sound), segments_of(sound / 1024))


def test_silence_is_zero_all_over() -> None:
    arrays, measured = encode_whole(S2I, np.zeros(RATE_HZ, np.float32))
    assert not arrays["segments"].any()
    assert np.isfinite(measured["peak_db"])


@given(samples=st.integers(1, 4 * RATE_HZ), block=st.integers(500, 100_000))
@settings(max_examples=20)
def test_blocks_change_nothing(samples: int, block: int) -> None:
    sound = noise(samples)
    arrays, measured = encode_whole(S2I, sound)

    def blocks() -> Iterator[np.ndarray]:
        return (sound[k : k + block] for k in range(0, len(sound), block))

    assert S2I.measure(blocks()) == measured
    streamed = np.concatenate([p["segments"] for p in S2I.encode(blocks(), measured)])
    np.testing.assert_array_equal(streamed, arrays["segments"])


def test_networks_take_bytes_as_minus_one_to_one() -> None:
    given_bytes = np.array([0, 51, 255], np.uint8)
    np.testing.assert_allclose(to_model(given_bytes), [-1, -0.6, 1], atol=1e-7)


def test_analysis_returns_the_bands_power_to_half_a_byte() -> None:
    sound = noise(RATE_HZ) * np.linspace(0, 1, RATE_HZ, dtype=np.float32)
    arrays, measured = encode_whole(S2I, sound)
    analysis = S2I.analysis(arrays, measured)
    assert analysis.power
    assert analysis.filters is not None
    power = analysis.filters @ np.abs(analysis.grid.forward(sound.astype(np.float64))) ** 2
    floor = arrays["segments"][0, ::-1] == 0
    assert floor.any()
    assert not analysis.magnitude[floor].any()
    step_db = 40 / 255
    wrong_db = 20 * np.log10(analysis.magnitude[~floor]) - 10 * np.log10(power[~floor])
    assert np.abs(wrong_db).max() < step_db / 2 + 1e-4


@pytest.mark.parametrize("tone_hz", [150, 1000, 12_000])
def test_a_tone_is_drawn_in_its_band(tone_hz: int) -> None:
    arrays, measured = encode_whole(S2I, tone(tone_hz, 2))
    levels = S2I.levels(arrays, measured)
    assert levels.decibels.shape == (128, 200)
    row = int(levels.decibels[:, 40].argmax())
    near = RATE_HZ / 2048  # a bin: low bands are little wider
    assert levels.edges_hz[row] - near <= tone_hz <= levels.edges_hz[row + 1] + near
    assert levels.decibels.max() == 0
    assert (levels.hop_s, levels.first_s) == (0.01, 0.005)


def test_a_rate_without_whole_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="22050"):
        replace(S2I, rate_hz=22_050)
    assert segments_of(noise(16_000), replace(S2I, rate_hz=16_000)).shape == (1, 128, 100)


@pytest.mark.parametrize(
    ("segments", "wrong"),
    [
        (np.zeros((2, 100, 128), np.uint8), "any x 128 x 100"),
        (np.zeros((2, 128, 100), np.float32), "uint8"),
    ],
)
def test_arrays_of_another_kind_are_refused(segments: np.ndarray, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        S2I.check({"segments": segments})


# --- the published statistics, and that other choices would miss them

CLASSES = "baby dog rail_transport fireworks water_flowing".split()


@pytest.fixture
def encode_classes(shared: Path) -> Callable[[S2i], list[np.ndarray]]:
    """Encode sixteen recordings of each class, made at full bandwidth: (n, 128, 100) a class."""
    with (shared / "data" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "audio-natural"]
    wide = sorted(
        (row["class"], row["path"]) for row in rows if int(row["original_rate"] or 0) >= RATE_HZ
    )

    def encode(front: S2i) -> list[np.ndarray]:
        classes = []
        for name in CLASSES:
            paths = [shared / "data" / path for kind, path in wide if kind == name][:16]
            sounds = (read_audio(path, rate_hz=front.rate_hz)[0] for path in paths)
            classes.append(
                np.concatenate([segments_of(s, front)[: len(s) // front.rate_hz] for s in sounds])
            )
        return classes

    return encode


def unlike(classes: list[np.ndarray], published: dict[str, list[float]]) -> set[str]:
    """Name the published statistics that these segments are not like.

    profile : mean of each row; top : the rows that the codecs of the published tracks left empty.
    histogram : of what is heard (JPEG has smeared silence up to byte 8).
    variation : along the rows of the water, which is steady, so that it hangs on the floor alone;
    the published median is 28.6. full : segments that reach their track's loudest; a third of them.
    """
    rows = np.mean([segments.mean(axis=(0, 2)) for segments in classes], axis=0)
    audible = published["hist_bins"].index(8)
    counts = [np.histogram(s, published["hist_bins"])[0][audible:] / s.size for s in classes]
    ours, theirs = np.mean(counts, axis=0), np.array(published["hist"][audible:])
    water = classes[CLASSES.index("water_flowing")].reshape(-1, 100)
    unclipped = water[(water.min(axis=1) > 0) & (water.max(axis=1) < 255)]
    full = np.mean([np.mean(segments.max(axis=(1, 2)) >= 250) for segments in classes])
    like = {
        "profile": np.corrcoef(rows, published["row_mean"])[0, 1] > 0.98,
        "top": rows[:8].mean() < 0.5,
        "histogram": np.abs(ours / ours.sum() - theirs / theirs.sum()).sum() / 2 < 0.05,
        "variation": abs(np.median(unclipped.std(axis=1)) - 28.6) < 1.5,
        "full": abs(full - 0.33) < 0.1,
    }
    return {name for name, alike in like.items() if not alike}


def test_real_sounds_have_the_published_statistics_and_other_choices_miss_them(
    shared: Path, encode_classes: Callable[[S2i], list[np.ndarray]]
) -> None:
    file = shared / "goldens" / "s2i" / "spectrogram_calibration.json"
    published = json.loads(file.read_text(encoding="utf-8"))
    classes = encode_classes(S2I)
    assert unlike(classes, published) == set()
    assert unlike([s[:, ::-1] for s in classes], published) == {"profile", "top"}
    deeper = encode_classes(replace(S2I, floor_db=-45.0))
    assert unlike(deeper, published) == {"histogram", "variation"}
    assert "top" in unlike(encode_classes(replace(S2I, rate_hz=16_000)), published)
