"""Events: when something happens, how strongly, and what it is.

Two text formats carry them. CSV has the header ``time,strength,label`` (seconds from the start of
the clip; strength in (0, 1]; ``strength`` and ``label`` may be left out). An Audacity label track
has one ``start<TAB>end<TAB>label`` a line and no header; the strength is kept there as ``label
0.50`` and left out when it is 1. Either is told from the other by its contents when reading, by
``.txt`` when writing.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from foleycli.files.atomic import write_text

_STRENGTH_AT_END = re.compile(r"^(?:(?P<label>.*) )?(?P<strength>[01]\.\d+)$")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``time_s`` in seconds from the start of the clip, ``strength`` in [0, 1]."""

    time_s: float
    strength: float = 1.0
    label: str = ""


def read_events(path: str | os.PathLike[str]) -> list[Event]:
    """Read events from CSV or an Audacity label track, ordered by time.

    Raises
    ------
    ValueError
        When a line is neither, or a time or strength is out of range; the message names the line.
    OSError
        When the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file of events") from None
    first = next((line for line in text.splitlines() if line.strip()), "")
    if "time" in [name.strip().lower() for name in first.split(",")]:
        events = _read_csv(path, text)
    elif "\t" in first or not first:
        events = _read_labels(path, text)
    else:
        raise ValueError(
            f"{path}: neither CSV with the header time,strength,label nor an Audacity label track"
        )
    return sorted(events, key=lambda event: event.time_s)


def write_events(path: str | os.PathLike[str], events: Iterable[Event]) -> None:
    """Write events ordered by time: ``.txt`` as an Audacity label track, anything else as CSV.

    Times are kept to the microsecond, strengths to four decimals.
    """
    ordered = sorted(events, key=lambda event: event.time_s)
    if Path(path).suffix.lower() == ".txt":
        write_text(path, "".join(map(_label_line, ordered)))
        return
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["time", "strength", "label"])
    writer.writerows([f"{e.time_s:.6f}", f"{e.strength:.4f}", _one_line(e.label)] for e in ordered)
    write_text(path, table.getvalue())


def _label_line(event: Event) -> str:
    label = _one_line(event.label)
    if event.strength != 1.0 or _STRENGTH_AT_END.match(label):
        label = f"{label} {event.strength:.4f}".lstrip()
    return f"{event.time_s:.6f}\t{event.time_s:.6f}\t{label}\n"


def _one_line(label: str) -> str:
    """Tabs and line ends would break the track, and the table's one row an event."""
    return " ".join(label.split())


def _read_csv(path: str | os.PathLike[str], text: str) -> list[Event]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
    return [
        _event(
            f"{path}, line {reader.line_num}",
            row["time"],
            row.get("strength") or "1",
            row.get("label") or "",
        )
        for row in reader
    ]


def _read_labels(path: str | os.PathLike[str], text: str) -> list[Event]:
    events = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("\\"):  # "\": frequency range of the label above
            continue
        start, *rest = line.split("\t", 2)
        label = rest[1] if len(rest) > 1 else ""
        strength = "1"
        if match := _STRENGTH_AT_END.match(label):
            label, strength = match["label"] or "", match["strength"]
        events.append(_event(f"{path}, line {number}", start, strength, label))
    return events


def _event(where: str, time: str, strength: str, label: str) -> Event:
    try:
        event = Event(float(time), float(strength), label.strip())
    except (TypeError, ValueError):
        raise ValueError(f"{where}: {time!r}, {strength!r} are not a time and a strength") from None
    if not (0 <= event.time_s < math.inf and 0 <= event.strength <= 1):
        raise ValueError(f"{where}: need a time of 0 s or later and a strength from 0 to 1")
    return event
