"""``foley extract --pairs``: clips -> sounds and the pictures that are seen with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Console, Progress
from foleycli.cli.inputs import Job

if TYPE_CHECKING:
    from foleycli.training.pair_cutting import Cut

SUFFIX = ".pairs.npz"
_TOLD_S = 0.005


class PairSystem(StrEnum):
    """Whose pairs."""

    s2i = "s2i"
    sound2scene = "sound2scene"


class Fit(StrEnum):
    """How a frame becomes a square."""

    auto = "auto"
    crop = "crop"
    squash = "squash"


Pairs = Annotated[
    PairSystem | None,
    typer.Option(
        "--pairs",
        help="Cut pairs of sound and picture for foley train: s2i's seconds, or sound2scene's ten "
        "seconds.",
        show_default=False,
    ),
]
FitOption = Annotated[
    Fit,
    typer.Option(
        "--fit",
        help="With --pairs: cut the centre square out of a frame, or squash all of it; auto is as "
        "published, crop for s2i and squash for sound2scene.",
    ),
]
MomentsFrom = Annotated[
    str,
    typer.Option(
        "--moments-from",
        metavar="PATH",
        help="With --pairs: take the best ranked frames that --moments wrote (a folder or a .csv) "
        "or that Sound2Scene's authors published (.json), in place of middle frames.",
        show_default=False,
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        "--top",
        min=1,
        metavar="N",
        help="With --moments-from: how many frames of each clip; with --moments-json: how many are "
        "listed there.",
        show_default="1, in JSON 10",
    ),
]


@dataclass(frozen=True)
class Settings:
    """What decides the result; the ranked frames are known by their hash."""

    system: str
    fit: str
    top: int
    moments_sha256: str = ""


def extract_pairs(
    console: Console, batch: Batch, system: PairSystem, fit: Fit, moments: str, top: int | None
) -> None:
    """Cut every clip of a batch."""
    if top and not moments:
        raise ValueError("--top counts ranked frames: give them with --moments-from")
    digest = _digest(moments) if moments else ""
    settings = Settings(system.value, fit.value, top or 1, digest)
    run_batch(console, batch, partial(cut, moments=moments), settings)


def cut(
    job: Job,
    settings: Settings,
    meta: Mapping[str, Any],
    progress: Progress | None,
    *,
    moments: str,
) -> dict[str, Any]:
    """Cut one clip into pairs."""
    from foleycli.files.atomic import make_parents
    from foleycli.files.growing import GrowingArrays
    from foleycli.training.moments import moments_of
    from foleycli.training.pair_cutting import KINDS, cut_pairs
    from foleycli.training.pair_files import save_pairs

    kind = KINDS[settings.system]
    fit = kind.fit if settings.fit == Fit.auto else settings.fit
    best: Sequence[float] = ()
    if moments:
        best = moments_of(_moments(moments, settings.moments_sha256), job.clip.path)
    label = job.clip.label or PurePosixPath(job.clip.id).parent.name
    make_parents(job.output)
    with GrowingArrays(0, job.output.parent) as arrays:
        found = cut_pairs(job.clip.path, kind, fit, arrays, best[: settings.top] or None)
        report = _report(found, settings, ranked=bool(best))
        about = {**meta, "measured": found.measured, "left_out_s": report["left_out_s"]}
        save_pairs(job.output, arrays, kind, fit, label, about)
    return {"note": _note(found, settings, ranked=bool(best)), "class": label, **report}


@cache
def _moments(path: str, digest: str) -> dict[str, list[float]]:
    """Read ranked frames with this digest, once a process."""
    from foleycli.training.moments import read_moments

    return read_moments(path)


def _digest(path: str) -> str:
    """Hash what the ranked frames say, however they are written."""
    import hashlib
    import json

    from foleycli.training.moments import read_moments

    if not Path(path).exists():
        raise ValueError(f"--moments-from {path}: no such file or folder")
    return hashlib.sha256(json.dumps(read_moments(path), sort_keys=True).encode()).hexdigest()


def _report(found: Cut, settings: Settings, *, ranked: bool) -> dict[str, Any]:
    return {
        "sounds": found.sounds,
        "pictures": found.pictures,
        "silent": found.silent,
        "unseen": found.unseen,
        "left_out_s": round(found.left_out_s, 6),
        "filled_s": round(found.filled_s, 6),
        "clipped": found.clipped,
        "ranked": ranked,
        "damage": list(found.damage),
    }


def _note(found: Cut, settings: Settings, *, ranked: bool) -> str:
    """Say in a line what became of a clip."""
    said = [f"{found.pictures} pairs" if found.pictures > 1 else "1 pair"]
    how = "by silence" if settings.system == PairSystem.s2i else "by its repetition"
    parts = {
        "no ranked frames, so middle ones": bool(settings.moments_sha256) and not ranked,
        f"the last {found.left_out_s:.2f} s left out": found.left_out_s >= _TOLD_S,
        f"the last one filled up {how} for {found.filled_s:.2f} s": found.filled_s >= _TOLD_S,
        f"silent pieces left out: {found.silent}": found.silent > 0,
        f"pieces after the picture's end left out: {found.unseen}": found.unseen > 0,
        f"samples clipped: {found.clipped}": found.clipped > 0,
    }
    return ", ".join([*said, *(text for text, met in parts.items() if met), *found.damage])
