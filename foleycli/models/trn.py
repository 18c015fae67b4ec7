"""Temporal relation networks: class scores from ordered tuples of frame features.

Features are ``[B, N, D]`` float32, one row a frame in time order; scores are ``[B, C]`` logits. A
relation of scale k looks at k frames in their order. :class:`TemporalRelations` is FoleyGAN's form
(section III-A: h of the summed g, scales 2..8; its scale-2 form makes the action series),
:class:`MultiScaleTRN` and :class:`SingleScaleTRN` are the original ones with the parameter names of
the published code.

B. Zhou et al., "Temporal relational reasoning in videos", ECCV 2018; S. Ghose and J. J. Prevost,
"FoleyGAN", 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn

Tuples = Mapping[int, Tensor]


def all_tuples(frames: int, scale: int) -> Tensor:
    """Every ordered choice of ``scale`` frames, lexicographic: [C(frames, scale), scale] int64."""
    return torch.tensor(list(combinations(range(frames), scale)))


def random_tuples(
    frames: int, scales: Sequence[int], count: int, generator: torch.Generator
) -> dict[int, Tensor]:
    """At most ``count`` different tuples a scale, as both papers draw them in training."""
    drawn = {}
    for scale in scales:
        tuples = all_tuples(frames, scale)
        order = torch.randperm(len(tuples), generator=generator)
        drawn[scale] = tuples[order[:count]]
    return drawn


def segment_centres(frames: int, segments: int) -> Tensor:
    """Find the middle frames of equal segments: [segments] int64, repeating when frames are few."""
    tick = frames / segments
    return torch.tensor([int(tick / 2 + tick * i) for i in range(segments)])


@dataclass(frozen=True)
class RelationConfig:
    """Size of FoleyGAN's temporal relations.

    Attributes
    ----------
    features, classes
        Length of a frame's feature vector; number of class scores.
    frames
        Frames of a clip that are looked at (segments).
    scales
        Tuple lengths whose scores are added: 2..8 for the class, one of 2, 3, 4 for the action
        series.
    hidden
        Width of both layers of g.
    reduce
        How tuples of one scale meet before h. The paper adds them; the mean keeps the scores' size
        the same whether a few tuples or all are used, and is the default.
    """

    features: int = 2048
    classes: int = 12
    frames: int = 8
    scales: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    hidden: int = 256
    reduce: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) < 1 or max(self.scales) > self.frames:
            raise ValueError(f"scales {self.scales} must lie between 1 and {self.frames} frames")


class TemporalRelations(nn.Module):
    """R(V) = sum over scales k of h_k(mean over k-tuples of g_k), FoleyGAN Eqs. 1, 2 and 4."""

    def __init__(self, config: RelationConfig) -> None:
        super().__init__()
        self.config = config
        self.g = nn.ModuleDict(
            {
                str(scale): nn.Sequential(
                    nn.ReLU(),
                    nn.Linear(scale * config.features, config.hidden),
                    nn.ReLU(),
                    nn.Linear(config.hidden, config.hidden),
                )
                for scale in config.scales
            }
        )
        self.h = nn.ModuleDict(
            {str(scale): nn.Linear(config.hidden, config.classes) for scale in config.scales}
        )

    def forward(self, features: Tensor, tuples: Tuples | None = None) -> Tensor:
        """Class logits ``[B, C]`` of ``[B, frames, D]``; of all tuples unless some are given."""
        scores = features.new_zeros(len(features), self.config.classes)
        for scale in self.config.scales:
            chosen = all_tuples(self.config.frames, scale) if tuples is None else tuples[scale]
            relations = self.g[str(scale)](_gather(features, chosen))  # (B, tuples, hidden)
            pooled = relations.mean(1) if self.config.reduce == "mean" else relations.sum(1)
            scores = scores + self.h[str(scale)](pooled)
        return scores

    def slide(self, features: Tensor) -> Tensor:
        """Score every run of neighbours, ``[N, D] -> [N - frames + 1, C]``: the r_t of S_act."""
        return self(features.unfold(0, self.config.frames, 1).transpose(1, 2))


class MultiScaleTRN(nn.Module):
    """The original multi-scale relations: scores of all scales and tuples are added."""

    def __init__(self, features: int = 256, frames: int = 8, classes: int = 12) -> None:
        super().__init__()
        self.frames = frames
        self.scales = tuple(range(frames, 1, -1))  # the published list begins with the largest
        self.fc_fusion_scales = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), nn.Linear(scale * features, 256), nn.ReLU(), nn.Linear(256, classes)
            )
            for scale in self.scales
        )

    def forward(self, features: Tensor, tuples: Tuples | None = None) -> Tensor:
        """Class scores ``[B, C]`` of ``[B, frames, D]``; of all tuples unless some are given.

        The published code uses the single longest tuple and three random ones of each smaller
        scale, at test time too; that is ``random_tuples(frames, scales, 3, generator)`` here.
        """
        scores = torch.zeros(())
        for scale, relation in zip(self.scales, self.fc_fusion_scales, strict=True):
            chosen = all_tuples(self.frames, scale) if tuples is None else tuples[scale]
            scores = scores + relation(_gather(features, chosen)).sum(1)
        return scores


class SingleScaleTRN(nn.Module):
    """The original relation of one scale: all its frames, once."""

    def __init__(self, features: int = 256, frames: int = 2, classes: int = 12) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            nn.ReLU(), nn.Linear(frames * features, 512), nn.ReLU(), nn.Linear(512, classes)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Class scores ``[B, C]`` of ``[B, frames, D]``."""
        return self.classifier(features.flatten(1))


def _gather(features: Tensor, tuples: Tensor) -> Tensor:
    """Concatenate the frames of each tuple: ``[B, N, D]`` to ``[B, tuples, scale * D]``."""
    return features[:, tuples.to(features.device)].flatten(2)
