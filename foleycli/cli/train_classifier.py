"""``foley train classifier``: labelled sounds -> what metrics and embeddings listen with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.console import Console, print_json
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
    class_names,
    conditions_of,
    digest_of,
    finish,
    provenance_of,
    training,
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
  torchrun --nproc-per-node 2 -m foleycli train classifier sounds/ -o run/ --arch resnet50
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
    smoke: Annotated[
        bool,
        typer.Option("--smoke", help="A tiny network for a few steps: tries the data in seconds."),
    ] = False,
    classes: Classes = "",
    where: Where = [],  # noqa: B006 (Typer reads the default, nobody writes it)
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, metavar="N", help="Updates.", show_default="NAME's"),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch", min=2, metavar="N", help="Sounds an update.", show_default="NAME's"
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

    It looks at the spectrogram in windows of some seconds, and at all classes equally often. Where
    DATA has a split called valid, what it recognises of that is told in the end. A training clip
    that cannot be read stops the command before it trains. Ctrl-C saves and stops. Started by
    torchrun, several processes, each with a GPU or on a CPU, share out every batch, and the result
    is the same.
    """
    with training("train classifier", quiet=quiet, verbose=verbose) as console:
        from foleycli.training.classifier import Trainer
        from foleycli.training.classifier_recipe import preset
        from foleycli.training.data import read_examples
        from foleycli.training.loop import train
        from foleycli.training.replicas import is_first, join
        from foleycli.training.windows import load_labelled

        examples = read_examples(data, classes=class_names(classes), where=conditions_of(where))
        labels = class_names(classes) or sorted({example.label for example in examples})
        recipe = preset(arch, labels, smoke=smoke, steps=steps, batch=batch)
        settings: dict[str, Any] = {"recipe": recipe.as_dict(), "seed": seed}
        settings["clips"] = len(examples)
        if dry_run:
            print_json(settings)
            return
        console.note(f"{len(examples)} clips of {len(labels)} classes: {', '.join(labels)}")
        settings["device"] = join(options.torch_device(device))
        console.detail(f"device {settings['device']}")
        settings["data_sha256"] = digest_of(example.path for example in examples)
        record = RunRecord("train classifier", settings)
        with console.progress("loading", unit="clip") as progress:
            sounds = load_labelled(examples, labels, recipe.view, progress)
        trainer = Trainer(recipe, sounds, seed, settings["device"])
        if is_first():
            record.save(run / "run.json")
        with console.training() as report:
            model = train(
                trainer, run, resume=resume, provenance=provenance_of(settings), report=report
            )
        if is_first():
            finish(record, run, as_json, _validated(console, data, labels, where, model))


def _validated(
    console: Console, data: Path, labels: list[str], where: list[str], model: Path
) -> dict[str, Any]:
    """Count what the model recognises of the split ``valid``, where there is one."""
    from foleycli.checkpoints import load_checkpoint
    from foleycli.sound_embedding import SoundEmbedder
    from foleycli.training.classifier import accuracy
    from foleycli.training.data import read_examples

    apart = (data / "valid").is_dir()
    try:
        examples = read_examples(
            data / "valid" if apart else data,
            classes=labels,
            split=None if apart else "valid",
            where=conditions_of(where),
        )
    except ValueError:
        return {}
    embedder = SoundEmbedder.from_checkpoint(load_checkpoint(model))
    with console.progress("validating", unit="clip") as progress:
        found, unread = accuracy(embedder, examples, progress)
    for path, reason in unread.items():
        console.note(f"{path}: left out of the validation: {reason}")
    if not found:
        return {}
    console.note(
        f"valid: {found['accuracy']:.3f} of {found['clips']} clips recognised, "
        f"{found['macro_accuracy']:.3f} on average over the classes"
    )
    return {"valid": found}
