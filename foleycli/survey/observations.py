"""Answers joined with the key: who said what about which condition and class."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from foleycli.survey.choices import Comparison, Offer
from foleycli.survey.responses import Session
from foleycli.survey.stimuli import Medium
from foleycli.survey.study import Study

HIDDEN_REFERENCE = "hidden reference"


@dataclass(frozen=True)
class Rating:
    """One number.

    Attributes
    ----------
    question : str
    system : str
        A condition, or what stands beside them: the hidden reference, an anchor.
    label : str
        Class.
    value : float
        On the question's scale.
    rater, clip, medium : str
    """

    question: str
    system: str
    label: str
    value: float
    rater: str
    clip: str
    medium: str


@dataclass(frozen=True)
class Chosen:
    """One answer of a choice, for agreement: what it was about, and what was said."""

    question: str
    unit: Hashable
    value: Hashable


def ratings_of(sessions: Iterable[Session], study: Study) -> Iterator[Rating]:
    """Give all ratings that count: gold items only where they are a hidden reference or anchor."""
    mushra = study.form.method == "mushra"
    for session in sessions:
        for answer in session.trials.values():
            for (question, name), value in answer.ratings.items():
                medium = study.media[name]
                system = _system(medium, anchors=mushra)
                if system:
                    yield Rating(
                        *(question, system, medium.label, value),
                        *(session.rater, medium.clip, name),
                    )


def comparisons_of(
    sessions: Iterable[Session], study: Study, question: str
) -> Iterator[tuple[str, Comparison]]:
    """Give all choices between two conditions, each with its class."""
    for session in sessions:
        for answer in session.trials.values():
            pair = [study.media[name] for name in sorted(answer.trial.media)]
            if any(medium.role != "stimulus" for medium in pair):
                continue
            winner = "".join(study.media[name].condition for name in answer.choices[question])
            first, second = (medium.condition for medium in pair)
            clip = pair[0]
            yield clip.label, Comparison(first, second, winner, session.rater, clip.clip)


def offers_of(sessions: Iterable[Session], study: Study, question: str) -> Iterator[Offer]:
    """Give all media that could be chosen."""
    for session in sessions:
        for answer in session.trials.values():
            for name in answer.trial.media:
                medium = study.media[name]
                if medium.role == "gold":
                    continue
                right, chosen = medium.role == "stimulus", name in answer.choices[question]
                yield Offer(
                    medium.condition, right, chosen, session.rater, medium.clip, medium.label
                )


def choices_of(sessions: Iterable[Session], study: Study) -> Iterator[Chosen]:
    """Give choices as agreement counts them: one a page, or one a medium where many may fit.

    A choice is a place among the page's media by name, which is as good as random: chance would
    take any alike, and raters who all choose the same system do agree.
    """
    for session in sessions:
        for answer in session.trials.values():
            page = tuple(sorted(answer.trial.media))
            if any(study.media[name].role == "gold" for name in page):
                continue
            for question, chosen in answer.choices.items():
                if study.form.method == "pick-all":
                    for name in page:
                        yield Chosen(question, (page, name), name in chosen)
                else:
                    yield Chosen(question, page, tuple(map(page.index, chosen)))


def _system(medium: Medium, *, anchors: bool) -> str:
    if medium.role == "stimulus":
        return medium.condition
    if medium.kind == "hidden-reference":
        return HIDDEN_REFERENCE
    return f"anchor, {medium.kind}" if anchors and medium.role == "gold" else ""
