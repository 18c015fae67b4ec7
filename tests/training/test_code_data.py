"""Sounds become codes once, and are kept; features are found and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.files.arrays import save_arrays
from foleycli.media.audio import write_audio
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.sound_codes.codec import SoundCodec
from foleycli.training.code_data import encode_sounds, read_tracks
from foleycli.training.data import Example
from foleycli.training.mel_data import Sight, read_mel

SHA = "0" * 64
CONFIG = CodebookConfig(
    codes=16, code_width=4, channels=4, multiples=(1, 1, 1, 1, 1), residual_blocks=1, groups=2,
    frames=848,
)  # fmt: skip
SHORT = CodebookConfig(**{**CONFIG.as_dict(), "frames": 64})


def _codec(config: CodebookConfig) -> SoundCodec:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SpectrogramCodebook(config)
        with torch.no_grad():
            seen = network.quant_conv(network.encoder(2 * torch.rand(1, 1, 80, 128) - 1))
            vectors = seen[0].flatten(1).T[torch.randperm(40)[: config.codes]]
            network.quantize.embedding.weight.copy_(vectors)
    return SoundCodec(network.eval().requires_grad_(False).fold())


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    rng = np.random.default_rng(0)
    for number, samples in enumerate((60_000, 7000)):
        loud = np.linspace(0, 0.5, samples) * rng.uniform(-1, 1, samples)
        write_audio(tmp_path / f"{number}.wav", loud.astype(np.float32), 22_050)
    return [Example(tmp_path / f"{number}.wav", "") for number in range(2)]


def test_all_of_a_sound_is_encoded_or_its_middle(examples: list[Example], tmp_path: Path) -> None:
    whole = encode_sounds(examples, _codec(SHORT), SHA, Sight(64, whole=True), tmp_path / "a")
    assert [sound.codes.shape for sound in whole] == [(5, 235 // 16), (5, 4)]
    assert {sound.start_s for sound in whole} == {0.0}
    middle = encode_sounds(examples, _codec(CONFIG), SHA, Sight(), tmp_path / "b")
    assert {sound.codes.shape for sound in middle} == {(5, 53)}
    assert {round(sound.start_s, 9) for sound in middle} == {round(6 * 256 / 22_050, 9)}
    mel = read_mel(examples[0].path, Sight())[:, 6:854].astype(np.float32)
    np.testing.assert_array_equal(middle[0].codes, _codec(CONFIG).encode(mel))
    assert len(np.unique(middle[0].codes)) > 3


def test_a_sound_is_encoded_once_by_each_codebook(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, sight = _codec(SHORT), Sight(64, whole=True)
    first = encode_sounds(examples, codec, SHA, sight, tmp_path / "codes")
    encoded: list[int] = []
    encode = codec.encode

    def counted(mel: np.ndarray) -> np.ndarray:
        encoded.append(mel.shape[1])
        return encode(mel)

    monkeypatch.setattr(codec, "encode", counted)
    again = encode_sounds(examples, codec, SHA, sight, tmp_path / "codes")
    assert encoded == []
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
    encode_sounds(examples, codec, "1" * 64, sight, tmp_path / "codes")
    assert len(encoded) == 2
    silence = Sight(64, whole=True, short="silence")
    (filled,) = encode_sounds(examples[1:], codec, "1" * 64, silence, tmp_path / "codes")
    assert len(encoded) == 3
    assert (filled.codes != first[1].codes).any()
    kept = sorted((tmp_path / "codes").glob("*-whole-loop.codes.npz"))
    kept[0].write_bytes(b"cut short")
    encode_sounds(examples, codec, "1" * 64, sight, tmp_path / "codes")
    assert len(encoded) == 4


def test_a_sound_that_does_not_decode_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match=r"bad\.wav: "):
        encode_sounds([Example(tmp_path / "bad.wav", "")], _codec(SHORT), SHA, Sight(), tmp_path)


def test_features_are_all_of_one_kind(tmp_path: Path) -> None:
    paths = []
    for name, width, backbone in (("a", 4, "x"), ("b", 4, "x"), ("c", 5, "x"), ("d", 4, "y")):
        paths.append(tmp_path / f"{name}.features.npz")
        about = {"fps": 21.5, "backbone": backbone}
        values = np.zeros((3, width), np.float32)
        save_arrays(paths[-1], {"features": values}, kind="features", meta=about)
    assert [track.fps for track in read_tracks(paths[:2])] == [21.5, 21.5]
    for wrong, told in ((paths[2], "5 features of x, not 4"), (paths[3], "4 features of y, not 4")):
        with pytest.raises(ValueError, match=told):
            list(read_tracks([paths[0], wrong]))
    with pytest.raises(ValueError, match=r"e\.features\.npz: no such features"):
        list(read_tracks([paths[0], tmp_path / "e.features.npz"]))
