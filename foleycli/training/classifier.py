r"""Trains the classifiers of sound that metrics listen with.

The shipped ``classifier`` model is the result of ::

    foley train classifier DATA/manifest.csv -o run/ --where tier=free --device cpu \
        --classes baby,break,car,chopping,clock,dog,fire,footstep,gunshot,hammer,horse,\
    rail_transport,rain,sneeze,thunder,typing,waterfall

Batches hold all classes as equally as they can, and everything is a function of (seed, step), so a
resumed run equals an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from foleycli.checkpoints import save_checkpoint
from foleycli.models.sound_classifier import (
    SoundClassifierConfig,
    architecture,
    build_classifier,
)
from foleycli.sound_embedding import KIND, LEAST_SPREAD, SoundEmbedder
from foleycli.training.classifier_recipe import ClassifierRecipe
from foleycli.training.data import Example
from foleycli.training.ema import MovingAverage
from foleycli.training.loop import check_same_recipe, fastest_layout, one_cycle
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import shares
from foleycli.training.windows import (
    Labelled,
    Levels,
    altered,
    cut_window,
    masked,
    mixed,
    read_sound,
    to_view,
)


class Trainer:
    """Network, optimiser and the step that updates them."""

    def __init__(
        self, recipe: ClassifierRecipe, sounds: Sequence[Labelled], seed: int, device: str = "cpu"
    ) -> None:
        self.recipe, self.seed, self.device, self.view = recipe, seed, device, recipe.view
        self._share = shares(recipe.batch)[0]
        self.by_class = [
            [s for s in sounds if s.label == label] for label in range(len(recipe.classes))
        ]
        self.mean, self.std = row_statistics(sounds)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_classifier(recipe.network)
        layout = torch.channels_last
        if isinstance(recipe.network, SoundClassifierConfig):
            layout = fastest_layout(recipe.network.resnet.width)
        self.network = network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        self.average = MovingAverage(self.network, recipe.average)
        kind = torch.optim.AdamW if recipe.one_cycle else torch.optim.Adam
        self.optimizer = kind(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )

    def train_step(self, step: int) -> dict[str, float]:
        """Do one update; returns the loss, and the share of the batch that was recognised."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * self._rate(step)
        share = self._share
        windows, targets = (whole[share.rows] for whole in self.batch(step))
        standardised = torch.from_numpy((windows - self.mean) / self.std)[:, None]
        wanted = torch.from_numpy(targets).to(self.device)
        self.network.train()
        with torch.random.fork_rng(devices=[]), share.whole_batch():
            torch.manual_seed(int(self._rng(step, 1).integers(2**62)))  # dropout
            logits, _ = self.network(standardised.to(self.device))
        loss = F.cross_entropy(logits, wanted, label_smoothing=self.recipe.smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        share.weigh(loss).backward()
        sum_gradients(self.network.parameters())
        self.optimizer.step()
        self.average.update(self.network, step)
        right = (logits.argmax(1) == wanted.argmax(1)).float().mean()
        return share.mean({"loss": float(loss.detach()), "accuracy": float(right)})

    def batch(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw a batch: windows (B, bands, frames) in the view's range, targets (B, classes)."""
        rng, recipe, view = self._rng(step, 0), self.recipe, self.view
        classes = len(self.by_class)
        labels = rng.permutation(np.arange(recipe.batch) + rng.integers(10**6)) % classes
        windows = []
        for label in labels:
            found = self.by_class[label]
            window = cut_window(found[rng.integers(len(found))], view, rng)
            windows.append(altered(window, view, rng) if recipe.augment else window)
        targets = np.eye(classes, dtype=np.float32)[labels]
        if recipe.augment:
            windows, targets = self._mixed(windows, targets, rng)
        return np.stack([to_view(window, view) for window in windows]), targets

    def _mixed(
        self, windows: list[Levels], targets: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[list[Levels], NDArray[np.float32]]:
        """Mix neighbours, the louder one first, and cover parts."""
        done, wanted = [], targets.copy()
        for i, window in enumerate(windows):
            if rng.random() < self.recipe.mix:
                other, share = (i + 1) % len(windows), rng.uniform(0.5, 1)
                window = mixed(window, windows[other], share, self.view)
                wanted[i] = share * targets[i] + (1 - share) * targets[other]
            done.append(masked(window, rng))
        return done, wanted

    def _rate(self, step: int) -> float:
        """Learning rate relative to its peak."""
        return one_cycle(step, self.recipe.steps) if self.recipe.one_cycle else 1.0

    def _rng(self, step: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, step, purpose])

    def save_model(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write what :class:`SoundEmbedder` loads, in half precision."""
        recipe = self.recipe
        save_checkpoint(
            path,
            kind=KIND,
            config={
                "architecture": architecture(recipe.network),
                "network": asdict(recipe.network),
                "classes": list(recipe.classes),
                "front_end": self.view.front.as_dict(),
                "window_frames": recipe.window_frames,
            },
            tensors={
                **{f"network.{n}": t for n, t in self.average.network.state_dict().items()},
                "rows.mean": torch.from_numpy(self.mean[:, 0]),
                "rows.std": torch.from_numpy(self.std[:, 0]),
            },
            provenance={**provenance, "seed": self.seed, "recipe": recipe.as_dict()},
            half=True,
        )

    def state(self, step: int) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": step,
            "seed": self.seed,
            "recipe": self.recipe.as_dict(),
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Take up a saved state; returns the number of steps done.

        A run of constant learning rate may be made longer.
        """
        asked = self.recipe.as_dict()
        if not self.recipe.one_cycle:
            asked["steps"] = state["recipe"]["steps"]
        check_same_recipe(state["recipe"], asked)
        check_same_recipe({"seed": state["seed"]}, {"seed": self.seed})
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])


def row_statistics(
    sounds: Sequence[Labelled],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean over sounds of every band's mean, and of its standard deviation: (bands, 1) each."""
    means = np.mean([s.spectrogram.mean(1, dtype=np.float64) for s in sounds], axis=0)
    stds = np.mean([s.spectrogram.std(1, dtype=np.float64) for s in sounds], axis=0)
    return means[:, None].astype(np.float32), np.maximum(stds, LEAST_SPREAD)[:, None].astype(
        np.float32
    )


def accuracy(
    embedder: SoundEmbedder,
    examples: Sequence[Example],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, float], dict[str, str]]:
    """Count the clips whose class is the likeliest.

    Returns
    -------
    scores
        ``clips``, ``accuracy`` over them, and ``macro_accuracy``, its mean over the classes; empty
        where no clip could be read.
    unread
        What is wrong with each clip that could not be read, by path.
    """
    hits: dict[str, list[bool]] = {}
    unread = {}
    for done, example in enumerate(examples, 1):
        try:
            _, logits = embedder.embed(read_sound(example, embedder.view))
        except (ValueError, OSError) as error:
            unread[str(example.path)] = str(error)
        else:
            answer = embedder.classes[int(logits.argmax())]
            hits.setdefault(example.label, []).append(answer == example.label)
        if progress:
            progress(done, len(examples))
    if not hits:
        return {}, unread
    clips = sum(map(len, hits.values()))
    return {
        "clips": clips,
        "accuracy": sum(map(sum, hits.values())) / clips,
        "macro_accuracy": sum(sum(found) / len(found) for found in hits.values()) / len(hits),
    }, unread
