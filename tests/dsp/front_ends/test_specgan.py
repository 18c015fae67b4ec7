"""SpecGAN's picture: its shape, its statistics, and what becomes of bins that never vary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.specgan import SPECGAN, SpecGanStatistics, accumulate

FLAT = replace(SPECGAN, statistics=SpecGanStatistics(np.full(128, -5.0), np.full(128, 3.0)))


def _noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def _logarithm(sound: np.ndarray) -> np.ndarray:
    """(128, frames) log magnitudes by scipy, of the frames that start within the sound."""
    behind = np.zeros(-len(sound) % 128 + 128)
    _, _, spectrum = scipy.signal.stft(
        np.concatenate([sound, behind]).astype(np.float64),
        nperseg=256,
        boundary=None,
        padded=False,
        scaling="spectrum",
    )
    return np.log(np.abs(spectrum[:-1]) * 128 + 1e-6)  # a Hann window of 256 sums to 128


def test_16384_samples_are_the_papers_128_by_128() -> None:
    arrays, _ = encode_whole(FLAT, _noise(16_384))
    assert arrays["picture"].shape == (1, 128, 128)
    assert arrays["picture"].dtype == np.float32
    assert encode_whole(FLAT, _noise(1))[0]["picture"].shape == (1, 128, 1)
    assert encode_whole(FLAT, _noise(129))[0]["picture"].shape == (1, 128, 2)


def test_picture_is_the_logarithm_in_three_standard_deviations() -> None:
    rng = np.random.default_rng(3)
    statistics = SpecGanStatistics(rng.uniform(-6, -2, 128), rng.uniform(0.2, 2, 128))
    sound = _noise(5000) * np.linspace(0, 1, 5000, dtype=np.float32)
    picture = encode_whole(replace(SPECGAN, statistics=statistics), sound)[0]["picture"][0]
    wanted = (_logarithm(sound) - statistics.mean[:, None]) / (3 * statistics.std[:, None])
    assert (np.abs(wanted) > 1).any()
    np.testing.assert_allclose(picture, np.clip(wanted, -1, 1), atol=2e-4)


def test_statistics_are_numpys_over_all_frames_at_once() -> None:
    # A second of silence and one of near full scale: where sums of squares would cancel.
    sounds = [_noise(50_000, seed) * 10.0**-seed for seed in range(5)] + [np.zeros(16_000)]
    statistics = accumulate(SPECGAN, ([sound] for sound in sounds))
    together = np.concatenate([_logarithm(sound) for sound in sounds], axis=1)
    # float32 transforms are 1e-6 off where |X| is small; the merging itself is exact to 1e-12.
    np.testing.assert_allclose(statistics.mean, together.mean(axis=1), atol=1e-4)
    doubles = accumulate(SPECGAN, ([sound.astype(np.float64)] for sound in sounds))
    np.testing.assert_allclose(doubles.mean, together.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(doubles.std, together.std(axis=1), rtol=1e-12)


@settings(max_examples=10)
@given(block=st.integers(1, 30_000))
def test_statistics_do_not_depend_on_how_sounds_are_cut(block: int) -> None:
    sounds = [_noise(20_000, 1), _noise(777, 2)]
    whole = accumulate(SPECGAN, ([sound] for sound in sounds))
    cut = accumulate(SPECGAN, ([s[k : k + block] for k in range(0, len(s), block)] for s in sounds))
    np.testing.assert_array_equal(cut.mean, whole.mean)
    np.testing.assert_array_equal(cut.std, whole.std)


def test_arrays_can_be_inverted_by_themselves() -> None:
    sound = _noise(30_000)
    fitted = replace(SPECGAN, statistics=accumulate(SPECGAN, [[sound]]))
    arrays, measured = encode_whole(fitted, sound)
    SPECGAN.check(arrays)
    magnitude = SPECGAN.with_constants(arrays).analysis(arrays, measured).magnitude
    kept = np.abs(arrays["picture"][0]) < 1
    assert kept.mean() > 0.95
    decibels = 20 / np.log(10) * (np.log(magnitude[:-1]) - _logarithm(sound))
    assert np.abs(decibels[kept]).max() < 0.01
    assert not magnitude[-1].any()


def test_bins_that_never_varied_neither_divide_by_zero_nor_show_rounding() -> None:
    statistics = accumulate(SPECGAN, [[np.zeros(9000)], [np.zeros(70_000)]])
    np.testing.assert_allclose(statistics.std, 0, atol=1e-12)
    silent = replace(SPECGAN, statistics=statistics)
    arrays, measured = encode_whole(silent, np.zeros(5000))
    np.testing.assert_allclose(arrays["picture"], 0, atol=1e-6)
    assert silent.analysis(arrays, measured).magnitude.max() < 1e-11
    assert np.isfinite(encode_whole(silent, _noise(5000))[0]["picture"]).all()


def test_levels_are_the_tones() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 2000 * np.arange(16_000) / 16_000)
    arrays, measured = encode_whole(FLAT, tone)
    levels = FLAT.levels(arrays, measured)
    row = int(levels.decibels[:, 60].argmax())
    assert levels.edges_hz[row] < 2000 < levels.edges_hz[row + 1]
    assert levels.decibels[row, 60] == pytest.approx(-6.02, abs=0.05)


def test_statistics_are_no_constant_of_the_front_end() -> None:
    assert FLAT == SPECGAN
    assert FLAT.as_dict() == SPECGAN.as_dict()
    assert "statistics" not in FLAT.as_dict()


@pytest.mark.parametrize(
    "use",
    [lambda: encode_whole(SPECGAN, _noise(999)), SPECGAN.constants],
    ids=["encode", "constants"],
)
def test_without_statistics_the_remedy_is_told(use: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="give --statistics FILE, or --fit FILE"):
        use()


def test_no_sound_gives_no_statistics() -> None:
    with pytest.raises(ValueError, match="no sound"):
        accumulate(SPECGAN, [])


def test_other_arrays_are_refused() -> None:
    arrays, _ = encode_whole(FLAT, _noise(999))
    with pytest.raises(ValueError, match="has no array 'mean'"):
        SPECGAN.check({"picture": arrays["picture"]})
    with pytest.raises(ValueError, match="std is negative"):
        SPECGAN.check(arrays | {"std": -arrays["std"]})
    with pytest.raises(ValueError, match="1 x 128 x any"):
        SPECGAN.check(arrays | {"picture": arrays["picture"][:, :64]})
