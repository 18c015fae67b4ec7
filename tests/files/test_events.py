"""Events survive a round trip through either text format, and bad lines are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.files.events import Event, read_events, write_events

LABELS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(
    lambda text: " ".join(text.split())
)
EVENTS = st.lists(
    st.builds(
        Event,
        time_s=st.integers(0, 3600_000_000).map(lambda n: n / 1e6),
        strength=st.integers(0, 10_000).map(lambda n: n / 1e4),
        label=LABELS,
    ),
    max_size=10,
)


@pytest.mark.parametrize("name", ["events.csv", "labels.txt"])
@given(events=EVENTS)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, name: str, events: list[Event]
) -> None:
    path = tmp_path_factory.mktemp("events") / name
    write_events(path, events)
    assert read_events(path) == sorted(events, key=lambda event: event.time_s)


def test_audacity_writes_this_and_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("1.500000\t1.500000\tdoor 0.25\n0.250000\t0.750000\tstep\n\\\t100\t200\n")
    assert read_events(path) == [Event(0.25, 1.0, "step"), Event(1.5, 0.25, "door")]
    write_events(path, read_events(path))
    assert path.read_text() == "0.250000\t0.250000\tstep\n1.500000\t1.500000\tdoor 0.2500\n"


def test_csv_needs_only_times(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("\ufefftime\r\n2\r\n0.5\r\n", encoding="utf-8")
    assert read_events(path) == [Event(0.5), Event(2.0)]
    path.write_text("Label, Time\ndog, 1.25\n")
    assert read_events(path) == [Event(1.25, 1.0, "dog")]


def test_no_events_is_a_valid_answer(tmp_path: Path) -> None:
    for name in ("events.csv", "labels.txt"):
        write_events(tmp_path / name, [])
        assert read_events(tmp_path / name) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,strength\n1,0.5\nsoon,0.5\n", "line 3: 'soon'"),
        ("time,strength\n-1,0.5\n", "line 2: need a time of 0 s or later"),
        ("time,strength\nnan,0.5\n", "line 2: need a time"),
        ("time,strength\ninf,0.5\n", "line 2: need a time"),
        ("time,strength\n1,1.5\n", "line 2: need .* a strength from 0 to 1"),
        ("x\t1\tdog\n", "line 1: 'x'"),
        ("hello\n", "neither CSV"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "events.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_events(tmp_path / "events.csv")
    assert str(caught.value).startswith(str(tmp_path / "events.csv"))


def test_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="not a text file of events"):
        read_events(tmp_path / "a.csv")
