"""CondFoleyGen's metrics and their copies: the definitions by hand, and each defect by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from foleycli.metrics.condfoleygen import (
    condfoleygen,
    label_average_precision,
    mmaudio,
    score_onsets,
    suppress,
    syncfusion,
)
from foleycli.metrics.librosa_onsets import CONDFOLEYGEN_DELTA, librosa_onsets
from foleycli.metrics.onset_matching import average_precision, onset_score

RATE = 22_050


def samples(*times_s: float) -> np.ndarray:
    return np.round(np.array(times_s) * RATE).astype(np.int64)


def spikes(seconds: float, levels: dict[float, float]) -> np.ndarray:
    """One sample of each level, at each time."""
    sound = np.zeros(round(seconds * RATE))
    sound[samples(*levels)] = list(levels.values())
    return sound


def clicks(seconds: float, *times_s: float, level: float = 0.9) -> np.ndarray:
    """Bursts that librosa finds, on a floor of noise."""
    generator = np.random.default_rng(0)
    sound = 1e-4 * generator.standard_normal(round(seconds * RATE))
    for start in samples(*times_s):
        length = min(4000, len(sound) - start)
        burst = generator.standard_normal(length) * np.exp(-np.arange(length) / 400)
        sound[start : start + length] += level * burst / np.abs(burst).max()
    return sound.astype(np.float32)


def test_figures_of_a_clip_by_hand() -> None:
    # hits at 0.5 (0.6) and 1.5 (1.0); the target at 1.0 has nothing in 100 ms; 1.8 (0.8) is extra
    wanted, got = samples(0.5, 1.0, 1.5), samples(0.52, 1.2, 1.55)
    levels = {0.52: 0.6, 1.2: 0.8, 1.55: 1.0}
    score = score_onsets(wanted, got, spikes(2, levels), 0.1)
    assert score.equal_count
    assert score.accuracy == 2 / 3
    # falling confidence: 1.0 hit, 0.8 extra, 0.6 hit, 0 missed
    expected = average_precision_score([1, 1, 1, 0], [0.6, 0, 1.0, 0.8])
    assert score.average_precision == pytest.approx(expected) == (1 + 2 / 3 + 3 / 4) / 3


def test_of_several_candidates_the_loudest_own_sample_is_taken() -> None:
    sound = spikes(2, {1.0: 0.4, 1.07: 1.0, 1.15: 0.2})
    # 1.05 prefers 1.07 to the nearer-in-time 1.0, and 1.16 is left with 1.15
    near = score_onsets(samples(1.05, 1.16), samples(1.0, 1.07, 1.15), sound, 0.1)
    assert near.accuracy == 1


def test_the_window_is_open() -> None:
    sound = spikes(2, {1.1: 1.0})
    assert score_onsets(samples(1.0), samples(1.1), sound, 0.1).accuracy == 0
    assert score_onsets(samples(1.0), samples(1.0999), sound, 0.1).accuracy == 1


def test_ap_is_inflated_when_generated_onsets_run_out() -> None:
    wanted, got = samples(0.5, 0.8, 1.1, 1.4, 1.7), samples(0.5)
    score = score_onsets(wanted, got, spikes(2, {0.5: 1.0}), 0.1)
    assert score.accuracy == 1 / 5
    assert score.average_precision == 1  # four missed targets were never counted
    assert average_precision(wanted / RATE, got / RATE, [1.0], 0.1) == 1 / 5


def test_ap_is_1_for_a_sound_without_onsets() -> None:
    score = score_onsets(samples(0.5, 1.0), samples(), np.zeros(2 * RATE), 0.1)
    assert (score.accuracy, score.average_precision) == (0, 1)
    assert average_precision([0.5, 1.0], [], [], 0.1) == 0


def test_greedy_matching_by_loudness_loses_hits() -> None:
    sound = spikes(2, {0.95: 0.5, 1.05: 1.0})
    wanted, got = samples(1.0, 1.1), samples(0.95, 1.05)
    assert score_onsets(wanted, got, sound, 0.1).accuracy == 1 / 2
    assert onset_score(wanted / RATE, got / RATE, 0.1).recall == 1


def test_suppression_skips_the_neighbour_of_what_it_removes() -> None:
    onsets, confidences = samples(1.0, 1.02, 1.04, 1.3), np.array([1.0, 0.5, 0.4, 0.9])
    # 1.02 is removed; 1.04, next in the list, is not looked at and stays
    assert suppress(onsets, confidences).tolist() == samples(1.0, 1.04, 1.3).tolist()


def test_suppression_keeps_the_more_confident() -> None:
    assert suppress(samples(1.0, 1.04), np.array([0.4, 0.9])).tolist() == samples(1.04).tolist()
    assert len(suppress(samples(1.0, 1.06), np.array([0.4, 0.9]))) == 2
    assert len(suppress(samples(), np.array([]))) == 0


def test_an_onset_in_the_first_50_ms_is_scored_where_the_reference_crashes() -> None:
    sound = spikes(2, {0.02: 1.0, 1.0: 0.5})
    with pytest.raises(ValueError, match="zero-size"):
        sound[441 - 1102 : 441 + 1102].max()  # the slice that the reference takes
    score = score_onsets(samples(0.02, 1.0), samples(0.02, 1.0), sound, 0.1)
    assert (score.accuracy, score.average_precision) == (1, 1)


def test_an_onset_behind_the_last_sample_is_scored_where_the_reference_crashes() -> None:
    sound = spikes(2, {1.0: 0.5})
    sound[-1] = 1
    onsets = np.array([RATE, len(sound)])  # librosa's last frame is centred there
    assert score_onsets(onsets, onsets, sound, 0.1).accuracy == 1


def test_without_targets_there_is_no_recall_and_without_any_onset_no_ap() -> None:
    assert score_onsets(samples(), samples(1.0), spikes(2, {1.0: 1}), 0.1).average_precision == 0
    nothing = score_onsets(samples(), samples(), np.zeros(2 * RATE), 0.1)
    assert (nothing.equal_count, nothing.accuracy, nothing.average_precision) == (True, 0, None)


@given(
    labelled=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 4).map(float)), min_size=1
    ).filter(lambda pairs: any(label for label, _ in pairs))
)
def test_average_precision_is_that_of_scikit_learn(labelled):
    labels, scores = (list(column) for column in zip(*labelled, strict=True))
    assert label_average_precision(labels, scores) == pytest.approx(
        average_precision_score(labels, scores)
    )


@given(
    wanted=st.lists(st.integers(3, 85), max_size=8, unique=True).map(sorted),
    got=st.lists(st.integers(3, 85), max_size=8, unique=True).map(sorted),
    seed=st.integers(0, 99),
)
def test_figures_are_bounded_and_the_matching_is_at_most_the_largest(wanted, got, seed):
    targets, onsets = 512 * np.array(wanted, int), 512 * np.array(got, int)
    sound = np.random.default_rng(seed).standard_normal(2 * RATE)
    score = score_onsets(targets, onsets, sound, 0.1)
    assert 0 <= score.accuracy <= onset_score(targets / RATE, onsets / RATE, 0.1).recall + 1e-12
    assert score.average_precision is None or 0 <= score.average_precision <= 1
    louder = score_onsets(targets, onsets, 3 * sound, 0.1)
    assert louder.average_precision == pytest.approx(score.average_precision)


def test_waveforms_are_detected_and_compared() -> None:
    wanted = clicks(2, 0.4, 1.0, 1.6)
    assert len(librosa_onsets(wanted, CONDFOLEYGEN_DELTA)) == 3
    same = condfoleygen(wanted, wanted)
    assert (same.equal_count, same.accuracy, same.average_precision) == (True, 1, 1)
    late = condfoleygen(wanted, clicks(2, 0.6, 1.2, 1.8))
    assert (late.equal_count, late.accuracy) == (True, 0)


def test_a_clip_is_cut_to_whole_seconds_by_condfoleygen_and_not_by_syncfusion() -> None:
    wanted, got = clicks(2.9, 0.5, 1.5), clicks(2.9, 0.5, 1.5, 2.4)
    assert condfoleygen(wanted, got).equal_count
    assert not syncfusion(wanted, got).equal_count


def test_syncfusion_gives_0_where_either_sound_has_no_onset() -> None:
    silence, sound = np.zeros(2 * RATE, np.float32), clicks(2, 0.5, 1.0)
    for score in (syncfusion(silence, sound), syncfusion(sound, silence)):
        assert (score.equal_count, score.accuracy, score.average_precision) == (False, 0, 0)
    assert not syncfusion(silence, silence).equal_count  # though none equals none
    assert condfoleygen(silence, silence).equal_count
    assert syncfusion(sound, sound) == condfoleygen(sound, sound)


def test_mmaudios_window_is_300_ms() -> None:
    sound = clicks(8, 1.0, 3.0, 5.0)
    found_s = librosa_onsets(sound, 0.3) / RATE
    assert len(found_s) == 3
    assert mmaudio(found_s - 0.29, sound).accuracy == 1
    assert mmaudio(found_s - 0.31, sound).accuracy == 0
    assert mmaudio(found_s - 0.29, sound).f1 == 1
    assert onset_score(found_s - 0.29, found_s, 0.1).f == 0  # where 100 ms are asked for


def test_mmaudio_hears_8_seconds() -> None:
    sound = clicks(10, 1.0, 9.0)
    found_s = librosa_onsets(sound[: 8 * RATE], 0.3) / RATE
    assert mmaudio([*found_s, 9.0], sound).accuracy == 1


def test_mmaudios_levels_are_normalised_without_absolute_value() -> None:
    # an extra onset before, negative alone: of |level| 1 it would be the surest, here it is not
    sound = clicks(8, 1.0, 3.0, level=0.6)
    near = slice(int(2.9 * RATE), int(3.3 * RATE))
    sound[near] = -np.abs(sound[near]) * 1.5
    onsets = librosa_onsets(sound, 0.3)
    assert len(onsets) == 2
    first_s = onsets[0] / RATE
    assert mmaudio([first_s], sound).average_precision == 1
    assert score_onsets(onsets[:1], onsets, sound, 0.3).average_precision == 1 / 2


def test_mmaudio_looks_candidates_up_in_the_list_that_did_not_shrink(monkeypatch) -> None:
    onsets = samples(1.0, 2.0, 2.2)
    monkeypatch.setattr("foleycli.metrics.condfoleygen.librosa_onsets", lambda *_: onsets)
    sound = spikes(8, {1.0: 0.5, 2.0: 0.3, 2.2: 0.4})
    targets_s = [1.0, 1.95, 2.4]
    # Rightly, 1.95 takes 2.2, the louder, and leaves 2.4 nothing within 300 ms. With 1.0 used,
    # MMAudio looks 2.0 and 2.2 up as 1.0 and 2.0, and takes 2.0 for the louder.
    assert score_onsets(samples(*targets_s), onsets, sound, 0.3).accuracy == 2 / 3
    assert mmaudio(targets_s, sound).accuracy == 1


def test_mmaudios_f1_is_scikit_learns_over_the_labels_collected() -> None:
    sound = clicks(8, 1.0, 3.0, 5.0, 7.0)
    found_s = librosa_onsets(sound, 0.3) / RATE
    targets_s = [found_s[0], 2.0, found_s[2]]  # the second has none, two onsets are extra
    score = mmaudio(targets_s, sound)
    assert score.accuracy == 2 / 3
    assert score.f1 == pytest.approx(f1_score([1, 1, 1, 0, 0], [1, 0, 1, 1, 1]))


def test_mmaudio_without_any_onset_is_undefined() -> None:
    score = mmaudio([], np.zeros(8 * RATE, np.float32))
    assert (score.accuracy, score.average_precision, score.f1) == (0, None, None)
    silent = mmaudio([1.0, 2.0], np.zeros(8 * RATE, np.float32))
    assert (silent.accuracy, silent.average_precision, silent.f1) == (0, 1, 0)


@pytest.mark.parametrize("sound", [np.zeros((2, RATE)), np.zeros(100), np.full(RATE, np.inf)])
def test_malformed_sound_is_refused(sound: np.ndarray) -> None:
    for call in (lambda: condfoleygen(sound, sound), lambda: mmaudio([1.0], sound)):
        with pytest.raises(ValueError, match="need"):
            call()
