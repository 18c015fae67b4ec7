"""How a result came about: ``run.json``, and the fingerprint that says whether it is still good.

``run.json`` stands beside the outputs and holds the command line, versions, device, seed, time, and
for each output the inputs' SHA-256 and a fingerprint: the hash of command, version, options and
input. Two results with one fingerprint are the same result, so ``--resume`` need not make it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from foleycli import __version__
from foleycli.files.atomic import write_text

_PACKAGES = (
    "torch",
    "torchaudio",
    "numpy",
    "scipy",
    "librosa",
    "pyloudnorm",
    "scikit-learn",
    "av",
    "soundfile",
    "opencv-python-headless",
)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's contents, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(command: str, options: Mapping[str, Any], input_sha256: str) -> str:
    """Hash all that decides an output; ``options`` must be JSON and hold no paths of outputs."""
    recipe = [__version__, command, dict(options), input_sha256]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of foley, Python and the packages that results depend on; imports none of them."""
    found = {"foleycli": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass
class RunRecord:
    """What ``run.json`` holds; ``outputs`` maps an output's name to how it was made."""

    command: str
    options: Mapping[str, Any]
    argv: Sequence[str] = field(default_factory=lambda: list(sys.argv))
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record, atomically."""
        record = {
            "command": self.command,
            "command_line": shlex.join(["foley", *self.argv[1:]]),
            "options": dict(self.options),
            "versions": versions(),
            "platform": platform.platform(),
            "started": self.started,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "outputs": self.outputs,
            "failures": self.failures,
        }
        write_text(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def recorded_outputs(path: str | os.PathLike[str] | None) -> dict[str, dict[str, Any]]:
    """Return the ``outputs`` of a ``run.json``; none when it is missing or not readable as one."""
    if path is None:
        return {}
    try:
        outputs = json.loads(Path(path).read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return outputs if isinstance(outputs, dict) else {}
