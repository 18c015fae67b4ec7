"""One library call for each of many clips: failures, resumption, processes, the record of it all.

A command describes its work as a function of one :class:`~foleycli.cli.inputs.Job` and the settings
that decide the result; everything that is the same for all commands happens here. A bad clip is
named and the others go on. ``run.json`` stands in the output folder (``run-I-of-N.json`` for a
shard, so that shards may run at once); a single ``.npz`` carries its own record, any other single
``FILE`` has ``FILE.run.json`` beside it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import typer

from foleycli import __version__
from foleycli.cli.console import (
    Console,
    Exit,
    Progress,
    explain,
    is_disk_error,
    is_output_error,
    print_json,
)
from foleycli.cli.inputs import Job, collect, is_batch, plan
from foleycli.cli.options import parse_shard
from foleycli.cli.processes import compute_in_one_thread, processes
from foleycli.files.provenance import RunRecord, file_sha256, fingerprint, recorded_outputs

SAVE_EVERY_SECONDS = 5.0

# work(job, settings, meta, progress) makes job.output. What it returns goes into --json and
# run.json, its "note" to stderr; meta is what an .npz records of its making.
Work = Callable[[Job, Any, Mapping[str, Any], Progress | None], dict[str, Any]]


@dataclass(frozen=True)
class Batch:
    """The shared options of a command that works clip by clip, and what files it reads and writes.

    Attributes
    ----------
    reads : collection of str
        Suffixes to look for in folders.
    suffix : str
        Of outputs in a folder.
    writes : collection of str
        Suffixes that ``-o FILE`` may have; empty allows any.
    columns : sequence of str
        What of each clip's report goes into a table on stdout, instead of the paths alone.
    beside : sequence of (str, str)
        Path and suffix of each second result (see :meth:`Job.companion`), if one is wanted.
    once : sequence of str
        Files written for all clips together, if wanted.
    keeps : sequence of str
        Files besides the clips that are read, and must not be overwritten.
    """

    inputs: Sequence[Path]
    output: str
    reads: Collection[str]
    suffix: str
    writes: Collection[str] = ()
    shard: str = ""
    jobs: int = 1
    dry_run: bool = False
    as_json: bool = False
    no_clobber: bool = False
    resume: bool = False
    fail_fast: bool = False
    columns: Sequence[str] = ()
    beside: Sequence[tuple[str, str]] = ()
    once: Sequence[str] = ()
    keeps: Sequence[str] = ()


@dataclass(frozen=True)
class _Task:
    """All that one process needs to make one output."""

    job: Job
    work: Work
    settings: Any
    command: str
    options: Mapping[str, Any]
    known: str  # fingerprint of the output that is there
    batch: Batch


@dataclass
class _Outcome:
    """A clip's report, or its error.

    ``unwritable`` when it was the result that failed, ``fatal`` when no other clip can fare better.
    """

    job: Job
    report: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""
    error: str = ""
    trace: str = ""
    unwritable: bool = False
    fatal: bool = False


def run_batch(
    console: Console, batch: Batch, work: Work, settings: Any, *, uses: Iterable[Path] = ()
) -> None:
    """Make every clip's output; print the paths (or ``--json``) and keep the record.

    Parameters
    ----------
    work : Work
        A module-level function, so that other processes can be sent it.
    settings : dataclass instance
        Everything that decides a result, in values that JSON can hold.
    uses : iterable of Path
        Files besides the clips that decide it: models, lists of events.

    Raises
    ------
    typer.Exit
        With 1 when some of several clips failed, with 2 when the only one did.
    ValueError
        On wrong usage, before anything is written.
    """
    with ExitStack() as stack:
        output = batch.output
        if to_stdout := output == "-":
            output = stack.enter_context(tempfile.TemporaryDirectory(prefix="foley-")) + os.sep
        jobs, single, record_path = _plan(batch, output)
        if to_stdout:
            record_path = None
        if to_stdout and (not single or batch.as_json):
            raise ValueError("-o -: standard output takes one result and nothing else; use -o PATH")
        if batch.dry_run:
            _print_plan(console.command, jobs, batch)
            return
        options = {**asdict(settings), "uses": [file_sha256(path) for path in uses]}
        record = RunRecord(console.command, options, outputs=recorded_outputs(record_path))
        tasks = [
            _Task(job, work, settings, console.command, options, _known(job, record, batch), batch)
            for job in jobs
        ]
        silent = batch.as_json or to_stdout
        if batch.columns and not silent:
            typer.echo("\t".join(("output", *batch.columns)))
        began = saved = time.monotonic()
        outcomes: list[_Outcome] = []
        try:
            for outcome in _outcomes(console, tasks, batch.jobs):
                outcomes.append(outcome)
                _tell(console, outcome, record, batch.columns, silent=silent)
                if record_path and time.monotonic() - saved > SAVE_EVERY_SECONDS:
                    record.save(record_path)
                    saved = time.monotonic()
                if outcome.fatal or (outcome.error and batch.fail_fast):
                    break
        finally:
            if record_path and record.outputs:
                record.save(record_path)
        if to_stdout and not outcomes[0].error:
            with jobs[0].output.open("rb") as result:
                shutil.copyfileobj(result, sys.stdout.buffer)
        if batch.as_json:
            print_json(_summary(console.command, outcomes, time.monotonic() - began))
        failed = [outcome for outcome in outcomes if outcome.error]
        if failed and not single:
            console.error(f"{len(failed)} of {len(tasks)} failed")
        if failed:
            unreadable = single and not failed[0].unwritable
            raise typer.Exit(Exit.USAGE if unreadable else Exit.FAILED)


def _plan(batch: Batch, output: str) -> tuple[list[Job], bool, Path | None]:
    """Return the shard's jobs, whether there can be but one, and where the record goes, if any."""
    clips = collect(batch.inputs, batch.reads)
    several = is_batch(batch.inputs, clips)
    every = plan(clips, output, batch.suffix, folder=several, allowed=batch.writes)
    _refuse_overwriting(batch, every)
    index, count = parse_shard(batch.shard)
    first, folder = every[0].output, every[0].folder
    record_path = None
    if folder is not None:
        record_path = folder / ("run.json" if count == 1 else f"run-{index}-of-{count}.json")
    elif first.suffix != ".npz":
        record_path = first.with_name(f"{first.name}.run.json")
    return every[index::count], not several, record_path


