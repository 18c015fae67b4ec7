"""Sound2Scene's recipe (Sung-Bin et al. 2023): a sound is put among the features of pictures.

Three stages: a picture encoder, trained here or given, frozen then; an audio encoder, drawn to it
by InfoNCE; and an IC-GAN that draws from features. Everything is a function of (seed, step), so
that a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from foleycli.checkpoints import save_checkpoint
from foleycli.models.resnet import ResNet
from foleycli.models.scene_audio_encoder import SceneAudioEncoder, SceneAudioEncoderConfig
from foleycli.models.squeezenet import SqueezeNet
from foleycli.training.contrastive import order_of_levels, unit
from foleycli.training.hearing import SCENE
from foleycli.training.loop import fastest_layout, one_cycle
from foleycli.training.picture_encoder import EncoderStage, frozen_encoder, picture_features
from foleycli.training.picture_gan import GANStage
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import Share, shares
from foleycli.training.sound2scene_recipe import STAGES, Sound2SceneRecipe, SoundRecipe
from foleycli.training.sound_pictures import Draw, SoundPictures
from foleycli.training.stages import Results, Stage, named_tensors, part

KIND = "sound2scene"

View = Callable[[NDArray[Any]], NDArray[np.float32]]

_BATCH = 32
_LOUDEST_DB = (-18.0, 12.0)  # of three levels, the first
_FALL_DB = (3.0, 12.0)  # from one to the next
_LEVEL_MARGIN = 0.03  # of distances between unit features


class SoundStage(Stage):
    """Draws sounds to the frozen features of their pictures."""

    kept = ("network", "optimizer")
    number = 2

    def __init__(
        self,
        recipe: SoundRecipe,
        network: SceneAudioEncoderConfig,
        pairs: SoundPictures,
        features: Tensor,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.recipe, self.pairs, self.seed, self.device = recipe, pairs, seed, device
        self.features, self._draw, self._share = features, Draw(pairs), shares(recipe.batch)[0]
        self._levelled = shares(recipe.levelled)[0] if recipe.levelled else None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.network = SceneAudioEncoder(network)
        self.network.to(device=device, memory_format=fastest_layout(network.width))  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )

    def train_step(self, step: int) -> dict[str, float]:
        """Do one update; returns the loss and how near what belongs together is."""
        recipe = self.recipe
        rate = one_cycle(step, recipe.steps) if recipe.one_cycle else 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * rate
        sounds, pictures, groups = self._draw.batch(recipe.batch, self.rng(step, 0))
        views = self._views(sounds, step)
        self.network.train()
        with self._share.whole_batch():
            own = unit(self.network(torch.from_numpy(views)[:, None].to(self.device)))
        audio = self._share.gathered(own)  # a sound's wrong answers are the pictures of all
        image = self.features[torch.from_numpy(pictures)].to(self.device)
        loss = grouped_infonce(audio, image, torch.from_numpy(groups), recipe.temperature)
        squared = (audio - image).square().sum(1).mean()
        self.optimizer.zero_grad(set_to_none=True)
        self._share.weigh(loss + recipe.pull * squared).backward()
        order = self._learn_order(step, self._levelled) if self._levelled else {}
        sum_gradients(self.network.parameters())
        self.optimizer.step()
        return {"infonce": float(loss.detach()), "cosine": 1 - float(squared.detach()) / 2} | order

    def _learn_order(self, step: int, share: Share) -> dict[str, float]:
        """Add the gradient of the order of levels; returns that loss."""
        rng = self.rng(step, 2)
        sounds, _, _ = self._draw.batch(share.batch, rng)
        falls = np.cumsum([rng.uniform(*_FALL_DB, share.batch) for _ in range(2)], axis=0)
        gains = rng.uniform(*_LOUDEST_DB, share.batch) - [np.zeros(share.batch), *falls]
        views = np.stack(
            [
                SCENE.at_gain(self.pairs.sounds[i], gain)
                for level in gains
                for i, gain in zip(sounds[share.rows], level[share.rows], strict=True)
            ]
        )
        self.network.eval()  # sweeps are heard in evaluation, by running statistics
        heard = unit(self.network(torch.from_numpy(views)[:, None].to(self.device)))
        loss = order_of_levels(*heard.chunk(3), margin=_LEVEL_MARGIN)
        share.weigh(loss).backward()
        return share.mean({"order": float(loss.detach())})

    def _views(self, sounds: NDArray[np.int64], step: int) -> NDArray[np.float32]:
        rows = self._share.rows
        if not self.recipe.augment:
            return np.stack([SCENE.view(self.pairs.sounds[i]) for i in sounds[rows]])
        rng, levels = self.rng(step, 1), self.pairs.sounds
        others = rng.integers(len(levels), size=len(sounds))
        views = [SCENE.view(levels[i], rng, levels[o]) for i, o in zip(sounds, others, strict=True)]
        return np.stack(views[rows])

    def result(self) -> dict[str, Tensor]:
        """See :meth:`Stage.result`: the audio encoder."""
        return named_tensors("audio", self.network)


def grouped_infonce(
    audio: Tensor, image: Tensor, groups: Tensor, temperature: float = 1.0
) -> Tensor:
    """Symmetric InfoNCE on distances where several pairs may be of one group.

    All of a group are right answers, equally likely. Where every group is there once, and at the
    temperature 1, this is :func:`foleycli.training.contrastive.infonce_of_distance`; where groups
    repeat, its least value is higher by the entropy of the answers.

    Parameters
    ----------
    audio, image : (B, D) floating point
        Of unit length; rows with the same index belong together.
    groups : (B,) int64
    """
    exact = "donot_use_mm_for_euclid_dist"
    logits = -torch.cdist(image, audio, compute_mode=exact) / temperature
    right = (groups[:, None] == groups[None, :]).to(logits)
    answers = right / right.sum(1, keepdim=True)
    return (F.cross_entropy(logits, answers) + F.cross_entropy(logits.T, answers)) / 2


@torch.no_grad()
def sound_features(
    network: SceneAudioEncoder, levels: list[NDArray[Any]], device: str, view: View = SCENE.view
) -> Tensor:
    """Describe sounds, as ``view`` has them, by unit features (N, D) on the CPU."""
    network = network.eval()
    rows = [torch.zeros(0, network.config.features)]
    for start in range(0, len(levels), _BATCH):
        views = np.stack([view(sound) for sound in levels[start : start + _BATCH]])
        rows.append(unit(network(torch.from_numpy(views)[:, None].to(device))).cpu())
    return torch.cat(rows)


def _at_any_gain(levels: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    return SCENE.at_gain(levels, rng.uniform(_LOUDEST_DB[0] - _FALL_DB[1], _LOUDEST_DB[1]))


class Sound2SceneCourse:
    """The three stages; see :class:`foleycli.training.stages.Course`."""

    def __init__(
        self,
        recipe: Sound2SceneRecipe,
        pairs: SoundPictures,
        seed: int,
        device: str = "cpu",
        *,
        encoder: Mapping[str, Tensor] | None = None,
        teacher: SqueezeNet | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.recipe, self.pairs, self.seed, self.device = recipe, pairs, seed, device
        self.save_every = recipe.save_every
        self.steps: Mapping[str, int] = {name: getattr(recipe, name).steps for name in STAGES}
        self._encoder, self._teacher, self._progress = encoder, teacher, progress

    def settings(self) -> dict[str, Any]:
        """See :class:`Course`."""
        return self.recipe.as_dict()

    def given(self) -> dict[str, dict[str, Tensor]]:
        """See :class:`Course`."""
        if self._encoder is None:
            return {}
        return {"picture": {f"image.{name}": t for name, t in self._encoder.items()}}

    def stage(self, name: str, results: Results) -> Stage:
        """See :class:`Course`."""
        recipe, common = self.recipe, (self.seed, self.device)
        if name == "picture":
            return EncoderStage(
                *(recipe.picture, recipe.image, recipe.image_pixels, self.pairs, *common),
                teacher=self._teacher,
                progress=self._progress,
            )
        trunk = self._trunk(results)
        if name == "sound":
            features = picture_features(
                trunk, self.pairs.pictures, recipe.image_pixels, self.device
            )
            return SoundStage(recipe.sound, recipe.audio, self.pairs, features, *common)
        return GANStage(recipe, self.pairs, trunk, self._heard(results), *common)

    def _trunk(self, results: Results) -> ResNet:
        return frozen_encoder(self.recipe.image, part(results["picture"], "image"), self.device)

    def _heard(self, results: Results) -> Tensor:
        """Describe the sounds as they are, altered, and where levels count at other levels too.

        Returns (1 + copies, sounds, D) unit features, or half as many copies more.
        """
        if not self.recipe.gan.heard:
            return torch.zeros(0, len(self.pairs.sounds), self.recipe.audio.features)
        copies = self.recipe.gan.copies
        rngs = [np.random.default_rng([self.seed, 0, copy]) for copy in range(copies + copies // 2)]
        views: list[View] = [SCENE.view, *(partial(SCENE.view, rng=rng) for rng in rngs[:copies])]
        if self.recipe.sound.levelled:
            views += [partial(_at_any_gain, rng=rng) for rng in rngs[copies:]]
        network = SceneAudioEncoder(self.recipe.audio)
        network.load_state_dict(part(results["sound"], "audio"))
        network.to(device=self.device, memory_format=fastest_layout(network.config.width))  # type: ignore[call-overload]
        return torch.stack(
            [sound_features(network, self.pairs.sounds, self.device, view) for view in views]
        )

    def save_model(self, path: Path, results: Results, provenance: dict[str, Any]) -> None:
        """See :class:`Course`; before there is an audio encoder nothing is written."""
        if "sound" not in results:
            return
        recipe = self.recipe.as_dict()
        config = {
            "audio": recipe["audio"],
            "generator": recipe["generator"] if "gan" in results else None,
            "image": {
                "network": asdict(self.recipe.image),
                "pixels": self.recipe.image_pixels,
                "fit": self.recipe.fit,
            },
            "front_end": SCENE.front.as_dict(),
            "classes": recipe["classes"],
        }
        tensors = {name: t for stage in results.values() for name, t in stage.items()}
        save_checkpoint(
            path, kind=KIND, config=config, tensors=tensors, provenance=provenance, half=True
        )
