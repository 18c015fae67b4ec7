"""FoleyGAN's recipe: the spectrogram generator of Algorithm 1, lines 5-11.

The networks see (class, S_act) pairs that belong to one recording; only the noise is free. The
discriminator is given the action too, and *mismatched* pairs (a real picture beside another
recording's S_act) count as half a fake each, as in matching-aware GANs: without them a
discriminator need not look whether sound and action agree, and the generator need not make them.
Everything is a function of (seed, step), so that a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.checkpoints import save_checkpoint
from foleycli.models.biggan import Discriminator, Generator, start_action_at_zero
from foleycli.models.spectral_norm import add_orthogonal_penalty_gradient, initialise_orthogonal
from foleycli.training.ema import MovingAverage
from foleycli.training.foleygan_recipe import Recipe
from foleycli.training.loop import check_same_recipe
from foleycli.training.losses import band_envelope_distance, discriminator_hinge, generator_hinge
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import shares
from foleycli.training.texture import fit_texture
from foleycli.training.tiles import Recording, cut_tile

KIND = "foleygan"


@dataclass
class Batch:
    """Tensors of one micro-batch: pictures (B, C, H, W), S_act (B, 3, H, W), labels (B,).

    ``before`` (1, 3, H, W) is the S_act of the row before the first, the last coming before it.
    """

    picture: Tensor
    s_act: Tensor
    labels: Tensor
    before: Tensor


class Trainer:
    """Networks, optimisers and the step that updates them."""

    def __init__(
        self, recipe: Recipe, recordings: Sequence[Recording], seed: int, device: str = "cpu"
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self._share = shares(recipe.batch)[0]
        self.by_class = [
            [r for r in recordings if r.label == label] for label in range(len(recipe.classes))
        ]
        empty = [c for c, found in zip(recipe.classes, self.by_class, strict=True) if not found]
        if empty:
            raise ValueError(f"no training clips with sound for: {', '.join(empty)}")
        self.texture = fit_texture(recordings, len(recipe.classes), recipe.spec)
        self.generator = _prepared(Generator(recipe.generator), seed, device)
        start_action_at_zero(self.generator)
        self.discriminator = _prepared(Discriminator(recipe.discriminator), seed + 1, device)
        self.average = MovingAverage(self.generator, recipe.ema_decay)
        self.g_optimizer = _adam(self.generator, recipe.g_rate)
        self.d_optimizer = _adam(self.discriminator, recipe.d_rate)

    def train_step(self, step: int) -> dict[str, float]:
        """Do ``d_steps`` discriminator updates and a generator update; return the mean losses."""
        sums: dict[str, float] = {}
        for turn in range(self.recipe.d_steps):
            last = turn == self.recipe.d_steps - 1
            self.d_optimizer.zero_grad(set_to_none=True)
            self.g_optimizer.zero_grad(set_to_none=True)
            pending = []
            for micro in range(self.recipe.accumulate):
                batch = self._batch(step, turn, micro)
                with torch.set_grad_enabled(last):
                    fake = self._generate(batch, step, turn, micro)
                shift = _shared_augmentation(self.recipe, self._rng(step, turn, micro, 2))
                loss = self._discriminator_loss(batch, fake.detach(), shift)
                self._share.weigh(loss / self.recipe.accumulate).backward()
                _add(
                    sums,
                    "d_loss",
                    float(loss.detach()) / self.recipe.accumulate / self.recipe.d_steps,
                )
                if last:
                    pending.append((batch, fake, shift))
            sum_gradients(self.discriminator.parameters())
            self.d_optimizer.step()
        self._generator_update(pending, step, sums)
        self.average.update(self.generator, step)
        return self._share.mean(sums)

    def _generator_update(
        self, pending: list[tuple[Batch, Tensor, Augmentation]], step: int, sums: dict[str, float]
    ) -> None:
        self.discriminator.requires_grad_(False)
        for batch, fake, shift in pending:
            logits = self.discriminator(
                shift(fake), batch.labels, self._d_action(shift(batch.s_act))
            )
            adversarial = generator_hinge(logits)
            envelope = band_envelope_distance(fake, batch.picture)
            loss = (adversarial + self.recipe.envelope * envelope) / self.recipe.accumulate
            self._share.weigh(loss).backward()
            _add(sums, "g_loss", float(adversarial.detach()) / self.recipe.accumulate)
            _add(sums, "envelope", float(envelope.detach()) / self.recipe.accumulate)
        self.discriminator.requires_grad_(True)
        sum_gradients(self.generator.parameters())
        add_orthogonal_penalty_gradient(
            self.generator, self.recipe.orthogonal, skip=[self.generator.shared.weight]
        )
        self.g_optimizer.step()

    def _discriminator_loss(self, batch: Batch, fake: Tensor, shift: Augmentation) -> Tensor:
        action = self._d_action(shift(batch.s_act))
        real, made = shift(batch.picture), shift(fake)
        loss = discriminator_hinge(
            self.discriminator(real, batch.labels, action),
            self.discriminator(made, batch.labels, action),
        )
        if action is not None and self.recipe.mismatch > 0:
            # Batches are shuffled, so the neighbour is another recording.
            other = torch.cat([shift(batch.before), action[:-1]])
            wrong = self.discriminator(real, batch.labels, other)
            loss = loss + self.recipe.mismatch * F.relu(1 + wrong).mean()
        return loss

    def _d_action(self, s_act: Tensor) -> Tensor | None:
        return s_act if self.recipe.discriminator.action else None

    def _generate(self, batch: Batch, step: int, turn: int, micro: int) -> Tensor:
        noise = torch.Generator().manual_seed(int(self._rng(step, turn, micro, 1).integers(2**62)))
        z = torch.randn(self.recipe.batch, self.recipe.generator.z_width, generator=noise)
        z = z[self._share.rows].to(self.device)
        with self._share.whole_batch():
            made: Tensor = self.generator(z, batch.labels, batch.s_act)
        return made

    def _batch(self, step: int, turn: int, micro: int) -> Batch:
        """Draw class-balanced tiles: classes in turn, recordings and crops at random.

        All are cut, of which this process's share is taken: where in the random numbers a tile
        begins depends on those before it.
        """
        rng = self._rng(step, turn, micro, 0)
        labels = rng.permutation(np.arange(self.recipe.batch) + rng.integers(10**6)) % len(
            self.by_class
        )
        tiles = []
        for label in labels:
            found = self.by_class[label]
            tiles.append(cut_tile(found[rng.integers(len(found))], self.recipe.spec, rng))
        before, tiles = tiles[self._share.rows.start - 1], tiles[self._share.rows]
        return Batch(
            torch.from_numpy(np.stack([t.picture for t in tiles])).to(self.device),
            torch.from_numpy(np.stack([t.s_act for t in tiles])).to(self.device),
            torch.tensor([t.label for t in tiles], device=self.device),
            torch.from_numpy(before.s_act[None]).to(self.device),
        )

    def _rng(self, step: int, turn: int, micro: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, step, turn, micro, purpose])

    def model_tensors(self) -> dict[str, Tensor]:
        """Return what generation needs: the averaged generator, and the texture beside it."""
        texture = {f"texture.{name}": t for name, t in self.texture.state_dict().items()}
        return {**self.average.network.state_dict(), **texture}

    def save_model(self, path: Path, provenance: dict[str, Any]) -> None:
        """Write what :class:`~foleycli.generation.SoundGenerator` loads."""
        save_checkpoint(
            path,
            kind=KIND,
            config=model_config(self.recipe),
            tensors=self.model_tensors(),
            provenance={**provenance, "seed": self.seed, "recipe": self.recipe.as_dict()},
        )

    def state(self, step: int) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": step,
            "seed": self.seed,
            "recipe": self.recipe.as_dict(),
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.average.network.state_dict(),
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Take up a saved state; returns the number of steps done."""
        check_same_recipe(
            state["recipe"], self.recipe.as_dict() | {"steps": state["recipe"]["steps"]}
        )
        check_same_recipe({"seed": state["seed"]}, {"seed": self.seed})
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.average.network.load_state_dict(state["average"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])
        return int(state["step"])


