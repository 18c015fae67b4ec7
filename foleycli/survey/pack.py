"""The folder that raters open: a static page with its study, its plans and its media.

Browsers read no files beside a page that was opened from disk, so that all the page must know is
written into it. Nothing in the folder tells conditions apart: names are opaque, times of files are
the same, and what was done to each file stands beside the key.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from foleycli.files.atomic import write_text
from foleycli.survey.pack_media import CHECK_NAME, Made
from foleycli.survey.plans import as_dict as plans_dict
from foleycli.survey.study import (
    MEDIA_FOLDER,
    PLANS_FILE,
    STUDY_FILE,
    Study,
    study_dict,
    write_study,
)
from foleycli.survey.words import PAGE

SCHEMA = "foley-survey-media/1"
INDEX_FILE = "index.html"
MEDIA_FILE = "media.json"
PAGE_FILES = ("survey.css", "dom.js", "record.js", "stage.js", "questions.js", "survey.js")
PACK_FILES = frozenset(
    {INDEX_FILE, *PAGE_FILES, STUDY_FILE, PLANS_FILE, MEDIA_FILE, MEDIA_FOLDER, "README.txt"}
)
CHECK_BURSTS = 6


@dataclass(frozen=True)
class PageSettings:
    """What becomes of a finished session.

    Attributes
    ----------
    collect : str
        URL that answers are sent to, as JSON by POST; empty: they are downloaded only.
    code : str
        Shown at the end.
    redirect : str
        URL that a link at the end leads to.

    Raises
    ------
    ValueError
        When a URL is not one of the web.
    """

    collect: str = ""
    code: str = ""
    redirect: str = ""

    def __post_init__(self) -> None:
        """Check the URLs."""
        for name, url in (("collect", self.collect), ("redirect", self.redirect)):
            parts = urlsplit(url)
            if url and not (parts.scheme in ("http", "https") and parts.netloc):
                raise ValueError(f"{name} {url!r}: give an address that begins with https://")


def write_pack(
    folder: Path,
    study: Study,
    made: Iterable[Made],
    words: Mapping[str, str],
    page: PageSettings,
    lufs: float | None,
) -> None:
    """Write everything but the media, which lie in the folder already.

    Parameters
    ----------
    folder : Path
    study : Study
    made : iterable of Made
        The media, all that plans show.
    words : mapping
        As :func:`foleycli.survey.words.read_form_and_words` gives them.
    page : PageSettings
    lufs : float or None
        Loudness of all sounds; None where levels were left as they are.
    """
    media = {
        one.name: {"file": one.file, "kind": one.kind, "seconds": round(one.seconds, 3)}
        for one in sorted(made, key=lambda one: one.name)
    }
    write_study(folder, study)
    listing = {"schema": SCHEMA, "study": study.id, "media": media}
    write_text(folder / MEDIA_FILE, json.dumps(listing, indent=1) + "\n")
    check = {"file": f"{MEDIA_FOLDER}/{CHECK_NAME}", "bursts": CHECK_BURSTS}
    data = {
        "study": study_dict(study),
        "plans": plans_dict(study.plans),
        "media": media,
        "words": dict(words),
        "page": {"collect": page.collect, "code": page.code, "redirect": page.redirect}
        | {"check": check},
    }
    named = {
        "title": html.escape(study.form.title),
        "language": html.escape(words["language"]),
        "data": embedded(data),
    }
    write_text(folder / INDEX_FILE, _filled("index.html", named))
    for name in PAGE_FILES:
        write_text(folder / name, (PAGE / name).read_text(encoding="utf-8"))
    told = {
        "title": study.form.title,
        "study": study.id,
        "plans": str(len(study.plans)),
        "trials": " or ".join(map(str, sorted({len(plan.trials) for plan in study.plans}))),
        "media": str(len(media)),
        "levels": _levels(lufs),
    }
    write_text(folder / "README.txt", _filled("README.txt", told))
    _same_times(folder)


def embedded(values: Any) -> str:
    """Write JSON that may stand in a script of a page: no text in it can end the script."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def shortest_s(pack: Path) -> float:
    """Length of the shortest clip or sound of a pack; 0 where there are pictures only.

    Raises
    ------
    ValueError
        When the pack is damaged.
    """
    lengths = [one["seconds"] for one in read_media(pack).values() if one["kind"] != "picture"]
    return float(min(lengths, default=0.0))


def read_media(pack: Path) -> dict[str, dict[str, Any]]:
    """Read which files a pack has, by name of medium: ``file``, ``kind``, ``seconds``.

    Raises
    ------
    ValueError
        When the pack is damaged, or names a file outside its media.
    OSError
        When it cannot be read.
    """
    path = pack / MEDIA_FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        media: dict[str, dict[str, Any]] = found["media"]
        right = found["schema"] == SCHEMA and all(
            re.fullmatch(rf"{MEDIA_FOLDER}/[0-9a-f]{{12}}\.(mp4|m4a|png)", one["file"])
            and one["kind"] in ("video", "sound", "picture")
            and float(one["seconds"]) >= 0
            for one in media.values()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        right = False
    if not right:
        raise ValueError(f"{path}: damaged; build the pack again")
    return media


def is_pack(folder: Path) -> bool:
    """Whether a folder holds a pack and nothing else, so that another may take its place."""
    names = {path.name for path in folder.iterdir()}
    return not names or (STUDY_FILE in names and names <= PACK_FILES)


def _filled(name: str, values: Mapping[str, str]) -> str:
    """Put values into the blanks of a template; what they hold is not looked at again."""
    template = (PAGE / name).read_text(encoding="utf-8")
    return re.sub(r"@([a-z]+)@", lambda found: values[found[1]], template)


def _levels(lufs: float | None) -> str:
    if lufs is None:
        return "  Levels are as they were in the files given."
    return (
        f"  Loudness is matched to {lufs:g} LUFS (ITU-R BS.1770). Where a sound would go beyond -1 "
        "dBTP, all\n  sounds with the same picture are softer by as much. None is raised by more "
        "than 30 dB."
    )


def _same_times(folder: Path) -> None:
    """Give all files one time: in what order they were made would tell conditions apart."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime_ns for path in files)
    for path in files:
        os.utime(path, ns=(newest, newest))
