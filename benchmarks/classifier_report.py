"""How far the shipped sound classifier and its embedding can be trusted.

    python benchmarks/classifier_report.py MANIFEST --split test --out benchmarks/classifier.md

Sounds are the manifest's rows of the model's classes and of one licence tier. Clips of one
recording resemble each other, so the intervals of the totals are bootstrapped over recordings;
those of a class are Wilson's over its clips, and a little narrow where recordings are fewer. The
embedding is tried for what a distance of sets of sounds must do: be small between real sounds and
real sounds, and grow with whatever is done to one of them.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from foleycli.checkpoints import find_checkpoint, load_checkpoint
from foleycli.files.manifest import ManifestEntry, read_manifest
from foleycli.media.audio import read_audio
from foleycli.metrics.frechet import frechet_distance
from foleycli.metrics.resampling import wilson_interval
from foleycli.sound_embedding import KIND, SoundEmbedder

RECORDING = "source_recording_id"
TRAINED_ON = "free"  # licence tier of the shipped model
SNRS_DB = (30, 20, 10, 0)
GAINS_DB = (-12, -24)
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Heard:
    """What the model says of some clips: embeddings (n, d), answers and truths (n,) of indices."""

    embeddings: NDArray[np.float64]
    answers: NDArray[np.intp]
    truths: NDArray[np.intp]
    recordings: NDArray[np.intp]


def accuracies(
    right: NDArray[np.bool_], truths: NDArray[np.intp], weights: NDArray[np.floating]
) -> tuple[float, float]:
    """Share of clips that are right, and its mean over classes; clips count by their weights."""
    all_of = np.bincount(truths, weights)
    right_of = np.bincount(truths, weights * right)
    there = all_of > 0
    return float(right_of.sum() / all_of.sum()), float((right_of[there] / all_of[there]).mean())


def over_recordings(heard: Heard, seed: int) -> NDArray[np.float64]:
    """Bootstrap both accuracies over recordings: (2, 2) lower and upper ends at 95 %."""
    rng = np.random.default_rng(seed)
    count = heard.recordings.max() + 1
    right = heard.answers == heard.truths
    draws = [
        accuracies(
            right,
            heard.truths,
            np.bincount(rng.integers(0, count, count), minlength=count)[heard.recordings],
        )
        for _ in range(BOOTSTRAPS)
    ]
    return np.quantile(draws, [0.025, 0.975], axis=0)


def noisy(
    waveform: NDArray[np.float32], snr_db: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add white noise at a level under the sound's root mean square."""
    rms = np.sqrt(np.mean(waveform.astype(np.float64) ** 2))
    noise = rng.standard_normal(len(waveform)) * rms * 10 ** (-snr_db / 20)
    return (waveform + noise).astype(np.float32)


