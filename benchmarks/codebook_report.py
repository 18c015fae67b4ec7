"""What a codebook keeps of sounds, beside the same sounds with their mels blurred.

    python benchmarks/codebook_report.py MANIFEST --where tier=free --split test \
        --model run/codebook --model run/vocoder --network run/melception --network classifier \
        --out benchmarks/codebook.md

Every held-out sound is turned into a mel and back three ways, by one vocoder: as it is (what the
vocoder loses is the ceiling), through the codes, and blurred. Blurred, a code's place, a patch of
16 rows and 16 frames, has its mean alone, with straight lines between the patches: as many numbers
as there are codes, each of 32 bits and not of the few of a code. Classifiers listen. FID is the
Frechet distance of their embeddings from those of the real sounds, MKL the mean divergence of what
they take a sound for from what they take the real one for. Intervals of the differences, 95 %, are
of bootstraps over recordings, since clips of one resemble each other.

``run`` is what ``make -f examples/specvqgan.mk PRESET=mini SOUNDS=MANIFEST WHERE="--where
tier=free" RUN=run`` makes, and ``foley train melception MANIFEST --where tier=free -o
run/melception``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from foleycli.evaluation.sides import Network, load_embedder
from foleycli.files.manifest import ManifestEntry, read_manifest
from foleycli.media.audio import resample
from foleycli.media.chain import sound_blocks
from foleycli.metrics.divergence import divergence
from foleycli.metrics.frechet import frechet_distance
from foleycli.sound_codes.codec import FRONT_END, SoundCodec
from foleycli.sound_codes.loading import load_sound_codes
from foleycli.sound_embedding import SoundEmbedder

RECORDING = "source_recording_id"
CODES, BLURRED = "through codes", "blurred"
WAYS = ("vocoder alone", CODES, BLURRED)
BOOTSTRAPS = 1000
MOST_S = 30  # of a sound

Sound = NDArray[np.float32]


class Heard(NamedTuple):
    """What a listener makes of all sounds: (sounds, features) and (sounds, classes)."""

    embeddings: NDArray[np.float32]
    logits: NDArray[np.float32]


def main() -> None:
    """Measure and write."""
    options = arguments()
    torch.set_num_threads(options.threads)
    codec = load_sound_codes(options.model, ["codebook", "vocoder"]).codec
    if codec is None:
        raise SystemExit("no codebook")
    rows = sounds_of(options)
    sounds: dict[str, list[Sound]] = {way: [] for way in ("real", *WAYS)}
    mel_errors = []
    for row in rows:
        sound = waveform(row)
        mels = three_mels(codec, sound)
        mel_errors.append([float(np.abs(mels[way] - mels[WAYS[0]]).mean()) for way in WAYS])
        sounds["real"].append(sound)
        for way, mel in mels.items():
            sounds[way].append(codec.sound(mel, len(sound)))
    text = [*opening(options, codec, rows), *table_of_mels(np.array(mel_errors))]
    for name in options.network:
        listener, _ = load_embedder(Network(name))
        heard = {way: hear(listener, made) for way, made in sounds.items()}
        text += table_of(listener, name, heard, rows)
    if options.out:
        options.out.write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Report on a codebook.")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--where", default="", help="COLUMN=VALUE of the manifest")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--model", action="append", required=True, help="codebook; vocoder")
    parser.add_argument("--network", action="append", required=True, help="that listens")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def sounds_of(options: argparse.Namespace) -> list[ManifestEntry]:
    """Choose the rows of the manifest, in its order."""
    column, _, value = options.where.partition("=")
    return [
        row
        for row in read_manifest(options.manifest)
        if row.split == options.split
        and row.columns["kind"].startswith("audio")
        and (not column or row.columns[column] == value)
    ]


def waveform(row: ManifestEntry) -> Sound:
    """Read a sound as the codec hears it."""
    whole = np.concatenate(list(sound_blocks(row.path, FRONT_END.rate_hz, FRONT_END.chain)))
    return np.asarray(whole[: MOST_S * FRONT_END.rate_hz], np.float32)


def three_mels(codec: SoundCodec, sound: Sound) -> dict[str, NDArray[np.float32]]:
    """Return the mel of a sound filled up to whole codes, as it is, through codes and blurred."""
    codes, _ = codec.encode_sound([sound])
    decoded = codec.decode(codes)
    filled = np.zeros(codec.grid.columns(len(sound)) * codec.grid.column_samples, np.float32)
    filled[: len(sound)] = sound
    pieces = [piece["mel"] for piece in FRONT_END.encode([filled], {})]
    mel = np.concatenate(pieces, axis=1)[:, : decoded.shape[1]]
    return dict(zip(WAYS, (mel, decoded, blurred(mel, codec.grid.config.factor)), strict=True))


def blurred(mel: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Keep the mean of every patch, with straight lines between their middles."""
    given = torch.from_numpy(mel)[None, None]
    small = F.avg_pool2d(given, side)
    return F.interpolate(small, mel.shape, mode="bilinear", align_corners=False)[0, 0].numpy()


