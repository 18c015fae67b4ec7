"""Whole tests in a real browser, of every form, from a server and from disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foleycli.survey.exclusions import Rules, screen
from foleycli.survey.questions import FORMS
from foleycli.survey.words import form_and_words_toml

pytestmark = pytest.mark.slow
Build = Callable[..., Path]


def test_whole_test_on_a_server(
    short: Build, sit: Any, read_back: Any, served: Any, tmp_path: Path
) -> None:
    pack = short("--completion-code", "C0DE", "--redirect", "https://p.example/done?cc=1")
    address = served(pack)
    rater = sit(address, "?PROLIFIC_PID=P7&SESSION_ID=S1")
    rater.begin()
    rater.pages()
    rater.finish()
    rater.page.get_by_text("Your answers have been sent.").wait_for()
    assert rater.page.locator(".code").inner_text() == "C0DE"
    link = rater.page.get_by_role("link", name="Return to the study's site").get_attribute("href")
    assert link == "https://p.example/done?cc=1&PROLIFIC_PID=P7&SESSION_ID=S1"
    files = [rater.download(form, tmp_path) for form in ("JSON", "CSV")]
    for file in (tmp_path / "answers.sqlite", *files):
        study, (session,) = read_back(pack, file)
        assert session.participant == "P7"
        assert session.plan == 0
        assert session.trials.keys() == {trial.id for trial in study.plans[0].trials}
    _, (both,) = read_back(pack, *files)
    assert both == session
    whole = json.loads(files[0].read_text(encoding="utf-8"))
    assert whole["platform"] == {"PROLIFIC_PID": "P7", "SESSION_ID": "S1"}
    assert whole["comment"] == "<script>alert('comment')</script>"
    assert whole["device"] == "headphones"
    assert all(url.startswith((address, "blob:", "data:")) for url in rater.requests)
    assert rater.wrong == []


@pytest.mark.parametrize("method", ["mos", "pairwise", "mushra", "match-one", "pick-all"])
def test_every_form_works_from_disk(
    method: str, build: Build, sit: Any, read_back: Any, tmp_path: Path
) -> None:
    golds = "none" if method == "mushra" else "other-class"
    given = ("--method", method, "--options", 3, "--golds", golds)
    pack = build("--trials", "1", "--ratings", "1", *given)
    rater = sit(pack, "?plan=1")
    rater.begin()
    rater.pages()
    rater.finish()
    study, (session,) = read_back(pack, rater.download("JSON", tmp_path))
    assert session.plan == 1
    assert session.trials.keys() == {trial.id for trial in study.plans[1].trials}
    for answer in session.trials.values():
        assert set(answer.plays.values()) == {1}
        assert answer.rt_ms > 1000 * len(answer.trial.media)
    rules = Rules(most_failed=None, most_failed_mushra=None)
    assert screen([session], study, rules).exclusions == ()
    assert rater.wrong == []


def test_pictures_are_chosen_for_a_sound(
    sit: Any, read_back: Any, tmp_path: Path, picture_pack: Path
) -> None:
    rater = sit(picture_pack, phone=True)
    rater.begin()
    while "of" in rater.page.get_by_role("heading").inner_text():
        before = rater.page.get_by_role("heading").inner_text()
        rater.page.locator("figure").nth(1).click()  # too early: nothing is chosen
        assert rater.page.locator(".choice input:checked").count() == 0
        rater.press("Next")
        assert rater.status == "Please play the sound to its end."
        rater.play()
        for picture in "DB":
            rater.page.locator("figure").nth("ABCD".index(picture)).click()
            assert rater.page.get_by_label(picture, exact=True).is_checked()
            assert rater.page.locator("figure.chosen").all_inner_texts() == [picture]
        rater.press("Next")
        rater.page.wait_for_function(
            "before => document.querySelector('h1').textContent !== before", arg=before
        )
    rater.finish()
    study, (session,) = read_back(picture_pack, rater.download("JSON", tmp_path))
    assert len(session.trials) == len(study.plans[0].trials)
    for answer in session.trials.values():
        assert answer.choices == {"match": (answer.trial.media[1],)}
        assert set(answer.plays.values()) == {1}


def test_next_participant_begins_anew(
    short: Build, sit: Any, read_back: Any, tmp_path: Path
) -> None:
    pack = short()
    rater = sit(pack)
    files = []
    for _ in range(2):
        rater.heading("Before you begin")
        rater.page.reload()
        rater.heading("Before you begin")
        rater.begin()
        rater.pages()
        rater.finish()
        files.append(rater.download("JSON", tmp_path))
        rater.press("Next participant")
    study, sessions = read_back(pack, *files)
    assert len({session.id for session in sessions}) == 2
    one, two = (json.loads(file.read_text(encoding="utf-8"))["plan"] for file in files)
    assert two == (one + 1) % len(study.plans)
    assert rater.wrong == []


def test_the_same_participant_gets_the_same_plan(short: Build, sit: Any) -> None:
    pack = short()
    plans = []
    for name in ("anna", "anna", "bert", "carl", "dora", "emil"):
        rater = sit(pack, f"?participant={name}")
        rater.agree()
        plans.append(rater.page.evaluate("record.state.plan"))
    assert plans[0] == plans[1]
    assert len(set(plans)) > 1


@pytest.mark.parametrize("plan", ["99", "-1", "x", ""])
def test_a_plan_that_is_not_there_is_said(plan: str, short: Build, sit: Any) -> None:
    rater = sit(short(), f"?plan={plan}")
    assert f"asks for plan {plan}" in rater.page.locator("main").inner_text()
    assert rater.page.get_by_role("checkbox").count() == 0


def test_texts_are_text(clips: Path, short: Build, sit: Any, tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    form = tmp_path / "form.toml"
    text = form_and_words_toml(FORMS["foleygan"])
    text = text.replace('title = "Listening test"', f'title = "{nasty}"')
    text = text.replace('contact = ""', f'contact = "{nasty}"')
    text = text.replace('next = "Next"', 'next = "<b>Weiter</b>"')
    form.write_text(text, encoding="utf-8")
    pack = short("--form", form, "--completion-code", nasty)
    rater = sit(pack, f"?participant={nasty}&PROLIFIC_PID={nasty}")
    assert rater.page.title() == nasty
    assert nasty in rater.page.locator("main").inner_text()
    rater.agree()
    assert rater.page.get_by_role("button", name="<b>Weiter</b>").count() == 1
    assert rater.page.locator("img, main b").count() == 0
    assert rater.wrong == []
