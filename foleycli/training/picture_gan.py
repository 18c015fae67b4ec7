"""The IC-GAN of Sound2Scene: draws what belongs to a feature (Casanova et al. 2021).

The condition is the feature of a picture, and what the discriminator is shown as real is one of
its nearest neighbours, so that the generator learns a neighbourhood and not one picture. Two
departures, both off in the paper's preset, make pictures of small runs recognisable: a share of
the conditions are features of sounds, with a picture that the sound may meet as real; and what is
drawn should have the feature that it was drawn for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.models.icgan import ICGANDiscriminator, ICGANGenerator, Standardised
from foleycli.models.resnet import ResNet
from foleycli.models.spectral_norm import initialise_orthogonal
from foleycli.training.contrastive import unit
from foleycli.training.diff_augment import diff_augment
from foleycli.training.ema import MovingAverage
from foleycli.training.losses import discriminator_hinge, generator_hinge
from foleycli.training.picture_encoder import as_seen, picture_features
from foleycli.training.pictures import squeeze
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import shares
from foleycli.training.sound2scene_recipe import Sound2SceneRecipe
from foleycli.training.sound_pictures import Draw, SoundPictures
from foleycli.training.stages import Stage, named_tensors

_BLOCK = 1024  # rows of similarities at a time


class GANStage(Stage):
    """Generator and discriminator, on pictures that some sound meets.

    Parameters
    ----------
    trunk
        The frozen picture encoder.
    heard : (copies, sounds, D) float32
        Unit features of every sound; no copies where sounds are not to be conditions.
    """

    kept = ("generator", "discriminator", "average.network", "g_optimizer", "d_optimizer")
    number = 3

    def __init__(
        self,
        recipe: Sound2SceneRecipe,
        pairs: SoundPictures,
        trunk: ResNet,
        heard: Tensor,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.recipe, self.options, self.seed, self.device = recipe, recipe.gan, seed, device
        self.trunk, self.heard = trunk, heard
        met = np.flatnonzero(pairs.picture_group >= 0)
        seen, pixels = pairs.pictures[met], recipe.image_pixels
        sides = (seen, seen[:, :, ::-1])  # as it is, and mirrored
        self.features = torch.stack([picture_features(trunk, s, pixels, device) for s in sides])
        self.pictures = np.stack([squeeze(p, recipe.generator.pixels) for p in seen])
        self.neighbours = nearest(self.features[0], self.options.neighbours)
        self._place = np.full(len(pairs.pictures), -1)
        self._place[met] = np.arange(len(met))
        self._draw, self._share = Draw(pairs), shares(self.options.batch)[0]
        self.generator = _prepared(ICGANGenerator(recipe.generator), seed + 2, device)
        self.discriminator = _prepared(ICGANDiscriminator(recipe.discriminator), seed + 3, device)
        self.scale = Standardised(recipe.generator.features)
        self.scale.fit(self.features.flatten(0, 1))
        for network in (self.generator, self.discriminator):
            if network.config.standardised:
                network.scale.load_state_dict(self.scale.state_dict())
        self.average = MovingAverage(self.generator, self.options.average)
        self.g_optimizer = _adam(self.generator, self.options.g_rate)
        self.d_optimizer = _adam(self.discriminator, self.options.d_rate)

    def train_step(self, step: int) -> dict[str, float]:
        """Update the discriminator, then the generator on the same pictures; returns losses."""
        share, rng = self._share, self.torch_rng(step, 1)
        condition, real = self.batch(step)
        z = torch.randn(self.options.batch, self.recipe.generator.z_width, generator=rng)
        self.generator.train()
        with share.whole_batch():
            fake = self.generator(z[share.rows].to(self.device), condition)
        d_loss = self._discriminator_step(real, fake.detach(), condition, step)
        g_loss, distance = self._generator_step(fake, condition, step)
        self.average.update(self.generator, step)
        return share.mean({"d_loss": d_loss, "g_loss": g_loss, "distance": distance})

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Draw conditions (B, D), and real pictures (B, 3, side, side) in [-1, 1].

        Of several processes each gets its share.
        """
        rng, size = self.rng(step, 0), self.options.batch
        sounds, chosen, _ = self._draw.batch(size, rng)
        here = self._place[chosen]
        mirrored = rng.integers(2, size=(2, size))
        column = rng.integers(self.neighbours.shape[1], size=size)
        condition = self.features[torch.from_numpy(mirrored[0]), torch.from_numpy(here)]
        shown = self.neighbours[here, column]
        if len(self.heard):
            by_ear = rng.random(size) < self.options.heard
            copy = rng.integers(len(self.heard), size=size)
            voices = self.heard[torch.from_numpy(copy), torch.from_numpy(sounds)]
            condition = torch.where(torch.from_numpy(by_ear)[:, None], voices, condition)
            shown = np.where(by_ear, here, shown)
        rows = self._share.rows
        condition, pictures, turned = condition[rows], self.pictures[shown[rows]], mirrored[1][rows]
        pictures = np.where(turned[:, None, None, None] == 1, pictures[:, :, ::-1], pictures)
        real = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        return condition.to(self.device), real.to(self.device)

    def _discriminator_step(
        self, real: Tensor, fake: Tensor, condition: Tensor, step: int
    ) -> float:
        self.discriminator.train()
        loss = discriminator_hinge(
            self.discriminator(self._altered(real, step, 2), condition),
            self.discriminator(self._altered(fake, step, 3), condition),
        )
        self.d_optimizer.zero_grad(set_to_none=True)
        self._share.weigh(loss).backward()
        sum_gradients(self.discriminator.parameters())
        self.d_optimizer.step()
        return float(loss.detach())

    def _generator_step(self, fake: Tensor, condition: Tensor, step: int) -> tuple[float, float]:
        # In eval mode the judge's spectral norms stay where its own step left them.
        self.discriminator.eval().requires_grad_(False)
        adversarial = generator_hinge(self.discriminator(self._altered(fake, step, 4), condition))
        with torch.set_grad_enabled(self.options.consistency > 0):
            shown = self._augmented(fake, step, 5, cutout=False)
            made = unit(self.trunk.embed(self._looked_at(shown, step)))
            distance = (1 - F.cosine_similarity(self.scale(made), self.scale(condition))).mean()
        self.g_optimizer.zero_grad(set_to_none=True)
        self._share.weigh(adversarial + self.options.consistency * distance).backward()
        sum_gradients(self.generator.parameters())
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        return float(adversarial.detach()), float(distance.detach())

    def _looked_at(self, pictures: Tensor, step: int) -> Tensor:
        """Show pictures to the encoder through a random smaller size, from half up.

        Gradients of strided convolutions draw a grid of fine lines, which fools the encoder alone;
        what survives shrinking does not.
        """
        side = pictures.shape[2]
        small = int(self.rng(step, 6).integers(side // 2, side + 1))
        coarse = F.interpolate(pictures, (small, small), mode="bilinear", antialias=True)
        return as_seen(coarse, self.recipe.image_pixels)

    def _altered(self, pictures: Tensor, step: int, purpose: int) -> Tensor:
        if not self.options.augment:
            return pictures
        return self._augmented(pictures, step, purpose)

    def _augmented(
        self, pictures: Tensor, step: int, purpose: int, *, cutout: bool = True
    ) -> Tensor:
        # It draws for every row it is given, and rows of other processes count.
        share = self._share
        whole = diff_augment(share.widened(pictures), self.torch_rng(step, purpose), cutout=cutout)
        return share.narrowed(whole)

    def result(self) -> dict[str, Tensor]:
        """See :meth:`Stage.result`: the averaged generator."""
        return named_tensors("generator", self.average.network)


def nearest(features: Tensor, count: int) -> NDArray[np.int64]:
    """Find each unit feature's nearest, itself among them: (N, D) float to (N, count) indices."""
    count = min(count, len(features))
    found = [(rows @ features.T).topk(count).indices for rows in features.split(_BLOCK)]
    return np.asarray(torch.cat(found).numpy())


def _prepared(network: nn.Module, seed: int, device: str) -> Any:
    initialise_orthogonal(network, seed)
    # Channels last is faster on a CPU.
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, 0.999), eps=1e-6)
