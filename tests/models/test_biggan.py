"""BigGAN: the published layout, counts and outputs, and what visual guidance adds."""

from __future__ import annotations

import importlib.util
import json
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foleycli.models.biggan import (
    Discriminator,
    DiscriminatorConfig,
    Generator,
    GeneratorConfig,
    truncated_noise,
)

PLAIN_G128 = GeneratorConfig(
    channels=32, widths=(16, 16, 8, 4, 2, 1), attention_after=3, action="none"
)
PLAIN_D128 = DiscriminatorConfig(
    channels=32, widths=(1, 2, 4, 8, 16, 16), attention_after=0, action=False
)
SMALL_G = GeneratorConfig(
    channels=4, widths=(4, 2, 1), seed_height=2, seed_width=8, attention_after=0
)


@pytest.fixture(scope="module")
def filler(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill", shared / "goldens" / "fill.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fill(network: nn.Module, layout: Path, filler: ModuleType) -> None:
    filled = filler.fill_layout(layout)
    assert {n: list(t.shape) for n, t in network.state_dict().items()} == json.loads(
        layout.read_text()
    )
    for name in filled:
        if name.endswith("stored_var"):
            draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(
                filled[name].shape
            )
            filled[name] = (1 + 0.1 * np.abs(draw.astype(np.float32))).astype(np.float32)
        if name == "output_layer.0.gain":
            filled[name] = 1 + filled[name]
    network.load_state_dict({n: torch.from_numpy(np.asarray(t)) for n, t in filled.items()})
    network.eval()


def _relative(ours: Tensor, reference: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - reference).max() / np.abs(reference).max())


def test_generator_equals_the_reference_network(shared: Path, filler: ModuleType) -> None:
    goldens = shared / "goldens" / "foleygan"
    network = Generator(PLAIN_G128)
    _fill(network, goldens / "keys" / "biggan128_ch32_generator.json", filler)
    z = torch.from_numpy(filler.test_input("foleygan/biggan_g/z", [2, 120])) * 2
    with torch.no_grad():
        image = network(z, torch.tensor([3, 10]))
    golden = np.load(goldens / "biggan128_generator.npz")
    assert _relative(image.flatten()[golden["image_flat_index"]], golden["image"]) < 1e-4


def test_discriminator_equals_the_reference_network(shared: Path, filler: ModuleType) -> None:
    goldens = shared / "goldens" / "foleygan"
    network = Discriminator(PLAIN_D128)
    _fill(network, goldens / "keys" / "biggan128_ch32_discriminator.json", filler)
    fine = filler.test_input("foleygan/biggan_d/image", [2, 3, 128, 128])
    coarse = filler.test_input("foleygan/biggan_d/image/coarse", [2, 3, 8, 8])
    image = np.float32(0.7) * coarse.repeat(16, 2).repeat(16, 3) + np.float32(0.3) * fine
    with torch.no_grad():
        pooled = network.features(torch.from_numpy(image))
        score = network.judge(pooled, torch.tensor([3, 10]))
    golden = np.load(goldens / "biggan128_discriminator.npz")
    assert _relative(pooled, golden["pooled"]) < 1e-4
    assert _relative(score, golden["score"]) < 1e-4


@pytest.mark.parametrize(
    ("network", "published"),
    [
        (
            Generator(
                GeneratorConfig(1000, channels=96, widths=(16, 16, 8, 4, 2, 1), action="none")
            ),
            70_433_988,
        ),
        (
            Discriminator(
                DiscriminatorConfig(
                    1000, widths=(1, 2, 4, 8, 16, 16), attention_after=0, action=False
                )
            ),
            87_982_370,
        ),
        (Generator(GeneratorConfig(1000, action="none")), 82_468_068),
    ],
    ids=["generator-128", "discriminator-128", "generator-512"],
)
def test_published_parameter_counts(network: nn.Module, published: int) -> None:
    assert sum(p.numel() for p in network.parameters()) == published


def test_paper_size_is_a_configuration() -> None:
    config = GeneratorConfig()
    assert (config.height, config.width, config.z_width) == (512, 512, 160)


def test_spatial_action_moves_only_what_lies_near_it_in_time() -> None:
    torch.manual_seed(0)
    network = Generator(
        GeneratorConfig(**{**SMALL_G.as_dict(), "action": "spatial", "attention_after": None})
    ).eval()
    z = torch.randn(1, network.config.z_width)
    s_act = torch.zeros(1, 3, network.config.height, network.config.width)
    moved = s_act.clone()
    moved[..., :4] = 1
    with torch.no_grad():
        change = (network(z, torch.tensor([1]), moved) - network(z, torch.tensor([1]), s_act)).abs()
    assert change[..., :4].max() > 1e-4
    assert change[..., 20:].max() == 0


def test_output_does_not_depend_on_the_batch_it_is_in() -> None:
    torch.manual_seed(0)
    network = Generator(SMALL_G).eval()
    z = torch.randn(3, SMALL_G.z_width)
    s_act = torch.rand(3, 3, SMALL_G.height, SMALL_G.width)
    labels = torch.tensor([0, 5, 11])
    with torch.no_grad():
        together = network(z, labels, s_act)
        alone = network(z[1:2], labels[1:2], s_act[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)
    assert together[:, 2].abs().max() == 0  # the third channel is masked


def test_truncation_redraws_rather_than_clips() -> None:
    z = truncated_noise(torch.Generator().manual_seed(1), 2000, 0.5)
    assert z.abs().max() <= 0.5
    assert (z.abs() == 0.5).sum() == 0
    assert len(z.unique()) > 1990
    with pytest.raises(ValueError, match="truncation 0 is too small"):
        truncated_noise(torch.Generator(), 4, 0)
