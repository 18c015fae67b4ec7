"""Train a small image backbone from labelled stills, with the help of a large network's opinion.

The teacher sees a few fixed views of every picture, sharp; the student sees the same views blurred,
recoloured, mirrored and partly covered, and learns to give the teacher's features and class
probabilities, besides the labels. What is kept is the student's trunk. Distillation: G. Hinton et
al., 2015; fixed views: L. Beyer et al., "Knowledge distillation: a good teacher is patient and
consistent", CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.squeezenet import SqueezeNet
from foleycli.training.pictures import Images, blur, crop, random_boxes, recolour
from foleycli.vision.backbone import normalise

TEACHER_PIXELS = 144
_SOFTENING = 2.0  # temperature of the probabilities that are imitated


@dataclass(frozen=True)
class BackboneRecipe:
    """How long and how a backbone is trained."""

    steps: int = 1600
    batch: int = 64
    views: int = 3
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class TeacherViews:
    """What a teacher says of V views of N stills; without a teacher, widths are 0.

    Attributes
    ----------
    boxes : (N, V, 4) float32
        See :func:`foleycli.training.pictures.crop`.
    features, log_probabilities : (N, V, 512) and (N, V, 1000) float16
    """

    boxes: NDArray[np.float32]
    features: Tensor
    log_probabilities: Tensor

    @property
    def taught(self) -> bool:
        """Whether there was a teacher."""
        return self.features.shape[2] > 0


def ask_teacher(
    teacher: SqueezeNet | None,
    stills: Images,
    recipe: BackboneRecipe,
    progress: Callable[[int, int], None] | None = None,
) -> TeacherViews:
    """Draw the views of every still and let the teacher, if there is one, describe them.

    Parameters
    ----------
    stills : (N, H, W, 3) uint8
    """
    count, views = len(stills), recipe.views
    rng = np.random.default_rng([recipe.seed, 1])
    boxes = random_boxes(count * views, rng).reshape(count, views, 4)
    width = teacher.features_size if teacher else 0
    features = torch.zeros(count, views, width, dtype=torch.float16)
    answers = torch.zeros(count, views, 1000 if teacher else 0, dtype=torch.float16)
    if teacher is None:
        return TeacherViews(boxes, features, answers)
    teacher = teacher.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        for i, still in enumerate(stills):
            crops = np.stack([crop(still, box, TEACHER_PIXELS) for box in boxes[i]])
            maps, logits = teacher(normalise(torch.from_numpy(crops)))
            features[i], answers[i] = maps.half(), F.log_softmax(logits / _SOFTENING, 1).half()
            if progress:
                progress(i + 1, count)
    return TeacherViews(boxes, features, answers)


class Student(nn.Module):
    """A trunk with the heads that only training needs."""

    def __init__(self, config: ResNetConfig, labels: int, views: TeacherViews) -> None:
        super().__init__()
        self.trunk = ResNet(config)
        self.label = nn.Linear(config.features, labels)
        if views.taught:
            self.imitate = nn.Linear(config.features, views.features.shape[2])
            self.answer = nn.Linear(config.features, views.log_probabilities.shape[2])

    def imitation(
        self, features: Tensor, described: Tensor, answers: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How far it is from the teacher's description (B, F) and softened answers (B, C)."""
        imitated = F.log_softmax(self.answer(features) / _SOFTENING, 1)
        return (
            F.mse_loss(self.imitate(features), described),
            F.kl_div(imitated, answers, log_target=True, reduction="batchmean"),
        )


def train_backbone(
    config: ResNetConfig,
    input_size: int,
    stills: Images,
    labels: NDArray[np.int64],
    views: TeacherViews,
    recipe: BackboneRecipe,
    progress: Callable[[int, int], None] | None = None,
) -> ResNet:
    """Train a trunk.

    Parameters
    ----------
    config, input_size
        The trunk (without classes) and the square size in pixels at which it looks.
    stills : (N, H, W, 3) uint8
    labels : (N,) int64
        Class of each still; -1 where only the teacher is to be believed.
    views
        What :func:`ask_teacher` said of the same stills.
    """
    classes = int(labels.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        student = Student(config, classes, views).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    rng = np.random.default_rng([recipe.seed, 2])
    sampling = sampling_weights(labels)
    optimiser = torch.optim.AdamW(
        student.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1
    )
    if views.taught:
        described = views.features.flatten(0, 1).float()
        centre, spread = described.mean(0), described.std(0) + 1e-3
    student.train()
    for step in range(recipe.steps):
        chosen = rng.choice(len(stills), recipe.batch, p=sampling)
        view = rng.integers(0, recipe.views, recipe.batch)
        images = np.stack(
            [
                _disturb(stills[i], views.boxes[i, v], input_size, rng)
                for i, v in zip(chosen, view, strict=True)
            ]
        )
        features = student.trunk.embed(normalise(torch.from_numpy(images)))
        target = torch.from_numpy(labels[chosen])
        loss = features.new_zeros(())
        if bool((target >= 0).any()):
            loss = F.cross_entropy(
                student.label(features), target, ignore_index=-1, label_smoothing=0.1
            )
        if views.taught:
            wanted = (views.features[chosen, view].float() - centre) / spread
            answers = views.log_probabilities[chosen, view].float()
            for term in student.imitation(features, wanted, answers):
                loss = loss + term
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, recipe.steps)
    return student.trunk.eval()


def sampling_weights(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Halfway between every picture and every class being as likely as another."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = counts[inverse] ** -0.5
    return np.asarray(weights / weights.sum())


def _disturb(
    still: Images, box: NDArray[np.floating], size: int, rng: np.random.Generator
) -> Images:
    """One view of a still as the student sees it: (size, size, 3) uint8."""
    shift = rng.uniform(-0.03, 0.03, 2)
    box = np.concatenate([np.clip(box[:2] + shift, 0, 1 - box[2:]), box[2:]])
    image = crop(still, box, size)
    if rng.random() < 0.6:
        image = blur(image, rng)
    if rng.random() < 0.8:
        image = recolour(image, rng)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    if rng.random() < 0.25:
        image = image.copy()
        top, left = rng.integers(0, size * 3 // 4, 2)
        image[top : top + size // 3, left : left + size // 3] = rng.integers(0, 256, 3)
    return np.ascontiguousarray(image)
