"""A batch goes on after a bad clip, resumes only what is still good, and keeps its record."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import typer

from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Progress, command
from foleycli.cli.inputs import Job
from foleycli.files.arrays import read_meta, save_arrays
from foleycli.files.atomic import write_text


@dataclass(frozen=True)
class Settings:
    seed: int = 0


def shout(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
) -> dict[str, Any]:
    """Stands for a library call: refuses "bad", has a full disk on "full"."""
    text = job.clip.path.read_text()
    if text == "bad":
        raise ValueError(f"{job.clip.path}: no video stream")
    if text == "full":
        raise OSError(errno.ENOSPC, "No space left on device", str(job.output))
    if text == "bug":
        raise RuntimeError("two\nlines")
    if job.output.suffix == ".npz":
        save_arrays(job.output, {}, kind="shout", meta=meta)
    else:
        write_text(job.output, f"{text.upper()} {job.clip.seed(settings.seed)}")
    return {"length": len(text), "note": "hear, hear"}


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c", "d"):
        write_text(tmp_path / "in" / f"{name}.txt_", name * 3)
    return tmp_path / "in"


def batch(**changes: Any) -> Batch:
    return replace(Batch([Path("in")], "out/", {".txt_"}, ".out"), **changes)


def run(given: Batch, settings: Settings | None = None, *, verbose: bool = False) -> int:
    """Exit code of a command that does nothing but the batch."""
    try:
        with command("shout", verbose=verbose) as console:
            run_batch(console, given, shout, settings or Settings())
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0


def written(folder: str = "out") -> list[str]:
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file())


def test_paths_on_stdout_talk_on_stderr(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(batch()) == 0
    said = capsys.readouterr()
    assert said.out.split() == ["out/a.out", "out/b.out", "out/c.out", "out/d.out"]
    assert "foley shout: a.txt_: hear, hear" in said.err
    assert written() == ["a.out", "b.out", "c.out", "d.out", "run.json"]


def test_goes_on_after_bad_clips_and_says_how_many(
    clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(clips / "b.txt_", "bad")
    write_text(clips / "c.txt_", "bug")
    assert run(batch()) == 1
    said = capsys.readouterr()
    assert said.out.split() == ["out/a.out", "out/d.out"]
    errors = [line for line in said.err.splitlines() if "hear" not in line]
    assert errors == [
        "foley shout: in/b.txt_: no video stream",
        "foley shout: in/c.txt_: RuntimeError: two lines",
        "foley shout: 2 of 4 failed",
    ]
    record = json.loads(Path("out/run.json").read_text())
    assert record["failures"]["in/b.txt_"] == "no video stream"
    assert record["outputs"].keys() == {"a.out", "d.out"}


def test_traceback_only_when_asked_for(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(clips / "b.txt_", "bug")
    run(batch())
    assert "Traceback" not in capsys.readouterr().err
    run(batch(), verbose=True)
    assert "Traceback" in capsys.readouterr().err


def test_fail_fast_stops(clips: Path) -> None:
    write_text(clips / "b.txt_", "bad")
    assert run(batch(fail_fast=True)) == 1
    assert written() == ["a.out", "run.json"]


def test_full_disk_stops_the_batch(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(clips / "b.txt_", "full")
    assert run(batch()) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert written() == ["a.out", "run.json"]


def test_the_only_input_that_cannot_be_read_is_two(
    clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(clips / "b.txt_", "bad")
    assert run(batch(inputs=[clips / "b.txt_"], output="b.out")) == 2
    assert run(batch(inputs=[Path("none.mp4")], output="b.out")) == 2
    assert "foley shout: none.mp4: No such file or directory" in capsys.readouterr().err
    assert run(batch(inputs=[clips / "a.txt_", Path("none.mp4")])) == 1
    write_text(clips / "b.txt_", "full")
    assert run(batch(inputs=[clips / "b.txt_"], output="b.out")) == 1


def test_jobs_shards_and_order_do_not_change_results(clips: Path) -> None:
    assert run(batch(output="one/")) == 0
    assert run(batch(output="many/", jobs=2)) == 0
    for number in range(3):
        assert run(batch(output="shards/", shard=f"{number}/3")) == 0
    assert run(batch(output="more/", shard="5/9")) == 0
    names = ["a.out", "b.out", "c.out", "d.out"]
    assert written("shards") == sorted([*names, *(f"run-{n}-of-3.json" for n in range(3))])
    for name in names:
        one = Path("one", name).read_bytes()
        assert one == Path("many", name).read_bytes() == Path("shards", name).read_bytes()


def test_processes_report_failures_too(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(clips / "b.txt_", "bad")
    assert run(batch(jobs=2)) == 1
    said = capsys.readouterr()
    assert said.out.split() == ["out/a.out", "out/c.out", "out/d.out"]
    assert "in/b.txt_: no video stream" in said.err


@pytest.mark.parametrize("suffix", [".out", ".npz"])
def test_resume_skips_only_what_is_still_good(clips: Path, suffix: str) -> None:
    def times() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in Path("out").glob(f"*{suffix}")}

    def changed(given: Batch, settings: Settings | None = None) -> set[str]:
        before = times()
        assert run(given, settings) == 0
        return {name for name, time in times().items() if before.get(name) != time}

    given = batch(suffix=suffix)
    everything = {f"{name}{suffix}" for name in "abcd"}
    assert changed(given) == everything
    again = replace(given, resume=True)
    assert changed(again) == set()
    write_text(clips / "b.txt_", "new")
    Path("out", f"c{suffix}").unlink()
    assert changed(again) == {f"b{suffix}", f"c{suffix}"}
    assert changed(again, Settings(seed=1)) == everything
    assert changed(again, Settings(seed=1)) == set()
    assert changed(given, Settings(seed=1)) == everything


def test_no_clobber_leaves_what_exists(clips: Path) -> None:
    write_text("out/b.out", "mine")
    assert run(batch(no_clobber=True)) == 0
    assert Path("out/b.out").read_text() == "mine"
    assert Path("out/a.out").exists()


def test_dry_run_prints_the_plan_and_writes_nothing(
    clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(batch(dry_run=True, shard="1/2")) == 0
    assert capsys.readouterr().out == "in/b.txt_\tout/b.out\nin/d.txt_\tout/d.out\n"
    assert not Path("out").exists()


def test_json_is_one_object(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(clips / "b.txt_", "bad")
    assert run(batch(as_json=True)) == 1
    report = json.loads(capsys.readouterr().out)
    assert [made["output"] for made in report["outputs"]] == ["out/a.out", "out/c.out", "out/d.out"]
    assert report["outputs"][0]["length"] == 3
    assert report["failures"] == [
        {
            "input": "in/b.txt_",
            "output": "out/b.out",
            "error": f"{Path('in/b.txt_')}: no video stream",
        }
    ]


def test_single_file_has_its_record_beside_it_or_inside(clips: Path) -> None:
    assert run(batch(inputs=[clips / "a.txt_"], output="a.out")) == 0
    assert json.loads(Path("a.out.run.json").read_text())["outputs"].keys() == {"a.out"}
    assert run(batch(inputs=[clips / "a.txt_"], output="a.npz")) == 0
    assert not Path("a.npz.run.json").exists()
    assert read_meta("a.npz")["input"]["name"] == "a.txt_"


def test_npz_is_the_same_wherever_and_whenever_it_is_made(clips: Path) -> None:
    assert run(batch(suffix=".npz")) == 0
    clips.rename(clips.with_name("elsewhere"))
    assert run(batch(inputs=[Path("elsewhere")], output="again/", suffix=".npz")) == 0
    for name in "abcd":
        assert Path("out", f"{name}.npz").read_bytes() == Path("again", f"{name}.npz").read_bytes()


def test_standard_output_takes_one_result(
    clips: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(batch(inputs=[clips / "a.txt_"], output="-")) == 0
    assert capfdbinary.readouterr().out.startswith(b"AAA ")
    assert sorted(path.name for path in clips.parent.iterdir()) == ["in"]
    assert run(batch(output="-")) == 2


def test_interrupt_is_130_and_keeps_the_record(
    clips: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(job: Job, *_: Any) -> dict[str, Any]:
        if job.clip.id == "c":
            raise KeyboardInterrupt
        return shout(job, Settings(), {}, None)

    with pytest.raises(typer.Exit) as leaving, command("shout") as console:
        run_batch(console, batch(), interrupt, Settings())
    assert leaving.value.exit_code == 130
    assert capsys.readouterr().err.splitlines()[-1] == "foley shout: interrupted"
    assert written() == ["a.out", "b.out", "run.json"]
