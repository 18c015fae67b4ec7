"""Writing a whole folder: a reader sees the old one or all of the new one, never a part of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foleycli.files.atomic import OutputError, make_parents


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary sibling of the folder ``path`` that replaces it when the block succeeds.

    Any exception, Ctrl-C included, removes the sibling and leaves ``path`` as it was; a kill leaves
    the sibling behind, hidden. A folder cannot be replaced in one step: between two renames there
    is none, and a kill just then leaves the old one as ``.NAME-...-old``.

    Raises
    ------
    OutputError
        When the folder cannot be made; it names ``path``.
    """
    target = Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow a link)
    make_parents(target)
    try:
        made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:40]}-"))
    except OSError as error:
        raise OutputError(error.errno, error.strerror or str(error), str(path)) from error
    old = made.with_name(f"{made.name}-old")
    try:
        yield made
        umask = os.umask(0)
        os.umask(umask)
        made.chmod(0o777 & ~umask)  # mkdtemp makes 0700
        try:
            if target.exists():
                target.rename(old)
            made.rename(target)
        except OSError as error:
            if old.exists() and not target.exists():
                old.rename(target)
            raise OutputError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
