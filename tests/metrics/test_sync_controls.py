"""Control rows: every metric must tell them apart, and steps of 200 ms cannot."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.dsp.onsets import ONSET_RATE_HZ, detect_onsets
from foleycli.metrics.av_align import peak_agreement
from foleycli.metrics.envelope_l1 import VIDEO_FOLEY_RATE_HZ, envelope_distance
from foleycli.metrics.onset_matching import onset_score
from foleycli.metrics.sync_controls import (
    GROUND_TRUTH,
    SHUFFLED,
    control_rows,
    delayed_times,
    delayed_waveform,
    derangement,
    sync_gap,
)

ROWS = [GROUND_TRUTH, "+40 ms", "+100 ms", "+200 ms", SHUFFLED]


def hits_s(seed: int) -> np.ndarray:
    """Onsets at least 300 ms apart, in 8 s."""
    generator = np.random.default_rng(seed)
    return 0.3 + np.cumsum(generator.uniform(0.3, 1.2, 9))


def sound_of(times_s: np.ndarray, rate_hz: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    sound = 1e-4 * generator.standard_normal(12 * rate_hz)
    for time in times_s:
        length = rate_hz // 5
        burst = generator.standard_normal(length) * np.exp(-np.arange(length) / (0.03 * rate_hz))
        sound[round(time * rate_hz) :][:length] += 0.2 * burst
    return sound.astype(np.float32)


def means(rows: dict[str, dict[str, float]]) -> list[float]:
    assert list(rows) == ROWS
    return [float(np.mean(list(rows[name].values()))) for name in ROWS]


CLIPS_S = {f"clip{k}": hits_s(k) for k in range(8)}
SOME_S = dict(list(CLIPS_S.items())[:3])  # to be made into sound


def desync_like(reference_s: np.ndarray, predicted_s: np.ndarray) -> float:
    """Median offset as a classifier in steps of 200 ms would name it, ties going to synchrony."""
    offset_s = onset_score(reference_s, predicted_s, 0.25).median_abs_offset_s or 0.0
    return 0.2 * np.ceil(offset_s / 0.2 - 0.5 - 1e-6)


def test_onset_f_tells_40_from_100_ms_and_steps_of_200_ms_do_not() -> None:
    f_50 = means(
        control_rows(lambda a, b: onset_score(a, b, 0.05).f, CLIPS_S, CLIPS_S, delayed_times)
    )
    assert f_50[:2] == [1, 1]
    assert max(f_50[2:4]) == 0
    f_25 = means(
        control_rows(lambda a, b: onset_score(a, b, 0.025).f, CLIPS_S, CLIPS_S, delayed_times)
    )
    assert f_25[0] == 1
    assert f_25[1] == 0  # 25 ms tell 40 ms from synchrony
    steps = means(control_rows(desync_like, CLIPS_S, CLIPS_S, delayed_times))
    assert steps[:3] == [0, 0, 0]
    assert steps[3] == pytest.approx(0.2)


def test_the_median_offset_is_the_shift() -> None:
    offsets = means(
        control_rows(
            lambda a, b: onset_score(a, b, 0.25).median_offset_s or 0.0,
            CLIPS_S,
            CLIPS_S,
            delayed_times,
        )
    )
    assert offsets[:4] == pytest.approx([0, 0.04, 0.1, 0.2])


def test_onsets_detected_in_shifted_sound_tell_40_from_100_ms() -> None:
    sounds = {name: sound_of(times_s, ONSET_RATE_HZ) for name, times_s in SOME_S.items()}

    def f_50(reference: np.ndarray, generated: np.ndarray) -> float:
        onsets = (detect_onsets(sound, ONSET_RATE_HZ)[0] for sound in (reference, generated))
        return onset_score(*onsets, 0.05).f

    delay = partial(_delay, rate_hz=ONSET_RATE_HZ)
    rows = means(control_rows(f_50, sounds, sounds, delay))
    assert rows[0] == 1
    assert rows[1] > 0.9
    assert rows[2] < 0.1
    assert rows[4] < 0.5


def test_av_alignment_tells_40_from_100_ms() -> None:
    rows = means(
        control_rows(
            lambda seen, heard: peak_agreement(heard, seen, 0.05).iou,
            CLIPS_S,
            CLIPS_S,
            delayed_times,
        )
    )
    assert rows[:2] == [1, 1]
    assert rows[2] == 0


def test_envelopes_tell_every_row_apart() -> None:
    sounds = {name: sound_of(times_s, VIDEO_FOLEY_RATE_HZ) for name, times_s in SOME_S.items()}
    delay = partial(_delay, rate_hz=VIDEO_FOLEY_RATE_HZ)
    distances = means(
        control_rows(lambda a, b: envelope_distance(a, b).distance, sounds, sounds, delay)
    )
    assert distances[0] == 0
    assert distances[:3] == sorted(distances[:3])
    assert distances[2] > 1.3 * distances[1]
    lags = means(control_rows(lambda a, b: envelope_distance(a, b).lag_s, sounds, sounds, delay))
    assert lags[:4] == pytest.approx([0, 0.04, 0.1, 0.2], abs=0.009)  # frames of 8 ms


def test_the_sync_gap_is_0_for_a_system_that_always_sounds_alike() -> None:
    def f_50(seen: np.ndarray, heard: np.ndarray) -> float:
        return onset_score(seen, heard, 0.05).f

    assert sync_gap(f_50, CLIPS_S, CLIPS_S) > 0.7
    alike = dict.fromkeys(CLIPS_S, np.arange(0, 10, 0.5))
    assert sync_gap(f_50, CLIPS_S, alike) == 0


def test_the_sync_gap_leaves_out_what_is_undefined() -> None:
    assert sync_gap(lambda *_: None, CLIPS_S, CLIPS_S) is None
    assert sync_gap(lambda a, b: 1.0, {"one": 1}, {"one": 1}) is None  # nothing to shuffle with


@given(
    count=st.integers(0, 12),
    labels=st.lists(st.sampled_from("abc"), min_size=12, max_size=12),
    seed=st.integers(0, 99),
)
def test_a_derangement_moves_every_clip_within_its_class(count, labels, seed):
    names = [f"clip{k}" for k in range(count)]
    classes = dict(zip(names, labels, strict=False))
    places = derangement(names, classes, seed)
    assert sorted(places) == sorted(places.values()) == list(places)
    assert all(name != other and classes[name] == classes[other] for name, other in places.items())
    alone = [name for name in names if list(classes.values()).count(classes[name]) == 1]
    assert sorted([*places, *alone]) == sorted(names)
    assert derangement(names[::-1], classes, seed) == places


def test_seeds_shuffle_differently() -> None:
    assert len({tuple(derangement(CLIPS_S, seed=seed).values()) for seed in range(5)}) > 1


def test_a_single_clip_has_no_shuffled_row() -> None:
    rows = control_rows(
        lambda a, b: onset_score(a, b, 0.05).f,
        {"one": CLIPS_S["clip0"]},
        {"one": CLIPS_S["clip0"]},
        delayed_times,
    )
    assert rows[SHUFFLED] == {}
    assert rows[GROUND_TRUTH] == {"one": 1}


def test_the_order_of_clips_does_not_matter() -> None:
    backwards = dict(reversed(CLIPS_S.items()))
    score = partial(_f, window_s=0.05)
    assert control_rows(score, backwards, backwards, delayed_times) == (
        control_rows(score, CLIPS_S, CLIPS_S, delayed_times)
    )


def test_a_delayed_waveform_keeps_its_samples_and_makes_no_onset() -> None:
    sound = np.arange(10, dtype=np.float32)
    late = delayed_waveform(sound, 10, 0.3)
    assert late.tolist() == [7, 8, 9, 0, 1, 2, 3, 4, 5, 6]
    assert late.dtype == np.float32
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * ONSET_RATE_HZ)
    silence_first = np.concatenate([np.zeros(2205), noise[:-2205]])
    assert np.abs(detect_onsets(silence_first, ONSET_RATE_HZ)[0] - 0.1).min() < 0.02
    turned = delayed_waveform(noise, ONSET_RATE_HZ, 0.1)
    assert not (np.abs(detect_onsets(turned, ONSET_RATE_HZ)[0] - 0.1) < 0.02).any()


def test_unpaired_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="unpaired: two"):
        control_rows(_f, {"one": 1}, {"one": 1, "two": 2}, delayed_times)


def _delay(sound: np.ndarray, shift_s: float, *, rate_hz: int) -> np.ndarray:
    return delayed_waveform(sound, rate_hz, shift_s)


def _f(reference_s: np.ndarray, predicted_s: np.ndarray, *, window_s: float) -> float:
    return onset_score(reference_s, predicted_s, window_s).f
