"""What ``foley s2i`` does with one clip: hear, draw or look up, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foleycli.cli.console import Progress
from foleycli.cli.inputs import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from foleycli.imagination.columns import Controls, Heard
    from foleycli.imagination.inversion import Inversion
    from foleycli.imagination.library import Library
    from foleycli.imagination.systems import SceneSystem, System

    Pixels = NDArray[np.uint8]
GIF_MS = {True: 1000, False: 250}  # a frame, of every second or of another control
_BEGINNING_S = 10
_MOST_S = 600


@dataclass(frozen=True)
class Settings:
    """What decides the result; the files read besides are known by their hashes."""

    models: tuple[str, ...]
    system: str
    decoder: str
    device: str
    seed: int
    samples: int
    truncation: float | None
    candidates: int | None
    dropout: bool
    stretch: bool
    controls: Controls
    mix: tuple[str, ...] = ()
    interp: str = ""
    image: str = ""
    edit: str = ""
    edit_steps: int = 0
    library: str = ""
    library_sha256: str = ""


@dataclass(frozen=True)
class Made:
    """Files that the command made once for all clips: where each process finds them."""

    index: str = ""
    inversion: str = ""


@cache
def system_of(models: tuple[str, ...], system: str, device: str) -> System:
    """Load a system, once a process."""
    from foleycli.imagination.loading import load_system

    return load_system(models, system, device)


@cache
def _library(index: str, folder: str, digest: str) -> Library:
    """Read the index of a library with this digest, once a process."""
    from foleycli.imagination.library import Library

    return Library.load(index, folder)


def _inversion(path: str) -> Inversion:
    from foleycli.imagination.inversion import Inversion

    return Inversion.load(path)


def draw_clip(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None, *, made: Made
) -> dict[str, Any]:
    """Make one clip's picture, contact sheet or animation."""
    system = system_of(settings.models, settings.system, settings.device)
    heard = _hear(job.clip.path, system, settings, made)
    notes = list(heard.notes)
    report: dict[str, Any] = {"columns": heard.labels, "clipped": heard.clipped}
    if settings.decoder == "retrieval":
        library = _library(made.index, settings.library, settings.library_sha256)
        found = [library.nearest(latent, settings.samples) for latent in heard.latents]
        report["found"] = [[{"picture": n, "cosine": c} for n, c in column] for column in found]
        if len(found) == 1:
            notes.append(", ".join(f"{name} ({cosine:.3f})" for name, cosine in found[0]))
        rows = [[library.read(name) for name, _ in row] for row in zip(*found, strict=True)]
        names = [name for name, _ in found[0]]
    else:
        rows = _drawn(job, system, heard, settings, made, progress)
        names = [f"draw {sample}" for sample in range(settings.samples)]
    record = _record(settings, meta, system) | report
    _write(job.output, rows, heard.labels, names, settings, record)
    return report | ({"note": "; ".join(notes)} if notes else {})


def _hear(path: Path, system: System, settings: Settings, made: Made) -> Heard:
    """Read the clip and what is combined with it, and listen."""
    from foleycli.imagination.columns import hear

    picture = None
    if settings.edit:
        picture = _inversion(made.inversion).feature
    elif settings.image:
        picture = _seen(settings.image, system)
    return hear(
        system,
        _sound(path, system, settings),
        settings.controls,
        others=[_sound(Path(name), system, settings) for name in settings.mix],
        target=_sound(Path(settings.interp), system, settings) if settings.interp else None,
        picture=picture,
    )


def _sound(path: Path, system: System, settings: Settings) -> NDArray[np.float32]:
    """Read a sound as far as it is heard.

    Raises
    ------
    ValueError
        When it cannot be read, or all of it would have to be and it is too long.
    """
    import numpy as np

    from foleycli.media.chain import sound_blocks

    front, controls = system.front, settings.controls
    begins_only = system.unit_latents and not controls.per_second
    heard_s = max(_BEGINNING_S, (controls.second or 0) + 1) if begins_only else _MOST_S
    most, samples, blocks = round(heard_s * front.rate_hz), 0, []
    try:
        for block in sound_blocks(path, front.rate_hz, front.chain):
            blocks.append(block)
            samples += len(block)
            if samples > most:
                break
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if samples > most and not begins_only:
        raise ValueError(f"{path}: lasts more than {_MOST_S} s; cut it")
    sound: NDArray[np.float32] = np.concatenate([np.zeros(0, np.float32), *blocks])[:most]
    if not len(sound) or not np.isfinite(sound).all():
        raise ValueError(f"{path}: the sound is empty, or holds NaN or infinity")
    return sound


