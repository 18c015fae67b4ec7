"""From a sound and controls to latents: what spans the columns, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.imagination import controls
from foleycli.imagination.columns import Controls, hear
from foleycli.imagination.systems import S2iSystem, SceneSystem
from tests.imagination.conftest import thuds

SOUND, OTHER = thuds(16_000, 4, seed=1), thuds(16_000, 2.5, seed=2)


def test_a_plain_sound_is_one_unlabelled_column(scene: SceneSystem) -> None:
    heard = hear(scene, SOUND, Controls())
    np.testing.assert_array_equal(heard.latents[0], scene.hear(SOUND, None)[0])
    assert (heard.labels, heard.notes, heard.clipped) == ([""], [], {"sound": 0.0})


def test_gains_are_columns_and_clipping_is_told(scene: SceneSystem) -> None:
    heard = hear(scene, SOUND, Controls(gains_db=(-20.0, 0.0, 10.0)))
    assert heard.labels == ["-20 dB", "0 dB", "10 dB"]
    louder = SOUND.astype(np.float64) * 10**0.5
    np.testing.assert_array_equal(
        heard.latents[2], scene.hear(np.clip(louder, -1, 1).astype(np.float32), None)[0]
    )
    share = float(np.mean(np.abs(louder) > 1))
    assert heard.clipped == {"-20 dB": 0.0, "0 dB": 0.0, "10 dB": share}
    assert share > 0
    assert heard.notes == [f"samples clipped: 10 dB {share:.1%}"]


def test_mixing_repeats_to_ten_seconds_adds_and_clips(scene: SceneSystem) -> None:
    heard = hear(scene, SOUND, Controls(mix_gains_db=(20.0,)), others=[OTHER])
    whole = np.resize(SOUND, 160_000) + 10 * np.resize(OTHER, 160_000).astype(np.float64)
    np.testing.assert_allclose(
        heard.latents[0], scene.hear(np.clip(whole, -1, 1), None)[0], atol=1e-5
    )
    assert heard.clipped["sound"] == pytest.approx(np.mean(np.abs(whole) > 1), abs=1e-5)


def test_a_sweep_begins_with_the_sound_and_ends_with_the_other(scene: SceneSystem) -> None:
    sweep = Controls(mix_gains_db=(0.0,), mix_weights=(0.0, 0.5, 1.0))
    heard = hear(scene, SOUND, sweep, others=[OTHER])
    assert heard.labels == ["mix 0", "mix 0.5", "mix 1"]
    np.testing.assert_allclose(heard.latents[0], scene.hear(SOUND, None)[0], atol=1e-6)
    np.testing.assert_allclose(heard.latents[2], scene.hear(OTHER, None)[0], atol=1e-6)
    quieter = hear(
        scene, SOUND, Controls(mix_gains_db=(-20.0,), mix_weights=(1.0,)), others=[OTHER]
    )
    assert np.abs(quieter.latents[0] - heard.latents[2]).max() > 1e-3


def test_norm_brings_the_other_sound_to_the_first_ones_level(scene: SceneSystem) -> None:
    quiet = 0.05 * OTHER
    for norm, alike in (("none", False), ("peak", True), ("rms", True)):
        latents = [
            hear(scene, SOUND, Controls(mix_gains_db=(0.0,), mix_norm=norm), others=[other])
            for other in (OTHER, quiet)
        ]
        apart = np.abs(latents[0].latents[0] - latents[1].latents[0]).max()
        assert (apart < 1e-5) == alike


def test_ways_end_at_the_two_sounds(scene: SceneSystem, segments: S2iSystem) -> None:
    for slerp in (False, True):
        way = Controls(interpolation=(0.0, 0.5, 1.0), slerp=slerp)
        heard = hear(scene, SOUND, way, target=OTHER)
        np.testing.assert_allclose(heard.latents[0], scene.hear(SOUND, None)[0], atol=1e-6)
        np.testing.assert_allclose(heard.latents[2], scene.hear(OTHER, None)[0], atol=1e-6)
        assert np.linalg.norm(heard.latents[1]) == pytest.approx(1, abs=1e-5)
        formula = controls.along_the_arc if slerp else controls.interpolated
        early = hear(scene, SOUND, Controls(interpolation=(0.1,), slerp=slerp), target=OTHER)
        np.testing.assert_allclose(
            early.latents[0], formula(heard.latents[0], heard.latents[2], 0.1), atol=1e-7
        )
    first, second = thuds(44_100, 1, seed=1), thuds(44_100, 1, seed=2)
    heard = hear(segments, first, Controls(interpolation=(0.0, 0.25, 1.0)), target=second)
    ends = segments.hear(first, [0])[0], segments.hear(second, [0])[0]
    np.testing.assert_allclose(heard.latents[1], 0.75 * ends[0] + 0.25 * ends[1], atol=1e-6)


def test_picture_weights_span_or_apply_to_every_column(scene: SceneSystem) -> None:
    picture = np.zeros(32, np.float32)
    picture[0] = 1
    spanned = hear(scene, SOUND, Controls(image_weights=(0.0, 1.0)), picture=picture)
    np.testing.assert_allclose(spanned.latents[0], scene.hear(SOUND, None)[0], atol=1e-6)
    np.testing.assert_allclose(spanned.latents[1], picture, atol=1e-6)
    every = Controls(image_weights=(1.0,), per_second=True)
    heard = hear(scene, SOUND, every, picture=picture)
    assert heard.labels == ["0 s", "1 s", "2 s", "3 s"]
    for latent in heard.latents:
        np.testing.assert_allclose(latent, picture, atol=1e-6)


def test_edit_moves_by_the_difference_of_two_gains(scene: SceneSystem) -> None:
    picture = np.zeros(32, np.float32)
    picture[3] = 1
    edit = Controls(edit_gains_db=(10.0, -10.0), edit_strengths=(0.0, 2.0))
    heard = hear(scene, SOUND, edit, picture=picture)
    at = [
        scene.hear(np.clip(10 ** (g / 20) * SOUND.astype(np.float64), -1, 1), None)[0]
        for g in (10, -10)
    ]
    moved = picture + 2 * (at[0] - at[1])
    np.testing.assert_allclose(heard.latents[0], picture, atol=1e-6)
    np.testing.assert_allclose(heard.latents[1], moved / np.linalg.norm(moved), atol=1e-4)
    assert heard.labels == ["strength 0", "strength 2"]


def test_every_second_is_heard_by_itself_and_what_is_left_out_is_told(
    scene: SceneSystem, segments: S2iSystem
) -> None:
    for system in (scene, segments):
        rate = system.front.rate_hz
        sound = thuds(rate, 3.3)
        heard = hear(system, sound, Controls(per_second=True))
        np.testing.assert_array_equal(heard.latents, system.hear(sound, [0, 1, 2]))
        assert heard.notes == ["the last 0.30 s, less than half a second, are left out"]
        one = hear(system, sound, Controls(second=1))
        np.testing.assert_array_equal(one.latents[0], heard.latents[1])
    assert len(hear(segments, thuds(44_100, 2.6), Controls(per_second=True)).labels) == 3


def test_s2i_hears_the_loudest_second_unless_told(segments: S2iSystem) -> None:
    sound = np.concatenate([0.1 * thuds(44_100, 1), thuds(44_100, 1), 0.2 * thuds(44_100, 1)])
    heard = hear(segments, sound, Controls())
    np.testing.assert_array_equal(heard.latents[0], segments.hear(sound, [1])[0])
    assert "heard second 1, the loudest" in heard.notes[0]


def test_silence_is_told(scene: SceneSystem, segments: S2iSystem) -> None:
    for system in (scene, segments):
        assert "the sound is silent" in hear(system, np.zeros(9000, np.float32), Controls()).notes


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gains_db": (0.0, 1.0), "per_second": True}, "gains and seconds"),
        ({"gains_db": (0.0, 1.0), "image_weights": (0.0, 1.0)}, "gains and image weights"),
        ({"image_weights": (1.5,)}, "from 0 to 1"),
        ({"mix_weights": (0.0, 1.0)}, "0 are given"),
        ({"mix_weights": (0.5,), "mix_gains_db": (0.0, 0.0)}, "2 are given"),
        ({"interpolation": (0.0,), "image_weights": (0.5,)}, "give one"),
        ({"edit_gains_db": (1.0, -1.0), "gains_db": (3.0,)}, "gains of its own"),
    ],
)
def test_controls_that_exclude_each_other_say_so(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Controls(**fields)  # type: ignore[arg-type]
