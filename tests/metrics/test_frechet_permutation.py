"""Which of two sets is nearer to a third: differences are the distances', p means what it says."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.metrics.frechet import frechet_distance
from foleycli.metrics.frechet_permutation import frechet_permutation_test


def _clips(count: int, paired: bool = True) -> list[str] | None:
    return [f"clip {i}" for i in range(count)] if paired else None


def _normal(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("n", "d"), [(20, 4), (12, 30)])
def test_the_difference_is_that_of_the_two_distances(n: int, d: int, paired: bool) -> None:
    real, first, second = _normal(25, d, 0), _normal(n, d, 1, 0.5), _normal(n, d, 2)
    found = frechet_permutation_test(real, first, second, clips=_clips(n, paired), rounds=1)
    expected = frechet_distance(real, first) - frechet_distance(real, second)
    assert found.difference == pytest.approx(expected, rel=1e-6)


def test_sets_of_unequal_size_may_be_compared_unpaired() -> None:
    real, first, second = _normal(25, 4, 0), _normal(20, 4, 1), _normal(11, 4, 2, 2.0)
    found = frechet_permutation_test(real, first, second, rounds=99)
    expected = frechet_distance(real, first) - frechet_distance(real, second)
    assert found.difference == pytest.approx(expected, rel=1e-6)
    assert found.p_value <= 0.02


@pytest.mark.parametrize("paired", [True, False])
def test_a_set_that_is_further_away_is_found(paired: bool) -> None:
    real, near, far = _normal(40, 4, 0), _normal(40, 4, 1), _normal(40, 4, 2, 1.0)
    found = frechet_permutation_test(real, near, far, clips=_clips(40, paired), rounds=99)
    assert found.difference < 0
    assert found.p_value == 1 / 100  # the least there is: never 0


@pytest.mark.parametrize("paired", [True, False])
def test_sets_that_do_not_differ_have_p_values_of_all_sizes(paired: bool) -> None:
    values = [
        frechet_permutation_test(
            _normal(15, 3, 3 * k), _normal(15, 3, 3 * k + 1), _normal(15, 3, 3 * k + 2),
            clips=_clips(15, paired), rounds=59,
        ).p_value
        for k in range(40)
    ]  # fmt: skip
    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) <= 0.1) < 0.3
    assert min(values) < 0.25
    assert max(values) > 0.75


def test_sets_that_change_places_change_the_sign_alone() -> None:
    real, a, b = _normal(20, 4, 0), _normal(20, 4, 1), _normal(20, 4, 2, 0.15)
    one, other = (
        frechet_permutation_test(real, *sets, clips=_clips(20), rounds=99)
        for sets in ((a, b), (b, a))
    )
    assert one.difference == pytest.approx(-other.difference)
    assert one.p_value == other.p_value
    assert 0.02 < one.p_value < 0.98


def test_unpaired_sets_that_change_places_have_about_the_same_p() -> None:
    real, a, b = _normal(20, 4, 0), _normal(20, 4, 1), _normal(14, 4, 2, 0.15)
    one, other = (frechet_permutation_test(real, *sets, rounds=400) for sets in ((a, b), (b, a)))
    assert one.difference == pytest.approx(-other.difference)
    assert one.p_value == pytest.approx(other.p_value, abs=0.12)


@pytest.mark.parametrize(("n", "d"), [(20, 8), (9, 128), pytest.param(21, 64)])
def test_a_set_does_not_differ_from_itself(n: int, d: int) -> None:
    real, one = _normal(n + 2, d, 0), _normal(n, d, 1)
    found = frechet_permutation_test(real, one, one.copy(), clips=_clips(n), rounds=50)
    assert found.difference == pytest.approx(0, abs=1e-6)
    assert found.p_value == 1


@pytest.mark.parametrize(("n", "d"), [(24, 17), (18, 64)])
def test_sets_that_differ_in_one_clip_differ_by_chance(n: int, d: int) -> None:
    """All rounds give plus or minus the same: none is nearer to 0 than what was observed."""
    real, one = _normal(n + 2, d, 0), _normal(n, d, 1)
    other = one.copy()
    other[1] += 1
    assert frechet_permutation_test(real, one, other, clips=_clips(n), rounds=50).p_value == 1


def test_the_order_of_unpaired_rows_does_not_matter() -> None:
    real, a, b = _normal(20, 4, 0), _normal(20, 4, 1), _normal(14, 4, 2, 0.3)
    turned = [rows[::-1] for rows in (real, a, b)]
    one = frechet_permutation_test(real, a, b, rounds=50)
    other = frechet_permutation_test(*turned, rounds=50)
    assert other.difference == pytest.approx(one.difference, rel=1e-9)
    assert other.p_value == one.p_value
    assert frechet_permutation_test(real, a, b, rounds=50, seed=1) != one


def test_sets_that_cannot_be_compared_are_refused() -> None:
    real = _normal(9, 4, 0)
    for first, second, paired, message in (
        (_normal(5, 4, 1), _normal(6, 4, 2), True, "paired sets differ in number: 5 and 6"),
        (_normal(2, 4, 1), _normal(6, 4, 2), False, "at least 3 samples"),
        (_normal(6, 4, 1), _normal(2, 4, 2), False, "at least 3 samples"),
        (_normal(6, 5, 1), _normal(6, 4, 2), False, "differ in width"),
        (_normal(6, 4, 1), _normal(6, 4, 2, np.nan), False, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            frechet_permutation_test(real, first, second, clips=_clips(5, paired))


def test_samples_of_one_clip_change_sides_together() -> None:
    """Copies are no more evidence than one: three a clip leave p where it was."""
    real, a, b = _normal(40, 3, 0), _normal(12, 3, 1), _normal(12, 3, 2, 0.4)
    one = frechet_permutation_test(real, a, b, clips=_clips(12), rounds=400)
    rows = [np.repeat(rows, 3, axis=0) for rows in (a, b)]
    clips = [name for name in _clips(12) or [] for _ in range(3)]
    copied = frechet_permutation_test(real, *rows, clips=clips, rounds=400)
    alone = frechet_permutation_test(real, *rows, clips=_clips(36), rounds=400)
    assert copied.p_value == pytest.approx(one.p_value, abs=0.1)
    assert alone.p_value < copied.p_value / 2
