"""What raters are asked, and the words around it: a form, kept as TOML.

A form is a table of texts and a list of questions::

    method = "mos"
    title = "Sounds for silent videos"
    consent = "..."

    [[question]]
    id = "synchronicity"
    text = "How well is the sound in time with the picture?"
    about = "sync"
    low = 0
    high = 10
    low_label = "not at all"
    high_label = "perfectly"

The method says what a page shows and how a question is answered:

==============  ===============================================  ==================================
method          a page shows                                     an answer is
==============  ===============================================  ==================================
``mos``         one medium                                       a number on the scale
``mushra``      all conditions of a clip, the hidden reference   a number on the scale for each
``pairwise``    two conditions of a clip                         one of the two, or none
``match-one``   media of one condition, one made for the clip    one of them, or none
``pick-all``    media of all conditions, some made for the clip  as many as fit, or none
==============  ===============================================  ==================================
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from foleycli.files.atomic import write_text

Method = Literal["mos", "mushra", "pairwise", "match-one", "pick-all"]
About = Literal["quality", "sync", "match", ""]
METHODS: tuple[Method, ...] = get_args(Method)
RATED: tuple[Method, ...] = ("mos", "mushra")
_ID = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_MOST_STEPS = 1000


@dataclass(frozen=True)
class Question:
    """One question of a page.

    Attributes
    ----------
    id : str
        Small letters, digits, ``-`` and ``_``: names it in answers and tables.
    text : str
        As raters read it.
    about : {"quality", "sync", "match", ""}
        What it judges, hence which gold items have a known answer to it: a shifted sound is out of
        sync, one of another class does not match, a degraded one is of low quality.
    low, high, step : float
        The scale; no scale where choices are asked for.
    low_label, high_label : str
        At the ends of the scale.
    none_label : str
        The choice of none: a tie of two, or none of several. Empty: one must be chosen.

    Raises
    ------
    ValueError
        When a value does not fit.
    """

    id: str
    text: str
    about: About = ""
    low: float = 0.0
    high: float = 10.0
    step: float = 1.0
    low_label: str = ""
    high_label: str = ""
    none_label: str = ""

    def __post_init__(self) -> None:
        """Check the values."""
        if not _ID.fullmatch(self.id):
            raise ValueError(
                f"id {self.id!r}: small letters, digits, - and _ only, at most 32, a letter first"
            )
        if not self.text.strip():
            raise ValueError(f"question {self.id}: text is empty")
        if self.about not in get_args(About):
            raise ValueError(f"question {self.id}: about is quality, sync, match or nothing")
        if not all(map(math.isfinite, (self.low, self.high, self.step))):
            raise ValueError(f"question {self.id}: low, high and step must be finite")
        if self.low >= self.high:
            raise ValueError(f"question {self.id}: low {self.low:g} is not below {self.high:g}")
        steps = (self.high - self.low) / self.step if self.step > 0 else math.nan
        if not (1 <= steps <= _MOST_STEPS and abs(steps - round(steps)) < 1e-6):
            raise ValueError(
                f"question {self.id}: step {self.step:g} must divide the scale from {self.low:g} "
                f"to {self.high:g} into at most {_MOST_STEPS}"
            )

    def on_scale(self, value: float) -> bool:
        """Whether a value is one that the scale offers."""
        steps = (value - self.low) / self.step
        return self.low <= value <= self.high and abs(steps - round(steps)) < 1e-6

    def share(self, value: float) -> float:
        """Place of a value on the scale, from 0 at its low end to 1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Form:
    """Questions of one study and the texts of its page.

    Attributes
    ----------
    method : {"mos", "mushra", "pairwise", "match-one", "pick-all"}
    questions : tuple of Question
    title, consent, instructions, thanks, contact : str
        Plain text; empty lines part paragraphs.

    Raises
    ------
    ValueError
        When there is no such method, no question, or two have one id.
    """

    method: Method
    questions: tuple[Question, ...]
    title: str = "Listening test"
    consent: str = (
        "You will watch short clips and answer questions about their sound. Taking part is "
        "voluntary: you may stop at any time. Your answers are kept without your name."
    )
    instructions: str = (
        "Use headphones if you can, in a quiet place. Play every clip to its end before you answer."
    )
    thanks: str = "Thank you for taking part."
    contact: str = ""

    def __post_init__(self) -> None:
        """Check the values."""
        if self.method not in METHODS:
            raise ValueError(f"method {self.method!r}: choose {', '.join(METHODS)}")
        if not self.questions:
            raise ValueError("a form needs a [[question]]")
        ids = [question.id for question in self.questions]
        if twins := [i for i in ids if ids.count(i) > 1]:
            raise ValueError(f"two questions have the id {twins[0]}")

    @property
    def rated(self) -> bool:
        """Whether answers are numbers on a scale; else they are choices."""
        return self.method in RATED


