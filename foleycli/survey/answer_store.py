"""The server's database: answers as they came, and which plans were handed out.

SQLite with a write-ahead log, flushed to the disk at every commit: what was acknowledged is there
after a crash of the program or the machine. Answers are only ever added; the same body sent twice
is one row.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from foleycli.survey.response_files import TABLE

DATABASE_ENDING = ".responses.sqlite"  # of the database that belongs to a pack
MOST_BYTES = 2 * 2**30
_ABANDONED = timedelta(hours=2)  # a plan whose taker said nothing for so long is free again
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    id INTEGER PRIMARY KEY, received TEXT NOT NULL, session TEXT NOT NULL, plan INTEGER NOT NULL,
    sha256 TEXT NOT NULL UNIQUE, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sessions (
    session TEXT PRIMARY KEY, plan INTEGER NOT NULL, seen TEXT NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS study (id TEXT NOT NULL);
"""


class FullError(Exception):
    """The database is as large as it may be."""


class AnswerStore:
    """Answers of one study; may be used from several threads.

    A database of another study that holds no answer yet is made this study's.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    study : str
        Id of the study.
    plans : int
        How many the study has.
    now : callable
        Gives the time.

    Raises
    ------
    ValueError
        When the file is no such database, or holds answers of another study.
    OSError
        When its folder cannot be made.
    """

    def __init__(
        self,
        path: Path,
        study: str,
        plans: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the database."""
        self.path, self.plans, self._now = path, plans, now
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(path, timeout=30, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                known, responses = _held(self._database)
                if known != study and not responses:
                    for table in ("sessions", "study"):
                        self._database.execute(f"DELETE FROM {table}")
                    self._database.execute("INSERT INTO study VALUES (?)", (study,))
        except sqlite3.Error as error:
            raise ValueError(f"{path}: cannot be used as a database ({error})") from None
        if known != study and responses:
            self._database.close()
            raise ValueError(f"{path}: holds answers of another study; give another --db")

    def close(self) -> None:
        """Close the database; its log is put into it."""
        with self._lock:
            self._database.close()

    def hand_out(self, session: str) -> int:
        """Give the plan that is used least; a session that asks again gets its own.

        Used is a plan that somebody completed, or is at work on. Of plans used alike the first one
        is given that was handed out least.
        """
        now = self._now()
        since = (now - _ABANDONED).isoformat()
        with self._lock, self._database:
            row = self._database.execute(
                "SELECT plan FROM sessions WHERE session = ?", (session,)
            ).fetchone()
            if row:
                return int(row[0])
            rows = self._database.execute(
                "SELECT plan, SUM(complete OR seen > ?), COUNT(*) FROM sessions GROUP BY plan",
                (since,),
            )
            used = {plan: (busy, handed) for plan, busy, handed in rows}
            chosen = min(range(self.plans), key=lambda plan: (*used.get(plan, (0, 0)), plan))
            self._database.execute(
                "INSERT INTO sessions (session, plan, seen) VALUES (?, ?, ?)",
                (session, chosen, now.isoformat()),
            )
            return chosen

    def add(self, body: str, session: str, plan: int, *, complete: bool) -> None:
        """Keep one response; when this returns, it is on the disk.

        Raises
        ------
        FullError
            When there is no room for more.
        sqlite3.Error
            When it cannot be written.
        """
        now = self._now().isoformat()
        sha256 = hashlib.sha256(body.encode()).hexdigest()
        with self._lock, self._database:
            pages, size = (
                self._database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size")
            )
            if pages * size + len(body) > MOST_BYTES:
                raise FullError("the database is full")
            self._database.execute(
                f"INSERT OR IGNORE INTO {TABLE} (received, session, plan, sha256, body) "
                "VALUES (?, ?, ?, ?, ?)",
                (now, session, plan, sha256, body),
            )
            self._database.execute(
                "INSERT INTO sessions (session, plan, seen, complete) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (session) DO UPDATE SET "
                "seen = excluded.seen, complete = MAX(complete, excluded.complete)",
                (session, plan, now, complete),
            )

    def counts(self) -> tuple[int, int, int]:
        """Count responses, sessions that were begun, and those that were completed."""
        with self._lock:
            responses = self._database.execute(f"SELECT COUNT(*) FROM {TABLE}").fetchone()[0]
            begun, complete = self._database.execute(
                "SELECT COUNT(*), COALESCE(SUM(complete), 0) FROM sessions"
            ).fetchone()
        return int(responses), int(begun), int(complete)


def answers_held(path: Path) -> tuple[str, int]:
    """Say of which study a database holds answers, and how many; none where there is no file.

    Raises
    ------
    ValueError
        When the file is no such database.
    """
    if not path.exists():
        return "", 0
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as database:
            return _held(database)
    except sqlite3.Error as error:
        raise ValueError(f"{path}: not a database of answers ({error}); move it away") from None


def _held(database: sqlite3.Connection) -> tuple[str, int]:
    """Look up the study, empty where none is noted, and count responses."""
    row = database.execute("SELECT id FROM study").fetchone()
    responses = database.execute(f"SELECT COUNT(*) FROM {TABLE}").fetchone()[0]
    return str(row[0]) if row else "", int(responses)
