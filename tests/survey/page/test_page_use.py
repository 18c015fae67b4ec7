"""What a real browser lets a participant do: by keys, on a phone, one clip at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foleycli.media.audio import read_audio

pytestmark = pytest.mark.slow
Build = Callable[..., Path]


def test_keyboard_alone_will_do(short: Build, sit: Any, read_back: Any, tmp_path: Path) -> None:
    pack = short()
    rater = sit(pack)
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
    page.get_by_role("button", name="Play the test sound again").wait_for()
    to("1")
    for _ in range(rater.drawn - 1):
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
    _, (session,) = read_back(pack, tmp_path / "a.json")
    given = [list(answer.ratings.values()) for answer in session.trials.values()]
    assert given == [[3, 10]] * 3


def test_a_narrow_phone_shows_everything(short: Build, sit: Any) -> None:
    pack = short("--method", "mushra")
    rater = sit(pack, phone=True, has_touch=True, is_mobile=True)

    def fits() -> None:
        wide, inner = rater.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= inner == rater.page.viewport_size["width"]
        for box in rater.page.locator("button:visible, .choice:visible").all():
            found = box.bounding_box()
            assert found["height"] >= 43 and found["x"] >= 0
            assert found["x"] + found["width"] <= rater.page.viewport_size["width"]

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


def test_eleven_steps_fit_a_phone(short: Build, sit: Any) -> None:
    rater = sit(short(), phone=True)
    rater.agree()
    rater.check()
    boxes = [label.bounding_box() for label in rater.page.locator(".scale label").all()[:11]]
    assert len({box["y"] for box in boxes}) == 1
    assert min(box["width"] for box in boxes) >= 24
    assert max(box["x"] + box["width"] for box in boxes) <= rater.page.viewport_size["width"]


def test_nobody_answers_before_the_end_of_a_clip(short: Build, sit: Any) -> None:
    rater = sit(short())
    rater.begin()
    page = rater.page
    assert page.locator(".scale input:enabled").count() == 0
    rater.press("Next")
    assert rater.status == "Please play the clip to its end."
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


def test_one_clip_plays_at_a_time(short: Build, sit: Any) -> None:
    rater = sit(short("--method", "match-one"))
    rater.begin()
    one, two, *_ = rater.page.locator(".players button").all()
    one.click()
    one.and_(rater.page.locator(".playing")).wait_for()
    two.click()
    two.and_(rater.page.locator(".heard")).wait_for()
    assert rater.page.locator(".players .playing").count() == 0
    assert one.and_(rater.page.locator(".heard")).count() == 0
    one.click()
    one.and_(rater.page.locator(".heard")).wait_for()
    assert one.inner_text().endswith("1\u00d7")


def test_nobody_takes_part_without_consent_or_sound(short: Build, sit: Any) -> None:
    rater = sit(short())
    rater.press("Start")
    assert rater.status == "Please tick the box to take part."
    rater.heading("Before you begin")
    rater.agree()
    page = rater.page
    page.get_by_label("Loudspeakers").check()
    page.get_by_label(str(rater.drawn), exact=True).check()
    rater.press("Next")
    assert rater.status == "Please play the test sound to its end first."
    assert page.evaluate("record.state.checks") == 0
    rater.listen()
    assert rater.status == ""
    page.get_by_label("1", exact=True).check()
    rater.press("Next")
    assert rater.status.startswith("That is not the number.")
    page.get_by_label(str(rater.drawn), exact=True).check()
    rater.press("Next")  # another guess needs another hearing
    assert rater.status == "Please play the test sound to its end first."
    rater.check()
    assert page.evaluate("record.state.checks") == 2


def test_as_many_bursts_sound_as_are_drawn(short: Build, sit: Any) -> None:
    pack = short()
    rater = sit(pack)
    rater.agree()
    of_attempts = rater.page.evaluate(
        "Array.from({length: 60}, (_, k) => { record.state.checks = k; return drawnBursts(); })"
    )
    assert len(set(of_attempts)) >= 3
    few = min(of_attempts)
    rater.page.evaluate(f"record.state.checks = {of_attempts.index(few)}; checkSpeed = 0.7")
    rater.listen()
    stopped_s = rater.page.evaluate("checkSound.currentTime")
    sound, rate_hz = read_audio(pack / "media" / "check.m4a")
    level = np.abs(sound[: len(sound) // 480 * 480]).reshape(-1, 480).max(1)
    loud = (level > 0.1 * level.max()).astype(int)
    begin, end = (np.flatnonzero(np.diff(loud) == way) * 480 / rate_hz for way in (1, -1))
    assert len(begin) == max(of_attempts)
    assert end[few - 1] < stopped_s < begin[few]


def test_what_is_missing_is_said_in_sight(short: Build, sit: Any) -> None:
    rater = sit(short("--method", "match-one"))
    page = rater.page

    def refused(name: str, told: str) -> None:
        """Press a button in three windows: what is then said is seen, and hides nothing."""
        for width, height in ((320, 640), (360, 640), (900, 900)):
            page.set_viewport_size({"width": width, "height": height})
            rater.press(name)
            assert rater.status == told
            said = page.locator("#status").bounding_box()
            focused = page.locator(":focus").bounding_box()
            pressed = page.get_by_role("button", name=name, exact=True).bounding_box()
            assert said["y"] >= 0 and said["y"] + said["height"] <= height
            assert focused["y"] >= 0 and focused["y"] + focused["height"] <= said["y"]
            assert pressed["y"] + pressed["height"] <= said["y"]

    def even(boxes: str) -> None:
        for width in (320, 360, 900):
            page.set_viewport_size({"width": width, "height": 900})
            widths = [one.bounding_box()["width"] for one in page.locator(boxes).all()]
            assert len(widths) == 4
            assert max(widths) - min(widths) < 1

    refused("Start", "Please tick the box to take part.")
    rater.agree()
    refused("Next", "Please play the test sound to its end first.")
    rater.listen()
    refused("Next", "Please answer both questions.")
    rater.check()
    refused("Next", "Please play A to its end.")
    even(".players button")
    even(".choice:not(.none)")
    rater.play()
    refused("Next", "Please answer every question.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str, short: Build, sit: Any) -> None:
    """WCAG 2.2: 4.5 to 1 for text."""
    rater = sit(short(), color_scheme=scheme)
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
