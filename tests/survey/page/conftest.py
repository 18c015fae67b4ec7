"""A real browser, and somebody at it. Needs Debian's chromium and the package playwright."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from foleycli.cli.main import app
from foleycli.media.stills import write_still
from foleycli.survey.answer_store import AnswerStore
from foleycli.survey.responses import collect_responses
from foleycli.survey.server import Server, Site
from foleycli.survey.study import read_study

CHROMIUM = os.environ.get("FOLEY_CHROMIUM") or shutil.which("chromium")
WINDOW, PHONE = {"width": 900, "height": 900}, {"width": 320, "height": 640}
QUICK = """
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  if (this.src.endsWith("/check.m4a")) {
    window.checkSound = this;
    this.playbackRate = window.checkSpeed ?? 8;
  }
  return play.call(this);
};
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    if not CHROMIUM:
        pytest.skip("needs a browser: apt install chromium, or FOLEY_CHROMIUM=PATH")
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
        self.page.add_init_script(QUICK)
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
        return str(self.page.locator("#status").inner_text())

    def agree(self) -> None:
        self.page.get_by_role("checkbox").check()
        self.press("Start")
        self.heading("Sound check")

    @property
    def drawn(self) -> int:
        """How many bursts the test sound has for this session and attempt."""
        return int(self.page.evaluate("drawnBursts()"))

    def listen(self) -> None:
        self.page.get_by_role("button", name="Play the test sound").click()
        self.page.locator("main .play:not(.playing).heard").wait_for()

    def check(self) -> None:
        self.listen()
        self.page.get_by_label("Headphones").check()
        self.page.get_by_label(str(self.drawn), exact=True).check()
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
        told = self.page.get_by_text(f"Downloaded: {path.name}.").bounding_box()
        assert told["y"] + told["height"] <= self.page.viewport_size["height"]
        return path


@pytest.fixture
def sit(browser: Any) -> Iterator[Callable[..., Rater]]:
    """``sit(pack or address, query)`` opens a page."""
    contexts = []

    def down(where: Path | str, query: str = "", *, phone: bool = False, **options: Any) -> Rater:
        size = {"viewport": PHONE if phone else WINDOW}
        contexts.append(browser.new_context(**size, **options))
        address = where if isinstance(where, str) else (where / "index.html").as_uri()
        return Rater(contexts[-1], address + query)

    yield down
    for context in contexts:
        context.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
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


@pytest.fixture
def short(build: Callable[..., Path]) -> Callable[..., Path]:
    """``short(*options)`` makes a pack of a few pages."""
    return lambda *options: build("--trials", "2", "--ratings", "2", *options)


@pytest.fixture
def read_back() -> Callable[..., Any]:
    """``read_back(pack, *files)`` returns the study and the sessions in files of answers."""

    def read(pack: Path, *files: Path) -> Any:
        study = read_study(pack, pack.with_name("pack.key.csv"))
        collected = collect_responses(files, study)
        assert collected.refusals == ()
        assert collected.notes == ()
        return study, collected.sessions

    return read


@pytest.fixture(scope="session")
def picture_pack(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of made pictures, and the sounds they were made of."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, sound in enumerate(sorted((clips / "originals").rglob("*.wav"))):
        path = folder / "made" / sound.parent.name / f"{sound.stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_still(path, np.full((32, 32, 3), 50 * number, np.uint8))
    command = ["survey-pack", "build", "--reference", clips / "originals", "-o", folder / "pack"]
    command += ["--condition", f"ours={folder / 'made'}", "--method", "match-one"]
    command += ["--trials", "2", "--ratings", "2"]
    done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return folder / "pack"
