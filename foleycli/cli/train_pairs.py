"""Options that the trainers of sound-to-image systems share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleycli.cli.train import class_names

Clips = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA",
        help="Clips with sound and picture: a folder, with class folders or without, or a manifest "
        "(.csv, .jsonl) with path, class and perhaps split, of which train is used. Or a folder of "
        "pairs that foley extract --pairs cut; for s2i, too, records (.bin) as its authors "
        "published.",
        show_default=False,
    ),
]
Sounds = Annotated[
    Path | None,
    typer.Option(
        "--sounds",
        metavar="PATH",
        help="Instead of DATA: sounds, in class folders or a manifest. A sound may meet every "
        "picture of its class.",
        show_default=False,
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        metavar="PATH",
        help="With --sounds: pictures, in class folders or a manifest (.csv).",
        show_default=False,
    ),
]
Same = Annotated[
    str,
    typer.Option(
        "--same",
        metavar="SOUND=PICTURE,...",
        help="Classes that are called differently among sounds and pictures.",
        show_default=False,
    ),
]
SoundClasses = Annotated[
    str,
    typer.Option(
        "--classes",
        metavar="A,B,...",
        help="Use only the sounds, or clips, of these classes.",
        show_default="all there are",
    ),
]
WhereAny = Annotated[
    list[str],
    typer.Option(
        "--where",
        metavar="COLUMN=VALUE",
        help="Use only the rows of DATA or --sounds that have this value, one of several, or one "
        "like it (tier=free|nc, licence=CC0*); may be repeated.",
        show_default=False,
    ),
]
PicturesWhere = Annotated[
    list[str],
    typer.Option(
        "--pictures-where",
        metavar="COLUMN=VALUE",
        help="Use only the rows of the --pictures manifest that have this value, one of several, "
        "or one like it (licence=CC0*|MIT*); may be repeated.",
        show_default=False,
    ),
]
Moments = Annotated[
    Path | None,
    typer.Option(
        "--moments",
        metavar="PATH",
        help="Ranked frames of clips, as foley extract --moments writes (a folder or a .csv) or as "
        "published (.json): the best is the picture of the whole clip, in place of the middle "
        "frame.",
        show_default=False,
    ),
]
Steps = Annotated[
    str,
    typer.Option(
        "--steps",
        metavar="N,N,...",
        help="Updates of each stage, in their order.",
        show_default="the preset's",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch", min=2, metavar="N", help="Samples an update.", show_default="the preset's"
    ),
]


def stage_steps(text: str) -> list[int]:
    """``500,2000`` -> its numbers."""
    parts = class_names(text) or []
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError(f"--steps {text}: write whole numbers with commas between, such as 500,99")
    return [int(part) for part in parts]
