"""IC-GAN: the published layouts, sizes and outputs, folding, the mini size and its noise."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.models.biggan import NonLocal
from foleycli.models.icgan import (
    MINI_DISCRIMINATOR,
    MINI_GENERATOR,
    ICGANDiscriminator,
    ICGANDiscriminatorConfig,
    ICGANGenerator,
    ICGANGeneratorConfig,
    sample_z,
)
from foleycli.models.scene_audio_encoder import SceneAudioEncoder, SceneAudioEncoderConfig

Fill = Callable[[dict[str, list[int]]], dict[str, torch.Tensor]]

TINY = ICGANGeneratorConfig(
    features=6,
    shared_width=4,
    channels=4,
    widths=(4, 2, 1),
    attention_after=0,
    z_chunk=3,
    unread_classes=5,
)


def _published(network: type[nn.Module], config: object, layout: Path, filled: Fill) -> nn.Module:
    with torch.device("meta"):
        built = network(config)
    shapes = json.loads(layout.read_text())
    assert {n: list(t.shape) for n, t in built.state_dict().items()} == shapes
    built.load_state_dict(filled(shapes), assign=True)
    return built.eval()


def _unit(draw: np.ndarray) -> Tensor:
    return torch.from_numpy((draw / np.linalg.norm(draw)).astype(np.float32))


@pytest.fixture(scope="module")
def published(shared: Path, filled: Fill) -> dict[str, Tensor]:
    """What our networks of the published size make under the goldens' weights."""
    folder = shared / "goldens" / "sound2scene"
    z = torch.from_numpy(np.random.RandomState(5).standard_normal((1, 120)).astype(np.float32))
    sound, _ = soundfile.read(folder / "wavs" / "chainsaw.wav", dtype="float32")
    spectrogram = torch.from_numpy(encode_whole(SOUND2SCENE, sound)[0]["spectrogram"])
    made = {}
    with torch.inference_mode():
        encoder = _published(
            SceneAudioEncoder,
            SceneAudioEncoderConfig(),
            folder / "keys" / "audio_encoder_resnet18.json",
            filled,
        )
        feature = _unit(encoder(spectrogram[None, None]).numpy())
        generator = _published(
            ICGANGenerator,
            ICGANGeneratorConfig(),
            folder / "keys" / "icgan_biggan128_generator.json",
            filled,
        )
        made["generator"] = generator(z, feature)
        drawn = _unit(np.abs(np.random.RandomState(6).standard_normal((1, 2048))))
        made["generator_b"] = generator(z, drawn)
        made["folded_b"] = generator.fold()(z, drawn)
        del generator
        discriminator = _published(
            ICGANDiscriminator,
            ICGANDiscriminatorConfig(),
            folder / "keys" / "icgan_biggan128_discriminator.json",
            filled,
        )
        made["discriminator"] = discriminator(made["generator"], feature)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("generator", "image"),
        ("generator_b", "image"),
        ("folded_b", "image"),
        ("discriminator", "score"),
    ],
)
def test_outputs_are_the_references(
    shared: Path, published: dict[str, Tensor], name: str, output: str
) -> None:
    goldens = json.loads((shared / "goldens/sound2scene/sound2scene_goldens.json").read_text())
    network = f"icgan_biggan128_{name.replace('folded', 'generator')}"
    golden = goldens["net_goldens"]["nets"][network][output]
    ours = published[name]
    assert list(ours.shape) == golden["shape"]
    tolerance = 1e-5 * max(abs(golden["min"]), abs(golden["max"]))
    found = ours.flatten()[golden["flat_idx"]].numpy()
    assert np.abs(found - golden["values"]).max() < tolerance
    summary = [ours.min().item(), ours.max().item(), ours.mean().item()]
    assert summary == pytest.approx([golden[k] for k in ("min", "max", "mean")], abs=tolerance)


@pytest.mark.parametrize(
    ("network", "config", "count"),
    [
        (ICGANGenerator, ICGANGeneratorConfig(), 77_160_132),
        (ICGANDiscriminator, ICGANDiscriminatorConfig(), 89_593_634),
        (ICGANGenerator, MINI_GENERATOR, 331_203),
        (ICGANDiscriminator, MINI_DISCRIMINATOR, 281_217),
    ],
    ids=["generator-128", "discriminator-128", "generator-32", "discriminator-32"],
)
def test_parameter_counts(network: type[nn.Module], config: object, count: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in network(config).parameters()) == count


def test_configs_survive_json() -> None:
    for config in (TINY, MINI_DISCRIMINATOR):
        assert type(config).from_dict(json.loads(json.dumps(config.as_dict()))) == config


@pytest.fixture(scope="module")
def tiny() -> ICGANGenerator:
    """A network some steps from its start: u0 settled, attention and statistics not trivial."""
    torch.manual_seed(0)
    network = ICGANGenerator(TINY)
    for module in network.modules():
        if isinstance(module, NonLocal):
            nn.init.constant_(module.gamma, 0.7)
    for _ in range(3):
        network(torch.randn(8, TINY.z_width), torch.rand(8, TINY.features))
    return network.eval()


