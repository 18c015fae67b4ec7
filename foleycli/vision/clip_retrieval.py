"""CLIP on the user's own weights: pictures and class names to vectors that can be compared.

Sound2Scene ranks a category's name among all names by CLIP ViT-B/32; the ranking itself is
:func:`foleycli.metrics.retrieval.rank_by_similarity` of the cosines. Nothing is downloaded: the
weights come from a folder in the Hugging Face layout. Pictures and texts pass the network one by
one, so that what is found of one does not depend on the others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from foleycli.media.stills import MediaError, read_still
from foleycli.models.clip import Clip, ClipConfig
from foleycli.vision.clip_tokens import ClipTokens

Vectors = NDArray[np.float32]

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_INDEX_TABLES = "position_ids"
_REMEDY = "give a folder as openai/clip-vit-base-patch32 is published by Hugging Face"


class ClipRanker:
    """CLIP, ready to compare.

    Parameters
    ----------
    folder
        Holds ``model.safetensors``, ``config.json``, and ``tokenizer.json`` or else ``vocab.json``
        and ``merges.txt``.
    device
        Where the network runs.

    Raises
    ------
    ValueError
        When a file is missing, or they are not CLIP's; one line, with what to do.
    """

    def __init__(self, folder: str | os.PathLike[str], device: str = "cpu") -> None:
        self.folder, self.device = Path(folder), device
        if not self.folder.is_dir():
            raise ValueError(f"{folder}: no such folder; {_REMEDY}")
        try:
            self.config = ClipConfig.from_published(_json(self.folder / "config.json"))
            self._tokens = _tokens(self.folder)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}; {_REMEDY}") from None
        except (AttributeError, KeyError, TypeError):
            raise ValueError(f"{folder}: JSON of another layout than CLIP's; {_REMEDY}") from None
        self._network = _network(self.folder / "model.safetensors", self.config).to(device)

    @property
    def features(self) -> int:
        """Length of a vector."""
        return self.config.features

    def describe(self) -> dict[str, Any]:
        """Return what a manifest should say of the network, but its file's hash: plain values."""
        return {"architecture": "clip", "network": asdict(self.config), "features": self.features}

    @torch.inference_mode()
    def embed_image(self, picture: str | os.PathLike[str] | NDArray[np.uint8]) -> Vectors:
        """Look at a picture: a file, or (H, W, 3) uint8 RGB; (d,) float32 of length 1.

        Raises
        ------
        MediaError
            When the file cannot be read; the caller names it.
        """
        pixels = picture if isinstance(picture, np.ndarray) else read_still(picture)
        square = clip_square(pixels, self.config.image_size)
        scaled = (torch.from_numpy(square).float() / 255 - torch.tensor(_MEAN)) / torch.tensor(_STD)
        images = scaled.permute(2, 0, 1)[None].contiguous().to(self.device)
        return _direction(self._network.image_features(images))

    def embed_images(self, paths: Sequence[str | os.PathLike[str]]) -> Vectors:
        """Look at picture files: (n, d) float32, each row of length 1; errors name the file."""
        found = []
        for path in paths:
            try:
                found.append(self.embed_image(path))
            except MediaError as error:
                raise MediaError(f"{path}: {error}") from None
        return np.stack(found) if found else np.empty((0, self.features), np.float32)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Read texts: (k, d) float32, each row of length 1.

        Raises
        ------
        ValueError
            When a text is longer than the network can read.
        """
        found = []
        for text in texts:
            tokens = self._tokens.encode(text)
            if len(tokens) > self.config.context:
                raise ValueError(
                    f"{text[:40]!r}... has {len(tokens)} tokens; CLIP reads {self.config.context}"
                )
            ids = torch.tensor([tokens], device=self.device)
            found.append(_direction(self._network.text_features(ids)))
        return np.stack(found) if found else np.empty((0, self.features), np.float32)

    def embed_classes(self, names: Sequence[str], template: str = "{}") -> Vectors:
        """Read class names: (k, d) float32, each row of length 1.

        Underscores become spaces. The paper states no sentence around the name, so there is none
        unless ``template`` gives one, such as ``"a photo of a {}"``.

        Raises
        ------
        ValueError
            When the template has no place for the name.
        """
        if "{}" not in template:
            raise ValueError(f"template {template!r} has no {{}} for the class name")
        return self.embed_texts([template.replace("{}", n.replace("_", " ")) for n in names])


def clip_square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bring the shorter side to ``size`` and cut the centre out: (size, size, 3) uint8.

    Pillow's bicubic resampling, which averages when it shrinks, as CLIP was trained with.
    """
    height, width = pixels.shape[:2]
    short = min(height, width)
    resized = np.asarray(
        Image.fromarray(pixels).resize(
            (size * width // short, size * height // short), Image.Resampling.BICUBIC
        )
    )
    top, left = (resized.shape[0] - size) // 2, (resized.shape[1] - size) // 2
    return np.array(resized[top : top + size, left : left + size])


def _direction(features: Tensor) -> Vectors:
    vector: Vectors = F.normalize(features[0], dim=0).cpu().numpy()
    return vector


def _network(path: Path, config: ClipConfig) -> Clip:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        pickle = path.with_name("pytorch_model.bin")
        if not path.is_file() and pickle.is_file():
            raise ValueError(
                f"{path.parent}: has {pickle.name} but no {path.name}; convert it: python -c "
                '"import torch, safetensors.torch as s; s.save_file(torch.load('
                f"'{pickle.name}', weights_only=True), '{path.name}')\""
            ) from None
        reason = "no such file" if not path.is_file() else f"not a safetensors file ({error})"
        raise ValueError(f"{path}: {reason}; {_REMEDY}") from None
    state = {n: t.float() for n, t in tensors.items() if not n.endswith(_INDEX_TABLES)}
    with torch.device("meta"):  # 600 MB need not be drawn at random first
        network = Clip(config)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        cause = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path}: does not fit its config.json ({cause}); {_REMEDY}") from None
    return network.eval()


def _tokens(folder: Path) -> ClipTokens:
    if (folder / "tokenizer.json").is_file():
        model = _json(folder / "tokenizer.json")["model"]
        vocabulary, merges = model["vocab"], model["merges"]
    else:
        vocabulary = _json(folder / "vocab.json")
        merges = _text(folder / "merges.txt").split("\n")[1:]  # the first line is a version
    pairs = [tuple(m.split(" ") if isinstance(m, str) else m) for m in merges if m]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("its merges are not pairs")
    return ClipTokens(vocabulary, pairs)


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not JSON ({error})") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path.name}: {error.strerror}") from None
