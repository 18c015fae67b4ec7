"""The classifier recipe: exact resumption, honest windows, and that it learns to tell sounds."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from foleycli.checkpoints import load_checkpoint
from foleycli.dsp.front_ends.table import front_end
from foleycli.media.audio import read_audio, write_audio
from foleycli.models.resnet import RESNET50
from foleycli.sound_embedding import KIND, SoundEmbedder, View
from foleycli.training.classifier import Trainer, accuracy, row_statistics
from foleycli.training.classifier_recipe import PRESETS, ClassifierRecipe, preset
from foleycli.training.data import Example, read_examples
from foleycli.training.loop import load_state, train
from foleycli.training.windows import (
    Labelled,
    altered,
    cut_window,
    load_labelled,
    masked,
    mixed,
    sum_of_powers,
    to_view,
)

CLASSES = ("hiss", "hum")
VIEW = View(front_end("log-mel-mini"), 256)


def _sounds(frames: int = 300) -> list[Labelled]:
    """Two sounds a class: energy in the upper bands, or in the lower."""
    rng = np.random.default_rng(0)
    found = []
    for label in (0, 1, 0, 1):
        picture = np.full((64, frames), -1.0)
        rows = slice(40, 60) if label == 0 else slice(4, 24)
        picture[rows] = rng.uniform(-0.2, 0.4, (20, frames))
        found.append(Labelled(picture.astype(np.float16), label))
    return found


def _recipe(**changes: object) -> ClassifierRecipe:
    return preset("small", CLASSES, smoke=True, **changes)


def _trainer(seed: int = 0, **changes: object) -> Trainer:
    return Trainer(_recipe(**changes), _sounds(), seed)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    state = load_state(folder)
    return {**state["network"], **{f"average.{n}": t for n, t in state["average"].items()}}


def _losses(folder: Path) -> list[float]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_resumed_run_equals_uninterrupted_one(tmp_path: Path) -> None:
    def stop(done: int, total: int, scores: dict[str, float]) -> None:
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    train(_trainer(steps=5), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train(_trainer(steps=5), tmp_path / "parts", report=stop)
    assert load_state(tmp_path / "parts")["step"] in (2, 3)
    train(_trainer(steps=5), tmp_path / "parts", resume=True)
    whole, parts = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    losses = _losses(tmp_path / "whole")
    assert losses == _losses(tmp_path / "parts")
    assert len(losses) == 5


def test_resume_refuses_other_settings(tmp_path: Path) -> None:
    train(_trainer(steps=1), tmp_path)
    with pytest.raises(ValueError, match=r"cannot resume: mix was 0\.5"):
        train(_trainer(steps=1, mix=0.0), tmp_path, resume=True)
    with pytest.raises(ValueError, match="cannot resume: seed was 0, now 5"):
        train(_trainer(seed=5, steps=1), tmp_path, resume=True)
    with pytest.raises(ValueError, match="cannot resume: steps was 1, now 2"):
        train(_trainer(steps=2), tmp_path, resume=True)  # the learning rate would have differed


def test_a_constant_learning_rate_may_go_on_for_longer(tmp_path: Path) -> None:
    train(_trainer(steps=1, one_cycle=False), tmp_path)
    train(_trainer(steps=2, one_cycle=False), tmp_path, resume=True)
    assert load_state(tmp_path)["step"] == 2


def test_batches_hold_all_classes_equally_often() -> None:
    trainer = _trainer(augment=False)
    sounds = _sounds()
    trainer.by_class = [sounds[:1], sounds[1:2] * 30]
    targets = np.concatenate([trainer.batch(step)[1] for step in range(4)])
    assert targets.sum(0).tolist() == [16, 16]
    first, again = trainer.batch(3), trainer.batch(3)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(first[0], trainer.batch(2)[0])


def test_mixed_windows_have_mixed_targets() -> None:
    windows, targets = _trainer(mix=1.0, batch=32).batch(0)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert ((targets > 0).sum(1) == 2).any()
    assert np.abs(windows).max() <= 1


def test_learning_rate_rises_and_falls() -> None:
    trainer = _trainer(steps=100)
    rates = [trainer._rate(step) for step in range(100)]
    assert np.argmax(rates) == 9
    assert max(rates) == pytest.approx(1)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert {_trainer(steps=100, one_cycle=False)._rate(step) for step in (0, 50, 99)} == {1.0}


def test_row_statistics_are_means_over_sounds() -> None:
    loud = Labelled(np.full((64, 10), 0.5, np.float16), 0)
    quiet = Labelled(np.full((64, 1000), -0.5, np.float16), 1)
    mean, std = row_statistics([loud, quiet])
    np.testing.assert_allclose(mean, 0, atol=1e-6)
    assert (std > 0).all()


def test_windows_are_cut_anywhere_and_short_sounds_put_anywhere() -> None:
    long = Labelled(np.tile(np.linspace(-1, 1, 400, dtype=np.float16), (64, 1)), 0)
    starts = {float(cut_window(long, VIEW, np.random.default_rng(s))[0, 0]) for s in range(20)}
    assert len(starts) > 10
    short = Labelled(np.zeros((64, 5), np.float16), 0)
    floor, ceiling = VIEW.range_db
    for seed in range(10):
        window = cut_window(short, VIEW, np.random.default_rng(seed))
        assert window.shape == (64, 256)
        assert ((window == floor).mean(), window.max()) == (251 / 256, (floor + ceiling) / 2)
    np.testing.assert_allclose(to_view(window, VIEW).max(), 0, atol=1e-6)


def test_digital_silence_stays_silent_unless_there_is_hiss() -> None:
    floor, _ = VIEW.range_db
    silence = np.full((64, 256), floor, np.float32)
    hits = [altered(silence, VIEW, np.random.default_rng(s)).max() > floor for s in range(40)]
    assert 2 <= sum(hits) <= 25
    sound = silence.copy()
    sound[20:30] = -20
    assert (mixed(sound, silence, 0.6, VIEW)[:20] <= floor + 3.02).all()


def test_powers_add() -> None:
    assert sum_of_powers(np.array([-20.0]), np.array([-20.0]))[0] == pytest.approx(-16.99, abs=0.01)
    sound = np.full((64, 256), -30.0, np.float32)
    other = np.full((64, 256), -60.0, np.float32)
    assert mixed(sound, other, 0.5, VIEW)[0, 0] == pytest.approx(-26.99, abs=0.01)


def test_masks_cover_parts_only() -> None:
    levels = np.random.default_rng(0).uniform(-80, 0, (64, 256)).astype(np.float32)
    covered = np.mean(
        [(masked(levels, np.random.default_rng(s)) == levels.mean()).mean() for s in range(20)]
    )
    assert 0.05 < covered < 0.5


@pytest.mark.parametrize("arch", PRESETS)
def test_every_architecture_trains_saves_and_loads(arch: str, tmp_path: Path) -> None:
    recipe = preset(arch, CLASSES, smoke=True, steps=1, batch=2)
    rows = recipe.view.bands
    sounds = [Labelled(np.full((rows, 30), 0.5, np.float16), label) for label in (0, 1)]
    model = train(Trainer(recipe, sounds, 0), tmp_path)
    embedder = SoundEmbedder.from_checkpoint(load_checkpoint(model))
    embedding, logits = embedder.embed(np.zeros(1000, np.float32))
    assert embedding.shape == (embedder.features,)
    assert logits.shape == (2,)


def test_presets_are_the_papers() -> None:
    judge = preset("resnet50", [str(n) for n in range(12)])
    assert judge.network.resnet == replace(RESNET50, classes=12)
    melception = PRESETS["melception"]
    assert (melception.batch, melception.learning_rate, melception.weight_decay) == (48, 3e-4, 0)
    assert (melception.view.bands, melception.window_frames) == (80, 848)
    assert PRESETS["vggishish"].weight_decay == 1e-3


def test_wrong_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="small, resnet50, melception, vggishish"):
        preset("huge", CLASSES)
    with pytest.raises(ValueError, match="need at least two classes, got: rain"):
        preset("small", ["rain"])
    with pytest.raises(ValueError, match="no training clips for: hum"):
        load_labelled([Example(Path("a.wav"), "hiss")], CLASSES, VIEW)


def _noise(label: str, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of one of the classes at 22.05 kHz: rising with frequency, or falling."""
    noise = rng.standard_normal(samples)
    sound = np.diff(noise) if label == "hiss" else scipy.signal.lfilter([1], [1, -0.98], noise)
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of noises with a split for training and one for validation."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        for label in CLASSES:
            (folder / split / label).mkdir(parents=True)
            for i in range(2):
                sound = _noise(label, 15_000, rng)
                write_audio(folder / split / label / f"{i}.wav", sound, 22_050)
    return folder


