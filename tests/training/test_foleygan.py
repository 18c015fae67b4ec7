"""FoleyGAN's recipe: exact resumption, paired conditions, the paper's settings."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint
from foleycli.generation import SoundGenerator
from foleycli.models.biggan import Discriminator, Generator
from foleycli.training.foleygan import Trainer
from foleycli.training.foleygan_recipe import PRESETS, preset
from foleycli.training.loop import load_state, train
from foleycli.training.tiles import Recording, cut_tile

CLASSES = ("break", "rain")


def _recordings(rate_hz: int) -> list[Recording]:
    rng = np.random.default_rng(0)
    time = np.arange(int(0.3 * rate_hz)) / rate_hz
    hit = (0.5 * rng.standard_normal(len(time)) * np.exp(-20 * time)).astype(np.float32)
    rain = (0.1 * rng.standard_normal(4 * rate_hz)).astype(np.float32)
    nothing = (np.zeros(0), np.zeros(0))
    return [Recording(hit, 0, (np.array([0.0]), np.array([1.0]))), Recording(rain, 1, nothing)]


def _trainer(seed: int = 0, **changes: object) -> Trainer:
    recipe = preset("smoke", CLASSES, **changes)
    return Trainer(recipe, _recordings(recipe.spec.rate_hz), seed)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    state = load_state(folder)
    return {**state["generator"], **{f"d.{n}": t for n, t in state["discriminator"].items()}}


def test_resumed_run_equals_uninterrupted_one(tmp_path: Path) -> None:
    train(_trainer(steps=4), tmp_path / "whole")
    train(_trainer(steps=2), tmp_path / "parts")
    train(_trainer(steps=4), tmp_path / "parts", resume=True)
    whole, parts = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    first, second = (load_checkpoint(tmp_path / run) for run in ("whole", "parts"))
    assert all(torch.equal(first.tensors[n], second.tensors[n]) for n in first.tensors)


def test_interrupt_saves_the_finished_step_and_resumes(tmp_path: Path) -> None:
    def press_ctrl_c(done: int, total: int, losses: dict[str, float]) -> None:
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train(_trainer(steps=4), tmp_path, report=press_ctrl_c)
    assert load_state(tmp_path)["step"] in (2, 3)
    train(_trainer(steps=4), tmp_path, resume=True)
    assert load_state(tmp_path)["step"] == 4


def test_resume_refuses_other_settings_and_empty_folders(tmp_path: Path) -> None:
    train(_trainer(steps=1), tmp_path)
    with pytest.raises(ValueError, match="cannot resume: envelope was 10"):
        train(_trainer(steps=2, envelope=1.0), tmp_path, resume=True)
    with pytest.raises(ValueError, match="cannot resume: seed was 0, now 5"):
        train(_trainer(seed=5, steps=2), tmp_path, resume=True)
    with pytest.raises(ValueError, match="nothing to resume"):
        train(_trainer(steps=2), tmp_path / "new", resume=True)


def test_damaged_state_is_refused_without_running_it(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(ValueError, match="damaged or not a foley training state"):
        load_state(tmp_path)


def test_every_update_moves_the_network_it_is_for() -> None:
    trainer = _trainer(steps=1)
    before = {n: p.clone() for n, p in trainer.generator.named_parameters()}
    judge = {n: p.clone() for n, p in trainer.discriminator.named_parameters()}
    losses = trainer.train_step(0)
    assert set(losses) == {"d_loss", "g_loss", "envelope"}
    assert all(np.isfinite(list(losses.values())))
    moved = [n for n, p in trainer.generator.named_parameters() if not torch.equal(p, before[n])]
    assert any("conv_action" in n for n in moved)  # the action reaches the generator's loss
    assert any("action_encoder" in n for n in moved)
    assert any(not torch.equal(p, judge[n]) for n, p in trainer.discriminator.named_parameters())


def test_accumulated_micro_batches_make_one_step() -> None:
    trainer = _trainer(steps=1, accumulate=2)
    assert np.isfinite(trainer.train_step(0)["d_loss"])
    assert trainer.g_optimizer.state_dict()["state"][0]["step"] == 1


def test_trained_checkpoint_is_what_generation_loads(tmp_path: Path) -> None:
    model = train(_trainer(steps=1), tmp_path)
    generator = SoundGenerator.from_checkpoint(load_checkpoint(model, kind="foleygan"))
    assert generator.classes == CLASSES
    assert len(generator.sound([], 0.5, "rain", seed=0).waveform) == round(
        0.5 * generator.spec.rate_hz
    )


def test_classes_without_sound_are_named() -> None:
    recipe = preset("smoke", ("break", "rain", "thunder"))
    with pytest.raises(ValueError, match="no training clips with sound for: thunder"):
        Trainer(recipe, _recordings(recipe.spec.rate_hz), 0)


def test_tiles_pair_sound_with_its_own_events() -> None:
    spec = PRESETS["mini"].spec
    hit = _recordings(spec.rate_hz)[0]
    tiles = [cut_tile(hit, spec, np.random.default_rng(seed)) for seed in range(24)]
    loudness = np.stack([t.picture[0].mean(0) for t in tiles])
    series = np.stack([t.s_act[2, 0] for t in tiles])

    def agreement(shift: int) -> float:
        pairs = zip(loudness, np.roll(series, shift, 0), strict=True)
        return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))

    assert agreement(0) > agreement(1) + 0.25


@pytest.mark.parametrize("name", PRESETS)
def test_networks_of_a_preset_fit_its_front_end(name: str) -> None:
    recipe = PRESETS[name]
    drawn, spec = recipe.generator, recipe.spec
    assert (drawn.height, drawn.width) == (spec.bins, spec.tile_frames)
    assert drawn.out_channels == recipe.discriminator.in_channels == spec.channels
    halvings = len(recipe.discriminator.widths) - 1
    assert spec.bins % 2**halvings == spec.tile_frames % 2**halvings == 0


def test_paper_preset_is_the_papers() -> None:
    paper = PRESETS["paper"]
    assert (paper.generator.height, paper.generator.width, paper.generator.z_width) == (
        512,
        512,
        160,
    )
    assert paper.batch * paper.accumulate == 2048
    assert (paper.g_rate, paper.d_rate, paper.steps) == (5e-5, 2e-4, 12_000)


@pytest.mark.slow
def test_paper_size_networks_pass_gradients_both_ways() -> None:
    paper = PRESETS["paper"]
    generator, discriminator = Generator(paper.generator), Discriminator(paper.discriminator)
    generator.to(memory_format=torch.channels_last)
    discriminator.to(memory_format=torch.channels_last)
    s_act = torch.zeros(1, 3, 512, 512)
    labels = torch.tensor([11])
    picture = generator(torch.randn(1, 160), labels, s_act)
    assert picture.shape == (1, 3, 512, 512)
    discriminator(picture, labels, s_act).sum().backward()
    missing = [n for n, p in generator.named_parameters() if p.grad is None]
    assert missing == []


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(ValueError, match="smoke, mini, small, paper"):
        preset("huge", CLASSES)
