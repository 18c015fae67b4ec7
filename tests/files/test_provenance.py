"""The record says how a result came about; the fingerprint changes with anything that matters."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from foleycli import __version__
from foleycli.files import provenance
from foleycli.files.provenance import RunRecord, file_sha256, fingerprint, recorded_outputs


def test_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"foley" * 100_000)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"foley" * 100_000).hexdigest()


def test_fingerprint_follows_what_decides_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = [
        fingerprint("invert", {"seed": 0, "method": "istft"}, "aa"),
        fingerprint("invert", {"seed": 1, "method": "istft"}, "aa"),
        fingerprint("invert", {"seed": 0, "method": "istft"}, "bb"),
        fingerprint("generate", {"seed": 0, "method": "istft"}, "aa"),
    ]
    assert marks[0] == fingerprint("invert", {"method": "istft", "seed": 0}, "aa")
    monkeypatch.setattr(provenance, "__version__", "0.0.0")
    marks.append(fingerprint("invert", {"seed": 0, "method": "istft"}, "aa"))
    assert len(set(marks)) == 5


def test_record_holds_command_versions_options_and_outputs(tmp_path: Path) -> None:
    record = RunRecord("invert", {"seed": 3}, argv=["foley", "invert", "a b.npz"])
    record.outputs["a.wav"] = {"input": "a b.npz", "fingerprint": "f"}
    record.save(tmp_path / "run.json")
    saved = json.loads((tmp_path / "run.json").read_text())
    assert saved["command_line"] == "foley invert 'a b.npz'"
    assert saved["options"] == {"seed": 3}
    assert saved["versions"]["foleycli"] == __version__
    assert {"python", "torch", "numpy"} <= saved["versions"].keys()
    assert recorded_outputs(tmp_path / "run.json") == record.outputs


def test_missing_or_damaged_record_is_no_record(tmp_path: Path) -> None:
    assert recorded_outputs(tmp_path / "run.json") == {}
    for text in ("", "[]", "{", '{"outputs": 3}'):
        (tmp_path / "run.json").write_text(text)
        assert recorded_outputs(tmp_path / "run.json") == {}
