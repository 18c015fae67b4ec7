"""The controls' formulas: ends, levels, clipping, and staying on the sphere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from foleycli.imagination import controls


def _unit(seed: int, width: int = 12) -> NDArray[np.float32]:
    return controls.unit(np.random.default_rng(seed).standard_normal(width))


def test_gain_is_in_decibels_of_amplitude() -> None:
    gains = [controls.factor(gain) for gain in (20, 0, -6.0206)]
    assert gains == pytest.approx([10, 1, 0.5], rel=1e-5)


def test_a_mix_is_the_sum_of_all_at_their_factors() -> None:
    sounds = [np.array([0.1, -0.5], np.float32), np.array([1.0, 1.0], np.float32)]
    np.testing.assert_allclose(controls.mixed(sounds, [2, -3]), [-2.8, -4], rtol=1e-6)


def test_clipping_tells_the_share_beyond_full_scale() -> None:
    sound, beyond = controls.clipped(np.array([-2.0, -1.0, 0.5, 1.0001]))
    assert sound.tolist() == [-1.0, -1.0, 0.5, 1.0]
    assert beyond == 0.5
    assert controls.clipped(np.ones(3))[1] == 0


def test_tiling_repeats_whole_and_refuses_nothing() -> None:
    assert controls.tiled(np.arange(3.0), 7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert controls.tiled(np.arange(5.0), 2).tolist() == [0, 1]
    with pytest.raises(ValueError, match="empty"):
        controls.tiled(np.zeros(0), 4)


@pytest.mark.parametrize(
    ("norm", "level"), [("peak", lambda x: np.abs(x).max()), ("rms", lambda x: np.std(x))]
)
def test_others_are_brought_to_the_first_ones_level(norm: str, level: object) -> None:
    rng = np.random.default_rng(0)
    given_sounds = [rng.standard_normal(99) * size for size in (0.3, 0.01, 4.0)]
    given_sounds = [x - x.mean() for x in given_sounds]
    equal = controls.levelled([*given_sounds, np.zeros(99)], norm)
    np.testing.assert_array_equal(equal[0], given_sounds[0])
    np.testing.assert_allclose([level(x) for x in equal[:3]], level(given_sounds[0]))  # type: ignore[operator]
    assert not equal[3].any()
    np.testing.assert_array_equal(controls.levelled(given_sounds, "none")[2], given_sounds[2])
    with pytest.raises(ValueError, match="none, peak, rms"):
        controls.levelled(given_sounds, "loud")


def test_silence_in_front_leaves_the_others_as_they_are() -> None:
    np.testing.assert_array_equal(controls.levelled([np.zeros(4), np.ones(4)], "rms")[1], 1)


@pytest.mark.parametrize("formula", [controls.interpolated, controls.along_the_arc])
def test_ends_of_a_way_are_the_two_sounds(formula: object) -> None:
    for t, end in ((0.0, _unit(1)), (1.0, _unit(2))):
        np.testing.assert_allclose(formula(_unit(1), _unit(2), t), end, atol=1e-6)  # type: ignore[operator]


@given(st.integers(0, 99), st.floats(0, 1), st.floats(-5, 5))
def test_every_combination_has_length_1(seed: int, t: float, strength: float) -> None:
    a, b, c = _unit(seed), _unit(seed + 1), _unit(seed + 2)
    for made in (
        controls.interpolated(a, b, t),
        controls.along_the_arc(a, b, t),
        controls.blended(a, b, t),
        controls.edited(a, b, c, strength),
    ):
        assert np.linalg.norm(made) == pytest.approx(1, abs=1e-5)


def test_slerp_turns_at_constant_speed_and_lerp_does_not() -> None:
    a, b = np.eye(2, 5, dtype=np.float32)
    quarter = np.pi / 8
    arc = controls.along_the_arc(a, b, 0.25)
    np.testing.assert_allclose(arc[:2], [np.cos(quarter), np.sin(quarter)], rtol=1e-6)
    chord = controls.interpolated(a, b, 0.25)
    np.testing.assert_allclose(chord[:2], np.array([3, 1]) / np.sqrt(10), rtol=1e-6)


def test_slerp_between_equals_and_from_zeros_is_finite() -> None:
    a = _unit(0)
    np.testing.assert_allclose(controls.along_the_arc(a, a, 0.3), a, atol=1e-6)
    assert np.isfinite(controls.along_the_arc(np.zeros(12, np.float32), a, 0.3)).all()
    assert not controls.unit(np.zeros(12)).any()


def test_picture_weights_0_and_1_are_the_sound_and_the_picture_alone() -> None:
    sound, picture = _unit(3), _unit(4)
    np.testing.assert_allclose(controls.blended(sound, picture, 0), sound, atol=1e-6)
    np.testing.assert_allclose(controls.blended(sound, picture, 1), picture, atol=1e-6)


def test_edit_moves_towards_the_louder_sound_and_not_at_strength_0() -> None:
    photo, loud, quiet = _unit(5), _unit(6), _unit(7)
    np.testing.assert_allclose(controls.edited(photo, loud, quiet, 0), photo, atol=1e-6)
    likeness = [controls.edited(photo, loud, quiet, s) @ (loud - quiet) for s in (-1, 0, 1, 2)]
    assert likeness == sorted(likeness)
    moved = photo + 0.5 * (loud - quiet)
    np.testing.assert_allclose(
        controls.edited(photo, loud, quiet, 0.5), moved / np.linalg.norm(moved), atol=1e-6
    )


def test_seconds_round_to_the_nearest_and_the_loudest_is_found() -> None:
    assert [controls.seconds_in(n, 10) for n in (1, 4, 10, 14, 15, 99)] == [1, 1, 1, 1, 2, 10]
    sound = np.concatenate([np.full(10, level) for level in (0.1, -0.5, 0.5, 0.2)])
    assert controls.loudest_second(sound, 10) == 1
    assert controls.loudest_second(np.zeros(35), 10) == 0
