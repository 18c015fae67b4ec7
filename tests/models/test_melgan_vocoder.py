"""MelGAN: the published layouts and outputs, and the folded generator."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foleycli.models.melgan import (
    MINI_MELGAN,
    MINI_MELGAN_DISCRIMINATOR,
    MelganConfig,
    MelganDiscriminator,
    MelganGenerator,
    WNConv1d,
    WNLengthening,
)
from foleycli.models.melgan_folded import FoldedMelgan

TINY = MelganConfig(mels=5, channels=3, ratios=(4, 2), residual_blocks=3)


def _filled(network: nn.Module, name: str, shared: Path) -> SimpleNamespace:
    """Fill a network of the published layout, which it must have; return the goldens' maker."""
    fill = SimpleNamespace(**runpy.run_path(str(shared / "goldens/fill.py")))
    path = shared / f"goldens/specvqgan/keys/{name}.json"
    layout = json.loads(path.read_text())
    ours = {key: list(tensor.shape) for key, tensor in network.state_dict().items()}
    assert ours == layout
    assert list(ours) == list(layout)
    weights = fill.fill_layout(path)
    network.load_state_dict({key: torch.from_numpy(t) for key, t in weights.items()})
    network.eval()
    return fill


def _relative(ours: Tensor, golden: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - golden).max() / np.abs(golden).max())


def _alive(config: MelganConfig) -> MelganGenerator:
    """A generator whose waveform is neither silent nor at its limits."""
    torch.manual_seed(0)
    network = MelganGenerator(config).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, WNConv1d | WNLengthening):
            module.weight_g.fill_(1).mul_(1 + 0.1 * torch.randn_like(module.weight_g))
            module.bias.normal_(0, 0.1)
    return network


def test_waveform_is_the_references_folded_or_not(shared: Path) -> None:
    network = MelganGenerator()
    fill = _filled(network, "melgan_netG", shared)
    assert sum(p.numel() for p in network.parameters()) == 4_266_050
    mel = (torch.from_numpy(fill.test_input("specvqgan/melgan_netG", [1, 80, 64])) + 1) / 2
    golden = np.load(shared / "goldens/specvqgan/melgan_netG.npz")["waveform"]
    with torch.inference_mode():
        assert _relative(network(mel), golden) < 1e-4
        assert _relative(FoldedMelgan.of(network)(mel), golden) < 1e-4


def test_discriminators_layers_are_the_references(shared: Path) -> None:
    network = MelganDiscriminator()
    fill = _filled(network, "melgan_netD", shared)
    assert sum(p.numel() for p in network.parameters()) == 16_924_086
    waveform = torch.from_numpy(fill.test_input("specvqgan/melgan_netD", [1, 1, 8192]))
    with torch.inference_mode():
        scales = network(waveform)
    ours = {f"scale{s}_layer{i}": t for s, ls in enumerate(scales) for i, t in enumerate(ls)}
    golden = np.load(shared / "goldens/specvqgan/melgan_netD.npz")
    names = [name for name in golden if not name.endswith("_flat_index")]
    assert len(names) == 9
    for name in names:
        values = ours[name]
        if f"{name}_flat_index" in golden:
            values = values.flatten()[golden[f"{name}_flat_index"]]
        assert _relative(values, golden[name]) < 1e-4, name
    assert [layers[-1].shape[2] for layers in scales] == [32, 16, 8]


def test_folding_changes_nothing_in_long_clips_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foleycli.models.melgan_folded._STRETCH_VALUES", 60)  # many stretches
    network = _alive(TINY)
    folded = FoldedMelgan.of(network)
    mel = torch.rand(3, 5, 31)
    waveform = network(mel)
    assert waveform.shape == (3, 1, 31 * 8)
    assert 0.05 < waveform.std() < 0.9
    torch.testing.assert_close(folded(mel), waveform, rtol=0, atol=1e-6)
    assert torch.equal(folded(mel)[1:2], folded(mel[1:2]))


def test_folding_leaves_the_generator_as_it_was() -> None:
    network = MelganGenerator(TINY)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    mel = torch.rand(1, 5, 9)
    kept = mel.clone()
    folded = FoldedMelgan.of(network)
    waveform = folded(mel)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())
    assert torch.equal(mel, kept)
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    assert torch.equal(folded(mel), waveform)


def test_shortest_mel_is_four_frames() -> None:
    network = _alive(TINY)
    folded = FoldedMelgan.of(network)
    mel = torch.rand(1, 5, 4)
    torch.testing.assert_close(folded(mel), network(mel), rtol=0, atol=1e-6)
    for vocoder in (network, folded):
        with pytest.raises(ValueError, match="a mel of 3 frames is too short; give 4 or more"):
            vocoder(mel[..., :3])


def test_weight_norm_starts_as_the_identity_of_the_weight() -> None:
    torch.manual_seed(0)
    for layer in (WNConv1d(3, 4, 5), WNLengthening(3, 4, 2)):
        assert torch.allclose(layer.folded_weight, layer.weight_v)
        norms = layer.weight_v.square().sum((1, 2)).sqrt()
        assert torch.allclose(layer.weight_g.flatten(), norms)
        assert set(dict(layer.named_parameters())) == {"bias", "weight_g", "weight_v"}


def test_odd_ratios_are_refused() -> None:
    with pytest.raises(ValueError, match="must be even"):
        MelganConfig(ratios=(3, 2))


def test_every_parameter_of_the_mini_size_learns() -> None:
    torch.manual_seed(0)
    generator = MelganGenerator(MINI_MELGAN)
    discriminator = MelganDiscriminator(MINI_MELGAN_DISCRIMINATOR)
    made = generator(torch.rand(1, 80, 32))
    assert made.shape == (1, 1, 32 * MINI_MELGAN.hop_samples) == (1, 1, 8192)
    sum(layers[-1].square().mean() for layers in discriminator(made)).backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and p.grad.any() for p in network.parameters())
    assert MelganConfig.from_dict(json.loads(json.dumps(TINY.as_dict()))) == TINY
