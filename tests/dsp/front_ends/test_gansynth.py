"""GANSynth's picture: its padding, its instantaneous frequency, its mel scale, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.gansynth import GANSYNTH, GANSYNTH_MEL, Gansynth, _feet_hz, _filters
from foleycli.dsp.quality import snr_db
from foleycli.dsp.stft import Stft
from foleycli.media.audio import read_audio

FRONTS = [GANSYNTH, GANSYNTH_MEL]
RATE_HZ, FFT, HOP = 16_000, 2048, 512
TAIL = 256  # the last 16 ms lie under the foot of one window


def _noise(samples: int, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(samples)


def _own_phase(front: Gansynth, picture: np.ndarray, samples: int) -> np.ndarray:
    analysis = front.analysis({"picture": picture}, {})
    spectrum = analysis.magnitude * np.exp(1j * analysis.phase)
    return analysis.grid.inverse(spectrum, samples)


def _published(sound: np.ndarray, mel: bool) -> tuple[np.ndarray, np.ndarray]:
    """Log magnitude and steps in half turns, with the phase unwrapped over the whole sound."""
    padded = np.concatenate([np.zeros(3072), sound])
    frames = 1 + (len(padded) - FFT) // HOP
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    spectrum = np.stack(
        [np.fft.rfft(window * padded[j * HOP : j * HOP + FFT])[1:] for j in range(frames)], axis=1
    )
    log_magnitude = np.log(np.abs(spectrum) + 1e-6)
    phase = np.unwrap(np.angle(spectrum), axis=1)
    if mel:
        filters = _filters(RATE_HZ, 1024)
        log_magnitude = np.log(filters @ np.exp(2 * log_magnitude) + 1e-6)
        phase = np.unwrap(filters @ phase, axis=1)
    return log_magnitude, np.diff(phase, axis=1, prepend=0) / np.pi


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_four_seconds_are_the_published_128_frames_of_1024_bins(front: Gansynth) -> None:
    click = np.zeros(64_000)
    click[-HOP] = 1.0
    picture = encode_whole(front, click)[0]["picture"]
    assert picture.shape == (2, 1024, 128)
    assert picture.dtype == np.float32
    silent = (picture[0] == picture[0, :, :1]).all(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(~silent), [127])  # nothing is padded behind


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_equals_the_published_order_of_operations(front: Gansynth) -> None:
    sound = _noise(20 * HOP)
    log_magnitude, steps = _published(sound, front.mel)
    picture = encode_whole(front, sound)[0]["picture"]
    wanted = 0.0661371661726 * log_magnitude + 0.113718730221
    np.testing.assert_allclose(picture[0], np.clip(wanted, -1, 1), atol=1e-6)
    np.testing.assert_allclose(picture[1], 0.8 * steps, atol=1e-6)


@pytest.mark.parametrize("frequency_hz", [100.0, 440.0, 1234.5, 7000.0])
def test_tone_advances_by_its_frequency(frequency_hz: float) -> None:
    tone = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(40 * HOP) / RATE_HZ)
    picture = encode_whole(GANSYNTH, tone)[0]["picture"]
    row = round(frequency_hz * FFT / RATE_HZ) - 1  # DC is dropped
    half_turns = 2 * frequency_hz * HOP / RATE_HZ
    wanted = half_turns - 2 * np.round(half_turns / 2)
    np.testing.assert_allclose(picture[1, row, 7:] / 0.8, wanted, atol=1e-4)


def test_chirp_advances_by_its_frequency_at_each_time() -> None:
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    chirp = 0.5 * np.sin(2 * np.pi * (1000 * time + 30 * time**2))
    picture = encode_whole(GANSYNTH, chirp)[0]["picture"]
    frames = np.arange(20, 80)
    between_s = ((frames - 0.5) * HOP - 3072 + FFT / 2) / RATE_HZ  # a step belongs between frames
    frequency_hz = 1000 + 60 * between_s
    rows = np.round(frequency_hz * FFT / RATE_HZ).astype(int) - 1
    away = picture[1, rows, frames] / 0.8 - 2 * frequency_hz * HOP / RATE_HZ
    np.testing.assert_allclose(away - 2 * np.round(away / 2), 0, atol=0.02)


class _SmallBlocks(Stft):
    """Hands over few frames at a time."""

    def stream(self, blocks: Iterable[np.ndarray], block_frames: int = 0) -> Iterator[np.ndarray]:
        return super().stream(blocks, 3)


@settings(max_examples=10)
@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
@given(samples=st.integers(1, 12_000), block=st.integers(1, 5000))
def test_results_do_not_depend_on_the_block_size(front: Gansynth, samples: int, block: int) -> None:
    sound = _noise(samples, samples).astype(np.float32)
    whole = encode_whole(front, sound)[0]["picture"]
    few = replace(front, grid=_SmallBlocks(FFT, HOP, before=3072, padding="zeros"))
    blocks = [sound[k : k + block] for k in range(0, samples, block)]
    pieces = [piece["picture"] for piece in few.encode(blocks, {})]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=-1), whole)
    assert whole.shape == (2, 1024, -(-samples // HOP) + 3)


def test_own_phase_brings_the_sound_back_at_100_db() -> None:
    time = np.arange(50_001) / RATE_HZ
    sound = 0.1 + 0.3 * np.sin(2 * np.pi * 440 * time) + _noise(len(time))  # 0.1 is in the DC bin
    back = _own_phase(GANSYNTH, encode_whole(GANSYNTH, sound)[0]["picture"], len(sound))
    assert snr_db(sound[:-TAIL], back[:-TAIL]) > 100


def test_real_clips_come_back_at_70_db(shared: Path) -> None:
    for name in ("dog/vas_02754.mp4", "drum/vas_02542.mp4", "fireworks/vas_02997.mp4"):
        sound, _ = read_audio(shared / "data/video" / name, rate_hz=RATE_HZ)
        back = _own_phase(GANSYNTH, encode_whole(GANSYNTH, sound)[0]["picture"], len(sound))
        assert snr_db(sound[:-TAIL], back[:-TAIL]) > 70, name


def test_errors_of_a_drawn_picture_do_not_gather_in_the_missing_bin() -> None:
    sound = _noise(64_000)
    picture = encode_whole(GANSYNTH, sound)[0]["picture"]
    drawn = picture + np.float32(0.05) * np.random.default_rng(1).standard_normal(
        picture.shape, np.float32
    )
    magnitude = GANSYNTH.analysis({"picture": drawn}, {}).magnitude
    assert (magnitude[0] <= 4 * magnitude[1] * (1 + 1e-9)).all()
    assert np.median(magnitude[0]) < 4 * np.median(magnitude[1:])


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_silence_comes_back_as_silence(front: Gansynth) -> None:
    picture = encode_whole(front, np.zeros(1000))[0]["picture"]
    assert front.analysis({"picture": picture}, {}).magnitude.max() < 1e-5
    assert np.abs(_own_phase(front, picture, 1000)[:-TAIL]).max() < 1e-7


def test_mel_scale_is_the_released_codes() -> None:
    # Sum, empty bands and peaks of the matrix that the released function returns for this layout.
    filters, peaks_hz = _filters(RATE_HZ, 1024), _feet_hz(RATE_HZ, 1024)[1:-1]
    assert filters.sum() == pytest.approx(1021.0981806433961, abs=1e-8)
    assert (filters.sum(axis=1) == 0).sum() == 1
    released = {0: 1.77181292, 1: 7.65524689, 2: 13.5384841, 10: 60.5976665, 100: 589.469651}
    released |= {500: 2936.23983, 800: 4695.20520, 850: 4988.32862, 900: 5713.88220}
    released |= {1000: 7501.50927, 1023: 7978.63702}
    np.testing.assert_allclose(peaks_hz[list(released)], list(released.values()), rtol=1e-8)


def test_mel_magnitudes_find_their_bins_again() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 2000 * np.arange(64_000) / RATE_HZ)
    picture = encode_whole(GANSYNTH_MEL, tone)[0]["picture"]
    magnitude = GANSYNTH_MEL.analysis({"picture": picture}, {}).magnitude[:, 64]
    assert magnitude.argmax() == 2000 * FFT // RATE_HZ
    assert magnitude.max() == pytest.approx(0.5 * FFT / 4, rel=0.2)


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_levels_say_what_lies_where(front: Gansynth) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 2000 * np.arange(64_000) / RATE_HZ)
    tone[:32_000] = 0
    levels = front.levels(encode_whole(front, tone)[0], {})
    row = int(levels.decibels[:, -20].argmax())
    # A mel band, whose bins are laid out from 0 Hz, lies one bin low.
    assert levels.edges_hz[row] - 8 <= 2000 <= levels.edges_hz[row + 1] + 8
    assert levels.decibels[row, -20] == pytest.approx(-6.02, abs=3 if front.mel else 0.01)
    assert (np.diff(levels.edges_hz) > 0).all()
    assert levels.edges_hz.shape == (1025,)
    onset = int((levels.decibels[row] > -12.05).argmax())  # half-way up
    assert levels.first_s + onset * levels.hop_s == pytest.approx(2.0, abs=levels.hop_s)


def test_each_keeps_its_best_way_back_first() -> None:
    assert GANSYNTH.methods[0] == "if"
    assert set(GANSYNTH.methods) == set(GANSYNTH_MEL.methods)
    assert GANSYNTH.as_dict()["grid"]["before"] == 3072


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({}, "has no array 'picture'"),
        ({"picture": np.zeros((2, 512, 9), np.float32)}, "2 x 1024 x any"),
        ({"picture": np.full((2, 1024, 9), np.nan, np.float32)}, "NaN"),
    ],
)
def test_other_arrays_are_refused(arrays: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        GANSYNTH.check(arrays)
    GANSYNTH.check({"picture": np.zeros((2, 1024, 1), np.float32)})
