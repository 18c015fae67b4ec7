"""What the page says besides its questions: English, and whatever a form's ``[page]`` changes.

A form is TOML as :mod:`foleycli.survey.questions` describes it; its table ``[page]`` may hold any
of the words in ``page/words.toml``, to translate them or to say something else.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from foleycli.survey.questions import Form, form_of, form_toml, read_toml

PAGE = resources.files("foleycli.survey") / "page"
_TABLE = "page"
_BLANK = re.compile(r"\{\w+\}")


def english() -> dict[str, str]:
    """Give the words as they are without a form's own."""
    return tomllib.loads((PAGE / "words.toml").read_text(encoding="utf-8"))


def read_form_and_words(path: Path) -> tuple[Form, dict[str, str]]:
    """Read a form, and the words of the page, all of them.

    Raises
    ------
    ValueError
        When it is no TOML, or something in it is missing, unknown or does not fit.
    OSError
        When the file cannot be read.
    """
    found = read_toml(path)
    try:
        own = found.pop(_TABLE, {})
        return form_of(found), english() | _checked(own)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def form_and_words_toml(form: Form) -> str:
    """Write a form and all words of the page, to be edited."""
    words = (PAGE / "words.toml").read_text(encoding="utf-8")
    comment, _, table = words.partition("\n")
    return f"{form_toml(form)}\n{comment}\n[{_TABLE}]\n{table}"


def _checked(own: Any) -> dict[str, str]:
    if not isinstance(own, Mapping):
        raise ValueError(f"{_TABLE} must be a table: [{_TABLE}]")
    known = english()
    for key, value in own.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"[{_TABLE}] has no {key!r}{hint}")
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"[{_TABLE}] {key} must be text in quotes, got {value!r}")
        if missing := set(_BLANK.findall(known[key])) - set(_BLANK.findall(value)):
            raise ValueError(f"[{_TABLE}] {key} must say {' and '.join(sorted(missing))}")
    return dict(own)
