"""Claims about the shipped generator that anyone can check in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.checkpoints import load_checkpoint
from foleycli.files.events import Event
from foleycli.generation import SoundGenerator


@pytest.fixture(scope="module")
def shipped() -> SoundGenerator:
    return SoundGenerator.from_checkpoint(load_checkpoint("foleygan", kind="foleygan"))


def _events(seed: int) -> list[Event]:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.35, 0.9, 6))
    return [Event(float(time), float(rng.uniform(0.5, 1))) for time in times if time < 2.7]


@pytest.mark.parametrize("label", ["break", "chopping", "clock", "footstep", "gunshot", "typing"])
def test_loudness_follows_the_events_and_not_another_clips(
    shipped: SoundGenerator, label: str
) -> None:
    clips = [_events(seed) for seed in range(6)]
    spec = shipped.spec
    clock = (np.arange(spec.tile_frames) + 0.5) * spec.hop_samples / spec.rate_hz
    loud, pulses = [], []
    for events in clips:
        sound = shipped.sound(events, spec.tile_seconds, label, seed=0)
        loud.append(sound.picture[0].mean(0))
        after = clock[:, None] - np.array([event.time_s for event in events])
        pulses.append((np.exp(-after / 0.15) * (after > -0.03)).max(1))

    def agreement(shift: int) -> float:
        pairs = [(loud[i], pulses[(i + shift) % 6]) for i in range(6)]
        return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))

    assert agreement(0) > 0.4
    assert agreement(0) > agreement(1) + 0.3


def test_every_class_sounds_with_and_without_events(shipped: SoundGenerator) -> None:
    for label in shipped.classes:
        waveform = shipped.sound(_events(1), 4.0, label, seed=2).waveform
        assert np.isfinite(waveform).all()
        assert 20 * np.log10(np.sqrt(np.mean(waveform**2))) > -60, label
        assert np.abs(waveform).max() < 1


def test_textures_do_not_stop_between_events(shipped: SoundGenerator) -> None:
    for label in ("rain", "waterfall"):
        waveform = shipped.sound([Event(2.0)], 6.0, label, seed=0).waveform
        level = np.sqrt((waveform[: len(waveform) // 40 * 40].reshape(40, -1) ** 2).mean(1))
        assert level.min() > 0.1 * level.mean(), label


def test_takes_differ_by_seed(shipped: SoundGenerator) -> None:
    first, second = (shipped.sound(_events(0), 3.0, "footstep", seed=s).picture for s in (0, 1))
    assert np.abs(first - second).mean() > 0.01