@cache
def _seen(picture: str, system: System) -> NDArray[np.float32]:
    from foleycli.media.stills import read_still

    try:
        return seeing(system).see(read_still(picture))
    except ValueError as error:
        raise ValueError(f"{picture}: {error}") from error


def seeing(system: System) -> SceneSystem:
    """Return the system if it can see pictures.

    Raises
    ------
    ValueError
        When it cannot.
    """
    from foleycli.imagination.systems import SceneSystem

    if not isinstance(system, SceneSystem) or not system.can_see:
        raise ValueError(
            "this needs pictures and sounds in one space: a sound2scene --model with its image "
            "part (foley checkpoint import takes swav-resnet50)"
        )
    return system


def _drawn(
    job: Job,
    system: System,
    heard: Heard,
    settings: Settings,
    made: Made,
    progress: Progress | None,
) -> list[list[Pixels]]:
    """Draw a row of pictures a sample; the noise is the same all along a row."""
    from foleycli.imagination.sheets import as_pixels

    rows: list[list[Pixels]] = []
    total = settings.samples * len(heard.latents)
    for sample in range(settings.samples):
        noise = _noise(
            system, heard.latents[0], job.clip.seed(settings.seed, sample), settings, made
        )
        rows.append([])
        for latent in heard.latents:
            picture = system.draw(latent, noise)
            rows[-1].append(as_pixels(picture, stretched=settings.stretch))
            if progress:
                progress(sum(map(len, rows)), total)
    return rows


def _noise(
    system: System, latent: NDArray[np.float32], seed: int, settings: Settings, made: Made
) -> Tensor | None:
    """Return one picture's noise: of several candidates the one whose picture is most alike.

    What is judged is the picture of the row's first column.
    """
    import torch

    from foleycli.imagination.sheets import as_pixels

    if settings.edit:
        return torch.from_numpy(_inversion(made.inversion).z)[None]
    if not settings.dropout:
        return None
    drawn = [system.noise(seed, k, settings.truncation) for k in range(settings.candidates or 1)]
    if len(drawn) == 1:
        return drawn[0]
    seen = [seeing(system).see(as_pixels(system.draw(latent, noise))) for noise in drawn]
    return drawn[max(range(len(drawn)), key=lambda k: float(seen[k] @ latent))]


def _record(settings: Settings, meta: Mapping[str, Any], system: System) -> dict[str, Any]:
    """Return what the picture says of its making: no clock, and no folder of the user's."""
    options = asdict(settings)
    for name in ("interp", "image", "edit", "library"):
        options[name] = Path(options[name]).name
    options["mix"] = [Path(name).name for name in settings.mix]
    del options["models"], options["system"], options["seed"]
    return {
        "foley": meta["foleycli"],
        "system": system.name,
        "models": [asdict(file) for file in system.files],
        "seed": settings.seed,
        "input": meta["input"],
        "read_besides": meta["options"]["uses"][len(system.files) :],
        "options": options,
    }


def _write(
    path: Path,
    rows: Sequence[Sequence[Pixels]],
    columns: Sequence[str],
    names: Sequence[str],
    settings: Settings,
    record: Mapping[str, Any],
) -> None:
    """Write one picture as it is, several as a labelled sheet, or an animation."""
    from foleycli.imagination.sheets import contact_sheet, write_gif, write_png

    if len(columns) == 1 and len(rows) > 1:  # several draws of one latent stand side by side
        rows, columns, names = [[row[0] for row in rows]], names, [""]
    if path.suffix.lower() == ".gif":
        frames = list(zip(*rows, strict=True))
        write_gif(path, frames, GIF_MS[settings.controls.per_second], record)
    elif len(rows) == len(columns) == 1:
        write_png(path, rows[0][0], record)
    else:
        names = names if len(rows) > 1 else [""]
        write_png(path, contact_sheet(rows, columns, names), record)
