"""Downloads from a server on this machine: resumed, verified, and there whole or not at all."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request

import numpy as np
import pytest

from foleycli.downloads import Expected, _Redirects, download, extract_member

CONTENT = np.random.default_rng(0).bytes(1_000_000)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@dataclass
class Site:
    """What the server answers, and what it was asked."""

    content: bytes = CONTENT
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    status: int = 200
    ranges: bool = True
    cut_after: int | None = None  # bytes of the body before the connection is closed
    silent: bool = False
    says_length: bool = True
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(dict(self.headers.items()))
            if site.silent:
                site.over.wait()
                return
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            same = self.headers.get("If-Range") in site.headers.values()
            start = int(wanted[1]) if wanted and site.ranges and same else 0
            if start and start >= len(site.content):
                self.send_error(416)
                return
            self.send_response(206 if start else site.status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            if start:
                total = len(site.content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            body = site.content[start:]
            if site.says_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # who has seen enough hangs up
                self.wfile.write(body[: site.cut_after])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/weights.pth"
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield site
        site.over.set()
        server.shutdown()
        serving.join()


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_is_then_left_alone(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "new" / "weights.pth"
    expected = Expected(len(CONTENT), DIGEST)
    assert download(site.url, target, expected, progress=lambda *at: seen.append(at))
    assert target.read_bytes() == CONTENT
    assert _files(target.parent) == ["weights.pth"]
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert not download(site.url, target, expected)
    assert len(site.asked) == 1


@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:15], f"md5:{hashlib.md5(CONTENT).hexdigest()}"])
def test_the_beginning_of_a_hash_or_md5_will_do(site: Site, tmp_path: Path, digest: str) -> None:
    download(site.url, tmp_path / "a", Expected(digest=digest))
    with pytest.raises(ValueError, match=r"a: is there, but its .* is .*, not 0; move it away"):
        download(site.url, tmp_path / "a", Expected(digest=digest.partition(":")[0] + ":0"))
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("headers", [{"ETag": '"one"'}, {"Last-Modified": "yesterday"}])
def test_an_interrupted_download_goes_on_where_it_was(
    site: Site, tmp_path: Path, headers: dict[str, str]
) -> None:
    site.headers, site.cut_after = headers, 600_000
    with pytest.raises(ValueError, match=r"stopped after 600000 of 1000000 bytes .* goes on$"):
        download(site.url, tmp_path / "a", Expected(digest=DIGEST))
    assert _files(tmp_path) == ["a.part", "a.part.json"]
    site.cut_after = None
    seen: list[int] = []
    download(
        site.url, tmp_path / "a", Expected(digest=DIGEST), progress=lambda at, _: seen.append(at)
    )
    assert site.asked[1]["Range"] == "bytes=600000-"
    assert seen[0] > 600_000
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert _files(tmp_path) == ["a"]


def test_a_file_that_changed_in_between_begins_anew(site: Site, tmp_path: Path) -> None:
    site.cut_after = 600_000
    with pytest.raises(ValueError, match="stopped after"):
        download(site.url, tmp_path / "a")
    site.cut_after, site.content, site.headers = None, CONTENT[::-1], {"ETag": '"two"'}
    download(site.url, tmp_path / "a")
    assert site.asked[1]["If-Range"] == '"one"'
    assert (tmp_path / "a").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_what_cannot_be_told_apart_is_not_resumed(
    site: Site, tmp_path: Path, headers: dict[str, str]
) -> None:
    site.headers, site.cut_after = headers, 600_000
    with pytest.raises(ValueError, match="stopped after"):
        download(site.url, tmp_path / "a")
    site.cut_after = None
    download(site.url, tmp_path / "a")
    assert "Range" not in site.asked[1]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_again(site: Site, tmp_path: Path) -> None:
    site.ranges, site.cut_after = False, 600_000
    with pytest.raises(ValueError, match="stopped after"):
        download(site.url, tmp_path / "a")
    site.cut_after = None
    download(site.url, tmp_path / "a", Expected(digest=DIGEST))
    assert site.asked[1]["Range"] == "bytes=600000-"
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_part_of_another_address_is_not_used(site: Site, tmp_path: Path) -> None:
    site.cut_after = 600_000
    with pytest.raises(ValueError, match="stopped after"):
        download(site.url, tmp_path / "a")
    site.cut_after = None
    download(f"{site.url}?mirror", tmp_path / "a")
    assert "Range" not in site.asked[1]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_begins_anew(site: Site, tmp_path: Path) -> None:
    site.cut_after = 600_000
    with pytest.raises(ValueError, match="stopped after"):
        download(site.url, tmp_path / "a")
    site.cut_after, site.content = None, CONTENT[:500_000]
    download(site.url, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT[:500_000]


def test_a_wrong_checksum_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not the file that was published: its sha256 is .*, not"):
        download(site.url, tmp_path / "a", Expected(digest="sha256:00000000"))
    assert _files(tmp_path) == []


def test_a_wrong_size_is_seen_before_the_body_comes(site: Site, tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(ValueError, match="it has 1000000 bytes, not 999999"):
        download(
            *(site.url, tmp_path / "a", Expected(size=999_999)),
            progress=lambda at, _: seen.append(at),
        )
    assert not seen
    assert _files(tmp_path) == []


def test_a_length_that_the_server_does_not_tell_is_the_published_one(
    site: Site, tmp_path: Path
) -> None:
    site.says_length, site.cut_after = False, 600_000
    expected = Expected(len(CONTENT), DIGEST)
    with pytest.raises(ValueError, match="stopped after 600000 of 1000000 bytes"):
        download(site.url, tmp_path / "a", expected)
    site.cut_after = None
    download(site.url, tmp_path / "a", expected)
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"quota exceeded", "text/html; charset=utf-8", "answers with a web page, not the file"),
        (b"\n<!DOCTYPE HTML><p>", "application/octet-stream", "answers with a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "text/plain", "a Git LFS pointer"),
    ],
)
def test_what_comes_in_place_of_the_file_is_refused(
    site: Site, tmp_path: Path, content: bytes, kind: str, said: str
) -> None:
    site.content, site.headers = content, {"Content-Type": kind}
    with pytest.raises(ValueError, match=said) as told:
        download(site.url, tmp_path / "a", Expected(size=5, by_hand="https://example.org/page"))
    if "page" in said:
        assert "fetch it by hand from https://example.org/page" in str(told.value)
    assert _files(tmp_path) == []


@pytest.mark.parametrize("status", [404, 403, 503])
def test_an_http_error_is_told_by_its_number(site: Site, tmp_path: Path, status: int) -> None:
    site.status = status
    with pytest.raises(ValueError, match=f"weights.pth: {status} "):
        download(site.url, tmp_path / "a")
    assert _files(tmp_path) == []


def test_an_empty_answer_is_no_file(site: Site, tmp_path: Path) -> None:
    site.content = b""
    with pytest.raises(ValueError, match="stopped after 0 bytes"):
        download(site.url, tmp_path / "a")
    assert _files(tmp_path) == []


def test_an_error_in_between_keeps_the_part(site: Site, tmp_path: Path) -> None:
    site.cut_after = 600_000
    with pytest.raises(ValueError, match="stopped after"):
        download(site.url, tmp_path / "a")
    site.ranges, site.status = False, 503
    with pytest.raises(ValueError, match="503"):
        download(site.url, tmp_path / "a")
    site.ranges, site.status, site.cut_after = True, 200, None
    download(site.url, tmp_path / "a", Expected(digest=DIGEST))
    assert site.asked[2]["Range"] == "bytes=600000-"


def test_no_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a"
    with pytest.raises(ValueError, match="cannot be reached") as told:
        download(url, tmp_path / "a")
    assert "\n" not in str(told.value)
    assert _files(tmp_path) == []


def test_a_silent_server_is_not_waited_for_for_ever(site: Site, tmp_path: Path) -> None:
    site.silent = True
    with pytest.raises(ValueError, match=r"cannot be reached .*timed out"):
        download(site.url, tmp_path / "a", timeout_s=0.1)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a", "a.pth", ""])
def test_only_http_is_spoken(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="begins with http:// or https://"):
        download(url, tmp_path / "a")


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_nor_followed_elsewhere(site: Site, tmp_path: Path, place: str) -> None:
    site.status, site.headers = 302, {"Location": place}
    with pytest.raises(ValueError, match=f"[Rr]edirect.* to .*{place}"):
        download(site.url, tmp_path / "a")
    assert _files(tmp_path) == []


def test_https_is_not_left_for_http() -> None:
    secure = Request("https://example.org/a")
    follow = _Redirects().redirect_request
    assert follow(secure, io.BytesIO(), 302, "", {}, "https://example.org/b") is not None
    with pytest.raises(ValueError, match=r"redirected to http://example\.org/b, which is not"):
        follow(secure, io.BytesIO(), 302, "", {}, "http://example.org/b")


def test_two_processes_do_not_write_one_part(site: Site, tmp_path: Path) -> None:
    def again(_done: int, _total: int) -> None:
        download(site.url, tmp_path / "a")

    with pytest.raises(ValueError, match="another process is fetching this file"):
        download(site.url, tmp_path / "a", progress=again)


def test_a_folder_that_cannot_be_made_is_an_error_of_the_result(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(OSError, match="a/b"):
        download(site.url, tmp_path / "a" / "b")


def _archive(path: Path, members: dict[str, bytes | None]) -> None:
    """Write a .tar.gz; None makes a link to /etc/passwd."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            entry.size = len(content or b"")
            archive.addfile(entry, io.BytesIO(content or b""))


