"""Labelled pictures to learn recognition from: stills and clips, and clips made of stills.

All pictures are ``(H, W, 3)`` uint8 RGB, squeezed to one square size whatever their shape, as the
frames of a clip are when they are recognised. A still becomes a clip by a camera that pans, zooms
and changes its exposure; what flashes (lightning) is a bright burst in a darkened still.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from foleycli.media.stills import STILL_SUFFIXES
from foleycli.media.video import at_rate, read_frames

Images = NDArray[np.uint8]
Progress = Callable[[int, int], None]

CLIP_SUFFIXES = frozenset(".avi .m4v .mkv .mov .mp4 .mpg .ts .webm".split())
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Picture:
    """A labelled still or clip."""

    path: Path
    label: str
    split: str

    @property
    def is_clip(self) -> bool:
        """Whether it moves."""
        return self.path.suffix.lower() in CLIP_SUFFIXES


def read_pictures(data: Sequence[Path]) -> list[Picture]:
    """List the pictures of folders and manifests, each once, in a stable order.

    Parameters
    ----------
    data : sequence of Path
        Manifests (CSV with ``path`` relative to it, ``class`` and perhaps ``split``; other media in
        it are passed over), folders holding a ``manifest.csv``, or folders of class folders. Where
        no split is named, every tenth picture of a class is for validation and the rest for
        training.

    Raises
    ------
    ValueError
        When nothing can be learnt from: no pictures, or a single class.
    """
    pictures: list[Picture] = []
    for source in data:
        manifest = source / "manifest.csv" if source.is_dir() else source
        if manifest.is_file():
            with manifest.open(encoding="utf-8", newline="") as file:
                rows = [
                    (manifest.parent / r["path"], r["class"], r.get("split") or "")
                    for r in csv.DictReader(file)
                ]
        else:
            rows = [(path, path.parent.name, "") for path in sorted(source.glob("*/*"))]
        seen: dict[str, int] = {}
        for path, label, split in rows:
            if path.suffix.lower() in STILL_SUFFIXES | CLIP_SUFFIXES:
                seen[label] = seen.get(label, 0) + 1
                split = split or ("valid" if seen[label] % 10 == 0 else "train")
                pictures.append(Picture(path, label, split))
    if len({p.label for p in pictures}) < 2:
        raise ValueError(
            f"{', '.join(map(str, data))}: needs pictures of at least two classes "
            "(folders CLASS/picture.jpg, CLASS/clip.mp4, or a manifest.csv with path and class)"
        )
    return pictures


def load_stills(pictures: Sequence[Picture], size: int, progress: Progress | None = None) -> Images:
    """Read stills, squeezed to squares: (N, size, size, 3) uint8 RGB.

    Raises
    ------
    ValueError
        When a file is not a picture.
    """
    stills = np.empty((len(pictures), size, size, 3), np.uint8)
    for i, picture in enumerate(pictures):
        pixels = cv2.imdecode(np.fromfile(picture.path, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError(f"{picture.path}: not a picture that can be read; remove it")
        stills[i] = cv2.cvtColor(squeeze(pixels, size), cv2.COLOR_BGR2RGB)
        if progress:
            progress(i + 1, len(pictures))
    return stills


def load_clip(path: Path, size: int, fps: float, longest_s: float) -> Images:
    """Frames of a clip's first seconds, at a steady rate: (N, size, size, 3) uint8 RGB."""
    frames = []
    for _, time_s, frame in at_rate(read_frames(path), fps):
        if time_s >= longest_s:
            break
        frames.append(frame.rgb(size, size))
    return np.asarray(np.stack(frames), np.uint8)


def squeeze(pixels: NDArray[Any], size: int) -> Images:
    """Resize to (size, size, 3), each output pixel the average of what it covers when shrinking."""
    shrinks = min(pixels.shape[:2]) > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=method), np.uint8)


def crop(still: Images, box: NDArray[np.floating], size: int) -> Images:
    """Cut a box (left, top, width, height, each a share of the still) out: (size, size, 3)."""
    height, width = still.shape[:2]
    left, top = int(box[0] * width), int(box[1] * height)
    right = max(left + 8, min(width, round((box[0] + box[2]) * width)))
    bottom = max(top + 8, min(height, round((box[1] + box[3]) * height)))
    return squeeze(still[top:bottom, left:right], size)


