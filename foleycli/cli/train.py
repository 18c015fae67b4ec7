"""``foley train SYSTEM``: labelled clips -> a model in a run folder; one command a system."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from foleycli import __version__
from foleycli.cli import options
from foleycli.cli.console import Console, Exit, command, print_json
from foleycli.files.provenance import RunRecord, file_sha256

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train a model from clips.")

MODEL = "model.safetensors"
FILES = """
\b
Files:
  RUN/model.safetensors  the model, for --model and the like
  RUN/run.json           how it was made: command line, options, versions, SHA-256 of the data
"""
FOLEYGAN_EPILOG = f"""\b
Examples:
  foley train foleygan sounds/ -o run/ --preset mini
  foley train foleygan manifest.csv -o run/ --where licence=CC0 --classes rain,dog --steps 500
  foley train foleygan sounds/ -o run/ --preset mini --resume
  torchrun --nproc-per-node 2 -m foleycli train foleygan sounds/ -o run/
{FILES}  RUN/state.pt           everything that --resume needs to go on exactly
  RUN/log.jsonl          losses, one line a step
"""
TIMING_EPILOG = f"""\b
Examples:
  foley train timing clips/ -o run/
  foley generate clip.mp4 -o clip.wav --timing run/
{FILES}  RUN/motion/            optical flow of the clips, so that a second run starts at once
"""
RECOGNITION_EPILOG = f"""\b
Examples:
  foley train recognition pictures/ clips/ -o run/ --classes rain,dog
  foley generate clip.mp4 -o clip.wav --recognition run/
{FILES}"""

_DATA_HELP = (
    "Folder of class folders (DATA/rain/a.mp4, or DATA/train/rain/a.mp4), or a manifest (.csv, "
    ".jsonl) with path, class and perhaps split, of which train is used."
)
Data = Annotated[Path, typer.Argument(metavar="DATA", help=_DATA_HELP, show_default=False)]
Run = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="RUN",
        help="Folder of the run; made if need be.",
        show_default=False,
    ),
]
Classes = Annotated[
    str,
    typer.Option(
        "--classes",
        metavar="A,B,...",
        help="Learn only these classes.",
        show_default="all there are",
    ),
]
Where = Annotated[
    list[str],
    typer.Option(
        "--where",
        metavar="COLUMN=VALUE",
        help="Use only the rows of the manifest that have this value; may be repeated.",
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, metavar="N", help="Seed of first weights, data order and noise."),
]
Continue = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on where the run in RUN stopped, as if it had not been interrupted."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Print the resolved settings and write nothing.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of the model's path.")
]


@app.command("foleygan", epilog=FOLEYGAN_EPILOG)
def foleygan(
    data: Data,
    run: Run,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="Size: smoke, mini, small or paper.")
    ] = "mini",
    classes: Classes = "",
    where: Where = [],  # noqa: B006 (Typer reads the default, nobody writes it)
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, metavar="N", help="Generator steps.", show_default="the preset's"
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            min=1,
            metavar="N",
            help="Samples a micro-batch.",
            show_default="the preset's",
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
    """Train the generator of spectrograms.

    A BigGAN learns to draw the spectrogram of a class's sound with given events. The events are
    heard in the training sounds, so no video is needed. Ctrl-C saves and stops. Started by
    torchrun, several processes, each with a GPU or on a CPU, share out every batch, and the result
    is the same.
    """
    with training("train foleygan", quiet=quiet, verbose=verbose) as console:
        from foleycli.training.data import read_examples
        from foleycli.training.foleygan import Trainer
        from foleycli.training.foleygan_recipe import preset as resolved
        from foleycli.training.loop import train
        from foleycli.training.replicas import is_first, join
        from foleycli.training.tiles import load_recordings

        examples = read_examples(data, classes=class_names(classes), where=conditions_of(where))
        labels = class_names(classes) or sorted({example.label for example in examples})
        recipe = resolved(preset, labels, steps=steps, batch=batch)
        settings: dict[str, Any] = {"recipe": recipe.as_dict(), "seed": seed}
        settings["clips"] = len(examples)
        if dry_run:
            print_json(settings)
            return
        settings["device"] = join(options.torch_device(device))
        console.detail(f"device {settings['device']}")
        settings["data_sha256"] = digest_of(example.path for example in examples)
        record = RunRecord("train foleygan", settings)
        with console.progress("loading", unit="clip") as progress:
            recordings = load_recordings(examples, labels, recipe.spec, progress)
        trainer = Trainer(recipe, recordings, seed, settings["device"])
        if is_first():
            record.save(run / "run.json")
        with console.training() as report:
            train(trainer, run, resume=resume, provenance=provenance_of(settings), report=report)
        if is_first():
            finish(record, run, as_json)


@app.command("timing", epilog=TIMING_EPILOG)
def timing(
    data: Data,
    run: Run,
    where: Where = [],  # noqa: B006
    seed: Seed = 0,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train the model that sees when it sounds.

    From clips whose own sound belongs to the picture, a small network learns at which moments of
    optical flow a sound begins. Clips without sound or picture are left out and named.
    """
    with training("train timing", quiet=quiet, verbose=verbose, several=False) as console:
        from foleycli.checkpoints import save_checkpoint
        from foleycli.training.data import read_examples
        from foleycli.training.timing import TimingRecipe, train_timing

        clips = [example.path for example in read_examples(data, where=conditions_of(where))]
        recipe = TimingRecipe()
        settings: dict[str, Any] = {"recipe": asdict(recipe), "seed": seed, "clips": len(clips)}
        if dry_run:
            print_json(settings)
            return
        settings["data_sha256"] = digest_of(clips)
        record = RunRecord("train timing", settings)
        with console.progress("training") as progress:
            tensors, config, report = train_timing(
                clips, work=run / "motion", recipe=recipe, seed=seed, progress=progress
            )
        for path, reason in report["left_out"].items():
            console.note(f"{path}: left out: {reason}")
        provenance = {**provenance_of(settings), **report}
        save_checkpoint(
            run / MODEL, kind="timing", config=config, tensors=tensors, provenance=provenance
        )
        finish(record, run, as_json, report)