def test_one_member_is_taken_out_and_nothing_else_is_written(tmp_path: Path) -> None:
    archive, target = tmp_path / "a.tar.gz", tmp_path / "out" / "best.pth"
    _archive(archive, {"../../evil": b"x", "/evil": b"x", "./d/best.pth": CONTENT, "d/b": b"x"})
    assert extract_member(archive, "d/best.pth", target)
    assert target.read_bytes() == CONTENT
    assert _files(tmp_path) == ["a.tar.gz", "out"]
    assert _files(tmp_path / "out") == ["best.pth"]
    assert not extract_member(archive, "d/best.pth", target)


def test_links_and_missing_members_are_not_followed(tmp_path: Path) -> None:
    archive, target = tmp_path / "a.tar.gz", tmp_path / "best.pth"
    _archive(archive, {"best.pth": None, "other": b"x"})
    with pytest.raises(ValueError, match=r"has no file best\.pth \(it holds best\.pth, other"):
        extract_member(archive, "best.pth", target)
    assert not target.exists()


def test_a_broken_archive_writes_nothing(tmp_path: Path) -> None:
    archive, target = tmp_path / "a.tar.gz", tmp_path / "best.pth"
    _archive(archive, {"best.pth": CONTENT})
    whole = archive.read_bytes()
    for damaged in (whole[:-1000], whole[:500], b"", b"<html>", whole[:5000] + whole[6000:]):
        archive.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.tar\.gz: "):
            extract_member(archive, "best.pth", target)
    swapped = bytearray(whole)
    swapped[500_000] ^= 1  # noise is stored as it is, and only the checksum tells
    archive.write_bytes(swapped)
    with pytest.raises(ValueError, match="CRC check failed"):
        extract_member(archive, "best.pth", target)
    assert _files(tmp_path) == ["a.tar.gz"]
