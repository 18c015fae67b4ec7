from __future__ import annotations

import numpy as np
import pytest

from foleycli.survey.eventful import is_eventful

RATE_HZ = 16_000


def clicks(times_s: list[float], seconds: float = 6.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    sound = 1e-4 * rng.standard_normal(round(seconds * RATE_HZ))
    ring = np.exp(-np.arange(1600) / 200) * rng.standard_normal(1600)
    for time_s in times_s:
        begin = round(time_s * RATE_HZ)
        sound[begin : begin + 1600] += ring
    return sound


def test_a_few_clicks_are_heard_to_be_late() -> None:
    assert is_eventful(clicks([0.4, 1.7, 2.1, 4.4]), RATE_HZ, 500)
    assert is_eventful(clicks([2.0]), RATE_HZ, -500)


def test_an_event_that_a_shift_would_cut_off_is_none() -> None:
    assert not is_eventful(clicks([0.2]), RATE_HZ, -500)
    assert not is_eventful(clicks([5.7]), RATE_HZ, 500)


def test_rain_is_not() -> None:
    noise = np.random.default_rng(1).standard_normal(6 * RATE_HZ)
    assert not is_eventful(noise, RATE_HZ, 500)


@pytest.mark.parametrize("period_s", [0.5, 0.25, 0.48])
def test_nor_is_a_clock_that_ticks_as_often_as_it_is_shifted(period_s: float) -> None:
    ticks = [0.1 + k * period_s for k in range(int(5.5 / period_s))]
    assert not is_eventful(clicks(ticks), RATE_HZ, 500)
    assert is_eventful(clicks(ticks[:: round(1.5 / period_s)]), RATE_HZ, 500)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_what_is_too_short_or_silent_is_not(seconds: float) -> None:
    assert not is_eventful(np.zeros(round(seconds * RATE_HZ)), RATE_HZ, 500)
    assert not is_eventful(np.zeros(4 * RATE_HZ), RATE_HZ, 500)


def test_real_clips(shared) -> None:
    from foleycli.media.audio import read_audio

    found = {
        name: is_eventful(*read_audio(shared / "data" / "video" / name, rate_hz=48_000), 500)
        for name in ("dog/avsync15_dog_barking.mp4", "waterfall/vgg_7fRaV39Y2o.mp4")
    }
    assert list(found.values()) == [True, False]