class Report:
    """A model, and sounds to try it with."""

    def __init__(self, manifest: Path, model: str, seed: int) -> None:
        self.path, self.seed = find_checkpoint(model), seed
        self.checkpoint = load_checkpoint(self.path, kind=KIND)
        self.embedder = SoundEmbedder.from_checkpoint(self.checkpoint)
        self.entries = read_manifest(manifest)

    def sounds(
        self, split: str, tier: str
    ) -> tuple[list[ManifestEntry], list[NDArray[np.float32]]]:
        """Return the rows of a split and their waveforms."""
        rows = [
            e
            for e in self.entries
            if e.split == split
            and e.columns["tier"] == tier
            and e.columns["kind"].startswith("audio")
            and e.label in self.embedder.classes
        ]
        rate_hz = self.embedder.view.front.rate_hz
        return rows, [read_audio(e.path, rate_hz=rate_hz)[0] for e in rows]

    def hear(self, rows: list[ManifestEntry], waveforms: list[NDArray[np.float32]]) -> Heard:
        """Listen to all of them."""
        pairs = [self.embedder.embed(w) for w in waveforms]
        names = sorted({e.columns[RECORDING] for e in rows})
        return Heard(
            np.array([embedding for embedding, _ in pairs], np.float64),
            np.array([logits.argmax() for _, logits in pairs]),
            np.array([self.embedder.classes.index(e.label) for e in rows]),
            np.array([names.index(e.columns[RECORDING]) for e in rows]),
        )

    def classes(self, heard: Heard) -> list[str]:
        """Lines on what is recognised."""
        classes = self.embedder.classes
        right = heard.answers == heard.truths
        lines = [
            "| class | clips | recordings | right | 95 % (Wilson) | taken for |",
            "|---|---|---|---|---|---|",
        ]
        for index, name in enumerate(classes):
            mine = heard.truths == index
            if not mine.any():
                lines.append(f"| {name} | 0 | 0 | | | |")
                continue
            hits, count = int(right[mine].sum()), int(mine.sum())
            wide = wilson_interval(hits, count)
            wrong = Counter(classes[a] for a in heard.answers[mine & ~right])
            lines.append(
                f"| {name} | {count} | {len(np.unique(heard.recordings[mine]))} | "
                f"{hits / count:.2f} | {wide.low:.2f} to {wide.high:.2f} | "
                f"{', '.join(f'{n} {k}' for n, k in wrong.most_common())} |"
            )
        (low, low_macro), (high, high_macro) = over_recordings(heard, self.seed)
        overall, macro = accuracies(right, heard.truths, np.ones(len(right)))
        wide = wilson_interval(int(right.sum()), len(right))
        return [
            f"Clips recognised: **{overall:.3f}** (Wilson {wide.low:.3f} to {wide.high:.3f}; over "
            f"recordings {low:.3f} to {high:.3f}). Mean over classes: **{macro:.3f}** (over "
            f"recordings {low_macro:.3f} to {high_macro:.3f}). Chance: {1 / len(classes):.3f}.",
            "",
            *lines,
        ]

    def embedding(
        self, rows: list[ManifestEntry], waveforms: list[NDArray[np.float32]], train: Heard
    ) -> list[str]:
        """Lines on the embedding's distances."""
        rng = np.random.default_rng(self.seed)
        clean = self.hear(rows, waveforms)
        count, reference = len(rows), train.embeddings
        # Each class as often as in the sounds to be judged, or how often it is would be measured.
        alike = np.concatenate(
            [
                rng.choice(np.flatnonzero(train.truths == label), number)
                for label, number in Counter(clean.truths.tolist()).items()
            ]
        )
        lines = [
            "| these sounds | recognised | Fréchet distance to training sounds |",
            "|---|---|---|",
            f"| {count} training clips, classes as here | "
            f"{np.mean(train.answers[alike] == train.truths[alike]):.2f} | "
            f"{frechet_distance(reference[alike], reference):.1f} |",
        ]

        def line(name: str, heard: Heard) -> str:
            right = np.mean(heard.answers == heard.truths)
            return f"| {name} | {right:.2f} | {frechet_distance(heard.embeddings, reference):.1f} |"

        lines.append(line("as they are", clean))
        for snr_db in SNRS_DB:
            heard = self.hear(rows, [noisy(w, snr_db, rng) for w in waveforms])
            lines.append(line(f"with white noise {snr_db} dB under them", heard))
        for gain_db in GAINS_DB:
            heard = self.hear(rows, [w * np.float32(10 ** (gain_db / 20)) for w in waveforms])
            lines.append(line(f"{-gain_db} dB quieter", heard))
        reversed_ = self.hear(rows, [w[::-1].copy() for w in waveforms])
        lines.append(line("backwards", reversed_))
        return lines


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="classifier")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--tier", default=TRAINED_ON)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    report = Report(args.manifest, args.model, args.seed)
    rows, waveforms = report.sounds(args.split, args.tier)
    began = time.process_time()
    heard = report.hear(rows, waveforms)
    seconds = time.process_time() - began
    rate_hz = report.embedder.view.front.rate_hz
    minutes = sum(map(len, waveforms)) / rate_hz / 60
    train = report.hear(*report.sounds("train", TRAINED_ON))
    values = sum(t.numel() for n, t in report.checkpoint.tensors.items() if "num_batches" not in n)
    lines = [
        f"# Sound classifier ({args.split})",
        "",
        f"`{report.path.name}`: {values:,} values, {report.path.stat().st_size / 1e6:.2f} MB; "
        f"{report.embedder.features}-dimensional embedding, {len(report.embedder.classes)} classes;"
        f" {seconds / minutes:.1f} s of one core a minute of sound, decoding apart.",
        "",
        f"{len(rows)} clips of {heard.recordings.max() + 1} recordings of the {args.split} split, "
        f"tier `{args.tier}`; it was trained on {len(train.truths)} clips of "
        f"{train.recordings.max() + 1} other recordings of tier `{TRAINED_ON}`.",
        "",
        *report.classes(heard),
        "",
        "## The embedding",
        "",
        *report.embedding(rows, waveforms, train),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
