"""Trains SpecVQGAN's sampler (Iashin and Rahtu 2021, 3.2) on the codes of sounds.

It learns to tell every code of a window from those before it and from the condition, by the
cross-entropy over the codes alone. AdamW decays the weights of linear layers; biases, norms,
embeddings, positions and the convolution that takes features in are left alone, as published. The
best sampler is the one of least loss on sounds held out, in the window at the middle of each.

Noise in place of features is drawn anew for every window; held-out sounds always get the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.models.code_order import to_sequence
from foleycli.models.code_transformer import CodeTransformer
from foleycli.training.code_data import CodedSound
from foleycli.training.mel_data import drawn, places
from foleycli.training.replicas import sum_gradients
from foleycli.training.sampler_recipe import SamplerRecipe
from foleycli.training.shares import shares
from foleycli.training.stages import named_tensors
from foleycli.training.validated import ValidatedTrainer, over_all, own

_BETAS = (0.9, 0.95)
_NOISE, _JUDGED_NOISE = 5, 6  # what random numbers are for; mel_data.py has 0 and 1


class SamplerTrainer(ValidatedTrainer):
    """Transformer, optimiser and the step that updates them."""

    kind = "sampler"
    kept = ("network", "optimizer")

    def __init__(
        self,
        recipe: SamplerRecipe,
        sounds: Sequence[CodedSound],
        held_out: Sequence[CodedSound],
        column_s: float,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Build the network; ``column_s`` is how many seconds a column of codes stands for.

        Raises
        ------
        ValueError
            When there is no sound.
        """
        super().__init__(recipe, seed)
        if not sounds:
            raise ValueError("no sounds to train on")
        self.recipe: SamplerRecipe = recipe
        self.sounds, self.held_out = sounds, held_out
        self.column_s, self.device = column_s, device
        self._shares = shares(recipe.batch, recipe.accumulate)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = CodeTransformer(recipe.network).to(device)
        self.optimizer = torch.optim.AdamW(
            decaying(self.network, recipe.weight_decay), recipe.rate, _BETAS
        )

    def update(self, step: int) -> dict[str, float]:
        """Do one update; returns the loss in nats a code."""
        self.optimizer.zero_grad(set_to_none=True)
        recipe, lost = self.recipe, 0.0
        numbers = drawn(self.seed, step, recipe.batch, len(self.sounds))
        begins = places(self.seed, step, recipe.batch)
        noise = self._noise(step, _NOISE, recipe.batch)
        for share in self._shares:
            rows = share.rows
            sounds = [self.sounds[number] for number in numbers[rows]]
            logits, codes = self._logits(sounds, list(begins[rows]), noise[rows])
            loss = F.cross_entropy(logits.flatten(0, 1), codes.flatten())
            share.weigh(loss).backward()
            lost += share.mean({"loss": float(loss.detach())})["loss"]
        sum_gradients(self.network.parameters())
        self.optimizer.step()
        return {"loss": lost}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Read the window in the middle of every held-out sound.

        Returns
        -------
        dict
            ``loss`` in nats a code, ``perplexity``, its exponential, and ``accuracy``, how often
            the likeliest code is the right one.
        """
        count = len(self.held_out)
        if not count:
            return {}
        self.network.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        mine, size = own(count), max(1, self.recipe.batch // self.recipe.accumulate)
        for first in range(0, len(mine), size):
            numbers = mine[first : first + size]
            noise = torch.cat([self._noise(number, _JUDGED_NOISE, 1) for number in numbers])
            sounds = [self.held_out[number] for number in numbers]
            logits, codes = self._logits(sounds, [None] * len(sounds), noise)
            loss = F.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction="sum")
            right = (logits.argmax(2) == codes).sum()
            sums += torch.tensor([float(loss), float(right)], dtype=torch.float64)
        self.network.train()
        loss, accuracy = (over_all(sums) / (count * self.recipe.network.length)).tolist()
        return {"loss": loss, "perplexity": float(np.exp(loss)), "accuracy": accuracy}

    def _logits(
        self, sounds: Sequence[CodedSound], begins: Sequence[float | None], noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return ``[B, length, codes]`` logits, and the codes ``[B, length]`` that are right."""
        size = self.recipe.network
        firsts = [
            sound.first_column(size.columns, place)
            for sound, place in zip(sounds, begins, strict=True)
        ]
        windows = [
            sound.codes[:, first : first + size.columns]
            for sound, first in zip(sounds, firsts, strict=True)
        ]
        codes = to_sequence(torch.from_numpy(np.stack(windows).astype(np.int64)))
        features = labels = None
        if size.condition == "noise":
            features = noise
        elif size.has_features:
            seen = [
                sound.features(first, size.columns, self.column_s, size.features)
                for sound, first in zip(sounds, firsts, strict=True)
            ]
            features = torch.cat(seen)
        if size.has_class:
            labels = torch.tensor([sound.label for sound in sounds]).to(self.device)
        if features is not None:
            features = features.to(self.device)
        codes = codes.to(self.device)
        return self.network(codes[:, :-1], features, labels), codes

    def _noise(self, number: int, purpose: int, batch: int) -> Tensor:
        """Draw ``[batch, depth, features]`` in [0, 1), empty where the condition is another."""
        size = self.recipe.network
        if size.condition != "noise":
            return torch.empty(batch, 0)
        rng = np.random.default_rng([self.seed, number, purpose])
        shape = (batch, size.feature_depth, size.features)
        return torch.from_numpy(rng.random(shape, np.float32))

    def cost(self, scores: Mapping[str, float]) -> float:
        """See :meth:`ValidatedTrainer.cost`."""
        return scores["loss"]

    def model_config(self) -> dict[str, Any]:
        """Return the network's size, and what its condition and its codes mean."""
        recipe, features = self.recipe, None
        if recipe.features is not None:
            features = {n: v for n, v in asdict(recipe.features).items() if n != "sha256"}
        return {
            "network": recipe.network.as_dict(),
            "classes": list(recipe.classes),
            "features": features,
            "codebook_sha256": recipe.codebook_sha256,
        }

    def model_tensors(self) -> dict[str, Tensor]:
        """See :meth:`ValidatedTrainer.model_tensors`."""
        return named_tensors("sampler", self.network)


def decaying(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Sort parameters into those that decay, weights of linear layers, and the others."""
    linear = [m.weight for m in network.modules() if isinstance(m, nn.Linear)]
    decay = {id(weight) for weight in linear}
    others = [p for p in network.parameters() if id(p) not in decay]
    return [
        {"params": linear, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
