"""Options that several commands share: one spelling, one help text, one type.

Commands use these as annotations and give the default: ``quiet: Quiet = False``. Paths that end in
a slash mean a folder, so outputs stay ``str`` until :mod:`foleycli.cli.inputs` has read them.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class ActionSource(StrEnum):
    """Where the action series comes from."""

    timing = "timing"
    trn2 = "2trn"


Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="INPUT",
        help="Files, folders (searched recursively), manifests (.jsonl, .csv, .txt), or - to "
        "read a list of paths from standard input.",
        show_default=False,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="File to write, or a folder (DIR/) when there are several inputs; - writes one result "
        "to standard output.",
        show_default=False,
    ),
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Clips to work on at a time.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Print what would be done and write nothing.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Say more: device, versions, tracebacks of errors."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of the paths written.")
]
NoClobber = Annotated[
    bool, typer.Option("--no-clobber", help="Leave outputs that exist as they are.")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Skip clips whose output was made from the same input, options and version.",
    ),
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first clip that fails.")]
Shard = Annotated[
    str,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do every Nth clip from the Ith on, counted from 0; auto takes both from "
        "SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT.",
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", min=0, metavar="N", help="Seed; each clip derives its own from it and its name."
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option(
        "--device",
        envvar="FOLEY_DEVICE",
        help="Where networks run; auto takes a GPU when there is one.",
    ),
]
RecognitionModel = Annotated[
    str,
    typer.Option(
        "--recognition",
        metavar="MODEL",
        help="What sees what sounds: name of a shipped model, file, or run folder.",
    ),
]
TimingModel = Annotated[
    str,
    typer.Option(
        "--timing",
        metavar="MODEL",
        help="What sees when it sounds: name of a shipped model, file, or run folder.",
    ),
]
ActionSourceOption = Annotated[
    ActionSource,
    typer.Option(
        "--action-source",
        help="What says when something happens: optical flow and the timing model, or the paper's "
        "2-frame TRN.",
    ),
]


def torch_device(choice: Device) -> str:
    """Resolve ``--device`` to what torch calls it.

    Raises
    ------
    ValueError
        When the device asked for is not there.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if choice == Device.auto:
        choice = next((Device(name) for name, there in available.items() if there), Device.cpu)
    if not available.get(choice, True):
        raise ValueError(f"--device {choice}: torch finds none here; use --device cpu")
    return str(choice)


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``I/N`` or ``auto``; an empty text is the whole, (0, 1).

    Raises
    ------
    ValueError
        When the text is neither, I is not under N, or Slurm's variables are not set.
    """
    if not text:
        return 0, 1
    if text == "auto":
        try:
            index = os.environ["SLURM_ARRAY_TASK_ID"]
            text = f"{index}/{os.environ['SLURM_ARRAY_TASK_COUNT']}"
        except KeyError as error:
            raise ValueError(f"--shard auto: {error.args[0]} is not set; give I/N") from None
    left, _, right = text.partition("/")
    if not (left.isdecimal() and right.isdecimal() and int(left) < int(right)):
        raise ValueError(f"--shard {text}: write I/N with 0 <= I < N, for example 0/4")
    return int(left), int(right)
