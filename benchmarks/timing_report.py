"""When the timing model says it sounds, against the clips' own sound: writes benchmarks/timing.md.

    python benchmarks/timing_report.py ../shared --work run/motion

The folder is the workshop's (data/manifest.csv, kind "video"). Train clips are answered by single
networks trained without them (8-fold cross-validation by clip; the shipped model averages three),
valid clips and scenes by the shipped model, which has seen neither. Score: F1 of onsets, one to one
within a tolerance. Control: the same answers shifted in a circle, 15 shifts a clip, so that mere
density scores nothing. Intervals: bootstrap over clips, 95 %.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from foleycli.checkpoints import load_checkpoint
from foleycli.media.video import read_frames
from foleycli.training.timing import (
    FIRST_TRAINING_SCENE,
    Example,
    TimingRecipe,
    example_of_clip,
    example_of_scene,
    timing_config,
    train_net,
)
from foleycli.vision.flow import MotionAnalyser
from foleycli.vision.timing import TimingModel, pick_events

Times = NDArray[np.float64]
SHARP = frozenset("chopping dog drum footstep gunshot hammer impact tennis typing".split())
TOLERANCES_S = (0.05, 0.1)
SHIFTS = 15
FOLDS = 8
HELD_OUT_SCENES = 20  # seeds 0 to 19; training starts at FIRST_TRAINING_SCENE


@dataclass(frozen=True)
class Answer:
    """One clip: what was said, what is heard, and for how long."""

    name: str
    label: str
    said_s: Times
    heard_s: Times
    duration_s: float

    def counts(self, tolerance_s: float) -> tuple[float, float, int]:
        """Count matches, mean matches of the shifted control, and events on both sides."""
        shifts = self.duration_s * np.arange(1, SHIFTS + 1) / (SHIFTS + 1)
        shifted = [np.sort((self.said_s + shift) % self.duration_s) for shift in shifts]
        by_chance = float(np.mean([matches(s, self.heard_s, tolerance_s) for s in shifted]))
        found = matches(self.said_s, self.heard_s, tolerance_s)
        return found, by_chance, len(self.said_s) + len(self.heard_s)


def matches(said_s: Times, heard_s: Times, tolerance_s: float) -> int:
    """Size of the largest one-to-one matching within ``tolerance_s``; both ascending.

    With one tolerance for all, pairing from left to right is optimal.
    """
    found = said = heard = 0
    while said < len(said_s) and heard < len(heard_s):
        late = said_s[said] - heard_s[heard]
        if abs(late) <= tolerance_s + 1e-9:
            found += 1
        said += late <= tolerance_s + 1e-9
        heard += late >= -tolerance_s - 1e-9
    return found


def score(answers: Sequence[Answer], tolerance_s: float) -> str:
    """Cells of a table row: mean F1 a clip, control, difference and interval, pooled difference."""
    counts = np.array([a.counts(tolerance_s) for a in answers])
    totals = np.maximum(counts[:, 2], 1)
    f1, chance = 2 * counts[:, 0] / totals, 2 * counts[:, 1] / totals
    draws = np.random.default_rng(0).integers(0, len(answers), (4000, len(answers)))
    low, high = np.percentile((f1 - chance)[draws].mean(1), [2.5, 97.5])
    pooled = 2 * (counts[:, 0] - counts[:, 1])
    pooled_low, pooled_high = np.percentile(
        pooled[draws].sum(1) / counts[:, 2][draws].sum(1), [2.5, 97.5]
    )
    return (
        f"{f1.mean():.3f} | {chance.mean():.3f} | **{(f1 - chance).mean():.3f}** [{low:.3f}, "
        f"{high:.3f}] | {2 * counts[:, 0].sum() / totals.sum():.3f} - "
        f"{2 * counts[:, 1].sum() / totals.sum():.3f} = {pooled.sum() / totals.sum():.3f} "
        f"[{pooled_low:.3f}, {pooled_high:.3f}]"
    )


def answer(name: str, label: str, example: Example, model: TimingModel) -> Answer:
    """Let a model say when a clip sounds."""
    said = np.array([time_s for time_s, _ in pick_events(model.predict(example.motion))])
    duration_s = len(example.motion.values) / example.motion.fps
    return Answer(name, label, said, example.times_s, duration_s)


def cross_validate(
    examples: Mapping[str, Example], labels: Mapping[str, str], recipe: TimingRecipe
) -> list[Answer]:
    """Answer every clip by a network trained on the folds that it is not in."""
    scenes = [example_of_scene(FIRST_TRAINING_SCENE + k) for k in range(recipe.scenes)]
    names = np.array(list(examples))
    order = np.random.default_rng(0).permutation(len(names))
    answers = []
    for fold in range(FOLDS):
        held = set(names[order[fold::FOLDS]])
        real = [example for name, example in examples.items() if name not in held]
        net, _ = train_net(real, scenes, recipe, seed=0)
        tensors = {f"net0.{name}": tensor for name, tensor in net.state_dict().items()}
        model = TimingModel(timing_config(recipe), tensors)
        answers += [answer(name, labels[name], examples[name], model) for name in sorted(held)]
    return answers


def milliseconds_a_frame(path: Path) -> tuple[float, float]:
    """CPU time a frame of decoding and of motion analysis."""
    analyser, frames = MotionAnalyser(), 0
    began = time.process_time()
    for frame in read_frames(path):
        frame.gray(160, 120)
        frames += 1
    decoded = time.process_time()
    for frame in read_frames(path):
        analyser.add(frame)
    both = time.process_time() - decoded
    decoding = decoded - began
    return 1000 * decoding / frames, 1000 * (both - decoding) / frames


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Report on the timing model.")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="keeps motion features")
    parser.add_argument("--model", default="timing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = options.shared / "data"
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["kind"] == "video"]
    labels = {row["path"]: row["class"] for row in rows}
    examples = {
        split: {
            row["path"]: example_of_clip(data / row["path"], options.work)
            for row in rows
            if row["split"] == split
        }
        for split in ("train", "valid")
    }
    checkpoint = load_checkpoint(options.model, "timing")
    shipped = TimingModel(checkpoint.config, checkpoint.tensors)
    crossed = cross_validate(examples["train"], labels, TimingRecipe())
    valid = [answer(n, labels[n], e, shipped) for n, e in examples["valid"].items()]
    scenes = [
        answer(f"scene {k}", "scene", example_of_scene(k), shipped) for k in range(HELD_OUT_SCENES)
    ]
    groups = {
        f"train, cross-validated, all {len(crossed)}": crossed,
        "train, cross-validated, sharp classes": [a for a in crossed if a.label in SHARP],
        f"valid, all {len(valid)} (never tuned on)": valid,
        "valid, sharp classes": [a for a in valid if a.label in SHARP],
        f"{HELD_OUT_SCENES} rendered scenes": scenes,
    }
    decoding, motion = milliseconds_a_frame(data / rows[0]["path"])
    text = "\n".join([*tables(groups), *clip_table([*valid, *crossed])])
    text += f"\n\nMotion analysis costs {motion:.1f} ms of one core a frame, decoding "
    text += f"{decoding:.1f} ms ({rows[0]['path']}).\n"
    Path(__file__).with_name("timing.md").write_text(text, encoding="utf-8")
    print(text)


def tables(groups: Mapping[str, Sequence[Answer]]) -> list[str]:
    """One table a tolerance, one row a group."""
    lines = ["# Timing model: when does it sound, from the picture alone", ""]
    lines += [line.strip() for line in (__doc__ or "").split("\n\n")[2].splitlines()]
    for tolerance_s in TOLERANCES_S:
        lines += [
            "",
            f"## Within {1000 * tolerance_s:.0f} ms",
            "",
            "| clips | F1, mean of clips | control | difference | pooled | said a heard |",
            "|---|---|---|---|---|---|",
        ]
        for name, answers in groups.items():
            said, heard = (sum(len(t) for t in times) for times in _times(answers))
            lines.append(f"| {name} | {score(answers, tolerance_s)} | {said / max(heard, 1):.2f} |")
    return lines


def _times(answers: Sequence[Answer]) -> tuple[list[Times], list[Times]]:
    return [a.said_s for a in answers], [a.heard_s for a in answers]


def clip_table(answers: Sequence[Answer]) -> list[str]:
    """Every real clip, the best first."""
    lines = ["", "## Clip by clip, within 100 ms (valid first)", ""]
    lines += ["| clip | said | heard | F1 | control |", "|---|---|---|---|---|"]
    for one in answers:
        found, by_chance, total = one.counts(0.1)
        cells = f"{len(one.said_s)} | {len(one.heard_s)} | {2 * found / max(total, 1):.2f}"
        lines.append(f"| {one.name} | {cells} | {2 * by_chance / max(total, 1):.2f} |")
    return lines


if __name__ == "__main__":
    main()
