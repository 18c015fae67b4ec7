"""Claims about the shipped sound-to-picture model, on recordings that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from foleycli.files.manifest import read_manifest
from foleycli.imagination.controls import factor
from foleycli.imagination.loading import load_system
from foleycli.imagination.sheets import as_pixels
from foleycli.imagination.systems import SceneSystem
from foleycli.media.chain import sound_blocks

GAINS_DB = (0.0, -6.0, -12.0, -18.0)


@pytest.fixture(scope="module")
def scenes() -> SceneSystem:
    system = load_system([])
    assert isinstance(system, SceneSystem)
    return system


@pytest.fixture(scope="module")
def sounds(shared: Path, scenes: SceneSystem) -> list[NDArray[np.float32]]:
    """Two validation sounds of every class."""
    chosen: dict[str, list[Path]] = {}
    for row in read_manifest(shared / "data/manifest.csv"):
        if row.split == "valid" and row.columns["kind"].startswith("audio"):
            chosen.setdefault(row.label, []).append(row.path)
    front = scenes.front
    return [
        np.concatenate(list(sound_blocks(path, front.rate_hz, front.chain)))[: 10 * front.rate_hz]
        for label in sorted(chosen)
        for path in chosen[label][:2]
    ]


def test_pictures_move_away_steadily_as_sounds_get_quieter(
    scenes: SceneSystem, sounds: list[NDArray[np.float32]]
) -> None:
    noise = scenes.noise(0)
    far = []
    for sound in sounds:
        heard = [scenes.hear(sound * np.float32(factor(gain)), None)[0] for gain in GAINS_DB]
        seen = [scenes.see(as_pixels(scenes.draw(latent, noise))) for latent in heard]
        far.append([np.linalg.norm(one - seen[0]) for one in seen])
    steps = np.diff(far, axis=1)
    assert len(far) >= 20
    assert (steps.mean(axis=0) > 0.02).all()
    assert (steps > -1e-3).mean() > 0.9  # benchmarks/imagination.md has the figures of all sounds


def test_seeds_differ_and_the_same_seed_does_not(
    scenes: SceneSystem, sounds: list[NDArray[np.float32]]
) -> None:
    (latent,) = scenes.hear(sounds[0], None)
    first, again, other = (scenes.draw(latent, scenes.noise(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01
