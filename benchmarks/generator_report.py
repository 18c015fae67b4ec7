"""The shipped generator beside its floor and its ceiling, on recordings it was not trained on.

    python benchmarks/generator_report.py MANIFEST --split test --out benchmarks/generator_test.md

Every held-out recording gives the events heard in one three-second tile. Five makers sound them:
the trained generator (``gan``), event-driven class-shaped noise (``texture``), whichever of the two
the model takes for the class (``shipped``), class-shaped noise under a random training recording's
envelope (``shaped``: the floor), and a real training recording placed at the same events
(``placed``: the ceiling). All are compared with the held-out sounds in the embedding of a small
classifier that is trained here, on the training split alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from foleycli.checkpoints import load_checkpoint, save_checkpoint
from foleycli.dsp.onsets import detect_onsets
from foleycli.dsp.spectrogram import encode
from foleycli.files.events import Event
from foleycli.generation import SoundGenerator
from foleycli.metrics.frechet import frechet_distance
from foleycli.training.data import read_examples
from foleycli.training.tiles import Recording, load_recordings

MAKERS = ("real", "gan", "texture", "shipped", "shaped", "placed")
TOLERANCE_S = 0.1


class Judge(nn.Module):
    """Log-mel picture (B, 1, bins, frames) -> class logits; the pooled layer embeds (B, 128)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 128)
        self.trunk = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 5, 2, 2), nn.BatchNorm2d(b), nn.ReLU())
                for a, b in pairwise(widths)
            )
        )
        self.head = nn.Linear(128, classes)

    def embed(self, picture: torch.Tensor) -> torch.Tensor:
        """Pool the trunk over frequency and time."""
        h = self.trunk(picture)
        return h.mean((2, 3))

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.head(nn.functional.dropout(self.embed(picture), 0.3, self.training))


@dataclass(frozen=True)
class Case:
    """One held-out tile: its sound (samples,), class index and events."""

    waveform: NDArray[np.float32]
    label: int
    events: list[Event]


