from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foleycli.survey import answer_store
from foleycli.survey.answer_store import AnswerStore, FullError, answers_held


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2025, 1, 31, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[AnswerStore]:
    made = AnswerStore(tmp_path / "answers.sqlite", "a" * 16, 3, clock)
    yield made
    made.close()


def rows(store: AnswerStore) -> list[str]:
    with closing(sqlite3.connect(store.path)) as database:
        return [body for (body,) in database.execute("SELECT body FROM responses ORDER BY id")]


def test_plans_are_handed_out_evenly(store: AnswerStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        plans = list(pool.map(store.hand_out, [f"session {k}" for k in range(30)]))
    assert Counter(plans) == {0: 10, 1: 10, 2: 10}


def test_a_session_keeps_its_plan(store: AnswerStore) -> None:
    plans = [store.hand_out(name) for name in ("a", "b", "a", "c", "b")]
    assert plans == [0, 1, 0, 2, 1]


def test_an_abandoned_plan_is_free_again(store: AnswerStore, clock: Clock) -> None:
    for name in "abc":
        store.hand_out(name)
    clock.time += timedelta(hours=1)
    store.add("{}", "a", 0, complete=True)
    store.add("[]", "c", 2, complete=False)
    clock.time += timedelta(hours=1, minutes=30)
    assert store.hand_out("d") == 1
    assert store.hand_out("e") == 0  # all have one taker now, and 1 was handed out twice
    clock.time += timedelta(days=9)
    assert store.hand_out("f") == 2  # 0 was completed


def test_the_same_body_is_kept_once(store: AnswerStore) -> None:
    for body in ("{}", "{}", "[]", "{}"):
        store.add(body, "a", 0, complete=False)
    assert rows(store) == ["{}", "[]"]
    assert store.counts() == (2, 1, 0)


def test_completion_is_never_taken_back(store: AnswerStore) -> None:
    for complete in (False, True, False):
        store.add(f"{complete}", "a", 0, complete=complete)
    assert store.counts() == (2, 1, 1)


def test_it_goes_on_where_it_was(store: AnswerStore) -> None:
    store.add("{}", "a", 0, complete=True)
    store.close()
    again = AnswerStore(store.path, "a" * 16, 3)
    assert again.counts() == (1, 1, 1)
    assert again.hand_out("b") == 1
    again.close()


def test_a_database_with_answers_of_another_study_is_refused(store: AnswerStore) -> None:
    assert answers_held(store.path) == ("a" * 16, 0)
    store.add("{}", "a", 0, complete=False)
    assert answers_held(store.path) == ("a" * 16, 1)
    with pytest.raises(ValueError, match="answers of another study"):
        AnswerStore(store.path, "b" * 16, 3)
    assert answers_held(store.path) == ("a" * 16, 1)


def test_a_database_without_answers_is_of_whoever_comes(store: AnswerStore) -> None:
    assert store.hand_out("a") == 0
    store.close()
    other = AnswerStore(store.path, "b" * 16, 3)
    assert other.counts() == (0, 0, 0)
    assert other.hand_out("b") == 0
    other.close()
    assert answers_held(store.path) == ("b" * 16, 0)


def test_looking_at_a_database_leaves_nothing_behind(store: AnswerStore) -> None:
    store.add("{}", "a", 0, complete=False)
    store.close()
    assert answers_held(store.path) == ("a" * 16, 1)
    assert list(store.path.parent.iterdir()) == [store.path]
    missing = store.path.with_name("none.sqlite")
    assert answers_held(missing) == ("", 0)
    assert not missing.exists()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, " * 100)
    with pytest.raises(ValueError, match=r"notes\.txt: cannot be used as a database"):
        AnswerStore(tmp_path / "notes.txt", "a" * 16, 3)
    with pytest.raises(ValueError, match=r"notes\.txt: not a database of answers"):
        answers_held(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "not a database, " * 100


def test_it_does_not_grow_without_end(store: AnswerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_store, "MOST_BYTES", 100_000)
    store.add("x" * 30_000, "a", 0, complete=False)
    with pytest.raises(FullError):
        store.add("y" * 70_000, "a", 0, complete=False)
    assert rows(store) == ["x" * 30_000]


def test_every_commit_reaches_the_disk(store: AnswerStore) -> None:
    pragma: Callable[[str], object] = lambda name: store._database.execute(  # noqa: E731
        f"PRAGMA {name}"
    ).fetchone()[0]
    assert (pragma("journal_mode"), pragma("synchronous")) == ("wal", 2)
