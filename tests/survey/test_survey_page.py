"""A real browser takes the test. Needs Debian's chromium and the package playwright."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foleycli.survey.exclusions import Rules, screen
from foleycli.survey.questions import FORMS
from foleycli.survey.responses import collect_responses
from foleycli.survey.study import read_study
from foleycli.survey.words import form_and_words_toml

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs a browser: pip install playwright, apt install chromium"
)
CHROMIUM = os.environ.get("FOLEY_CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="needs a browser: apt install chromium"),
]
Build = Callable[..., Path]
SHORT = ("--trials", "2", "--ratings", "2")
PHONE = {"width": 320, "height": 640}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Rater:
    """Somebody at a page, who notes what goes wrong."""

    def __init__(self, context: Any, address: str) -> None:
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.wrong: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append("dialog"), dialog.accept()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def heading(self, text: str) -> None:
        self.page.get_by_role("heading", name=text, exact=True).wait_for()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    @property
    def status(self) -> str:
        return str(self.page.get_by_role("status").inner_text())

    def agree(self) -> None:
        self.page.get_by_role("checkbox").check()
        self.press("Start")
        self.heading("Sound check")

    def check(self) -> None:
        self.page.get_by_label("Headphones").check()
        self.page.get_by_label("4", exact=True).check()
        self.press("Next")
        self.heading("Practice")

    def play(self) -> None:
        """Play everything on the page to its end."""
        for button in self.page.locator(".players button").all():
            button.click()
            button.and_(self.page.locator(".heard")).wait_for()

    def answer(self) -> None:
        for number, scale in enumerate(self.page.locator(".scale").all()):
            scale.locator("input").nth(2 + number % 3).check()
        for number, slider in enumerate(self.page.locator("input[type=range]").all()):
            slider.fill(str(90 - 10 * number))
        if self.page.locator(".questions .choice").count():
            self.page.locator(".questions .choice input").first.check()

    def begin(self) -> None:
        """Go as far as the first page that counts."""
        self.agree()
        self.check()
        self.play()
        self.answer()
        self.press("Next")
        self.press("Begin")

    def pages(self) -> None:
        """Answer every page that is left."""
        while "of" in self.page.get_by_role("heading").inner_text():
            before = self.page.get_by_role("heading").inner_text()
            self.play()
            self.answer()
            self.press("Next")
            self.page.wait_for_function(
                "before => document.querySelector('h1').textContent !== before", arg=before
            )

    def finish(self) -> None:
        self.heading("Comments")
        self.page.get_by_role("textbox").fill("<script>alert('comment')</script>")
        self.press("Finish")
        self.heading("Done")

    def download(self, form: str, folder: Path) -> Path:
        with self.page.expect_download() as found:
            self.press(f"Download answers ({form})")
        path = folder / found.value.suggested_filename
        found.value.save_as(path)
        return path


@pytest.fixture
def sit(browser: Any) -> Iterator[Callable[..., Rater]]:
    contexts = []

    def down(address: str, **options: Any) -> Rater:
        contexts.append(
            browser.new_context(**{"viewport": {"width": 900, "height": 900}} | options)
        )
        return Rater(contexts[-1], address)

    yield down
    for context in contexts:
        context.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    import threading

    from foleycli.survey.answer_store import AnswerStore
    from foleycli.survey.server import Server, Site

    running = []

    def serve(pack: Path, port: int = 0) -> str:
        site = Site.of(pack)
        store = AnswerStore(tmp_path / "answers.sqlite", site.study, site.plans)
        server = Server(("127.0.0.1", port), site, store, "", lambda _: None)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread, store))
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield serve
    for server, thread, store in running:
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()


def disk(pack: Path) -> str:
    return (pack / "index.html").as_uri()


def sessions_of(pack: Path, *files: Path) -> Any:
    study = read_study(pack, pack.with_name("pack.key.csv"))
    collected = collect_responses(files, study)
    assert collected.refusals == ()
    assert collected.notes == ()
    return study, collected.sessions


def test_whole_test_on_a_server(build: Build, sit: Any, served: Any, tmp_path: Path) -> None:
    pack = build(*SHORT, "--completion-code", "C0DE", "--redirect", "https://p.example/done?cc=1")
    address = served(pack)
    rater = sit(f"{address}?PROLIFIC_PID=P7&SESSION_ID=S1")
    rater.begin()
    rater.pages()
    rater.finish()
    rater.page.get_by_text("Your answers have been sent.").wait_for()
    assert rater.page.locator(".code").inner_text() == "C0DE"
    link = rater.page.get_by_role("link", name="Return to the study's site").get_attribute("href")
    assert link == "https://p.example/done?cc=1&PROLIFIC_PID=P7&SESSION_ID=S1"
    files = [rater.download(form, tmp_path) for form in ("JSON", "CSV")]
    for file in (tmp_path / "answers.sqlite", *files):
        study, (session,) = sessions_of(pack, file)
        assert session.participant == "P7"
        assert session.plan == 0
        assert session.trials.keys() == {trial.id for trial in study.plans[0].trials}
    _, (both,) = sessions_of(pack, *files)
    assert both == session
    whole = json.loads(files[0].read_text(encoding="utf-8"))
    assert whole["platform"] == {"PROLIFIC_PID": "P7", "SESSION_ID": "S1"}
    assert whole["comment"] == "<script>alert('comment')</script>"
    assert whole["device"] == "headphones"
    assert all(url.startswith((address, "blob:", "data:")) for url in rater.requests)
    assert rater.wrong == []


@pytest.mark.parametrize("method", ["mos", "pairwise", "mushra", "match-one", "pick-all"])
def test_every_form_works_from_disk(method: str, build: Build, sit: Any, tmp_path: Path) -> None:
    golds = "none" if method == "mushra" else "other-class"
    given = ("--method", method, "--options", 3, "--golds", golds)
    pack = build("--trials", "1", "--ratings", "1", *given)
    rater = sit(f"{disk(pack)}?plan=1")
    rater.begin()
    rater.pages()
    rater.finish()
    study, (session,) = sessions_of(pack, rater.download("JSON", tmp_path))
    assert session.plan == 1
    assert session.trials.keys() == {trial.id for trial in study.plans[1].trials}
    for answer in session.trials.values():
        assert set(answer.plays.values()) == {1}
        assert answer.rt_ms > 1000 * len(answer.trial.media)
    rules = Rules(most_failed=None, most_failed_mushra=None)
    assert screen([session], study, rules).exclusions == ()
    assert rater.wrong == []


def test_pictures_are_chosen_for_a_sound(
    clips: Path, sit: Any, tmp_path: Path, foley_pictures: Path
) -> None:
    rater = sit(disk(foley_pictures), viewport=PHONE)
    rater.begin()
    while "of" in rater.page.get_by_role("heading").inner_text():
        before = rater.page.get_by_role("heading").inner_text()
        rater.page.locator("figure").nth(1).click()  # too early: nothing is chosen
        assert rater.page.locator(".choice input:checked").count() == 0
        rater.play()
        rater.page.locator("figure").nth(1).click()
        assert rater.page.get_by_label("B", exact=True).is_checked()
        rater.press("Next")
        rater.page.wait_for_function(
            "before => document.querySelector('h1').textContent !== before", arg=before
        )
    rater.finish()
    study, (session,) = sessions_of(foley_pictures, rater.download("JSON", tmp_path))
    assert len(session.trials) == len(study.plans[0].trials)
    for answer in session.trials.values():
        assert answer.choices == {"match": (answer.trial.media[1],)}
        assert set(answer.plays.values()) == {1}


@pytest.fixture(scope="session")
def foley_pictures(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of made pictures, and the sounds they were made of."""
    import numpy as np
    from typer.testing import CliRunner

    from foleycli.cli.main import app
    from foleycli.media.stills import write_still

    folder = tmp_path_factory.mktemp("pictures")
    for number, sound in enumerate(sorted((clips / "originals").rglob("*.wav"))):
        path = folder / "made" / sound.parent.name / f"{sound.stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_still(path, np.full((32, 32, 3), 50 * number, np.uint8))
    command = ["survey-pack", "build", "--reference", clips / "originals", "--condition"]
    command += [f"ours={folder / 'made'}", "--method", "match-one", "-o", folder / "pack", *SHORT]
    done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return folder / "pack"


