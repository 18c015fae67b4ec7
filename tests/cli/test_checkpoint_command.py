"""``foley checkpoint``: import, show and pull, with what a user may get wrong."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from foleycli.cli import checkpoint
from foleycli.published import sources
from foleycli.published.sources import SOURCES, Source, published_source

CONTENT = b"weights " * 1000


@pytest.fixture
def informativity(tmp_path: Path) -> Path:
    """A small network's weights as they are published."""
    import torch

    from foleycli.models.informativity import Informativity

    path = tmp_path / "published.pth"
    torch.save({f"module.{n}": t for n, t in Informativity().state_dict().items()}, path)
    return path


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a folder with ``weights.pth`` and an archive that holds ``d/inner.pth``."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "weights.pth").write_bytes(CONTENT)
    (folder / "page.pth").write_text("<!doctype html><title>Too large to scan</title>")
    with tarfile.open(folder / "all.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("d/inner.pth")
        entry.size = len(CONTENT)
        archive.addfile(entry, io.BytesIO(CONTENT))

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture
def table(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of files on that server in the place of the real one."""
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()[:8]}"
    free = Source("free", "resnet50", "MIT", f"{served}/weights.pth", "w.pth", True, None, digest)
    rows = (
        free,
        replace(free, name="limited", licence="CC BY-NC 4.0", free=False, file="l.pth"),
        replace(free, name="absent", url=f"{served}/absent.pth", file="a.pth"),
        replace(free, name="page", url=f"{served}/page.pth", file="p.pth", by_hand="http://x/view"),
        replace(
            free,
            name="packed",
            url=f"{served}/all.tar.gz",
            file="inner.pth",
            digest="",
            member="d/inner.pth",
        ),
    )
    monkeypatch.setattr(sources, "SOURCES", rows)


def test_import_writes_a_checkpoint_and_names_it(
    foley_here, informativity: Path, tmp_path: Path
) -> None:
    done = foley_here("checkpoint", "import", informativity, "-o", "ours.safetensors")
    assert (done.exit_code, done.stdout) == (0, "ours.safetensors\n")
    assert "s2i-informativity (Sound-to-Imagination: " in done.stderr
    assert "licence: BSD-3-Clause" in done.stderr
    shown = json.loads(foley_here("checkpoint", "show", "ours.safetensors", "--json").stdout)
    assert shown["kind"] == shown["provenance"]["imported_as"] == "s2i-informativity"
    assert shown["provenance"]["source"] == "published.pth"


def test_import_tells_its_report_as_json(foley_here, informativity: Path) -> None:
    done = foley_here("checkpoint", "import", informativity, "-o", "o.safetensors", "--json", "-q")
    assert json.loads(done.stdout) == {
        "output": "o.safetensors",
        "kind": "s2i-informativity",
        "config": {},
        "licence": "BSD-3-Clause",
        "dropped": [],
    }
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("published.pth", "-o", "o.pth"), "-o o.pth: the suffix must be .safetensors"),
        (("published.pth", "-o", "o.safetensors", "--as", "melception"), "not a melception: "),
        (("pointer.pth", "-o", "o.safetensors"), "pointer.pth: a Git LFS pointer"),
        (("absent.pth", "-o", "o.safetensors"), "absent.pth: not a readable file"),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    foley_here, informativity: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "pointer.pth").write_text("version https://git-lfs.github.com/spec/v1\n")
    done = foley_here("checkpoint", "import", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("foley checkpoint import: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("o.*"))


def test_show_is_a_table_of_what_a_file_holds(foley_here, informativity: Path) -> None:
    lines = foley_here("checkpoint", "show", informativity).stdout.splitlines()
    assert "kind        s2i-informativity (by names and shapes)" in lines
    assert "tensors     51" in lines
    assert "  fc3.weight  2x32  float32" in lines
    assert "kind        foleygan" in foley_here("checkpoint", "show", "foleygan").stdout
    assert foley_here("checkpoint", "show", "nothing").exit_code == 2


def test_the_list_has_every_row_and_fetches_nothing(foley_here, tmp_path: Path) -> None:
    lines = foley_here("checkpoint", "pull", "--list").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [source.name for source in SOURCES]
    assert all(source.url in line for source, line in zip(SOURCES, lines, strict=True))
    rows = json.loads(foley_here("checkpoint", "pull", "--list", "--json").stdout)
    assert rows["s2i-generator"]["size"] == 154_660_571
    assert not list(tmp_path.iterdir())


def test_every_kind_is_in_the_manual() -> None:
    for source in SOURCES:
        assert source.kind in checkpoint.IMPORT_EPILOG.replace(",", " ").split()


@pytest.mark.usefixtures("table")
def test_pull_fetches_verifies_and_leaves_alone(foley_here, tmp_path: Path) -> None:
    for said in ("fetched, verified", "is there already, verified"):
        done = foley_here("checkpoint", "pull", "free", "-o", "new")
        assert (done.exit_code, done.stdout) == (0, "new/w.pth\n")
        assert said in done.stderr
        assert "foley checkpoint import 'new/w.pth' --as resnet50" in done.stderr
        assert (tmp_path / "new/w.pth").read_bytes() == CONTENT


@pytest.mark.usefixtures("table")
def test_limited_licences_need_a_yes(
    foley_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = foley_here("checkpoint", "pull", "free", "limited")
    assert done.exit_code == 2
    assert "limited (licence: CC BY-NC 4.0); agree by --yes" in done.stderr
    monkeypatch.setattr(checkpoint, "_somebody_is_there", lambda: True)
    done = foley_here("checkpoint", "pull", "limited", stdin="n\n")
    assert done.exit_code == 1
    assert not list(tmp_path.glob("*.pth"))
    assert foley_here("checkpoint", "pull", "limited", stdin="y\n").exit_code == 0
    assert (tmp_path / "l.pth").read_bytes() == CONTENT


@pytest.mark.usefixtures("table")
def test_yes_agrees_beforehand(foley_here) -> None:
    assert foley_here("checkpoint", "pull", "limited", "--yes").stdout == "l.pth\n"


@pytest.mark.usefixtures("table")
def test_a_member_is_taken_out_of_its_archive(foley_here, tmp_path: Path) -> None:
    assert foley_here("checkpoint", "pull", "packed").stdout == "inner.pth\n"
    assert (tmp_path / "inner.pth").read_bytes() == CONTENT
    assert (tmp_path / "all.tar.gz").exists()
    (tmp_path / "all.tar.gz").unlink()
    assert "is there already" in foley_here("checkpoint", "pull", "packed").stderr
    assert not (tmp_path / "all.tar.gz").exists()


@pytest.mark.usefixtures("table")
def test_one_of_several_may_fail(foley_here) -> None:
    done = foley_here("checkpoint", "pull", "absent", "page", "free")
    assert (done.exit_code, done.stdout) == (1, "w.pth\n")
    assert "absent.pth: 404" in done.stderr
    assert "a web page, not the file; fetch it by hand from http://x/view" in done.stderr
    assert "2 of 3 failed" in done.stderr
    assert foley_here("checkpoint", "pull", "absent").exit_code == 2


def test_a_mirror_is_held_to_the_published_size(foley_here, served: str, tmp_path: Path) -> None:
    url = f"{served}/weights.pth"
    done = foley_here("checkpoint", "pull", "s2i-generator", "--url", url)
    assert done.exit_code == 2
    assert "not the file that was published: it has 8000 bytes, not 154660571" in done.stderr
    done = foley_here("checkpoint", "pull", "swav-resnet50", "--url", url, "--yes")
    assert done.stdout == f"{published_source('swav-resnet50').file}\n"
    assert "no hash is published" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a NAME"),
        (("nothing",), "nothing: not in the table"),
        (("resnet50", "melception", "--url", "http://x"), "--url belongs to one NAME"),
        (("resnet50", "--url", "file:///etc/passwd"), "begins with http:// or https://"),
    ],
)
def test_wrong_usage_is_one_line(foley_here, arguments: tuple[str, ...], said: str) -> None:
    done = foley_here("checkpoint", "pull", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
