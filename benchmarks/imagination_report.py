"""What the pictures of the shipped sound-to-image model show, to judges that it never met.

    python benchmarks/imagination_report.py MANIFEST IMAGES --judge SQUEEZENET.safetensors \
        --split test --out benchmarks/imagination.md --sheet sheet.png

Every sound of the split is drawn and looked up. A judge names the class of a drawing: a linear
classifier on features of an ImageNet SqueezeNet, fitted to the real training pictures brought to
the size of the drawings. Its accuracy on the split's real pictures is the ceiling, and its answers
to drawings of other sounds are the floor. SqueezeNet also taught the model's picture encoder what
it knows, so that a second judge is there, a ResNet that learnt from the labels alone. Retrieval
looks for the split's real pictures, as many of each class. Clips of one recording resemble each
other: intervals are bootstrapped over recordings.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from foleycli.dsp.front_ends.front_end import FrontEnd
from foleycli.files.manifest import ManifestEntry, read_manifest
from foleycli.imagination.loading import load_system
from foleycli.imagination.sheets import as_pixels, contact_sheet, write_png
from foleycli.imagination.systems import SceneSystem
from foleycli.media.chain import sound_blocks
from foleycli.models.resnet import ResNetConfig
from foleycli.training.backbone import (
    TEACHER_PIXELS,
    BackboneRecipe,
    ask_teacher,
    train_backbone,
)
from foleycli.training.picture_encoder import as_seen
from foleycli.training.pictures import Picture, load_stills, read_pictures
from foleycli.training.recognition import read_teacher

RECORDING = "source_recording_id"
BOOTSTRAPS = 2000
SIDE = 96  # pixels at which pictures are kept before they are brought to the drawings' size
WEIGHT_DECAY = 1e-3  # of a judge's linear layer, on standardised features
GAINS_DB = (-30.0, -24.0, -18.0, -12.0, -6.0, 0.0)
USUAL_DB = -18.0  # further down most cells of most sounds lie under the spectrogram's floor
STILL = 1e-3  # a change of a distance that is none

Pixels = NDArray[np.uint8]
Describe = Callable[[Pixels], Tensor]  # (N, side, side, 3) -> (N, features)


class Judge(NamedTuple):
    """Names the class of pictures; ``accuracy`` is on the split's real ones."""

    name: str
    answers: Callable[[Pixels], NDArray[np.intp]]
    accuracy: float
    macro: float


@dataclass(frozen=True)
class Stills:
    """Real pictures at the size of the drawings, and the index of the class of each."""

    pixels: Pixels
    labels: NDArray[np.intp]


def main() -> None:
    """Measure and write."""
    options = arguments()
    system = load_system([options.model], "sound2scene")
    if not isinstance(system, SceneSystem):
        raise SystemExit("the model is no sound2scene")
    same = dict(pair.split("=") for pair in options.same.split(",") if pair)
    rows = sounds_of(options, same)
    classes = sorted({same.get(row.label, row.label) for row in rows})
    truths = np.array([classes.index(same.get(row.label, row.label)) for row in rows])
    pictures = [p for p in read_pictures([options.images]) if p.label in classes]
    train, real = (
        stills([p for p in pictures if p.split == split], classes, system.pixels)
        for split in ("train", options.split)
    )
    judges = [judge_by_imagenet(options.judge, train, real)]
    if options.second_steps:
        judges.append(judge_by_labels(options.second_steps, train, real))
    latents = [system.hear(waveform(row, system.front), None)[0] for row in rows]
    drawn = draw(system, latents, options)
    record = {
        "by": "benchmarks/imagination_report.py",
        "model": options.model,
        "split": options.split,
        "seeds": options.draws,
    }
    if options.sheet:
        write_png(options.sheet, sheet_of(drawn[0], truths, classes), record)
    text = report(options, system, rows, truths, classes, judges, drawn, latents, real)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Report on a sound-to-image model.")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--judge", type=Path, required=True, help="ImageNet SqueezeNet 1.0")
    parser.add_argument("--model", default="sound2scene")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--tiers", default="free,nc")
    parser.add_argument("--classes", required=True, help="of sounds, with commas")
    parser.add_argument("--same", default="", help="SOUND=PICTURE, with commas")
    parser.add_argument("--draws", type=int, default=3, help="of every sound")
    parser.add_argument("--truncation", type=float)
    parser.add_argument("--candidates", type=int, default=8, help="as foley s2i of small models")
    parser.add_argument("--second-steps", type=int, default=0, help="training of the second judge")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def sounds_of(options: argparse.Namespace, same: dict[str, str]) -> list[ManifestEntry]:
    """Choose the rows of the manifest that are heard, in its order."""
    wanted, tiers = options.classes.split(","), options.tiers.split(",")
    rows = [
        e
        for e in read_manifest(options.manifest)
        if e.split == options.split
        and e.label in wanted
        and e.columns["tier"] in tiers
        and e.columns["kind"].startswith("audio")
    ]
    missing = set(wanted) - {e.label for e in rows}
    if missing:
        print(f"no {options.split} sounds of: {', '.join(sorted(missing))}")
    return rows


