"""Inversion without phase: what it must bring back, and that blocks leave no seam."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.dsp import invert
from foleycli.dsp.invert import invert_magnitude
from foleycli.dsp.spec import FOLEYGAN, LOG_MEL, LOG_MEL_MINI, SpectrogramSpec
from foleycli.dsp.spectrogram import encode


def _strikes(spec: SpectrogramSpec, seconds: float) -> np.ndarray:
    """Noise bursts with a decay, every 0.4 s."""
    rng = np.random.default_rng(3)
    time = np.arange(int(seconds * spec.rate_hz)) / spec.rate_hz
    return (0.3 * rng.standard_normal(len(time)) * np.exp(-12 * (time % 0.4))).astype(np.float32)


def _level_error_db(sound: np.ndarray, back: np.ndarray, spec: SpectrogramSpec) -> float:
    difference = encode(sound, spec) - encode(back, spec)
    return float(np.abs(difference[0]).mean() * (spec.ceiling_db - spec.floor_db) / 2)


@pytest.mark.parametrize(
    ("spec", "bound_db"), [(LOG_MEL_MINI, 1.5), (LOG_MEL, 2.0), (FOLEYGAN, 4.0)]
)
def test_griffin_lim_brings_the_picture_back(spec: SpectrogramSpec, bound_db: float) -> None:
    sound = _strikes(spec, 3)
    back = invert_magnitude(encode(sound, spec), spec, samples=len(sound))
    assert back.shape == sound.shape
    assert _level_error_db(sound, back, spec) < bound_db


def test_momentum_and_iterations_help() -> None:
    sound = _strikes(LOG_MEL_MINI, 3)
    picture = encode(sound, LOG_MEL_MINI)
    errors = [
        _level_error_db(
            sound,
            invert_magnitude(picture, LOG_MEL_MINI, samples=len(sound), **options),
            LOG_MEL_MINI,
        )
        for options in ({"iterations": 0}, {"iterations": 8, "momentum": 0.0}, {"iterations": 32})
    ]
    assert errors[0] > errors[1] > errors[2]


def test_same_seed_same_bytes_other_seed_other_phase() -> None:
    picture = encode(_strikes(LOG_MEL_MINI, 2), LOG_MEL_MINI)
    first, again = (invert_magnitude(picture, LOG_MEL_MINI, iterations=4, seed=7) for _ in range(2))
    other = invert_magnitude(picture, LOG_MEL_MINI, iterations=4, seed=8)
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)


def test_blocks_keep_length_and_level_across_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = LOG_MEL_MINI
    monkeypatch.setattr(invert, "BLOCK_FRAMES", 200)
    noise = (0.1 * np.random.default_rng(0).standard_normal(704 * spec.hop_samples)).astype(
        np.float32
    )
    back = invert_magnitude(encode(noise, spec), spec)
    assert len(back) == len(noise)
    level = np.sqrt((back.reshape(-1, 8 * spec.hop_samples)[:-1] ** 2).mean(1))
    assert level.min() > 0.6 * level.mean()
    assert level.max() < 1.5 * level.mean()
