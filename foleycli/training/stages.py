"""Training in stages, each on what the ones before it made, resumable in any of them.

Stages are built when their turn comes, because they start from results: features of a network that
is frozen by then are computed once. A step's number counts over all stages in the log, and from 0
in each stage; random numbers come from (seed, stage, step).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from foleycli.training.loop import (
    MODEL_NAME,
    Report,
    check_same_recipe,
    deferred_interrupts,
    load_state,
    run_steps,
    save_state,
    trim_log,
)
from foleycli.training.replicas import agree, is_first

Results = Mapping[str, Mapping[str, Tensor]]


class Stage(ABC):
    """One stage: networks, optimisers, and the step that updates them.

    Subclasses list in ``kept`` the attributes that a step depends on and changes: whatever has a
    state dict, or a dict of plain values.
    """

    kept: ClassVar[tuple[str, ...]]
    number: ClassVar[int]
    seed: int

    @abstractmethod
    def train_step(self, step: int) -> dict[str, float]:
        """Do one update; returns what the log is to say."""

    @abstractmethod
    def result(self) -> dict[str, Tensor]:
        """Return what later stages and the model file need: part.name -> tensor."""

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        found = {name: attrgetter(name)(self) for name in self.kept}
        return {n: dict(k) if isinstance(k, dict) else k.state_dict() for n, k in found.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a saved state."""
        for name in self.kept:
            kept = attrgetter(name)(self)
            if isinstance(kept, dict):
                kept.update(state[name])
            else:
                kept.load_state_dict(state[name])

    def rng(self, step: int, purpose: int) -> np.random.Generator:
        """Random numbers of one step for one purpose."""
        return np.random.default_rng([self.seed, self.number, step, purpose])

    def torch_rng(self, step: int, purpose: int) -> torch.Generator:
        """Do as :meth:`rng` does, for tensors."""
        return torch.Generator().manual_seed(int(self.rng(step, purpose).integers(2**62)))


class Course(Protocol):
    """A system's stages; ``steps`` names them in order, with their lengths."""

    seed: int
    steps: Mapping[str, int]
    save_every: int

    def settings(self) -> dict[str, Any]:
        """Return the recipe as plain values."""

    def given(self) -> dict[str, dict[str, Tensor]]:
        """Return results that were not trained here."""

    def stage(self, name: str, results: Results) -> Stage:
        """Build a stage on the results of those before it."""

    def save_model(self, path: Path, results: Results, provenance: dict[str, Any]) -> None:
        """Write the model as far as it has come."""


def train_stages(
    course: Course,
    folder: Path,
    *,
    resume: bool = False,
    provenance: dict[str, Any] | None = None,
    report: Report | None = None,
) -> Path:
    """Train all stages, saving every ``save_every`` steps, after each, and when interrupted.

    The last stage may be made longer afterwards: resume with more steps.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the finished step is saved.
    """
    state = load_state(folder) if resume else None
    if state is not None:
        _check(course, state)
    results = dict(course.given() if state is None else state["results"])
    total, before = sum(course.steps.values()), 0
    if is_first():
        folder.mkdir(parents=True, exist_ok=True)
        trim_log(folder, state["step"] if state else 0)

    def save(name: str, stage: Stage, step: int) -> None:
        done = {
            **{"results": results, "stage": name, "stage_step": step, "current": stage.state()},
            **{"step": before + step, "seed": course.seed, "recipe": course.settings()},
        }
        save_state(folder, done)
        made = {**results, name: stage.result()}
        about = {**(provenance or {}), "seed": course.seed, "step": before + step}
        course.save_model(folder / MODEL_NAME, made, {**about, "recipe": course.settings()})

    def tell(done: int, scores: dict[str, float]) -> None:
        if report:
            report(before + done, total, scores)

    with deferred_interrupts() as interruption:
        for name, steps in course.steps.items():
            if name not in results:
                stage = course.stage(name, results)
                first = 0
                if state is not None and state["stage"] == name:
                    stage.restore(state["current"])
                    first = state["stage_step"]
                agree([course.settings(), provenance, name, first], stage.state)
                run_steps(
                    range(first, steps),
                    stage.train_step,
                    partial(save, name, stage),
                    tell,
                    course.save_every,
                    folder,
                    interruption,
                    before=before,
                    about={"stage": name},
                )
                if name != list(course.steps)[-1]:
                    results[name] = stage.result()
            before += steps
    return folder / MODEL_NAME


def named_tensors(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    """Return copies of a network's tensors, named ``prefix.name``, on the CPU."""
    tensors = network.state_dict()
    return {f"{prefix}.{name}": t.detach().cpu().clone() for name, t in tensors.items()}


def part(results: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors named ``prefix.name``, without the prefix."""
    start = len(prefix) + 1
    return {n[start:]: t for n, t in results.items() if n.startswith(f"{prefix}.")}


def _check(course: Course, state: Mapping[str, Any]) -> None:
    saved, asked = dict(state["recipe"]), course.settings()
    last = list(course.steps)[-1]
    if last in saved and last in asked:
        asked = {**asked, last: {**asked[last], "steps": saved[last]["steps"]}}
    check_same_recipe(saved, asked)
    check_same_recipe({"seed": state["seed"]}, {"seed": course.seed})
