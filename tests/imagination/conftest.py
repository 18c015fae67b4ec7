"""Untrained systems of the smallest size, and sounds that have something to hear in them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from foleycli.checkpoints import save_checkpoint
from foleycli.dsp.front_ends.table import front_end
from foleycli.imagination.loading import load_system
from foleycli.imagination.systems import S2iSystem, SceneSystem
from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig
from foleycli.models.dense_generator import DenseGenerator, DenseGeneratorConfig
from foleycli.models.icgan import ICGANGenerator, ICGANGeneratorConfig
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.scene_audio_encoder import SceneAudioEncoder, SceneAudioEncoderConfig

AUTOENCODER = AutoencoderConfig(embedding=16, scale=0.05)
DENSE = DenseGeneratorConfig(embedding=16, pixels=48, scale=0.05)
AUDIO = SceneAudioEncoderConfig(width=4, features=32, input_pool=(2, 4))
ICGAN = ICGANGeneratorConfig(
    features=32,
    shared_width=16,
    channels=4,
    widths=(4, 2, 1),
    attention_after=None,
    z_chunk=4,
    unread_classes=0,
)
IMAGE = ResNetConfig("basic", (1, 1, 1, 1), 4, classes=0)


def scene_networks() -> dict[str, nn.Module]:
    """Sound2Scene's, of random weights, the feature as strong in the picture as the noise."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = ICGANGenerator(ICGAN)
        nn.init.normal_(generator.shared_feat.weight)
        return {"audio": SceneAudioEncoder(AUDIO), "generator": generator, "image": ResNet(IMAGE)}


def s2i_networks() -> dict[str, nn.Module]:
    """Sound-to-Imagination's, some batches from random weights: statistics that fit them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks: dict[str, nn.Module] = {
            "autoencoder": AudioAutoencoder(AUTOENCODER),
            "generator": DenseGenerator(DENSE),
        }
        for _ in range(10):
            networks["autoencoder"](torch.randn(8, 1, 128, 100).sigmoid() * 2 - 1)
            networks["generator"](torch.rand(8, 16) * 2 - 1)
        return networks


def save_system(path: Path, kind: str, networks: dict[str, nn.Module], **changes: object) -> Path:
    """Write a checkpoint of some networks; ``changes`` are of its config."""
    config: dict[str, object] = {"front_end": front_end(kind).as_dict(), "classes": []}
    if kind == "s2i":
        config |= {"autoencoder": asdict(AUTOENCODER), "generator": asdict(DENSE)}
    else:
        image = {"network": asdict(IMAGE), "pixels": 32, "fit": "squash"}
        config |= {"audio": AUDIO.as_dict(), "generator": ICGAN.as_dict(), "image": image}
    tensors = {f"{p}.{n}": t for p, m in networks.items() for n, t in m.state_dict().items()}
    save_checkpoint(path, kind=kind, config=config | changes, tensors=tensors)
    return path


@pytest.fixture(scope="session")
def system_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints of both systems, whole."""
    folder = tmp_path_factory.mktemp("systems")
    made = {"s2i": s2i_networks(), "sound2scene": scene_networks()}
    return {
        name: save_system(folder / f"{name}.safetensors", name, networks)
        for name, networks in made.items()
    }


@pytest.fixture(scope="session")
def scene(system_files: dict[str, Path]) -> SceneSystem:
    system = load_system([str(system_files["sound2scene"])])
    assert isinstance(system, SceneSystem)
    return system


@pytest.fixture(scope="session")
def segments(system_files: dict[str, Path]) -> S2iSystem:
    system = load_system([str(system_files["s2i"])])
    assert isinstance(system, S2iSystem)
    return system


def thuds(rate_hz: int, seconds: float, *, seed: int = 0) -> NDArray[np.float32]:
    """Decaying noise bursts over a faint hum: loud and quiet places, as real sounds have."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = 0.003 * np.sin(2 * np.pi * 120 * times_s)
    for start_s in np.cumsum(rng.uniform(0.2, 0.9, 40)):
        after = np.clip(times_s - start_s, 0, None)
        burst = np.exp(-after / rng.uniform(0.02, 0.2)) * (times_s >= start_s)
        sound += rng.uniform(0.05, 0.3) * burst * rng.standard_normal(len(times_s))
    return np.clip(sound, -0.9, 0.9).astype(np.float32)
