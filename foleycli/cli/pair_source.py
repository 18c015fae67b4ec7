"""Where sounds and pictures come from: clips, pairs cut from such, records, or two places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foleycli.cli.console import Console
from foleycli.cli.train import class_names, conditions_of

if TYPE_CHECKING:
    from foleycli.training.data import Example
    from foleycli.training.hearing import Hearing
    from foleycli.training.pictures import Picture
    from foleycli.training.sound_pictures import SoundPictures

_SHOWN = 6  # values of a column, in an error


class PairSource:
    """Sounds and pictures as the command line names them, not yet read.

    Raises ValueError for a combination of options that means nothing, or when nothing is there.
    """

    def __init__(
        self,
        system: str,
        data: Path | None,
        sounds: Path | None,
        pictures: Path | None,
        same: str,
        classes: str,
        where: list[str],
        pictures_where: list[str],
        moments: Path | None,
    ) -> None:
        from foleycli.training.moments import read_moments
        from foleycli.training.sound_pictures import meeting_classes

        if (data is None) == (sounds is None) or (sounds is None) != (pictures is None):
            raise ValueError("give DATA, or both --sounds and --pictures")
        if data is not None and same:
            raise ValueError("--same is for --sounds and --pictures; the clips of DATA have both")
        if data is None and moments is not None:
            raise ValueError("--moments is for the clips of DATA")
        if pictures is None and pictures_where:
            raise ValueError("--pictures-where is for --pictures; DATA takes --where")
        self._home = data or sounds or Path()
        self._system, self._where, self._classes = system, where, class_names(classes)
        self._same = equal_classes(same)
        self.form = _form(data) if data else "classes"
        if self.form in ("pairs", "records"):
            self._refuse_what_is_cut(moments)
        self._moments = read_moments(moments) if moments else None
        self._pictures, self._licences = (
            _pictures(pictures, pictures_where) if pictures else ([], {})
        )
        self.examples = self._listed(self._home, "train")
        self.classes = sorted({example.label for example in self.examples})
        if self.weak:
            labels = {p.label for p in self.stills("train")}
            meets = meeting_classes(self.classes, labels, self._same)
            self.examples = [example for example in self.examples if example.label in meets]
            self.classes = list(meets)

    def _refuse_what_is_cut(self, moments: Path | None) -> None:
        if moments is not None:
            raise ValueError(
                f"{self._home}: holds {self.form}, not clips: leave out --moments, and cut the "
                "clips with foley extract --pairs --moments-from"
            )
        if self._where and self._home.suffix not in (".csv", ".jsonl"):
            raise ValueError(f"--where {self._where[0]}: {self._home} is no manifest")
        if self.form == "records" and self._system != "s2i":
            raise ValueError(
                f"{self._home}: records of Sound-to-Imagination hold seconds of log mel, which "
                f"{self._system} cannot hear; give clips, or pairs cut from them"
            )

    @property
    def weak(self) -> bool:
        """Whether sounds and pictures come from different places."""
        return self.form == "classes"

    def stills(self, split: str) -> list[Picture]:
        """Return the pictures of one split."""
        return [p for p in self._pictures if p.split == split and not p.is_clip]

    def licences(self) -> dict[str, int]:
        """Count the pictures that are trained on by the licence that their manifest states."""
        taken = (self._licences.get(p.path, "") for p in self.stills("train"))
        counts = Counter(licence or "not stated" for licence in taken)
        return dict(counts.most_common())

    def settings(self) -> dict[str, Any]:
        """Return what is to be recorded of the data."""
        found: dict[str, Any] = {"clips": len(self.examples), "classes": self.classes}
        if self.form in ("pairs", "records"):
            found["data"] = self.form
        if self.weak:
            found |= {
                "pictures": len(self.stills("train")),
                "picture_licences": self.licences(),
                "same": self._same,
            }
        return found

    def files(self) -> list[Path]:
        """All files that are trained on."""
        of_examples = dict.fromkeys(e.path for e in self.examples)
        return [*of_examples, *(p.path for p in self.stills("train"))]

    def load(self, console: Console, hearing: Hearing, side: int, fit: str) -> SoundPictures:
        """Read what is trained on; say under which licences the pictures are."""
        if self.weak:
            each = (f"{count} {licence}" for licence, count in self.licences().items())
            console.note(f"licences of the pictures: {'; '.join(each)}")
        return self._read(console, hearing, side, fit, self.examples, "train")

    def load_valid(
        self, console: Console, hearing: Hearing, side: int, fit: str
    ) -> SoundPictures | None:
        """Read the split ``valid``; None where there is nothing of that."""
        try:
            examples = self._listed(self._home, "valid")
        except ValueError:
            return None
        if not examples:
            return None
        try:
            return self._read(console, hearing, side, fit, examples, "valid")
        except ValueError as error:
            console.note(f"not validated: {error}")
            return None

    def _listed(self, place: Path, split: str) -> list[Example]:
        """List what is there of a split; raises ValueError where that is nothing."""
        from foleycli.training.pair_files import list_pairs
        from foleycli.training.s2i_records import list_records, records_as_examples

        if self.form == "records":
            found = records_as_examples(list_records(place, split), self._classes)
        elif self.form == "pairs" and place.suffix not in (".csv", ".jsonl"):
            found = list_pairs(place, split)
            found = [e for e in found if self._classes is None or e.label in self._classes]
        else:
            apart = split == "valid" and (place / split).is_dir()
            home, part = (place / split, None) if apart else (place, split)
            return _examples(home, self._classes, part, self._where)
        if not found and split == "train":
            raise ValueError(f"{place}: no {self.form} left to train on")
        return found

    def _read(
        self,
        console: Console,
        hearing: Hearing,
        side: int,
        fit: str,
        examples: list[Example],
        split: str,
    ) -> SoundPictures:
        from foleycli.training.pair_files import load_pairs
        from foleycli.training.s2i_records import load_records
        from foleycli.training.sound_pictures import load_classes, load_clips

        if self.form == "records":
            paths = list(dict.fromkeys(example.path for example in examples))
            return load_records(paths, self._classes, side, fit)
        with console.progress(f"loading {split}", unit="file") as progress:
            if self.weak:
                labels = {e.label for e in examples}
                same = {a: b for a, b in self._same.items() if a in labels}
                stills = self.stills(split)
                return load_classes(
                    *(examples, stills, hearing, side, fit), same=same, progress=progress
                )
            if self.form == "pairs":
                pairs, notes = load_pairs(examples, self._system, side, fit, progress)
            else:
                pairs, left_out = load_clips(
                    *(examples, hearing, side, fit), moments=self._moments, progress=progress
                )
                notes = [f"{path}: left out: {reason}" for path, reason in left_out.items()]
        for note in notes:
            console.note(note)
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


def _form(data: Path) -> str:
    """Tell what DATA is: ``clips``, ``pairs`` cut from such, or ``records``.

    Raises
    ------
    ValueError
        When it is several of these.
    """
    from foleycli.files.manifest import read_manifest
    from foleycli.training import pair_files, s2i_records
    from foleycli.training.data import MEDIA_SUFFIXES

    if not data.is_dir():
        if data.suffix in (".csv", ".jsonl") and data.is_file():
            rows = [entry.name for entry in read_manifest(data)]
            return "pairs" if rows and all(n.endswith(pair_files.SUFFIX) for n in rows) else "clips"
        forms = {pair_files.SUFFIX: "pairs", s2i_records.SUFFIX: "records"}
        return next((form for end, form in forms.items() if data.name.endswith(end)), "clips")
    names = [path.name.lower() for path in data.rglob("*")]
    found = {
        "clips": any(Path(name).suffix in MEDIA_SUFFIXES for name in names),
        "pairs": any(name.endswith(pair_files.SUFFIX) for name in names),
        "records": any(name.endswith(s2i_records.SUFFIX) for name in names),
    }
    several = [form for form, there in found.items() if there]
    if "pairs" in several and len(several) > 1:
        raise ValueError(f"{data}: holds {' and '.join(several)}; give the folder of one")
    return several[0] if several else "clips"


def _pictures(source: Path, where: list[str]) -> tuple[list[Picture], dict[Path, str]]:
    """Read pictures under conditions, and the licence of each that their manifest states."""
    from foleycli.files.manifest import read_manifest
    from foleycli.training.pictures import read_pictures

    if not source.exists():
        raise ValueError(f"{source}: no such folder or manifest")
    pictures = read_pictures([source])
    manifest = source / "manifest.csv" if source.is_dir() else source
    if not manifest.is_file():
        if where:
            raise ValueError(f"--pictures-where {where[0]}: {source} has no manifest.csv")
        return pictures, {}
    rows = {entry.path: entry.columns for entry in read_manifest(manifest)}
    for column, value in conditions_of(where).items():
        values = {row[column] for row in rows.values() if column in row}
        if not values:
            raise ValueError(f"--pictures-where {column}={value}: {manifest} has no such column")
        wanted = matching(value, values)
        pictures = [p for p in pictures if rows[p.path].get(column) in wanted]
        if not pictures:
            some = ", ".join(sorted(filter(None, values))[:_SHOWN])
            raise ValueError(f"--pictures-where {column}={value}: no picture has it (some: {some})")
    return pictures, {path: _licence(row) for path, row in rows.items()}


def _licence(row: dict[str, str]) -> str:
    return row.get("licence") or row.get("license") or ""


def matching(pattern: str, values: Iterable[str]) -> list[str]:
    """Return those of ``values`` that are one of ``A|B|C*``; ``*`` is any text, case ignored."""
    options = pattern.split("|")
    return [
        value
        for value in sorted(values)
        if any(
            fnmatchcase(value.lower(), option.lower()) if "*" in option else value == option
            for option in options
        )
    ]


def _examples(
    data: Path, classes: list[str] | None, split: str | None, where: Iterable[str]
) -> list[Example]:
    """Read clips under any of the values that each condition names."""
    from foleycli.training.data import MEDIA_SUFFIXES, Example, read_examples

    conditions = {
        column: _values(data, column, value) for column, value in conditions_of(where).items()
    }
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


def _values(data: Path, column: str, pattern: str) -> list[str]:
    """Return the values that a condition allows: as written, or those in a manifest like them."""
    from foleycli.files.manifest import read_manifest

    if "*" not in pattern or not data.is_file():
        return pattern.split("|")
    there = {entry.columns[column] for entry in read_manifest(data) if column in entry.columns}
    return matching(pattern, there) or [pattern]
