"""Files of answers, as plain values that nothing is believed of yet.

Forms, told apart by their beginning:

- JSON: a response, or a list of them; or one a line.
- CSV with :data:`CSV_COLUMNS`: a line an answer. ``value`` is a number, or the media chosen, parted
  by spaces; ``plays`` is ``MEDIUM:COUNT``, parted by spaces.
- SQLite of the server: a table ``responses`` with a column ``body`` that holds a response.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = "foley-survey-response/1"
CSV_COLUMNS = (
    *("study", "session", "plan", "participant", "trial", "answered", "rt_ms"),
    *("question", "medium", "value", "plays"),
)
MOST_BYTES = 64 * 2**20
TABLE = "responses"
_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True)
class Refusal:
    """Something that was not believed: where it stands, why, and which part where not all."""

    where: str
    reason: str
    part: str = ""

    @property
    def told(self) -> str:
        """What was refused of the place, and why."""
        return f"{self.part}: {self.reason}" if self.part else self.reason


def read_bodies(path: Path, refusals: list[Refusal]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Read the responses of a file, each with where it stands."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
            if start == _SQLITE:
                texts = _of_database(path)
            else:
                whole = start + file.read(MOST_BYTES + 1)
                if len(whole) > MOST_BYTES:
                    raise ValueError(f"larger than {MOST_BYTES >> 20} MB")
                texts = _of_text(whole.decode("utf-8-sig"))
    except (ValueError, OSError, sqlite3.Error, csv.Error) as error:
        reason = "not text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        refusals.append(Refusal(str(path), " ".join(reason.split())))
        return
    for place, found in texts:
        where = f"{path}, {place}" if place else str(path)
        bodies = found if isinstance(found, list) else [found]
        for body in bodies:
            if isinstance(body, Mapping):
                yield where, body
            else:
                refusals.append(Refusal(where, "not a response: no JSON object"))


def _of_text(text: str) -> list[tuple[str, Any]]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [("", _json(text))]
        except ValueError:
            lines = [line for line in text.splitlines() if line.strip()]
            if len(lines) < 2:
                raise
            return [(f"line {n}", _json_or_none(line)) for n, line in enumerate(lines, 1)]
    return _of_csv(text)


def _of_csv(text: str) -> list[tuple[str, Any]]:
    """Put lines of CSV together: a response a session."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if reader.fieldnames is None or not set(CSV_COLUMNS) <= set(reader.fieldnames):
        raise ValueError("neither JSON, CSV nor SQLite of answers")
    heads: dict[tuple[str, ...], dict[str, Any]] = {}
    trials: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in reader:
        cells = {key: _unquoted(row.get(key) or "") for key in CSV_COLUMNS}
        key = tuple(cells[name] for name in ("study", "session", "plan", "participant"))
        if key not in heads:
            heads[key] = {
                **{"schema": SCHEMA, "study": key[0], "session": key[1], "participant": key[3]},
                **{"plan": _number_or_none(key[2]), "trials": []},
            }
        one = (*key, cells["trial"], cells["answered"], cells["rt_ms"])
        if one not in trials:
            trials[one] = {"trial": cells["trial"], "answers": []}
            trials[one] |= {"answered": cells["answered"]} if cells["answered"] else {}
            trials[one] |= {"rt_ms": _number_or_none(cells["rt_ms"])} if cells["rt_ms"] else {}
            heads[key]["trials"].append(trials[one])
        if cells["plays"]:
            counts = (pair.partition(":") for pair in cells["plays"].split())
            plays = {medium: _number_or_none(count) for medium, _, count in counts}
            trials[one].setdefault("plays", {}).update(plays)
        answer: dict[str, Any] = {"question": cells["question"]}
        if cells["medium"]:
            answer |= {"medium": cells["medium"], "value": _number_or_none(cells["value"])}
        else:
            answer["value"] = cells["value"].split()
        trials[one]["answers"].append(answer)
    return [("", body) for body in heads.values()]


def _of_database(path: Path) -> list[tuple[str, Any]]:
    """Read the server's table; nothing that the file brings along is run."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        kind = database.execute("SELECT type FROM sqlite_schema WHERE name = ?", (TABLE,))
        if kind.fetchone() != ("table",):
            raise ValueError(f"a database without a table {TABLE}")
        rows = database.execute(f"SELECT rowid, body FROM {TABLE} ORDER BY rowid")
        return [(f"row {number}", _json_or_none(body)) for number, body in rows]


def _json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _json_or_none(text: Any) -> Any:
    try:
        return _json(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _number_or_none(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _unquoted(text: str) -> str:
    """Take off the quote that keeps a spreadsheet from computing a cell."""
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@\t") else text
