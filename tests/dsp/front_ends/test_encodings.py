"""FoleyGAN's encodings against librosa, and what each keeps of a sound."""

from __future__ import annotations

from dataclasses import replace

import librosa
import numpy as np
import pytest

from foleycli.dsp.front_ends.encodings import FOLEYGAN_MEL, LMS, MFCC, MS, STFT
from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.pictures import Picture
from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.spec import FOLEYGAN

RATE_HZ, SAMPLES = 44_100, FOLEYGAN.tile_samples
EVERY = [STFT, MS, MFCC, LMS, FOLEYGAN_MEL]


def _strikes() -> np.ndarray:
    """Noise bursts that decay by 170 dB, so that floors are met."""
    time = np.arange(SAMPLES) / RATE_HZ
    noise = np.random.default_rng(5).standard_normal(SAMPLES)
    return (0.3 * noise * np.exp(-25 * (time % 0.8))).astype(np.float32)


SOUND = _strikes()


def _librosa_spectrum() -> np.ndarray:
    padded = np.pad(SOUND.astype(np.float64), 384, "reflect")
    return librosa.stft(padded, n_fft=1024, hop_length=256, center=False)


def _librosa_mel() -> tuple[np.ndarray, np.ndarray]:
    """Mel magnitudes, and which of librosa's 512 bands are not empty.

    Their filters, and ours, are of float32: 1e-4 apart near a triangle's foot.
    """
    with pytest.warns(UserWarning, match="Empty filters"):
        mel = librosa.feature.melspectrogram(
            S=np.abs(_librosa_spectrum()), sr=RATE_HZ, n_mels=512, htk=True, norm=1
        )
    filled = mel.any(axis=1)
    assert filled.sum() == 512 - 108
    return mel, filled


def _decibels(magnitude: np.ndarray) -> np.ndarray:
    return np.clip(20 * np.log10(np.maximum(magnitude / 256, 1e-10)), -94, 6)


@pytest.mark.parametrize("front", EVERY, ids=lambda front: front.name)
def test_three_seconds_are_512_by_512(front: Picture) -> None:
    picture = encode_whole(front, SOUND)[0]["picture"]
    assert picture.shape == (3 if front.spec.phase else 1, 512, 512)
    assert picture.dtype == np.float32
    front.check({"picture": picture})


def test_stft_is_librosas_magnitude_and_phase() -> None:
    picture = encode_whole(STFT, SOUND)[0]["picture"]
    wanted = _librosa_spectrum()[:-1]
    heard = np.abs(wanted) > 1e-2
    decibels = (picture[0] + 1) * 50 - 94
    np.testing.assert_allclose(decibels[heard], _decibels(np.abs(wanted))[heard], atol=2e-3)
    turned = np.exp(1j * np.pi * picture[1]) * np.conj(wanted) / np.abs(wanted)
    np.testing.assert_allclose(np.angle(turned[heard]), 0, atol=2e-4)
    assert not picture[2].any()


def test_ms_is_librosas_mel_amplitude() -> None:
    picture = encode_whole(MS, SOUND)[0]["picture"][0]
    mel, filled = _librosa_mel()
    wanted = mel / (256 * 10 ** (6 / 20))
    np.testing.assert_allclose(picture[filled], wanted[filled], rtol=1e-3, atol=1e-9)


def test_lms_is_librosas_log_mel() -> None:
    picture = encode_whole(LMS, SOUND)[0]["picture"][0]
    mel, filled = _librosa_mel()
    np.testing.assert_allclose((picture[filled] + 1) * 50 - 94, _decibels(mel[filled]), atol=5e-3)


def test_mfcc_is_librosas_of_the_same_log_mel() -> None:
    decibels = (encode_whole(LMS, SOUND)[0]["picture"][0] + 1) * 50 - 94
    wanted = librosa.feature.mfcc(S=decibels, n_mfcc=512, dct_type=2, norm="ortho")
    np.testing.assert_allclose(encode_whole(MFCC, SOUND)[0]["picture"][0], wanted, atol=1e-3)
    forty = replace(MFCC, coefficients=40)
    np.testing.assert_allclose(encode_whole(forty, SOUND)[0]["picture"][0], wanted[:40], atol=1e-3)


def test_mel_picture_keeps_the_mel_levels_and_the_linear_phase() -> None:
    picture = encode_whole(FOLEYGAN_MEL, SOUND)[0]["picture"]
    np.testing.assert_array_equal(picture[0], encode_whole(LMS, SOUND)[0]["picture"][0])
    np.testing.assert_array_equal(picture[1], encode_whole(STFT, SOUND)[0]["picture"][1])


