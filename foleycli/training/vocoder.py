"""Trains MelGAN (Kumar et al. 2019) to turn SpecVQGAN's mel of any sound back into that sound.

An update takes the discriminators down their hinge loss and the generator down its own
(``vocoder_losses.py``), which listens to the discriminators as they were before the update. The mel
that the generator is given is that of the very samples it is to make, at the level they have then,
with what stands around them in the recording: at its ends it is as in the middle of a sound.

The best generator is the one of least mean absolute difference of mels on sounds held out, as for
the published one; where discriminators come in later, of those that were trained with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.dsp.front_ends.specvqgan import SPECVQGAN_CODEC
from foleycli.dsp.front_ends.table import front_end
from foleycli.models.melgan import (
    SLOPE,
    MelganDiscriminator,
    MelganGenerator,
    Residual,
    WNConv1d,
    WNLengthening,
)
from foleycli.training.mel_data import Wave, drawn, places
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import Share, shares
from foleycli.training.stages import named_tensors
from foleycli.training.validated import ValidatedTrainer, over_all, own
from foleycli.training.vocoder_losses import (
    MelDistance,
    vocoder_discriminator_loss,
    vocoder_generator_loss,
)
from foleycli.training.vocoder_recipe import VocoderRecipe

_BETAS = (0.5, 0.9)
_PEAK = 0.95
_GAIN = 3  # what random numbers are for; mel_data.py has 0 and 1
_AROUND = 2  # frames beside a segment that its mel reaches into

HOP_SAMPLES = SPECVQGAN_CODEC.grid.hop_samples


class VocoderTrainer(ValidatedTrainer):
    """Generator, discriminators, and the step that updates them."""

    kind = "vocoder"
    kept = ("generator", "discriminator", "optimizer", "judge_optimizer")

    def __init__(
        self,
        recipe: VocoderRecipe,
        waves: Sequence[Wave],
        held_out: Sequence[Wave],
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Build the networks.

        Raises
        ------
        ValueError
            When there is no sound, or the generator's frames have another length.
        """
        super().__init__(recipe, seed)
        if not waves:
            raise ValueError("no sounds to train on")
        if recipe.generator.hop_samples != HOP_SAMPLES:
            raise ValueError(
                f"ratios={recipe.generator.ratios}; their product must be {HOP_SAMPLES}, a frame"
            )
        self.recipe: VocoderRecipe = recipe
        self.waves, self.held_out, self.device = waves, held_out, device
        self.judged_from = recipe.starts_at
        self._shares = shares(recipe.batch, recipe.accumulate)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = MelganGenerator(recipe.generator)
            if recipe.mel:
                start_audible(self.generator)
            self.generator.to(device)
            self.discriminator = MelganDiscriminator(recipe.discriminator).to(device)
        self.distance = MelDistance().to(device)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), recipe.rate, _BETAS)
        self.judge_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), recipe.rate, _BETAS
        )

    def update(self, step: int) -> dict[str, float]:
        """Do one update; returns the losses, and the mean difference of mels in [0, 1]."""
        heard = step >= self.recipe.starts_at
        self.optimizer.zero_grad(set_to_none=True)
        self.judge_optimizer.zero_grad(set_to_none=True)
        scores: dict[str, float] = {}
        for share in self._shares:
            for name, value in share.mean(self._backward(step, share, heard)).items():
                scores[name] = scores.get(name, 0.0) + value
        sum_gradients(self.generator.parameters())
        self.optimizer.step()
        if heard:
            sum_gradients(self.discriminator.parameters())
            self.judge_optimizer.step()
        return scores

    def _backward(self, step: int, share: Share, heard: bool) -> dict[str, float]:
        wave, mel = self._segments(step, share.rows)
        made = self.generator(mel)
        mel_l1 = self.distance(made, wave)
        loss = self.recipe.mel * mel_l1
        scores = {"mel_l1": float(mel_l1.detach())}
        if heard:
            real = self.discriminator(wave)
            judged = vocoder_discriminator_loss(real, self.discriminator(made.detach()))
            share.weigh(judged).backward()
            self.discriminator.requires_grad_(False)
            adversarial = vocoder_generator_loss(real, self.discriminator(made))
            self.discriminator.requires_grad_(True)
            loss = loss + adversarial
            scores["discriminator"] = float(judged.detach())
            scores["adversarial"] = float(adversarial.detach())
        share.weigh(loss).backward()
        return scores

    def _segments(self, step: int, rows: slice) -> tuple[Tensor, Tensor]:
        """Return some rows of a step's batch: sound (B, 1, N), and its mel (B, 80, T)."""
        recipe, around = self.recipe, _AROUND * HOP_SAMPLES
        numbers = drawn(self.seed, step, recipe.batch, len(self.waves))[rows]
        begins = places(self.seed, step, recipe.batch)[rows]
        rng = np.random.default_rng([self.seed, step, _GAIN])
        gains = rng.uniform(recipe.quietest, 1, recipe.batch)[rows]
        length = recipe.segment_samples + 2 * around
        found = []
        for number, place, gain in zip(numbers, begins, gains, strict=True):
            wave = self.waves[number]
            first = int(place * (len(wave) - length + 1))
            found.append(gain * self._levelled(wave, wave[first : first + length]))
        sound = torch.from_numpy(np.stack(found).astype(np.float32))[:, None].to(self.device)
        # One frame more than hops: both ends are a frame's centre.
        mel = self.distance.mel(sound)[..., _AROUND : _AROUND + recipe.segment_frames]
        return sound[..., around:-around], mel

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Vocode the middle of every held-out sound.

        Returns
        -------
        dict
            ``mel_l1``: mean absolute difference of mels in [0, 1], of which 0.01 is 1 dB.
        """
        if not self.held_out:
            return {}
        total = torch.zeros(1, dtype=torch.float64)
        for number in own(len(self.held_out)):
            wave = self.held_out[number]
            frames = min(len(wave) // HOP_SAMPLES, self.recipe.valid_frames)
            first = (len(wave) - frames * HOP_SAMPLES) // 2
            part = self._levelled(wave, wave[first : first + frames * HOP_SAMPLES])
            sound = torch.from_numpy(part.astype(np.float32))[None, None].to(self.device)
            made = self.generator(self.distance.mel(sound)[..., :frames])
            total += float(self.distance(made, sound))
        return {"mel_l1": float(over_all(total)) / len(self.held_out)}

    def _levelled(self, wave: Wave, part: Wave) -> NDArray[np.float64]:
        """Bring a part of a sound to full scale 1, or the whole's peak to 0.95."""
        peak = np.abs(wave.astype(np.int32)).max() / _PEAK if self.recipe.normalised else 0
        return part / (peak or 2**15)

    def cost(self, scores: Mapping[str, float]) -> float:
        """See :meth:`ValidatedTrainer.cost`."""
        return scores["mel_l1"]

    def model_config(self) -> dict[str, Any]:
        """See :meth:`ValidatedTrainer.model_config`."""
        front = front_end("specvqgan").as_dict()
        return {"network": self.recipe.generator.as_dict(), "front_end": front}

    def model_tensors(self) -> dict[str, Tensor]:
        """See :meth:`ValidatedTrainer.model_tensors`."""
        return named_tensors("generator", self.generator)


@torch.no_grad()
def start_audible(generator: MelganGenerator) -> None:
    """Draw first weights that keep the size of what passes (He et al. 2015).

    The published ones, of a deviation of 0.02, make a wave that is below the mel's floor, the more
    so the fewer channels there are. An adversary hears it, the distance of mels does not: it has no
    gradient there.
    """
    halved = {
        layer
        for block in generator.modules()
        if isinstance(block, Residual)
        for layer in (block.shortcut, block.block[-1])  # their sum is to have the size of one
    }
    for layer in generator.modules():
        if not isinstance(layer, WNConv1d | WNLengthening):
            continue
        inputs = layer.in_channels * layer.kernel_size[0] // layer.stride[0]
        variance = 2 / (1 + SLOPE**2) / inputs / (2 if layer in halved else 1)
        layer.weight_v.normal_(0, variance**0.5)
        layer.weight_g.copy_(torch.linalg.vector_norm(layer.weight_v, dim=(1, 2), keepdim=True))


def least_samples(recipe: VocoderRecipe) -> int:
    """Return the samples that a sound must have to be cut from."""
    return recipe.segment_samples + 2 * _AROUND * HOP_SAMPLES
