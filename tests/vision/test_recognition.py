"""Class probabilities and action series: shapes, times, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import find_checkpoint, load_checkpoint
from foleycli.media.video import at_rate, read_frames
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.trn import RelationConfig, TemporalRelations
from foleycli.vision.backbone import BackboneConfig
from foleycli.vision.recognition import Recogniser, RecognitionConfig

CLASSES = ("clock", "rain")
FEATURES = 32


def _recogniser(action_frames: int = 2, **settings: float) -> Recogniser:
    config = RecognitionConfig(
        CLASSES,
        BackboneConfig(ResNetConfig("basic", (1, 1, 1, 1), 4, classes=0), input_size=32),
        RelationConfig(FEATURES, 3, hidden=8),
        RelationConfig(FEATURES, 3, action_frames, (action_frames,), hidden=8),
        **settings,
    )
    torch.manual_seed(0)
    parts = {
        "backbone": ResNet(config.backbone.network),
        "mtrn": TemporalRelations(config.mtrn),
        "trn2": TemporalRelations(config.trn2),
    }
    tensors = {f"{p}.{n}": t for p, m in parts.items() for n, t in m.state_dict().items()}
    return Recogniser(json.loads(json.dumps(config.as_dict())), tensors)


def _features(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, FEATURES), dtype=np.float32)


def test_config_survives_json():
    config = _recogniser(sure_above=0.7).config
    assert RecognitionConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_probabilities_leave_room_for_anything_else():
    chances = _recogniser().classify(_features(20))
    assert tuple(chances) == CLASSES
    assert 0 < sum(chances.values()) < 1


@pytest.mark.parametrize("count", [1, 2, 7, 300])
@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("kind", ["probability", "margin"])
def test_a_series_has_one_value_a_frame(count: int, width: int, kind: str):
    series = _recogniser(width).action_series(_features(count), "rain", kind)
    assert series.fps == 10.0
    assert series.values.shape == (count,)
    assert series.values.dtype == np.float32
    assert series.values.min() >= 0
    assert series.values.max() <= 1


def test_a_change_between_two_frames_shows_at_its_time():
    features = np.repeat(_features(2), [12, 12], axis=0)  # one change, between frames 11 and 12
    series = _recogniser().action_series(features, "rain", "margin").values
    assert np.ptp(series[:11]) < 1e-6
    assert np.ptp(series[13:]) < 1e-6
    assert abs(series[11] - series[10]) > 1e-3 or abs(series[12] - series[13]) > 1e-3


def test_answers_are_ranked_and_sure_only_above_the_bar():
    features = _features(20)
    answer = _recogniser(sure_above=0.0).recognise(features)
    assert answer.sure
    assert answer.ranked[0] == (answer.label, answer.probability)
    assert answer.ranked[0][1] >= answer.ranked[1][1]
    assert not _recogniser(sure_above=0.99).recognise(features).sure


def test_temperature_softens_and_keeps_the_answer():
    sharp, soft = (_recogniser(temperature=t).recognise(_features(20)) for t in (0.1, 5.0))
    assert sharp.label == soft.label
    assert sharp.probability > soft.probability


def test_what_cannot_be_answered_is_refused():
    recogniser = _recogniser()
    with pytest.raises(ValueError, match="none of: clock, rain"):
        recogniser.action_series(_features(5), "dog")
    with pytest.raises(ValueError, match="own backbone"):
        recogniser.classify(np.zeros((5, FEATURES + 1), np.float32))
    with pytest.raises(ValueError, match="own backbone"):
        recogniser.classify(np.zeros((0, FEATURES), np.float32))


def test_the_shipped_model_is_small_and_knows_the_twelve_classes(shared: Path):
    assert find_checkpoint("recognition").stat().st_size < 4_000_000
    checkpoint = load_checkpoint("recognition", kind="recognition")
    recogniser = Recogniser(checkpoint.config, checkpoint.tensors)
    listed = json.loads((shared / "data/classes.json").read_text())["foleygan"]
    assert sorted(recogniser.classes) == sorted(listed)
    encoder = recogniser.encoder()
    side = encoder.config.input_size
    clip = shared / "data/video/gunshot/avsync_1.mp4"
    for _, _, frame in at_rate(read_frames(clip), recogniser.fps):
        encoder.add(frame.rgb(side, side))
    features = encoder.finish()
    answer = recogniser.recognise(features)
    assert len(answer.ranked) == 12
    series = recogniser.action_series(features, answer.label)
    assert series.duration_s == pytest.approx(5.005, abs=0.1)
