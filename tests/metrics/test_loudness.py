"""Loudness: the standard's own test tones, and what is said of short and silent sounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.loudness import loudness


def tone(hz: float, dbfs: float, seconds: float, rate_hz: int) -> np.ndarray:
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * times_s)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
def test_a_full_scale_sine_of_997_hz_is_minus_3_01_lufs(rate_hz: int) -> None:
    measured = loudness(tone(997, 0, 5, rate_hz), rate_hz)  # ITU-R BS.1770-4, one front channel
    assert measured.integrated_lufs == pytest.approx(-3.01, abs=0.1)
    assert measured.rms_dbfs == pytest.approx(-3.01, abs=0.01)


def test_quiet_parts_are_gated() -> None:
    # EBU Tech 3341, case 3, in one channel: -36, -23, -36 dBFS for 10, 60, 10 s measure as -23
    levels = [(-36, 10), (-23, 60), (-36, 10)]
    sound = np.concatenate([tone(997, dbfs, seconds, 48_000) for dbfs, seconds in levels])
    alone = loudness(tone(997, -23, 60, 48_000), 48_000).integrated_lufs
    assert loudness(sound, 48_000).integrated_lufs == pytest.approx(alone, abs=0.1)
    assert loudness(sound, 48_000).rms_dbfs < loudness(tone(997, -23, 9, 48_000), 48_000).rms_dbfs


@given(gain_db=st.floats(-40, 20))
def test_gain_moves_every_level_alike(gain_db):
    sound = np.random.default_rng(0).standard_normal(16_000) / 10
    plain, louder = loudness(sound, 16_000), loudness(10 ** (gain_db / 20) * sound, 16_000)
    for name in ("integrated_lufs", "true_peak_dbtp", "peak_dbfs", "rms_dbfs"):
        assert getattr(louder, name) - getattr(plain, name) == pytest.approx(gain_db, abs=1e-6)


def test_the_true_peak_lies_between_the_samples() -> None:
    rate_hz = 48_000
    quarter = np.sin(2 * np.pi * (np.arange(rate_hz) / 4 + 1 / 8))  # samples at 45 degrees only
    measured = loudness(quarter, rate_hz)
    assert measured.peak_dbfs == pytest.approx(-3.01, abs=0.01)
    assert measured.true_peak_dbtp == pytest.approx(0, abs=0.3)


def test_the_true_peak_does_not_depend_on_where_blocks_meet() -> None:
    generator = np.random.default_rng(3)
    sound = 0.1 * generator.standard_normal((1 << 18) + 100)
    lone = np.zeros_like(sound)
    for place in ((1 << 17) - 2, 1 << 17, (1 << 17) + 1):
        lone[:] = 0
        lone[place : place + 2] = 0.9  # the peak is half-way between the two
        early = np.roll(lone, -5000)
        assert loudness(lone, 48_000).true_peak_dbtp == pytest.approx(
            loudness(early, 48_000).true_peak_dbtp, abs=1e-9
        )
        assert loudness(lone, 48_000).true_peak_dbtp > 20 * np.log10(0.9) + 0.5
    assert loudness(sound, 48_000).true_peak_dbtp < 0


def test_silence_and_what_the_gate_leaves_out_are_none() -> None:
    silent = loudness(np.zeros(48_000), 48_000)
    assert silent.integrated_lufs is silent.true_peak_dbtp is None
    assert silent.peak_dbfs is silent.rms_dbfs is None
    faint = loudness(tone(997, -80, 2, 48_000), 48_000)
    assert faint.integrated_lufs is None
    assert faint.rms_dbfs == pytest.approx(-83.01, abs=0.01)


def test_a_short_sound_is_measured_as_if_silence_followed() -> None:
    short = tone(997, 0, 0.1, 48_000)
    measured = loudness(short, 48_000).integrated_lufs
    assert measured == pytest.approx(-3.01 - 10 * np.log10(4), abs=0.1)
    padded = np.pad(short, (0, 19_200 - len(short)))
    assert loudness(padded, 48_000).integrated_lufs == measured
    assert loudness(np.full(1, 1e-3), 48_000).integrated_lufs is None


@given(extra=st.integers(0, 4799))
def test_an_unfinished_block_is_left_out(extra):
    sound = tone(997, -20, 1, 48_000)
    longer = np.concatenate([sound, np.zeros(extra)])
    assert loudness(longer, 48_000).integrated_lufs == loudness(sound, 48_000).integrated_lufs


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros((2, 0)), np.array([0.0, np.nan])])
def test_malformed_sound_is_refused(sound: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite mono"):
        loudness(sound, 48_000)


def test_more_channels_than_the_standard_weighs_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 6 channels"):
        loudness(np.ones((7, 48_000)), 48_000)


def test_channels_add_up_as_the_standard_has_it() -> None:
    sound = tone(997, -20, 2, 48_000)
    mono = loudness(sound, 48_000)
    twice = loudness(np.stack([sound, -sound]), 48_000)  # a mono mix would be silent
    assert twice.integrated_lufs == pytest.approx(mono.integrated_lufs + 10 * np.log10(2), abs=1e-6)
    assert twice.true_peak_dbtp == mono.true_peak_dbtp
    silent = np.zeros_like(sound)
    surround = loudness(np.stack([silent, silent, silent, sound, sound, silent]), 48_000)
    assert surround.integrated_lufs == pytest.approx(
        mono.integrated_lufs + 10 * np.log10(1.41), abs=1e-6
    )  # of the left surround; the LFE counts for nothing
