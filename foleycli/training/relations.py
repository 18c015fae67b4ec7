"""Train temporal relations on the features of films, and learn how far to trust them.

A film is what a clip, or a still before a moving camera, looks like to the backbone: one row of
features a frame. Classes are drawn equally often, anything else more often: most footage in the
world is none of the classes. Probabilities are calibrated by one temperature (C. Guo et al., "On
calibration of modern neural networks", ICML 2017) on films that the relations have not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from foleycli.models.trn import RelationConfig, TemporalRelations, random_tuples, segment_centres

Progress = Callable[[int, int], None]

FOLDS = 5
_TUPLES = 3  # of each scale and step, as in both papers
_DROPPED = 0.3  # share of the features left out of a film at a time


@dataclass(frozen=True)
class RelationRecipe:
    """How relation networks are trained; FoleyGAN states Adam, 1e-3 and batches of 128.

    ``anything_else`` is the share of a batch that shows none of the classes.
    """

    hidden: int = 96
    steps: int = 400
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    anything_else: float = 0.35
    seed: int = 0


@dataclass(frozen=True)
class Films:
    """Features of clips, real ones and filmed stills.

    Attributes
    ----------
    features
        One (frames, D) float32 a film.
    labels : (films,) int64
        Index of the class; the number of classes for anything else.
    source : (films,) int64
        Films of one source (a clip's altered copies) share a number: they must not be parted.
    real : (films,) bool
        Whether it was a clip.
    """

    features: list[NDArray[np.float32]]
    labels: NDArray[np.int64]
    source: NDArray[np.int64]
    real: NDArray[np.bool_]

    def select(self, mask: NDArray[np.bool_]) -> Films:
        """Keep the films for which ``mask`` is true."""
        kept = [f for f, keep in zip(self.features, mask, strict=True) if keep]
        return Films(kept, self.labels[mask], self.source[mask], self.real[mask])


def train_relations(
    films: Films,
    config: RelationConfig,
    recipe: RelationRecipe,
    progress: Progress | None = None,
) -> TemporalRelations:
    """Train one relation network by cross entropy; its last output is for anything else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = TemporalRelations(config)
    rng = np.random.default_rng([recipe.seed, 4, config.frames])
    generator = torch.Generator().manual_seed(recipe.seed)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    draw = _Draw(films, config, recipe.anything_else, rng)
    for step in range(recipe.steps):
        features, labels = draw.batch(recipe.batch)
        kept = torch.full((len(features), 1, config.features), 1 - _DROPPED)
        features = features * torch.bernoulli(kept, generator=generator) / kept
        tuples = random_tuples(config.frames, config.scales, _TUPLES, generator)
        loss = F.cross_entropy(network(features, tuples), labels, label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, recipe.steps)
    return network.eval()


class _Draw:
    """Draws a class, then a clip or a filmed still by how many clips there are, then frames."""

    def __init__(
        self, films: Films, config: RelationConfig, anything_else: float, rng: np.random.Generator
    ) -> None:
        self._films, self._frames, self._rng = films, config.frames, rng
        self._groups = []
        present = np.unique(films.labels)
        for label in present:
            of_class = films.labels == label
            real = np.flatnonzero(of_class & films.real)
            filmed = np.flatnonzero(of_class & ~films.real)
            clips = len(np.unique(films.source[real]))
            share = 1.0 if not len(filmed) else min(0.5, clips / (clips + 5))
            self._groups.append((real, filmed, share))
        self._chances = np.full(len(present), 1 / len(present))
        if present[-1] == config.classes - 1 and len(present) > 1:
            self._chances[:] = (1 - anything_else) / (len(present) - 1)
            self._chances[-1] = anything_else

    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Features (count, frames, D) and labels (count,)."""
        chosen = []
        for group in self._rng.choice(len(self._groups), count, p=self._chances):
            real, filmed, share = self._groups[group]
            pool = real if self._rng.random() < share else filmed
            chosen.append(self._rng.choice(pool))
        features = [self._cut(self._films.features[i]) for i in chosen]
        return torch.from_numpy(np.stack(features)), torch.from_numpy(self._films.labels[chosen])

    def _cut(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose frames: up to three apart for short relations, one a segment for long ones."""
        total, rng = len(features), self._rng
        if self._frames <= 4:
            reach = self._frames - 1
            gap = max(1, min(int(rng.integers(1, 4)), (total - 1) // max(1, reach)))
            start = int(rng.integers(0, max(1, total - gap * reach)))
            index = start + gap * np.arange(self._frames)
        else:
            length = rng.integers(min(self._frames, total), total + 1)
            start = int(rng.integers(0, total - length + 1))
            places = np.arange(self._frames) + rng.random(self._frames)
            index = start + (places * length / self._frames).astype(np.int64)
        return features[np.minimum(index, total - 1)]


def unseen_logits(
    films: Films,
    config: RelationConfig,
    recipe: RelationRecipe,
    progress: Progress | None = None,
) -> tuple[Tensor, NDArray[np.int64]]:
    """Score every clip among films by relations trained without it, in five turns.

    Returns
    -------
    logits : (clips, C) float32
        Of the unaltered clips, in no particular order; empty when there are fewer than five.
    index : (clips,) int64
        Which film each is.
    """
    clips = np.unique(films.source[films.real])
    fold = np.random.default_rng([recipe.seed, 5]).permutation(len(clips)) % FOLDS
    first = films.real & np.r_[True, films.source[1:] != films.source[:-1]]  # the unaltered one
    logits, index = [torch.empty(0, config.classes)], [np.empty(0, np.int64)]
    for turn in range(FOLDS if len(clips) >= FOLDS else 0):
        away = np.isin(films.source, clips[fold == turn]) & films.real
        network = train_relations(films.select(~away), config, recipe, progress)
        logits.append(whole_film_logits(network, films.select(away & first)))
        index.append(np.flatnonzero(away & first))
    return torch.cat(logits), np.concatenate(index)


@torch.inference_mode()
def whole_film_logits(network: TemporalRelations, films: Films) -> Tensor:
    """Score films from the centres of their equal segments: (films, C)."""
    frames = network.config.frames
    rows = [f[segment_centres(len(f), frames).numpy()] for f in films.features]
    return network(torch.from_numpy(np.stack(rows)))


def best_temperature(logits: Tensor, labels: NDArray[np.int64]) -> float:
    """Find the divisor of logits (N, C) at which labels (N,) are likeliest, to two digits."""
    if not len(labels):
        return 1.0
    target = torch.from_numpy(labels)
    tried = np.round(np.geomspace(0.3, 10, 60), 2)
    return float(min(tried, key=lambda t: F.cross_entropy(logits / float(t), target).item()))


def sure_bar(
    chances: NDArray[np.float32], labels: NDArray[np.int64], precision: float = 0.8
) -> float:
    """Smallest probability from which answers are right at least ``precision`` of the time.

    Parameters
    ----------
    chances : (N, C + 1) float32
        Probabilities of the classes and, last, of anything else.
    labels : (N,) int64
        Truth; C for anything else, where every answer is wrong.
    """
    answer = chances[:, :-1].argmax(1)
    best, right = chances[:, :-1].max(1), answer == labels
    order = np.argsort(-best)
    running = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(running >= precision)
    return round(float(best[order[good[-1]]]), 3) if len(good) else 1.0
