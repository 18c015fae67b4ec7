"""Sound-to-Imagination's recipe (Fanzeres and Nadeu 2023): a second of sound becomes a picture.

Two stages: an autoencoder of seconds, frozen then; and a generator of pictures from its embeddings
with a discriminator of realness and coherence. No training code was published; where the paper is
open the choice is named. Everything is a function of (seed, step), so that a resumed run equals an
uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.checkpoints import save_checkpoint
from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig, xavier_uniform
from foleycli.models.dense_generator import DenseGenerator
from foleycli.models.rc_discriminator import RCDiscriminator
from foleycli.training.hearing import SEGMENT
from foleycli.training.replicas import sum_gradients
from foleycli.training.s2i_recipe import STAGES, AutoencoderRecipe, S2IRecipe
from foleycli.training.shares import shares
from foleycli.training.sound_pictures import Draw, SoundPictures
from foleycli.training.stages import Results, Stage, named_tensors, part

KIND = "s2i"

_REAL, _MADE = 1.0, -1.0  # RC-scores that the discriminator learns to give
_BATCH = 64


class AutoencoderStage(Stage):
    """Learns to write a second of sound down in one embedding."""

    kept = ("network", "head", "optimizer")
    number = 1

    def __init__(
        self,
        recipe: AutoencoderRecipe,
        network: AutoencoderConfig,
        pairs: SoundPictures,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.recipe, self.pairs, self.seed, self.device = recipe, pairs, seed, device
        self._draw, self._share = Draw(pairs), shares(recipe.batch)[0]
        self.network = _prepared(AudioAutoencoder(network), seed, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(network.embedding, len(pairs.labels)).to(device)
        self.optimizer = torch.optim.SGD(
            [*self.network.parameters(), *self.head.parameters()],
            recipe.learning_rate,
            recipe.momentum,
        )

    def train_step(self, step: int) -> dict[str, float]:
        """Do one update; returns the errors of the reconstruction and of the classes."""
        sounds, _, groups = self._draw.batch(self.recipe.batch, self.rng(step, 0))
        share = self._share
        segments = self._segments(sounds, step)
        labels = torch.from_numpy(self.pairs.group_label[groups[share.rows]]).to(self.device)
        self.network.train()
        with torch.random.fork_rng(devices=[]), share.whole_batch():
            torch.manual_seed(self.torch_rng(step, 2).initial_seed())  # dropout
            made, embeddings = self.network(segments)
        error = F.mse_loss(made, segments)
        scores = {"mse": float(error.detach())}
        if self.recipe.labels:
            unlike = F.cross_entropy(self.head(embeddings), labels)
            scores["cross_entropy"] = float(unlike.detach())
            error = error + self.recipe.labels * unlike
        self.optimizer.zero_grad(set_to_none=True)
        share.weigh(error).backward()
        sum_gradients([*self.network.parameters(), *self.head.parameters()])
        self.optimizer.step()
        return share.mean(scores)

    def _segments(self, sounds: NDArray[np.int64], step: int) -> Tensor:
        levels, rng = self.pairs.sounds, self.rng(step, 1) if self.recipe.augment else None
        others = self.rng(step, 3).integers(len(levels), size=len(sounds))
        pieces = ((levels[i], levels[o]) for i, o in zip(sounds, others, strict=True))
        views = [SEGMENT.view(own, rng, other) for own, other in pieces]
        return torch.from_numpy(np.stack(views[self._share.rows]))[:, None].to(self.device)

    def result(self) -> dict[str, Tensor]:
        """See :meth:`Stage.result`: the autoencoder."""
        return named_tensors("autoencoder", self.network)


class TranslatorStage(Stage):
    """Learns to draw what a second of sound belongs to, and to judge that.

    The discriminator is shown real and made pictures in one batch, and is frozen and in evaluation
    mode while the generator learns: its last batch norm would otherwise take away what the scores
    of a batch have in common (see ``models/rc_discriminator.py``).

    Parameters
    ----------
    embeddings : (1 + copies, sounds, D) float32
        Of every sound as it is, and altered.
    """

    kept = ("generator", "judge", "g_optimizer", "d_optimizer", "history")
    number = 2

    def __init__(
        self,
        recipe: S2IRecipe,
        pairs: SoundPictures,
        embeddings: Tensor,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.options, self.pairs, self.embeddings = recipe.translator, pairs, embeddings
        self.seed, self.device = seed, device
        self._draw, self._share = Draw(pairs), shares(self.options.batch)[0]
        self.epoch_steps = max(1, embeddings.shape[1] // self.options.batch)
        self.generator = _prepared(DenseGenerator(recipe.pictures), seed + 1, device)
        self.judge = _prepared(RCDiscriminator(recipe.judge), seed + 2, device)
        rate, momentum = self.options.learning_rate, self.options.momentum
        self.g_optimizer = torch.optim.SGD(self.generator.parameters(), rate, momentum)
        self.d_optimizer = torch.optim.SGD(self.judge.parameters(), rate, momentum)
        # Mean adversarial losses of past epochs, and the sum of the running one's.
        self.history: dict[str, Any] = {"means": [], "sum": 0.0}

    def train_step(self, step: int) -> dict[str, float]:
        """Update the discriminator if it is due, then the generator; returns losses.

        ``adversarial`` is the loss now, ``averaged`` its moving average over epochs, and
        ``adversarial_weight`` what multiplies the gradient of the former.
        """
        share = self._share
        embeddings, real = self.batch(step)
        draws = self.generator.draw(self.options.batch, self.torch_rng(step, 1))[share.rows]
        self.generator.train()
        with share.whole_batch():
            made = self.generator(embeddings, draws.to(self.device))
        scores = {}
        if self.judge_is_due(step):
            scores["d_loss"] = self._judge_step(real, made.detach(), embeddings, step)
        return {**scores, **self._generator_step(real, made, embeddings, step)}

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Draw embeddings (B, D), and pictures (B, 3, side, side) in [-1, 1] they may belong to.

        Of several processes each gets its share.
        """
        rng = self.rng(step, 0)
        sounds, pictures, _ = self._draw.batch(self.options.batch, rng)
        copy = rng.integers(len(self.embeddings), size=len(sounds))
        rows = self._share.rows
        embeddings = self.embeddings[torch.from_numpy(copy[rows]), torch.from_numpy(sounds[rows])]
        real = torch.from_numpy(self.pairs.pictures[pictures[rows]]).permute(0, 3, 1, 2)
        return embeddings.to(self.device), real.to(self.device).float() / 127.5 - 1

    def judge_is_due(self, step: int) -> bool:
        """Whether the discriminator is updated in a step."""
        epochs = self.options.d_every_unit == "epoch"
        return (step // self.epoch_steps if epochs else step) % self.options.d_every == 0

    def _judge_step(self, real: Tensor, made: Tensor, embeddings: Tensor, step: int) -> float:
        """L_D = MSE(D(Y, x), 1) + MSE(D(G(x), x), -1), in one mixed batch."""
        self.judge.train()
        with torch.random.fork_rng(devices=[]), self._share.whole_batch():
            torch.manual_seed(self.torch_rng(step, 2).initial_seed())  # dropout
            found = self.judge(torch.cat([real, made]), torch.cat([embeddings, embeddings]))
        of_real, of_made = found.chunk(2)
        loss = (of_real - _REAL).square().mean() + (of_made - _MADE).square().mean()
        self.d_optimizer.zero_grad(set_to_none=True)
        self._share.weigh(loss).backward()
        sum_gradients(self.judge.parameters())
        self.d_optimizer.step()
        return self._share.mean({"d_loss": float(loss.detach())})["d_loss"]

    def _generator_step(
        self, real: Tensor, made: Tensor, embeddings: Tensor, step: int
    ) -> dict[str, float]:
        """L_G = MSE(Y, G(x)) + lambda L_ma; L_ma = (L_now + past epochs' means) / k."""
        options, past = self.options, self.history["means"]
        self.judge.eval().requires_grad_(False)
        now = (self.judge(made, embeddings) - _REAL).square().mean()
        self.judge.requires_grad_(True)
        # Epochs that have not been yet count as the present: k divides from the first step on.
        unseen = options.averaged - 1 - len(past)
        averaged = (now + sum(past) + unseen * now.detach()) / options.averaged
        error = F.mse_loss(made, real)
        self.g_optimizer.zero_grad(set_to_none=True)
        self._share.weigh(error + options.adversarial * averaged).backward()
        sum_gradients(self.generator.parameters())
        self.g_optimizer.step()
        means = {
            "mse": float(error.detach()),
            "adversarial": float(now.detach()),
            "averaged": float(averaged.detach()),
        }
        means = self._share.mean(means)
        self._remember(means["adversarial"], step)
        return {**means, "adversarial_weight": options.adversarial / options.averaged}

    def _remember(self, loss: float, step: int) -> None:
        self.history["sum"] += loss
        if (step + 1) % self.epoch_steps == 0:
            means = [*self.history["means"], self.history["sum"] / self.epoch_steps]
            kept = self.options.averaged - 1
            self.history.update(means=means[-kept:] if kept else [], sum=0.0)

    def result(self) -> dict[str, Tensor]:
        """See :meth:`Stage.result`: the generator."""
        return named_tensors("generator", self.generator)


@torch.no_grad()
def segment_embeddings(
    network: AudioAutoencoder,
    levels: list[NDArray[Any]],
    device: str,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Embed segments, altered where ``rng`` is given: (N, D) float32 on the CPU."""
    network = network.eval()
    rows = [torch.zeros(0, network.config.embedding)]
    for start in range(0, len(levels), _BATCH):
        views = np.stack([SEGMENT.view(sound, rng) for sound in levels[start : start + _BATCH]])
        rows.append(network.encode(torch.from_numpy(views)[:, None].to(device)).cpu())
    return torch.cat(rows)


class S2ICourse:
    """The two stages; see :class:`foleycli.training.stages.Course`."""

    def __init__(
        self, recipe: S2IRecipe, pairs: SoundPictures, seed: int, device: str = "cpu"
    ) -> None:
        self.recipe, self.pairs, self.seed, self.device = recipe, pairs, seed, device
        self.save_every = recipe.save_every
        self.steps: Mapping[str, int] = {name: getattr(recipe, name).steps for name in STAGES}

    def settings(self) -> dict[str, Any]:
        """See :class:`Course`."""
        return self.recipe.as_dict()

    def given(self) -> dict[str, dict[str, Tensor]]:
        """See :class:`Course`: nothing is."""
        return {}

    def stage(self, name: str, results: Results) -> Stage:
        """See :class:`Course`."""
        recipe, pairs = self.recipe, self.pairs
        if name == "autoencoder":
            return AutoencoderStage(
                recipe.autoencoder, recipe.sounds, pairs, self.seed, self.device
            )
        network = AudioAutoencoder(recipe.sounds)
        network.load_state_dict(part(results["autoencoder"], "autoencoder"))
        network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        rngs = (np.random.default_rng([self.seed, 0, c]) for c in range(recipe.translator.copies))
        embeddings = [
            segment_embeddings(network, pairs.sounds, self.device, rng) for rng in (None, *rngs)
        ]
        return TranslatorStage(recipe, pairs, torch.stack(embeddings), self.seed, self.device)

    def save_model(self, path: Path, results: Results, provenance: dict[str, Any]) -> None:
        """See :class:`Course`; before there is a generator nothing is written.

        The decoder of the autoencoder stays behind in the training state: pictures need it not.
        """
        if "translator" not in results:
            return
        recipe = self.recipe
        save_checkpoint(
            path,
            kind=KIND,
            config={
                "autoencoder": asdict(recipe.sounds),
                "generator": asdict(recipe.pictures),
                "front_end": SEGMENT.front.as_dict(),
                "classes": list(recipe.classes),
            },
            tensors={
                name: t
                for stage in results.values()
                for name, t in stage.items()
                if not name.startswith("autoencoder.convT")
            },
            provenance=provenance,
            half=True,
        )


def _prepared(network: nn.Module, seed: int, device: str) -> Any:
    xavier_uniform(network, torch.Generator().manual_seed(seed))
    # Channels last is faster on a CPU.
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