def test_keyboard_alone_will_do(build: Build, sit: Any, tmp_path: Path) -> None:
    pack = build(*SHORT)
    rater = sit(disk(pack))
    page = rater.page

    def to(name: str) -> None:
        """Go on by Tab until something of this name has the focus, and shows it."""
        for _ in range(40):
            page.keyboard.press("Tab")
            found = page.evaluate(
                "() => { const e = document.activeElement; return [e.matches(':focus-visible'),"
                " e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent,"
                " getComputedStyle(e.type === 'radio' ? e.nextSibling : e).outlineStyle]; }"
            )
            if name in found[1]:
                assert found[0] and found[2] == "solid", found
                return
        raise AssertionError(f"no way to {name}")

    def press(key: str) -> None:
        page.keyboard.press(key)

    to("agree")
    press("Space")
    to("Start")
    press("Enter")
    rater.heading("Sound check")
    to("Headphones")
    press("Space")
    to("Play the test sound")
    press("Space")
    to("1")
    for _ in range(3):
        press("ArrowRight")
    to("Next")
    press("Enter")
    rater.heading("Practice")
    for number in range(4):
        to("Play")
        press("Space")
        page.locator(".play.heard").wait_for()
        to("0, very bad")
        for _ in range(3):
            press("ArrowRight")
        to("0, not at all")
        press("ArrowLeft")  # goes round to the end
        to("Next")
        press("Enter")
        if number == 0:
            rater.heading("Ready")
            to("Begin")
            press("Enter")
        if number < 3:
            rater.heading(f"Page {number + 1} of 3")
    rater.heading("Comments")
    to("anything")
    page.keyboard.type("No.")
    to("Finish")
    press("Enter")
    rater.heading("Done")
    to("JSON")
    with page.expect_download() as found:
        press("Enter")
    found.value.save_as(tmp_path / "a.json")
    _, (session,) = sessions_of(pack, tmp_path / "a.json")
    given = [list(answer.ratings.values()) for answer in session.trials.values()]
    assert given == [[3, 10]] * 3


