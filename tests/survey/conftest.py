"""Made-up studies: clips that exist by name only, and raters with known opinions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foleycli.survey.pages import Deck, make_deck
from foleycli.survey.plans import Plan, Trial, make_plans
from foleycli.survey.questions import default_form
from foleycli.survey.stimuli import GOLD_KINDS, Catalogue, Material, find_material
from foleycli.survey.study import Study

GOLDS = {
    "mos": GOLD_KINDS,
    "mushra": ("degraded",),
    "pairwise": ("shifted", "degraded"),
    "match-one": ("other-class",),
    "pick-all": ("other-class",),
}


@dataclass(frozen=True)
class File:
    id: str
    path: Path
    label: str = ""


def files(ids: Sequence[str], folder: str, suffix: str = ".mp4") -> list[File]:
    return [File(id_, Path(folder) / f"{id_}{suffix}") for id_ in ids]


@pytest.fixture(scope="session")
def make_material() -> Callable[..., Material]:
    def make(clips: int = 8, conditions: Sequence[str] = ("ours", "base")) -> Material:
        ids = [f"{('rain', 'clock')[i % 2]}/{i:03}" for i in range(clips)]
        sides = {name: files(ids, name) for name in conditions}
        return find_material(files(ids, "videos"), sides, files(ids, "originals"))

    return make


@pytest.fixture(scope="session")
def make_study(make_material: Callable[..., Material]) -> Callable[..., tuple[Study, Deck]]:
    def make(
        method: str = "mos",
        clips: int = 8,
        conditions: Sequence[str] = ("ours", "base"),
        *,
        ratings: int = 6,
        trials: int | None = None,
        gold_rate: float = 0.2,
        seed: int = 0,
        **options: Any,
    ) -> tuple[Study, Deck]:
        catalogue = Catalogue.of(make_material(clips, conditions), seed)
        deck = make_deck(catalogue, method, **{"golds": GOLDS[method], **options})
        plans = make_plans(deck, ratings=ratings, trials=trials, gold_rate=gold_rate, seed=seed)
        return Study.of(default_form(method), plans, deck.media), deck

    return make


@pytest.fixture(scope="session")
def respond() -> Callable[..., dict[str, Any]]:
    def respond(
        study: Study,
        plan: Plan,
        say: Callable[[Study, Trial], list[dict[str, Any]]],
        session: str = "",
        **changes: Any,
    ) -> dict[str, Any]:
        """Take a plan as a careful rater, who says what ``say`` has them say."""
        trials = [
            {
                "trial": trial.id,
                "answered": f"2025-01-31T12:{place:02}:00.000Z",
                "rt_ms": 9000.0,
                "plays": dict.fromkeys(trial.media, 1),
                "answers": say(study, trial),
            }
            for place, trial in enumerate(plan.trials)
        ]
        return {
            "schema": "foley-survey-response/1",
            "study": study.id,
            "session": session or f"session-{plan.number}",
            "plan": plan.number,
            "trials": trials,
        } | changes

    return respond


@pytest.fixture(scope="session")
def honest() -> Callable[[Study, Trial], list[dict[str, Any]]]:
    def say(study: Study, trial: Trial) -> list[dict[str, Any]]:
        """Know what is what: originals are best, then ours, then base, then bad golds."""
        worth = {"ours": 0.8, "base": 0.4}
        media = [study.media[name] for name in trial.media]

        def merit(name: str) -> float:
            medium = study.media[name]
            if medium.role == "distractor":
                return 0.0
            return worth.get(medium.condition, float(medium.kind == "hidden-reference"))

        answers = []
        for question in study.form.questions:
            if study.form.rated:
                answers += [
                    {
                        "question": question.id,
                        "medium": m.name,
                        "value": round(
                            question.low + merit(m.name) * (question.high - question.low)
                        ),
                    }
                    for m in media
                ]
            elif study.form.method == "pick-all":
                chosen = [m.name for m in media if merit(m.name) > 0]
                answers.append({"question": question.id, "value": chosen})
            else:
                best = max(trial.media, key=merit)
                answers.append({"question": question.id, "value": [best]})
        return answers

    return say
