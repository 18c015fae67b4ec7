"""What ``foley s2i`` does once for all clips: read its values, load, index, invert a photograph."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from foleycli.cli.console import Console
from foleycli.cli.inputs import Clip
from foleycli.cli.processes import compute_in_one_thread
from foleycli.cli.s2i_drawing import Made, Settings, seeing, system_of

if TYPE_CHECKING:
    from foleycli.imagination.library import Library
    from foleycli.imagination.systems import SceneSystem, System

_MOST_VALUES = 100
_MOST_DB = 100.0
_SMALL_PIXELS = 64
_CANDIDATES = 8


@dataclass(frozen=True)
class Prepared:
    """Settings with nothing left to ``auto``, and what was made and read on the way.

    Attributes
    ----------
    settings : Settings
    made : Made
    models : tuple of Path
    pictures, unreadable : tuple of str
        Of the library; the second could not be read.
    """

    settings: Settings
    made: Made
    models: tuple[Path, ...]
    pictures: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def numbers(option: str, text: str) -> tuple[float, ...]:
    """Read ``1,2,3`` or ``FROM:TO:COUNT``; an empty text is none.

    Raises
    ------
    ValueError
        When it is neither.
    """
    try:
        if ":" in text:
            first, last, count = text.split(":")
            start, end, steps = float(first), float(last), int(count)
            if not 2 <= steps <= _MOST_VALUES:
                raise ValueError
            values = tuple(start + (end - start) * k / (steps - 1) for k in range(steps))
        else:
            values = tuple(float(part) for part in text.split(",")) if text else ()
        if not all(map(math.isfinite, values)) or len(values) > _MOST_VALUES:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{option} {text}: write numbers as -20,0,10 or FROM:TO:COUNT, at most {_MOST_VALUES}"
        ) from None
    return values


def gains(option: str, text: str) -> tuple[float, ...]:
    """Read numbers of decibels; raises ValueError for one beyond reason too."""
    values = numbers(option, text)
    if any(abs(value) > _MOST_DB for value in values):
        raise ValueError(f"{option} {text}: gains are from {-_MOST_DB:g} to {_MOST_DB:g} dB")
    return values


def mixed_sound(text: str) -> tuple[str, float]:
    """Read ``FILE`` or ``FILE:DB``; a file whose own name ends so is taken whole.

    Raises
    ------
    ValueError
        When the gain is out of range.
    """
    name, colon, gain = text.rpartition(":")
    if not colon or Path(text).exists():
        return text, 0.0
    try:
        float(gain)
    except ValueError:
        return text, 0.0
    return name, gains("--mix", gain)[0]


def prepare(console: Console, settings: Settings, made: Made, scratch: Path) -> Prepared:
    """Load the system, and make what all clips share; say what is used.

    Parameters
    ----------
    made
        Where the library's index and the inversion are to be kept; an index without a place is
        kept in ``scratch``.

    Raises
    ------
    ValueError
        When the model cannot do what is asked for, or a file cannot be read.
    """
    compute_in_one_thread()
    from foleycli.imagination.loading import model_paths

    paths = model_paths(settings.models, settings.system)
    system = system_of(settings.models, settings.system, settings.device)
    settings = _resolved(settings, system)
    files = ", ".join(f"{file.name} (sha256 {file.sha256[:12]})" for file in system.files)
    console.note(f"{system.name}, decoder: {settings.decoder}, model: {files}")
    if settings.controls.reference_db is not None:
        console.note("--ref-level: levels are not the track's own, as the paper has them")
    if settings.edit:
        _inverted(console, settings, seeing(system), Path(made.inversion))
    if settings.decoder != "retrieval":
        return Prepared(settings, made, tuple(paths))
    made = replace(made, index=made.index or str(scratch / "library.npz"))
    library = _indexed(console, settings, seeing(system), Path(made.index))
    return Prepared(
        replace(settings, library_sha256=library.digest),
        made,
        tuple(paths),
        tuple(str(library.folder / name) for name in library.names),
        tuple(library.unreadable),
    )


def _resolved(settings: Settings, system: System) -> Settings:
    """Choose what was left to ``auto``, and refuse what cannot work.

    Raises
    ------
    ValueError
        With the remedy.
    """
    decoder = settings.decoder
    if decoder == "auto":
        decoder = "retrieval" if settings.library else "generator"
    settings = replace(settings, system=system.name, decoder=decoder)
    if decoder == "retrieval" or _chooses(settings) or settings.image or settings.edit:
        seeing(system)
    if decoder == "generator" and not system.can_draw:
        raise ValueError("the model has no generator; add its --model, or give a --library")
    _refuse(_misplaced(settings))
    _refuse(_of_the_other_system(settings))
    if settings.candidates is None:
        settings = replace(settings, candidates=_usual_candidates(settings, system))
    return settings


def _chooses(settings: Settings) -> bool:
    """Whether several candidates are asked for."""
    return settings.candidates is not None and settings.candidates > 1


def _usual_candidates(settings: Settings, system: System) -> int:
    """Let small models choose: they fail more often, and draw in milliseconds."""
    from foleycli.imagination.systems import SceneSystem

    if settings.decoder != "generator" or settings.edit or not isinstance(system, SceneSystem):
        return 1
    return _CANDIDATES if system.can_see and system.pixels <= _SMALL_PIXELS else 1


def _refuse(reasons: dict[str, bool]) -> None:
    for reason, met in reasons.items():
        if met:
            raise ValueError(reason)


def _misplaced(settings: Settings) -> dict[str, bool]:
    """Say what contradicts itself, whatever the system."""
    drawing = settings.truncation is not None or _chooses(settings) or settings.stretch
    retrieval = settings.decoder == "retrieval"
    several = settings.samples > 1 or _chooses(settings) or settings.truncation is not None
    return {
        "--decoder retrieval needs --library": retrieval and not settings.library,
        "--library is for --decoder retrieval; give one of the two up": (
            bool(settings.library) and not retrieval
        ),
        "--truncation, --candidates, --stretch and --edit are for --decoder generator": (
            retrieval and (drawing or bool(settings.edit))
        ),
        "--edit draws from the photograph's own noise; leave out --samples, --candidates and "
        "--truncation": bool(settings.edit) and several,
        "--no-dropout leaves nothing that --samples or --candidates could vary": (
            not settings.dropout and (settings.samples > 1 or _chooses(settings))
        ),
    }


def _of_the_other_system(settings: Settings) -> dict[str, bool]:
    """Say what is asked of this system and only the other has."""
    controls = settings.controls
    if settings.system == "s2i":
        return {
            "--gain-db: s2i relates every track to its own loudest moment, which cancels gain; add "
            "--ref-level -15 (relative to a full-scale tone instead), or use sound2scene": (
                bool(controls.gains_db) and controls.reference_db is None
            ),
            "--truncation is for sound2scene; s2i draws by dropout alone": (
                settings.truncation is not None
            ),
            "--slerp is for sound2scene; s2i's embeddings do not lie on a sphere": controls.slerp,
        }
    return {
        "--ref-level is for s2i; sound2scene hears gain as it is": (
            controls.reference_db is not None
        ),
        "--no-dropout is for s2i; sound2scene draws from noise": not settings.dropout,
    }


def _indexed(console: Console, settings: Settings, system: SceneSystem, index: Path) -> Library:
    """See the library's pictures, keep what was seen, and name those that cannot be read."""
    from foleycli.imagination.library import Library, index_library

    known = Library.load(index, settings.library) if index.exists() else None
    with console.progress("looking at the library", unit="picture") as progress:
        library = index_library(settings.library, system, known, progress)
    library.save(index)
    for name, reason in library.unreadable.items():
        console.error(f"{Path(settings.library) / name}: {reason}")
    if library.unreadable:
        count = len(library.unreadable)
        console.error(f"{count} of {count + len(library.names)} pictures left out")
    return library


def _inverted(console: Console, settings: Settings, system: SceneSystem, kept: Path) -> None:
    """Invert the photograph, unless what is kept is the same photograph's."""
    from foleycli.files.provenance import file_sha256
    from foleycli.imagination.inversion import (
        Inversion,
        InversionConfig,
        inversion_key,
        invert,
    )
    from foleycli.media.stills import read_still

    photo = Path(settings.edit)
    try:
        picture = read_still(photo)
    except ValueError as error:
        raise ValueError(f"{photo}: {error}") from error
    config = InversionConfig(steps=settings.edit_steps)
    key = inversion_key(system, file_sha256(photo), config, settings.seed)
    found = Inversion.load(kept) if kept.exists() else None
    said = "inverted before"
    if found is None or found.key != key:
        said = "inverted"
        seed = Clip(photo, photo.stem).seed(settings.seed)
        with console.progress(f"inverting {photo.name}", unit="step") as progress:
            found = invert(system, picture, config, seed, key, progress)
        found.save(kept)
    began, ended = float(found.losses[0]), found.loss
    console.note(f"{photo.name}: {said}, loss {began:.4f} to {ended:.4f}, kept in {kept}")