@app.command("recognition", epilog=RECOGNITION_EPILOG)
def recognition(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Folders of class folders of pictures and clips, or manifests (.csv) with path, "
            "class and perhaps split.",
            show_default=False,
        ),
    ],
    run: Run,
    classes: Classes = "",
    teacher: Annotated[
        Path | None,
        typer.Option(
            "--teacher",
            metavar="FILE",
            help="SqueezeNet 1.0 weights (.safetensors) to learn to see from.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train the model that sees what sounds.

    A small network learns the classes from stills and clips; relation networks on its features
    learn to name a clip and to follow its action. Classes left out by --classes teach it what is
    none of them.
    """
    with training("train recognition", quiet=quiet, verbose=verbose, several=False) as console:
        from foleycli.training.backbone import BackboneRecipe
        from foleycli.training.pictures import read_pictures
        from foleycli.training.recognition import RecognitionRecipe, train_recognition
        from foleycli.training.relations import RelationRecipe

        pictures = read_pictures(data)
        recipe = RecognitionRecipe(
            classes=tuple(class_names(classes) or ()),
            training=BackboneRecipe(seed=seed),
            relations=RelationRecipe(seed=seed),
            seed=seed,
        )
        settings = {"recipe": asdict(recipe), "pictures": len(pictures)}
        if dry_run:
            print_json(settings)
            return
        files = [picture.path for picture in pictures]
        settings["data_sha256"] = digest_of([*files, *([teacher] if teacher else [])])
        record = RunRecord("train recognition", settings)
        with console.stages() as progress:
            train_recognition(data, run, recipe, teacher=teacher, progress=progress)
        finish(record, run, as_json)


@contextmanager
def training(name: str, *, quiet: bool, verbose: bool, several: bool = True) -> Iterator[Console]:
    """Do as :func:`command` does, for one of the processes that torchrun may have started.

    The first speaks and the others are silent, but for an error, which is told by whoever meets it
    before the rest. Inside, ``training/replicas.py`` can be used; what is printed and written is
    the first's affair.

    Parameters
    ----------
    several
        Whether the command can make use of several processes; ValueError where it cannot.
    """
    from foleycli.training import replicas

    with ExitStack() as stack:
        first = replicas.is_first()
        if not first:
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        console = stack.enter_context(command(name, quiet=quiet or not first, verbose=verbose))
        try:
            if not several and replicas.launched() != (0, 1):
                raise ValueError("this trains in one process; start it without torchrun")
            with replicas.meeting():
                yield console
        except (typer.Exit, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            if first:
                raise
            raise typer.Exit(Exit.INTERRUPTED) from None
        except Exception:
            if replicas.speaks():
                raise
            raise typer.Exit(Exit.FAILED) from None


def class_names(text: str) -> list[str] | None:
    """``rain, dog`` -> its names; None where there are none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return names or None


def conditions_of(pairs: Iterable[str]) -> dict[str, str]:
    """``COLUMN=VALUE`` pairs -> a table."""
    conditions = {}
    for pair in pairs:
        column, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--where {pair}: write COLUMN=VALUE")
        conditions[column] = value
    return conditions


def digest_of(paths: Iterable[Path]) -> str:
    """One hash of all the data, whatever their order and place."""
    each = sorted(file_sha256(path) for path in paths)
    return hashlib.sha256("".join(each).encode()).hexdigest()


def provenance_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what the model file itself says of how it was made."""
    return {"foleycli": __version__, "data_sha256": settings["data_sha256"]}


def finish(
    record: RunRecord, run: Path, as_json: bool, report: dict[str, Any] | None = None
) -> None:
    """Complete ``run.json``, and name the model on stdout."""
    model = run / MODEL
    record.outputs[MODEL] = {"sha256": file_sha256(model), **(report or {})}
    record.save(run / "run.json")
    if as_json:
        print_json({"command": record.command, "output": str(model), **record.outputs[MODEL]})
    else:
        typer.echo(model)
