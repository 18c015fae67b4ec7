"""The picture encoder of Sound2Scene's space: a small one trained here, or one that is given.

The published system takes SwAV's ResNet-50. Without it a narrow ResNet learns from the pictures'
classes, and from a teacher where there is one (see ``backbone.py``). Its pooled feature, which is
never negative as it follows a ReLU, is what everything else is trained to fit; it is frozen then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from foleycli.checkpoints import load_checkpoint
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.squeezenet import SqueezeNet
from foleycli.training.backbone import BackboneRecipe, Student, ask_teacher, sampling_weights
from foleycli.training.contrastive import unit
from foleycli.training.loop import fastest_layout, one_cycle
from foleycli.training.pictures import Images, blur, crop, recolour, squeeze
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import shares
from foleycli.training.sound_pictures import SoundPictures
from foleycli.training.stages import Stage, named_tensors
from foleycli.vision.backbone import IMAGENET_MEAN, IMAGENET_STD

_BATCH = 64
_COARSEST = 24  # pixels that a blurred picture keeps, at least


@dataclass(frozen=True)
class EncoderRecipe:
    """How a picture encoder is trained: AdamW under a learning rate that rises and falls.

    ``views`` of every picture are drawn once and for all, for the teacher to describe.
    """

    steps: int
    batch: int = 64
    views: int = 3
    learning_rate: float = 2e-3
    weight_decay: float = 0.05


class EncoderStage(Stage):
    """Learns to see: pictures -> their classes, and what a teacher says of them."""

    kept = ("student", "optimizer")
    number = 1

    def __init__(
        self,
        recipe: EncoderRecipe,
        network: ResNetConfig,
        pixels: int,
        pairs: SoundPictures,
        seed: int,
        device: str = "cpu",
        *,
        teacher: SqueezeNet | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.recipe, self.pixels, self.seed, self.device = recipe, pixels, seed, device
        self.pictures, self.labels = pairs.pictures, pairs.picture_label
        self._share = shares(recipe.batch)[0]
        if teacher is None and self.labels.max() < 1:
            raise ValueError(
                "a picture encoder cannot be trained on one class: give --picture-encoder or "
                "--teacher, or clips of several classes"
            )
        views = BackboneRecipe(views=recipe.views, seed=seed)
        self.views = ask_teacher(teacher, self.pictures, views, progress)
        if self.views.taught:
            described = self.views.features.flatten(0, 1).float()
            self._centre, self._spread = described.mean(0), described.std(0) + 1e-3
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.student = Student(network, int(self.labels.max()) + 1, self.views)
        self.student.to(device=device, memory_format=fastest_layout(network.width))  # type: ignore[call-overload]
        self._weights = sampling_weights(self.labels)
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )

    def train_step(self, step: int) -> dict[str, float]:
        """Do one update; returns the loss, and the share of the batch that was recognised."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * one_cycle(step, self.recipe.steps)
        rng = self.rng(step, 0)
        chosen = rng.choice(len(self.labels), self.recipe.batch, p=self._weights)
        view = rng.integers(self.recipe.views, size=self.recipe.batch)
        drawn = [
            _seen_anew(self.pictures[i], self.views.boxes[i, v], self.pixels, rng)
            for i, v in zip(chosen, view, strict=True)
        ]
        share = self._share
        images, chosen, view = np.stack(drawn[share.rows]), chosen[share.rows], view[share.rows]
        self.student.train()
        with share.whole_batch():
            features = self.student.trunk.embed(
                as_seen(torch.from_numpy(images).to(self.device), self.pixels)
            )
        wanted = torch.from_numpy(self.labels[chosen]).to(self.device)
        logits = self.student.label(features)
        loss = F.cross_entropy(logits, wanted, label_smoothing=0.1)
        if self.views.taught:
            loss = loss + self._imitation(features, chosen, view)
        self.optimizer.zero_grad(set_to_none=True)
        share.weigh(loss).backward()
        sum_gradients(self.student.parameters())
        self.optimizer.step()
        right = (logits.argmax(1) == wanted).float().mean()
        return share.mean({"loss": float(loss.detach()), "accuracy": float(right)})

    def _imitation(
        self, features: Tensor, chosen: NDArray[np.int64], view: NDArray[np.int64]
    ) -> Tensor:
        described = self.views.features[chosen, view].float()
        described = ((described - self._centre) / self._spread).to(self.device)
        answers = self.views.log_probabilities[chosen, view].float().to(self.device)
        described_badly, answered_badly = self.student.imitation(features, described, answers)
        return described_badly + answered_badly

    def result(self) -> dict[str, Tensor]:
        """See :meth:`Stage.result`: the trunk."""
        return named_tensors("image", self.student.trunk)


