"""The server as a stranger on the network meets it; raw sockets where a client is too polite."""

from __future__ import annotations

import errno
import http.client
import json
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foleycli.survey.answer_store import AnswerStore
from foleycli.survey.responses import collect_responses
from foleycli.survey.server import MOST_BODY_BYTES, Server, Site
from foleycli.survey.study import Study, read_study

Build = Callable[..., Path]


@dataclass
class Running:
    """A server, the study it serves, and what it said of errors."""

    port: int
    pack: Path
    database: Path
    notes: list[str]
    host: str = "127.0.0.1"

    @property
    def study(self) -> Study:
        return read_study(self.pack, self.pack.with_name("pack.key.csv"))

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=20)) as line:
            if body is not None and not isinstance(body, bytes | str):
                body = json.dumps(body)
            given = {"Content-Type": "application/json"} if body is not None else {}
            line.request(method, path, body, given | (headers or {}))
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()

    def raw(self, text: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as line:
            line.sendall(text)
            line.shutdown(socket.SHUT_WR)
            whole = b""
            while block := line.recv(65536):
                whole += block
            return whole

    def bodies(self) -> list[str]:
        with closing(sqlite3.connect(self.database)) as database:
            return [body for (body,) in database.execute("SELECT body FROM responses")]


@contextmanager
def running(
    pack: Path, database: Path, origin: str = "", host: str = "127.0.0.1"
) -> Iterator[Running]:
    site = Site.of(pack)
    notes: list[str] = []
    store = AnswerStore(database, site.study, site.plans)
    with Server((host, 0), site, store, origin, notes.append) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Running(server.server_address[1], pack, database, notes, host)
        finally:
            server.shutdown()
            thread.join()
            store.close()


@pytest.fixture
def server(build: Build, tmp_path: Path) -> Iterator[Running]:
    with running(build(), tmp_path / "answers.sqlite") as found:
        yield found


@pytest.fixture
def response(server: Running, respond: Any, honest: Any) -> dict[str, Any]:
    study = server.study
    answer: dict[str, Any] = respond(study, study.plans[0], honest)
    return answer


def test_page_and_media_are_served(server: Running) -> None:
    status, headers, page = server.request("GET", "/?plan=1&PROLIFIC_PID=x")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'data-assign="plan"' in page and b'data-collect="responses"' in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name in ("survey.js", "survey.css", "media/check.m4a"):
        status, headers, body = server.request("GET", f"/{name}")
        assert (status, body) == (200, (server.pack / name).read_bytes())
    film = next((server.pack / "media").glob("*.mp4"))
    status, headers, body = server.request("HEAD", f"/media/{film.name}")
    assert (status, body) == (200, b"")
    assert headers["Content-Type"] == "video/mp4"
    assert int(headers["Content-Length"]) == film.stat().st_size


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-0", 206, slice(0, 1)),
        ("bytes=10-19", 206, slice(10, 20)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=0-999999999", 206, slice(None)),
        ("bytes=999999999-", 416, slice(0, 0)),
        ("bytes=9-3", 416, slice(0, 0)),
        ("bytes=-", 200, slice(None)),
        ("bytes=0-1,5-6", 200, slice(None)),
        ("seconds=1-2", 200, slice(None)),
    ],
)
def test_players_may_ask_for_a_part(asked: str, status: int, part: slice, server: Running) -> None:
    film = next((server.pack / "media").glob("*.mp4"))
    found, headers, body = server.request("GET", f"/media/{film.name}", None, {"Range": asked})
    assert found == status
    assert body == film.read_bytes()[part]
    if status == 206:
        assert headers["Content-Range"].endswith(f"/{film.stat().st_size}")


