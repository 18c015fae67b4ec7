"""Ranked frames: written, edited by hand and read, in our form and in the published one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foleycli.training.moments import (
    Moment,
    moments_of,
    read_moments,
    write_moments,
    write_published,
)

RANKED = [Moment(2.5, 0.75), Moment(0.1, 0.5), Moment(7.0, -0.25)]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_moments(tmp_path / "out" / "rain" / "a.moments.csv", "rain/a", RANKED)
    write_moments(tmp_path / "out" / "b.moments.csv", "b", RANKED[1:])
    lines = (tmp_path / "out/b.moments.csv").read_text().splitlines()
    assert lines == ["clip,rank,time_s,score", "b,1,0.100,0.500000", "b,2,7.000,-0.250000"]
    assert read_moments(tmp_path / "out/b.moments.csv") == {"b": [0.1, 7.0]}
    assert read_moments(tmp_path / "out") == {"rain/a": [2.5, 0.1, 7.0], "b": [0.1, 7.0]}


def test_a_person_may_edit_it(tmp_path: Path) -> None:
    path = tmp_path / "clip07.moments.csv"
    path.write_text("time_s\n3.5\n1\n")
    assert read_moments(path) == {"clip07": [3.5, 1.0]}
    path.write_text("\ufeffrank,time_s,clip\n2,1,a\n1,4.25,a\n7,0,b\n1.5,9,a\n", encoding="utf-8")
    assert read_moments(path) == {"a": [4.25, 9.0, 1.0], "b": [0.0]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "no column time_s"),
        ("time_s\n", "holds no moments"),
        ("time_s,rank\n1,x\n", r"a\.csv, line 2: rank 'x'"),
        ("time_s\n1\n-1\n", r"a\.csv, line 3: .*time_s '-1'"),
        ("time_s\nnan\n", "must be numbers"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_moments(path)


def test_the_published_form_counts_frames_at_ten_a_second(tmp_path: Path) -> None:
    path = tmp_path / "top1_boxes_top10_moments.json"
    path.write_text(json.dumps({"x_0_10000": [31, 4]}))
    assert read_moments(path) == {"x_0_10000": [3.1, 0.4]}
    write_published(path, {"rain/a": [2.5, 0.1, 7.0], "b": [0.1]}, 2)
    assert json.loads(path.read_text()) == {"a": [25, 1], "b": [1]}
    write_published(path, {"rain/a": [2.5], "dog/a": [0.1]}, 2)
    assert json.loads(path.read_text()) == {"rain/a": [25], "dog/a": [1]}
    for damaged in ("[1, 2]", "{", "{}", '{"a": 3}', '{"a": ["b"]}', '{"a": []}', '{"a": [-1]}'):
        path.write_text(damaged)
        with pytest.raises(ValueError, match="not ranked frames"):
            read_moments(path)


def test_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("time_s\n1\n")
    with pytest.raises(ValueError, match=r"no ranked frames in it \(looked for \*\.moments\.csv\)"):
        read_moments(tmp_path)


def test_a_clip_is_known_by_the_longest_end_of_its_path() -> None:
    known = {"rain/a": [1.0], "a": [2.0]}
    assert moments_of(known, Path("clips/rain/a.mp4")) == [1.0]
    assert moments_of(known, Path("clips/dog/a.mp4")) == [2.0]
    assert moments_of(known, Path("a.mp4")) == [2.0]
    assert moments_of(known, Path("b.mp4")) == ()