def test_a_narrow_phone_shows_everything(build: Build, sit: Any) -> None:
    pack = build(*SHORT, "--method", "mushra")
    rater = sit(disk(pack), viewport=PHONE, has_touch=True, is_mobile=True)

    def fits() -> None:
        wide, inner = rater.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= inner == PHONE["width"]
        for box in rater.page.locator("button:visible, .choice:visible").all():
            found = box.bounding_box()
            assert found["height"] >= 43 and found["x"] >= 0
            assert found["x"] + found["width"] <= PHONE["width"]

    fits()
    rater.agree()
    fits()
    rater.check()
    fits()
    rater.play()
    rater.answer()
    fits()
    rater.press("Next")
    fits()
    rater.press("Begin")
    rater.heading("Page 1 of 2")
    fits()


def test_eleven_steps_fit_a_phone(build: Build, sit: Any) -> None:
    rater = sit(disk(build(*SHORT)), viewport=PHONE)
    rater.agree()
    rater.check()
    boxes = [label.bounding_box() for label in rater.page.locator(".scale label").all()[:11]]
    assert len({box["y"] for box in boxes}) == 1
    assert min(box["width"] for box in boxes) >= 24
    assert max(box["x"] + box["width"] for box in boxes) <= PHONE["width"]


def test_a_reload_goes_on_where_it_was(build: Build, sit: Any, served: Any, tmp_path: Path) -> None:
    pack = build(*SHORT)
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
    _, (session,) = sessions_of(pack, tmp_path / "answers.sqlite")
    plays = [sum(answer.plays.values()) for answer in session.trials.values()]
    assert plays == [1, 2, 1]
    assert rater.wrong == []


