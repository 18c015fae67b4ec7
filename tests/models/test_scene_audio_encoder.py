"""Sound2Scene's audio encoder: the published layout, size and outputs, and the mini size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.models.scene_audio_encoder import (
    MINI_AUDIO_ENCODER,
    SceneAudioEncoder,
    SceneAudioEncoderConfig,
)

Fill = Callable[[dict[str, list[int]]], dict[str, torch.Tensor]]


def test_layout_and_outputs_are_the_references(shared: Path, filled: Fill) -> None:
    folder = shared / "goldens" / "sound2scene"
    layout = json.loads((folder / "keys" / "audio_encoder_resnet18.json").read_text())
    goldens = json.loads((folder / "sound2scene_goldens.json").read_text())["net_goldens"]
    golden = goldens["nets"]["audio_encoder_resnet18"]
    network = SceneAudioEncoder().eval()
    assert {n: list(t.shape) for n, t in network.state_dict().items()} == layout
    network.load_state_dict(filled(layout))
    sound, _ = soundfile.read(folder / "wavs" / "chainsaw.wav", dtype="float32")
    spectrogram = torch.from_numpy(encode_whole(SOUND2SCENE, sound)[0]["spectrogram"])
    with torch.inference_mode():
        pooled = network.audnet.embed(spectrogram[None, None])
        feature = network(spectrogram[None, None])
    for ours, expected in ((pooled, golden["pooled512"]), (feature, golden["feature2048"])):
        assert list(ours.shape) == expected["shape"]
        found = ours.flatten()[expected["flat_idx"]].numpy()
        assert np.abs(found - expected["values"]).max() < 1e-5 * expected["max"]
        assert ours.mean().item() == pytest.approx(expected["mean"], rel=1e-5)
        assert ours.std().item() == pytest.approx(expected["std"], rel=1e-3)
        assert (ours.min().item(), ours.max().item()) == pytest.approx(
            (expected["min"], expected["max"]), rel=1e-5
        )


def test_published_size() -> None:
    with torch.device("meta"):
        network = SceneAudioEncoder()
    assert sum(p.numel() for p in network.parameters()) == 12_220_864


def test_the_mini_size_is_a_configuration() -> None:
    torch.manual_seed(0)
    network = SceneAudioEncoder(MINI_AUDIO_ENCODER).eval()
    spectrograms = torch.randn(2, 1, 257, 1004)
    with torch.inference_mode():
        features = network(spectrograms)
        averaged = torch.nn.functional.avg_pool2d(spectrograms, (2, 4))
        assert averaged.shape[2:] == (128, 251)
        expected = torch.relu(network.audnet(averaged))
    assert features.shape == (2, 256)
    torch.testing.assert_close(features, expected)
    assert features.min() == 0  # the ReLU after the last layer
    assert sum(p.numel() for p in network.parameters()) == 733_552


def test_normalisation_starts_about_one() -> None:
    torch.manual_seed(0)
    network = SceneAudioEncoder(MINI_AUDIO_ENCODER)
    gains = [p for name, p in network.named_parameters() if ".bn" in name and "weight" in name]
    assert torch.cat(gains).mean().item() == pytest.approx(1, abs=0.005)
    assert torch.cat(gains).std().item() == pytest.approx(0.02, rel=0.1)


def test_config_survives_json() -> None:
    config = SceneAudioEncoderConfig(width=8, input_pool=(2, 4))
    assert SceneAudioEncoderConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_a_spectrogram_without_its_channel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"need spectrograms \(B, 1, bins, frames\)"):
        SceneAudioEncoder(MINI_AUDIO_ENCODER)(torch.zeros(2, 257, 1004))