def hear(listener: SoundEmbedder, sounds: Sequence[Sound]) -> Heard:
    """Listen to every sound by itself."""
    rate = listener.view.front.rate_hz
    both = [listener.embed(resample(sound, FRONT_END.rate_hz, rate)) for sound in sounds]
    return Heard(np.stack([b[0] for b in both]), np.stack([b[1] for b in both]))


def opening(
    options: argparse.Namespace, codec: SoundCodec, rows: Sequence[ManifestEntry]
) -> list[str]:
    """Say what this is and how it was made."""
    grid = codec.grid
    rate = grid.bitrate_bps(10 * FRONT_END.rate_hz)
    recordings = len({row.columns[RECORDING] for row in rows})
    where = f" --where {options.where}" if options.where else ""
    return [
        "# What a small codebook keeps of sounds",
        "",
        *(__doc__ or "").split("\n\n", 2)[2].strip().splitlines(),
        "",
        f"{len(rows)} sounds of {recordings} recordings (split {options.split}{where}); "
        f"{grid.config.codes} codes, {grid.config.code_rows} a column of {grid.column_s:.3f} s: "
        f"{rate / 1000:.2f} kbit/s.",
        "",
    ]


def table_of_mels(errors: NDArray[np.float64]) -> list[str]:
    """Mean absolute difference of mels in [0, 1]."""
    means = ", ".join(f"{way} {mean:.4f}" for way, mean in zip(WAYS, errors.mean(0), strict=True))
    return [f"Mean absolute difference of mels, whose range is 1: {means}.", ""]


def table_of(
    listener: SoundEmbedder, name: str, heard: dict[str, Heard], rows: Sequence[ManifestEntry]
) -> list[str]:
    """Compare what one listener hears, by way."""
    chosen = resamples([row.columns[RECORDING] for row in rows])
    columns = {}
    for way in WAYS:
        pairs = divergence(*(heard[w].logits.astype(np.float64) for w in ("real", way)))
        columns[way] = [
            (
                frechet_distance(heard["real"].embeddings[some], heard[way].embeddings[some]),
                float(pairs[some].mean()),
            )
            for some in (np.arange(len(rows)), *chosen)
        ]
    truths = [row.label for row in rows]
    known = np.array([truth in listener.classes for truth in truths])
    lines = [
        f"## {Path(name).name}: {len(listener.classes)} classes, {listener.features} features",
        "",
        "| | FID | less than blurred by | MKL | less than blurred by | right |",
        "|---|---|---|---|---|---|",
    ]
    for way in ("real", *WAYS):
        answers = [listener.classes[k] for k in heard[way].logits.argmax(1)]
        right = np.mean([a == t for a, t, k in zip(answers, truths, known, strict=True) if k])
        cells = []
        for kind in range(2) if way != "real" else ():
            own, base = (np.array([c[kind] for c in columns[w]]) for w in (way, BLURRED))
            cells += [f"{own[0]:.3g}", "" if way == BLURRED else with_interval(base - own)]
        cells = cells or [""] * 4
        lines.append(f"| {way} | {' | '.join(cells)} | {right:.2f} |")
    return [*lines, "", f"Right: of {known.sum()} sounds whose class it knows.", ""]


def resamples(recordings: Sequence[str]) -> list[NDArray[np.intp]]:
    """Draw recordings with replacement; the rows of each draw."""
    names, place = np.unique(recordings, return_inverse=True)
    rows = [np.flatnonzero(place == n) for n in range(len(names))]
    rng = np.random.default_rng(0)
    return [
        np.concatenate([rows[n] for n in rng.integers(0, len(names), len(names))])
        for _ in range(BOOTSTRAPS)
    ]


def with_interval(values: NDArray[np.float64]) -> str:
    """Write the first value, with the 95 % interval of the others."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:.3g} [{low:.3g}, {high:.3g}]"


if __name__ == "__main__":
    main()
