from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from foleycli.survey.pack import (
    PACK_FILES,
    PageSettings,
    embedded,
    is_pack,
    read_media,
    shortest_s,
    write_pack,
)
from foleycli.survey.pack_media import Made
from foleycli.survey.study import Study, read_key, read_study
from foleycli.survey.words import english

Build = Callable[..., Path]
METHODS = ("mos", "mushra", "pairwise", "match-one", "pick-all")
NASTY = '</script><script>alert(1)</script><!-- "\u2028 & @data@ {n}'


class Scripts(HTMLParser):
    """Collects what stands in scripts, and the title."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self.title = ""
        self._tag: tuple[str, dict[str, str | None]] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = (tag, dict(attrs))
        if tag == "script":
            self.found.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self._tag and self._tag[0] == "script" and data.strip():
            self.found[-1] = (self.found[-1][0], self.found[-1][1] + data)
        if self._tag and self._tag[0] == "title":
            self.title += data

    def handle_endtag(self, tag: str) -> None:
        self._tag = None


def data_of(pack: Path) -> dict[str, Any]:
    scripts = Scripts((pack / "index.html").read_text(encoding="utf-8"))
    data = [text for attrs, text in scripts.found if attrs.get("id") == "data"]
    assert len(data) == 1
    found: dict[str, Any] = json.loads(data[0])
    return found


def hollow(study: Study, folder: Path, **settings: str) -> Path:
    """Write a pack whose media were never made."""
    made = [Made(name, f"media/{name}.mp4", "video", 2.0) for name in study.media]
    folder.mkdir()
    write_pack(folder, study, made, english(), PageSettings(**settings), None)
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_nothing_in_a_pack_tells_what_is_what(method: str, build: Build, clips: Path) -> None:
    pack = build("--method", method, "--options", 3)
    key = read_key(pack.with_name("pack.key.csv"))
    told = {
        "ours",
        "base",
        "rain",
        "clock",
        "originals",
        "degraded",
        "shifted",
        "hidden-reference",
        "gold",
    }
    told |= {str(clips), *(medium.clip for medium in key)}
    for path in sorted(pack.rglob("*")):
        if path.suffix in (".html", ".json", ".txt"):
            text = path.read_text(encoding="utf-8").lower()
            assert [word for word in told if re.search(rf"\b{re.escape(word)}\b", text)] == [], path
        assert not any(word in path.name for word in told)
        if path.suffix == ".mp4":
            whole = path.read_bytes()
            assert not any(word.encode() in whole for word in told if len(word) > 4)
    assert len({path.stat().st_mtime_ns for path in pack.rglob("*") if path.is_file()}) == 1
    lengths = {(medium.clip, read_media(pack)[medium.name]["seconds"]) for medium in key}
    assert len(lengths) == len({medium.clip for medium in key})


@pytest.mark.parametrize("method", METHODS)
def test_page_holds_all_that_it_needs(method: str, build: Build) -> None:
    pack = build("--method", method, "--options", 3)
    study = read_study(pack, pack.with_name("pack.key.csv"))
    data = data_of(pack)
    assert data["study"] == json.loads((pack / "study.json").read_text())
    assert data["plans"] == json.loads((pack / "plans.json").read_text())
    assert data["media"].keys() == study.media.keys()
    assert all((pack / one["file"]).is_file() for one in data["media"].values())
    assert (pack / data["page"]["check"]["file"]).is_file()
    assert {path.name for path in pack.iterdir()} == PACK_FILES
    text = "".join(
        p.read_text(encoding="utf-8")
        for p in pack.iterdir()
        if p.suffix in (".js", ".css", ".html")
    )
    assert "http://" not in text and "https://" not in text


def test_no_text_can_end_the_script(make_study: Callable[..., Any], tmp_path: Path) -> None:
    study, deck = make_study()
    form = replace(
        study.form,
        title=NASTY,
        consent=NASTY,
        questions=tuple(replace(q, text=NASTY, low_label=NASTY) for q in study.form.questions),
    )
    nasty = Study.of(form, study.plans, deck.media)
    pack = hollow(nasty, tmp_path / "pack", code=NASTY)
    page = (pack / "index.html").read_text(encoding="utf-8")
    scripts = Scripts(page)
    assert [attrs.get("src") for attrs, text in scripts.found if not text] == [
        "dom.js",
        "record.js",
        "stage.js",
        "questions.js",
        "survey.js",
    ]
    assert "alert(1)</script>" not in page
    assert scripts.title == NASTY
    assert data_of(pack)["study"]["consent"] == NASTY
    assert data_of(pack)["page"]["code"] == NASTY


def test_page_never_writes_markup() -> None:
    from foleycli.survey.words import PAGE

    for path in PAGE.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", text)


def test_embedded_json_is_the_same_json() -> None:
    text = embedded({"a": NASTY})
    assert json.loads(text) == {"a": NASTY}
    assert "<" not in text and "\u2028" not in text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "lab.example", "file:///etc/passwd", "//x"])
def test_only_addresses_of_the_web_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        PageSettings(collect=url)
    with pytest.raises(ValueError, match="https://"):
        PageSettings(redirect=url)


@pytest.mark.parametrize("file", ["../secret.mp4", "/etc/passwd", "media/a.mp4", "media/../x"])
def test_a_listing_that_leads_out_is_refused(
    file: str, make_study: Callable[..., Any], tmp_path: Path
) -> None:
    pack = hollow(make_study()[0], tmp_path / "pack")
    assert shortest_s(pack) == 2.0
    listing = json.loads((pack / "media.json").read_text())
    next(iter(listing["media"].values()))["file"] = file
    (pack / "media.json").write_text(json.dumps(listing))
    with pytest.raises(ValueError, match=r"media\.json: damaged"):
        read_media(pack)


def test_only_a_pack_or_nothing_is_replaced(make_study: Callable[..., Any], tmp_path: Path) -> None:
    pack = hollow(make_study()[0], tmp_path / "pack")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("")
    assert is_pack(pack) and is_pack(tmp_path / "empty")
    assert not is_pack(tmp_path / "other")
    (pack / "answers.json").write_text("")
    assert not is_pack(pack)