@pytest.mark.parametrize("front", [MS, MFCC, LMS, FOLEYGAN_MEL], ids=lambda front: front.name)
def test_inversion_starts_from_the_mel_magnitudes_themselves(front: Picture) -> None:
    arrays, measured = encode_whole(front, SOUND)
    analysis = front.analysis(arrays, measured)
    assert analysis.filters is not None
    spectrum = np.abs(front.spec.grid.forward(SOUND))
    wanted = band_average_filters(RATE_HZ, 1024, 512) @ spectrum
    np.testing.assert_allclose(analysis.filters @ spectrum, wanted, rtol=1e-4)
    # -94 dBFS is 0.005: what lies under it is silence, but in MS, which has no floor.
    np.testing.assert_allclose(analysis.magnitude, wanted, rtol=1e-4, atol=0.0052)
    if front is MS:
        np.testing.assert_allclose(analysis.magnitude, wanted, rtol=1e-4, atol=1e-9)


def test_stft_comes_back_at_70_db() -> None:
    time = np.arange(SAMPLES) / RATE_HZ
    smooth = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)  # nothing at Nyquist
    analysis = STFT.analysis(*encode_whole(STFT, smooth))
    assert analysis.phase is not None
    spectrum = analysis.magnitude * np.exp(1j * analysis.phase)
    back = analysis.grid.inverse(spectrum, SAMPLES)
    assert 10 * np.log10((smooth**2).sum() / ((smooth - back) ** 2).sum()) > 70


@pytest.mark.parametrize("front", EVERY, ids=lambda front: front.name)
def test_levels_are_dbfs(front: Picture) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 40 * RATE_HZ / 1024 * np.arange(SAMPLES) / RATE_HZ)
    arrays, measured = encode_whole(front, tone)
    levels = front.levels(arrays, measured)
    column = levels.decibels[:, 256]
    row = int(column.argmax())
    assert levels.edges_hz[row] - 22 < 40 * RATE_HZ / 1024 < levels.edges_hz[row + 1] + 22
    assert column[row] == pytest.approx(-6.02, abs=0.05)  # bands are narrower than bins here
    assert levels.unit == "dBFS"


@pytest.mark.parametrize("front", EVERY, ids=lambda front: front.name)
def test_silence_stays_silence(front: Picture) -> None:
    arrays, measured = encode_whole(front, np.zeros(1000))
    assert not front.analysis(arrays, measured).magnitude.any()


def test_quiet_sound_survives_in_ms() -> None:
    quiet = (1e-7 * SOUND).astype(np.float32)  # 140 dB down
    loud, whisper = (encode_whole(MS, sound)[0]["picture"] for sound in (SOUND, quiet))
    np.testing.assert_allclose(whisper, 1e-7 * loud, rtol=1e-3, atol=1e-20)


def test_gain_divides_by_a_quantile_and_clips_above_it() -> None:
    plain = encode_whole(MS, SOUND)[0]["picture"]
    quantile = np.quantile(plain, 0.999)
    gained = replace(MS, gain=float(1 / quantile))
    picture = encode_whole(gained, SOUND)[0]["picture"]
    assert (picture == 1).mean() == pytest.approx(0.001, rel=0.05)
    np.testing.assert_allclose(picture, np.minimum(plain / quantile, 1), rtol=1e-5)
    whole = np.abs(gained.analysis({"picture": picture}, {}).magnitude)
    np.testing.assert_allclose(whole.max(), quantile * MS.most, rtol=1e-5)
    assert gained.as_dict()["gain"] == gained.gain


def test_fewer_coefficients_are_smoother_but_of_the_same_level() -> None:
    few = replace(MFCC, coefficients=20)
    smooth, rough = (
        front.levels(*encode_whole(front, SOUND)).decibels[:, 5] for front in (few, MFCC)
    )
    assert smooth.mean() == pytest.approx(rough.mean(), abs=0.2)
    assert np.abs(np.diff(smooth)).mean() < 0.5 * np.abs(np.diff(rough)).mean()


def test_other_arrays_are_refused() -> None:
    picture = np.zeros((1, 512, 9), np.float32)
    MFCC.check({"picture": picture})
    with pytest.raises(ValueError, match="1 x 40 x any"):
        replace(MFCC, coefficients=40).check({"picture": picture})
    with pytest.raises(ValueError, match="3 x 512 x any"):
        STFT.check({"picture": picture})
