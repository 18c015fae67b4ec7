"""Sound to codes of SpecVQGAN's codebook, for ``foley spectrogram --codes``, and its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Console, Progress
from foleycli.cli.inputs import Job

if TYPE_CHECKING:
    from foleycli.sound_codes.codec import SoundCodec
    from foleycli.sound_codes.loading import SoundCodes

SUFFIX = ".codes.npz"

Codes = Annotated[
    bool,
    typer.Option(
        "--codes",
        help="Write codes of SpecVQGAN's codebook (--model) instead, for foley invert, and say "
        "the bitrate.",
    ),
]
Model = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="PATH",
        help="With --codes: the codebook, a file or run folder.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    models: tuple[str, ...]


@cache
def sound_codes(
    models: tuple[str, ...],
    needs: tuple[str, ...],
    device: str = "cpu",
    precision: str = "float32",
) -> SoundCodes:
    """Load SpecVQGAN's networks, once a process."""
    from foleycli.sound_codes.loading import load_sound_codes

    return load_sound_codes(models, needs, device=device, precision=precision)


def encode_clips(console: Console, batch: Batch, models: Sequence[str]) -> None:
    """Run ``foley spectrogram --codes``."""
    from foleycli.sound_codes.loading import model_paths

    settings = Settings(tuple(models))
    uses = [] if batch.dry_run else model_paths(models)
    if not batch.dry_run:
        sound_codes(settings.models, ("codebook",))
    run_batch(console, batch, encode_clip, settings, uses=uses)


def encode_clip(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
) -> dict[str, Any]:
    """Write the codes of one clip's sound."""
    from foleycli.media.chain import sound_blocks
    from foleycli.sound_codes.codec import FRONT_END, RATE_HZ
    from foleycli.sound_codes.stored import StoredCodes, save_codes

    models = sound_codes(settings.models, ("codebook",))
    codec = codebook_of(models)
    codes, samples = codec.encode_sound(sound_blocks(job.clip.path, RATE_HZ, FRONT_END.chain))
    stored = StoredCodes(codes, samples)
    save_codes(job.output, stored, codec.grid, models.codebook_sha256, meta)
    rows, columns = codes.shape
    bitrate_bps = codec.grid.bitrate_bps(samples)
    return {
        "note": f"{rows} x {columns} codes of {codec.grid.bits} bits, {samples / RATE_HZ:.2f} s, "
        f"{bitrate_bps / 1000:.2f} kbit/s",
        "shape": [rows, columns],
        "duration_s": round(samples / RATE_HZ, 6),
        "bitrate_bps": round(bitrate_bps, 3),
    }


def codebook_of(models: SoundCodes) -> SoundCodec:
    """Return the codec that loading was told to need."""
    assert models.codec is not None
    return models.codec
