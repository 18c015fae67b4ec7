"""Action series and S_act: pulses where events are, columns where time is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.dsp.action import ACTION_FPS, ActionSeries, action_spectrogram, series_from_events


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), max_size=8), st.floats(0.01, 3))
def test_series_stays_in_range_and_covers_the_clip(
    events: list[tuple[float, float]], duration: float
) -> None:
    series = series_from_events([t for t, _ in events], [s for _, s in events], duration)
    assert len(series.values) == int(np.ceil(duration * ACTION_FPS - 1e-9))
    assert series.values.min(initial=0) >= 0
    assert series.values.max(initial=0) <= 1


def test_pulse_stands_at_its_event_with_its_strength() -> None:
    series = series_from_events([1.0, 2.0], [0.8, 0.4], 3.0)
    assert series.values[30] == pytest.approx(0.8)
    assert series.values[60] == pytest.approx(0.4)
    assert series.values[45] < 1e-3


def test_s_act_column_matches_audio_time() -> None:
    series = series_from_events([1.5], [1.0], 3.0)
    picture = action_spectrogram(
        series, rows=64, columns=300, duration_s=3.0, third_channel="series"
    )
    assert picture.shape == (3, 64, 300)
    assert picture[2, 0].argmax() in (149, 150)
    loud = picture[0].mean(0)
    assert loud[140:160].mean() > loud[:60].mean() + 0.3


def test_nothing_happening_draws_the_floor() -> None:
    picture = action_spectrogram(
        ActionSeries(np.zeros(90, np.float32)), rows=16, columns=64, duration_s=3.0
    )
    assert (picture[0] == -1).all()
    assert (picture[2] == 0).all()


def test_level_is_not_normalised_per_clip() -> None:
    weak, strong = (
        action_spectrogram(series_from_events([1.0], [s], 3.0), rows=16, columns=64, duration_s=3.0)
        for s in (0.1, 1.0)
    )
    assert (strong[0] - weak[0]).max() == pytest.approx(
        2 * 20 / 80, abs=0.02
    )  # 20 dB of an 80 dB range


def test_short_series_is_followed_by_silence() -> None:
    series = ActionSeries(np.ones(10, np.float32))
    picture = action_spectrogram(series, rows=8, columns=90, duration_s=3.0, third_channel="series")
    assert picture[2, 0, 5] == pytest.approx(1)
    assert (picture[2, 0, 20:] == -1).all()
