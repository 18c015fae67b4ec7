"""The recognition recipe: pictures found, clips filmed, a bar set, and a whole tiny training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint
from foleycli.models.resnet import ResNetConfig
from foleycli.training.backbone import BackboneRecipe
from foleycli.training.pictures import load_stills, moving_clip, random_boxes, read_pictures
from foleycli.training.recognition import RecognitionRecipe, read_teacher, train_recognition
from foleycli.training.relations import RelationRecipe, best_temperature, sure_bar
from foleycli.vision.backbone import BackboneConfig
from foleycli.vision.recognition import Recogniser

TINY = RecognitionRecipe(
    backbone=BackboneConfig(ResNetConfig("basic", (1, 1, 1, 1), 8, classes=0), input_size=32),
    training=BackboneRecipe(steps=30, batch=16, views=1, learning_rate=5e-3),
    relations=RelationRecipe(hidden=16, steps=30, batch=16),
    films=1,
)
COLOURS = {"blue": (200, 40, 40), "green": (40, 200, 40), "other": (128, 128, 128)}


def _clip(path: Path, colour: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(12):
        noise = rng.integers(-30, 30, (48, 64, 3))
        writer.write(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))
    writer.release()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for label, colour in COLOURS.items():
        (folder / label).mkdir()
        for i in range(6):
            _clip(folder / label / f"{i}.avi", colour, seed=i)
        still = np.full((40, 60, 3), colour, np.uint8)
        for i in range(5):
            cv2.imwrite(str(folder / label / f"still{i}.png"), still)
    return folder


def test_pictures_of_class_folders_are_split_by_themselves(data: Path):
    pictures = read_pictures([data])
    assert len(pictures) == 33
    assert [p.split for p in pictures].count("valid") == 3
    assert sum(p.is_clip for p in pictures) == 18


def test_manifests_name_class_and_split(data: Path, tmp_path: Path):
    rows = [
        "path,class,split",
        f"{data}/blue/0.avi,sky,test",
        f"{data}/green/0.avi,grass,",
        "a.ogg,x,",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    pictures = read_pictures([tmp_path])
    assert [(p.label, p.split) for p in pictures] == [("sky", "test"), ("grass", "train")]


def test_one_class_cannot_be_learnt(tmp_path: Path):
    (tmp_path / "rain").mkdir()
    (tmp_path / "rain" / "a.png").touch()
    with pytest.raises(ValueError, match="at least two classes"):
        read_pictures([tmp_path])


def test_what_is_no_picture_is_named(tmp_path: Path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "broken.png").write_text("no")
    with pytest.raises(ValueError, match=r"broken\.png: not a picture"):
        load_stills(read_pictures([tmp_path]), 32)


def test_boxes_lie_inside_the_picture():
    boxes = random_boxes(500, np.random.default_rng(0))
    assert boxes.min() >= 0
    assert (boxes[:, :2] + boxes[:, 2:]).max() <= 1 + 1e-6


def test_a_filmed_still_moves_and_lightning_flashes():
    still = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    contrast = {}
    for lightning in (False, True):
        clips = [
            moving_clip(still, 8, 32, np.random.default_rng(seed), lightning=lightning)
            for seed in range(20)
        ]
        assert clips[0].shape == (8, 32, 32, 3)
        light = np.array([clip.mean((1, 2, 3)) for clip in clips])
        contrast[lightning] = np.median(light.max(1) / light.min(1))
    assert contrast[True] > 2 * contrast[False]


def test_the_sure_bar_keeps_its_promise():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 3000)  # class 3 is anything else: every answer to it is wrong
    logits = rng.standard_normal((3000, 4)) + 2 * np.eye(4)[labels]
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    bar = sure_bar(chances.astype(np.float32), labels, precision=0.8)
    sure = chances[:, :3].max(1) >= bar
    right = chances[:, :3].argmax(1) == labels
    assert 0.3 < sure.mean() < 1
    assert right[sure].mean() == pytest.approx(0.8, abs=0.01)
    assert sure_bar(chances[:, [1, 2, 0, 3]].astype(np.float32), labels, precision=1.01) == 1.0


def test_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.standard_normal((4000, 3)))
    labels = torch.multinomial(
        torch.softmax(logits, 1), 1, generator=torch.Generator().manual_seed(0)
    )[:, 0].numpy()
    assert best_temperature(3 * logits, labels) == pytest.approx(3, rel=0.15)


def test_a_wrong_teacher_is_refused(tmp_path: Path):
    (tmp_path / "t.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="not SqueezeNet"):
        read_teacher(tmp_path / "t.safetensors")


def test_an_absent_class_is_named(data: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="no training pictures of: rain"):
        train_recognition([data], tmp_path, RecognitionRecipe(classes=("blue", "rain")))


def test_a_tiny_training_tells_colours_apart_and_repeats_exactly(data: Path, tmp_path: Path):
    stages: list[str] = []
    path = train_recognition(
        [data], tmp_path / "a", TINY, progress=lambda name, done, total: stages.append(name)
    )
    checkpoint = load_checkpoint(path, kind="recognition")
    recogniser = Recogniser(checkpoint.config, checkpoint.tensors)
    assert recogniser.classes == ("blue", "green")
    assert len(checkpoint.provenance["unseen_clips"]) == 18
    assert {"backbone", "filming", "8-frame relations", "2-frame relations"} <= set(stages)
    for label in recogniser.classes:
        encoder = recogniser.encoder()
        for _ in range(10):
            encoder.add(np.full((48, 64, 3), COLOURS[label][::-1], np.uint8))
        features = encoder.finish()
        assert recogniser.recognise(features).label == label
        assert recogniser.action_series(features, label).values.shape == (10,)
    again = train_recognition([data], tmp_path / "b", TINY)
    assert again.read_bytes() == path.read_bytes()
