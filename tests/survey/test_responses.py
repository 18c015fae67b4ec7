from __future__ import annotations

import copy
import csv
import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.survey.exclusions import Rules
from foleycli.survey.pages import Deck
from foleycli.survey.plans import Trial
from foleycli.survey.questions import METHODS
from foleycli.survey.report import make_report
from foleycli.survey.report_records import as_csv, as_dict
from foleycli.survey.report_tables import as_latex, as_markdown, as_text
from foleycli.survey.response_files import CSV_COLUMNS
from foleycli.survey.responses import Collected, collect_responses
from foleycli.survey.study import Study

Make = Callable[..., tuple[Study, Deck]]
Say = Callable[[Study, Trial], list[dict[str, Any]]]
Respond = Callable[..., dict[str, Any]]
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def bodies(make_study: Make, respond: Respond, honest: Say) -> tuple[Study, list[dict[str, Any]]]:
    study, _ = make_study()
    return study, [respond(study, plan, honest) for plan in study.plans]


def read(folder: Path, study: Study, *found: Any) -> Collected:
    paths = []
    for index, one in enumerate(found):
        path = folder / f"{index}.json"
        path.write_text(one if isinstance(one, str) else json.dumps(one), "utf-8")
        paths.append(path)
    return collect_responses(paths, study)


