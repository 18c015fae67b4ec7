"""Onsets: librosa's curve and picker reproduced; clicks found where they are."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from foleycli.dsp.onsets import (
    ONSET_RATE_HZ,
    detect_onsets,
    onset_strength,
    pick_peaks,
    slaney_filters,
)


def _clicks(times_s: list[float], duration_s: float, seed: int = 0) -> np.ndarray:
    """Bursts of noise that decay within 50 ms, over a faint floor."""
    rng = np.random.default_rng(seed)
    waveform = 1e-4 * rng.standard_normal(int(duration_s * ONSET_RATE_HZ))
    decay = np.exp(-np.arange(3000) / 400)
    for time in times_s:
        start = int(time * ONSET_RATE_HZ)
        length = min(3000, len(waveform) - start)
        waveform[start : start + length] += 0.5 * (rng.standard_normal(3000) * decay)[:length]
    return waveform.astype(np.float32)


def test_clicks_are_found_within_a_hop_and_a_half():
    truth = [0.5, 1.0, 1.62, 2.4]
    times, strengths = detect_onsets(_clicks(truth, 3.0), ONSET_RATE_HZ)
    assert len(times) == len(truth)
    np.testing.assert_allclose(times, truth, atol=1.5 * 256 / ONSET_RATE_HZ)
    assert strengths.max() == 1.0
    assert strengths.min() > 0.25


def test_silence_has_no_onset():
    times, strengths = detect_onsets(np.zeros(ONSET_RATE_HZ, np.float32), ONSET_RATE_HZ)
    assert len(times) == len(strengths) == 0


@pytest.mark.parametrize("samples", [0, 1, 255, 256, 5000])
def test_one_value_a_hop_for_any_length(samples):
    assert onset_strength(np.zeros(samples, np.float32), ONSET_RATE_HZ).shape == (
        1 + samples // 256,
    )


def test_two_channels_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="average the channels"):
        onset_strength(np.zeros((2, 100), np.float32), ONSET_RATE_HZ)


@pytest.fixture
def librosa():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("librosa")
        module.util.peak_pick(np.zeros(4), **_RULE)  # compiles here, where warnings are let pass
        yield module


_RULE = {"pre_max": 2, "post_max": 1, "pre_avg": 8, "post_avg": 9, "delta": 0.15, "wait": 8}


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100])
def test_onset_strength_is_librosas(librosa, rate_hz):
    waveform = _clicks([0.3, 0.9, 1.1], 1.5)
    expected = librosa.onset.onset_strength(y=waveform, sr=rate_hz, hop_length=256)
    np.testing.assert_allclose(onset_strength(waveform, rate_hz), expected, atol=2e-4)


def test_filters_are_librosas(librosa):
    expected = librosa.filters.mel(sr=22_050, n_fft=2048, n_mels=128)
    np.testing.assert_allclose(slaney_filters(22_050, 2048, 128), expected, atol=1e-8)


def test_peaks_are_librosas(librosa):
    curve = np.random.default_rng(1).random(500).astype(np.float32)
    np.testing.assert_array_equal(
        pick_peaks(curve, 2, 8, 0.15, 8), librosa.util.peak_pick(curve, **_RULE)
    )
