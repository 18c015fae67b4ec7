"""The constant-Q encoding: librosa's numbers, its scaling, any length, and the way back."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest

from foleycli.dsp.front_ends.cqt import CQT, ConstantQ
from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.quality import snr_db
from foleycli.media.audio import read_audio

RATE_HZ, HOP = 44_100, 256
TRANSFORM = CQT.transform


def _noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def _decibels(picture: np.ndarray) -> np.ndarray:
    return (picture[0].astype(np.float64) + 1) * 50 - 94


def test_equals_librosas_transform_in_dbfs_and_half_turns() -> None:
    sound = _noise(140_000) * np.linspace(0, 1, 140_000, dtype=np.float32) ** 4
    picture = encode_whole(CQT, sound)[0]["picture"]
    low_hz = librosa.note_to_hz("C1")
    whole_hops = np.pad(sound, (0, -len(sound) % HOP))
    theirs = librosa.cqt(
        whole_hops, sr=RATE_HZ, hop_length=HOP, fmin=low_hz, n_bins=504, bins_per_octave=56
    )
    frequencies = librosa.cqt_frequencies(n_bins=504, fmin=low_hz, bins_per_octave=56)
    lengths, _ = librosa.filters.wavelet_lengths(freqs=frequencies, sr=RATE_HZ)
    assert picture.shape == (3, *theirs.shape) == (3, 504, 1 + 547)
    wanted = 20 * np.log10(np.maximum(np.abs(theirs) / (np.sqrt(lengths)[:, None] / 2), 1e-10))
    np.testing.assert_allclose(_decibels(picture), np.clip(wanted, -94, 6), atol=1e-3)
    np.testing.assert_allclose(np.pi * picture[1], np.angle(theirs), atol=1e-5)
    assert not picture[2].any()


@pytest.mark.parametrize("row", [100, 300, 503])
def test_full_scale_sinusoid_reads_0_dbfs_in_its_bin(row: int) -> None:
    frequency_hz = float(TRANSFORM.centres_hz[row])
    tone = np.sin(2 * np.pi * frequency_hz * np.arange(3 * RATE_HZ) / RATE_HZ)
    arrays, measured = encode_whole(CQT, tone)
    levels = CQT.levels(arrays, measured)
    column = levels.decibels[:, levels.decibels.shape[1] // 2]
    assert column.argmax() == row
    assert column[row] == pytest.approx(0, abs=0.01)
    assert levels.edges_hz[row] < frequency_hz < levels.edges_hz[row + 1]


def test_click_lies_in_the_column_of_its_time() -> None:
    click = np.zeros(60_000, np.float32)
    click[100 * HOP] = 1
    levels = CQT.levels(*encode_whole(CQT, click))
    column = int(levels.decibels[-56:].mean(axis=0).argmax())
    assert levels.first_s + column * levels.hop_s == pytest.approx(100 * HOP / RATE_HZ)


@pytest.mark.parametrize(
    ("method", "samples"),
    [("griffin-lim", 1), ("griffin-lim", 131_073)]
    + [("icqt", n) for n in (1, 255, 256, 257, 9000, 131_073)],
)
def test_any_length_comes_back_exactly_as_long(method: str, samples: int) -> None:
    arrays, measured = encode_whole(CQT, _noise(samples))
    CQT.check(arrays)
    assert arrays["picture"].shape[2] == 1 + -(-samples // HOP)
    back = CQT.resynthesise(arrays, measured, samples=samples, method=method, iterations=1)
    assert (back.shape, back.dtype) == ((samples,), np.float32)
    assert back.any()


def test_silence_is_put_behind_where_more_is_asked_for() -> None:
    arrays, measured = encode_whole(CQT, _noise(200_000))
    back = CQT.resynthesise(arrays, measured, samples=201_000, method="icqt")
    assert len(back) == 201_000
    assert not back[200_000 + HOP :].any()


def test_what_lies_behind_a_sound_does_not_change_its_columns() -> None:
    sound = _noise(140_000)
    sound[9000:] = 0
    short, long = (encode_whole(CQT, s)[0]["picture"] for s in (sound[:9000], sound))
    columns = short.shape[2]
    np.testing.assert_allclose(_decibels(short), _decibels(long[..., :columns]), atol=0.02)


def test_own_phase_brings_back_what_lies_within_the_octaves() -> None:
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    sound = (np.sin(2 * np.pi * 440 * time) * np.hanning(len(time)) * 0.5).astype(np.float32)
    arrays, measured = encode_whole(CQT, sound)
    back = CQT.resynthesise(arrays, measured, samples=len(sound), method="icqt")
    assert snr_db(sound, back) > 24


def test_real_clips_come_back_at_12_db(shared: Path) -> None:
    for name in ("dog/vas_02754.mp4", "drum/vas_02542.mp4", "fireworks/vas_02997.mp4"):
        sound = read_audio(shared / "data/video" / name, rate_hz=RATE_HZ)[0][: 3 * RATE_HZ]
        arrays, measured = encode_whole(CQT, sound)
        back = CQT.resynthesise(arrays, measured, samples=len(sound), method="icqt")
        assert snr_db(sound, back) > 12, name


def test_search_finds_the_magnitudes_better_with_more_rounds() -> None:
    time = np.arange(RATE_HZ) / RATE_HZ
    sound = np.hanning(RATE_HZ) * sum(np.sin(2 * np.pi * f * time) for f in (220, 523, 1400)) / 9
    arrays, measured = encode_whole(CQT, sound)
    wanted = 10 ** (_decibels(arrays["picture"]) / 20)
    errors = []
    for iterations in (0, 2):
        back = CQT.resynthesise(
            arrays, measured, samples=len(sound), method="griffin-lim", iterations=iterations
        )
        got = 10 ** (_decibels(encode_whole(CQT, back)[0]["picture"]) / 20)
        errors.append(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))
    assert errors[1] < 0.6 * errors[0]


def test_same_seed_same_bytes_other_seed_other_sound() -> None:
    arrays, measured = encode_whole(CQT, _noise(5000))
    first, again, other = (
        CQT.resynthesise(
            arrays, measured, samples=5000, method="griffin-lim", iterations=1, seed=seed
        )
        for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("method", CQT.methods)
def test_silence_stays_silence(method: str) -> None:
    arrays, measured = encode_whole(CQT, np.zeros(3000))
    assert (arrays["picture"][0] == -1).all()
    back = CQT.resynthesise(arrays, measured, samples=3000, method=method, iterations=1)
    assert not back.any()


def test_filters_are_as_long_as_librosas() -> None:
    for transform in (TRANSFORM, ConstantQ(16_000, 256, 6, 40, 65.4, 0.8)):
        theirs, _ = librosa.filters.wavelet_lengths(
            freqs=transform.centres_hz, sr=transform.rate_hz, filter_scale=transform.filter_scale
        )
        np.testing.assert_allclose(transform.filter_samples, theirs, rtol=1e-9)


def test_other_ways_back_are_refused_by_name() -> None:
    arrays, measured = encode_whole(CQT, _noise(999))
    with pytest.raises(ValueError, match="choose icqt or griffin-lim"):
        CQT.analysis(arrays, measured)
    with pytest.raises(ValueError, match=r"by 'pghi'; choose icqt or griffin-lim"):
        CQT.resynthesise(arrays, measured, samples=999, method="pghi")
    with pytest.raises(ValueError, match="3 x 504 x any"):
        CQT.check({"picture": np.zeros((3, 512, 9), np.float32)})
