"""Options that ``foley s2i`` alone has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class SystemName(StrEnum):
    """Which paper's system."""

    auto = "auto"
    s2i = "s2i"
    sound2scene = "sound2scene"


class Decoder(StrEnum):
    """Where the picture comes from."""

    auto = "auto"
    generator = "generator"
    retrieval = "retrieval"


class MixNorm(StrEnum):
    """What is made equal before sounds are mixed."""

    none = "none"
    peak = "peak"
    rms = "rms"


class Format(StrEnum):
    """Kind of file written into a folder."""

    png = "png"
    gif = "gif"


System = Annotated[
    SystemName, typer.Option(help="Which system; auto is the --model's, or sound2scene.")
]
Model = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="A shipped name, a file or a run folder; several may give a part each.",
        show_default="the shipped one of the system",
    ),
]
Samples = Annotated[
    int, typer.Option("--samples", min=1, metavar="N", help="Pictures of every sound.")
]
Truncation = Annotated[
    float | None,
    typer.Option(
        "--truncation",
        max=2.0,
        metavar="X",
        help="Draw noise from [-2, 2] only and scale it by X (try 0.7): less variety, fewer "
        "failures. For sound2scene.",
        show_default="off",
    ),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        "--candidates",
        min=1,
        metavar="N",
        help="Draw N and keep the one whose features are nearest to the sound's.",
        show_default="8 for models of up to 64 pixels that can see, else 1",
    ),
]
DecoderOption = Annotated[
    Decoder, typer.Option(help="Draw a picture, or take the nearest of --library.")
]
Library = Annotated[
    str,
    typer.Option(
        "--library",
        metavar="DIR",
        help="Your own pictures, sub-folders included.",
        show_default=False,
    ),
]
LibraryIndex = Annotated[
    str,
    typer.Option(
        "--library-index",
        metavar="FILE.npz",
        help="Keep the features of the library's pictures here, and use what is kept.",
        show_default=False,
    ),
]
GainDb = Annotated[
    str,
    typer.Option(
        "--gain-db",
        metavar="DB,...",
        help="Amplify the sound, clipping it at full scale; -20 to 10 is usable.",
        show_default=False,
    ),
]
Mix = Annotated[
    list[str] | None,
    typer.Option(
        "--mix",
        metavar="FILE[:DB]",
        help="Add another sound at this gain; all are repeated to 10 s first. Repeatable.",
        show_default=False,
    ),
]
MixNormOption = Annotated[
    MixNorm,
    typer.Option("--mix-norm", help="First bring the others to the sound's own peak or RMS level."),
]
MixSweep = Annotated[
    str,
    typer.Option(
        "--mix-sweep",
        metavar="FROM:TO:COUNT",
        help="Fade from the sound (0) to the one of --mix (1): weights of the second, the "
        "first has the rest.",
        show_default=False,
    ),
]
Interp = Annotated[
    str,
    typer.Option(
        "--interp",
        metavar="FILE",
        help="Go from this sound's latent to that one's.",
        show_default=False,
    ),
]
Steps = Annotated[
    int, typer.Option("--steps", min=2, metavar="N", help="Of --interp, ends included.")
]
Slerp = Annotated[
    bool, typer.Option("--slerp", help="Interpolate along the sphere. For sound2scene.")
]
Image = Annotated[
    str,
    typer.Option(
        "--image",
        metavar="FILE",
        help="Blend the sound's latent with this picture's.",
        show_default=False,
    ),
]
ImageWeight = Annotated[
    str,
    typer.Option(
        "--image-weight", metavar="W,...", help="0 is the sound alone, 1 the picture alone."
    ),
]
Edit = Annotated[
    str,
    typer.Option(
        "--edit",
        metavar="PHOTO",
        help="Find what the generator draws this photograph from (minutes; kept), and move "
        "that by the difference between the sound at two gains.",
        show_default=False,
    ),
]
EditGain = Annotated[
    str, typer.Option("--edit-gain", metavar="DB,DB", help="The two gains of --edit.")
]
EditStrength = Annotated[
    str,
    typer.Option(
        "--edit-strength",
        metavar="X,...",
        help="How far to move; 0 is the photograph as the generator can draw it.",
    ),
]
EditSteps = Annotated[
    int, typer.Option("--edit-steps", min=0, metavar="N", help="Steps of the search of --edit.")
]
EditKept = Annotated[
    str,
    typer.Option(
        "--edit-kept",
        metavar="FILE.npz",
        help="Where what was found for PHOTO is kept.",
        show_default="PHOTO.inversion.npz beside the output",
    ),
]
PerSecond = Annotated[
    bool, typer.Option("--per-second", help="A picture of every second of the sound.")
]
Segment = Annotated[
    int | None,
    typer.Option(
        "--segment",
        min=0,
        metavar="N",
        help="Hear the second that begins at N s, alone.",
        show_default=False,
    ),
]
NoDropout = Annotated[bool, typer.Option("--no-dropout", help="Leave nothing to chance. For s2i.")]
RefLevel = Annotated[
    float | None,
    typer.Option(
        "--ref-level",
        metavar="DB",
        help="Deviates from the paper: levels are relative not to the sound's own loudest "
        "moment but to a full-scale 1-kHz tone's plus DB (most recordings: -15), so that "
        "gains matter. For s2i.",
        show_default=False,
    ),
]
Stretch = Annotated[
    bool,
    typer.Option(
        "--stretch",
        help="Stretch every picture to the full range of brightness, as the references do; "
        "changes colours.",
    ),
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="Kind of file written when -o is a folder.")
]
