"""Rainbowgrams: Engel's numbers from librosa, and what tones, clicks and silence look like."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from foleycli.dsp.rainbowgram import RAINBOWGRAM_RATE_HZ, rainbowgram

RATE_HZ = RAINBOWGRAM_RATE_HZ
TIME = np.arange(2 * RATE_HZ) / RATE_HZ


def test_equals_the_notebooks_recipe_in_librosa() -> None:
    rng = np.random.default_rng(0)
    sound = (rng.standard_normal(len(TIME)) * np.exp(-4 * TIME)).astype(np.float32)
    theirs = librosa.cqt(
        sound,
        sr=RATE_HZ,
        hop_length=256,
        bins_per_octave=40,
        n_bins=240,
        filter_scale=0.8,
        fmin=librosa.note_to_hz("C2"),
    )
    power = np.abs(theirs) ** 2
    brightness = librosa.power_to_db(power, amin=1e-13, top_db=70, ref=np.max) / 70 + 1
    phase = np.unwrap(np.angle(theirs))
    steps = np.concatenate([phase[:, :1], np.diff(phase)], axis=1) / np.pi
    ours = rainbowgram(sound)
    assert ours.brightness.shape == (240, 126)
    np.testing.assert_allclose(ours.brightness, brightness, atol=1e-4)
    apart = ours.steps - steps
    np.testing.assert_allclose(apart - 2 * np.round(apart / 2), 0, atol=1e-4)


@pytest.mark.parametrize("frequency_hz", [220.0, 440.0, 1000.0, 3000.0])
def test_tone_is_one_row_of_one_colour(frequency_hz: float) -> None:
    seen = rainbowgram(0.3 * np.sin(2 * np.pi * frequency_hz * TIME))
    row = int(seen.brightness[:, 60].argmax())
    assert seen.edges_hz[row] <= frequency_hz <= seen.edges_hz[row + 1]
    middle = seen.steps[row, 40:90]
    half_turns = 2 * frequency_hz * 256 / RATE_HZ
    np.testing.assert_allclose(middle, half_turns - 2 * np.round(half_turns / 2), atol=1e-3)
    np.testing.assert_allclose(seen.brightness[row, 40:90], 1, atol=0.01)
    assert np.median(seen.brightness[:, 60]) == 0


def test_brightness_is_decibels_under_the_loudest() -> None:
    tone = np.sin(2 * np.pi * 440 * TIME)
    tone[len(TIME) // 2 :] *= 10 ** (-35 / 20)
    seen = rainbowgram(tone)
    row = int(seen.brightness[:, 30].argmax())
    assert seen.brightness[row, 30] == pytest.approx(1, abs=0.01)
    assert seen.brightness[row, 95] == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(
        rainbowgram(1e-3 * tone).brightness, seen.brightness, atol=1e-3
    )  # level does not matter


def test_click_is_where_it_sounds() -> None:
    click = np.zeros(len(TIME))
    click[70 * 256] = 1.0
    seen = rainbowgram(click)
    assert int(seen.brightness[-40:].mean(axis=0).argmax()) == 70
    assert seen.hop_s == 256 / RATE_HZ


def test_silence_is_dark() -> None:
    seen = rainbowgram(np.zeros(999))
    assert not seen.brightness.any()
    assert not seen.steps.any()


@pytest.mark.parametrize("rate_hz", [8372 + 28, 22_050, 44_100])
def test_any_rate_that_reaches_the_top_octave_will_do(rate_hz: int) -> None:
    seen = rainbowgram(np.ones(1), rate_hz)
    assert seen.brightness.shape == (240, 2)
    assert np.isfinite(seen.steps).all()


def test_bad_sounds_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 16000 Hz, not 8000"):
        rainbowgram(np.ones(100), 8000)
    with pytest.raises(ValueError, match="finite mono"):
        rainbowgram(np.zeros(0))
    with pytest.raises(ValueError, match="finite mono"):
        rainbowgram(np.full(10, np.nan))