def waveform(row: ManifestEntry, front: FrontEnd) -> NDArray[np.float32]:
    """Read the first ten seconds of a sound as the model hears them."""
    whole = np.concatenate(list(sound_blocks(row.path, front.rate_hz, front.chain)))
    return np.asarray(whole[: 10 * front.rate_hz], np.float32)


def stills(pictures: Sequence[Picture], classes: Sequence[str], side: int) -> Stills:
    """Load pictures through the drawings' size, so that a judge sees no more than it could draw."""
    large = torch.from_numpy(load_stills(pictures, SIDE)).permute(0, 3, 1, 2).float()
    small = F.interpolate(large, (side, side), mode="bilinear", antialias=True)
    pixels = small.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return Stills(pixels, np.array([classes.index(p.label) for p in pictures]))


def draw(
    system: SceneSystem, latents: Sequence[NDArray[np.float32]], options: argparse.Namespace
) -> list[list[Pixels]]:
    """Draw every sound by several seeds; of candidates the nearest to the sound is kept."""
    made = []
    for seed in range(options.draws):
        made.append([])
        for latent in latents:
            candidates = [
                as_pixels(system.draw(latent, system.noise(seed, k, options.truncation)))
                for k in range(options.candidates)
            ]
            fits = [
                float(system.see(c) @ latent) if len(candidates) > 1 else 0.0 for c in candidates
            ]
            made[-1].append(candidates[int(np.argmax(fits))])
    return made


def judge_by_imagenet(weights: Path, train: Stills, real: Stills) -> Judge:
    """Fit a linear classifier on SqueezeNet's pooled features."""
    teacher = read_teacher(weights).eval()
    look = in_pieces(lambda given: teacher(given)[0], TEACHER_PIXELS)
    return judge("SqueezeNet of ImageNet + linear", look, train, real)


def judge_by_labels(steps: int, train: Stills, real: Stills) -> Judge:
    """Train a small ResNet on the labels alone, and fit the same classifier on its features."""
    side = train.pixels.shape[1]
    recipe = BackboneRecipe(steps=steps)
    network = train_backbone(
        ResNetConfig("basic", (2, 2, 2, 2), 24, stem_pool=False, classes=0),
        side,
        train.pixels,
        train.labels,
        ask_teacher(None, train.pixels, recipe),
        recipe,
    )
    look = in_pieces(network.embed, side)
    return judge(f"ResNet, labels alone ({steps} steps)", look, train, real)


def in_pieces(network: Callable[[Tensor], Tensor], side: int) -> Describe:
    """Let a network describe pictures a few at a time, at its own size."""

    def describe(pixels: Pixels) -> Tensor:
        pieces = torch.from_numpy(pixels).split(32)
        return torch.cat([network(as_seen(piece, side)) for piece in pieces])

    return describe


