"""What ``foley generate --system specvqgan`` does with one clip: condition, draw, choose, write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foleycli.cli import codes as codes_mode
from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Console, Progress
from foleycli.cli.dubbing import write_sound
from foleycli.cli.generate_conditions import Condition, Settings, condition_of, feature_files
from foleycli.cli.inputs import Clip, Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foleycli.sound_codes.loading import SoundCodes
    from foleycli.sound_codes.sampler import Sampler

_NEEDS = ("codebook", "sampler")


@dataclass(frozen=True)
class Extras:
    """Where to write what goes with the sound; empty is nowhere."""

    save_spectrogram: str
    save_codes: str


@dataclass(frozen=True, eq=False)
class _Made:
    """One sound, with what it came from."""

    codes: NDArray[np.int64]
    mel: NDArray[np.float32]
    waveform: NDArray[np.float32]
    score: float


def generate_codes(console: Console, batch: Batch, settings: Settings, extras: Extras) -> None:
    """Run ``foley generate --system specvqgan``."""
    if not settings.models:
        raise ValueError(
            "--system specvqgan needs --model SAMPLER --model CODEBOOK, and may have a vocoder's; "
            "none is in this package (foley train sampler|codebook|vocoder makes them, foley "
            "checkpoint import takes published ones)"
        )
    if settings.samples > 1:
        batch = _of_several(batch, settings.samples, extras)
    if settings.rank and settings.candidates == 1:
        raise ValueError("--rank chooses among --candidates; give 2 or more")
    uses: list[Path] = []
    if not batch.dry_run:
        uses = _files_used(settings)
        sampler = _sampler(_models(settings))
        if settings.features and not sampler.wants_features:
            raise ValueError("--features: this sampler was trained without")
        if settings.label != "auto" and sampler.wants_class:
            sampler.check_class(settings.label)
        elif settings.label != "auto" and settings.candidates == 1:
            raise ValueError("--class: this sampler was trained without; it can rank --candidates")
    run_batch(console, batch, partial(sound_clip, extras=extras), settings, uses=uses)


def _of_several(batch: Batch, samples: int, extras: Extras) -> Batch:
    """Return the batch whose first result is sample 0, and the others beside it."""
    target = Path(batch.output)
    if batch.output == "-" or (target.suffix in batch.writes and not target.is_dir()):
        raise ValueError(f"-o {batch.output}: several samples need a folder; write -o DIR/")
    folder = batch.output if batch.output.endswith("/") else f"{batch.output}/"
    extra = [
        (extras.save_spectrogram, ".spec.npz"),
        (extras.save_codes, codes_mode.SUFFIX),
    ]
    beside = [(path, _numbered(k, end)) for k in range(samples) for path, end in extra if path]
    beside += [(folder, _numbered(k, batch.suffix)) for k in range(1, samples)]
    return replace(batch, output=folder, suffix=_numbered(0, batch.suffix), beside=beside)


def _numbered(sample: int, suffix: str) -> str:
    return f"_sample_{sample}{suffix}"


def sound_clip(
    job: Job,
    settings: Settings,
    meta: Mapping[str, Any],
    progress: Progress | None,
    *,
    extras: Extras,
) -> dict[str, Any]:
    """Draw the sounds of one clip, and write all that was asked for."""
    from foleycli.media.clock import picture_clock
    from foleycli.sound_codes.codec import RATE_HZ

    models = _models(settings)
    grid = codes_mode.codebook_of(models).grid
    duration_s = float(picture_clock(job.clip.path).duration)
    samples = round(duration_s * RATE_HZ)
    if samples < 1:
        raise ValueError(f"nothing to fill: the picture lasts {duration_s:g} s")
    condition = condition_of(job, settings, _sampler(models))
    made = _drawn(models, job.clip, samples, condition, settings, progress)
    written, notes = [], []
    for number, one in enumerate(made):
        target = _target(job, number, settings.samples)
        notes.append(write_sound(
            target, one.waveform, RATE_HZ, settings.codec, settings.original_gain_db
        ))  # fmt: skip
        written.append(str(target.output))
        _write_extras(job, number, one, models, settings, extras, meta)
    said = [*condition.said, f"{samples / RATE_HZ:.2f} s"]
    if settings.samples > 1:
        said.append(f"{settings.samples} samples")
    if settings.candidates > 1:
        scores = ", ".join(f"{one.score:.3f}" for one in made)
        said.append(f"best of {settings.candidates} by {condition.ranks}: {scores}")
    report: dict[str, Any] = {
        "note": ", ".join(said) + notes[0],
        "class": condition.label,
        "duration_s": duration_s,
        "codes": [grid.config.code_rows, grid.columns(samples)],
        "files": written,
    }
    if settings.candidates > 1:
        report["scores"] = [one.score for one in made]
    return report


def _drawn(
    models: SoundCodes,
    clip: Clip,
    samples: int,
    condition: Condition,
    settings: Settings,
    progress: Progress | None,
) -> list[_Made]:
    """Draw all candidates of all samples, and keep the best of each sample; the first of equals."""
    from foleycli.sound_codes.codec import RATE_HZ

    codec, sampler = codes_mode.codebook_of(models), _sampler(models)
    seeds: list[int] = []
    for sample in range(settings.samples):
        own = clip.seed(settings.seed, sample)  # of what is drawn where there is no choice
        seeds += [own, *(clip.seed(own, number) for number in range(1, settings.candidates))]
    drawn = sampler.draw(
        seeds,
        codec.grid.columns(samples),
        codec.grid.column_s,
        track=condition.track,
        label=condition.index,
        prime=_prime(clip.path, models, samples, settings),
        temperature=settings.temperature,
        top_x=settings.top_x,
        progress=progress,
    )
    kept: list[_Made] = []
    for number, (codes, seed) in enumerate(zip(drawn, seeds, strict=True)):
        mel = codec.decode(codes)
        waveform = codec.sound(mel, samples, seed=seed)
        score = condition.ranking.score(waveform, RATE_HZ) if condition.ranking else 0.0
        one = _Made(codes, mel, waveform, score)
        if number % settings.candidates == 0:
            kept.append(one)
        elif score > kept[-1].score:
            kept[-1] = one
    return kept


def _prime(
    path: Path, models: SoundCodes, samples: int, settings: Settings
) -> NDArray[np.int64] | None:
    """Return the codes of the beginning of the clip's own sound, of whole columns."""
    if not settings.prime_s:
        return None
    import numpy as np

    from foleycli.media.audio import stream_audio
    from foleycli.sound_codes.codec import RATE_HZ

    codec = codes_mode.codebook_of(models)
    columns = min(int(settings.prime_s / codec.grid.column_s), codec.grid.columns(samples))
    if not columns:
        raise ValueError(
            f"--prime {settings.prime_s:g} is less than a column of codes; give "
            f"{codec.grid.column_s:.2f} s or more"
        )
    wanted = columns * codec.grid.column_samples
    held: list[NDArray[np.float32]] = []
    for block in stream_audio(path, RATE_HZ):
        held.append(block)
        if sum(map(len, held)) >= wanted:
            break
    heard = np.concatenate(held)[:wanted]
    return codec.encode_sound([np.pad(heard, (0, wanted - len(heard)))])[0]


