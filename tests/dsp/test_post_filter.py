"""The post-processing filter: it corrects the long-term spectrum and moves nothing in time."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from foleycli.dsp.post_filter import (
    MOST_TAPS,
    TAPS,
    LongTermSpectrum,
    apply_post_filter,
    fit_post_filter,
)

RATE_HZ = 22_050


def _noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def _coloured(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """White noise 8 dB up below 2 kHz and 6 dB down above 4 kHz."""
    shape = scipy.signal.firwin2(
        301, [0, 2000, 4000, RATE_HZ / 2], 10 ** (np.array([8, 8, -6, -6]) / 20), fs=RATE_HZ
    )
    return scipy.signal.lfilter(shape, 1, _noise(samples, seed)).astype(np.float32)


def _power(*sounds: NDArray[np.float32]) -> NDArray[np.float64]:
    spectrum = LongTermSpectrum()
    for sound in sounds:
        spectrum.hear([sound])
    return spectrum.power


def _gain_db(taps: NDArray[np.floating]) -> NDArray[np.floating]:
    return 20 * np.log10(np.abs(np.fft.rfft(taps, 4096)))


def test_filtered_sound_has_the_long_term_spectrum_of_the_reference() -> None:
    reference, generated = _coloured(200_000, 1), _noise(200_000, 2)
    fitted = fit_post_filter(_power(reference), _power(generated), RATE_HZ)
    filtered = apply_post_filter(generated, fitted.taps)
    wanted, before, after = (_power(sound) for sound in (reference, generated, filtered))
    octaves = [slice(2**k, 2 ** (k + 1)) for k in range(3, 9)]
    for octave in octaves:
        wanted_db, before_db, after_db = (
            10 * np.log10(power[octave].mean()) for power in (wanted, before, after)
        )
        assert abs(after_db - wanted_db) < 0.5
    assert abs(before_db - wanted_db) > 5


def test_fitted_filter_is_512_taps_symmetric_about_a_whole_sample() -> None:
    fitted = fit_post_filter(_power(_coloured(50_000)), _power(_noise(50_000)), RATE_HZ)
    assert fitted.rate_hz == RATE_HZ
    assert fitted.taps.shape == (TAPS,)
    assert fitted.taps[-1] == 0
    np.testing.assert_array_equal(fitted.taps[:-1], fitted.taps[:-1][::-1])
    assert fitted.taps.argmax() == 255


def test_equal_spectra_need_no_filter() -> None:
    power = _power(_coloured(50_000))
    taps = fit_post_filter(power, power, RATE_HZ).taps
    assert taps[255] == pytest.approx(1)
    assert np.abs(np.delete(taps, 255)).max() < 1e-6


@pytest.mark.parametrize(("ratio", "gain_db"), [(4.0, 6.02), (1e4, 12.0), (1e-4, -12.0)])
def test_gain_is_the_root_of_the_ratio_within_12_db(ratio: float, gain_db: float) -> None:
    power = _power(_noise(50_000))
    taps = fit_post_filter(ratio * power, power, RATE_HZ).taps
    np.testing.assert_allclose(_gain_db(taps), gain_db, atol=0.01)


def test_steep_ratios_do_not_overshoot_the_limit_by_much() -> None:
    power = np.ones(513)
    step = np.where(np.arange(513) < 100, 1e4, 1e-4)
    gain_db = _gain_db(fit_post_filter(step, power, RATE_HZ).taps)
    assert gain_db.max() < 12.2
    assert gain_db[:300].min() > 11.8
    assert gain_db.min() > -14
    assert np.median(gain_db[1000:]) == pytest.approx(-12, abs=0.2)


def test_bins_where_neither_sounds_are_left_alone() -> None:
    """80 dB down is noise of the measurement, not a spectrum to be matched."""
    band = np.where(np.arange(513) < 200, 1.0, 1e-12)
    rest = np.where(np.arange(513) < 200, 1.0, 1e-15)
    gain_db = _gain_db(fit_post_filter(band, rest, RATE_HZ).taps)
    assert np.abs(gain_db[1900:]).max() < 0.1


def test_spectrum_of_blocks_is_that_of_the_whole_and_sounds_add_up() -> None:
    sound = _coloured(30_000)
    blocks = LongTermSpectrum()
    blocks.hear(np.array_split(sound, [1, 500, 501, 12_345]))
    np.testing.assert_allclose(blocks.power, _power(sound), rtol=1e-5)
    np.testing.assert_allclose(_power(sound, sound), _power(sound), rtol=1e-9)
    assert LongTermSpectrum().power.max() == 0


def test_white_noise_of_unit_power_reads_the_windows_energy() -> None:
    assert _power(_noise(300_000))[5:-5].mean() == pytest.approx(384, rel=0.02)


@given(samples=st.integers(0, 5000), shift=st.integers(0, 20), length=st.integers(0, 30))
def test_symmetric_filter_does_not_move_sound(samples: int, shift: int, length: int) -> None:
    half = np.random.default_rng(length).uniform(0.1, 1, length)
    taps = np.concatenate([np.zeros(shift), half, [2.0], half[::-1], np.zeros(5)])
    sound = _noise(samples).astype(float)
    filtered = apply_post_filter(sound, taps)
    assert filtered.shape == sound.shape
    np.testing.assert_allclose(
        filtered, np.convolve(sound, taps)[shift + length :][:samples] if samples else sound,
        atol=1e-10,
    )  # fmt: skip


def test_click_stays_where_it_is() -> None:
    fitted = fit_post_filter(_power(_coloured(50_000)), _power(_noise(50_000)), RATE_HZ)
    click = np.zeros(4000, np.float32)
    click[1234] = 1
    filtered = apply_post_filter(click, fitted.taps)
    assert filtered.dtype == np.float32
    assert np.abs(filtered).argmax() == 1234
    before, after = filtered[1234 - 200 : 1234], filtered[1235 : 1235 + 200]
    np.testing.assert_allclose(before, after[::-1], atol=1e-6)


def test_learned_filter_lies_as_wavegans_same_padding_lays_it() -> None:
    """A correlation with 255 zeros before and 256 behind; its taps come reversed."""
    sound, kernel = _noise(3000).astype(float), _noise(512, 1).astype(float)
    same = np.correlate(np.pad(sound, (255, 256)), kernel, "valid")
    np.testing.assert_allclose(apply_post_filter(sound, kernel[::-1]), same, atol=1e-10)


def test_even_symmetric_filter_is_half_a_sample_early() -> None:
    click = np.zeros(20)
    click[10] = 1
    np.testing.assert_allclose(
        np.flatnonzero(apply_post_filter(click, np.array([0.5, 0.5])) > 0.1), [10, 11]
    )


def test_bad_filters_and_spectra_are_refused() -> None:
    for taps in (np.zeros(0), np.zeros(MOST_TAPS + 1), np.array([np.nan]), np.ones((2, 2))):
        with pytest.raises(ValueError, match="finite taps"):
            apply_post_filter(_noise(100), taps)
    power = _power(_noise(5000))
    with pytest.raises(ValueError, match="two spectra alike"):
        fit_post_filter(power, power[:-1], RATE_HZ)
    with pytest.raises(ValueError, match="generated sound is silent"):
        fit_post_filter(power, 0 * power, RATE_HZ)
    with pytest.raises(ValueError, match="reference sound is silent or not finite"):
        fit_post_filter(power * np.inf, power, RATE_HZ)


def test_filter_of_zeros_gives_silence() -> None:
    assert np.abs(apply_post_filter(_noise(100), np.zeros(7))).max() == 0
