"""Sound-to-Imagination's stages: exact resumption, its losses, and that it draws what it hears."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint
from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig
from foleycli.models.dense_generator import DenseGenerator, DenseGeneratorConfig
from foleycli.training.imagination_figures import s2i_figures
from foleycli.training.loop import load_state
from foleycli.training.s2i import S2ICourse, TranslatorStage
from foleycli.training.s2i_recipe import PRESETS, S2IRecipe, TranslatorRecipe, preset
from foleycli.training.sound_pictures import SoundPictures
from foleycli.training.stages import train_stages

LABELS = ("dog", "rain", "train")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def easy_pairs(each: int = 6) -> SoundPictures:
    """Every class has a colour and a band of frequencies."""
    rng = np.random.default_rng(0)
    sounds, pictures, label = [], [], np.repeat(np.arange(3), each)
    for kind in label:
        segment = rng.integers(0, 30, (128, 100))
        segment[20 + 35 * kind : 40 + 35 * kind] += 200
        sounds.append(segment.astype(np.uint8))
        picture = rng.integers(0, 40, (48, 48, 3))
        picture[..., kind] += 200
        pictures.append(picture.astype(np.uint8))
    return SoundPictures(LABELS, np.arange(3), sounds, label, np.stack(pictures), label, label)


def _course(seed: int = 0, recipe: S2IRecipe | None = None) -> S2ICourse:
    recipe = replace(recipe or preset("smoke"), classes=LABELS, save_every=3)
    return S2ICourse(recipe, easy_pairs(), seed)


def _translator(**changes: object) -> TranslatorStage:
    recipe = preset("smoke", **changes)
    embeddings = torch.rand(1, 18, recipe.sounds.embedding) * 2 - 1
    return TranslatorStage(recipe, easy_pairs(), embeddings, 0)


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    state = load_state(folder)
    found = {
        f"{part}.{n}": t
        for part in ("generator", "judge")
        for n, t in state["current"][part].items()
    }
    momenta = state["current"]["g_optimizer"]["state"]
    return {**found, **state["results"]["autoencoder"], "last": momenta[0]["momentum_buffer"]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train_stages(_course(), folder)
    return folder


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_resumed_run_equals_uninterrupted_one(stop: int, tmp_path: Path, whole: Path) -> None:
    def press_ctrl_c(done: int, total: int, losses: dict[str, float]) -> None:
        if done == stop:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train_stages(_course(), tmp_path, report=press_ctrl_c)
    train_stages(_course(), tmp_path, resume=True)
    parts, expected = _tensors(tmp_path), _tensors(whole)
    assert parts.keys() == expected.keys()
    assert all(torch.equal(parts[name], expected[name]) for name in expected)
    assert load_state(tmp_path)["current"]["history"] == load_state(whole)["current"]["history"]
    one, other = (load_checkpoint(place).tensors for place in (whole, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)
    logs = [
        [{**json.loads(line), "seconds": 0} for line in (p / "log.jsonl").read_text().splitlines()]
        for p in (whole, tmp_path)
    ]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 8


def test_resume_refuses_other_settings(whole: Path) -> None:
    with pytest.raises(ValueError, match="cannot resume: translator was "):
        train_stages(_course(recipe=preset("smoke", averaged=2)), whole, resume=True)
    with pytest.raises(ValueError, match="cannot resume: seed was 0, now 5"):
        train_stages(_course(5), whole, resume=True)


def test_the_model_file_holds_encoder_and_generator_alone(whole: Path) -> None:
    model = load_checkpoint(whole, kind="s2i")
    assert model.config["classes"] == list(LABELS)
    assert model.config["front_end"]["name"] == "s2i"
    network = AudioAutoencoder(AutoencoderConfig(**model.config["autoencoder"]))
    missing, unexpected = network.load_state_dict(model.part("autoencoder"), strict=False)
    assert unexpected == []
    assert all(name.startswith("convT") for name in missing)
    generator = DenseGenerator(DenseGeneratorConfig(**model.config["generator"])).eval()
    generator.load_state_dict(model.part("generator"))
    with torch.no_grad():
        picture = generator(network.eval().encode(torch.zeros(1, 1, 128, 100)))
    assert picture.shape == (1, 3, 48, 48)
    assert not any(name.startswith("judge") for name in model.tensors)


def test_the_generators_step_leaves_the_discriminator_alone() -> None:
    stage = _translator()
    stage.train_step(0)
    embeddings, real = stage.batch(1)
    stage.judge.train()
    before = {n: t.clone() for n, t in stage.judge.state_dict().items()}
    own = {n: t.clone() for n, t in stage.generator.named_parameters()}
    made = stage.generator(embeddings, stage.generator.draw(len(real)))
    stage._generator_step(real, made, embeddings, 1)
    assert all(torch.equal(t, before[n]) for n, t in stage.judge.state_dict().items())
    moved = [n for n, t in stage.generator.named_parameters() if not torch.equal(t, own[n])]
    assert len(moved) == len(own) or all(n.endswith("bias") for n in own.keys() - set(moved))
    assert all(parameter.requires_grad for parameter in stage.judge.parameters())


def test_the_discriminators_step_sees_real_and_made_in_one_batch() -> None:
    stage = _translator()
    embeddings, real = stage.batch(0)
    seen = []
    stage.judge.register_forward_pre_hook(
        lambda judge, given: seen.append((len(given[0]), judge.training))
    )
    made = stage.generator(embeddings, stage.generator.draw(len(real))).detach()
    own = {n: t.clone() for n, t in stage.generator.state_dict().items()}
    before = {n: t.clone() for n, t in stage.judge.named_parameters()}
    stage._judge_step(real, made, embeddings, 0)
    assert seen == [(2 * len(real), True)]
    assert all(
        not torch.equal(t, before[n])
        for n, t in stage.judge.named_parameters()
        if n.startswith("conv") and "_bn" not in n
    )
    assert all(torch.equal(t, own[n]) for n, t in stage.generator.state_dict().items())


def test_a_common_push_on_the_scores_reaches_the_generator() -> None:
    """In training mode the discriminator's last batch norm would take it away."""
    stage = _translator()
    for step in range(3):
        stage.train_step(step)
    embeddings, real = stage.batch(3)
    stage.options = replace(stage.options, adversarial=1.0, averaged=1)
    made = stage.generator(embeddings, stage.generator.draw(len(real)))
    made = made.detach().requires_grad_()
    stage._generator_step(made.detach(), made, embeddings, 3)  # no squared error
    assert made.grad.abs().max() > 1e-4


