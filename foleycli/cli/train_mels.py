"""What ``foley train codebook``, ``vocoder``, ``melception`` and ``vggishish`` share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.console import Console, print_json
from foleycli.cli.train import (
    FILES,
    class_names,
    conditions_of,
    digest_of,
    finish,
    provenance_of,
)
from foleycli.files.provenance import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from foleycli.training.data import Example
    from foleycli.training.validated import ValidatedTrainer

VALID = "valid"
RUN_FILES = f"""{FILES}  RUN/state.pt           everything that --resume needs to go on exactly
  RUN/log.jsonl          losses, and figures of the split {VALID}, one line a step
"""


class Short(StrEnum):
    """What ``--short`` takes."""

    loop = "loop"
    silence = "silence"


Sounds = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Folder of sounds or clips, or of class folders of these, perhaps in folders train "
        f"and {VALID}; or a manifest (.csv, .jsonl) with path and perhaps class and split. "
        f"Learns from train, and is judged on {VALID}.",
        show_default=False,
    ),
]
ShortOption = Annotated[
    Short,
    typer.Option(
        "--short", help="What a sound shorter than a window is filled up with: itself, or silence."
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps", min=1, metavar="N", help="Updates, at most.", show_default="the preset's"
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch",
        min=1,
        metavar="N",
        help="Sounds an update, of all processes together.",
        show_default="the preset's",
    ),
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        "--accumulate",
        min=1,
        metavar="N",
        help="Go through a batch in so many parts, which takes less memory.",
        show_default="the preset's",
    ),
]
ValidateEvery = Annotated[
    int | None,
    typer.Option(
        "--validate-every",
        min=1,
        metavar="N",
        help="Steps between validations.",
        show_default="the preset's",
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        min=1,
        metavar="N",
        help="Stop after so many validations that were no better than the best.",
        show_default="the preset's",
    ),
]


@dataclass(frozen=True)
class Order:
    """What all four commands are asked for, besides their recipe.

    Only where ``labelled`` do they ask that every sound has a class.
    """

    name: str
    data: Path
    run: Path
    classes: str
    where: list[str]
    seed: int
    device: options.Device
    resume: bool
    dry_run: bool
    as_json: bool
    labelled: bool = False


def carry_out(
    console: Console,
    order: Order,
    recipe_for: Callable[[list[Example]], Any],
    trainer_for: Callable[[Any, list[Example], list[Example], str], ValidatedTrainer],
) -> None:
    """List sounds, train, and report.

    Parameters
    ----------
    recipe_for
        Makes the recipe for the sounds to learn from.
    trainer_for
        Reads what the recipe needs of the sounds to learn from and of those to be judged on, and
        builds the trainer on a device.
    """
    from foleycli.training.data import read_examples
    from foleycli.training.mel_data import list_held_out, list_sounds
    from foleycli.training.replicas import is_first, join
    from foleycli.training.validated import train_validated

    chosen, conditions = class_names(order.classes), conditions_of(order.where)
    listed = read_examples if order.labelled else list_sounds
    examples = listed(order.data, classes=chosen, where=conditions)
    if order.labelled:
        chosen = chosen or sorted({example.label for example in examples})
    recipe = recipe_for(examples)
    settings: dict[str, Any] = {"recipe": recipe.as_dict(), "seed": order.seed}
    settings["clips"] = len(examples)
    if order.dry_run:
        print_json(settings)
        return
    judged = list_held_out(order.data, VALID, classes=chosen, where=conditions)
    if not judged:
        console.note(f"no split called {VALID}: nothing is validated, and the model is the latest")
    settings["device"] = join(options.torch_device(order.device))
    console.detail(f"device {settings['device']}")
    settings["data_sha256"] = digest_of(example.path for example in (*examples, *judged))
    record = RunRecord(order.name, settings)
    trainer = trainer_for(recipe, examples, judged, settings["device"])
    if is_first():
        record.save(order.run / "run.json")
    made_of = provenance_of(settings)
    with console.training() as report:
        train_validated(trainer, order.run, resume=order.resume, provenance=made_of, report=report)
    if is_first():
        finish(record, order.run, order.as_json, _told(console, trainer))


def _told(console: Console, trainer: ValidatedTrainer) -> dict[str, Any]:
    """Say what the best model's figures are, and return them for the report."""
    found = trainer.report()
    if not found:
        return {}
    values = ", ".join(f"{name} {value:.4g}" for name, value in found.items() if name != "step")
    console.note(f"{VALID}: {values}; best after step {found['step']}")
    return {VALID: found}