def judge(name: str, describe: Describe, train: Stills, real: Stills) -> Judge:
    """Fit a linear classifier, classes weighing the same, and try it on real pictures."""
    with torch.inference_mode():
        features = describe(train.pixels).clone()
    mean, std = features.mean(0), features.std(0) + 1e-6
    labels = torch.from_numpy(train.labels)
    counts = torch.bincount(labels).float()
    linear = torch.nn.Linear(features.shape[1], len(counts))
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    inputs = ((features - mean) / std).requires_grad_(False)
    optimiser = torch.optim.LBFGS(linear.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(linear(inputs), labels, counts.mean() / counts)
        value = value + WEIGHT_DECAY * linear.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)

    def answers(pixels: Pixels) -> NDArray[np.intp]:
        with torch.inference_mode():
            return linear((describe(pixels) - mean) / std).argmax(1).numpy()

    right = answers(real.pixels) == real.labels
    by_class = [right[real.labels == k].mean() for k in np.unique(real.labels)]
    return Judge(name, answers, float(right.mean()), float(np.mean(by_class)))


def retrieved(
    system: SceneSystem,
    latents: Sequence[NDArray[np.float32]],
    truths: NDArray[np.intp],
    real: Stills,
) -> tuple[NDArray[np.bool_], int]:
    """Tell of every sound whether the nearest real picture is of its class.

    As many pictures of each class are in the library, so that guessing is right once in as many
    times as there are classes.
    """
    most = int(np.bincount(real.labels).min())
    kept = np.concatenate([np.flatnonzero(real.labels == k)[:most] for k in np.unique(real.labels)])
    features = np.stack([system.see(real.pixels[i]) for i in kept])
    nearest = (np.stack(list(latents)) @ features.T).argmax(1)
    return real.labels[kept][nearest] == truths, most


def over_recordings(
    right: NDArray[np.floating], truths: NDArray[np.intp], rows: Sequence[ManifestEntry]
) -> tuple[list[float], list[float]]:
    """Mean over sounds and over classes, each with the ends of its 95 % interval."""
    names = sorted({row.columns[RECORDING] for row in rows})
    recordings = np.array([names.index(row.columns[RECORDING]) for row in rows])
    rng = np.random.default_rng(0)

    def means(weights: NDArray[np.floating]) -> tuple[float, float]:
        each, hits = np.bincount(truths, weights), np.bincount(truths, weights * right)
        there = each > 0
        return float(hits.sum() / each.sum()), float((hits[there] / each[there]).mean())

    draws = [
        means(
            np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[recordings]
        )
        for _ in range(BOOTSTRAPS)
    ]
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    total, macro = means(np.ones(len(rows)))
    return [total, low[0], high[0]], [macro, low[1], high[1]]