def test_the_moving_average_divides_the_gradient() -> None:
    gradients = {}
    for averaged in (1, 4):
        stage = _translator(averaged=averaged)
        embeddings, _ = stage.batch(0)
        made = torch.zeros(8, 3, 48, 48, requires_grad=True)
        scores = stage._generator_step(made.detach(), made, embeddings, 0)
        gradients[averaged] = made.grad.clone()
        assert scores["adversarial_weight"] == pytest.approx(0.1 / averaged)
        assert scores["averaged"] == pytest.approx(scores["adversarial"])
    torch.testing.assert_close(gradients[1], 4 * gradients[4])


def test_the_moving_average_is_over_epochs() -> None:
    stage = _translator(averaged=3)
    assert stage.epoch_steps == 2  # 18 sounds in batches of 8
    scores = [stage.train_step(step) for step in range(8)]
    now = [score["adversarial"] for score in scores]
    epochs = [(now[2 * i] + now[2 * i + 1]) / 2 for i in range(4)]
    assert scores[3]["averaged"] == pytest.approx((2 * now[3] + epochs[0]) / 3, rel=1e-5)
    assert scores[7]["averaged"] == pytest.approx((now[7] + epochs[2] + epochs[1]) / 3, rel=1e-5)
    assert stage.history["means"] == pytest.approx(epochs[2:])


def test_the_discriminator_learns_every_few_steps_or_epochs() -> None:
    by_step = _translator(d_every=3)
    assert [by_step.judge_is_due(step) for step in range(7)] == [True, False, False] * 2 + [True]
    assert "d_loss" in by_step.train_step(0)
    assert "d_loss" not in by_step.train_step(1)
    by_epoch = _translator(d_every=2, d_every_unit="epoch")
    due = [by_epoch.judge_is_due(step) for step in range(8)]
    assert due == [True, True, False, False] * 2


def test_batches_are_even_and_seeded() -> None:
    stage = _translator(batch=18)
    embeddings, real = stage.batch(2)
    colours = real.mean((2, 3)).argmax(1)
    assert colours.bincount().tolist() == [6, 6, 6]
    owner = (embeddings[:, None] - stage.embeddings[0]).abs().sum(2).argmin(1) // 6
    assert torch.equal(owner, colours)
    again = stage.batch(2)
    assert torch.equal(again[0], embeddings)
    assert not torch.equal(stage.batch(3)[0], embeddings)


def test_the_autoencoder_learns_and_pictures_belong_to_their_sounds(tmp_path: Path) -> None:
    recipe = preset("smoke", steps=[80, 100], batch=18, averaged=1)
    recipe = replace(recipe, autoencoder=replace(recipe.autoencoder, labels=0.1))
    course = S2ICourse(replace(recipe, classes=LABELS), easy_pairs(), 0)
    model = train_stages(course, tmp_path)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    heard, drawn = log[:80], log[80:]
    assert np.mean([r["mse"] for r in heard[-5:]]) < 0.4 * heard[0]["mse"]
    assert heard[-1]["cross_entropy"] < 0.8 * heard[0]["cross_entropy"]
    assert np.mean([r["mse"] for r in drawn[-5:]]) < 0.5 * drawn[0]["mse"]
    figures = s2i_figures(load_checkpoint(model), easy_pairs())
    assert figures["mse"] < 0.5 * figures["mse_shuffled"]


def test_presets_are_the_papers() -> None:
    paper = PRESETS["paper"]
    assert (paper.sounds.embedding, paper.pictures.pixels, paper.judge.scale) == (512, 96, 1)
    hears, draws = paper.autoencoder, paper.translator
    assert (hears.learning_rate, hears.momentum, hears.batch) == (0.05, 0.9, 64)
    assert (hears.labels, hears.augment, draws.copies) == (0, False, 0)
    assert (draws.learning_rate, draws.momentum, draws.batch) == (0.1, 0.5, 64)
    assert (draws.adversarial, draws.d_every, draws.d_every_unit) == (0.1, 5, "step")
    for recipe in PRESETS.values():
        assert recipe.sounds.embedding == recipe.pictures.embedding == recipe.judge.embedding


def test_wrong_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="smoke, mini, paper"):
        preset("huge")
    with pytest.raises(ValueError, match="give 2 numbers, for the stages autoencoder, translator"):
        preset("mini", steps=[1])
    with pytest.raises(ValueError, match="choose step or epoch"):
        TranslatorRecipe(1, d_every_unit="hour")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="both must be 1 or more"):
        TranslatorRecipe(1, averaged=0)
