"""A study on a web server of its own: the standard library's, with the pack's files and two calls.

``GET`` gives the page and its media, and nothing else: paths are looked up in a table that is made
when the server starts, so that none leads elsewhere. ``POST plan`` hands out a plan, ``POST
responses`` keeps an answer and says so only when it is on the disk.
"""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from foleycli.survey.answer_store import AnswerStore, FullError
from foleycli.survey.pack import INDEX_FILE, PAGE_FILES, read_media
from foleycli.survey.pack_media import CHECK_NAME
from foleycli.survey.plans import plans_of
from foleycli.survey.response_files import SCHEMA
from foleycli.survey.study import MEDIA_FOLDER, PLANS_FILE, STUDY_FILE, read_json

MOST_BODY_BYTES = 512 * 1024
_MOST_UNREAD_BYTES = 16 * MOST_BODY_BYTES
_MOST_TEXT = 200
_MOST_CONNECTIONS = 256
_PATIENCE_S = 30.0
_BLOCK_BYTES = 1 << 16
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".png": "image/png",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; media-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_BODY_TAG = '<body data-assign="" data-collect="">'
_SERVED_BODY_TAG = '<body data-assign="plan" data-collect="responses">'
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")

Note = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """What is served: the page, files by path, and the study they are of."""

    study: str
    plans: int
    page: bytes
    files: Mapping[str, Path]

    @classmethod
    def of(cls, pack: Path) -> Site:
        """Look a pack over.

        Raises
        ------
        ValueError
            When it is none, or a file is missing.
        OSError
            When it cannot be read.
        """
        whole = read_json(pack / STUDY_FILE)
        plans = plans_of(read_json(pack / PLANS_FILE))
        names = [*PAGE_FILES, f"{MEDIA_FOLDER}/{CHECK_NAME}"]
        names += [one["file"] for one in read_media(pack).values()]
        missing = [name for name in (INDEX_FILE, *names) if not (pack / name).is_file()]
        if missing:
            raise ValueError(f"{pack}: {missing[0]} is missing; build the pack again")
        page = (pack / INDEX_FILE).read_text(encoding="utf-8")
        if page.count(_BODY_TAG) != 1:
            raise ValueError(f"{pack}: made by another foley; build the pack again")
        served = page.replace(_BODY_TAG, _SERVED_BODY_TAG).encode()
        files = {f"/{name}": pack / name for name in names}
        return cls(str(whole.get("study")), len(plans), served, files)


