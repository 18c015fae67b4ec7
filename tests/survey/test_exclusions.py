from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from foleycli.survey.exclusions import RULES, Rules, Screened, screen, told
from foleycli.survey.pages import Deck
from foleycli.survey.plans import Trial
from foleycli.survey.questions import METHODS
from foleycli.survey.responses import Session, TrialAnswer, collect_responses
from foleycli.survey.study import Study

Make = Callable[..., tuple[Study, Deck]]
Say = Callable[[Study, Trial], list[dict[str, Any]]]
Sit = Callable[..., tuple[Study, list[Session]]]


@pytest.fixture
def sit(make_study: Make, respond: Callable[..., Any], honest: Say, tmp_path: Any) -> Sit:
    def sit(method: str = "mos", **options: Any) -> tuple[Study, list[Session]]:
        study, _ = make_study(method, **{"clips": 12, **options})
        path = tmp_path / f"{method}.json"
        path.write_text(json.dumps([respond(study, plan, honest) for plan in study.plans]))
        return study, list(collect_responses([path], study).sessions)

    return sit


def changed(
    session: Session, change: Callable[[TrialAnswer], TrialAnswer], share: float
) -> Session:
    """Change the first pages of a sitting."""
    count = round(share * len(session.trials))
    trials: Mapping[str, TrialAnswer] = {
        name: change(trial) if index < count else trial
        for index, (name, trial) in enumerate(session.trials.items())
    }
    return replace(session, trials=trials)


def reasons(found: Screened) -> list[tuple[str, str]]:
    return [(exclusion.rule, exclusion.reason) for exclusion in found.exclusions]


@pytest.mark.parametrize("method", METHODS)
def test_honest_raters_are_kept_and_pass_every_gold(method: str, sit: Sit) -> None:
    study, sessions = sit(method)
    found = screen(sessions, study, Rules())
    assert found.sessions == tuple(sessions) and not found.exclusions and not found.unplayed
    assert found.golds and all(passed == n > 0 for passed, n in found.golds.values())


@pytest.mark.parametrize("method", METHODS)
def test_raters_who_fail_golds_are_left_out(method: str, sit: Sit) -> None:
    study, sessions = sit(method)

    def wrong(trial: TrialAnswer) -> TrialAnswer:
        """Turn every opinion around; choose what does not fit."""
        top = study.form.questions[0].low + study.form.questions[0].high
        media = [study.media[name] for name in trial.trial.media]
        bad = tuple(m.name for m in media if m.role == "gold" and m.kind != "hidden-reference")
        return replace(
            trial,
            ratings={key: top - value for key, value in trial.ratings.items()},
            choices={key: bad[:1] or value for key, value in trial.choices.items()},
        )

    sessions[0] = changed(sessions[0], wrong, 1.0)
    found = screen(sessions, study, Rules())
    assert [rule for rule, _ in reasons(found)] == ["failed golds"]
    assert found.sessions == tuple(sessions[1:])
    assert "failed 3 of 3 gold items" in told(found.exclusions[0]) or method == "mushra"


def test_golds_are_judged_by_the_question_they_have_an_answer_to(sit: Sit) -> None:
    study, sessions = sit("mos")

    def polite(trial: TrialAnswer) -> TrialAnswer:
        """Praise the quality of what is out of sync: no known answer is wrong."""
        (medium,) = (study.media[name] for name in trial.trial.media)
        if medium.kind not in ("shifted", "other-class"):
            return trial
        return replace(
            trial, ratings={key: 10.0 if key[0] == "quality" else 0.0 for key in trial.ratings}
        )

    sessions = [changed(session, polite, 1.0) for session in sessions]
    assert not screen(sessions, study, Rules()).exclusions


def test_nobody_is_left_out_for_what_they_think_of_the_hidden_reference_of_mos(sit: Sit) -> None:
    study, sessions = sit("mos", golds=("hidden-reference",))
    low = changed(sessions[0], lambda t: replace(t, ratings=dict.fromkeys(t.ratings, 0.0)), 1.0)
    found = screen([low], study, Rules(least_spread=None))
    assert found.sessions == (low,) and not found.golds and not found.most_golds


@pytest.mark.parametrize("method", METHODS)
def test_one_gold_failed_leaves_nobody_out(method: str, sit: Sit) -> None:
    """Whatever its share: of one gold item, one is all."""
    study, sessions = sit(method, gold_rate=0.01)
    golds = {name: medium for name, medium in study.media.items() if medium.role == "gold"}
    hidden = {name for name, medium in golds.items() if medium.kind == "hidden-reference"}

    def fail_one(session: Session) -> Session:
        pages = {n: t for n, t in session.trials.items() if golds.keys() & {*t.trial.media}}
        name, page = next(iter(pages.items()))
        ratings = {
            key: (0.0 if key[1] in hidden else 10.0) if key[1] in golds else value
            for key, value in page.ratings.items()
        }
        bad = tuple(sorted({*page.trial.media} - hidden))[:1]
        failed = replace(page, ratings=ratings, choices=dict.fromkeys(page.choices, bad))
        return replace(session, trials={**session.trials, name: failed})

    once = [fail_one(session) for session in sessions]
    rules = Rules(most_failed=0.0, most_failed_mushra=0.0)
    assert not screen(once, study, rules).exclusions
    assert screen(once, study, replace(rules, least_failed=1)).exclusions


