"""What every training run shares: its folder, exact resumption, and leaving in good order.

A run folder holds ``state.pt`` (everything needed to go on exactly), ``model.safetensors`` (what
other commands load) and ``log.jsonl`` (one line a report). Batches and noise are drawn from
generators seeded by (seed, step), so that no random state needs saving: step 1000 is the same
whether or not the run was stopped at 700.
"""

from __future__ import annotations

import json
import pickle
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from foleycli.files.atomic import atomic_path, write_text

STATE_NAME = "state.pt"
MODEL_NAME = "model.safetensors"
LOG_NAME = "log.jsonl"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the training state atomically; a kill at any moment leaves the last whole one."""
    with atomic_path(folder / STATE_NAME) as temporary:
        torch.save(state, temporary)


def load_state(folder: Path) -> dict[str, Any]:
    """Read the training state; nothing but tensors and plain values is accepted.

    Raises
    ------
    ValueError
        When there is none, or it is damaged or not ours.
    """
    path = folder / STATE_NAME
    if not path.is_file():
        raise ValueError(f"{folder}: nothing to resume (no {STATE_NAME}); start without --resume")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ValueError(f"{path}: damaged or not a foley training state") from error
    return state


def check_same_recipe(saved: dict[str, Any], asked: dict[str, Any]) -> None:
    """Refuse to resume under other settings than the run was started with.

    Raises
    ------
    ValueError
        Naming the first setting that differs.
    """
    for name in sorted(saved.keys() | asked.keys()):
        if saved.get(name) != asked.get(name):
            raise ValueError(
                f"cannot resume: {name} was {saved.get(name)!r}, now {asked.get(name)!r}; "
                "repeat the settings or start a new folder"
            )


def trim_log(folder: Path, steps: int) -> None:
    """Forget what the log says of steps beyond ``steps``: they will be done, and logged, again."""
    path = folder / LOG_NAME
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= steps]
        write_text(path, "".join(f"{line}\n" for line in kept))


def append_log(folder: Path, record: dict[str, Any]) -> None:
    """Add one line to the run's log."""
    with (folder / LOG_NAME).open("a", encoding="utf-8") as log:
        log.write(json.dumps(record, sort_keys=True) + "\n")


class Interruption:
    """Whether Ctrl-C or a termination signal has arrived."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Note Ctrl-C and SIGTERM rather than die in the middle of a step; a second one kills."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    watched = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.getsignal(number) for number in watched}

    def note(number: int, frame: FrameType | None) -> None:
        interruption.requested = True
        signal.signal(number, previous[signal.Signals(number)])

    for number in watched:
        signal.signal(number, note)
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
