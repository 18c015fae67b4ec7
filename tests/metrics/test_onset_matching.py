"""Onset scores: equal to brute force, to the definition, and indifferent to order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.onset_matching import (
    WINDOWS_S,
    average_precision,
    chance_f,
    count_hits,
    match,
    onset_score,
    sorted_times,
)

times = st.lists(st.integers(0, 60).map(lambda k: k / 100), max_size=6)  # many within 25 to 100 ms
windows = st.sampled_from(WINDOWS_S)


def brute_force(wanted: list[float], found: list[float], window_s: float) -> tuple[int, float]:
    """Most pairs within the window, and then the least sum of squared offsets."""
    if not wanted:
        return 0, 0.0
    first, rest = wanted[0], wanted[1:]
    best = brute_force(rest, found, window_s)
    for k, time in enumerate(found):
        if abs(time - first) <= window_s + 1e-9:
            hits, squares = brute_force(rest, found[:k] + found[k + 1 :], window_s)
            best = max(best, (hits + 1, squares - (time - first) ** 2))
    return best


@given(wanted=times, found=times, window_s=windows)
def test_the_matching_is_the_largest_and_the_nearest(wanted, found, window_s):
    reference, predicted = np.sort(wanted), np.sort(found)
    rows, columns = match(reference, predicted, window_s)
    hits, squares = brute_force(wanted, found, window_s)
    assert len(rows) == len(set(rows)) == len(set(columns)) == hits
    assert count_hits(reference, predicted, window_s) == hits
    offsets = predicted[columns] - reference[rows]
    assert -(offsets**2).sum() == pytest.approx(squares, abs=1e-9)
    assert (np.abs(offsets) <= window_s + 1e-9).all()


@given(wanted=times, found=times, window_s=windows, seed=st.integers(0, 99))
def test_order_does_not_matter_and_sides_swap_precision_with_recall(wanted, found, window_s, seed):
    score = onset_score(wanted, found, window_s)
    generator = np.random.default_rng(seed)
    assert onset_score(generator.permutation(wanted), generator.permutation(found), window_s) == (
        score
    )
    swapped = onset_score(found, wanted, window_s)
    assert (swapped.precision, swapped.recall, swapped.f) == (
        score.recall,
        score.precision,
        score.f,
    )
    assert 0 <= min(score.precision, score.recall) <= score.f
    assert score.f <= max(score.precision, score.recall) <= 1


@given(wanted=times, found=times)
def test_a_wider_window_never_loses_a_hit(wanted, found):
    hits = [onset_score(wanted, found, window_s).hits for window_s in WINDOWS_S]
    assert hits == sorted(hits)


def test_scores_are_those_of_the_definition() -> None:
    score = onset_score([1.0, 2.0, 3.0], [1.01, 2.04, 2.5, 3.3], 0.05)
    assert (score.references, score.predictions, score.hits) == (3, 4, 2)
    assert score.precision == 2 / 4
    assert score.recall == 2 / 3
    assert score.f == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert score.median_offset_s == pytest.approx(0.025)


def test_greedy_matching_in_order_of_time_would_lose_a_pair() -> None:
    # 1.00 could take 1.05, the only one that 1.10 reaches
    assert onset_score([1.0, 1.1], [0.96, 1.05], 0.05).hits == 2
    assert onset_score([1.1, 1.0], [1.05, 0.96], 0.05).hits == 2


def test_each_onset_is_used_once() -> None:
    assert onset_score([1.0, 1.01, 1.02], [1.01], 0.1).hits == 1
    assert onset_score([1.01], [1.0, 1.01, 1.02], 0.1).precision == 1 / 3


def test_of_two_near_onsets_the_nearer_is_taken() -> None:
    assert onset_score([1.0], [0.95, 1.0], 0.1).median_offset_s == 0.0
    assert onset_score([1.0], [1.0, 1.05], 0.1).median_offset_s == 0.0


@pytest.mark.parametrize("shift_s", WINDOWS_S)
def test_the_ends_of_the_window_belong_to_it(shift_s: float) -> None:
    reference = np.arange(1, 60) * 512 / 22_050
    assert onset_score(reference[::9], reference[::9] + shift_s, shift_s).f == 1
    assert onset_score(reference[::9], reference[::9] + shift_s, shift_s - 1e-6).f == 0


def test_late_is_positive() -> None:
    clicks = np.arange(1, 9) / 2
    late, early = (onset_score(clicks, clicks + shift, 0.1) for shift in (0.03, -0.03))
    assert late.median_offset_s == pytest.approx(0.03)
    assert early.median_offset_s == pytest.approx(-0.03)
    assert early.median_abs_offset_s == pytest.approx(0.03)


@pytest.mark.parametrize(("wanted", "found"), [([], []), ([1.0], []), ([], [1.0])])
def test_an_empty_list_scores_0_as_in_mir_eval(wanted, found) -> None:
    score = onset_score(wanted, found, 0.05)
    assert (score.precision, score.recall, score.f) == (0, 0, 0)
    assert score.median_offset_s is score.median_abs_offset_s is None
    assert (score.references, score.predictions) == (len(wanted), len(found))


def test_long_lists_are_matched_in_bounded_memory() -> None:
    generator = np.random.default_rng(0)
    wanted, found = np.sort(generator.uniform(0, 3600, (2, 20_000)))
    score = onset_score(wanted, found, 0.05)
    assert score.hits == count_hits(wanted, found, 0.05)
    assert 0.3 < score.f < 0.9


def test_chance_is_what_density_alone_scores() -> None:
    generator = np.random.default_rng(1)
    wanted = generator.uniform(0, 10, 8)
    # one prediction in 10 s lies within 50 ms of one of 8 onsets with probability 0.08
    assert chance_f(wanted, [5.0], 0.05, 10) == pytest.approx(2 * 0.08 / 9, rel=0.25)
    busy = np.arange(0, 10, 0.05)
    assert chance_f(busy, busy + 0.02, 0.05, 10) == pytest.approx(1, abs=0.01)
    assert onset_score(wanted, wanted + 0.01, 0.025).f == 1
    assert chance_f(wanted, wanted + 0.01, 0.025, 10) < 0.15


@given(wanted=times, found=times, window_s=windows, shift_s=st.floats(0, 1))
def test_chance_lies_between_0_and_1_and_does_not_know_the_lag(wanted, found, window_s, shift_s):
    chance = chance_f(wanted, found, window_s, 1.0)
    assert 0 <= chance <= 1
    turned = (np.array(found) + shift_s) % 1
    assert chance_f(wanted, turned, window_s, 1.0) == pytest.approx(chance, abs=0.1)


def test_chance_depends_on_the_seed_and_hardly_on_that() -> None:
    wanted, found = np.random.default_rng(2).uniform(0, 10, (2, 12))
    assert chance_f(wanted, found, 0.05, 10) == chance_f(wanted[::-1], found[::-1], 0.05, 10)
    drawn = [chance_f(wanted, found, 0.05, 10, seed=seed) for seed in range(5)]
    assert 0 < np.ptp(drawn) < 0.02


def test_average_precision_by_hand() -> None:
    # falling confidence: hit, miss, hit; of three references one is never reached
    found, confidences = [1.0, 5.0, 2.0], [0.9, 0.8, 0.7]
    assert average_precision([1.0, 2.0, 3.0], found, confidences, 0.05) == pytest.approx(
        (1 / 1 + 2 / 3) / 3
    )
    assert average_precision([1.0, 2.0], found, [0.9, 0.1, 0.7], 0.05) == 1
    assert average_precision([1.0, 2.0], found, [0.5, 0.5, 0.5], 0.05) == pytest.approx(2 / 3)


def test_average_precision_without_references_or_predictions() -> None:
    assert average_precision([], [1.0], [1.0], 0.05) is None
    assert average_precision([1.0], [], [], 0.05) == 0


@given(
    wanted=times,
    found=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), max_size=6),
    seed=st.integers(0, 99),
)
def test_average_precision_is_at_most_recall_and_ignores_order_and_scale(wanted, found, seed):
    predicted = np.array([time / 100 for time, _ in found])
    confidences = np.array([confidence for _, confidence in found], float)
    area = average_precision(wanted, predicted, confidences, 0.05)
    if not wanted:
        assert area is None
        return
    assert 0 <= area <= onset_score(wanted, predicted, 0.05).recall + 1e-12
    order = np.random.default_rng(seed).permutation(len(found))
    assert average_precision(wanted, predicted[order], 3 * confidences[order] + 1, 0.05) == (
        pytest.approx(area)
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: onset_score([np.nan], [1.0], 0.05),
        lambda: onset_score([[1.0]], [1.0], 0.05),
        lambda: onset_score([1.0], [1.0], -0.1),
        lambda: chance_f([1.0], [1.0], 0.05, 0.0),
        lambda: average_precision([1.0], [1.0], [0.5, 0.5], 0.05),
        lambda: average_precision([1.0], [1.0], [np.nan], 0.05),
        lambda: sorted_times([np.inf]),
    ],
)
def test_malformed_input_is_refused(call) -> None:
    with pytest.raises(ValueError, match=r"need|must|longer"):
        call()
