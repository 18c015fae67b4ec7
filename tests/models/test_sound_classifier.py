"""Sound classifiers: any size, a mean over all places, and configurations that come back."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from foleycli.models.melception import MelceptionConfig
from foleycli.models.resnet import RESNET50, ResNetConfig
from foleycli.models.sound_classifier import (
    SoundClassifier,
    SoundClassifierConfig,
    architecture,
    build_classifier,
    classifier_config,
)
from foleycli.models.vggishish import VggishishConfig

TINY = SoundClassifierConfig(ResNetConfig("basic", (1, 1, 1, 1), 4, stem_pool=False, classes=3))
CONFIGS = (TINY, MelceptionConfig(3, 1 / 32, False), VggishishConfig(3, 1 / 32))


@pytest.mark.parametrize("config", CONFIGS, ids=architecture)
def test_every_kind_gives_logits_and_what_their_layer_takes(config):
    torch.manual_seed(0)
    network = build_classifier(config).eval()
    logits, features = network(torch.randn(2, 1, 80, 100))
    assert features.shape == (2, config.features)
    assert torch.equal(logits, network.head(features))
    assert network.head.out_features == 3


@pytest.mark.parametrize("config", CONFIGS, ids=architecture)
def test_configurations_survive_json(config):
    sizes = json.loads(json.dumps(asdict(config)))
    assert classifier_config(architecture(config), sizes) == config


def test_foleygans_judge_is_a_resnet50_of_three_channels():
    with torch.device("meta"):
        judge = SoundClassifier(SoundClassifierConfig(RESNET50))
    names = judge.resnet.state_dict()
    assert names["conv1.weight"].shape == (64, 3, 7, 7)
    assert sum(p.numel() for p in judge.parameters()) == 25_557_032


def test_images_networks_see_the_spectrogram_in_all_channels():
    torch.manual_seed(0)
    network = SoundClassifier(TINY).eval()
    picture = torch.randn(1, 1, 64, 90)
    with torch.inference_mode():
        _, features = network(picture)
        assert torch.equal(features, network.resnet.embed(picture.repeat(1, 3, 1, 1)))


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="known are: resnet, melception, vggishish"):
        classifier_config("alexnet", {})
    with pytest.raises(ValueError, match="not those of melception"):
        classifier_config("melception", {"depth": 3})
    with pytest.raises(ValueError, match="needs classes"):
        _ = SoundClassifier(SoundClassifierConfig(ResNetConfig(classes=0))).head