_FOLEYGAN = (
    Question(
        "quality",
        "How good is the sound, whatever the picture shows?",
        "quality",
        low_label="very bad",
        high_label="excellent",
    ),
    Question(
        "synchronicity",
        "How well is the sound in time with the picture?",
        "sync",
        low_label="not at all",
        high_label="perfectly",
    ),
)
_BETTER = Question(
    "better", "Which sound goes better with the picture?", "match", none_label="No difference"
)
_MUSHRA = Question(
    "quality",
    "How good is each sound, measured by the original?",
    "quality",
    high=100.0,
    low_label="bad",
    high_label="excellent",
)
_ONE = Question("match", "Which one belongs to the clip?", "match", none_label="None of them")
_ALL = Question("match", "Choose every one that fits the clip.", "match", none_label="None of them")
_OPINION = tuple(
    Question(q.id, q.text, q.about, 1.0, 5.0, 1.0, "bad", "excellent") for q in _FOLEYGAN
)
_OF_PICTURES = {
    "match-one": "Which picture belongs to the sound?",
    "pick-all": "Choose every picture that fits the sound.",
    "pairwise": "Which picture fits the sound better?",
    "": "How well does the picture fit the sound?",
}
_AROUND_PICTURES = (
    "Pictures of sounds",
    (
        "You will hear short sounds and answer questions about pictures. Taking part is voluntary: "
        "you may stop at any time. Your answers are kept without your name."
    ),
    ("Use headphones if you can, in a quiet place. Play every sound to its end before you answer."),
)
FORMS = {
    "foleygan": Form("mos", _FOLEYGAN),
    "mos": Form("mos", _OPINION),
    "mushra": Form("mushra", (_MUSHRA,)),
    "pairwise": Form("pairwise", (_BETTER,)),
    "match-one": Form("match-one", (_ONE,)),
    "pick-all": Form("pick-all", (_ALL,)),
}
"""Ready forms: FoleyGAN's two questions from 0 to 10 (Section VI, Table VII), opinion scores from 1
to 5 (ITU-T P.913), MUSHRA (ITU-R BS.1534), and the two of Sound2Scene's user study (Section 4.3).
"""


def default_form(method: str, *, pictures: bool = False) -> Form:
    """Give the form of a method: FoleyGAN's questions for ``mos``.

    ``pictures`` words it for pictures that were made of sounds.

    Raises
    ------
    ValueError
        When there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r}: choose {', '.join(METHODS)}")
    form = FORMS["foleygan" if method == "mos" else method]
    if not pictures:
        return form
    asked = (
        replace(q, text=_OF_PICTURES.get(method, _OF_PICTURES[""]), about="match")
        for q in form.questions[:1]
    )
    title, consent, instructions = _AROUND_PICTURES
    return replace(
        form,
        questions=tuple(asked),
        title=title,
        consent=consent,
        instructions=instructions,
    )


def read_form(path: Path) -> Form:
    """Read a form from TOML.

    Raises
    ------
    ValueError
        When it is no TOML, or a value is missing, unknown or does not fit.
    OSError
        When the file cannot be read.
    """
    found = read_toml(path)
    try:
        return form_of(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read plain values from TOML; raises ValueError when it is none, OSError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def form_of(found: Mapping[str, Any]) -> Form:
    """Make a form of the plain values that :func:`as_dict` gives; raises ValueError as it."""
    asked = found.get("question", [])
    if not isinstance(asked, list):
        raise ValueError("write questions as [[question]]")
    questions = []
    for number, one in enumerate(asked, 1):
        try:
            questions.append(Question(**_checked(one, Question, ("id", "text"))))
        except ValueError as error:
            raise ValueError(f"question {number}: {error}") from None
    texts = {key: value for key, value in found.items() if key != "question"}
    return Form(**_checked(texts, Form, ("method",)), questions=tuple(questions))


def as_dict(form: Form) -> dict[str, Any]:
    """Turn a form into plain values: ``question`` holds one mapping a question."""
    whole = {f.name: getattr(form, f.name) for f in fields(form) if f.name != "questions"}
    return whole | {
        "question": [{f.name: getattr(q, f.name) for f in fields(q)} for q in form.questions]
    }


def write_form(path: Path, form: Form) -> None:
    """Write a form as TOML."""
    write_text(path, form_toml(form))


def form_toml(form: Form) -> str:
    """Put a form into TOML, to be edited; scales only where they are used."""
    whole = as_dict(form)
    questions = whole.pop("question")
    lines = [f"{key} = {_toml(value)}" for key, value in whole.items()]
    unused = {"none_label"} if form.rated else {"low", "high", "step", "low_label", "high_label"}
    for question in questions:
        lines += ["", "[[question]]"]
        lines += [f"{key} = {_toml(v)}" for key, v in question.items() if key not in unused]
    return "\n".join(lines) + "\n"


def _checked(values: Any, kind: type[Question | Form], needed: tuple[str, ...]) -> dict[str, Any]:
    """Sort out what a person may have written wrongly: names, kinds of values, gaps."""
    if not isinstance(values, Mapping):
        raise ValueError("must be a table")
    known = {f.name: f.type for f in fields(kind) if f.name != "questions"}
    made: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise ValueError(f"unknown {key!r}{hint}")
        if known[key] == "float":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{key} must be a number, got {value!r}")
            made[key] = _number(value, key)
        elif isinstance(value, str):
            made[key] = value
        else:
            raise ValueError(f"{key} must be text in quotes, got {value!r}")
    if missing := [key for key in needed if key not in made]:
        raise ValueError(f"{missing[0]} is missing")
    return made


def _number(value: float, key: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{key} is out of range") from None


def _toml(value: str | float) -> str:
    """Write a value; JSON's strings are TOML's but for DEL."""
    if isinstance(value, float):
        return f"{value:g}" if value == float(f"{value:g}") else repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
