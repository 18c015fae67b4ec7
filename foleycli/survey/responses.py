"""Answers as raters send them: read from anything, believed only where the study allows it.

One response is a JSON object, as the page downloads it and the server takes it::

    {"schema": "foley-survey-response/1", "study": ID, "session": TEXT, "plan": NUMBER,
     "participant": TEXT, "comment": TEXT,
     "trials": [{"trial": ID, "answered": "2025-01-31T12:00:00.000Z", "rt_ms": NUMBER,
                 "plays": {MEDIUM: COUNT},
                 "answers": [{"question": ID, "medium": MEDIUM, "value": NUMBER},
                             {"question": ID, "value": [MEDIUM, ...]}]}]}

The first kind of answer rates a medium; the second is a choice, ``[]`` of none. ``participant``,
``comment``, ``answered``, ``rt_ms`` and ``plays`` may be left out, and what else there is, is
ignored. A session may send its trials in several responses, as an autosave does.

Nothing in a response is executed, formatted or used as a path. What does not fit is refused and
named, and the rest is kept. Files: :mod:`foleycli.survey.response_files`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from foleycli.survey.plans import Trial
from foleycli.survey.questions import Question
from foleycli.survey.response_files import SCHEMA, Refusal, read_bodies
from foleycli.survey.study import Study

_MOST_TEXT = 200
_MOST_COMMENT = 5000  # as the page has it
_MOST_MS = 864e5  # a day
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@dataclass(frozen=True)
class TrialAnswer:
    """What one rater said to one page.

    Attributes
    ----------
    trial : Trial
        As the plan has it.
    ratings : mapping
        (question, medium) to value.
    choices : mapping
        Question to media chosen.
    plays : mapping
        Medium to times played; None where the page did not say.
    rt_ms : float or None
        From the page's appearance to the answer.
    answered : str
        UTC in ISO 8601, by the rater's clock; may be empty.
    """

    trial: Trial
    ratings: Mapping[tuple[str, str], float] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plays: Mapping[str, int] | None = None
    rt_ms: float | None = None
    answered: str = ""


@dataclass(frozen=True)
class Session:
    """What one rater said in one sitting; trials by id, in the order of the plan."""

    id: str
    plan: int
    participant: str
    trials: Mapping[str, TrialAnswer]
    comment: str = field(default="", compare=False)  # CSV, which says the same, has none

    @property
    def rater(self) -> str:
        """Who this is: one person where the platform names the person, else one sitting."""
        return f"participant {self.participant}" if self.participant else f"session {self.id}"


@dataclass(frozen=True)
class Collected:
    """All that was read: sessions by id, what was refused, and repeats that were settled."""

    sessions: tuple[Session, ...]
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


def collect_responses(paths: Iterable[Path], study: Study) -> Collected:
    """Read files of answers; a file that cannot be read is refused, not fatal.

    The same trial sent twice by a session counts once: where the two differ, the later one, by
    ``answered``. Of several comments of a session, the longest counts. Neither the order of files
    nor of trials matters.
    """
    refusals: list[Refusal] = []
    found: dict[str, list[tuple[int, str, str, list[TrialAnswer]]]] = {}
    for path in paths:
        for where, body in read_bodies(path, refusals):
            try:
                session, plan, participant = _head(body, study)
            except ValueError as error:
                refusals.append(Refusal(where, str(error)))
                continue
            answers = list(_answers(body, plan, study, where, refusals))
            part = (plan, participant, _comment(body), answers)
            found.setdefault(session, []).append(part)
    notes: list[str] = []
    sessions = []
    for name, parts in sorted(found.items()):
        if len({(plan, participant) for plan, participant, *_ in parts}) > 1:
            reason = "sent under two plans or participants"
            refusals.append(Refusal(f"session {shown(name)}", reason))
            continue
        plan, participant, *_ = parts[0]
        sent = [answer for *_, answers in parts for answer in answers]
        trials = _settled(sent, name, plan, study, notes)
        comment = max((comment for _, _, comment, _ in parts), key=lambda c: (len(c), c))
        sessions.append(Session(name, plan, participant, trials, comment))
    return Collected(tuple(sessions), tuple(refusals), tuple(notes))


def shown(text: str) -> str:
    """Put another's text into a message: one short line."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return line if len(line) <= 40 else f"{line[:37]}..."


def _settled(
    sent: Iterable[TrialAnswer], session: str, plan: int, study: Study, notes: list[str]
) -> dict[str, TrialAnswer]:
    by_trial: dict[str, list[TrialAnswer]] = {}
    for answer in sent:
        by_trial.setdefault(answer.trial.id, []).append(answer)
    kept = {}
    for trial in study.plans[plan].trials:
        several = by_trial.get(trial.id, [])
        if not several:
            continue
        kept[trial.id] = max(several, key=lambda a: (a.answered, _said(a), repr(a)))
        if len({_said(answer) for answer in several}) > 1:
            notes.append(
                f"session {shown(session)}, trial {trial.id}: sent {len(several)} times with "
                "other answers; the latest counts"
            )
    return kept


