"""Options of ``foley generate`` that only SpecVQGAN's system has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class System(StrEnum):
    """Which paper's system."""

    foleygan = "foleygan"
    specvqgan = "specvqgan"


class Rank(StrEnum):
    """What the best of several candidates is."""

    classifier = "classifier"
    sync = "sync"


class Precision(StrEnum):
    """Of the sampler's weights."""

    float32 = "float32"
    int8 = "int8"


SystemOption = Annotated[
    System,
    typer.Option(
        "--system",
        help="FoleyGAN's generator, or SpecVQGAN's sampler of codes; the options from --features "
        "to --save-codes are for specvqgan.",
    ),
]
Features = Annotated[
    str,
    typer.Option(
        "--features",
        metavar="PATH",
        help="What the sampler sees: NAME.features.npz of foley extract, or a folder of them.",
        show_default=False,
    ),
]
TopX = Annotated[
    int | None,
    typer.Option(
        "--top-x",
        min=1,
        metavar="N",
        help="Draw from the N likeliest codes.",
        show_default="half of the codebook",
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature",
        min=0.0,
        metavar="X",
        help="Below 1 likely codes are drawn more often, above 1 less; 0 takes the likeliest.",
    ),
]
Samples = Annotated[
    int,
    typer.Option(
        "--samples",
        min=1,
        metavar="N",
        help="Sounds of every clip; several are written as NAME_sample_0, NAME_sample_1 ...",
    ),
]
Prime = Annotated[
    float,
    typer.Option(
        "--prime",
        min=0.0,
        metavar="SECONDS",
        help="Begin with the clip's own sound, coded, and continue it.",
        show_default="off",
    ),
]
Candidates = Annotated[
    int,
    typer.Option(
        "--candidates", min=1, metavar="N", help="Draw N for every sample and keep the best."
    ),
]
RankOption = Annotated[
    Rank | None,
    typer.Option(
        "--rank",
        help="Best by the probability of the class, or by how well it goes with the motion.",
        show_default="classifier where there is a class, else sync",
    ),
]
RankModel = Annotated[
    str,
    typer.Option(
        "--rank-model",
        metavar="NAME|PATH",
        help="Classifier of sounds for --rank classifier: a shipped name, file or run folder.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="Of the sampler's weights; int8 is faster on a CPU."),
]
SaveCodes = Annotated[
    str,
    typer.Option(
        "--save-codes",
        metavar="PATH",
        help="Write the codes drawn, for foley invert: .codes.npz, or a folder.",
        show_default=False,
    ),
]
