"""Events from motion: the rule of picking, and what the shipped model sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint
from foleycli.dsp.action import ActionSeries, series_from_events
from foleycli.models.timing import TimingConfig, TimingNet
from foleycli.vision.flow import FEATURE_NAMES, MotionFeatures
from foleycli.vision.timing import TimingModel, pick_events


def _untrained() -> TimingModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = TimingNet(TimingConfig()).state_dict()
    config = {"network": {}, "features": list(FEATURE_NAMES)}
    return TimingModel(config, {f"net0.{name}": tensor for name, tensor in state.items()})


def test_drawn_events_are_picked_between_the_steps():
    truth = [0.512, 1.0, 1.749]
    events = pick_events(series_from_events(truth, [0.9, 0.5, 1.0], 2.5))
    np.testing.assert_allclose([time for time, _ in events], truth, atol=0.004)
    assert [strength for _, strength in events] == pytest.approx([0.9, 0.5, 1.0], abs=0.1)


def test_of_two_near_peaks_the_higher_stays():
    values = np.zeros(30, np.float32)
    values[[10, 13, 17]] = 0.6, 0.8, 0.5
    assert [round(time * 30) for time, _ in pick_events(ActionSeries(values))] == [13, 17]


def test_a_plateau_is_one_event():
    values = np.zeros(30, np.float32)
    values[10:13] = 0.6
    assert len(pick_events(ActionSeries(values))) == 1


@pytest.mark.parametrize("values", [[], [0.2], [0.1, 0.29, 0.1], [0.0] * 90])
def test_nothing_probable_is_no_event(values):
    assert pick_events(ActionSeries(np.array(values, np.float32))) == []


def test_a_restless_series_gives_only_its_top():
    values = np.full(100, 0.5, np.float32)
    values[::25] = 0.6
    values[50] = 0.9
    assert len(pick_events(ActionSeries(values), percentile=99)) == 1


def test_a_still_clip_has_no_event():
    model = _untrained()
    series = model.predict(MotionFeatures(np.zeros((40, len(FEATURE_NAMES)), np.float32)))
    assert series.values.shape == (40,)
    assert pick_events(series) == []


def test_a_clip_without_frames_has_an_empty_series():
    series = _untrained().predict(MotionFeatures(np.zeros((0, len(FEATURE_NAMES)), np.float32)))
    assert series.values.shape == (0,)


def test_a_long_clip_is_the_same_in_blocks(monkeypatch):
    values = np.random.default_rng(0).standard_normal((500, len(FEATURE_NAMES))).astype(np.float32)
    whole = _untrained().predict(MotionFeatures(values)).values
    monkeypatch.setattr("foleycli.vision.timing._BLOCK_STEPS", 70)
    np.testing.assert_allclose(
        _untrained().predict(MotionFeatures(values)).values, whole, atol=1e-6
    )


def test_other_features_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="train it again"):
        TimingModel({"network": {}, "features": ["speed"]}, {})


@pytest.fixture(scope="module")
def shipped() -> TimingModel:
    checkpoint = load_checkpoint("timing", "timing")
    return TimingModel(checkpoint.config, checkpoint.tensors)


def test_shipped_model_hears_a_bouncing_ball_and_a_hammer(shipped):
    scenes = pytest.importorskip("foleycli.training.scenes")
    from foleycli.training.timing import motion_of_scene

    ball, bounces_s, _ = scenes.bouncing_ball(
        duration_s=3, x=0.4, drop_y=0.2, floor_y=0.85, start_s=0.3
    )
    hits_s = np.array([0.8, 1.55, 2.3])
    hammer = scenes.Hammer(hits_s, (0.6, 0.8), 0.35, 0.9, 0.15, 1, 0.05, (0.2, 0.2, 0.2))
    for actor, truth in ((ball, bounces_s), (hammer, hits_s)):
        scene = scenes.Scene(3.0, 30.0, (actor,), truth, np.ones(len(truth)))
        found = [time for time, _ in pick_events(shipped.predict(motion_of_scene(scene)))]
        near = [min(abs(time - other) for other in found) for time in truth]
        assert sorted(near)[len(near) * 2 // 3] < 0.067  # two thirds within two steps
        assert len(found) <= len(truth) + 2
