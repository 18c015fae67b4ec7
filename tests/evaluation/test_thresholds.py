"""Limits: what is read, what fails, and what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.evaluation.report import Figure, Report
from foleycli.evaluation.thresholds import failed_thresholds, parse_threshold

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("words", "limit"),
    [("fd=2", ("fd", 2.0)), (" onset_f_50 = 1e-1 ", ("onset_f_50", 0.1)), ("is=-3", ("is", -3.0))],
)
def test_limit_is_read(words: str, limit: tuple[str, float]) -> None:
    assert parse_threshold(words) == limit


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fd", "a limit is METRIC=VALUE, as fd=2.5, not fd"),
        ("mlk=2", "no metric mlk; near it: mkl"),
        ("FD=2", "no metric FD; near it: fd"),
        ("zzzzzz=2", "no metric zzzzzz$"),
        ("=2", "no metric"),
        ("fd=", "fd has to be a finite number, got nothing"),
        ("fd=low", "finite number, got low"),
        ("fd=nan", "finite number, got nan"),
        ("fd=-inf", "finite number, got -inf"),
    ],
)
def test_what_is_no_limit_is_refused(words: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_threshold(words)


def test_each_system_that_fails_has_a_line_and_references_have_none() -> None:
    figures = [
        Figure("fd", "ours", 12.31),
        Figure("fd", "base", 1.9),
        Figure("fd", "noise", 99.0),
        Figure("is", "ours", 2.5),
        Figure("is", "base", None, note="3 files are too few"),
        Figure("fd", "base", 50.0, label="rain"),
    ]
    report = Report(("ours", "base"), ("noise",), figures)
    assert failed_thresholds(report, under=[("is", 3.0)], over=[("fd", 2.0)]) == [
        "is of ours is 2.5, under 3",
        "is of base was not computed: 3 files are too few",
        "fd of ours is 12.31, over 2",
    ]


def test_figure_that_the_report_lacks_fails() -> None:
    said = ["kid of ours was not computed: it was not measured"]
    assert failed_thresholds(Report(("ours",)), over=[("kid", 1.0)]) == said


def test_nan_fails_either_way() -> None:
    report = Report(("ours",), figures=[Figure("fd", "ours", float("nan"))])
    assert len(failed_thresholds(report, [("fd", 0.0)], [("fd", 0.0)])) == 2


@given(FINITE, FINITE)
def test_figure_fails_exactly_when_it_is_past_its_limit(value: float, limit: float) -> None:
    report = Report(("ours",), figures=[Figure("fd", "ours", value)])
    assert bool(failed_thresholds(report, under=[("fd", limit)])) == (value < limit)
    assert bool(failed_thresholds(report, over=[("fd", limit)])) == (value > limit)


@given(FINITE, FINITE)
def test_two_numbers_that_differ_look_different(value: float, limit: float) -> None:
    report = Report(("ours",), figures=[Figure("fd", "ours", value)])
    for line in failed_thresholds(report, over=[("fd", limit)]):
        shown, bound = line.removeprefix("fd of ours is ").split(", over ")
        assert float(shown) > float(bound)
