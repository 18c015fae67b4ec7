from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from foleycli.metrics.resampling import Interval
from foleycli.survey.choices import (
    Comparison,
    Offer,
    bradley_terry,
    precision,
    preferences,
    recall,
)
from foleycli.survey.tests_of_difference import compare_conditions, holm, signed_rank

NAMES = ("a", "b", "c")


def judged(
    strengths: dict[str, float],
    rng: np.random.Generator,
    raters: int = 40,
    clips: int = 20,
    each: int = 9,
    spread: float = 0.0,
) -> list[Comparison]:
    """Let raters compare pairs; clips differ in what suits them by ``spread`` logits."""
    pairs = list(itertools.combinations(strengths, 2))
    moods = {(n, c): spread * rng.normal() for n in strengths for c in range(clips)}
    found = []
    step = 0
    for rater in range(raters):
        for _ in range(each):
            (first, second), clip = pairs[step % len(pairs)], (step * 7) % clips
            edge = strengths[first] + moods[first, clip] - strengths[second] - moods[second, clip]
            winner = first if rng.random() < 1 / (1 + np.exp(-edge)) else second
            found.append(Comparison(first, second, winner, str(rater), str(clip)))
            step += 1
    return found


def duels(wins: int, losses: int, ties: int = 0) -> list[Comparison]:
    winners = ["a"] * wins + ["b"] * losses + [""] * ties
    return [Comparison("a", "b", w, str(i), str(i)) for i, w in enumerate(winners)]


def test_two_conditions_have_the_strength_of_their_odds() -> None:
    a, b = bradley_terry(duels(30, 10), ("a", "b"))
    assert a.value.estimate == pytest.approx(np.log(3) / 2)
    assert b.value.estimate == pytest.approx(-np.log(3) / 2)
    # Independent choices: the deviation of the log odds is sqrt(1 / 30 + 1 / 10).
    reach = stats.t.ppf(0.975, 39) * np.sqrt(1 / 30 + 1 / 10) / 2
    assert a.value.high - a.value.estimate == pytest.approx(reach, rel=0.02)


def test_a_tie_is_half_a_win_of_each() -> None:
    with_ties = bradley_terry(duels(20, 0, 20), ("a", "b"))
    without = bradley_terry(duels(30, 10), ("a", "b"))
    assert with_ties[0].value.estimate == pytest.approx(without[0].value.estimate)


def test_known_strengths_are_found() -> None:
    truth = {"a": 1.0, "b": 0.0, "c": -1.0}
    found = bradley_terry(judged(truth, np.random.default_rng(0), raters=400), NAMES)
    assert [s.condition for s in found] == list(NAMES)
    assert sum(s.value.estimate for s in found) == pytest.approx(0)
    for strength in found:
        assert strength.value.estimate == pytest.approx(truth[strength.condition], abs=0.1)


def test_intervals_of_strengths_hold_the_truth_in_93_to_97() -> None:
    """The truth is what all clips together say: the mean chance over their moods, as odds."""
    rng = np.random.default_rng(4)
    moods = np.random.default_rng(0).normal(size=1_000_000) * 0.6 * np.sqrt(2)
    truth = logit(expit(1.2 + moods).mean()) / 2
    intervals = [
        bradley_terry(judged({"a": 0.6, "b": -0.6}, rng, spread=0.6), ("a", "b"))[0].value
        for _ in range(300)
    ]
    assert 0.93 <= np.mean([i.low <= truth <= i.high for i in intervals]) <= 0.97


def test_clips_that_differ_widen_the_intervals() -> None:
    rng = np.random.default_rng(0)
    same, other = (
        bradley_terry(judged({"a": 0.5, "b": -0.5}, rng, clips=6, spread=spread), ("a", "b"))
        for spread in (0.0, 1.5)
    )
    assert width(other[0].value) > 2 * width(same[0].value)


def width(interval: Interval) -> float:
    return interval.high - interval.low


@pytest.mark.parametrize("comparisons", [duels(5, 0), [], duels(3, 3)])
def test_strengths_without_limit_are_refused(comparisons: list[Comparison]) -> None:
    names = ("a", "b") if len(comparisons) == 5 else NAMES
    with pytest.raises(ValueError, match="no finite strengths fit"):
        bradley_terry(comparisons, names)


def test_preferences_count_wins_losses_and_ties() -> None:
    mixed = [
        *duels(14, 4, 3),
        Comparison("c", "a", "a", "x", "y"),
        Comparison("a", "c", "c", "x", "z"),
    ]
    ab, ac = preferences(mixed, NAMES)
    assert (ab.first, ab.second, ab.wins, ab.losses, ab.ties) == ("a", "b", 14, 4, 3)
    assert (ac.wins, ac.losses, ac.ties) == (1, 1, 0)
    assert ab.p_value == pytest.approx(stats.binomtest(14, 18).pvalue)
    assert ab.p_holm == pytest.approx(2 * ab.p_value) and ac.p_holm == 1
    assert ab.share and ab.share.estimate == pytest.approx(14 / 18)


def test_ties_alone_prefer_nothing() -> None:
    (found,) = preferences(duels(0, 0, 5), ("a", "b"))
    assert found.share is None and found.p_value == 1


def offer(right: bool, chosen: bool, index: int) -> Offer:
    return Offer("ours", right, chosen, str(index % 5), str(index))


def test_recall_is_of_what_is_right_and_precision_of_what_was_chosen() -> None:
    kinds = [(True, True)] * 6 + [(True, False)] * 2 + [(False, True)] * 4 + [(False, False)] * 8
    offers = [offer(right, chosen, i) for i, (right, chosen) in enumerate(kinds)]
    recalled, precise = recall(offers), precision(offers)
    assert recalled and recalled.estimate == 6 / 8
    assert precise and precise.estimate == 6 / 10
    assert recalled.low < 0.75 < recalled.high
    assert recall(offers[8:]) is None and precision([]) is None


def test_wilcoxon_equals_its_textbook_example() -> None:
    """Darwin's maize, crossed less self-fertilised, in eighths of an inch (Fisher, 1935)."""
    gaps = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    p_value, effect = signed_rank(gaps)
    assert p_value == pytest.approx(0.04126, abs=5e-6)
    assert effect == pytest.approx((96 - 24) / 120)


def test_no_difference_has_a_p_of_one_and_ties_are_allowed() -> None:
    assert signed_rank([0.0, 0.0]) == (1.0, 0.0)
    p_value, effect = signed_rank([1.0] * 12 + [0.0] * 3)
    assert p_value < 0.01 and effect == 1
    assert signed_rank([2.0])[0] == 1.0


def test_holm_equals_his_procedure() -> None:
    found = holm({("a", "b"): 0.01, ("a", "c"): 0.04, ("b", "c"): 0.03, ("b", "d"): 0.005})
    assert found == pytest.approx(
        {("b", "d"): 0.02, ("a", "b"): 0.03, ("b", "c"): 0.06, ("a", "c"): 0.06}
    )


def test_conditions_are_compared_over_units_that_have_both() -> None:
    values = [5, 7, 3, 4, 9, 2]
    conditions = ["a", "a", "b", "a", "a", "b"]
    units = ["1", "1", "1", "2", "3", "3"]
    (found,) = compare_conditions(values, conditions, units, ("a", "b", "c"))
    assert (found.first, found.second, found.count) == ("a", "b", 2)
    assert found.difference == pytest.approx(((6 - 3) + (9 - 2)) / 2)


def test_tests_err_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    p_values = [signed_rank(rng.normal(size=20))[0] for _ in range(500)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.02)