def given_encoder(name: str) -> tuple[ResNetConfig, int, str, dict[str, Tensor]]:
    """Read a picture encoder that exists: network, pixels, fit and the trunk's tensors.

    Parameters
    ----------
    name
        A checkpoint of the kind ``sound2scene`` (its image part), ``recognition`` (its backbone),
        ``swav-resnet50`` or ``resnet50``.

    Raises
    ------
    ValueError
        When it is none of these, or has no such part.
    """
    checkpoint = load_checkpoint(name)
    pixels, fit, prefix = 224, "squash", ""
    if checkpoint.kind == "sound2scene" and checkpoint.config.get("image"):
        image = checkpoint.config["image"]
        network, pixels, fit, prefix = image["network"], image["pixels"], image["fit"], "image."
    elif checkpoint.kind == "recognition":
        backbone = checkpoint.config["backbone"]
        network, pixels, prefix = backbone["network"], backbone["input_size"], "backbone."
        fit = "crop" if backbone.get("shorter_side") else "squash"
    elif checkpoint.kind in ("swav-resnet50", "resnet50"):
        network = checkpoint.config
    else:
        raise ValueError(
            f"{name}: a {checkpoint.kind!r} model has no picture encoder; give one of the kind "
            "sound2scene, recognition, swav-resnet50 or resnet50"
        )
    fields = {**network, "blocks": tuple(network["blocks"]), "classes": 0}
    tensors = {
        n.removeprefix(prefix): t
        for n, t in checkpoint.tensors.items()
        if n.startswith(prefix) and not n.removeprefix(prefix).startswith("fc.")
    }
    config = ResNetConfig(**fields)
    try:
        ResNet(config).load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{name}: its picture encoder's tensors do not fit") from error
    return config, pixels, fit, tensors


def frozen_encoder(config: ResNetConfig, tensors: dict[str, Tensor], device: str) -> ResNet:
    """Build a trunk that only sees."""
    network = ResNet(replace(config, classes=0))
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return network.to(device=device, memory_format=fastest_layout(config.width))  # type: ignore[call-overload]


@torch.no_grad()
def picture_features(network: ResNet, pictures: Images, pixels: int, device: str) -> Tensor:
    """Describe pictures (N, H, W, 3) uint8 by unit features (N, D) float32 on the CPU."""
    rows = [torch.zeros(0, network.config.features)]
    for start in range(0, len(pictures), _BATCH):
        batch = np.stack([squeeze(p, pixels) for p in pictures[start : start + _BATCH]])
        seen = as_seen(torch.from_numpy(batch).to(device), pixels)
        rows.append(unit(network.embed(seen)).cpu())
    return torch.cat(rows)


def as_seen(pictures: Tensor, pixels: int) -> Tensor:
    """Bring pictures to what the network takes, differentiably.

    Parameters
    ----------
    pictures
        (B, H, W, 3) uint8, or (B, 3, H, W) float in [-1, 1] as generators draw.
    pixels
        Side that the network takes.

    Returns
    -------
    (B, 3, pixels, pixels) float32, normalised by ImageNet's moments.
    """
    if pictures.dtype == torch.uint8:
        shares = pictures.permute(0, 3, 1, 2).float() / 255  # stays channels-last in memory
    else:
        shares = (pictures + 1) / 2
    if shares.shape[2:] != (pixels, pixels):
        shares = F.interpolate(
            shares, (pixels, pixels), mode="bilinear", antialias=shares.shape[2] > pixels
        )
    mean, std = (
        torch.tensor(m, device=shares.device)[:, None, None] for m in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (shares - mean) / std


def _seen_anew(
    still: Images, box: NDArray[np.floating], pixels: int, rng: np.random.Generator
) -> Images:
    """One view of a still, moved a little, perhaps blurred, recoloured and mirrored."""
    corner = np.clip(box[:2] + rng.uniform(-0.03, 0.03, 2), 0, 1 - box[2:])
    image = crop(still, np.concatenate([corner, box[2:]]), pixels)
    if rng.random() < 0.5:
        image = blur(image, rng, coarsest=min(_COARSEST, pixels // 2))
    if rng.random() < 0.8:
        image = recolour(image, rng)
    return np.ascontiguousarray(image[:, ::-1] if rng.random() < 0.5 else image)
