from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.survey.questions import (
    FORMS,
    METHODS,
    Form,
    Question,
    default_form,
    form_of,
    read_form,
    write_form,
)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    write_form(tmp_path / "form.toml", FORMS[name])
    assert read_form(tmp_path / "form.toml") == FORMS[name]


@given(st.text().filter(str.strip))
def test_any_text_survives_toml(tmp_path_factory: pytest.TempPathFactory, words: str) -> None:
    path = tmp_path_factory.mktemp("form") / "form.toml"
    words = words.encode(errors="replace").decode()
    form = replace(FORMS["mos"], title=words, questions=(Question("one", words),))
    write_form(path, form)
    assert read_form(path) == form


def test_foleygans_two_questions_from_0_to_10_are_the_default() -> None:
    form = default_form("mos")
    assert [q.id for q in form.questions] == ["quality", "synchronicity"]
    assert {(q.low, q.high, q.step) for q in form.questions} == {(0, 10, 1)}


def test_every_method_has_a_form_of_its_own() -> None:
    assert [default_form(method).method for method in METHODS] == list(METHODS)
    assert [(q.low, q.high) for q in FORMS["mos"].questions] == [(1, 5), (1, 5)]
    assert [(q.low, q.high) for q in FORMS["mushra"].questions] == [(0, 100)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method = ", "form.toml: Invalid value"),
        ('method = "abx"', "method 'abx': choose mos"),
        ('method = "mos"', r"needs a \[\[question\]\]"),
        ('titel = "x"', "unknown 'titel'; did you mean title?"),
        ('title = "x"\n[[question]]\nid="a"\ntext="b"', "method is missing"),
        ('method = "mos"\n[[question]]\nid="a"', "question 1: text is missing"),
        ('method = "mos"\n[[question]]\nid="A b"\ntext="b"', "id 'A b'"),
        ('method = "mos"\n[[question]]\nid="a"\ntext=3', "text must be text in quotes, got 3"),
        ('method = "mos"\n[[question]]\nid="a"\ntext=" "', "text is empty"),
        ('method = "mos"\n[[question]]\nid="a"\ntext="b"\nlow="0"', "low must be a number"),
        ('method = "mos"\n[[question]]\nid="a"\ntext="b"\nlow=true', "low must be a number"),
        ('method = "mos"\n[[question]]\nid="a"\ntext="b"\nlow=10', "low 10 is not below 10"),
        ('method = "mos"\n[[question]]\nid="a"\ntext="b"\nhigh=inf', "must be finite"),
        ('method = "mos"\n[[question]]\nid="a"\ntext="b"\nstep=3', "step 3 must divide"),
        ('method = "mos"\n[[question]]\nid="a"\ntext="b"\nstep=0', "step 0 must divide"),
        ('method = "mos"\n[[question]]\nid="a"\ntext="b"\nabout="sound"', "about is quality"),
        (
            'method = "mos"\n' + '[[question]]\nid="a"\ntext="b"\n' * 2,
            "two questions have the id a",
        ),
        ('method = "mos"\nquestion = "a"', r"write questions as \[\[question\]\]"),
        ('method = "mos"\nquestion = [1]', "question 1: must be a table"),
    ],
)
def test_a_mistake_is_told_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as told:
        read_form(path)
    assert "\n" not in str(told.value)


def test_a_file_that_is_no_text_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"form\.toml"):
        read_form(path)


def test_only_steps_of_the_scale_are_on_it() -> None:
    question = Question("q", "?", low=1, high=5, step=0.5)
    assert [v for v in (0.5, 1, 1.5, 1.7, 5, 5.5, float("nan")) if question.on_scale(v)] == [
        *(1, 1.5, 5)
    ]
    assert question.share(3) == 0.5


def test_a_huge_number_is_refused_not_a_crash() -> None:
    with pytest.raises(ValueError, match="high is out of range"):
        form_of({"method": "mos", "question": [{"id": "a", "text": "b", "high": 10**400}]})


def test_a_form_without_questions_is_none() -> None:
    with pytest.raises(ValueError, match="needs a"):
        Form("mos", ())