def _models(settings: Settings) -> SoundCodes:
    return codes_mode.sound_codes(settings.models, _NEEDS, settings.device, settings.precision)


def _sampler(models: SoundCodes) -> Sampler:
    assert models.sampler is not None
    return models.sampler


def _target(job: Job, number: int, samples: int) -> Job:
    """Return the job of one of the samples, whose first has the job's own name."""
    if samples == 1 or not number:
        return job
    name = job.output.name
    first = _numbered(0, job.output.suffix)
    return replace(job, output=job.output.with_name(
        name.removesuffix(first) + _numbered(number, job.output.suffix)
    ))  # fmt: skip


def _write_extras(
    job: Job,
    number: int,
    made: _Made,
    models: SoundCodes,
    settings: Settings,
    extras: Extras,
    meta: Mapping[str, Any],
) -> None:
    from foleycli.sound_codes.codec import FRONT_END

    def beside(path: str, suffix: str) -> Path:
        return job.companion(path, _numbered(number, suffix) if settings.samples > 1 else suffix)

    samples = len(made.waveform)
    if extras.save_codes:
        from foleycli.sound_codes.stored import StoredCodes, save_codes

        save_codes(
            beside(extras.save_codes, codes_mode.SUFFIX),
            StoredCodes(made.codes, samples),
            codes_mode.codebook_of(models).grid,
            models.codebook_sha256,
            meta,
        )
    if not extras.save_spectrogram:
        return
    target = beside(extras.save_spectrogram, ".spec.npz")
    if target.suffix == ".png":
        from foleycli.drawing import draw_spectrogram

        title = job.clip.path.name
        draw_spectrogram(
            target,
            FRONT_END.levels({"mel": made.mel}, {}),
            title=title,
            duration_s=samples / FRONT_END.rate_hz,
        )
        return
    from foleycli.files.arrays import save_arrays
    from foleycli.spectrograms import KIND, about

    save_arrays(
        target, {"mel": made.mel}, kind=KIND, meta={**meta, **about(FRONT_END, samples, {})}
    )


def _files_used(settings: Settings) -> list[Path]:
    """List the files besides the clips that decide the result."""
    from foleycli.checkpoints import find_checkpoint
    from foleycli.sound_codes.loading import model_paths

    names = [settings.timing, settings.recognition]
    if settings.candidates > 1:
        names.append(settings.rank_model)
    return [
        *model_paths(settings.models),
        *map(find_checkpoint, names),
        *feature_files(settings.features),
    ]