def _said(answer: TrialAnswer) -> str:
    return repr((sorted(answer.ratings.items()), sorted(answer.choices.items())))


def _head(body: Mapping[str, Any], study: Study) -> tuple[str, int, str]:
    """Check who speaks, and of which study."""
    if body.get("schema") != SCHEMA:
        raise ValueError("not a response that this foley reads")
    if body.get("study") != study.id:
        raise ValueError("of another study than this key's")
    session, participant = body.get("session"), body.get("participant", "")
    if not isinstance(session, str) or not 0 < len(session) <= _MOST_TEXT:
        raise ValueError(f"session must be text of 1 to {_MOST_TEXT} characters")
    if not isinstance(participant, str) or len(participant) > _MOST_TEXT:
        raise ValueError(f"participant must be text of at most {_MOST_TEXT} characters")
    plan = body.get("plan")
    if not _is_number(plan) or plan != int(plan) or not 0 <= plan < len(study.plans):
        raise ValueError(f"no such plan; the study has {len(study.plans)}")
    if not isinstance(body.get("trials"), list):
        raise ValueError("it has no trials")
    return session, int(plan), participant


def _comment(body: Mapping[str, Any]) -> str:
    """Take a comment, its lines too, without what a terminal would obey."""
    comment = body.get("comment", "")
    if not isinstance(comment, str):
        return ""
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in comment[:_MOST_COMMENT])
    return shown.strip()


def _answers(
    body: Mapping[str, Any], plan: int, study: Study, where: str, refusals: list[Refusal]
) -> Iterator[TrialAnswer]:
    for place, found in enumerate(body["trials"], 1):
        try:
            yield _answer(found, plan, study)
        except ValueError as error:
            part = f"session {shown(body['session'])}, its trial {place}"
            refusals.append(Refusal(where, str(error), part))


def _answer(found: Any, plan: int, study: Study) -> TrialAnswer:
    if not isinstance(found, Mapping) or not isinstance(found.get("trial"), str):
        raise ValueError("not an answer")
    trial = study.trial(plan, found["trial"])
    if trial is None:
        raise ValueError("no such trial in the plan")
    answers = found.get("answers")
    if not isinstance(answers, list) or not all(isinstance(a, Mapping) for a in answers):
        raise ValueError("it has no answers")
    questions = {question.id: question for question in study.form.questions}
    ratings: dict[tuple[str, str], float] = {}
    choices: dict[str, tuple[str, ...]] = {}
    for answer in answers:
        named = answer.get("question")
        question = questions.get(named) if isinstance(named, str) else None
        if question is None:
            raise ValueError("it answers a question that was not asked")
        if study.form.rated:
            medium, value = _rating(answer, question, trial)
            if ratings.setdefault((question.id, medium), value) != value:
                raise ValueError("it rates a medium twice")
        else:
            chosen = _choice(answer, question, trial, study)
            if choices.setdefault(question.id, chosen) != chosen:
                raise ValueError("it answers a question twice")
    wanted = len(questions) * (len(trial.media) if study.form.rated else 1)
    if len(ratings) + len(choices) < wanted:
        raise ValueError("it does not answer every question")
    answered = found.get("answered", "")
    if not isinstance(answered, str) or not _TIME.fullmatch(answered):
        answered = ""
    rt_ms = found.get("rt_ms")
    if not _is_number(rt_ms) or not 0 <= rt_ms <= _MOST_MS:
        rt_ms = None
    return TrialAnswer(trial, ratings, choices, _plays(found.get("plays"), trial), rt_ms, answered)


def _rating(answer: Mapping[str, Any], question: Question, trial: Trial) -> tuple[str, float]:
    medium, value = answer.get("medium"), answer.get("value")
    if not isinstance(medium, str) or medium not in trial.media:
        raise ValueError("it rates a medium that was not shown")
    if not _is_number(value) or not question.on_scale(float(value)):
        raise ValueError(f"{question.id}: a value that is not on the scale")
    return medium, float(value)


def _choice(
    answer: Mapping[str, Any], question: Question, trial: Trial, study: Study
) -> tuple[str, ...]:
    value = answer.get("value")
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{question.id}: a choice is a list of media")
    chosen = tuple(sorted(value))
    if len(set(chosen)) < len(chosen) or not set(chosen) <= set(trial.media):
        raise ValueError("it chooses a medium that was not shown")
    if len(chosen) > 1 and study.form.method != "pick-all":
        raise ValueError(f"{question.id}: more than one choice")
    if not chosen and not question.none_label:
        raise ValueError(f"{question.id}: no choice")
    return chosen


def _plays(found: Any, trial: Trial) -> dict[str, int] | None:
    if not isinstance(found, Mapping):
        return None
    counts = {medium: found.get(medium, 0) for medium in trial.media}
    if not all(_is_number(n) and 0 <= n <= 1e6 for n in counts.values()):
        return None
    return {medium: int(n) for medium, n in counts.items()}


def _is_number(value: Any) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
