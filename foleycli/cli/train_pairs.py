"""What the trainers of sound-to-image systems share: where sounds and pictures come from."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli.console import Console
from foleycli.cli.train import class_names, conditions_of

if TYPE_CHECKING:
    from foleycli.training.data import Example
    from foleycli.training.hearing import Hearing
    from foleycli.training.pictures import Picture
    from foleycli.training.sound_pictures import SoundPictures

Clips = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA",
        help="Clips with sound and picture: a folder, with class folders or without, or a manifest "
        "(.csv, .jsonl) with path, class and perhaps split, of which train is used.",
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
        help="Use only the rows of DATA or --sounds that have this value, or one of several "
        "(tier=free|nc); may be repeated.",
        show_default=False,
    ),
]
Moments = Annotated[
    Path | None,
    typer.Option(
        "--moments",
        metavar="FILE",
        help="Ranked frames of clips (JSON, as foley extract --moments writes): the best is the "
        "picture of the whole clip, in place of the middle frame.",
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


class PairSource:
    """Sounds and pictures as the command line names them, not yet read.

    Raises ValueError for a combination of options that means nothing, or when nothing is there.
    """

    def __init__(
        self,
        data: Path | None,
        sounds: Path | None,
        pictures: Path | None,
        same: str,
        classes: str,
        where: list[str],
        moments: Path | None,
    ) -> None:
        from foleycli.training.sound_pictures import meeting_classes, read_moments

        if (data is None) == (sounds is None) or (sounds is None) != (pictures is None):
            raise ValueError("give DATA, or both --sounds and --pictures")
        if data is not None and same:
            raise ValueError("--same is for --sounds and --pictures; the clips of DATA have both")
        if data is None and moments is not None:
            raise ValueError("--moments is for the clips of DATA")
        self._home = data or sounds or Path()
        self._where, self._classes = where, class_names(classes)
        self._same = equal_classes(same)
        self._moments = read_moments(moments) if moments else None
        self._pictures = _pictures(pictures) if pictures else []
        self.examples = _examples(self._home, self._classes, "train", where)
        self.classes = sorted({example.label for example in self.examples})
        if self.weak:
            labels = {p.label for p in self.stills("train")}
            meets = meeting_classes(self.classes, labels, self._same)
            self.examples = [example for example in self.examples if example.label in meets]
            self.classes = list(meets)

    @property
    def weak(self) -> bool:
        """Whether sounds and pictures come from different places."""
        return bool(self._pictures)

    def stills(self, split: str) -> list[Picture]:
        """Return the pictures of one split."""
        return [p for p in self._pictures if p.split == split and not p.is_clip]

    def settings(self) -> dict[str, Any]:
        """Return what is to be recorded of the data."""
        found: dict[str, Any] = {"clips": len(self.examples), "classes": self.classes}
        if self.weak:
            found |= {"pictures": len(self.stills("train")), "same": self._same}
        return found

    def files(self) -> list[Path]:
        """All files that are trained on."""
        return [e.path for e in self.examples] + [p.path for p in self.stills("train")]

    def load(self, console: Console, hearing: Hearing, side: int, fit: str) -> SoundPictures:
        """Read what is trained on."""
        return self._read(console, hearing, side, fit, self.examples, "train")

    def load_valid(
        self, console: Console, hearing: Hearing, side: int, fit: str
    ) -> SoundPictures | None:
        """Read the split ``valid``; None where there is nothing of that."""
        apart = (self._home / "valid").is_dir()
        place, split = (self._home / "valid", None) if apart else (self._home, "valid")
        try:
            examples = _examples(place, self._classes, split, self._where)
        except ValueError:
            return None
        try:
            return self._read(console, hearing, side, fit, examples, "valid")
        except ValueError as error:
            console.note(f"not validated: {error}")
            return None

    def _read(
        self,
        console: Console,
        hearing: Hearing,
        side: int,
        fit: str,
        examples: list[Example],
        split: str,
    ) -> SoundPictures:
        from foleycli.training.sound_pictures import load_classes, load_clips

        with console.progress(f"loading {split}", unit="file") as progress:
            if self.weak:
                labels = {e.label for e in examples}
                same = {a: b for a, b in self._same.items() if a in labels}
                stills = self.stills(split)
                return load_classes(
                    *(examples, stills, hearing, side, fit), same=same, progress=progress
                )
            pairs, left_out = load_clips(
                *(examples, hearing, side, fit), moments=self._moments, progress=progress
            )
        for path, reason in left_out.items():
            console.note(f"{path}: left out: {reason}")
        return pairs


def equal_classes(text: str) -> dict[str, str]:
    """``rail_transport=train,gun=gunshot`` -> a table from sounds to pictures."""
    table = {}
    for pair in class_names(text) or []:
        sound, equals, picture = (part.strip() for part in pair.partition("="))
        if not (sound and equals and picture):
            raise ValueError(f"--same {pair}: write SOUND=PICTURE")
        table[sound] = picture
    return table


def stage_steps(text: str) -> list[int]:
    """``500,2000`` -> its numbers."""
    parts = class_names(text) or []
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError(f"--steps {text}: write whole numbers with commas between, such as 500,99")
    return [int(part) for part in parts]


def _pictures(source: Path) -> list[Picture]:
    from foleycli.training.pictures import read_pictures

    if not source.exists():
        raise ValueError(f"{source}: no such folder or manifest")
    return read_pictures([source])


def _examples(
    data: Path, classes: list[str] | None, split: str | None, where: Iterable[str]
) -> list[Example]:
    """Read clips under any of the values that each condition names."""
    from foleycli.training.data import MEDIA_SUFFIXES, Example, read_examples

    conditions = {column: value.split("|") for column, value in conditions_of(where).items()}
    found: list[Example] = []
    reason = None
    for values in product(*conditions.values()):
        chosen = dict(zip(conditions, values, strict=True))
        try:
            found += read_examples(data, classes=classes, split=split, where=chosen)
        except ValueError as error:
            reason = error
    if not found and data.is_dir() and not (classes or conditions) and split != "valid":
        flat = (path for path in sorted(data.iterdir()) if path.suffix.lower() in MEDIA_SUFFIXES)
        found = [Example(path, data.resolve().name) for path in flat]
    if not found and reason:
        raise reason
    return found