def test_it_learns_to_tell_sounds_and_the_model_file_knows(data: Path, tmp_path: Path) -> None:
    sounds = load_labelled(read_examples(data), CLASSES, VIEW)
    recipe = _recipe(steps=30, batch=16, augment=False)
    model = train(Trainer(recipe, sounds, 0), tmp_path)
    losses = _losses(tmp_path)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1
    embedder = SoundEmbedder.from_checkpoint(load_checkpoint(model, kind=KIND))
    assert (embedder.classes, embedder.view.window_frames) == (CLASSES, 256)
    for seed in range(3):
        for label in CLASSES:
            _, logits = embedder.embed(_noise(label, 40_000, np.random.default_rng(seed)))
            assert embedder.classes[int(logits.argmax())] == label


def test_clips_are_read_without_what_the_front_end_fills_up(data: Path) -> None:
    examples = read_examples(data)
    sounds = load_labelled(examples, CLASSES, VIEW)
    assert [s.label for s in sounds] == [0, 0, 1, 1]
    assert {s.spectrogram.shape for s in sounds} == {(64, 59)}
    with pytest.raises(ValueError, match=r"nothing\.wav"):
        load_labelled([Example(data / "nothing.wav", "hum")], ["hum"], VIEW)


def test_accuracy_counts_clips_and_classes(tmp_path: Path, data: Path) -> None:
    model = train(_trainer(steps=1), tmp_path)
    embedder = SoundEmbedder.from_checkpoint(load_checkpoint(model))
    examples = read_examples(data)
    answers = [
        embedder.classes[int(embedder.embed(read_audio(e.path, rate_hz=22_050)[0])[1].argmax())]
        for e in examples[1:]
    ]
    right = [a == e.label for a, e in zip(answers, examples[1:], strict=True)]
    (tmp_path / "noise.wav").write_bytes(b"no sound")
    damaged = Example(tmp_path / "noise.wav", "hum")
    scores, unread = accuracy(embedder, [*examples[1:], damaged])
    assert scores == {
        "clips": 3,
        "accuracy": sum(right) / 3,
        "macro_accuracy": (right[0] + sum(right[1:]) / 2) / 2,
    }
    assert list(unread) == [str(damaged.path)]
    assert accuracy(embedder, [damaged])[0] == {}
