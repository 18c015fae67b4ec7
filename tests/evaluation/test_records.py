"""Reports for programs: JSON without NaN, CSV that reads back, text that stays text."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.records import CSV_COLUMNS, as_csv, as_dict, per_file_rows, plain_value
from foleycli.evaluation.report import Difference, Figure, Report

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
FIGURES = st.lists(
    st.builds(
        Figure,
        metric=st.sampled_from(["fd", "is", "mkl"]),
        system=st.sampled_from(["ours", "floor"]),
        value=st.none() | FLOATS,
        low=st.none() | FLOATS,
        high=st.none() | FLOATS,
        spread=st.none() | FLOATS,
        count=st.integers(0, 10**6),
        label=st.text(max_size=8),
        note=st.text(max_size=8),
    ),
    max_size=8,
)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@given(FIGURES)
def test_json_has_neither_nan_nor_infinity(figures: list[Figure]) -> None:
    report = Report(("ours",), ("floor",), figures, manifest={"seed": float("nan")})
    text = json.dumps(as_dict(report), allow_nan=False)
    assert json.loads(text)["manifest"] == {"seed": None}


@given(FIGURES)
def test_csv_and_json_say_the_same_to_the_last_digit(figures: list[Figure]) -> None:
    report = Report(("ours",), ("floor",), figures)
    whole = as_dict(report)
    records = set()
    for record in (*whole["figures"], *whole["per_class"]):
        assert record.pop("about") == METRICS[record["metric"]].about
        record |= {key: record[key].replace("\r", " ") for key in ("class", "note")}
        records.add(str(sorted(record.items(), key=str)))
    back = set()
    for row in read(as_csv(report)):
        record = dict(row) | {
            key: float(row[key]) if row[key] else None for key in ("value", "low", "high", "spread")
        }
        record["count"] = int(row["count"])
        assert record.pop("p_value") == ""
        for key in ("class", "note"):
            if row[key].startswith("'") and row[key][1:2] in ("=", "+", "-", "@", "\t"):
                record[key] = row[key][1:]
        back.add(str(sorted(record.items(), key=str)))
    assert back == records


def test_csv_has_differences_with_their_p_values() -> None:
    report = Report(("a", "b"), differences=[Difference("mkl", "a", "b", -0.5, 0.25, True)])
    (row,) = read(as_csv(report))
    assert (row["metric"], row["role"], row["system"]) == ("mkl", "difference", "a less b")
    assert (float(row["value"]), float(row["p_value"])) == (-0.5, 0.25)


def test_order_is_that_of_catalogue_systems_and_classes() -> None:
    keys = [
        ("mkl", "b", ""),
        ("fd", "a", "x"),
        ("fd", "b", ""),
        ("fd", "a", ""),
        ("fd", "floor", ""),
    ]
    report = Report(("b", "a"), ("floor",), [Figure(m, s, 1.0, label=c) for m, s, c in keys])
    got = [(row["metric"], row["system"], row["class"]) for row in read(as_csv(report))]
    assert got == [
        ("fd", "b", ""),
        ("fd", "a", ""),
        ("fd", "a", "x"),
        ("fd", "floor", ""),
        ("mkl", "b", ""),
    ]
    report.figures.reverse()
    assert [(r["metric"], r["system"]) for r in as_dict(report)["figures"]] == [
        ("fd", "b"),
        ("fd", "a"),
        ("fd", "floor"),
        ("mkl", "b"),
    ]


def test_json_holds_everything() -> None:
    report = Report(
        ("ours", "base"),
        ("floor",),
        [
            Figure("mkl", "ours", 0.1, 0.05, 0.2, count=3),
            Figure("mkl", "floor", None, note="few"),
            Figure("mkl", "ours", 0.3, label="rain"),
        ],
        [Difference("mkl", "ours", "base", -0.5, 0.25, True)],
        ["careful"],
        {"b.wav": "bad", "a.wav": "empty"},
        manifest={
            "sizes": np.array([1, 2]),
            "level": np.float32(0.5),
            "at": Path("x/y"),
            3: (True,),
        },
    )
    mkl = {"metric": "mkl", "title": "MKL", "unit": "nat", "better": "lower"}
    mkl["about"] = METRICS["mkl"].about
    none = {"value": None, "low": None, "high": None, "spread": None, "count": 0, "note": ""}
    got = as_dict(report)
    assert got == {
        "systems": ["ours", "base"],
        "references": ["floor"],
        "figures": [
            mkl
            | {"system": "ours", "role": "system", "class": ""}
            | none
            | {"value": 0.1, "low": 0.05, "high": 0.2, "count": 3},
            mkl | {"system": "floor", "role": "reference", "class": ""} | none | {"note": "few"},
        ],
        "differences": [
            {
                **{"metric": "mkl", "title": "MKL", "first": "ours", "second": "base"},
                **{"difference": -0.5, "p_value": 0.25, "paired": True},
            }
        ],
        "per_class": [
            mkl | {"system": "ours", "role": "system", "class": "rain"} | none | {"value": 0.3}
        ],
        "warnings": ["careful"],
        "failures": {"a.wav": "empty", "b.wav": "bad"},
        "manifest": {"sizes": [1, 2], "level": 0.5, "at": "x/y", "3": [True]},
    }
    assert list(got["failures"]) == ["a.wav", "b.wav"]


def test_value_that_json_cannot_say_is_told_in_the_note() -> None:
    report = Report(("ours",), figures=[Figure("fd", "ours", float("inf"), note="silent")])
    (figure,) = as_dict(report)["figures"]
    assert (figure["value"], figure["note"]) == (None, "silent; the value is inf")


def test_csv_text_cannot_become_a_formula() -> None:
    figures = [
        Figure("onset_offset_ms", "+40 ms", -2.5, label="=1+1", note="@SUM(A1)"),
        Figure("onset_offset_ms", "ours", -0.5, label="-a", note="a=b"),
    ]
    ours, control = read(as_csv(Report(("ours",), ("+40 ms",), figures)))
    assert list(ours) == list(CSV_COLUMNS)
    assert (control["system"], control["class"], control["note"]) == (
        "'+40 ms",
        "'=1+1",
        "'@SUM(A1)",
    )
    assert (ours["class"], ours["note"], ours["value"]) == ("'-a", "a=b", "-0.5")


def test_rows_by_file_are_the_same_as_jsonl_and_csv() -> None:
    rows = [
        {"lsd": 12.1, "id": "rain/1", "system": "ours", "label": "rain", "extra": "=x"},
        {"id": "rain/2", "system": "ours", "label": "rain", "fd": None, "lsd": float("nan")},
    ]
    report = Report(("ours",), per_file=rows)
    lines = [json.loads(line) for line in per_file_rows(report, "jsonl").splitlines()]
    assert lines == [
        rows[0],
        {"system": "ours", "id": "rain/2", "label": "rain"} | {"fd": None, "lsd": None},
    ]
    assert per_file_rows(report, "csv") == (
        "system,id,label,fd,lsd,extra\nours,rain/1,rain,,12.1,'=x\nours,rain/2,rain,,,\n"
    )


def test_no_rows_by_file_are_no_lines() -> None:
    assert per_file_rows(Report(("ours",)), "jsonl") == ""


def test_other_forms_of_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="jsonl or csv, not as xml"):
        per_file_rows(Report(("ours",)), "xml")  # type: ignore[arg-type]


def test_names_that_are_not_unicode_can_be_written() -> None:
    report = Report(("ours",), failures={"caf\udce9.wav": "bad"})
    json.dumps(as_dict(report), ensure_ascii=False).encode()


def test_values_that_are_not_plain_are_refused() -> None:
    with pytest.raises(TypeError, match="plain values, not object"):
        plain_value({"a": [object()]})