def test_a_hidden_reference_below_90_or_an_anchor_above_it_fails_a_mushra_page(sit: Sit) -> None:
    study, sessions = sit("mushra")

    def rate(kind: str, value: float) -> Callable[[TrialAnswer], TrialAnswer]:
        return lambda trial: replace(
            trial,
            ratings={
                key: value if study.media[key[1]].kind == kind else old
                for key, old in trial.ratings.items()
            },
        )

    for kind, value, share, out in (
        ("hidden-reference", 89.0, 1.0, True),
        ("hidden-reference", 89.0, 0.1, False),
        ("hidden-reference", 90.0, 1.0, False),
        ("degraded", 100.0, 1.0, False),
    ):
        one = [changed(sessions[0], rate(kind, value), share)]
        assert bool(screen(one, study, Rules()).exclusions) == out, (kind, value, share)
    low = changed(sessions[0], rate("hidden-reference", 95.0), 1.0)
    above = changed(low, rate("degraded", 96.0), 1.0)
    assert reasons(screen([above], study, Rules()))[0][0] == "failed golds"


def test_answers_faster_than_a_clip_leave_a_rater_out(sit: Sit) -> None:
    study, sessions = sit()
    fast = changed(sessions[0], lambda trial: replace(trial, rt_ms=800.0), 0.2)
    assert reasons(screen([fast], study, Rules())) == [
        ("too fast", "answered 3 of 15 pages in less than 1 s")
    ]
    assert not screen([fast], study, Rules(least_ms=500)).exclusions
    assert screen(sessions, study, Rules(least_ms=10_000)).sessions == ()
    untold = changed(sessions[0], lambda trial: replace(trial, rt_ms=None), 1.0)
    assert not screen([untold], study, Rules()).exclusions


def test_the_same_answer_to_everything_leaves_a_rater_out(sit: Sit) -> None:
    study, sessions = sit()
    flat = changed(sessions[0], lambda t: replace(t, ratings=dict.fromkeys(t.ratings, 5.0)), 1.0)
    rules = Rules(most_failed=None)
    assert reasons(screen([flat], study, rules)) == [
        ("straight-lining", "gave 15 answers to quality that hardly differ")
    ]
    few = changed(replace(flat, trials=dict(list(flat.trials.items())[:7])), lambda t: t, 0)
    assert not screen([few], study, replace(rules, least_complete=None)).exclusions


def test_the_same_place_on_every_page_leaves_a_rater_out(sit: Sit) -> None:
    study, sessions = sit("pairwise")
    left = changed(
        sessions[0],
        lambda t: replace(t, choices=dict.fromkeys(t.choices, (t.trial.media[0],))),
        1.0,
    )
    rules = Rules(most_failed=None)
    assert [rule for rule, _ in reasons(screen([left], study, rules))] == ["straight-lining"]
    assert not screen(sessions, study, rules).exclusions


def test_clips_not_played_take_away_pages_and_many_of_them_the_rater(sit: Sit) -> None:
    study, sessions = sit()

    def silent(trial: TrialAnswer) -> TrialAnswer:
        return replace(trial, plays=dict.fromkeys(trial.trial.media, 0))

    once, often = (changed(sessions[0], silent, share) for share in (0.07, 0.2))
    found = screen([once, often], study, Rules())
    assert reasons(found) == [("not played", "did not play every clip once on 3 of 15 pages")]
    assert found.unplayed == 1 and len(found.sessions[0].trials) == 14
    assert not screen(sessions, study, Rules(least_plays=2)).sessions
    untold = changed(sessions[0], lambda trial: replace(trial, plays=None), 1.0)
    assert screen([untold], study, Rules()).sessions == (untold,)


def test_a_sitting_that_was_broken_off_is_left_out(sit: Sit) -> None:
    study, sessions = sit()
    short = replace(sessions[0], trials=dict(list(sessions[0].trials.items())[:11]))
    assert reasons(screen([short], study, Rules())) == [("incomplete", "answered 11 of 15 pages")]
    assert not screen([short], study, Rules(least_complete=0.7)).exclusions


def test_every_reason_is_listed_and_every_rule_can_be_left_out(sit: Sit) -> None:
    study, sessions = sit()

    def careless(trial: TrialAnswer) -> TrialAnswer:
        return replace(
            trial,
            ratings=dict.fromkeys(trial.ratings, 9.0),
            rt_ms=1.0,
            plays=dict.fromkeys(trial.trial.media, 0),
        )

    worst = changed(sessions[0], careless, 1.0)
    worst = replace(worst, trials=dict(list(worst.trials.items())[:10]))
    rules = Rules(most_failed=0.0)
    assert [rule for rule, _ in reasons(screen([worst], study, rules))] == list(RULES)
    off = Rules(
        None, None, most_fast=None, most_unplayed=None, least_spread=None, least_complete=None
    )
    assert not screen([worst], study, off).exclusions
    kept = screen([worst], study, None)
    assert kept.sessions == (worst,) and not kept.exclusions and kept.golds


def test_nobody_is_left_out_for_disagreeing(sit: Sit) -> None:
    study, sessions = sit()

    def contrary(trial: TrialAnswer) -> TrialAnswer:
        (medium,) = (study.media[name] for name in trial.trial.media)
        if medium.role == "gold":
            return trial
        return replace(trial, ratings={key: 10 - v for key, v in trial.ratings.items()})

    other = [changed(sessions[0], contrary, 1.0), *sessions[1:]]
    assert not screen(other, study, Rules()).exclusions
