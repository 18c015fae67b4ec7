"""``foley train classifier``: labelled sounds -> what metrics and embeddings listen with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.console import Console, command, print_json
from foleycli.cli.train import (
    FILES,
    Classes,
    Continue,
    Data,
    DryRun,
    Json,
    Run,
    Seed,
    Where,
    _conditions,
    _digest,
    _finish,
    _names,
    _provenance,
)
from foleycli.files.provenance import RunRecord

if TYPE_CHECKING:
    from pathlib import Path

EPILOG = f"""\b
Examples:
  foley train classifier sounds/ -o run/
  foley train classifier manifest.csv -o run/ --where tier=free --classes rain,dog
  foley train classifier sounds/ -o run/ --arch resnet50 --device cuda
  foley train classifier sounds/ -o run/ --arch resnet50 --device cuda --resume
{FILES}  RUN/state.pt           everything that --resume needs to go on exactly
  RUN/log.jsonl          loss and accuracy on the batch, one line a step
"""


def classifier(
    data: Data,
    run: Run,
    arch: Annotated[
        str,
        typer.Option(
            "--arch",
            metavar="NAME",
            help="Network and front end: small (as shipped), resnet50 (FoleyGAN's judge), "
            "melception or vggishish (SpecVQGAN's).",
        ),
    ] = "small",
    preset: Annotated[
        str,
        typer.Option(
            "--preset", metavar="NAME", help="full, or smoke: a tiny one, in seconds, to try data."
        ),
    ] = "full",
    classes: Classes = "",
    where: Where = [],  # noqa: B006 (Typer reads the default, nobody writes it)
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, metavar="N", help="Updates.", show_default="the preset's"),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", min=2, metavar="N", help="Sounds an update.", show_default="the preset's"
        ),
    ] = None,
    seed: Seed = 0,
    device: options.DeviceOption = options.Device.auto,
    resume: Continue = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a classifier of sounds, whose last layer's input serves as an embedding.

    It looks at the spectrogram in windows of some seconds. Every batch holds all classes equally
    often. Where DATA has a split called valid, what of it is recognised in the end is told. Ctrl-C
    saves and stops.
    """
    with command("train classifier", quiet=quiet, verbose=verbose) as console:
        from foleycli.training.classifier import Trainer, train
        from foleycli.training.classifier_recipe import preset as resolved
        from foleycli.training.data import read_examples
        from foleycli.training.windows import load_labelled

        if preset not in ("full", "smoke"):
            raise ValueError(f"unknown preset {preset!r}; choose one of: full, smoke")
        examples = read_examples(data, classes=_names(classes), where=_conditions(where))
        labels = _names(classes) or sorted({example.label for example in examples})
        recipe = resolved(arch, labels, smoke=preset == "smoke", steps=steps, batch=batch)
        settings: dict[str, Any] = {"recipe": recipe.as_dict(), "seed": seed}
        settings["clips"] = len(examples)
        if dry_run:
            print_json(settings)
            return
        settings["device"] = options.torch_device(device)
        console.detail(f"device {settings['device']}")
        settings["data_sha256"] = _digest(example.path for example in examples)
        record = RunRecord("train classifier", settings)
        with console.progress("loading", unit="clip") as progress:
            sounds = load_labelled(examples, labels, recipe.view, progress)
        trainer = Trainer(recipe, sounds, seed, settings["device"])
        record.save(run / "run.json")
        with console.training() as report:
            model = train(
                trainer, run, resume=resume, provenance=_provenance(settings), report=report
            )
        _finish(record, run, as_json, _validated(console, data, labels, where, model))


def _validated(
    console: Console, data: Path, labels: list[str], where: list[str], model: Path
) -> dict[str, Any]:
    """Count what the model recognises of the split ``valid``, where there is one."""
    from foleycli.checkpoints import load_checkpoint
    from foleycli.sound_embedding import SoundEmbedder
    from foleycli.training.classifier import accuracy
    from foleycli.training.data import read_examples

    try:
        examples = read_examples(data, classes=labels, split="valid", where=_conditions(where))
    except ValueError:
        return {}
    embedder = SoundEmbedder.from_checkpoint(load_checkpoint(model))
    with console.progress("validating", unit="clip") as progress:
        found = accuracy(embedder, examples, progress)
    console.note(
        f"valid: {found['accuracy']:.3f} of {found['clips']} clips recognised, "
        f"{found['macro_accuracy']:.3f} on average over the classes"
    )
    return {"valid": found}