def _refuse_overwriting(batch: Batch, jobs: Sequence[Job]) -> None:
    """Raise ValueError when a result would be written over a file that is read, or another one."""
    read = {job.clip.path.absolute() for job in jobs} | {
        Path(p).absolute() for p in batch.keeps if p
    }
    beside = [job.companion(p, suffix) for p, suffix in batch.beside if p for job in jobs]
    written = [*(job.output for job in jobs), *beside, *(Path(p) for p in batch.once if p)]
    taken: set[Path] = set()
    for result in written:
        whole = Path(os.path.normpath(result.absolute()))
        if whole in read:
            raise ValueError(f"{result}: would overwrite a file that is read; give another name")
        if whole in taken:
            raise ValueError(f"{result}: two outputs have one name; give each its own")
        taken.add(whole)


def check_plan(batch: Batch) -> None:
    """Raise what :func:`run_batch` would raise for wrong usage, before anything is written."""
    _plan(batch, f"{tempfile.gettempdir()}{os.sep}" if batch.output == "-" else batch.output)


def _known(job: Job, record: RunRecord, batch: Batch) -> str:
    """Fingerprint of the output that is there: an .npz tells its own, run.json that of others."""
    beside = [job.companion(path, suffix) for path, suffix in batch.beside if path]
    if not all(result.is_file() for result in (job.output, *beside)):
        return ""
    if job.output.suffix != ".npz":
        return str(record.outputs.get(job.name, {}).get("fingerprint", ""))
    from foleycli.files.arrays import read_meta

    try:
        return str(read_meta(job.output).get("fingerprint", ""))
    except ValueError:
        return ""


