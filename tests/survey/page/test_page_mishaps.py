"""What may go wrong in a real browser: reloads, clips that fail, servers that are down."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foleycli.survey.study import read_study

pytestmark = pytest.mark.slow
Build = Callable[..., Path]


def test_a_reload_goes_on_where_it_was(
    short: Build, sit: Any, read_back: Any, served: Any, tmp_path: Path
) -> None:
    pack = short()
    rater = sit(served(pack))
    rater.begin()
    rater.play()
    rater.answer()
    rater.press("Next")
    rater.heading("Page 2 of 3")
    rater.play()
    rater.page.locator(".scale input").nth(7).check()
    rater.page.reload()
    rater.heading("Page 2 of 3")
    assert "Welcome back" in rater.page.locator("main").inner_text()
    assert rater.page.locator(".play.heard").count() == 1
    assert rater.page.locator(".scale input").nth(7).is_checked()
    rater.page.locator(".play").click()
    rater.page.locator(".count", has_text="2").wait_for()
    rater.answer()
    rater.press("Next")
    rater.pages()
    rater.finish()
    rater.page.get_by_text("Your answers have been sent.").wait_for()
    rater.page.reload()
    rater.heading("Done")
    _, (session,) = read_back(pack, tmp_path / "answers.sqlite")
    plays = [sum(answer.plays.values()) for answer in session.trials.values()]
    assert plays == [1, 2, 1]
    assert rater.wrong == []


def test_what_was_answered_is_on_the_server_before_the_end(
    short: Build, sit: Any, read_back: Any, served: Any, tmp_path: Path
) -> None:
    pack = short()
    rater = sit(served(pack))
    rater.begin()
    rater.play()
    rater.answer()
    with rater.page.expect_response("**/responses") as found:
        rater.press("Next")
    assert found.value.status == 200
    rater.context.close()
    study, (session,) = read_back(pack, tmp_path / "answers.sqlite")
    assert list(session.trials) == [study.plans[0].trials[0].id]


def test_start_over_is_another_session_of_the_same_plan(short: Build, sit: Any) -> None:
    rater = sit(short())
    rater.agree()
    first, plan = rater.page.evaluate("[record.state.session, record.state.plan]")
    rater.page.reload()
    rater.heading("Sound check")
    rater.press("Start over")
    rater.heading("Before you begin")
    assert rater.page.evaluate("record.state.session") != first
    rater.agree()
    assert rater.page.evaluate("record.state.plan") == plan
    assert rater.wrong == ["dialog"]


def test_a_clip_that_does_not_load_may_be_tried_again_or_skipped(
    short: Build, sit: Any, read_back: Any, served: Any, tmp_path: Path
) -> None:
    pack = short()
    study = read_study(pack, pack.with_name("pack.key.csv"))
    first, second, _ = study.plans[0].trials
    rater = sit("about:blank")
    broken = {f"**/{trial.media[0]}.mp4" for trial in (first, second)}
    for pattern in broken:
        rater.context.route(pattern, lambda route: route.abort())
    rater.page.goto(served(pack))
    rater.begin()
    alert = rater.page.get_by_role("alert")
    alert.get_by_text("Clip could not be loaded.").wait_for()
    rater.press("Try again")
    alert.get_by_text("Clip could not be loaded.").wait_for()
    rater.context.unroute(f"**/{first.media[0]}.mp4")
    rater.press("Try again")
    rater.page.locator(".play.heard").wait_for()
    assert not alert.is_visible()
    rater.answer()
    rater.press("Next")
    rater.heading("Page 2 of 3")
    alert.get_by_text("Clip could not be loaded.").wait_for()
    rater.press("Skip this page")
    rater.heading("Page 3 of 3")
    rater.pages()
    rater.finish()
    file = rater.download("JSON", tmp_path)
    _, (session,) = read_back(pack, file)
    assert len(session.trials) == 2
    (skipped,) = json.loads(file.read_text())["skipped"]
    assert skipped["trial"] == second.id
    assert skipped["reason"].startswith("not_loaded")


def test_a_clip_that_is_gone_from_disk_is_said(short: Build, sit: Any, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(short(), pack)
    for path in (pack / "media").glob("*.mp4"):
        path.write_bytes(b"no film")
    rater = sit(pack)
    rater.agree()
    rater.check()
    rater.page.get_by_text("Clip could not be loaded.").wait_for()
    rater.press("Skip this page")
    rater.heading("Ready")


def test_answers_wait_for_a_server_that_is_down(
    short: Build, sit: Any, read_back: Any, served: Any, tmp_path: Path
) -> None:
    pack = short("--completion-code", "C0DE")
    rater = sit(served(pack))
    rater.begin()
    rater.context.route("**/responses", lambda route: route.abort())
    rater.pages()
    rater.finish()
    rater.page.get_by_text("Your answers could not be sent.").wait_for()
    assert rater.page.locator(".code").count() == 0
    file = rater.download("CSV", tmp_path)
    with file.open(newline="", encoding="utf-8") as lines:
        assert len(list(csv.DictReader(lines))) == 2 * 3
    rater.context.unroute("**/responses")
    rater.press("Send again")
    rater.page.get_by_text("Your answers have been sent.").wait_for()
    assert rater.page.locator(".code").inner_text() == "C0DE"
    _, (session,) = read_back(pack, tmp_path / "answers.sqlite", file)
    assert len(session.trials) == 3


def test_a_browser_that_keeps_nothing_is_told_so(
    short: Build, sit: Any, read_back: Any, tmp_path: Path
) -> None:
    pack = short()
    rater = sit("about:blank")
    rater.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    )
    rater.page.goto((pack / "index.html").as_uri())
    assert "does not keep answers" in rater.page.locator("main").inner_text()
    rater.begin()
    rater.pages()
    rater.finish()
    study, (session,) = read_back(pack, rater.download("JSON", tmp_path))
    assert len(session.trials) == 3
    rater.press("Next participant")
    rater.agree()
    assert rater.page.evaluate("record.state.plan") == (session.plan + 1) % len(study.plans)
