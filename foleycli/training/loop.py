"""What every training run shares: its folder, exact resumption, and leaving in good order.

A run folder holds ``state.pt`` (everything needed to go on exactly), ``model.safetensors`` (what
other commands load) and ``log.jsonl`` (one line a report). Batches and noise are drawn from
generators seeded by (seed, step), so that no random state needs saving: step 1000 is the same
whether or not the run was stopped at 700.

Several processes (see ``replicas.py``) train as one does: the first alone writes, and a signal to
any stops all at the same step. All of them read the folder when a run is resumed.
"""

from __future__ import annotations

import json
import math
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch

from foleycli.files.atomic import atomic_path, write_text
from foleycli.training.replicas import agree, any_replica, is_first

STATE_NAME = "state.pt"
MODEL_NAME = "model.safetensors"
LOG_NAME = "log.jsonl"

_RISE = 0.1  # share of the steps in which the learning rate rises
_VECTOR = 16  # channels that a vector of oneDNN holds

Report = Callable[[int, int, dict[str, float]], None]


class Length(Protocol):
    """What a loop asks of a recipe."""

    @property
    def steps(self) -> int:
        """Updates of the whole run."""

    @property
    def save_every(self) -> int:
        """Steps between states that can be resumed."""


class Trainer(Protocol):
    """Networks, optimisers and the step that updates them."""

    @property
    def recipe(self) -> Length:
        """How long the run is."""

    def train_step(self, step: int) -> dict[str, float]:
        """Do one update; returns what the log is to say."""

    def state(self, step: int) -> dict[str, Any]:
        """Everything that the next step depends on."""

    def restore(self, state: dict[str, Any]) -> int:
        """Take up a saved state; returns the number of steps done."""

    def save_model(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write the model file."""


def train(
    trainer: Trainer,
    folder: Path,
    *,
    resume: bool = False,
    provenance: dict[str, Any] | None = None,
    report: Report | None = None,
) -> Path:
    """Train to the recipe's last step, saving every ``save_every`` steps and when interrupted.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the finished step is saved.
    """
    recipe = trainer.recipe
    first = trainer.restore(load_state(folder)) if resume else 0
    agree([provenance, first, recipe.steps], lambda: trainer.state(first))
    if is_first():
        folder.mkdir(parents=True, exist_ok=True)
        trim_log(folder, first)

    def save(step: int) -> None:
        save_state(folder, trainer.state(step))
        trainer.save_model(folder / MODEL_NAME, {**(provenance or {}), "step": step})

    def tell(done: int, scores: dict[str, float]) -> None:
        if report:
            report(done, recipe.steps, scores)

    with deferred_interrupts() as interruption:
        steps = range(first, recipe.steps)
        run_steps(steps, trainer.train_step, save, tell, recipe.save_every, folder, interruption)
    return folder / MODEL_NAME


def run_steps(
    steps: range,
    train_step: Callable[[int], dict[str, float]],
    save: Callable[[int], None],
    tell: Callable[[int, dict[str, float]], None],
    save_every: int,
    folder: Path,
    interruption: Interruption,
    *,
    before: int = 0,
    about: dict[str, Any] | None = None,
) -> None:
    """Do steps one by one, log each, and save now and then, when interrupted, and in the end.

    Parameters
    ----------
    steps : range
        Those to be done, counted from 0.
    train_step, save, tell
        Of a step's number; the latter two of how many are done, and called in the first process
        alone.
    before : int
        Steps that the log counts besides, of earlier stages.
    about : dict
        What each line of the log says besides the scores.

    Raises
    ------
    KeyboardInterrupt
        Once the finished step is saved.
    """
    first = is_first()
    for step in steps:
        began = time.perf_counter()
        scores = train_step(step)
        done, seconds = step + 1, round(time.perf_counter() - began, 3)
        if first:
            record = {"step": before + done, **(about or {}), "seconds": seconds, **scores}
            append_log(folder, record)
            tell(done, scores)
        stop = any_replica(interruption.requested)
        if first and (stop or done % save_every == 0):
            save(done)
        if stop:
            any_replica(False)  # until it is saved nobody leaves: torchrun ends the others then
            raise KeyboardInterrupt(f"saved after step {before + done}; go on with --resume")
    if first:
        save(max(steps.start, steps.stop))


def one_cycle(step: int, steps: int) -> float:
    """Learning rate relative to its peak: up in a tenth of the run, then down by a cosine."""
    done = (step + 1) / steps
    if done < _RISE:
        return done / _RISE
    return 0.5 + 0.5 * math.cos(math.pi * (done - _RISE) / (1 - _RISE))


def fastest_layout(width: int) -> torch.memory_format:
    """Choose the layout in memory of a residual network by its first stage's width.

    Channels last is faster on a CPU. But oneDNN 3.12 then writes past its memory in the gradient of
    a strided 1x1 convolution of fewer channels than a vector holds (its issue 6035).
    """
    return torch.contiguous_format if width < _VECTOR else torch.channels_last


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
