"""AV-Align: the published definition with its defects, and the corrected one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.metrics.av_align import av_align, av_align_audio_peaks_s, peak_agreement

times = st.lists(st.integers(0, 60).map(lambda k: k / 100), max_size=8)


def test_av_align_is_intersection_over_union() -> None:
    assert av_align([1.0, 2.0, 3.0], [1.01, 2.02, 5.0, 6.0], 30) == 2 / (3 + 4 - 2)
    assert av_align([1.0], [1.0], 30) == 1
    assert av_align([1.0], [], 30) == 0


def test_av_aligns_window_depends_on_the_frame_rate() -> None:
    heard, seen = np.arange(1, 9) + 0.1, np.arange(1, 9)
    assert av_align(heard, seen, 30) == 0  # 33 ms
    assert av_align(heard, seen, 8) == 1  # 125 ms
    agreement = peak_agreement(heard, seen, 0.1)
    assert agreement.iou == 1
    assert peak_agreement(heard, seen, 0.05).iou == 0


def test_av_aligns_window_is_open() -> None:
    assert av_align([1.25], [1.0], 4) == 0
    assert av_align([1.2499], [1.0], 4) == 1
    assert peak_agreement([1.25], [1.0], 0.25).iou == 1


@given(heard=times, seen=times)
def test_av_aligns_matching_in_order_of_time_loses_no_pair(heard, seen):
    # peaks lie on a grid of 10 ms, so that a window open at 50 ms is one that ends before it
    assert av_align(heard, seen, 20) == peak_agreement(heard, seen, 0.05 - 1e-6).iou


def test_one_peak_of_motion_serves_one_onset_as_after_the_fix_of_2025() -> None:
    heard = [1.0, 1.005, 1.01]
    assert av_align(heard, [1.0], 30) == 1 / 3  # before it 3 / (3 + 1 - 3) = 3
    assert peak_agreement(heard, [1.0], 0.05).iou == 1 / 3


def test_nothing_heard_and_nothing_seen_is_undefined() -> None:
    assert av_align([], [], 30) is None
    agreement = peak_agreement([], [], 0.05)
    assert agreement.iou is agreement.precision is agreement.recall is None
    assert (agreement.audio_peaks, agreement.video_peaks, agreement.hits) == (0, 0, 0)
    silent = peak_agreement([], [1.0, 2.0], 0.05)
    assert (silent.precision, silent.recall, silent.iou) == (None, 0, 0)


@given(heard=times, seen=times)
def test_the_corrected_score_is_bounded_symmetric_and_never_below_the_published(heard, seen):
    published = av_align(heard, seen, 20)
    agreement = peak_agreement(heard, seen, 0.05)
    swapped = peak_agreement(seen, heard, 0.05)
    assert (swapped.iou, swapped.precision) == (agreement.iou, agreement.recall)
    if published is None:
        assert agreement.iou is None
    else:
        assert 0 <= published <= agreement.iou <= 1


@given(heard=times, seen=times, seed=st.integers(0, 9))
def test_the_order_of_peaks_does_not_matter(heard, seen, seed):
    generator = np.random.default_rng(seed)
    assert av_align(generator.permutation(heard), generator.permutation(seen), 15) == (
        av_align(heard, seen, 15)
    )


def test_audio_peaks_are_found_where_the_clicks_are() -> None:
    clicks_s = np.array([0.5, 1.25, 2.0])
    sound = 1e-3 * np.random.default_rng(0).standard_normal(3 * 22_050)
    for start in (clicks_s * 22_050).astype(int):
        sound[start : start + 2000] += np.exp(-np.arange(2000) / 300)
    peaks_s = av_align_audio_peaks_s(sound.astype(np.float32))
    nearest = np.abs(peaks_s[:, None] - clicks_s).min(axis=0)
    assert nearest.max() < 0.04  # a hop is 23 ms
    assert (np.round(peaks_s * 22_050) % 512 == 0).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: av_align([1.0], [1.0], 0),
        lambda: av_align([np.nan], [1.0], 30),
        lambda: peak_agreement([1.0], [1.0], -1),
        lambda: av_align_audio_peaks_s(np.zeros((2, 22_050))),
        lambda: av_align_audio_peaks_s(np.zeros(100)),
        lambda: av_align_audio_peaks_s(np.full(22_050, np.nan)),
    ],
)
def test_malformed_input_is_refused(call) -> None:
    with pytest.raises(ValueError, match=r"need|must|more than"):
        call()
