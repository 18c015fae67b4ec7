"""The files of a study: what the page reads, inside the pack, and the key, outside it.

``study.json`` holds ``schema``, ``study`` (the id that answers carry) and the form as
:func:`foleycli.survey.questions.as_dict` gives it; ``plans.json`` what
:func:`foleycli.survey.plans.as_dict` gives. Neither says which medium is of which condition. That
is in the key, a CSV with a line a medium and :data:`KEY_COLUMNS`, which lies beside the pack.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from foleycli.evaluation.records import csv_text
from foleycli.files.atomic import atomic_path, write_text
from foleycli.survey.plans import Plan, Trial, plans_of, study_id, used_media
from foleycli.survey.plans import as_dict as plans_dict
from foleycli.survey.questions import Form, form_of
from foleycli.survey.questions import as_dict as form_dict
from foleycli.survey.stimuli import GOLD_KINDS, Medium, Role

SCHEMA = "foley-survey-study/1"
STUDY_FILE = "study.json"
PLANS_FILE = "plans.json"
MEDIA_FOLDER = "media"
KEY_ENDING = ".key.csv"
RECORD_ENDING = ".run.json"  # of the key: how each medium was made
_FIELDS = {"medium": "name", "class": "label"}
_MEDIUM_COLUMNS = (
    *("medium", "clip", "class", "condition", "role", "kind"),
    *("source", "shift_ms", "file", "video"),
)
KEY_COLUMNS = (*_MEDIUM_COLUMNS, "study")
_NAME = re.compile(r"[0-9a-f]{12}")
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Study:
    """A study as answers are read against it.

    Attributes
    ----------
    id : str
    form : Form
    plans : tuple of Plan
    media : mapping
        Name to medium, in the order of the key; it has conditions in the order given.
    """

    id: str
    form: Form
    plans: tuple[Plan, ...]
    media: Mapping[str, Medium]

    @classmethod
    def of(cls, form: Form, plans: Sequence[Plan], media: Iterable[Medium]) -> Study:
        """Put a study together; media that no plan shows are left out.

        Raises
        ------
        ValueError
            When the key lacks a medium that plans show: it is of another study.
        """
        used = used_media(plans)
        key = {medium.name: medium for medium in media if medium.name in used}
        if len(key) < len(used):
            raise ValueError(
                f"the key lacks {len(used) - len(key)} of {len(used)} media of the plans: it is "
                "the key of another pack"
            )
        return cls(study_id(form_dict(form), plans), form, tuple(plans), key)

    def trial(self, plan: int, trial: str) -> Trial | None:
        """Find a trial of a plan."""
        if not 0 <= plan < len(self.plans):
            return None
        return next((t for t in self.plans[plan].trials if t.id == trial), None)


def study_dict(study: Study) -> dict[str, Any]:
    """Turn a study into the plain values of ``study.json``."""
    return {"schema": SCHEMA, "study": study.id, **form_dict(study.form)}


def write_study(pack: Path, study: Study) -> None:
    """Write ``study.json`` and ``plans.json`` into the folder of a pack."""
    for name, values in ((STUDY_FILE, study_dict(study)), (PLANS_FILE, plans_dict(study.plans))):
        write_text(pack / name, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_study(pack: Path, key: Path) -> Study:
    """Read a study from its pack and its key.

    Raises
    ------
    ValueError
        When a file is damaged, or they do not belong together.
    OSError
        When one cannot be read.
    """
    whole = read_json(pack / STUDY_FILE)
    if whole.pop("schema", None) != SCHEMA:
        raise ValueError(f"{pack / STUDY_FILE}: not a study that this foley reads ({SCHEMA})")
    named = whole.pop("study", None)
    if (other := study_of_key(key)) != named:
        kept = kept_key(key, str(named))
        remedy = f"its own is {kept}" if kept.exists() else "give its own, or build the pack again"
        raise ValueError(
            f"{key}: the key of another pack: of study {other}, but {pack} is {named}; {remedy}"
        )
    try:
        form = form_of(whole)
        plans = plans_of(read_json(pack / PLANS_FILE))
        study = Study.of(form, plans, read_key(key))
    except ValueError as error:
        raise ValueError(f"{pack}: {error}") from None
    if study.id != named:
        raise ValueError(f"{pack}: questions or plans were changed after the pack was built")
    return study


def write_key(path: Path, study: Study) -> None:
    """Write the key of a study; keep it away from raters."""
    rows = [
        {column: getattr(medium, _FIELDS.get(column, column)) for column in _MEDIUM_COLUMNS}
        | {"study": study.id}
        for medium in study.media.values()
    ]
    write_text(path, csv_text(KEY_COLUMNS, rows))


def read_key(path: Path) -> list[Medium]:
    """Read a key.

    Raises
    ------
    ValueError
        When it is none, naming the line.
    OSError
        When it cannot be read.
    """
    return [_medium(row, where) for where, row in _key_rows(path)]


def study_of_key(path: Path) -> str:
    """Read of which study a key is; raises as :func:`read_key` does."""
    studies = {row["study"] or "" for _, row in _key_rows(path)}
    if len(studies) != 1 or not _ID.fullmatch(study := studies.pop()):
        raise ValueError(f"{path}: not a key: its lines do not name one study")
    return study


def keep_other_key(key: Path, study: str) -> Path | None:
    """Copy the key that lies there, if it is not of ``study``, to a name with its own study's id.

    A copy, so that at no moment there is no key; the record beside it is copied too.

    Returns
    -------
    Path or None
        The copy, if one was made.

    Raises
    ------
    ValueError
        When the file is no key.
    OSError
        When it cannot be read, or the copy not be written.
    """
    if not key.exists() or (other := study_of_key(key)) == study:
        return None
    kept = kept_key(key, other)
    for ending in ("", RECORD_ENDING):
        old = key.with_name(key.name + ending)
        if old.exists():
            with atomic_path(kept.with_name(kept.name + ending)) as copy:
                copy.write_bytes(old.read_bytes())
    return kept


def kept_key(key: Path, study: str) -> Path:
    """Say where the key of a study is kept that another replaced: ``NAME.STUDY.key.csv``."""
    ending = KEY_ENDING if key.name.endswith(KEY_ENDING) else key.suffix
    return key.with_name(f"{key.name.removesuffix(ending)}.{study}{ending}")


def beside(pack: Path, ending: str) -> Path:
    """Name a file that belongs to a pack and lies outside: ``study`` and its ending.

    Raises
    ------
    ValueError
        When the folder is the root, which has nothing beside it.
    """
    folder = pack if pack.name not in ("", "..") else pack.resolve()
    if not folder.name:
        raise ValueError(f"{pack}: a pack lies in a folder of its own")
    return folder.with_name(folder.name + ending)


def _key_rows(path: Path) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Read the lines of a key, each with where it stands."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [column for column in KEY_COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"{path}: not a key: it has no column {missing[0]}")
            for row in reader:
                yield f"{path}, line {reader.line_num}", row
    except (UnicodeDecodeError, csv.Error):
        raise ValueError(f"{path}: not a key: no CSV") from None


def _medium(row: Mapping[str, str | None], where: str) -> Medium:
    values = {_FIELDS.get(c, c): _unquoted(row.get(c) or "") for c in _MEDIUM_COLUMNS}
    if not _NAME.fullmatch(values["name"]):
        raise ValueError(f"{where}: medium {values['name']!r} is no name of 12 hexadecimal digits")
    if values["role"] not in get_args(Role):
        raise ValueError(f"{where}: role {values['role']!r}; there are {', '.join(get_args(Role))}")
    if (values["role"] == "gold") != (values["kind"] in GOLD_KINDS):
        raise ValueError(f"{where}: kind {values['kind']!r} does not go with {values['role']!r}")
    try:
        shift_ms = int(values["shift_ms"] or 0)
    except ValueError:
        raise ValueError(f"{where}: shift_ms {values['shift_ms']!r} is no number") from None
    texts: dict[str, Any] = {f.name: values[f.name] for f in fields(Medium)}
    return Medium(**texts | {"shift_ms": shift_ms})


def _unquoted(text: str) -> str:
    """Take off the quote that keeps a spreadsheet from computing a cell."""
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@\t") else text


def read_json(path: Path) -> dict[str, Any]:
    """Read one of the pack's files; raises ValueError when it is damaged, OSError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: damaged; build the pack again") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: damaged; build the pack again")
    return found