def as_csv_lines(body: dict[str, Any]) -> str:
    """Write a response as the page does for spreadsheets."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="")
    writer.writeheader()
    for trial in body["trials"]:
        for answer in trial["answers"]:
            value = answer["value"]
            writer.writerow(
                {
                    **{key: body.get(key, "") for key in ("study", "session", "plan")},
                    **{key: trial.get(key, "") for key in ("trial", "answered", "rt_ms")},
                    "question": answer["question"],
                    "medium": answer.get("medium", ""),
                    "value": " ".join(value) if isinstance(value, list) else value,
                    "plays": " ".join(f"{m}:{n}" for m, n in trial["plays"].items()),
                }
            )
    return text.getvalue()


def database(path: Path, found: list[dict[str, Any]]) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE responses (session TEXT, body TEXT)")
        rows = [(body["session"], json.dumps(body)) for body in found]
        connection.executemany("INSERT INTO responses VALUES (?, ?)", rows)
    connection.close()
    return path


@pytest.mark.parametrize("method", METHODS)
def test_json_csv_and_sqlite_say_the_same(
    method: str, make_study: Make, respond: Respond, honest: Say, tmp_path: Path
) -> None:
    study, _ = make_study(method)
    found = [respond(study, plan, honest) for plan in study.plans]
    whole = read(tmp_path, study, found)
    assert len(whole.sessions) == len(study.plans) and not whole.refusals and not whole.notes
    assert all(len(s.trials) == len(study.plans[s.plan].trials) for s in whole.sessions)
    each = read(tmp_path, study, *found)
    lines = read(tmp_path, study, "\n".join(map(json.dumps, found)))
    tables = [tmp_path / f"{body['session']}.csv" for body in found]
    for path, body in zip(tables, found, strict=True):
        path.write_text(as_csv_lines(body), "utf-8")
    for other in (
        each,
        lines,
        collect_responses(tables, study),
        collect_responses([database(tmp_path / "served.sqlite", found)], study),
    ):
        assert other.sessions == whole.sessions and not other.refusals


def test_a_submission_sent_twice_counts_once(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, found = bodies
    once, twice = read(tmp_path, study, found), read(tmp_path, study, found, found[::-1])
    assert twice.sessions == once.sessions and not twice.notes and not twice.refusals


def test_of_two_different_answers_the_later_counts_in_any_order_of_files(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, found = bodies
    first = found[0]
    later = copy.deepcopy(first)
    later["trials"] = later["trials"][:1]
    later["trials"][0]["answered"] = "2025-02-01T00:00:00Z"
    for answer in later["trials"][0]["answers"]:
        answer["value"] = 3
    one, other = read(tmp_path, study, first, later), read(tmp_path, study, later, first)
    assert one.sessions == other.sessions and len(one.notes) == 1
    assert "the latest counts" in one.notes[0]
    trial = one.sessions[0].trials[later["trials"][0]["trial"]]
    assert set(trial.ratings.values()) == {3}


def test_parts_of_a_session_are_put_together(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, found = bodies
    parts = [found[0] | {"trials": [trial]} for trial in reversed(found[0]["trials"])]
    assert read(tmp_path, study, *parts).sessions == read(tmp_path, study, found[0]).sessions


def spoil(found: dict[str, Any], /, **changes: Any) -> dict[str, Any]:
    other = copy.deepcopy(found)
    other["trials"][0] |= changes
    return other


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": "other"}, "not a response that this foley reads"),
        ({"study": "0" * 16}, "of another study"),
        ({"session": ""}, "session must be text"),
        ({"session": 3}, "session must be text"),
        ({"session": "x" * 201}, "session must be text"),
        ({"participant": ["a"]}, "participant must be text"),
        ({"plan": -1}, "no such plan"),
        ({"plan": 1e30}, "no such plan"),
        ({"plan": 0.5}, "no such plan"),
        ({"plan": True}, "no such plan"),
        ({"plan": "0"}, "no such plan"),
        ({"trials": None}, "it has no trials"),
    ],
)
def test_a_response_that_does_not_fit_is_refused_and_the_rest_kept(
    bodies: tuple[Study, list[dict[str, Any]]],
    change: dict[str, Any],
    reason: str,
    tmp_path: Path,
) -> None:
    study, found = bodies
    read_ = read(tmp_path, study, found[0] | change, found[1])
    assert [s.id for s in read_.sessions] == ["session-1"]
    assert len(read_.refusals) == 1 and reason in read_.refusals[0].reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trial": "../../etc/passwd"}, "no such trial"),
        ({"trial": None}, "not an answer"),
        ({"answers": None}, "no answers"),
        ({"answers": ["x"]}, "no answers"),
        ({"answers": []}, "does not answer every question"),
        ({"answers": [{"question": SCRIPT, "medium": "a", "value": 1}]}, "not asked"),
        ({"answers": [{"question": ["quality"], "value": 1}]}, "not asked"),
        ({"answers": [{"question": "quality", "medium": "f" * 12, "value": 1}]}, "not shown"),
        ({"answers": [{"question": "quality", "medium": {}, "value": 1}]}, "not shown"),
    ],
)
def test_a_trial_that_does_not_fit_is_refused_and_the_others_kept(
    bodies: tuple[Study, list[dict[str, Any]]],
    changes: dict[str, Any],
    reason: str,
    tmp_path: Path,
) -> None:
    study, found = bodies
    read_ = read(tmp_path, study, spoil(found[0], **changes))
    assert len(read_.sessions[0].trials) == len(study.plans[0].trials) - 1
    assert len(read_.refusals) == 1 and reason in read_.refusals[0].reason


@pytest.mark.parametrize("value", [11, -1, 3.5, 10**400, True, None, "7", [7], {}, "NaN"])
def test_a_value_that_is_not_on_the_scale_is_refused(
    bodies: tuple[Study, list[dict[str, Any]]], value: Any, tmp_path: Path
) -> None:
    study, found = bodies
    answers = [answer | {"value": value} for answer in found[0]["trials"][0]["answers"]]
    read_ = read(tmp_path, study, spoil(found[0], answers=answers))
    assert len(read_.refusals) == 1 and "not on the scale" in read_.refusals[0].reason


@pytest.mark.parametrize("method", ["pairwise", "match-one", "pick-all"])
def test_a_choice_must_be_one_that_was_offered(
    method: str, make_study: Make, respond: Respond, honest: Say, tmp_path: Path
) -> None:
    study, _ = make_study(method)
    found = respond(study, study.plans[0], honest)
    media = found["trials"][0]["answers"][0]
    shown = list(study.plans[0].trials[0].media)
    for value, fits in (
        ([], True),
        (shown[:1], True),
        (shown[:2], method == "pick-all"),
        (shown[:1] * 2, False),
        (["f" * 12], False),
        (shown[0], False),
        ([1], False),
        ([None], False),
    ):
        read_ = read(tmp_path, study, spoil(found, answers=[media | {"value": value}]))
        assert (not read_.refusals) == fits, value


def test_times_and_plays_that_make_no_sense_are_as_if_not_told(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, found = bodies
    for changes in (
        {"rt_ms": -1, "plays": {"a": -1}, "answered": SCRIPT},
        {"rt_ms": 1e300, "plays": [1], "answered": 3},
        {"rt_ms": "fast", "plays": None, "answered": None},
    ):
        trial = read(tmp_path, study, spoil(found[0], **changes)).sessions[0]
        first = trial.trials[found[0]["trials"][0]["trial"]]
        assert first.rt_ms is None and first.answered == ""
    name = study.plans[0].trials[0].media[0]
    body = spoil(found[0], plays={name: "many"})
    first = read(tmp_path, study, body).sessions[0].trials[found[0]["trials"][0]["trial"]]
    assert first.plays is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\0\0",
        "{",
        "[[[[[",
        "[" * 100_000,
        '{"a":' * 100_000,
        "null",
        "[null, 3, []]",
        '{"schema": NaN}',
        "9" * 10_000,
        '{"plan": ' + "9" * 10_000 + "}",
        "a,b,c\n1,2,3\n",
        SCRIPT,
        ",".join(CSV_COLUMNS) + "\n" + SCRIPT,
        ",".join(CSV_COLUMNS) + "\n" + '"' * 200_001,
        "{}\n{}\n{}",
    ],
)
def test_files_that_are_no_answers_are_refused_and_the_rest_kept(
    bodies: tuple[Study, list[dict[str, Any]]], text: str, tmp_path: Path
) -> None:
    study, found = bodies
    read_ = read(tmp_path, study, text, found[0])
    assert len(read_.sessions) == 1 and read_.refusals
    assert all("\n" not in refusal.reason for refusal in read_.refusals)


def test_files_that_cannot_be_read_are_refused(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, _ = bodies
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{")
    (tmp_path / "broken.sqlite").write_bytes(b"SQLite format 3\0" + b"\1" * 5000)
    with sqlite3.connect(tmp_path / "empty.sqlite") as connection:
        connection.execute("CREATE TABLE other (body TEXT)")
    connection.close()
    with sqlite3.connect(tmp_path / "view.sqlite") as connection:
        connection.execute("CREATE TABLE a (body TEXT)")
        connection.execute("CREATE VIEW responses AS SELECT body FROM a")
    connection.close()
    names = ("bytes.json", "broken.sqlite", "empty.sqlite", "view.sqlite", "none.json", "")
    read_ = collect_responses([tmp_path / name for name in names], study)
    assert len(read_.refusals) == len(names) and not read_.sessions


def test_answers_that_a_killed_server_left_in_its_log_are_read(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """SQLite keeps what was written last beside the database, until it is closed in order."""
    study, found = bodies
    with closing(sqlite3.connect(tmp_path / "live.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE responses (body TEXT)")
        connection.execute("INSERT INTO responses VALUES (?)", (json.dumps(found[0]),))
        connection.commit()
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"live.sqlite{suffix}", tmp_path / f"dead.sqlite{suffix}")
        paths = [tmp_path / "live.sqlite", tmp_path / "dead.sqlite"]
        for path in paths:
            assert len(collect_responses([path], study).sessions) == 1


def test_rows_of_a_database_that_are_no_answers_are_refused(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, found = bodies
    path = database(tmp_path / "served.sqlite", found[:1])
    with sqlite3.connect(path) as connection:
        rows = [("a", None), ("b", b"\0\1"), ("c", 3), ("d", "{")]
        connection.executemany("INSERT INTO responses VALUES (?, ?)", rows)
    connection.close()
    read_ = collect_responses([path], study)
    assert len(read_.sessions) == 1 and len(read_.refusals) == 4
    assert read_.refusals[0].where.endswith("row 2")


def test_one_session_under_two_plans_is_refused(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, found = bodies
    read_ = read(tmp_path, study, found[0], found[1] | {"session": found[0]["session"]})
    assert not read_.sessions and "two plans" in read_.refusals[0].reason


def test_script_tags_and_formulas_in_answers_do_no_harm(
    bodies: tuple[Study, list[dict[str, Any]]], tmp_path: Path
) -> None:
    study, found = bodies
    nasty = [SCRIPT, "=HYPERLINK(1)", "\x1b[2J", "a\0b", "\ud800", r"\input{/etc/passwd}", "|a|`b`"]
    for index, text in enumerate(nasty):
        found[index] |= {"session": text, "participant": text, "comment": text}
        found[index]["trials"] = [*found[index]["trials"][:1], {"trial": text}, text]
    read_ = read(tmp_path, study, found)
    assert len(read_.sessions) == len(found)
    report = make_report(read_, study, Rules())
    assert len(report.exclusions) == len(nasty)
    json.dumps(as_dict(report), allow_nan=False).encode()
    for text in (as_text(report), as_markdown(report), as_latex(report), as_csv(report)):
        text.encode(errors="strict")
        assert "\x1b" not in text and "\0" not in text
    assert SCRIPT not in as_markdown(report)
    assert "\n=HYPERLINK" not in as_csv(report)
    lines = as_latex(report).splitlines()
    assert all(line.startswith("%") for line in lines if r"\input" in line)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from("trial answers question medium value plays rt_ms x".split()),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from("schema study session plan participant trials comment".split()),
)
def test_no_value_in_any_place_is_a_crash(
    make_study: Make,
    respond: Respond,
    honest: Say,
    tmp_path_factory: pytest.TempPathFactory,
    value: Any,
    key: str,
) -> None:
    study, _ = make_study()
    body = respond(study, study.plans[0], honest)
    body["trials"] = body["trials"][:2]
    folder = tmp_path_factory.mktemp("hostile")
    read(folder, study, body | {key: value})
    for part in ("trial", "answers", "plays", "rt_ms", "answered"):
        read(folder, study, spoil(body, **{part: value}))
    answers = body["trials"][0]["answers"]
    for part in ("question", "medium", "value"):
        read(folder, study, spoil(body, answers=[answers[0] | {part: value}, answers[1]]))
