"""Training that is judged on sounds held out: the best model is kept, and a run may end early.

Every ``validate_every`` steps the held-out sounds are looked at. What then has the lowest cost is
the model; after ``patience`` validations in a row that did not lower it the run ends. Both belong
to the state, so that a resumed run judges as an uninterrupted one. Without held-out sounds the
model is the latest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor

from foleycli.checkpoints import save_checkpoint
from foleycli.training.loop import MODEL_NAME, Report, check_same_recipe, save_state, train
from foleycli.training.replicas import add_up, is_first, replica

_MAY_CHANGE = ("steps", "patience")  # on resumption: what a step does not depend on


class ValidatedRecipe(Protocol):
    """What a validated run asks of a recipe."""

    @property
    def steps(self) -> int:
        """Updates of the whole run, at most."""

    @property
    def save_every(self) -> int:
        """Steps between states that can be resumed."""

    @property
    def validate_every(self) -> int:
        """Steps between validations."""

    @property
    def patience(self) -> int | None:
        """Validations in a row without a lower cost that end the run; None for no such end."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and checkpoints."""


class Settled(Exception):
    """Patience has run out; ``args[0]`` is how many steps are done."""


class ValidatedTrainer(ABC):
    """A :class:`~foleycli.training.loop.Trainer` that keeps the best of its models.

    Subclasses list in ``kept`` the attributes that a step depends on and that have a state dict.
    """

    kind: str
    kept: ClassVar[tuple[str, ...]]
    judged_from = 0  # validations after fewer steps count only until there is a later one

    def __init__(self, recipe: ValidatedRecipe, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        self.best: dict[str, Any] = {"step": 0, "cost": 0.0, "since": 0, "scores": {}}
        self.best_tensors: dict[str, Tensor] = {}

    @abstractmethod
    def update(self, step: int) -> dict[str, float]:
        """Do one update; returns what the log is to say."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Look at the held-out sounds; nothing where there are none."""

    @abstractmethod
    def cost(self, scores: Mapping[str, float]) -> float:
        """Return what of a validation's scores is to be low."""

    @abstractmethod
    def model_config(self) -> dict[str, Any]:
        """Return what builds the network again."""

    @abstractmethod
    def model_tensors(self) -> dict[str, Tensor]:
        """Return the network as it is now."""

    def train_step(self, step: int) -> dict[str, float]:
        """Do one update, and validate when it is time; the figures of that begin with ``valid_``.

        Raises
        ------
        Settled
            Before the update, when patience has run out.
        ValueError
            When a figure is not finite: nothing can be learned from there on.
        """
        patience = self.recipe.patience
        if patience is not None and self.best["since"] >= patience:
            raise Settled(step)
        scores, done = self.update(step), step + 1
        if done % self.recipe.validate_every == 0 or done == self.recipe.steps:
            found = self.validate()
            self._judge(done, found)
            scores |= {f"valid_{name}": value for name, value in found.items()}
        spoilt = [name for name, value in scores.items() if not math.isfinite(value)]
        if spoilt:
            raise ValueError(
                f"{spoilt[0]} is not finite in step {done}; begin anew with a lower learning rate"
            )
        return scores

    def _judge(self, done: int, scores: dict[str, float]) -> None:
        if not scores:
            return
        cost, counts = self.cost(scores), done > self.judged_from
        first = not self.best_tensors or (counts and self.best["step"] <= self.judged_from)
        if first or cost < self.best["cost"]:
            self.best = {"step": done, "cost": cost, "since": 0, "scores": scores}
            found = self.model_tensors()
            self.best_tensors = {name: t.detach().cpu().clone() for name, t in found.items()}
        elif counts:
            self.best = {**self.best, "since": self.best["since"] + 1}

    def state(self, step: int) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": step,
            "seed": self.seed,
            "recipe": self.recipe.as_dict(),
            "best": {**self.best, "tensors": self.best_tensors},
            **{name: attrgetter(name)(self).state_dict() for name in self.kept},
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Take up a saved state; returns the number of steps done.

        A run may be made longer, or more patient.
        """
        free = {n: state["recipe"].get(n) for n in _MAY_CHANGE}
        check_same_recipe(state["recipe"], self.recipe.as_dict() | free)
        check_same_recipe({"seed": state["seed"]}, {"seed": self.seed})
        self.best = dict(state["best"])
        self.best_tensors = self.best.pop("tensors")
        for name in self.kept:
            attrgetter(name)(self).load_state_dict(state[name])
        return int(state["step"])

    def save_model(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write the best model, or where nothing is held out the latest."""
        about = {"seed": self.seed, "recipe": self.recipe.as_dict(), "valid": self.report()}
        save_checkpoint(
            path,
            kind=self.kind,
            config=self.model_config(),
            tensors=self.best_tensors or self.model_tensors(),
            provenance={**provenance, **about},
        )

    def report(self) -> dict[str, float]:
        """Return the best model's figures, and after how many steps it was reached."""
        return {"step": self.best["step"], **self.best["scores"]} if self.best_tensors else {}


def train_validated(
    trainer: ValidatedTrainer,
    folder: Path,
    *,
    resume: bool = False,
    provenance: dict[str, Any] | None = None,
    report: Report | None = None,
) -> Path:
    """Do as :func:`~foleycli.training.loop.train` does, and stop when patience has run out.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the finished step is saved.
    """
    try:
        return train(trainer, folder, resume=resume, provenance=provenance, report=report)
    except Settled as settled:
        done = settled.args[0]
        if is_first():
            save_state(folder, trainer.state(done))
            trainer.save_model(folder / MODEL_NAME, {**(provenance or {}), "step": done})
        return folder / MODEL_NAME


def own(count: int) -> range:
    """Which of ``count`` held-out sounds are this process's to look at."""
    rank, world = replica()
    return range(rank, count, world)


def over_all(sums: Tensor) -> Tensor:
    """Return sums over this process's sounds as sums over all."""
    return add_up(sums) if replica()[1] > 1 else sums