def model_config(recipe: Recipe) -> dict[str, Any]:
    """Return what a checkpoint needs for inference: front end, classes, generator."""
    plain = recipe.as_dict()
    return {name: plain[name] for name in ("front_end", "classes", "generator")}


class Augmentation:
    """One circular shift in time and one gain, for pictures real and made and S_act alike."""

    def __init__(self, shift: int = 0, gain: float = 0.0) -> None:
        self.shift, self.gain = shift, gain

    def __call__(self, tensor: Tensor) -> Tensor:
        """Shift (B, C, H, W) along time; change the level of mel pictures."""
        shifted = tensor.roll(self.shift, 3) if self.shift else tensor
        if tensor.shape[1] == 3 or not self.gain:  # S_act and phase pictures keep their level
            return shifted
        return shifted + self.gain * (shifted + 1).clamp(0, 1)  # silence stays silence


def _shared_augmentation(recipe: Recipe, rng: np.random.Generator) -> Augmentation:
    """Draw what is done to real and made pictures, so that few are not learned by heart."""
    if not recipe.augment:
        return Augmentation()
    frames = recipe.spec.tile_frames
    return Augmentation(
        int(rng.integers(-frames // 4, frames // 4 + 1)), float(rng.uniform(-0.1, 0.1))
    )


def _prepared(network: nn.Module, seed: int, device: str) -> Any:
    initialise_orthogonal(network, seed)
    # Channels last is 1.6 to 3.4 times faster on a CPU.
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, 0.999), eps=1e-6)


def _add(sums: dict[str, float], name: str, value: float) -> None:
    sums[name] = sums.get(name, 0.0) + value
