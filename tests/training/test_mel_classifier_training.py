"""Training Melception and VGGish-ish: the paper's settings, and files as they are published."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import Checkpoint, load_checkpoint
from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN_CODEC
from foleycli.models.melception import Melception, MelceptionConfig
from foleycli.models.sound_classifier import build_classifier
from foleycli.models.vggishish import VggishishConfig
from foleycli.published.importing import load_published
from foleycli.sound_embedding import SoundEmbedder
from foleycli.training.codebook_perceptual import load_lpaps
from foleycli.training.loop import load_state
from foleycli.training.mel_classifier import LabelledMels, MelClassifierTrainer
from foleycli.training.mel_classifier_recipe import KINDS, Kind, preset
from foleycli.training.validated import train_validated

LABELS = ("dog", "rain", "dog", "rain", "rain")


def _sounds(labels: tuple[str, ...] = LABELS) -> LabelledMels:
    rng = np.random.default_rng(0)
    mels = [
        (rng.random((80, 110)) * (0.3 + 0.4 * (label == "rain"))).astype(np.float16)
        for label in labels
    ]
    return LabelledMels(mels, np.array([int(label == "rain") for label in labels]))


def _trainer(kind: Kind = "vggishish", **changes: object) -> MelClassifierTrainer:
    recipe = preset(kind, "smoke", LABELS, **changes)  # type: ignore[arg-type]
    return MelClassifierTrainer(recipe, _sounds(), _sounds(LABELS[:3]), seed=0)


def test_the_paper_presets_are_the_papers() -> None:
    labels = [f"{n % 309:03}" for n in range(9600)]
    for kind, decay, network in (
        ("melception", 0.0, MelceptionConfig(auxiliary=False)),
        ("vggishish", 1e-3, VggishishConfig()),
    ):
        paper = preset(kind, "paper", labels)  # type: ignore[arg-type]
        assert paper.network == network
        assert (paper.weight_decay, paper.learning_rate, paper.patience) == (decay, 3e-4, 5)
        assert (paper.batch, paper.validate_every) == (48, 200)
        assert (paper.sight.frames, paper.sight.whole) == (848, False)
    config = preset("vggishish", "paper", labels, weight_decay=1e-4, patience=3)
    assert (config.weight_decay, config.patience) == (1e-4, 3)


def test_what_cannot_be_learned_is_refused() -> None:
    for labels, classes, message in (
        (["rain"], None, "need at least two classes, got: rain"),
        (LABELS, ["rain", "dog", "car"], "no training clips for: car"),
    ):
        with pytest.raises(ValueError, match=message):
            preset("melception", "smoke", labels, classes=classes)
    with pytest.raises(ValueError, match="choose one of: smoke, mini, small, paper"):
        preset("melception", "tiny", LABELS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_run_equals_a_whole_one(kind: Kind, tmp_path: Path) -> None:
    def press_ctrl_c(done: int, total: int, losses: dict[str, float]) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    train_validated(_trainer(kind), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train_validated(_trainer(kind), tmp_path / "parts", report=press_ctrl_c)
    assert load_state(tmp_path / "parts")["step"] < 6
    train_validated(_trainer(kind), tmp_path / "parts", resume=True)
    whole, parts = (load_state(tmp_path / run)["network"] for run in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_the_file_builds_the_network_that_was_validated(tmp_path: Path) -> None:
    trainer = _trainer("melception")
    model = load_checkpoint(train_validated(trainer, tmp_path), "melception")
    assert model.config["class_names"] == ["dog", "rain"]
    network = build_classifier(
        MelceptionConfig(model.config["classes"], model.config["scale"], auxiliary=False)
    ).eval()
    network.load_state_dict(model.tensors)
    means, deviations = (np.array(model.config["rows"][name]) for name in ("mean", "std"))
    window = _sounds().mels[0][:, 7 : 7 + 96]
    rows = (window - means[:, None]) / deviations[:, None]
    with torch.no_grad():
        logits, _ = network(torch.from_numpy(rows.astype(np.float32))[None, None])
    trainer.held_out = _sounds(LABELS[:1])
    trainer.network.load_state_dict(model.tensors)
    lost = -float(logits.log_softmax(1)[0, 0])
    assert trainer.validate()["loss"] == pytest.approx(lost, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_listens_to_sounds(kind: Kind, tmp_path: Path) -> None:
    trainer = _trainer(kind, steps=1)
    model = load_checkpoint(train_validated(trainer, tmp_path), kind)
    embedder = SoundEmbedder.from_checkpoint(model)
    assert (embedder.classes, embedder.view.front) == (("dog", "rain"), SPECVQGAN_CODEC)
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, 95 * 256).astype(np.float32)
    window = encode_whole(SPECVQGAN_CODEC, sound)[0]["mel"]
    assert window.shape == (80, 96)
    means, deviations = (np.array(model.config["rows"][name]) for name in ("mean", "std"))
    rows = (window - means[:, None]) / np.maximum(deviations, 1e-3)[:, None]
    trainer.network.load_state_dict(model.tensors)
    with torch.no_grad():
        wanted, _ = trainer.network.eval()(torch.from_numpy(rows.astype(np.float32))[None, None])
    np.testing.assert_allclose(embedder.embed(sound)[1], wanted[0].numpy(), rtol=1e-4, atol=1e-5)
    imported = Checkpoint(kind, {"classes": 2}, model.tensors)
    with pytest.raises(ValueError, match=f"imported {kind} has no means and deviations"):
        SoundEmbedder.from_checkpoint(imported)


def test_a_trained_vggishish_is_what_lpaps_loads(tmp_path: Path) -> None:
    model = train_validated(_trainer(steps=1), tmp_path)
    lpaps, own_rows = load_lpaps(model, "none", (np.zeros(80), np.ones(80)))
    assert own_rows
    means = load_checkpoint(model).config["rows"]["mean"]
    np.testing.assert_allclose(lpaps.scaling_layer.shift.flatten(), 2 * np.array(means) - 1)


def test_full_size_files_have_the_published_layout(tmp_path: Path) -> None:
    recipe = preset("melception", "paper", LABELS)
    trainer = MelClassifierTrainer(recipe, _sounds(), _sounds(()), seed=0)
    trainer.save_model(tmp_path / "full.safetensors", {})
    network, _ = load_published(tmp_path / "full.safetensors", "melception")
    assert isinstance(network, Melception)
    assert torch.equal(network.fc.bias, trainer.network.fc.bias)


def test_micro_batches_make_the_same_step() -> None:
    whole, parts = _trainer(batch=5), _trainer(batch=5, accumulate=2)
    scores = [trainer.train_step(0) for trainer in (whole, parts)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    pairs = zip(*(t.network.parameters() for t in (whole, parts)), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)


def test_labels_stay_with_their_sounds() -> None:
    trainer = _trainer(steps=40, patience=None, learning_rate=1e-3)
    for step in range(40):
        trainer.update(step)
    found = trainer.validate()
    assert (found["accuracy"], found["mAP"], found["mAUC"]) == (1, 1, 1)
    assert found["loss"] < 0.5