def sweeps(
    system: SceneSystem, rows: Sequence[ManifestEntry], draws: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far pictures move away from the full-level picture as a sound gets quieter.

    Returns
    -------
    (sounds x draws, gains), (sounds, gains) float64
        Distances of the pictures' features, and of the sounds' own, from those at 0 dB.
    """
    of_pictures, of_sounds = [], []
    for row in rows:
        whole = waveform(row, system.front)
        heard = [system.hear(whole * 10 ** (gain / 20), None)[0] for gain in GAINS_DB]
        of_sounds.append([np.linalg.norm(one - heard[-1]) for one in heard])
        for seed in range(draws):
            noise = system.noise(seed)
            seen = [system.see(as_pixels(system.draw(latent, noise))) for latent in heard]
            of_pictures.append([np.linalg.norm(one - seen[-1]) for one in seen])
    return np.array(of_pictures, np.float64), np.array(of_sounds, np.float64)


def sweep_table(pictures: NDArray[np.float64], sounds: NDArray[np.float64]) -> list[str]:
    """Say how steady sweeps are: by gain, over all of them and over the usual ones."""
    cells = [" | ".join(f"{mean:.3f}" for mean in far.mean(0)) for far in (pictures, sounds)]
    lines = [
        "| gain, dB | " + " | ".join(f"{gain:g}" for gain in GAINS_DB) + " |",
        "|" + "---|" * (len(GAINS_DB) + 1),
        f"| distance from the picture at 0 dB, mean | {cells[0]} |",
        f"| the same of the sound's feature | {cells[1]} |",
        "",
    ]
    for least_db in (min(GAINS_DB), USUAL_DB):
        kept = [k for k, gain in enumerate(GAINS_DB) if gain >= least_db]
        grown = [far[:, kept[:-1]] >= far[:, kept[1:]] - STILL for far in (pictures, sounds)]
        back = fall_back(pictures[:, kept])
        lines.append(
            f"Down to {least_db:g} dB the distance grows at {grown[0].mean():.1%} of the steps "
            f"({grown[1].mean():.1%} for the sound's feature) and throughout in "
            f"{grown[0].all(1).mean():.1%} of the sweeps; it falls back by up to "
            f"{np.quantile(back, 0.95):.1%} of a sweep's range in 95 % of them."
        )
    return lines


def fall_back(far: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of its range each sweep loses again, at most: (N, gains), the quietest first."""
    reached = np.maximum.accumulate(far[:, ::-1], axis=1)
    lost = (reached - far[:, ::-1]).max(1)
    return np.asarray(lost / np.maximum(reached[:, -1], STILL))


def sheet_of(drawn: Sequence[Pixels], truths: NDArray[np.intp], classes: Sequence[str]) -> Pixels:
    """Lay out up to four drawings of each class, a row a drawing and a column a class."""
    columns = [[drawn[i] for i in np.flatnonzero(truths == k)] for k in range(len(classes))]
    blank = np.full_like(drawn[0], 255)
    rows = [[c[r] if r < len(c) else blank for c in columns] for r in range(4)]
    return contact_sheet(rows, classes, [f"sound {row + 1}" for row in range(4)])


def report(
    options: argparse.Namespace,
    system: SceneSystem,
    rows: Sequence[ManifestEntry],
    truths: NDArray[np.intp],
    classes: Sequence[str],
    judges: Sequence[Judge],
    drawn: Sequence[Sequence[Pixels]],
    latents: Sequence[NDArray[np.float32]],
    real: Stills,
) -> str:
    """Say it in Markdown."""
    chance = 1 / len(classes)
    dealt = np.random.default_rng(0).permutation(len(rows))
    found, most = retrieved(system, latents, truths, real)
    lines = [
        f"{len(rows)} {options.split} sounds of {len(classes)} classes, {options.draws} drawings "
        f"of each ({system.pixels} px, {options.candidates} candidates, truncation "
        f"{options.truncation}). 95 % intervals over recordings.",
        "",
        "| | share right | mean of classes | times chance |",
        "|---|---|---|---|",
    ]

    def line(name: str, right: NDArray[np.floating]) -> str:
        total, macro = over_recordings(right, truths, rows)
        cells = ["{:.3f} [{:.3f}, {:.3f}]".format(*c) for c in (total, macro)]
        return f"| {name} | {cells[0]} | {cells[1]} | {total[0] / chance:.1f} |"

    by_class = []
    for each in judges:
        answers = np.stack([each.answers(np.stack(list(row))) for row in drawn])
        lines += [
            line(f"drawings, by {each.name}", (answers == truths).mean(0)),
            line("the same, of other sounds (floor)", (answers == truths[dealt]).mean(0)),
            f"| real {options.split} pictures, by the same | {each.accuracy:.3f} | "
            f"{each.macro:.3f} | {each.accuracy / chance:.1f} |",
        ]
        by_class.append((answers == truths).mean(0))
    lines += [line(f"retrieval, first of {most * len(classes)} pictures", found.astype(float)), ""]
    lines += sweep_table(*sweeps(system, rows, 1))
    lines += [
        "",
        "| class | sounds | retrieval | " + " | ".join(each.name for each in judges) + " |",
        "|---|---|---|" + "---|" * len(judges),
    ]
    for k, name in enumerate(classes):
        chosen = truths == k
        cells = [f"{right[chosen].mean():.2f}" for right in (found, *by_class)]
        lines.append(f"| {name} | {chosen.sum()} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
