"""Fetching one large file over HTTP: resumable, verified, and there whole or not at all.

What has come lies in ``NAME.part`` beside the target, and beside that ``NAME.part.json`` keeps what
the server called this version of the file. A later call asks for the rest of that version only; a
server that has another one, or cannot send parts, sends the whole, and the part begins anew.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import http.client
import json
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from foleycli import __version__
from foleycli.files.atomic import OutputError, atomic_path, make_parents

Progress = Callable[[int, int], None]

_BLOCK_BYTES = 1 << 18
_SCHEMES = ("http", "https")
_NOT_THE_FILE = (b"<!doctype html", b"<html")
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it comes.

    Attributes
    ----------
    size
        Bytes; None when not published.
    digest
        ``sha256:`` or ``md5:`` and the hash in hexadecimal, or its beginning; empty when not
        published.
    by_hand
        Where a person gets the file when a plain request does not yield it.
    """

    size: int | None = None
    digest: str = ""
    by_hand: str = ""

    def fault(self, path: Path) -> str:
        """Say in what a file differs; empty when in nothing that is known."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"it has {size} bytes, not {self.size}"
        algorithm, _, wanted = self.digest.partition(":")
        if wanted:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, algorithm).hexdigest()
            if not found.startswith(wanted.lower()):
                return f"its {algorithm} is {found}, not {wanted}"
        return ""


def download(
    url: str,
    target: str | os.PathLike[str],
    expected: Expected | None = None,
    *,
    progress: Progress | None = None,
    timeout_s: float = 30.0,
) -> bool:
    """Fetch ``url`` to ``target``, going on where an earlier call stopped.

    Parameters
    ----------
    url
        Of scheme http or https; so are those it is redirected to, and https stays https.
    target
        File to make. One that is there already and is as expected is left alone.
    expected
        What is known of the file; nothing unless given.
    progress
        Called with bytes that are there and bytes in all, 0 when the server does not say.
    timeout_s
        How long a silent server is waited for, in seconds.

    Returns
    -------
    bool
        Whether anything was fetched.

    Raises
    ------
    ValueError
        When the file cannot be had, is not as expected, or a web page comes in its place; a target
        that is there and is not as expected is not touched.
    OutputError
        When the folder or the file cannot be made.
    """
    target, expected = Path(target), expected or Expected()
    if urlsplit(url).scheme not in _SCHEMES:
        raise ValueError(f"{url}: need an address that begins with http:// or https://")
    if target.exists():
        if fault := expected.fault(target):
            raise ValueError(f"{target}: is there, but {fault}; move it away and fetch it anew")
        return False
    make_parents(target)
    part = target.with_name(f"{target.name}.part")
    with _locked(part) as file:
        _fetch(url, file, part, expected, progress, timeout_s)
        file.flush()
        os.fsync(file.fileno())
        if fault := expected.fault(part):
            _discard(part)
            raise _other(url, fault)
        _notes(part).unlink(missing_ok=True)
        part.replace(target)
    return True


def extract_member(
    archive: str | os.PathLike[str], member: str, target: str | os.PathLike[str]
) -> bool:
    """Copy one ordinary file out of a .tar.gz, whatever paths the archive names.

    Returns whether anything was written: a target that is there is left alone.

    Raises
    ------
    ValueError
        When the archive cannot be read, or has no such file.
    """
    if Path(target).exists():
        return False
    names = []
    try:
        with gzip.open(archive) as plain, tarfile.open(fileobj=plain, mode="r|") as entries:
            for entry in entries:
                names.append(entry.name.removeprefix("./"))
                if names[-1] != member or not entry.isfile():
                    continue
                content = entries.extractfile(entry)
                assert content is not None
                with atomic_path(target) as temporary:
                    with temporary.open("wb") as written:
                        shutil.copyfileobj(content, written)
                    while plain.read(_BLOCK_BYTES):  # to the checksum at the archive's end
                        pass
                return True
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{archive}: not a readable .tar.gz ({error})") from None
    some = ", ".join([name for name in names if name.isprintable()][:5])
    raise ValueError(f"{archive}: has no file {member} (it holds {some} ...)")


@contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    try:
        file = part.open("ab")
    except OSError as error:
        raise OutputError(error.errno, error.strerror, str(part)) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held the lock before may have renamed what was opened here.
            ours = os.path.samestat(os.fstat(file.fileno()), part.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise ValueError(f"{part}: another process is fetching this file")
        try:
            yield file
        finally:
            if part.exists() and not part.stat().st_size:
                _discard(part)


def _fetch(
    url: str,
    file: IO[bytes],
    part: Path,
    expected: Expected,
    progress: Progress | None,
    timeout_s: float,
) -> None:
    have = file.tell()
    version = _version(part, url) if have else ""
    have = have if version else 0
    with _response(url, have, version, timeout_s) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            _discard(part)
            raise ValueError(f"{url}: the server sent another part than asked for; try again")
        file.truncate(have)
        file.seek(have)
        rest = response.headers.get("Content-Length")
        total = have + int(rest) if rest and rest.isdecimal() else expected.size or 0
        _remember(part, url, response.headers)
        while block := _read(response, url, have, total):
            if not have:
                _refuse_other_files(url, part, block, response.headers, expected)
                if expected.size not in (None, total):
                    _discard(part)
                    raise _other(url, f"it has {total} bytes, not {expected.size}")
            file.write(block)
            have += len(block)
            if progress:
                progress(have, total)
    if have < total or not have:
        raise _broken(url, have, total, "the connection was closed")


def _response(url: str, have: int, version: str, timeout_s: float) -> Any:
    headers = {"User-Agent": f"foley/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    try:
        return _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _response(url, 0, "", timeout_s)
        raise ValueError(f"{url}: {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ValueError(f"{url}: cannot be reached ({reason})") from None


def _read(response: Any, url: str, have: int, total: int) -> bytes:
    try:
        block: bytes = response.read(_BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _broken(url, have, total, str(error) or type(error).__name__) from None
    return block


def _broken(url: str, have: int, total: int, why: str) -> ValueError:
    of = f" of {total}" if total else ""
    return ValueError(f"{url}: stopped after {have}{of} bytes ({why}); the same command goes on")


def _other(url: str, fault: str) -> ValueError:
    return ValueError(f"{url}: not the file that was published: {fault}")


def _refuse_other_files(
    url: str, part: Path, head: bytes, headers: http.client.HTTPMessage, expected: Expected
) -> None:
    page = headers.get_content_type() == "text/html"
    if page or head.lstrip().lower().startswith(_NOT_THE_FILE):
        _discard(part)
        by_hand = f"; fetch it by hand from {expected.by_hand}" if expected.by_hand else ""
        raise ValueError(f"{url}: answers with a web page, not the file{by_hand}")
    if head.startswith(_LFS_POINTER):
        _discard(part)
        raise ValueError(f"{url}: answers with a Git LFS pointer, not the file")


def _remember(part: Path, url: str, headers: http.client.HTTPMessage) -> None:
    tag = headers.get("ETag", "")
    # A weak tag promises no equal bytes, so that the standard forbids it here.
    version = tag if tag.startswith('"') else headers.get("Last-Modified", "")
    _notes(part).write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")


def _version(part: Path, url: str) -> str:
    try:
        notes = json.loads(_notes(part).read_text(encoding="utf-8"))
        return str(notes["version"]) if notes["url"] == url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in _SCHEMES or (req.type == "https" and scheme != "https"):
            fp.close()
            raise ValueError(f"redirected to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Speaks HTTP and nothing else: urllib's own opens files and FTP too."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener
