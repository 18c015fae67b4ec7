"""Work for several processes, and why each of them computes in one thread."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from foleycli.cli.console import Exit

Each = Callable[..., Iterator[Any]]  # each(work, tasks), as map


@contextmanager
def processes(jobs: int) -> Iterator[Each]:
    """Yield ``map``, or the same over ``jobs`` processes; results come in the order of the tasks.

    What is not done is given up when the block is left.
    """
    compute_in_one_thread()
    if jobs == 1:
        yield map
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _prepare_worker)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def compute_in_one_thread() -> None:
    """Make results independent of ``--jobs`` and of the machine's cores.

    How torch splits a sum between threads decides its last digits; cores are for ``--jobs``. Where
    torch is not needed it is not loaded: the variables, which processes inherit, are for when it
    is.
    """
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _prepare_worker() -> None:
    """Let Ctrl-C, which reaches every process of a terminal, end this one without a traceback."""
    signal.signal(signal.SIGINT, lambda *_: sys.exit(Exit.INTERRUPTED))