class Server(ThreadingHTTPServer):
    """Serves one study; a thread a connection, so many at most."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], site: Site, store: AnswerStore, origin: str, note: Note
    ) -> None:
        """Bind to the address; OSError where that cannot be done."""
        self.site, self.store, self.origin, self.note = site, store, origin, note
        found = socket.getaddrinfo(address[0] or None, address[1], type=socket.SOCK_STREAM)
        families = [family for family, *_ in found]
        if socket.AF_INET not in families:  # where a name has both, the older one is expected
            self.address_family = families[0]
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, or close it where there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what broke; a participant who leaves is no error."""
        import sys

        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            self.note(f"a request failed: {type(error).__name__}: {error}")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "foley"
    sys_version = ""
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        """Give the page or one of its files."""
        path = self.path.partition("?")[0]
        if path in ("/", f"/{INDEX_FILE}"):
            self._send(HTTPStatus.OK, self.server.site.page, _TYPES[".html"])
        elif file := self.server.site.files.get(path):
            self._send_file(file)
        else:
            self._tell(HTTPStatus.NOT_FOUND, "there is no such file")

    do_HEAD = do_GET

    def do_OPTIONS(self) -> None:
        """Tell a browser whether a page from elsewhere may send answers here."""
        self._send(HTTPStatus.NO_CONTENT, b"")

    def do_POST(self) -> None:
        """Hand out a plan, or keep an answer."""
        act = {"/plan": self._hand_out, "/responses": self._keep}.get(self.path)
        if act is None:
            self.close_connection = True
            self._tell(HTTPStatus.NOT_FOUND, "answers go to /responses")
            return
        text = self._body()
        if text is None:
            return
        try:
            found = json.loads(text, parse_constant=_refuse)
            if not isinstance(found, dict):
                raise ValueError("not a JSON object")
            session = found.get("session")
            if not isinstance(session, str) or not 0 < len(session) <= _MOST_TEXT:
                raise ValueError(f"session must be text of 1 to {_MOST_TEXT} characters")
            session.encode()  # no half characters, which the database would refuse
            act(text, found, session)
        except (ValueError, RecursionError) as error:
            told = "not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            self._tell(HTTPStatus.BAD_REQUEST, told)
        except (FullError, sqlite3.Error) as error:
            self.server.note(f"an answer could not be kept: {error}")
            self._tell(HTTPStatus.INSUFFICIENT_STORAGE, "the answer could not be kept")

    def _hand_out(self, text: str, found: Mapping[str, Any], session: str) -> None:
        self._send_json(HTTPStatus.OK, {"plan": self.server.store.hand_out(session)})

    def _keep(self, text: str, found: Mapping[str, Any], session: str) -> None:
        """Keep what is of this study, however odd: what it is worth is seen when it is analysed."""
        site = self.server.site
        if found.get("schema") != SCHEMA or found.get("study") != site.study:
            raise ValueError("not an answer of this study")
        plan = found.get("plan")
        if not isinstance(plan, int) or isinstance(plan, bool) or not 0 <= plan < site.plans:
            raise ValueError(f"no such plan; the study has {site.plans}")
        self.server.store.add(text, session, plan, complete=found.get("complete") is True)
        self._send_json(HTTPStatus.OK, {"kept": True})

    def _body(self) -> str | None:
        """Read what was sent; None where it was refused, which has been told."""
        length = self.headers.get("Content-Length", "")
        known = re.fullmatch(r"[0-9]{1,15}", length)
        refused = None
        if not known or "Transfer-Encoding" in self.headers:
            refused = HTTPStatus.LENGTH_REQUIRED, "the length must be given"
        elif int(length) > MOST_BODY_BYTES:
            refused = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BODY_BYTES} bytes"
        elif self.headers.get_content_type() != "application/json":
            refused = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "answers are application/json"
        if refused:
            self.close_connection = True
            if known and int(length) <= _MOST_UNREAD_BYTES:
                self._discard(int(length))
            self._tell(*refused)
            return None
        try:
            whole = self.rfile.read(int(length))
            if len(whole) < int(length):
                raise ConnectionError
            return whole.decode("utf-8")
        except UnicodeDecodeError:
            self._tell(HTTPStatus.BAD_REQUEST, "not text in UTF-8")
            return None

    def _discard(self, left: int) -> None:
        """Read a body to its end: a client that is still sending hears no answer."""
        while left and (block := self.rfile.read(min(left, _BLOCK_BYTES))):
            left -= len(block)

    def _send_file(self, path: Path) -> None:
        """Send a file, or the part of it that was asked for: players seek."""
        try:
            opened = path.open("rb")
        except OSError:
            self.server.note(f"{path}: gone; if the pack was built again, start the server again")
            self._tell(HTTPStatus.NOT_FOUND, "there is no such file")
            return
        with opened as file:
            size = file.seek(0, 2)
            first, last = 0, size - 1
            status, headers = HTTPStatus.OK, {"Accept-Ranges": "bytes"}
            asked = _RANGE.fullmatch(self.headers.get("Range", ""))
            if asked and any(asked.groups()):
                low, high = asked.groups()
                first = int(low) if low else max(0, size - int(high))
                last = min(size - 1, int(high)) if low and high else size - 1
                if first > last:
                    headers["Content-Range"] = f"bytes */{size}"
                    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                    self._send(status, b"", headers=headers)
                    return
                status = HTTPStatus.PARTIAL_CONTENT
                headers["Content-Range"] = f"bytes {first}-{last}/{size}"
            self._begin(status, last - first + 1, _TYPES[path.suffix], headers)
            if self.command == "HEAD":
                return
            file.seek(first)
            left = last - first + 1
            while left and (block := file.read(min(left, _BLOCK_BYTES))):
                self.wfile.write(block)
                left -= len(block)

    def _tell(self, status: HTTPStatus, text: str) -> None:
        self._send_json(status, {"error": text})

    def _send_json(self, status: HTTPStatus, value: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        type_: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._begin(status, len(body), type_, {"Cache-Control": "no-store", **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _begin(
        self, status: HTTPStatus, length: int, type_: str, headers: Mapping[str, str]
    ) -> None:
        self.send_response(status)
        every = {"Content-Type": type_, "Content-Length": str(length), **_HEADERS, **headers}
        if self.server.origin:
            every |= {
                "Access-Control-Allow-Origin": self.server.origin,
                "Access-Control-Allow-Headers": "Content-Type",
                "Access-Control-Allow-Methods": "GET, POST",
            }
        for name, value in every.items():
            if value:
                self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep no log of who came."""


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
