"""What the discriminator of pictures sees is altered, and gradients pass."""

from __future__ import annotations

import torch

from foleycli.training.diff_augment import diff_augment


def test_augmentation_is_seeded_and_lets_gradients_pass() -> None:
    pictures = torch.rand(6, 3, 16, 16, requires_grad=True)
    first, again, other = (
        diff_augment(pictures, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    first.square().sum().backward()
    assert all(gradient.abs().sum() > 0 for gradient in pictures.grad)
    covered = (first == 0).all(1).float().mean((1, 2))
    assert ((covered > 0.05) & (covered < 0.5)).all()


def test_augmentation_moves_by_an_eighth_at_most() -> None:
    dots = torch.zeros(40, 3, 16, 24)
    dots[:, :, 8, 12] = 1
    moved = diff_augment(dots, torch.Generator().manual_seed(0), cutout=False)
    spots = (moved - moved.flatten(1).median(1).values[:, None, None, None]).sum(1).flatten(1)
    rows, columns = spots.argmax(1) // 24 - 8, spots.argmax(1) % 24 - 12
    assert set(rows.tolist()) == set(range(-2, 3))
    assert set(columns.tolist()) == set(range(-3, 4))