def test_what_was_answered_is_on_the_server_before_the_end(
    build: Build, sit: Any, served: Any, tmp_path: Path
) -> None:
    pack = build(*SHORT)
    rater = sit(served(pack))
    rater.begin()
    rater.play()
    rater.answer()
    with rater.page.expect_response("**/responses") as found:
        rater.press("Next")
    assert found.value.status == 200
    rater.context.close()
    study, (session,) = sessions_of(pack, tmp_path / "answers.sqlite")
    assert list(session.trials) == [study.plans[0].trials[0].id]


def test_start_over_is_another_session(build: Build, sit: Any) -> None:
    rater = sit(disk(build(*SHORT)))
    rater.agree()
    first = rater.page.evaluate("record.state.session")
    rater.page.reload()
    rater.heading("Sound check")
    rater.press("Start over")
    rater.heading("Before you begin")
    assert rater.page.evaluate("record.state.session") != first
    assert rater.wrong == ["dialog"]


def test_a_clip_that_does_not_load_may_be_tried_again_or_skipped(
    build: Build, sit: Any, served: Any, tmp_path: Path
) -> None:
    pack = build(*SHORT)
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
    _, (session,) = sessions_of(pack, file)
    assert len(session.trials) == 2
    (skipped,) = json.loads(file.read_text())["skipped"]
    assert skipped["trial"] == second.id
    assert skipped["reason"].startswith("not_loaded")


def test_a_clip_that_is_gone_from_disk_is_said(build: Build, sit: Any, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(build(*SHORT), pack)
    for path in (pack / "media").glob("*.mp4"):
        path.write_bytes(b"no film")
    rater = sit(disk(pack))
    rater.agree()
    rater.check()
    rater.page.get_by_text("Clip could not be loaded.").wait_for()
    rater.press("Skip this page")
    rater.heading("Ready")


def test_nobody_answers_before_the_end_of_a_clip(build: Build, sit: Any) -> None:
    rater = sit(disk(build(*SHORT)))
    rater.begin()
    page = rater.page
    assert page.locator(".scale input:enabled").count() == 0
    rater.press("Next")
    assert rater.status == "Please play Clip to its end."
    page.locator(".play").click()
    page.locator(".play.playing").wait_for()
    page.evaluate("document.querySelector('video').currentTime = 0.95")
    page.wait_for_function("document.querySelector('video').ended")
    assert page.locator(".play.heard").count() == 0
    assert page.locator(".scale input:enabled").count() == 0
    page.evaluate("document.querySelector('video').playbackRate = 16")
    page.locator(".play").click()
    page.locator(".play.heard").wait_for()
    assert page.evaluate("document.querySelector('video').playbackRate") == 1
    rater.press("Next")
    assert rater.status == "Please answer every question."
    assert page.locator(".scale input:enabled").count() == 22


def test_one_clip_plays_at_a_time(build: Build, sit: Any) -> None:
    rater = sit(disk(build(*SHORT, "--method", "pairwise")))
    rater.begin()
    one, two = rater.page.locator(".players button").all()
    one.click()
    one.and_(rater.page.locator(".playing")).wait_for()
    two.click()
    two.and_(rater.page.locator(".heard")).wait_for()
    assert rater.page.locator(".players .playing").count() == 0
    assert one.and_(rater.page.locator(".heard")).count() == 0
    one.click()
    one.and_(rater.page.locator(".heard")).wait_for()
    assert one.inner_text().endswith("1\u00d7")


def test_nobody_takes_part_without_consent_or_sound(build: Build, sit: Any) -> None:
    rater = sit(disk(build(*SHORT)))
    rater.press("Start")
    assert rater.status == "Please tick the box to take part."
    rater.heading("Before you begin")
    rater.agree()
    rater.press("Next")
    assert rater.status == "Please answer both questions."
    rater.page.get_by_label("Loudspeakers").check()
    rater.page.get_by_label("3", exact=True).check()
    rater.press("Next")
    assert rater.status.startswith("That is not the number.")
    rater.press("Play the test sound")
    rater.press("Play the test sound again")
    rater.check()
    assert rater.page.evaluate("record.state.checks") == 2


def test_answers_wait_for_a_server_that_is_down(
    build: Build, sit: Any, served: Any, tmp_path: Path
) -> None:
    pack = build(*SHORT, "--completion-code", "C0DE")
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
    _, (session,) = sessions_of(pack, tmp_path / "answers.sqlite", file)
    assert len(session.trials) == 3


def test_a_browser_that_keeps_nothing_is_told_so(build: Build, sit: Any, tmp_path: Path) -> None:
    pack = build(*SHORT)
    rater = sit("about:blank")
    rater.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    )
    rater.page.goto(disk(pack))
    assert "does not keep answers" in rater.page.locator("main").inner_text()
    rater.begin()
    rater.pages()
    rater.finish()
    _, (session,) = sessions_of(pack, rater.download("JSON", tmp_path))
    assert len(session.trials) == 3