def _outcomes(console: Console, tasks: Sequence[_Task], jobs: int) -> Iterator[_Outcome]:
    """Do the tasks, in this process or in several; outcomes come in the order of the tasks."""
    if len(tasks) == 1:
        with console.progress(tasks[0].job.clip.path.name) as progress:
            yield _attempt(tasks[0], progress)
        return
    workers = min(jobs, max(len(tasks), 1))
    with console.progress(console.command, unit="clip") as progress, processes(workers) as each:
        for done, outcome in enumerate(each(_attempt, tasks), start=1):
            if progress:
                progress(done, len(tasks))
            yield outcome


def _attempt(task: _Task, progress: Progress | None = None) -> _Outcome:
    """Make one output; any exception is that clip's failure and no other's."""
    job, source = task.job, task.job.clip.path
    try:
        if task.batch.no_clobber and job.output.exists():
            return _Outcome(job, skipped="exists")
        digest = file_sha256(source)
        recipe = {**task.options, "clip": job.clip.id, "class": job.clip.label}
        mark = fingerprint(task.command, recipe, digest)
        if task.batch.resume and task.known == mark:
            return _Outcome(job, skipped="made before")
        meta = {
            "command": task.command,
            "foleycli": __version__,
            "options": task.options,
            "input": {"name": source.name, "sha256": digest},
            "fingerprint": mark,
        }
        compute_in_one_thread()
        report = task.work(job, task.settings, meta, progress)
        return _Outcome(job, {**report, "input_sha256": digest, "fingerprint": mark})
    except Exception as error:
        trace = traceback.format_exc()
        return _Outcome(
            job,
            error=explain(error),
            trace=trace,
            unwritable=is_output_error(error),
            fatal=is_disk_error(error),
        )


def _tell(
    console: Console, outcome: _Outcome, record: RunRecord, columns: Sequence[str], *, silent: bool
) -> None:
    """Name what failed, print what was written, and keep both for the record."""
    name, job = outcome.job.clip.path.name, outcome.job
    if outcome.error:
        console.detail(outcome.trace)
        message = outcome.error.removeprefix(f"{job.clip.path}: ").removeprefix(f"{name}: ")
        record.failures[str(job.clip.path)] = message
        console.error(f"{job.clip.path}: {message}")
        return
    if outcome.skipped:
        console.detail(f"{job.output}: {outcome.skipped}, left as it is")
    else:
        if note := outcome.report.get("note"):
            console.note(f"{name}: {note}")
        record.outputs[job.name] = {"input": str(job.clip.path), **outcome.report}
    if not silent:
        cells = (outcome.report.get(name) for name in columns)
        row = ("" if cell is None else f"{cell:.2f}" for cell in cells)
        typer.echo("\t".join((str(job.output), *row)))
        for further in outcome.report.get("files", [])[1:]:
            typer.echo(further)


def _print_plan(command: str, jobs: Sequence[Job], batch: Batch) -> None:
    to_stdout = batch.output == "-"
    pairs = [(str(job.clip.path), "-" if to_stdout else str(job.output)) for job in jobs]
    if batch.as_json:
        print_json({"command": command, "plan": [{"input": i, "output": o} for i, o in pairs]})
        return
    for pair in pairs:
        typer.echo("\t".join(pair))


def _summary(command: str, outcomes: Sequence[_Outcome], seconds: float) -> dict[str, Any]:
    """Put together what ``--json`` prints."""

    def base(outcome: _Outcome) -> dict[str, str]:
        return {"input": str(outcome.job.clip.path), "output": str(outcome.job.output)}

    return {
        "command": command,
        "foleycli": __version__,
        "outputs": [base(o) | o.report for o in outcomes if not (o.error or o.skipped)],
        "skipped": [base(o) | {"reason": o.skipped} for o in outcomes if o.skipped],
        "failures": [base(o) | {"error": o.error} for o in outcomes if o.error],
        "seconds": round(seconds, 3),
    }
