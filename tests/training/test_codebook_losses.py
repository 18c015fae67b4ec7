"""The codebook's losses: equation 3's terms, when the discriminator starts, both weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.training.codebook_losses import (
    PAPER_CODEBOOK_LOSS,
    VAS_CODEBOOK_LOSS,
    CodebookLossConfig,
    codebook_discriminator_loss,
    codebook_generator_loss,
    gradient_ratio,
)


def _drawn() -> tuple[Tensor, Tensor, Tensor, nn.Conv2d]:
    """A mel, a decoded one with a gradient, logits of it, and the layer that drew it."""
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 1, 3, padding=1)
    drawn = layer(torch.randn(2, 3, 8, 12))
    logits = F.conv2d(drawn, torch.randn(1, 1, 4, 4), stride=2)
    return torch.rand(2, 1, 8, 12) * 2 - 1, drawn, logits, layer


def test_terms_are_summed_with_their_factors() -> None:
    mel, drawn, logits, _ = _drawn()
    perceptual = torch.tensor([0.2, 0.4]).view(2, 1, 1, 1)
    quantiser = torch.tensor(0.7)
    config = CodebookLossConfig(perceptual=3, quantiser=2, adversarial=0.5)
    loss = codebook_generator_loss(
        config, mel, drawn, quantiser, perceptual=perceptual, logits=logits
    )
    wanted = (mel - drawn).abs().mean() + 3 * 0.3 + 2 * 0.7 - 0.5 * logits.mean()
    torch.testing.assert_close(loss.total, wanted)
    assert loss.adversarial_weight == 0.5
    torch.testing.assert_close(loss.perceptual, torch.tensor(0.3))


def test_published_weight_is_the_papers_constant() -> None:
    mel, drawn, logits, layer = _drawn()
    for scale in (1.0, 1e-3):
        loss = codebook_generator_loss(
            PAPER_CODEBOOK_LOSS, mel, drawn, torch.tensor(0.0), logits=scale * logits,
            last_layer=layer.weight,
        )  # fmt: skip
        assert loss.adversarial_weight == pytest.approx(0.8)


def test_no_discriminator_before_its_step() -> None:
    assert not PAPER_CODEBOOK_LOSS.adversarial_at(30_000)
    assert PAPER_CODEBOOK_LOSS.adversarial_at(30_001)
    assert not VAS_CODEBOOK_LOSS.adversarial_at(2_000)
    assert VAS_CODEBOOK_LOSS.adversarial_at(2_001)
    mel, drawn, _, _ = _drawn()
    loss = codebook_generator_loss(PAPER_CODEBOOK_LOSS, mel, drawn, torch.tensor(0.0))
    assert loss.adversarial_weight == 0
    torch.testing.assert_close(loss.total, loss.reconstruction)


def test_adaptive_weight_makes_the_gradients_lengths_a_fixed_ratio() -> None:
    mel, drawn, logits, layer = _drawn()
    config = CodebookLossConfig(adversarial=0.5, adaptive=True)
    loss = codebook_generator_loss(
        config, mel, drawn, torch.tensor(0.0), logits=logits, last_layer=layer.weight
    )
    lengths = [
        torch.autograd.grad(term, layer.weight, retain_graph=True)[0].norm()
        for term in (loss.reconstruction, loss.adversarial_weight * loss.adversarial)
    ]
    torch.testing.assert_close(0.5 * lengths[0], lengths[1], rtol=1e-2, atol=0)
    loss.total.backward()
    assert layer.weight.grad.isfinite().all()
    with pytest.raises(ValueError, match="give last_layer"):
        codebook_generator_loss(config, mel, drawn, torch.tensor(0.0), logits=logits)


def test_ratio_is_bounded_and_without_gradient() -> None:
    weight = torch.ones(2, requires_grad=True)
    ratio = gradient_ratio(1e9 * weight.sum(), 0 * weight.sum(), weight)
    assert ratio == pytest.approx(1e4)
    assert not ratio.requires_grad


def test_discriminators_hinge_is_halved_and_ends_at_the_margin() -> None:
    real = torch.tensor([2.0, 0.0]).view(2, 1, 1, 1)
    fake = torch.tensor([-3.0, 1.0]).view(2, 1, 1, 1)
    assert codebook_discriminator_loss(real, fake) == pytest.approx(0.5 * (0.5 + 1.0))
    assert codebook_discriminator_loss(real + 1, fake - 2) == 0
