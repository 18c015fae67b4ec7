"""The codec: any length, exact durations, windows that nothing else changes, the bitrate."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from foleycli.models.melgan import MelganConfig, MelganGenerator
from foleycli.models.melgan_folded import FoldedMelgan
from foleycli.models.spectrogram_codebook import PAPER_CODEBOOK, VAS_CODEBOOK, SpectrogramCodebook
from foleycli.sound_codes import codec as codec_module
from foleycli.sound_codes.codec import (
    PEAK,
    RATE_HZ,
    CodeGrid,
    SoundCodec,
    vocode,
    vocoder_reach,
    windows,
)

WINDOW, FACTOR, COLUMN = 8, 16, 4096
RNG = np.random.default_rng(0)
MEL = RNG.random((80, 30 * FACTOR)).astype(np.float32)


@pytest.fixture(scope="module")
def codec(codebook: SpectrogramCodebook) -> SoundCodec:
    return SoundCodec(codebook)


def _noise(samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(samples).standard_normal(samples).astype(np.float32)


def test_a_window_of_the_papers_takes_the_bitrate_it_states() -> None:
    samples = 848 * 256
    vggsound, vas = CodeGrid(PAPER_CODEBOOK), CodeGrid(VAS_CODEBOOK)
    assert (vggsound.bits, vas.bits) == (10, 7)
    assert vggsound.columns(samples) == 53
    assert vggsound.bitrate_bps(samples) == pytest.approx(5 * 53 * 10 / (samples / RATE_HZ))
    assert round(vggsound.bitrate_bps(samples) / 1000, 2) == 0.27
    assert round(vas.bitrate_bps(samples) / 1000, 2) == 0.19
    assert round(vggsound.bitrate_bps(samples) / 1024, 2) == 0.26  # as the notebook prints it


@pytest.mark.parametrize(("samples", "columns"), [(1, 1), (4096, 1), (4097, 2), (220_500, 54)])
def test_columns_cover_all_of_a_sound(samples: int, columns: int) -> None:
    assert CodeGrid(PAPER_CODEBOOK).columns(samples) == columns


@pytest.mark.parametrize("columns", [*range(1, 70), 106, 500, 19_380])
def test_windows_cover_a_sound_evenly_and_overlap(columns: int) -> None:
    for window, most in ((8, 10), (53, 66)):
        spans = windows(columns, window)
        if columns <= most:
            assert spans == [(0, columns)]
            continue
        assert (spans[0][0], spans[-1][1]) == (0, columns)
        assert {stop - start for start, stop in spans} == {window}
        steps = [b - a for (a, _), (b, _) in pairwise(spans)]
        assert max(steps) - min(steps) <= 1
        assert max(steps) <= window - round(window / 4) + 1


@torch.inference_mode()
def _codes(codebook: SpectrogramCodebook, mel: np.ndarray) -> np.ndarray:
    return codebook.encode(torch.from_numpy(2 * mel - 1)[None, None]).codes[0].numpy()


@torch.inference_mode()
def _mel(codebook: SpectrogramCodebook, codes: np.ndarray) -> np.ndarray:
    return (codebook.decode_codes(torch.from_numpy(codes)[None])[0, 0].numpy() + 1) / 2


@pytest.mark.parametrize("columns", [1, 3, WINDOW, WINDOW + 2])
def test_up_to_a_window_and_a_quarter_it_is_the_network_alone(
    codec: SoundCodec, codebook: SpectrogramCodebook, columns: int
) -> None:
    codes = codec.encode(MEL[:, : columns * FACTOR + 15])  # a rest is no column
    np.testing.assert_array_equal(codes, _codes(codebook, MEL[:, : columns * FACTOR]))
    np.testing.assert_allclose(codec.decode(codes), _mel(codebook, codes), atol=1e-6)


def test_codes_are_those_of_the_window_they_lie_deepest_in(
    codec: SoundCodec, codebook: SpectrogramCodebook
) -> None:
    codes = codec.encode(MEL[:, : 20 * FACTOR])
    assert codes.shape == (5, 20)
    assert windows(20, WINDOW) == [(0, 8), (6, 14), (12, 20)]
    for start, first, end in ((0, 0, 7), (6, 7, 13), (12, 13, 20)):
        window = _codes(codebook, MEL[:, start * FACTOR : (start + WINDOW) * FACTOR])
        np.testing.assert_array_equal(codes[:, first:end], window[:, first - start : end - start])


def test_decoded_windows_fade_into_one_another(
    codec: SoundCodec, codebook: SpectrogramCodebook
) -> None:
    codes = RNG.integers(0, 16, (5, 14))
    mel = codec.decode(codes)
    assert mel.shape == (80, 14 * FACTOR)
    first, second = _mel(codebook, codes[:, :8]), _mel(codebook, codes[:, 6:])
    shared = 2 * FACTOR
    np.testing.assert_allclose(mel[:, : 6 * FACTOR], first[:, :-shared], atol=1e-6)
    np.testing.assert_allclose(mel[:, 8 * FACTOR :], second[:, shared:], atol=1e-6)
    ramp = (np.arange(shared) + 0.5) / shared
    mixed = first[:, -shared:] * (1 - ramp) + second[:, :shared] * ramp
    np.testing.assert_allclose(mel[:, 6 * FACTOR : 8 * FACTOR], mixed, atol=1e-6)


def test_what_follows_does_not_change_a_window_that_is_full(codec: SoundCodec) -> None:
    sound = _noise(40 * COLUMN)
    one, _ = codec.encode_sound([sound])
    cut, samples = codec.encode_sound(np.split(sound, [1, 5000, 70_001]))
    assert samples == len(sound)
    np.testing.assert_array_equal(one, cut)


@pytest.mark.parametrize("samples", [1, 255, 4095, 4096, 4097, 50_000])
@pytest.mark.parametrize("vocoded", [True, False])
def test_a_sound_comes_back_with_every_sample(
    codebook: SpectrogramCodebook, melgan: MelganGenerator, samples: int, vocoded: bool
) -> None:
    codec = SoundCodec(codebook, FoldedMelgan.of(melgan) if vocoded else None)
    codes, heard = codec.encode_sound([_noise(samples)])
    assert heard == samples
    assert codes.shape == (5, -(-samples // COLUMN))
    sound = codec.sound(codec.decode(codes), samples, seed=1)
    assert (sound.shape, sound.dtype) == ((samples,), np.float32)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= PEAK * 1.0001


@pytest.mark.parametrize("frames", [33, 200])
def test_vocoding_in_blocks_changes_nothing_but_rounding(
    melgan: MelganGenerator, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    monkeypatch.setattr(codec_module, "_BLOCK_FRAMES", 16)
    mel, folded = MEL[:, :frames], FoldedMelgan.of(melgan)
    whole = folded(torch.from_numpy(np.ascontiguousarray(mel))[None])[0, 0].numpy()
    assert np.abs(np.diff(whole)).max() > 1e-3
    found = vocode(folded, mel, frames * 256)
    np.testing.assert_allclose(found, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("blocks", [0, 1, 3, 4])
def test_the_vocoders_reach_is_what_one_frame_is_heard_in(blocks: int) -> None:
    torch.manual_seed(1)
    generator = MelganGenerator(MelganConfig(channels=2, residual_blocks=blocks))
    for name, parameter in generator.named_parameters():
        if name.endswith("weight_g"):
            torch.nn.init.constant_(parameter, 1.0)
    folded, mel = FoldedMelgan.of(generator), torch.rand(1, 80, 61)
    changed = mel.clone()
    changed[0, :, 30] += 1e3
    heard = (folded(mel) != folded(changed)).flatten().nonzero()
    farthest = max(30 * 256 - int(heard.min()), int(heard.max()) - 31 * 256 + 1) / 256
    assert vocoder_reach(generator.config) == int(np.ceil(farthest))


def test_a_mel_that_lacks_its_last_frames_is_held_and_then_silent(melgan: MelganGenerator) -> None:
    folded = FoldedMelgan.of(melgan)
    sound = vocode(folded, MEL[:, :20], 24 * 256)
    assert sound[21 * 256 : 22 * 256].any()
    assert not sound[22 * 256 :].any()
    with pytest.raises(ValueError, match="the vocoder takes 80 mel bands, not 40"):
        vocode(folded, MEL[:40], 1000)


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (np.zeros(0, np.float32), "the sound is empty"),
        (np.array([0, np.nan, np.inf], np.float32), "2 samples near 0.0 s are NaN or infinite"),
    ],
)
def test_no_sound_has_no_codes(codec: SoundCodec, sound: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        codec.encode_sound([sound])
