"""Front ends: exact framing, exact padding, round trips and known signals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.dsp.front_ends.pictures import Picture
from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.spec import FOLEYGAN, LOG_MEL_MINI, PICTURES, SpectrogramSpec, picture_spec
from foleycli.dsp.spectrogram import encode


def _noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def _back(picture: np.ndarray, samples: int) -> np.ndarray:
    front = Picture.of(FOLEYGAN)
    return front.resynthesise({"picture": picture}, {}, samples=samples, method="istft")


def _snr_db(wanted: np.ndarray, got: np.ndarray) -> float:
    return float(10 * np.log10((wanted**2).sum() / ((wanted - got) ** 2).sum()))


def test_foleygan_tile_is_the_papers_512x512x3() -> None:
    assert encode(_noise(FOLEYGAN.tile_samples), FOLEYGAN).shape == (3, 512, 512)
    assert FOLEYGAN.tile_samples == 131_072


@settings(max_examples=15, deadline=None)
@given(samples=st.integers(1, 200_000))
def test_padding_is_undone_exactly_at_any_length(samples: int) -> None:
    sound = _noise(samples, samples)
    picture = encode(sound, FOLEYGAN)
    assert picture.shape[2] == FOLEYGAN.frames_for(samples) >= 512
    back = _back(picture, samples)
    assert back.shape == sound.shape
    # Without the first or the last hop it would be 27 dB. One sample alone lies at the floor.
    assert samples < 100 or _snr_db(sound, back) > 50


def test_sound_below_nyquist_comes_back_at_73_db() -> None:
    time = np.arange(60_000) / FOLEYGAN.rate_hz
    sound = (0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 5000 * time)).astype(
        np.float32
    )
    assert _snr_db(sound, _back(encode(sound, FOLEYGAN), len(sound))) > 73


def test_third_channel_is_zero_and_phase_fills_its_range() -> None:
    picture = encode(_noise(40_000), FOLEYGAN)
    assert np.abs(picture[2]).max() == 0
    assert picture[1].min() < -0.99
    assert picture[1].max() > 0.99
    assert np.abs(picture).max() <= 1


@pytest.mark.parametrize("spec", PICTURES.values(), ids=lambda spec: spec.name)
def test_full_scale_sinusoid_reads_its_level_where_it_lies(spec: SpectrogramSpec) -> None:
    bin_index = 40
    frequency = bin_index * spec.rate_hz / spec.fft_samples
    tone = 0.5 * np.sin(2 * np.pi * frequency * np.arange(spec.tile_samples) / spec.rate_hz)
    picture = encode(tone, spec)[0]
    middle = picture[:, picture.shape[1] // 2]
    level_db = (middle.max() + 1) / 2 * (spec.ceiling_db - spec.floor_db) + spec.floor_db
    if spec.mels is None:
        assert middle.argmax() == bin_index
        assert level_db == pytest.approx(-6.02, abs=0.05)
    else:
        filters = band_average_filters(spec.rate_hz, spec.fft_samples, spec.mels)
        assert (
            middle.argmax() == (filters[:, bin_index - 1 : bin_index + 2] @ [0.5, 1, 0.5]).argmax()
        )
        assert level_db < -6


def test_silence_is_the_bottom_and_decodes_to_silence() -> None:
    picture = encode(np.zeros(1000, np.float32), FOLEYGAN)
    assert (picture[0] == -1).all()
    assert np.abs(_back(picture, 1000)).max() == 0


@pytest.mark.parametrize("spec", PICTURES.values(), ids=lambda spec: spec.name)
def test_mel_rows_are_averages_and_none_is_empty(spec: SpectrogramSpec) -> None:
    if spec.mels is None:
        return
    filters = band_average_filters(spec.rate_hz, spec.fft_samples, spec.mels)
    np.testing.assert_allclose(filters.sum(1), 1, rtol=1e-5)
    assert filters.min() >= 0


def test_frame_is_centred_half_a_hop_in() -> None:
    spec = LOG_MEL_MINI
    click = np.zeros(spec.tile_samples, np.float32)
    click[100 * spec.hop_samples + spec.hop_samples // 2] = 1
    assert encode(click, spec)[0].mean(0).argmax() == 100


def test_bad_waveforms_are_refused() -> None:
    with pytest.raises(ValueError, match="finite mono"):
        encode(np.array([0.0, np.nan]), FOLEYGAN)
    with pytest.raises(ValueError, match="finite mono"):
        encode(np.zeros((2, 100)), FOLEYGAN)
    with pytest.raises(ValueError, match="keeps none"):
        Picture.of(LOG_MEL_MINI).resynthesise(
            {"picture": np.zeros((1, 64, 256), np.float32)}, {}, samples=9, method="istft"
        )
    with pytest.raises(ValueError, match="choose one of: foleygan"):
        picture_spec("mystery")
