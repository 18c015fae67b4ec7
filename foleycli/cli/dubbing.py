"""What ``foley generate`` does with one clip: look, sound, write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foleycli.cli.console import Progress
from foleycli.cli.inputs import Job
from foleycli.cli.models import recogniser, sound_generator, timing_model
from foleycli.cli.options import ActionSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foleycli.files.events import Event
    from foleycli.generation import Sound, SoundGenerator
    from foleycli.vision.clip import ClipFeatures
    from foleycli.vision.recognition import Recogniser

SOUND_SUFFIXES = frozenset({".wav", ".flac"})
PICTURE_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    label: str
    seed: int
    truncation: float | None
    model: str
    timing: str
    recognition: str
    source: str
    renderer: str
    codec: str
    original_gain_db: float | None
    device: str


@dataclass(frozen=True)
class Extras:
    """Where to read and write what goes with the sound; empty is nowhere."""

    actions: str
    save_actions: str
    save_spectrogram: str


def sound_clip(
    job: Job,
    settings: Settings,
    meta: Mapping[str, Any],
    progress: Progress | None,
    *,
    extras: Extras,
) -> dict[str, Any]:
    """Watch one clip, sound it, and write all that was asked for."""
    generator = sound_generator(settings.model, settings.device)
    wanted = settings.label
    if wanted == "auto" and job.clip.label:
        wanted = job.clip.label  # a manifest knows better
    duration_s, label, said, events = _look(job, wanted, settings, extras)
    if label not in generator.classes and wanted == "auto":
        known = ", ".join(generator.classes)
        raise ValueError(f"{said}: not a class of this model; give --class, one of: {known}")
    inside = sum(event.time_s < duration_s for event in events)
    sound = generator.sound(
        events,
        duration_s,
        label,
        seed=job.clip.seed(settings.seed),
        truncation=settings.truncation,
        renderer=settings.renderer,
    )
    written = write_sound(
        job, sound.waveform, sound.rate_hz, settings.codec, settings.original_gain_db
    )
    _write_extras(job, sound, events, label, generator, extras, meta)
    count = f"{inside} event{'s' * (inside != 1)}"
    note = f"{said}, {count}, {duration_s:.2f} s, drawn by {sound.renderer}{written}"
    return {
        "note": note,
        "class": label,
        "events": len(events),
        "duration_s": duration_s,
        "renderer": sound.renderer,
    }


def _look(
    job: Job, wanted: str, settings: Settings, extras: Extras
) -> tuple[float, str, str, list[Event]]:
    """Return the picture's duration, the class, what to say of it, and the events."""
    from foleycli.files.events import read_events
    from foleycli.media.clock import picture_clock

    given = None
    if extras.actions:
        table = Path(extras.actions)
        given = read_events(job.companion(extras.actions, ".csv") if table.is_dir() else table)
    if given is not None and wanted != "auto":
        return float(picture_clock(job.clip.path).duration), wanted, f"class: {wanted}", given

    from foleycli.vision.clip import watch

    by_trn = settings.source == ActionSource.trn2 and given is None
    viewer = recogniser(settings.recognition) if wanted == "auto" or by_trn else None
    seen = watch(job.clip.path, viewer)
    label, said = _what(seen, wanted, viewer)
    if given is None:
        given = _detect(seen, label, settings, viewer if by_trn else None)
    return seen.duration_s, label, "; ".join([*seen.damage, said]), given


def _what(seen: ClipFeatures, wanted: str, viewer: Recogniser | None) -> tuple[str, str]:
    """Return the class, and what to say of it."""
    if wanted != "auto" or viewer is None or seen.frames is None:
        return wanted, f"class: {wanted}"
    answer = viewer.recognise(seen.frames)
    doubt = "" if answer.sure else ", unsure; use --class"
    return answer.label, f"class: {answer.label} ({answer.probability:.2f}{doubt})"


def _detect(
    seen: ClipFeatures, label: str, settings: Settings, viewer: Recogniser | None
) -> list[Event]:
    """Return the events the timing model sees, or the 2-frame TRN where a viewer is given."""
    from foleycli.files.events import Event
    from foleycli.vision.timing import pick_events

    if viewer is not None and seen.frames is not None:
        series = viewer.action_series(seen.frames, label, "margin")
    else:
        series = timing_model(settings.timing).predict(seen.motion)
    picked = pick_events(series)
    if not picked and series.values.any():  # better one guess than silence; the strength says so
        likeliest = int(series.values.argmax())
        picked = [(likeliest / series.fps, float(series.values[likeliest]))]
    return [Event(time, strength, label) for time, strength in picked]


def write_sound(
    job: Job,
    waveform: NDArray[np.float32],
    rate_hz: int,
    codec: str,
    original_gain_db: float | None,
) -> str:
    """Write the sound alone or under the picture; returns what to add to the note."""
    if job.output.suffix.lower() in SOUND_SUFFIXES:
        from foleycli.media.audio import write_audio

        write_audio(job.output, waveform, rate_hz)
        return ""
    from foleycli.media.mux import mux

    track = mux(
        job.clip.path,
        waveform,
        rate_hz,
        job.output,
        codec=codec,
        original_gain_db=original_gain_db,
    )
    turned_down = 20 * math.log10(track.peak_scale)
    return f", {track.codec}" + (f", turned down by {-turned_down:.1f} dB" if turned_down else "")


def _write_extras(
    job: Job,
    sound: Sound,
    events: list[Event],
    label: str,
    generator: SoundGenerator,
    extras: Extras,
    meta: Mapping[str, Any],
) -> None:
    if extras.save_actions:
        from foleycli.files.events import write_events

        write_events(job.companion(extras.save_actions, ".csv"), events)
    if not extras.save_spectrogram:
        return
    from foleycli.dsp.front_ends.pictures import Picture

    front = Picture.of(generator.spec)
    target = job.companion(extras.save_spectrogram, ".spec.npz")
    samples = len(sound.waveform)
    if target.suffix == ".png":
        from foleycli.drawing import draw_spectrogram

        draw_spectrogram(
            target,
            front.levels({"picture": sound.picture}, {}),
            title=f"{job.clip.path.name}: {label}",
            events={"event": [event.time_s for event in events]},
            duration_s=samples / sound.rate_hz,
        )
        return
    from foleycli.files.arrays import save_arrays
    from foleycli.spectrograms import KIND, about

    save_arrays(
        target,
        {"picture": sound.picture},
        kind=KIND,
        meta={**meta, **about(front, samples, {})},
    )


def files_used(settings: Settings, extras: Extras) -> list[Path]:
    """List the files besides the clips that decide the result."""
    from foleycli.checkpoints import find_checkpoint

    models = [settings.model]
    if settings.label == "auto" or settings.source == ActionSource.trn2:
        models.append(settings.recognition)
    if not extras.actions:
        models.append(settings.timing)
    given = [Path(extras.actions)] if Path(extras.actions).is_file() else []
    return [*(find_checkpoint(model) for model in models), *given]