@pytest.mark.parametrize(
    "path",
    [
        "/study.json", "/plans.json", "/media.json", "/README.txt", "/media/", "/media",
        "/../pack.key.csv", "/media/../../pack.key.csv", "/%2e%2e/pack.key.csv",
        "/media/..%2f..%2fpack.key.csv", "//etc/passwd", "/etc/passwd", "/media/check.m4a/",
        "/survey.js%00.html", "/..\\pack.key.csv", "/media/./check.m4a", "/.", "/responses",
    ],
)  # fmt: skip
def test_nothing_else_can_be_read(path: str, server: Running) -> None:
    line = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = server.raw(line.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"root:" not in answer and b"condition" not in answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_it_listens_to_addresses_of_both_kinds(host: str, build: Build, tmp_path: Path) -> None:
    try:
        with running(build(), tmp_path / "answers.sqlite", host=host) as server:
            assert server.request("GET", "/")[0] == 200
    except OSError as error:
        if host != "::1" or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise
        pytest.skip("this machine has no IPv6")


def test_media_of_a_pack_that_was_replaced_are_not_found(build: Build, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(build(), pack)
    with running(pack, tmp_path / "answers.sqlite") as server:
        film = next((pack / "media").glob("*.mp4"))
        film.unlink()
        status, _, body = server.request("GET", f"/media/{film.name}")
        assert (status, json.loads(body)) == (404, {"error": "there is no such file"})
        assert server.request("GET", "/media/check.m4a")[0] == 200
        shutil.rmtree(pack)
        assert server.request("GET", "/media/check.m4a")[0] == 404
        assert "if the pack was built again, start the server again" in server.notes[-1]


def test_a_link_in_the_pack_leads_nowhere(build: Build, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    pack = tmp_path / "pack"
    shutil.copytree(build(), pack)
    (pack / "media" / ("0" * 12 + ".mp4")).symlink_to(tmp_path / "secret")
    with running(pack, tmp_path / "answers.sqlite") as server:
        assert server.request("GET", f"/media/{'0' * 12}.mp4")[0] == 404


def test_answers_are_kept_as_they_were_sent(server: Running, response: dict[str, Any]) -> None:
    text = json.dumps(response, indent=3)
    assert server.request("POST", "/responses", text)[0] == 200
    assert server.request("POST", "/responses", text)[0] == 200
    assert server.bodies() == [text]
    collected = collect_responses([server.database], server.study)
    assert collected.refusals == ()
    assert len(collected.sessions[0].trials) == len(server.study.plans[0].trials)


def test_plans_go_round(server: Running) -> None:
    given = [
        json.loads(server.request("POST", "/plan", {"session": f"s{k}"})[2])["plan"]
        for k in range(2 * len(server.study.plans))
    ]
    assert sorted(given) == sorted(2 * list(range(len(server.study.plans))))


def test_a_page_of_any_size_that_a_study_has_is_taken(
    server: Running, response: dict[str, Any]
) -> None:
    room = MOST_BODY_BYTES - len(json.dumps(response | {"comment": ""}))
    assert server.request("POST", "/responses", response | {"comment": "x" * room})[0] == 200
    assert server.request("POST", "/responses", response | {"comment": "x" * (room + 1)})[0] == 413
    assert len(server.bodies()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "other"}, {"study": "0" * 16}, {"study": None}, {"session": ""},
        {"session": 7}, {"session": "x" * 201}, {"session": "\ud800"}, {"plan": -1},
        {"plan": 10_000}, {"plan": "0"}, {"plan": True}, {"plan": 0.5},
    ],
)  # fmt: skip
def test_what_is_not_of_the_study_is_refused(
    changes: dict[str, Any], server: Running, response: dict[str, Any]
) -> None:
    status, _, body = server.request("POST", "/responses", response | changes)
    assert status == 400
    assert json.loads(body)["error"]
    assert server.bodies() == []
    assert server.request("POST", "/responses", response)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"text"', b"NaN", b'{"session": NaN}', b"\xff\xfe{}",
        b"[" * 100_000, b'{"a":' * 50_000, b"\x00" * 100,
    ],
)  # fmt: skip
def test_malformed_bodies_are_refused(body: bytes, server: Running) -> None:
    for path in ("/responses", "/plan"):
        assert server.request("POST", path, body)[0] == 400
    assert server.bodies() == []
    assert server.notes == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("", 411),
        ("Content-Length: -5", 411),
        ("Content-Length: 1e3", 411),
        ("Content-Length: 99999999999999999999", 411),
        (f"Content-Length: {'9' * 5000}", 411),
        ("Content-Length: 999999999", 413),
        ("Transfer-Encoding: chunked", 411),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked", 411),
        ("Content-Length: 2\r\nContent-Type: text/plain", 415),
        ("Content-Length: 2\r\nContent-Type: application/x-www-form-urlencoded", 415),
    ],
)
def test_bodies_without_a_sensible_size_or_type_are_not_read(
    head: str, status: int, server: Running
) -> None:
    kind = "" if "Type" in head else "Content-Type: application/json\r\n"
    text = f"POST /responses HTTP/1.1\r\nHost: x\r\n{kind}{head}\r\n\r\n{{}}"
    answer = server.raw(text.encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in answer
    assert server.bodies() == []


def test_one_who_leaves_midway_does_no_harm(server: Running, response: dict[str, Any]) -> None:
    head = b"POST /responses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for text in (b"", b"\x16\x03\x01\x02", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 70_000):
        server.raw(text)
    server.raw(head + b"Content-Length: 500\r\n\r\n{")
    assert server.request("POST", "/responses", response)[0] == 200
    assert server.notes == []


def test_script_tags_are_only_text(server: Running, response: dict[str, Any]) -> None:
    nasty = "<script>alert(1)</script>'; DROP TABLE responses; --"
    body = response | {"comment": nasty, "participant": nasty, "session": nasty}
    status, headers, told = server.request("POST", "/responses", body)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"<script" not in told
    assert json.loads(server.bodies()[0])["comment"] == nasty
    assert server.request("GET", f"/{nasty.replace(' ', '%20')}")[2].count(b"<script") == 0


@pytest.mark.parametrize(("origin", "allowed"), [("", None), ("https://lab.example",) * 2])
def test_a_page_from_elsewhere_may_send_only_if_told(
    origin: str, allowed: str | None, build: Build, tmp_path: Path
) -> None:
    with running(build(), tmp_path / "answers.sqlite", origin) as server:
        status, headers, _ = server.request("OPTIONS", "/responses")
        assert status == 204
        assert headers["Access-Control-Allow-Origin"] == allowed


def test_a_full_disk_is_told(
    server: Running, response: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foleycli.survey.answer_store.MOST_BYTES", 1)
    assert server.request("POST", "/responses", response)[0] == 507
    assert "full" in server.notes[0]


def test_a_pack_with_a_gap_is_refused(build: Build, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    for name in ("study.json", "plans.json", "media.json"):
        (pack / name).write_bytes((build() / name).read_bytes())
    with pytest.raises(ValueError, match=r"index\.html is missing"):
        Site.of(pack)
    with pytest.raises(OSError):
        Site.of(tmp_path)