def test_folding_changes_the_layers_and_not_the_picture(tiny: ICGANGenerator) -> None:
    z, feature = torch.randn(3, TINY.z_width), torch.rand(3, TINY.features)
    folded = copy.deepcopy(tiny).train().fold()
    assert not [name for name in folded.state_dict() if name.endswith(("u0", "sv0"))]
    assert not folded.training
    with torch.inference_mode():
        torch.testing.assert_close(folded(z, feature), tiny(z, feature), rtol=1e-5, atol=1e-6)
    feature.requires_grad_()
    folded(z, feature).sum().backward()  # an image is inverted through the folded network
    assert feature.grad is not None
    assert feature.grad.abs().min() > 0


def test_every_chunk_of_noise_and_the_feature_reach_the_picture(tiny: ICGANGenerator) -> None:
    z, feature = torch.randn(1, TINY.z_width), torch.rand(1, TINY.features)
    with torch.inference_mode():
        picture = tiny(z, feature)
        assert picture.shape == (1, 3, TINY.pixels, TINY.pixels) == (1, 3, 16, 16)
        for chunk in range(TINY.blocks + 1):
            moved = z.clone()
            moved[:, chunk * TINY.z_chunk] += 1
            assert (tiny(moved, feature) - picture).abs().max() > 1e-4, chunk
        assert (tiny(z, feature.flip(1)) - picture).abs().max() > 1e-4


def test_output_does_not_depend_on_the_batch_it_is_in(tiny: ICGANGenerator) -> None:
    z, feature = torch.randn(3, TINY.z_width), torch.rand(3, TINY.features)
    with torch.inference_mode():
        together, alone = tiny(z, feature), tiny(z[1:2], feature[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_mini_networks_train_each_other() -> None:
    torch.manual_seed(0)
    generator, discriminator = (
        ICGANGenerator(MINI_GENERATOR),
        ICGANDiscriminator(MINI_DISCRIMINATOR),
    )
    feature = torch.nn.functional.normalize(torch.rand(2, 256))
    picture = generator(sample_z(0, range(2), MINI_GENERATOR.z_width), feature)
    assert picture.shape == (2, 3, 32, 32)
    logits = discriminator(picture, feature)
    assert logits.shape == (2, 1)
    logits.sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_the_embedding_that_nothing_reads_is_not_trained(tiny: ICGANGenerator) -> None:
    left_alone = [name for name, p in tiny.named_parameters() if not p.requires_grad]
    assert left_alone == ["shared.weight"]


def test_the_discriminator_looks_at_the_feature() -> None:
    torch.manual_seed(0)
    network = ICGANDiscriminator(MINI_DISCRIMINATOR).eval()
    picture, feature = torch.randn(1, 3, 32, 32), torch.rand(1, 256)
    with torch.inference_mode():
        assert (network(picture, feature) - network(picture, feature.flip(1))).abs() > 1e-4


def test_standardised_features_forget_what_all_have_in_common() -> None:
    torch.manual_seed(0)
    features = torch.nn.functional.normalize(3 + torch.rand(200, 6), dim=1)
    network = ICGANGenerator(replace(TINY, standardised=True)).eval()
    network.scale.fit(features)
    scaled = network.scale(features)
    assert scaled.mean(0).abs().max() < 1e-4
    assert (scaled.std(0) - 1).abs().max() < 0.1
    again = ICGANGenerator(ICGANGeneratorConfig.from_dict(network.config.as_dict())).eval()
    again.load_state_dict(network.state_dict())
    z = sample_z(0, [0], TINY.z_width)
    assert torch.equal(again(z, features[:1]), network(z, features[:1]))
    assert not torch.equal(again(z, features[:1]), again(z, features[1:2]))


def test_noise_belongs_to_seed_and_draw_not_to_the_batch() -> None:
    eight = sample_z(7, range(8), 120)
    assert eight.shape == (8, 120)
    assert torch.equal(sample_z(7, [5, 2], 120), eight[[5, 2]])
    assert (
        len({tuple(row.tolist()) for row in torch.cat([eight, sample_z(8, range(8), 120)])}) == 16
    )
    assert sample_z(7, [], 120).shape == (0, 120)


def test_noise_has_the_deviation_asked_for() -> None:
    wide = sample_z(0, range(4), 5000, std=1.5)
    assert wide.std().item() == pytest.approx(1.5, rel=0.02)
    assert torch.equal(wide, 1.5 * sample_z(0, range(4), 5000))
    cut = sample_z(0, range(4), 120, truncation=0.5)
    assert torch.equal(sample_z(0, range(4), 120, std=2, truncation=0.5), 2 * cut)


def test_truncation_keeps_icgans_share_of_a_truncated_normal() -> None:
    z = sample_z(0, range(4), 5000, truncation=0.7)
    assert 1.35 < z.abs().max() <= 1.4
    assert z.std().item() == pytest.approx(0.7 * 0.8796, rel=0.02)  # of N(0, 1) cut at 2
    with pytest.raises(ValueError, match="truncation 0 is too small"):
        sample_z(0, range(1), 4, truncation=0)