def tile_of(recording: Recording, samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Cut a random tile of a recording, silence around it where it is short."""
    spare = len(recording.waveform) - samples
    if spare >= 0:
        start = int(rng.integers(0, spare + 1))
        return recording.waveform[start : start + samples]
    tile = np.zeros(samples, np.float32)
    start = int(rng.integers(0, -spare + 1))
    tile[start : start + len(recording.waveform)] = recording.waveform
    return tile


def train_judge(
    recordings: list[Recording], generator: SoundGenerator, steps: int, rng: np.random.Generator
) -> Judge:
    """Cross-entropy on class-balanced tiles."""
    torch.manual_seed(0)
    spec = generator.spec
    judge = Judge(len(generator.classes))
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    by_class = [[r for r in recordings if r.label == c] for c in range(len(generator.classes))]
    for _ in range(steps):
        labels = rng.integers(0, len(by_class), 32)
        tiles = [
            tile_of(by_class[c][rng.integers(len(by_class[c]))], spec.tile_samples, rng)
            for c in labels
        ]
        gains = 10 ** (rng.uniform(-12, 3, (32, 1)) / 20)
        pictures = np.stack([encode(t * g, spec) for t, g in zip(tiles, gains, strict=True)])
        loss = nn.functional.cross_entropy(
            judge(torch.from_numpy(pictures)), torch.from_numpy(labels)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return judge.eval()


def shaped_noise(
    own: list[Recording], samples: int, rate_hz: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """White noise under a class's mean spectrum and one of its recordings' envelopes."""
    spectra = [np.abs(np.fft.rfft(r.waveform, samples)) + 1e-6 for r in own[:40]]
    mean = np.exp(np.mean(np.log(spectra), axis=0))
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) * mean, samples)
    tile = tile_of(own[rng.integers(len(own))], samples, rng)
    width = rate_hz // 50
    envelope = np.sqrt(np.convolve(tile**2, np.ones(width) / width, "same") + 1e-12)
    shaped = noise / np.sqrt(np.mean(noise**2)) * envelope
    return (shaped / max(1.0, np.abs(shaped).max())).astype(np.float32)


def placed_recording(
    own: list[Recording], events: list[Event], samples: int, rate_hz: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Put a training recording, from an onset of its own on, at every event."""
    source = own[rng.integers(len(own))]
    onset = int(source.events[0][0] * rate_hz) if len(source.events[0]) else 0
    out = tile_of(source, samples, rng).copy() if not events else np.zeros(samples, np.float32)
    for event, following in zip(events, [*events[1:], None], strict=True):
        start = int(event.time_s * rate_hz)
        stop = samples if following is None else min(samples, int(following.time_s * rate_hz))
        piece = source.waveform[onset : onset + max(stop - start, 0)] * event.strength
        out[start : start + len(piece)] += piece
    return out


def envelope_agreement(
    pictures: NDArray[np.float32], cases: list[Case], shift: int, frame_s: float
) -> float:
    """Mean correlation of loudness with the events' pulses, or another case's (``shift``)."""
    scores = []
    for index, picture in enumerate(pictures):
        events = cases[(index + shift) % len(cases)].events
        if not events or not cases[index].events:
            continue
        clock = (np.arange(picture.shape[-1]) + 0.5) * frame_s
        pulses = np.zeros_like(clock)
        for event in events:  # a hit rings on: 0.15 s of decay
            after = clock - event.time_s
            pulses = np.maximum(pulses, event.strength * np.exp(-after / 0.15) * (after > -0.02))
        loud = picture[0].mean(0)
        if loud.std() > 0:
            scores.append(np.corrcoef(loud, pulses)[0, 1])
    return float(np.mean(scores))


def onset_f1(
    waveforms: list[NDArray[np.float32]], cases: list[Case], rate_hz: int, shift: int
) -> float:
    """Onsets against the events asked for (or another case's), one to one within 100 ms."""
    hits = made = wanted = 0
    for index, waveform in enumerate(waveforms):
        events = [e.time_s for e in cases[(index + shift) % len(cases)].events]
        onsets = list(detect_onsets(waveform, rate_hz)[0])
        made, wanted = made + len(onsets), wanted + len(events)
        for time in events:
            near = [o for o in onsets if abs(o - time) <= TOLERANCE_S]
            if near:
                onsets.remove(min(near, key=lambda o: abs(o - time)))
                hits += 1
    return 2 * hits / max(made + wanted, 1)


def make_sounds(
    maker: str,
    cases: list[Case],
    generator: SoundGenerator,
    train: list[list[Recording]],
    rng: np.random.Generator,
    truncation: float | None = None,
) -> list[NDArray[np.float32]]:
    """One sound a case."""
    spec = generator.spec
    sounds = []
    for index, case in enumerate(cases):
        own = train[case.label]
        if maker == "real":
            sounds.append(case.waveform)
        elif maker == "shaped":
            sounds.append(shaped_noise(own, spec.tile_samples, spec.rate_hz, rng))
        elif maker == "placed":
            sounds.append(placed_recording(own, case.events, spec.tile_samples, spec.rate_hz, rng))
        else:
            label = generator.classes[case.label]
            sounds.append(
                generator.sound(
                    case.events,
                    spec.tile_seconds,
                    label,
                    seed=index,
                    truncation=truncation,
                    renderer="auto" if maker == "shipped" else maker,
                ).waveform
            )
    return sounds


def report(args: argparse.Namespace) -> str:
    """Run everything and return the Markdown table."""
    rng = np.random.default_rng(args.seed)
    generator = SoundGenerator.from_checkpoint(load_checkpoint(args.model, kind="foleygan"))
    spec, classes = generator.spec, generator.classes

    def load(split: str) -> list[Recording]:
        return load_recordings(
            read_examples(args.manifest, classes=classes, split=split), classes, spec
        )

    training, held_out = load("train"), load(args.split)
    train = [[r for r in training if r.label == c] for c in range(len(classes))]
    judge = train_judge(training, generator, args.judge_steps, rng)
    cases = []
    for recording in held_out * args.repeats:
        tile = tile_of(recording, spec.tile_samples, rng)
        times, strengths = detect_onsets(tile, spec.rate_hz)
        events = [Event(float(t), float(s)) for t, s in zip(times, strengths, strict=True)]
        cases.append(Case(tile, recording.label, events))
    labels = np.array([case.label for case in cases])
    training_tiles = [
        tile_of(training[i], spec.tile_samples, rng) for i in rng.permutation(len(training))
    ]

    def embed(
        sounds: list[NDArray[np.float32]],
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]:
        # Peaks are levelled first: how loud a maker is says nothing about what it made.
        pictures = np.stack([encode(s * (0.5 / max(np.abs(s).max(), 1e-4)), spec) for s in sounds])
        with torch.inference_mode():
            h = torch.cat([judge.embed(torch.from_numpy(p)) for p in np.array_split(pictures, 8)])
            guess = judge.head(h).argmax(1)
        return h.double().numpy(), guess.numpy(), pictures

    reference, _, _ = embed(training_tiles)
    real, guess, _ = embed(make_sounds("real", cases, generator, train, rng))
    lines = [
        f"{len(cases)} tiles of {len(held_out)} {args.split} recordings; the judge was trained on "
        f"{len(training)} recordings. Frechet distance of real {args.split} to real training tiles "
        f"(the floor): {frechet_distance(real, reference):.1f}.",
        "",
        "| maker | judge accuracy | macro | Frechet to real | two-sample accuracy "
        "| envelope r (other clip's) | onset F1 (other clip's) |",
        "|---|---|---|---|---|---|---|",
    ]
    per_class: dict[str, dict[str, dict[str, float]]] = {c: {} for c in classes}
    for maker in MAKERS:
        sounds = make_sounds(maker, cases, generator, train, rng, args.truncation)
        embedding, guess, pictures = embed(sounds)
        right = guess == labels
        macro = np.mean([right[labels == c].mean() for c in np.unique(labels)])
        frame_s = spec.hop_samples / spec.rate_hz
        distance = frechet_distance(embedding, real)
        lines.append(
            f"| {maker} | {right.mean():.2f} | {macro:.2f} | {distance:.1f} | "
            f"{two_sample(embedding, real):.2f} | "
            f"{envelope_agreement(pictures, cases, 0, frame_s):.2f} "
            f"({envelope_agreement(pictures, cases, 7, frame_s):.2f}) | "
            f"{onset_f1(sounds, cases, spec.rate_hz, 0):.2f} "
            f"({onset_f1(sounds, cases, spec.rate_hz, 7):.2f}) |"
        )
        for c, name in enumerate(classes):
            mine = labels == c
            if mine.any():
                distance = np.linalg.norm(embedding[mine].mean(0) - real[mine].mean(0))
                per_class[name][maker] = {
                    "accuracy": float(right[mine].mean()),
                    "distance": float(distance),
                }
    lines += ["", "Per class: judge accuracy / distance of class means in the embedding.", ""]
    lines += ["| class | n | " + " | ".join(MAKERS) + " |", "|---|---|" + "---|" * len(MAKERS)]
    for c, name in enumerate(classes):
        if per_class[name]:
            cells = [f"{v['accuracy']:.2f} / {v['distance']:.2f}" for v in per_class[name].values()]
            lines.append(f"| {name} | {int((labels == c).sum())} | " + " | ".join(cells) + " |")
    if args.ship:
        lines += ["", ship(args.model, args.ship, per_class)]
    return "\n".join(lines) + "\n"


def ship(model: str, path: Path, per_class: dict[str, dict[str, dict[str, float]]]) -> str:
    """Write the model, in half precision, with the renderer that comes nearer for every class."""
    checkpoint = load_checkpoint(model, kind="foleygan")
    renderers = {
        name: min(("gan", "texture"), key=lambda maker: figures[maker]["distance"])
        for name, figures in per_class.items()
        if figures
    }
    save_checkpoint(
        path,
        kind=checkpoint.kind,
        config={**checkpoint.config, "renderers": renderers},
        tensors=checkpoint.tensors,
        provenance=checkpoint.provenance,
        half=True,
    )
    return "Shipped renderer: " + ", ".join(f"{c} {r}" for c, r in renderers.items()) + "."


def two_sample(made: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Cross-validated accuracy of a linear classifier, made against real; 0.5 is a draw."""
    if made is real or np.array_equal(made, real):
        return 0.5
    features = np.concatenate([made, real])
    truth = np.repeat([0, 1], [len(made), len(real)])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(classifier, features, truth, cv=folds).mean())


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="foleygan")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--judge-steps", type=int, default=800)
    parser.add_argument("--truncation", type=float)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ship", type=Path, help="write the model with the better renderers here")
    args = parser.parse_args()
    text = report(args)
    print(text)
    if args.out:
        args.out.write_text(f"# Generator report ({args.split})\n\n{text}")


if __name__ == "__main__":
    main()
