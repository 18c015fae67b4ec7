"""Trains Melception and VGGish-ish, the classifiers of mels that SpecVQGAN measures and hears by.

Every row of a mel is standardised by the mean over training sounds of its mean and of its standard
deviation; both stay with the weights, of mels in [0, 1]. Cross-entropy, Adam, a constant rate; the
best is the one of least cross-entropy on sounds held out.

The tensors are named and shaped as those of the published files, the auxiliary head that Melception
has there left out: its loss was overwritten before it was used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from foleycli.dsp.front_ends.specvqgan import SPECVQGAN, SPECVQGAN_CODEC
from foleycli.models.sound_classifier import Classifier, build_classifier
from foleycli.sound_embedding import LEAST_SPREAD
from foleycli.training.class_figures import class_figures
from foleycli.training.data import Example
from foleycli.training.mel_classifier_recipe import MelClassifierRecipe
from foleycli.training.mel_data import Mel, cut, drawn, row_statistics, window_batch
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import Share, shares
from foleycli.training.validated import ValidatedTrainer, over_all, own

_DROPOUT = 4  # what random numbers are for; mel_data.py has 0 and 1


@dataclass(frozen=True)
class LabelledMels:
    """Mels and the numbers of their classes (sounds,)."""

    mels: Sequence[Mel]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, mels: Sequence[Mel], examples: Sequence[Example], classes: Sequence[str]) -> Self:
        """Give the classes of sounds their numbers."""
        return cls(mels, np.array([classes.index(e.label) for e in examples], np.int64))


class MelClassifierTrainer(ValidatedTrainer):
    """Network, optimiser and the step that updates them."""

    kept = ("network", "optimizer")

    def __init__(
        self,
        recipe: MelClassifierRecipe,
        sounds: LabelledMels,
        held_out: LabelledMels,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Build the network."""
        super().__init__(recipe, seed)
        self.recipe: MelClassifierRecipe = recipe
        self.kind = recipe.kind
        self.sounds, self.held_out, self.device = sounds, held_out, device
        self.means, self.deviations = row_statistics(sounds.mels)
        self._shares = shares(recipe.batch, recipe.accumulate)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: Classifier = build_classifier(recipe.network)
        self.network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )

    def update(self, step: int) -> dict[str, float]:
        """Do one update; returns the loss, and the share of the batch that was recognised."""
        self.optimizer.zero_grad(set_to_none=True)
        self.network.train()
        scores = {"loss": 0.0, "accuracy": 0.0}
        for part, share in enumerate(self._shares):
            logits, wanted = self._logits(step, part, share)
            loss = F.cross_entropy(logits, wanted)
            share.weigh(loss).backward()
            right = float((logits.argmax(1) == wanted).float().mean())
            for name, value in share.mean(
                {"loss": float(loss.detach()), "accuracy": right}
            ).items():
                scores[name] += value
        sum_gradients(self.network.parameters())
        self.optimizer.step()
        return scores

    def _logits(self, step: int, part: int, share: Share) -> tuple[Tensor, Tensor]:
        recipe, sounds = self.recipe, self.sounds
        windows = window_batch(sounds.mels, recipe.sight, self.seed, step, recipe.batch, share.rows)
        numbers = drawn(self.seed, step, recipe.batch, len(sounds.mels))[share.rows]
        rng = np.random.default_rng([self.seed, step, _DROPOUT, part])
        with torch.random.fork_rng(devices=[]), share.whole_batch():
            torch.manual_seed(int(rng.integers(2**62)))
            logits, _ = self.network(self._standardised(windows))
        return logits, torch.from_numpy(sounds.labels[numbers]).to(self.device)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Recognise a window of every held-out sound; see :func:`class_figures`."""
        labels = self.held_out.labels
        if not len(labels):
            return {}
        logits = torch.zeros(len(labels), len(self.recipe.classes))
        self.network.eval()
        for number in own(len(labels)):
            window = cut(self.held_out.mels[number], self.recipe.sight)[None]
            logits[number] = self.network(self._standardised(window))[0][0].cpu()
        return class_figures(over_all(logits).numpy(), labels)

    def _standardised(self, windows: NDArray[np.float32]) -> Tensor:
        """(B, 80, T) in [0, 1] -> (B, 1, 80, T), every row standardised."""
        spread = np.maximum(self.deviations, np.float32(LEAST_SPREAD))
        rows = (windows - self.means[:, None]) / spread[:, None]
        return torch.from_numpy(rows)[:, None].to(self.device)

    def cost(self, scores: Mapping[str, float]) -> float:
        """See :meth:`ValidatedTrainer.cost`."""
        return scores["loss"]

    def model_config(self) -> dict[str, Any]:
        """Return the network's size, the names of its classes, and how it is to listen."""
        sight = self.recipe.sight
        front = SPECVQGAN_CODEC if sight.whole else SPECVQGAN  # all of a sound, or its first 10 s
        return {
            **asdict(self.recipe.network),
            "class_names": list(self.recipe.classes),
            "rows": {"mean": self.means.tolist(), "std": self.deviations.tolist()},
            "front_end": front.as_dict(),
            "window_frames": sight.frames,
        }

    def model_tensors(self) -> dict[str, Tensor]:
        """See :meth:`ValidatedTrainer.model_tensors`."""
        return self.network.state_dict()