def random_boxes(
    count: int, rng: np.random.Generator, smallest: float = 0.35
) -> NDArray[np.float32]:
    """Draw (count, 4) boxes covering ``smallest`` to all of a picture, aspect 3:4 to 4:3."""
    area = rng.uniform(smallest, 1, count)
    aspect = np.exp(rng.uniform(-1, 1, count) * np.log(4 / 3))
    width = np.minimum(1, np.sqrt(area * aspect))
    height = np.minimum(1, np.sqrt(area / aspect))
    left = rng.uniform(0, 1, count) * (1 - width)
    top = rng.uniform(0, 1, count) * (1 - height)
    return np.stack([left, top, width, height], axis=1).astype(np.float32)


def blur(still: Images, rng: np.random.Generator, coarsest: int = 24) -> Images:
    """Shrink to a random size and bring back: small sources must not be told by their blur."""
    size = still.shape[0]
    small = int(np.exp(rng.uniform(np.log(coarsest), np.log(size))))
    shrunk = cv2.resize(still, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def recolour(still: Images, rng: np.random.Generator, strength: float = 1.0) -> Images:
    """Change gain, contrast, gamma, saturation and white balance by random amounts."""
    x = still.astype(np.float32) / 255
    gain, contrast, gamma, saturation = np.exp(strength * 0.3 * rng.standard_normal(4))
    x = (
        x ** np.float32(gamma)
        * np.float32(gain)
        * np.exp(0.08 * strength * rng.standard_normal(3)).astype(np.float32)
    )
    grey = x.mean(axis=2, keepdims=True)
    if rng.random() < 0.1 * strength:
        saturation = 0.0
    x = grey + np.float32(saturation) * (x - grey)
    x = x.mean() + np.float32(contrast) * (x - x.mean())
    return np.asarray(np.clip(255 * x, 0, 255), np.uint8)


def moving_clip(
    still: Images, frames: int, size: int, rng: np.random.Generator, *, lightning: bool = False
) -> Images:
    """Film a still: a camera that pans, zooms and shakes, an exposure that drifts.

    Parameters
    ----------
    still : (H, W, 3) uint8
    frames, size : int
        Length and square size of the clip.
    lightning : bool
        Darken the scene to night and let it flash one to three times.

    Returns
    -------
    (frames, size, size, 3) uint8
    """
    start, end = random_boxes(2, rng, smallest=0.4)
    travel = np.linspace(0, rng.uniform(0, 1) ** 2, frames)[:, None]
    boxes = start + travel * (end - start)
    boxes[:, :2] += rng.uniform(0, 0.015) * rng.standard_normal((frames, 2))
    boxes[:, :2] = np.clip(boxes[:, :2], 0, 1 - boxes[:, 2:])
    exposure = np.exp(
        rng.uniform(0, 0.25) * np.cumsum(rng.standard_normal(frames)) / np.sqrt(frames)
    )
    if lightning:
        exposure = exposure * _flashes(frames, rng) * rng.uniform(0.15, 0.4)
    elif rng.random() < 0.1:  # night alone is no lightning
        exposure = exposure * rng.uniform(0.15, 0.5)
    tint = np.array([0.75, 0.85, 1.15]) if lightning else np.ones(3)
    mirrored = rng.random() < 0.5
    coarse = int(np.exp(rng.uniform(np.log(32), np.log(2 * size))))
    source = recolour(still, rng)
    clip = np.empty((frames, size, size, 3), np.uint8)
    for i, box in enumerate(boxes):
        view = crop(source, box, min(coarse, size))
        view = squeeze(view, size).astype(np.float32) * (exposure[i] * tint)
        clip[i] = np.clip(view[:, ::-1] if mirrored else view, 0, 255)
    return clip


def has_sky(still: Images) -> bool:
    """Tell whether the upper third looks like a sky: smooth and brighter than the lower half."""
    grey = still.mean(axis=2)
    upper, lower = grey[: len(grey) // 3], grey[len(grey) // 2 :]
    texture = np.abs(np.diff(upper, axis=1)).mean()
    return bool(texture < 6 and upper.mean() > lower.mean() + 25)


def _flashes(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gain a frame of one to three flashes that die away within a few frames."""
    gain = np.ones(frames)
    for start in rng.integers(0, frames, rng.integers(1, 4)):
        decay = np.exp(-np.arange(frames - start) / rng.uniform(0.3, 1.5))
        gain[start:] += rng.uniform(1.5, 6) * decay
    return gain
