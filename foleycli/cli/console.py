"""Messages on stderr, results on stdout, and one exit code for each way out.

Every message is one line, ``foley COMMAND: FILE: what is wrong``. Progress bars appear only on a
terminal, and tqdm is loaded only then. Library code reports progress through a callback ``(done,
total)``.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Self

import typer

from foleycli.files.atomic import OutputError
from foleycli.files.provenance import versions

NOTE_EVERY_SECONDS = 30.0

Progress = Callable[[int, int], None]
StageProgress = Callable[[str, int, int], None]
LossProgress = Callable[[int, int, Mapping[str, float]], None]

EXIT_STATUS = {
    0: "Everything asked for was done.",
    1: "Some of several inputs failed (each is named on standard error), a result could not be "
    "written, or a figure is missing or beyond a limit given.",
    2: "Wrong usage, or the only input could not be read.",
    130: "Interrupted by Ctrl-C. Files are written whole or not at all.",
}


class Exit(IntEnum):
    """Exit codes, as in :data:`EXIT_STATUS`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


class Console:
    """One command's voice."""

    def __init__(self, command: str, *, quiet: bool = False, verbose: bool = False) -> None:
        self.command, self.quiet, self.verbose = command, quiet, verbose

    def error(self, message: str) -> None:
        """Say what went wrong; ``--quiet`` does not silence it. With ``-v``, the traceback too."""
        if self.verbose and sys.exc_info()[0]:
            traceback.print_exc()
        typer.echo(f"foley {self.command}: {message}", err=True)

    def note(self, message: str) -> None:
        """Say something worth knowing."""
        if not self.quiet:
            typer.echo(f"foley {self.command}: {message}", err=True)

    def detail(self, message: str) -> None:
        """Say something that only ``-v`` asks for."""
        if self.verbose:
            self.note(message)

    @contextmanager
    def progress(self, what: str, unit: str = "it") -> Iterator[Progress | None]:
        """Yield a callback that draws a bar, or None where there is nobody to watch it."""
        with _Bar(self.quiet, unit) as bar:
            yield (lambda done, total: bar.show(what, done, total)) if bar.watched else None

    @contextmanager
    def stages(self) -> Iterator[StageProgress]:
        """Yield a callback that draws a bar a stage, or off a terminal says a line a stage."""
        said: list[str] = []
        with _Bar(self.quiet, "it") as bar:

            def show(stage: str, done: int, total: int) -> None:
                bar.show(stage, done, total)
                if not bar.watched and stage not in said:
                    said.append(stage)
                    self.note(stage)

            yield show

    @contextmanager
    def training(self) -> Iterator[LossProgress]:
        """Yield a callback that draws a bar with the losses, or off a terminal says them."""
        began = said = time.monotonic()
        first = 0
        with _Bar(self.quiet, "step") as bar:

            def show(done: int, total: int, losses: Mapping[str, float]) -> None:
                nonlocal said, first
                values = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
                bar.show("training", done, total, values)
                first = first or done - 1  # a resumed run does not begin at 0
                now = time.monotonic()
                if not bar.watched and (now - said > NOTE_EVERY_SECONDS or done == total):
                    said = now
                    minutes = (now - began) / (done - first) * (total - done) / 60
                    self.note(f"step {done} of {total}: {values}; {minutes:.0f} min left")

            yield show


class _Bar:
    """One progress bar at a time, on a terminal; elsewhere nothing."""

    def __init__(self, quiet: bool, unit: str) -> None:
        self.watched = sys.stderr.isatty() and not quiet
        self.unit = unit
        self.title = ""
        self.bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, title: str, done: int, total: int, values: str = "") -> None:
        """Draw how far ``title`` has come; another title takes a new bar."""
        if not self.watched:
            return
        if title != self.title:
            from tqdm import tqdm

            self.__exit__()
            self.bar = tqdm(
                desc=title,
                unit=self.unit,
                leave=False,
                dynamic_ncols=True,
                initial=done,
                total=total,
            )
            self.title = title
        self.bar.total = total
        self.bar.set_postfix_str(values, refresh=False)
        self.bar.update(done - self.bar.n)


@contextmanager
def command(name: str, *, quiet: bool = False, verbose: bool = False) -> Iterator[Console]:
    """Run a command's body: what it raises becomes one line on stderr and an exit code."""
    console = Console(name, quiet=quiet, verbose=verbose)
    if verbose:
        console.note(", ".join(" ".join(pair) for pair in versions().items()))
    try:
        yield console
    except (typer.Exit, BrokenPipeError):
        raise
    except KeyboardInterrupt as interruption:
        console.error(str(interruption) or "interrupted")
        raise typer.Exit(Exit.INTERRUPTED) from None
    except Exception as error:
        console.error(explain(error))
        foreseen = isinstance(error, ValueError | OSError) and not is_output_error(error)
        raise typer.Exit(Exit.USAGE if foreseen else Exit.FAILED) from None


def explain(error: BaseException) -> str:
    """One line that says what an exception means; names the type only of what should not happen."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    foreseen = isinstance(error, ValueError | OSError) and text
    return text if foreseen else f"{type(error).__name__}: {text}"


def is_disk_error(error: BaseException) -> bool:
    """Whether writing anything more is hopeless."""
    hopeless = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return isinstance(error, OSError) and error.errno in hopeless


def is_output_error(error: BaseException) -> bool:
    """Whether it was a result that could not be written."""
    return isinstance(error, OutputError) or is_disk_error(error)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def guarded(app: Callable[..., object]) -> None:
    """Call the application; a full disk or a closed pipe on stdout is no reason for a traceback."""
    code: int | str | None = Exit.OK
    try:
        try:
            app(prog_name="foley")
        except SystemExit as leaving:
            code = leaving.code
        sys.stdout.flush()
    except OSError as error:
        # Python flushes stdout once more on its way out: give it somewhere that takes all.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.FAILED
        if not isinstance(error, BrokenPipeError):
            typer.echo(f"foley: standard output: {explain(error)}", err=True)
    sys.exit(code)
