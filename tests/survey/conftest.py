"""Made-up studies: clips that exist by name only, and raters with known opinions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from foleycli.cli.main import app
from foleycli.media.audio import write_audio
from foleycli.media.video import write_video
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


RATE_HZ = 22_050
CLIP_S = 1.0


def write_clips(folder: Path, clips: int = 4) -> Path:
    """Write ``videos``, ``originals``, ``ours`` and ``base``: two clicks, at other times each.

    The picture of clip k is a grey of its own; ours is softer and of its length, base is noise that
    is too short.
    """
    rng = np.random.default_rng(0)
    samples = round(CLIP_S * RATE_HZ)
    for number in range(clips):
        name = f"{('rain', 'clock')[number % 2]}/{number}"
        click = np.zeros(samples, np.float32)
        ring = np.exp(-np.arange(1500) / 200) * rng.standard_normal(1500)
        for time_s in (0.2, 0.57):
            begin = round((time_s + 0.05 * number) * RATE_HZ)
            click[begin : begin + 1500] = 0.5 * ring / np.abs(ring).max()
        sounds = {
            "originals": click,
            "ours": 0.2 * click + 0.001 * rng.standard_normal(samples),
            "base": 0.2 * rng.standard_normal(samples // 2),
        }
        for side, sound in sounds.items():
            path = folder / side / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, sound.astype(np.float32), RATE_HZ)
        path = folder / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = np.full((round(25 * CLIP_S), 48, 64, 3), 40 + 40 * number, np.uint8)
        write_video(path, iter(frames), 25)
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of a second, in two classes and two conditions, with their originals."""
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def build(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``build(*options)`` makes a pack of the clips; its key lies beside it."""
    made: dict[tuple[str, ...], Path] = {}

    def run(*given: object) -> Path:
        words = tuple(map(str, given))
        if words not in made:
            pack = tmp_path_factory.mktemp("study") / "pack"
            sides = ["--videos", clips / "videos", "--reference", clips / "originals"]
            for name in ("ours", "base"):
                sides += ["--condition", f"{name}={clips / name}"]
            command = ["survey-pack", "build", *sides, "-o", pack, *words]
            done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
            assert done.exit_code == 0, done.stderr
            made[words] = pack
        return made[words]

    return run
