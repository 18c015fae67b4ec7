r"""Recipe of the recogniser: a small backbone, then the relation networks on its features.

The shipped ``recognition`` model is the result of ::

    foley train recognition ../shared/data/images ../shared/data -o run/ \
        --teacher ../shared/weights/squeezenet1_0_imagenet_fp16.safetensors \
        --classes break,car,clock,chopping,fire,footstep,gunshot,horse,rain,thunder,typing,waterfall

Classes that are not named teach "anything else". Stills are filmed by a moving camera. Frames of
clips reach the backbone through the teacher only (clips are few, it would learn them by heart), and
through their labels where there is no teacher. Probabilities are calibrated, and the bar of a sure
answer set, on pictures that the relations have not seen: the validation split, and training clips
in five turns, each answered by relations trained on the others. Real clips are harder than stills,
so the bar is the higher of what either asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from foleycli.checkpoints import save_checkpoint
from foleycli.models.resnet import ResNet
from foleycli.models.squeezenet import SqueezeNet
from foleycli.models.trn import RelationConfig, TemporalRelations
from foleycli.training.backbone import BackboneRecipe, ask_teacher, train_backbone
from foleycli.training.pictures import (
    Images,
    Picture,
    crop,
    has_sky,
    load_clip,
    load_stills,
    moving_clip,
    random_boxes,
    read_pictures,
    recolour,
    squeeze,
)
from foleycli.training.relations import (
    Films,
    RelationRecipe,
    best_temperature,
    sure_bar,
    train_relations,
    unseen_logits,
    whole_film_logits,
)
from foleycli.vision.backbone import BackboneConfig, FrameEncoder
from foleycli.vision.recognition import RecognitionConfig

StageProgress = Callable[[str, int, int], None]

_LOADED_PIXELS = 128
_LONGEST_S = 30.0
_FILM_FRAMES = 8


@dataclass(frozen=True)
class RecognitionRecipe:
    """Sizes and lengths; the defaults are the shipped model's.

    Attributes
    ----------
    classes
        What to recognise; every other label teaches "anything else". Empty: all labels but "other".
    backbone, training, relations
        What the backbone is, and how it and the relation networks are trained.
    action_frames
        Frames of the action series' relation: 2 as in the paper, or 3 or 4 (its Table V).
    films
        Moving clips made of every still, and altered copies of every clip.
    lightning, lightning_scenes
        A class whose stills are too few and which is made of darkened, flashing stills of other
        classes.
    """

    classes: tuple[str, ...] = ()
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    training: BackboneRecipe = field(default_factory=BackboneRecipe)
    relations: RelationRecipe = field(default_factory=RelationRecipe)
    action_frames: int = 2
    films: int = 2
    lightning: str = "thunder"
    lightning_scenes: tuple[str, ...] = ("rain", "other")
    seed: int = 0


def train_recognition(
    data: Sequence[Path],
    out: Path,
    recipe: RecognitionRecipe,
    *,
    teacher: Path | None = None,
    progress: StageProgress | None = None,
) -> Path:
    """Train a recogniser and write ``out/model.safetensors``.

    Parameters
    ----------
    data
        See :func:`foleycli.training.pictures.read_pictures`.
    teacher
        SqueezeNet 1.0 weights (safetensors, torchvision's names) to learn from; none: labels only.
    progress
        Called with the stage's name, steps done and steps in all.

    Raises
    ------
    ValueError
        When the data do not hold the classes, or the teacher's file is something else.
    """
    pictures = read_pictures(data)
    train = [p for p in pictures if p.split == "train"]
    classes = recipe.classes or tuple(sorted({p.label for p in train} - {"other"}))
    missing = sorted(set(classes) - {p.label for p in train})
    if missing:
        raise ValueError(f"no training pictures of: {', '.join(missing)}; leave these classes out")
    master = read_teacher(teacher) if teacher else None
    network = learn_to_see(train, recipe, master, progress)
    films = film(train, classes, network, recipe, progress)
    valid = [p for p in pictures if p.split == "valid"]
    held_out = film(valid, classes, network, recipe, progress)
    sizes = relation_configs(classes, recipe)
    mtrn, trn2 = (
        train_relations(
            films, size, recipe.relations, _stage(progress, f"{size.frames}-frame relations")
        )
        for size in sizes
    )
    config, unseen = calibrate(films, held_out, classes, mtrn, trn2, recipe, progress)
    for row in unseen:
        row["clip"] = train[row.pop("source")].path.name
    modules = {"backbone": network, "mtrn": mtrn, "trn2": trn2}
    path = out / "model.safetensors"
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        path,
        kind="recognition",
        config=config.as_dict(),
        tensors={f"{p}.{n}": t for p, m in modules.items() for n, t in m.state_dict().items()},
        provenance={
            "recipe": asdict(recipe),
            "teacher": teacher.name if teacher else None,
            "training_pictures": len(train),
            "unseen_clips": unseen,
        },
        half=True,
    )
    return path


def read_teacher(path: Path) -> SqueezeNet:
    """Read SqueezeNet 1.0 weights from a safetensors file with torchvision's names."""
    network = SqueezeNet()
    try:
        network.load_state_dict({name: t.float() for name, t in load_file(path).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path}: not SqueezeNet 1.0 weights in safetensors form") from error
    return network.eval()


def relation_configs(
    classes: Sequence[str], recipe: RecognitionRecipe
) -> tuple[RelationConfig, RelationConfig]:
    """Sizes of MTRN and 2TRN; one output more than classes, for anything else."""
    width, outputs = recipe.backbone.network.features, len(classes) + 1
    action = recipe.action_frames
    return (
        RelationConfig(width, outputs, hidden=recipe.relations.hidden),
        RelationConfig(
            width, outputs, frames=action, scales=(action,), hidden=recipe.relations.hidden
        ),
    )


def learn_to_see(
    pictures: Sequence[Picture],
    recipe: RecognitionRecipe,
    teacher: SqueezeNet | None,
    progress: StageProgress | None = None,
) -> ResNet:
    """Train the backbone on stills and on a few frames of every clip."""
    stills = [p for p in pictures if not p.is_clip]
    images = [load_stills(stills, _LOADED_PIXELS, _stage(progress, "reading stills"))]
    names = sorted({p.label for p in pictures})
    labels = [names.index(p.label) for p in stills]
    for clip in (p for p in pictures if p.is_clip):
        frames = load_clip(clip.path, _LOADED_PIXELS, fps=1.0, longest_s=_LONGEST_S)
        images.append(frames)
        labels += [-1 if teacher else names.index(clip.label)] * len(frames)
    everything = np.concatenate(images)
    views = ask_teacher(
        teacher, everything, recipe.training, _stage(progress, "asking the teacher")
    )
    return train_backbone(
        recipe.backbone.network,
        recipe.backbone.input_size,
        everything,
        np.array(labels),
        views,
        recipe.training,
        _stage(progress, "backbone"),
    )


def film(
    pictures: Sequence[Picture],
    classes: Sequence[str],
    network: ResNet,
    recipe: RecognitionRecipe,
    progress: StageProgress | None = None,
) -> Films:
    """Look at every clip, as it is and altered, and at every still, filmed by a moving camera."""
    encoder = FrameEncoder(network, recipe.backbone)
    features: list[NDArray[np.float32]] = []
    labels: list[int] = []
    source: list[int] = []
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng([recipe.seed, 3, number])
        if picture.is_clip:
            takes = _film_clip(picture, recipe, rng)
        else:
            takes = _film_still(picture, recipe, rng, storms=recipe.lightning in classes)
        for frames, _ in takes:
            for frame in frames:
                encoder.add(frame)
        ends = np.cumsum([len(frames) for frames, _ in takes])
        features += np.split(encoder.finish(), ends[:-1])
        labels += [classes.index(x) if x in classes else len(classes) for _, x in takes]
        source += [number] * len(takes)
        if progress:
            progress("filming", number + 1, len(pictures))
    origin = np.array(source, np.int64)
    real = np.array([p.is_clip for p in pictures], bool)[origin]
    return Films(features, np.array(labels, np.int64), origin, real)


def _film_clip(
    clip: Picture, recipe: RecognitionRecipe, rng: np.random.Generator
) -> list[tuple[Images, str]]:
    """Take a clip as it is and, each time in another crop and colouring, altered."""
    size = recipe.backbone.input_size
    frames = load_clip(clip.path, _LOADED_PIXELS, recipe.backbone.fps, _LONGEST_S)
    takes = [np.stack([squeeze(frame, size) for frame in frames])]
    takes += [_alter(frames, size, rng) for _ in range(recipe.films)]
    return [(take, clip.label) for take in takes]


def _film_still(
    picture: Picture, recipe: RecognitionRecipe, rng: np.random.Generator, *, storms: bool
) -> list[tuple[Images, str]]:
    """Film a still, and once more in a thunderstorm where it lends itself to that."""
    size = recipe.backbone.input_size
    still = load_stills([picture], _LOADED_PIXELS)[0]
    takes = [
        (moving_clip(still, _FILM_FRAMES, size, rng), picture.label) for _ in range(recipe.films)
    ]
    under_sky = picture.label in recipe.lightning_scenes and has_sky(still)
    if storms and (picture.label == recipe.lightning or under_sky):
        takes += [
            (moving_clip(still, _FILM_FRAMES, size, rng, lightning=True), recipe.lightning)
            for _ in range(recipe.films)
        ]
    return takes


def calibrate(
    films: Films,
    held_out: Films,
    classes: Sequence[str],
    mtrn: TemporalRelations,
    trn2: TemporalRelations,
    recipe: RecognitionRecipe,
    progress: StageProgress | None = None,
) -> tuple[RecognitionConfig, list[dict[str, Any]]]:
    """Choose temperatures and the bar of a sure answer on films the relations have not seen.

    Returns
    -------
    config
        Of the finished recogniser.
    unseen
        For every training clip, what relations trained without it answer: ``source`` (its place
        among the pictures), ``truth``, ``answer`` and its ``probability``, and whether anything
        ``other`` was likelier.
    """
    stage = _stage(progress, "relations without some clips")
    logits, index = unseen_logits(films, mtrn.config, recipe.relations, stage)
    groups = [(logits, films.labels[index])]
    if held_out.features:
        groups.append((whole_film_logits(mtrn, held_out), held_out.labels))
    temperature = best_temperature(
        torch.cat([scores for scores, _ in groups]), np.concatenate([truth for _, truth in groups])
    )
    bars = [
        sure_bar(torch.softmax(scores / temperature, 1).numpy(), truth)
        for scores, truth in groups
        if len(truth)
    ]
    pairs = held_out if held_out.features else films
    scores = [trn2.slide(torch.from_numpy(f)).detach() for f in pairs.features]
    config = RecognitionConfig(
        tuple(classes),
        recipe.backbone,
        mtrn.config,
        trn2.config,
        temperature,
        best_temperature(torch.cat(scores), np.repeat(pairs.labels, [len(s) for s in scores])),
        max(bars, default=1.0),
    )
    names = [*classes, "other"]
    unseen = [
        {
            "source": int(films.source[film]),
            "truth": names[films.labels[film]],
            "answer": names[row[:-1].argmax()],
            "probability": round(float(row[:-1].max()), 3),
            "other": bool(row[-1] == row.max()),
        }
        for film, row in zip(index, torch.softmax(logits / temperature, 1).numpy(), strict=True)
    ]
    return config, sorted(unseen, key=lambda row: row["source"])


def _alter(frames: Images, size: int, rng: np.random.Generator) -> Images:
    """Another look of a clip: one crop, one recolouring, perhaps mirrored."""
    box = random_boxes(1, rng, smallest=0.5)[0]
    seed = int(rng.integers(2**32))
    mirror = -1 if rng.random() < 0.5 else 1
    return np.stack(
        [recolour(crop(f, box, size), np.random.default_rng(seed))[:, ::mirror] for f in frames]
    )


def _stage(progress: StageProgress | None, name: str) -> Callable[[int, int], None] | None:
    return (lambda done, total: progress(name, done, total)) if progress else None
