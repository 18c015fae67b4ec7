"""GAN inversion: a drawn picture is found again, and what is kept is known by its making."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foleycli.imagination.inversion import Inversion, InversionConfig, inversion_key, invert
from foleycli.imagination.sheets import as_pixels
from foleycli.imagination.systems import SceneSystem
from tests.imagination.conftest import thuds

QUICK = InversionConfig(steps=60, draws=4)


@pytest.fixture(scope="module")
def drawn(scene: SceneSystem) -> np.ndarray:
    return scene.draw(scene.hear(thuds(16_000, 2), None)[0], scene.noise(1234))


def test_a_drawn_picture_is_found_again(scene: SceneSystem, drawn: np.ndarray) -> None:
    steps: list[tuple[int, int]] = []
    photo = as_pixels(drawn)
    found = invert(scene, photo, QUICK, 0, {}, lambda *step: steps.append(step))
    assert steps == [(k, 64) for k in range(1, 65)]
    assert found.loss < 0.5 * found.losses[0]
    assert np.linalg.norm(found.feature) == pytest.approx(1, abs=1e-5)
    start = invert(scene, photo, replace(QUICK, steps=0), 0, {})
    np.testing.assert_array_equal(start.feature, scene.see(photo))

    def error(inversion: Inversion) -> float:
        import torch

        picture = scene.draw(inversion.feature, torch.from_numpy(inversion.z)[None])
        return float(np.mean((picture - drawn) ** 2))

    assert error(found) < 0.6 * error(start)


def test_it_starts_from_the_best_of_the_draws(scene: SceneSystem, drawn: np.ndarray) -> None:
    starts = [
        invert(scene, as_pixels(drawn), InversionConfig(steps=0, draws=draws), 0, {}).loss
        for draws in range(1, 9)
    ]
    assert starts == sorted(starts, reverse=True)
    assert starts[-1] < starts[0]


def test_the_same_seed_finds_the_same_and_another_starts_elsewhere(
    scene: SceneSystem, drawn: np.ndarray
) -> None:
    config = replace(QUICK, steps=3)
    photo = as_pixels(drawn)
    first, second, other = (invert(scene, photo, config, seed, {}) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.z, second.z)
    np.testing.assert_array_equal(first.losses, second.losses)
    assert np.abs(first.z - other.z).max() > 0.1


def test_what_is_kept_comes_back_with_what_decided_it(
    scene: SceneSystem, drawn: np.ndarray, tmp_path: Path
) -> None:
    config = replace(QUICK, steps=1)
    key = inversion_key(scene, "ab" * 32, config, 7)
    found = invert(scene, as_pixels(drawn), config, 7, key)
    found.save(tmp_path / "photo.npz")
    kept = Inversion.load(tmp_path / "photo.npz")
    assert kept.key == key
    np.testing.assert_array_equal(kept.z, found.z)
    np.testing.assert_array_equal(kept.feature, found.feature)
    for other in (
        inversion_key(scene, "cd" * 32, config, 7),
        inversion_key(scene, "ab" * 32, QUICK, 7),
        inversion_key(scene, "ab" * 32, config, 8),
    ):
        assert other != key
    np.savez(tmp_path / "plain.npz", z=found.z)
    with pytest.raises(ValueError, match="not written by foley"):
        Inversion.load(tmp_path / "plain.npz")
