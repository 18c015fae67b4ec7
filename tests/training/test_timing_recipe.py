"""The timing recipe: exact scenes, fair excerpts, equal seeds, and that it learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from foleycli.models.timing import TimingConfig
from foleycli.training.scenes import ASPECT, Hammer, Scene, bouncing_ball, random_scene
from foleycli.training.timing import (
    Example,
    TimingRecipe,
    _batch,
    _disturb,
    _pair,
    example_of_scene,
    target,
    timing_config,
    train_net,
    train_timing,
)
from foleycli.vision.flow import FEATURE_NAMES, MotionFeatures
from foleycli.vision.timing import TimingModel

SMALL = TimingRecipe(network=TimingConfig(cell_width=8, width=8), nets=1, steps=60, scenes=2)
CALM = dataclasses.replace(SMALL, noise=0, gain=0, cell_dropout=0, channel_dropout=0)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [example_of_scene(seed) for seed in (3, 5)]


def test_a_ball_touches_the_floor_when_it_sounds():
    ball, times_s, strengths = bouncing_ball(duration_s=4, x=0.5, drop_y=0.1, floor_y=0.9)
    assert len(times_s) >= 3
    assert (np.diff(strengths) < 0).all()
    lowest = np.array([[0.9]], np.float32)
    for time in times_s:
        # The outline passes through the floor under the ball: distance 0 there.
        x = np.array([[0.5 + 0.1 * time]], np.float32)
        assert ball.outline(x, lowest, time)[0, 0] == pytest.approx(0, abs=1e-4)
        assert ball.outline(x, lowest, time - 0.1)[0, 0] > 0.01


def test_a_hammer_is_down_at_its_hits_and_fastest_just_before():
    hammer = Hammer(np.array([1.0, 2.0]), (0.5, 0.8), 0.3, 1.0, 0.2, 1, 0.05, (0, 0, 0))
    clock = np.arange(0.5, 1.0, 0.01)
    speed = np.abs(np.gradient([hammer.angle(t) for t in clock]))
    assert clock[speed.argmax()] > 0.95
    for time in (1.0, 2.0):
        assert hammer.angle(time) == pytest.approx(0, abs=1e-9)
    assert hammer.angle(1.6) == pytest.approx(1.0)


def test_scenes_follow_from_their_seed():
    one, two = (next(random_scene(7).frames(64, 48))[1] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (next(random_scene(8).frames(64, 48))[1] != one).any()


def test_a_scene_renders_at_any_size():
    scene = Scene(0.1, 30.0, (), np.zeros(0), np.zeros(0))
    pictures = [picture for _, picture in scene.frames(round(90 * ASPECT), 90)]
    assert [p.shape for p in pictures] == [(90, 120, 3)] * 3


def test_targets_are_pulses_at_the_onsets():
    motion = MotionFeatures(np.zeros((60, len(FEATURE_NAMES)), np.float32))
    wish = target(Example(motion, np.array([0.5, 1.2])))
    assert wish.shape == (60,)
    assert wish[[15, 36]] == pytest.approx([1, 1])
    assert wish[25] < 1e-3


def test_every_excerpt_weighs_the_same(examples):
    pools = [[_pair(e, SMALL.network) for e in examples], []]
    inputs, wanted, weights = _batch(pools, SMALL, np.random.default_rng(0))
    assert inputs.shape == (SMALL.batch, SMALL.network.features, SMALL.window)
    assert wanted.shape == weights.shape == (SMALL.batch, SMALL.window)
    torch.testing.assert_close(weights.sum(1), torch.full((SMALL.batch,), 1 / SMALL.batch))


def test_mirroring_swaps_left_and_right_and_turns_horizontal_motion():
    values = np.zeros((1, len(FEATURE_NAMES)), np.float32)
    for name, value in (("flow_x[0]", 1), ("flow_y[0]", 2), ("camera_x", 3), ("camera_y", 4)):
        values[0, FEATURE_NAMES.index(name)] = value
    rows = [_disturb(values, CALM, np.random.default_rng(seed)) + 0.0 for seed in range(8)]
    seen = {row.tobytes() for row in rows}
    assert len(seen) == 2  # as it was, and mirrored
    seen.remove(values.tobytes())
    mirrored = np.frombuffer(seen.pop(), np.float32)
    found = {FEATURE_NAMES[k]: mirrored[k] for k in np.flatnonzero(mirrored)}
    assert found == {"flow_x[7]": -1, "flow_y[7]": 2, "camera_x": -3, "camera_y": 4}


def test_equal_seeds_give_equal_networks_and_leave_the_global_generator_alone(examples):
    state = torch.random.get_rng_state()
    recipe = dataclasses.replace(SMALL, steps=5)
    first, second, other = (train_net(examples, [], recipe, seed)[0] for seed in (1, 1, 2))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
    assert not torch.equal(first.joint[0].weight, other.joint[0].weight)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_network_learns_the_scenes(examples):
    _, losses = train_net(examples, [], CALM, 0)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


@pytest.mark.slow
def test_training_on_clips_gives_a_loadable_model(shared, tmp_path):
    clips = sorted((shared / "data/video/impact").glob("gh_2015022*.mp4"))
    odd = shared / "data/odd/no_audio.mp4"
    recipe = dataclasses.replace(SMALL, steps=4)
    seen: list[tuple[int, int]] = []
    tensors, config, report = train_timing(
        [*clips, odd], work=tmp_path, recipe=recipe, progress=lambda *at: seen.append(at)
    )
    assert config == timing_config(recipe)
    assert report["clips"] == len(clips) >= 1
    assert list(report["left_out"]) == [str(odd)]
    assert seen[-1][0] == seen[-1][1] == len(clips) + 1 + recipe.scenes + recipe.steps
    TimingModel(config, tensors)
    again = train_timing([*clips, odd], work=tmp_path, recipe=recipe)[0]
    assert all(torch.equal(tensors[name], again[name]) for name in tensors)


def test_no_usable_clip_is_one_clear_line(tmp_path):
    with pytest.raises(ValueError, match="nothing to train on"):
        train_timing([], work=tmp_path)
