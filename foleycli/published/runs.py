"""A training run as SpecVQGAN published them: a .tar.gz of checkpoints and the run's settings.

It unpacks to ``logs/NAME/checkpoints/*.ckpt`` and ``logs/NAME/configs/*-project.yaml``. Of several
checkpoints the published loader takes ``last.ckpt``, or else the last in order of their names.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Any

from foleycli.published.run_settings import merged, read_settings

GZIP = b"\x1f\x8b"
_SETTINGS_SUFFIX = "-project.yaml"
_MOST_SETTINGS_BYTES = 1 << 20


def unpack_run(
    archive: str | os.PathLike[str], folder: str | os.PathLike[str]
) -> tuple[Path, dict[str, Any]]:
    """Take the checkpoint and the settings out of an archive, whatever paths it names.

    Parameters
    ----------
    archive
        The ``.tar.gz``.
    folder
        Where the checkpoint is put.

    Returns
    -------
    checkpoint : Path
    settings : dict
        Of all project files, laid over one another in the order of their names.

    Raises
    ------
    ValueError
        When the archive cannot be read, or has no checkpoint.
    """
    target = Path(folder) / "run.ckpt"
    best: tuple[bool, str] | None = None
    told: dict[str, str] = {}
    try:
        with gzip.open(archive) as plain, tarfile.open(fileobj=plain, mode="r|") as entries:
            for entry in entries:
                name = PurePosixPath(entry.name)
                content = entries.extractfile(entry) if entry.isfile() else None
                if content is None or name.name.startswith("."):
                    continue
                if name.suffix == ".ckpt":
                    rank = (name.name == "last.ckpt", entry.name)
                    if best is None or rank > best:
                        best = rank
                        _copy(content, target)
                elif name.name.endswith(_SETTINGS_SUFFIX) and entry.size <= _MOST_SETTINGS_BYTES:
                    told[entry.name] = content.read().decode("utf-8", "replace")
            while plain.read(1 << 18):  # to the checksum at the archive's end
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"not a readable .tar.gz: {error}") from None
    if best is None:
        raise ValueError("an archive without a checkpoint (*.ckpt); unpack it, and give a file")
    return target, _joined(told)


def settings_beside(checkpoint: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the settings of an unpacked run: ``../configs/`` of its ``checkpoints/`` folder."""
    folder = Path(checkpoint).absolute().parent
    if folder.name != "checkpoints":
        return {}
    files = sorted((folder.parent / "configs").glob(f"*{_SETTINGS_SUFFIX}"))
    small = [file for file in files if file.stat().st_size <= _MOST_SETTINGS_BYTES]
    return _joined({file.name: file.read_text("utf-8", "replace") for file in small})


def _copy(content: IO[bytes], target: Path) -> None:
    with target.open("wb") as written:
        shutil.copyfileobj(content, written, 1 << 20)


def _joined(told: dict[str, str]) -> dict[str, Any]:
    settings: Any = {}
    for name in sorted(told):
        try:
            found = read_settings(told[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        settings = merged(settings, found if isinstance(found, dict) else {})
    return dict(settings)
