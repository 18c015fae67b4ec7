"""Atomic writes: a reader sees the old file or the whole new one, never half of it.

The new contents go to a temporary sibling (same folder, hence same file system), are flushed to
disk and then renamed over the target, which POSIX and Windows both do in one step.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OutputError(OSError):
    """A result cannot be put where it should go."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` that replaces it when the block succeeds.

    The sibling keeps the suffix, so that writers which choose a format by it still do. Missing
    parent folders are made. Any exception, Ctrl-C included, removes the sibling and leaves ``path``
    as it was.

    Raises
    ------
    OutputError
        When the folder or the file cannot be made; it names ``path``.
    """
    target = Path(path)
    make_parents(target)
    with _naming(target):
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.stem[:40]}-", suffix=target.suffix
        )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes 0600; a result is an ordinary file
        with _naming(target):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def make_parents(path: str | os.PathLike[str]) -> None:
    """Make the folders that a result will lie in; raises :class:`OutputError`."""
    with _naming(Path(path)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Make errors name the result, not its temporary sibling."""
    try:
        yield
    except OSError as error:
        raise OutputError(error.errno, error.strerror or str(error), str(target)) from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 with Unix line ends, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
