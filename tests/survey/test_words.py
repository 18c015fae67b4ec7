from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from foleycli.survey.questions import FORMS
from foleycli.survey.words import PAGE, english, form_and_words_toml, read_form_and_words


@pytest.mark.parametrize("name", FORMS)
def test_a_form_to_begin_with_changes_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    path.write_text(form_and_words_toml(FORMS[name]), encoding="utf-8")
    assert read_form_and_words(path) == (FORMS[name], english())


def test_some_words_may_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    text = 'method = "mos"\n[[question]]\nid = "a"\ntext = "Wie gut?"\n[page]\nnext = "Weiter"\n'
    path.write_text(text, encoding="utf-8")
    form, words = read_form_and_words(path)
    assert form.questions[0].text == "Wie gut?"
    assert words == english() | {"next": "Weiter"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[page]\nnxt = "x"', r"form.toml: \[page\] has no 'nxt'; did you mean next\?"),
        ("[page]\nnext = 3", r"next must be text in quotes, got 3"),
        ('[page]\nnext = " "', r"next must be text"),
        ('[page]\nprogress = "Seite {number}"', r"progress must say {total}"),
        ("", "method is missing"),
    ],
)
def test_a_mistake_is_told_in_one_line(table: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    head = 'method = "mos"\n' if table else ""
    path.write_text(f'{head}[[question]]\nid = "a"\ntext = "b"\n{table}', encoding="utf-8")
    with pytest.raises(ValueError, match=message) as told:
        read_form_and_words(path)
    assert "\n" not in str(told.value)


def test_page_says_no_word_that_is_not_there_and_none_is_idle() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in sorted(PAGE.glob("*.js")))
    said = set(re.findall(r"\bwords\.(\w+)", scripts))
    said |= set(re.findall(r'\b(?:failed|fail)\([^)]*"(\w+)"\)', scripts)) | {"language"}
    assert said == set(english())


def test_words_are_toml_with_a_comment_first() -> None:
    text = (PAGE / "words.toml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert all(isinstance(value, str) for value in tomllib.loads(text).values())
