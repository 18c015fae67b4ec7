"""Ranking: the sound of the class wins, and the one in time with the picture."""

from __future__ import annotations

import numpy as np
import pytest

from foleycli.checkpoints import load_checkpoint
from foleycli.dsp.action import series_from_events
from foleycli.sound_codes.ranking import ClassRanking, SyncRanking
from foleycli.sound_embedding import SoundEmbedder

RATE_HZ = 22_050
TIMES_S = [0.5, 1.1, 1.9, 2.6]


def _clicks(times_s: list[float], seconds: float = 3.5) -> np.ndarray:
    sound = np.zeros(round(seconds * RATE_HZ), np.float32)
    burst = np.random.default_rng(0).standard_normal(800) * np.exp(-np.arange(800) / 200)
    for time in times_s:
        first = round(time * RATE_HZ)
        sound[first : first + 800] += 0.3 * burst.astype(np.float32)
    return sound


def test_a_sound_in_time_scores_above_one_that_is_not() -> None:
    ranking = SyncRanking(series_from_events(TIMES_S, [1.0] * 4, 3.5))
    scores = [
        ranking.score(_clicks([t + late for t in TIMES_S]), RATE_HZ) for late in (0, 0.15, 0.3)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.8
    assert ranking.score(_clicks([]), RATE_HZ) == 0
    assert SyncRanking(series_from_events([], [], 3.5)).score(_clicks(TIMES_S), RATE_HZ) == 0


def test_the_classifiers_probability_is_the_score() -> None:
    listener = SoundEmbedder.from_checkpoint(load_checkpoint("classifier"))
    sound = _clicks(TIMES_S)
    scores = {name: ClassRanking(listener, name).score(sound, RATE_HZ) for name in listener.classes}
    assert sum(np.exp(list(scores.values()))) == pytest.approx(1)
    assert max(scores.values()) <= 0
    with pytest.raises(ValueError, match="--rank classifier: it does not know 'unicorn', but: "):
        ClassRanking(listener, "unicorn")