def test_next_participant_begins_anew(build: Build, sit: Any, tmp_path: Path) -> None:
    pack = build(*SHORT)
    rater = sit(disk(pack))
    files = []
    for _ in range(2):
        rater.heading("Before you begin")
        rater.begin()
        rater.pages()
        rater.finish()
        files.append(rater.download("JSON", tmp_path))
        rater.press("Next participant")
    _, sessions = sessions_of(pack, *files)
    assert len({session.id for session in sessions}) == 2
    assert rater.wrong == []


@pytest.mark.parametrize("plan", ["99", "-1", "x", ""])
def test_a_plan_that_is_not_there_is_said(plan: str, build: Build, sit: Any) -> None:
    rater = sit(f"{disk(build(*SHORT))}?plan={plan}")
    assert f"asks for plan {plan}" in rater.page.locator("main").inner_text()
    assert rater.page.get_by_role("checkbox").count() == 0


def test_the_same_participant_gets_the_same_plan(build: Build, sit: Any) -> None:
    pack = build(*SHORT)
    plans = []
    for name in ("anna", "anna", "bert", "carl", "dora", "emil"):
        rater = sit(f"{disk(pack)}?participant={name}")
        rater.agree()
        plans.append(rater.page.evaluate("record.state.plan"))
    assert plans[0] == plans[1]
    assert len(set(plans)) > 1


def test_texts_are_text(clips: Path, build: Build, sit: Any, tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    form = tmp_path / "form.toml"
    text = form_and_words_toml(FORMS["foleygan"])
    text = text.replace('title = "Listening test"', f'title = "{nasty}"')
    text = text.replace('contact = ""', f'contact = "{nasty}"')
    text = text.replace('next = "Next"', 'next = "<b>Weiter</b>"')
    form.write_text(text, encoding="utf-8")
    pack = build(*SHORT, "--form", form, "--completion-code", nasty)
    rater = sit(f"{disk(pack)}?participant={nasty}&PROLIFIC_PID={nasty}")
    assert rater.page.title() == nasty
    assert nasty in rater.page.locator("main").inner_text()
    rater.agree()
    assert rater.page.get_by_role("button", name="<b>Weiter</b>").count() == 1
    assert rater.page.locator("img, main b").count() == 0
    assert rater.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str, build: Build, sit: Any) -> None:
    """WCAG 2.2: 4.5 to 1 for text."""
    rater = sit(disk(build(*SHORT)), color_scheme=scheme)
    ratios = rater.page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const light = (name) => {
            const hex = style.getPropertyValue(name).trim().slice(1);
            const [r, g, b] = [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16) / 255)
              .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const pairs = [["--ink", "--ground"], ["--soft", "--ground"], ["--accent", "--ground"],
            ["--accent", "--card"], ["--on-accent", "--accent"], ["--bad", "--bad-tint"],
            ["--bad", "--ground"], ["--good", "--card"], ["--ink", "--tint"]];
          return Object.fromEntries(pairs.map(([a, b]) => {
            const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
            return [a + " on " + b, (high + 0.05) / (low + 0.05)];
          }));
        }"""
    )
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
