"""Referees of pictures: ranks and verdicts become figures; without a referee there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.judged_pictures import picture_figures
from foleycli.evaluation.report import Figure
from foleycli.evaluation.set_figures import Options
from foleycli.evaluation.sides import Sample
from foleycli.metrics.resampling import wilson_interval

CLASSES = [f"class {n}" for n in range(8)]
OPTIONS = Options(frozenset(METRICS), level=0.9)


class Ranker:
    """Sees in a picture the class that its name says."""

    def embed_image(self, picture: Path) -> np.ndarray:
        return np.eye(len(CLASSES), dtype=np.float32)[int(picture.stem)]

    def embed_classes(self, names: list[str]) -> np.ndarray:
        return np.eye(len(CLASSES), dtype=np.float32)[[CLASSES.index(name) for name in names]]


class Judge:
    """Knows two classes, and that pictures called 7 show nothing."""

    def judge(self, picture: Path, label: str) -> bool | None:
        return picture.stem != "7" if label in CLASSES[:2] else None


def pictures(*shown_and_meant: tuple[int, int]) -> list[Sample]:
    return [
        Sample(f"{n}", CLASSES[meant], Path(f"{shown}.png"))
        for n, (shown, meant) in enumerate(shown_and_meant)
    ]


def judged(given: list[Sample], classes: list[str] = CLASSES, **more: Any) -> dict:
    made = {"options": OPTIONS, "system": "ours", **more}
    found: list[Figure] = picture_figures(given, classes, **made)
    assert {figure.system for figure in found} <= {"ours"}
    return {(figure.metric, figure.label): figure for figure in found}


def test_class_names_are_ranked_among_all_classes() -> None:
    given = pictures((0, 0), (1, 1), (2, 2), (3, 4))
    found = judged(given, ranker=Ranker())
    assert found.keys() == {("clip_r1", ""), ("clip_r5", ""), ("clip_rank", "")}
    assert (found["clip_r1", ""].value, found["clip_r1", ""].count) == (3 / 4, 4)
    assert found["clip_r1", ""].low == wilson_interval(3, 4, 0.9).low
    assert found["clip_r1", ""].note == "chance 0.125"
    assert found["clip_rank", ""].value == 1
    assert found["clip_r5", ""].value == 1  # a tie with six others: rank 5 in the mean


def test_pictures_that_say_something_are_counted_by_class() -> None:
    given = pictures((0, 0), (7, 0), (7, 0), (1, 1), (5, 5))
    found = judged(given, judge=Judge())
    assert found["informativity", "class 0"].value == 1 / 3
    assert found["informativity", "class 0"].high == wilson_interval(1, 3, 0.9).high
    assert found["informativity", "class 1"].value == 1
    whole = found["informativity", ""]
    assert (whole.value, whole.count) == ((1 / 3 + 1) / 2, 4)
    assert whole.note == "1 pictures are of classes without a network"
    assert ("informativity", "class 5") not in found
    assert judged(given[:4], judge=Judge())["informativity", ""].note == ""


def test_referees_that_are_not_there_and_figures_not_asked_for_are_left_out() -> None:
    given = pictures((0, 0), (1, 1))
    assert judged(given) == {}
    some = Options(frozenset({"clip_r5"}))
    found = judged(given, ranker=Ranker(), judge=Judge(), options=some)
    assert found.keys() == {("clip_r5", "")}


def test_what_no_referee_can_say_has_a_reason() -> None:
    found = judged(pictures((5, 5)), judge=Judge())
    assert found["informativity", ""].value is None
    assert "no picture's class has an informativity network" in found["informativity", ""].note
    found = judged(pictures((5, 5)), CLASSES[:3], ranker=Ranker())
    assert {(f.value, f.note) for f in found.values()} == {
        (None, "pictures of unknown class class 5")
    }
    assert {metric for metric, _ in found} == {"clip_r1", "clip_r5", "clip_rank"}


def test_ranks_that_any_ranking_reaches_say_so() -> None:
    found = judged(pictures((0, 0), (1, 1)), CLASSES[:3], ranker=Ranker())
    assert found["clip_r5", ""].value is None
    assert "3 classes" in found["clip_r5", ""].note


def test_without_pictures_of_a_class_the_reason_is_said_in_words() -> None:
    assert "stack" not in judged([], ranker=Ranker())["clip_r1", ""].note


def test_progress_counts_pictures() -> None:
    told: list[tuple[int, int]] = []
    judged(pictures((0, 0), (1, 1)), judge=Judge(), progress=lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]
