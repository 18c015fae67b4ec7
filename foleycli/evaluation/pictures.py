"""What generated pictures are judged by: an embedding and class, informativity, class names.

Every picture is judged by itself, so the others of a batch do not matter. The embedding and class
come from the recogniser in the package, whose backbone saw photographs of FoleyGAN's classes at 96
pixels: a small network, good for comparisons made with it, not for a published table's column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from foleycli.checkpoints import Checkpoint
from foleycli.media.stills import MediaError, read_still
from foleycli.metrics.retrieval import LabelAccuracy, Retrieval, label_accuracy, rank_by_similarity
from foleycli.models.informativity import INFORMATIVE, PIXELS, Informativity
from foleycli.models.trn import segment_centres
from foleycli.published.weights import published_tensors
from foleycli.vision.backbone import normalise, preprocess
from foleycli.vision.recognition import Recogniser

__all__ = [
    "ANYTHING_ELSE",
    "InformativityJudge",
    "MediaError",
    "Picture",
    "PictureEmbedder",
    "informativity",
    "rank_class_names",
]

Picture = str | os.PathLike[str] | NDArray[np.uint8]

ANYTHING_ELSE = "anything else"  # the recogniser's last output: a picture of none of its classes

_WEIGHTS = frozenset({".safetensors", ".pt", ".pth"})


class PictureEmbedder:
    """The recogniser's backbone and class network, looking at a still.

    Attributes
    ----------
    classes : tuple of str
        What the logits stand for; the last is :data:`ANYTHING_ELSE` where the network has it.
    features : int
        Length of the embedding.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        config = recogniser.config
        others = config.mtrn.classes - len(config.classes)
        if others not in (0, 1):
            raise ValueError(f"{len(config.classes)} names for {config.mtrn.classes} classes")
        self.classes = config.classes + (ANYTHING_ELSE,) * others
        self.features = config.backbone.network.features
        self._recogniser = recogniser

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> Self:
        """Build from a checkpoint of kind ``recognition``, as the one in the package."""
        return cls(Recogniser(checkpoint.config, checkpoint.tensors))

    def describe(self) -> dict[str, Any]:
        """Return what a manifest should say of the network, but its file's hash: plain values."""
        backbone = self._recogniser.config.backbone
        return {
            "architecture": "recognition",
            "network": asdict(backbone.network),
            "input_size": backbone.input_size,
            "features": self.features,
            "classes": list(self.classes),
        }

    @torch.inference_mode()
    def embed(self, picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look at a picture: a file, or (H, W, 3) uint8 RGB.

        Returns
        -------
        embedding : (features,) float32
        logits : (classes,) float32
            Of a clip that stands still; their softmax is calibrated.

        Raises
        ------
        MediaError
            When the file cannot be read; the caller names it.
        """
        config = self._recogniser.config
        pixels = preprocess(_pixels(picture), config.backbone)
        images = normalise(torch.from_numpy(np.ascontiguousarray(pixels))[None])
        embedding = self._recogniser.backbone.embed(images)
        frames = embedding[segment_centres(1, config.mtrn.frames)]
        logits = self._recogniser.mtrn(frames[None])[0] / config.temperature
        return embedding[0].numpy(), logits.numpy()


class InformativityJudge:
    """Sound-to-Imagination's referees: for each class a network that tells whether it is shown.

    Parameters
    ----------
    files
        Weights of each class: the published ``.pth``, or the same tensors as safetensors.

    Raises
    ------
    ValueError
        When there are none, or a file does not hold the network.
    """

    def __init__(self, files: Mapping[str, str | os.PathLike[str]]) -> None:
        if not files:
            raise ValueError("no informativity networks; give one for each class")
        self._networks = {name: _informativity(Path(files[name])) for name in sorted(files)}

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> Self:
        """Take ``CLASS.safetensors``, ``CLASS.pt`` or ``CLASS.pth`` of a folder, one a class."""
        found: dict[str, Path] = {}
        for path in sorted(Path(folder).glob("*")):
            if path.suffix.lower() in _WEIGHTS:
                if path.stem in found:
                    raise ValueError(f"{path}: {found[path.stem].name} is of the same class")
                found[path.stem] = path
        if not found:
            raise ValueError(
                f"{folder}: no informativity networks; name them CLASS.safetensors or CLASS.pth"
            )
        return cls(found)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that can be judged, sorted."""
        return tuple(self._networks)

    def describe(self) -> dict[str, Any]:
        """Return what a manifest should say of the networks, but their hashes: plain values."""
        return {
            "architecture": "informativity",
            "input_size": PIXELS,
            "classes": list(self.classes),
        }

    @torch.inference_mode()
    def judge(self, picture: Picture, label: str) -> bool | None:
        """Tell whether a picture shows its class; None when the class has no network.

        The networks were made for the generator's own output: 96 pixels square in [-1, 1]. Others
        are prepared as the photographs it learnt from, by their central square.

        Parameters
        ----------
        picture : path or (H, W, 3) uint8
            RGB.
        label : str
            The class that it was made for.

        Raises
        ------
        MediaError
            When the file cannot be read; the caller names it.
        """
        network = self._networks.get(label)
        if network is None:
            return None
        square = torch.from_numpy(_central_square(_pixels(picture), PIXELS))
        scaled = square.permute(2, 0, 1)[None].float() / 127.5 - 1
        return bool(network(scaled).argmax() == INFORMATIVE)


def informativity(
    labels: Sequence[str], verdicts: Sequence[bool | None], classes: Sequence[str] | None = None
) -> LabelAccuracy:
    """Count the pictures that say something, by class: ``macro`` is the paper's mean.

    Parameters
    ----------
    labels : n str
        Classes that the pictures were made for.
    verdicts : n bool or None
        Of :meth:`InformativityJudge.judge`; pictures without a verdict are left out.
    classes : sequence of str, optional
        Classes to report, in this order; those judged, sorted, unless given.

    Returns
    -------
    LabelAccuracy
        ``hits`` are the informative pictures.

    Raises
    ------
    ValueError
        When the lists differ in length, no picture was judged, or a class to report was not.
    """
    judged = [(n, v) for n, v in zip(labels, verdicts, strict=True) if v is not None]
    if not judged:
        raise ValueError("no picture's class has an informativity network")
    meant = [name for name, _ in judged]
    return label_accuracy(meant, [name if shown else "" for name, shown in judged], classes)


def rank_class_names(
    pictures: NDArray[np.float32],
    texts: NDArray[np.float32],
    labels: Sequence[str],
    classes: Sequence[str],
) -> Retrieval:
    """Rank all class names for each picture by cosine: Sound2Scene's CLIP R@K.

    Parameters
    ----------
    pictures : (n, d) float
        Of :meth:`foleycli.vision.clip_retrieval.ClipRanker.embed_images`.
    texts : (k, d) float
        The names of ``classes``, by ``embed_classes``.
    labels : n str
        Classes that the pictures were made for.
    classes : k str

    Raises
    ------
    ValueError
        When numbers do not match, or a label is none of the classes.
    """
    if (len(labels), len(classes)) != (len(pictures), len(texts)):
        raise ValueError(
            f"{len(pictures)} pictures with {len(labels)} labels, "
            f"{len(texts)} texts with {len(classes)} classes"
        )
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        raise ValueError(f"pictures of unknown class {', '.join(unknown)}")
    right = np.array(labels)[:, None] == np.array(classes)
    return rank_by_similarity(pictures.astype(np.float64) @ texts.T.astype(np.float64), right)


def _pixels(picture: Picture) -> NDArray[np.uint8]:
    pixels = picture if isinstance(picture, np.ndarray) else read_still(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"need (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    return pixels


def _central_square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.array(cv2.resize(square, (size, size), interpolation=method), np.uint8)


def _informativity(path: Path) -> Informativity:
    network = Informativity()
    try:
        network.load_state_dict(published_tensors(path))
    except RuntimeError as error:
        cause = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path}: not an informativity network ({cause})") from None
    return network.eval()
