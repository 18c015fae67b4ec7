"""Sound -> embedding and class logits, by a classifier of spectrograms.

A classifier looks at windows of a fixed number of frames, half overlapping, and what it says of a
sound is the mean over them; a sound shorter than a window is filled up with silence. Sound comes in
blocks and a few windows are held at a time, so an hour needs no more memory than a minute; and
every sound is looked at by itself, so the other sounds of a batch do not matter.

Three kinds of network serve: the small one in the package and others that ``foley train
classifier`` made; SpecVQGAN's Melception and VGGish-ish of ``foley train``; and the published ones,
which take 10 seconds and need the means and standard deviations of the mel bands that were
published beside them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.checkpoints import Checkpoint
from foleycli.dsp.front_ends.front_end import Blocks, FrontEnd
from foleycli.dsp.front_ends.melgan import Melgan
from foleycli.dsp.front_ends.pictures import Picture
from foleycli.dsp.front_ends.specvqgan import SpecVqgan
from foleycli.dsp.front_ends.table import front_end
from foleycli.models.sound_classifier import (
    Classifier,
    Config,
    architecture,
    build_classifier,
    classifier_config,
    config_among,
)
from foleycli.published.classifiers import class_names, melception_config, vggishish_config
from foleycli.published.weights import published_tensors

KIND = "classifier"
MEL_KINDS = ("melception", "vggishish")
SPECVQGAN_WINDOW_FRAMES = 848
LEAST_SPREAD = 1e-3  # a band that is always silent has no spread to divide by

_WINDOWS_AT_A_TIME = 8
_LEAST_REST = 8  # the last frames are left out when they are less than this part of a window


@dataclass(frozen=True)
class View:
    """What a classifier sees of a sound: rows of log magnitude, some frames at a time.

    Attributes
    ----------
    front : FrontEnd
        A log-magnitude picture without phase, or MelGAN's mel or one of SpecVQGAN's.
    window_frames : int
        Frames in one window; a picture's, no fewer than its tile, up to which it adds silence.

    Raises
    ------
    ValueError
        When the front end is another, or the window too short.
    """

    front: FrontEnd
    window_frames: int

    def __post_init__(self) -> None:
        """Refuse what has no rows of levels, and windows in which there may be no sound."""
        front = self.front
        picture = type(front) is Picture and not front.spec.phase
        if not picture and not isinstance(front, Melgan):
            raise ValueError(
                f"a classifier cannot look at {front.name}; it can at log-mel*, lms, melgan and "
                "specvqgan*"
            )
        least = front.spec.tile_frames if isinstance(front, Picture) else 1
        if self.window_frames < least:
            raise ValueError(
                f"windows of {front.name} must have {least} frames, not {self.window_frames}"
            )

    @property
    def bands(self) -> int:
        """Rows."""
        return self.front.mels if isinstance(self.front, Melgan) else self._picture.spec.bins

    @property
    def hop_samples(self) -> int:
        """Samples from frame to frame."""
        grid = self.front.grid if isinstance(self.front, Melgan) else self._picture.spec.grid
        return grid.hop_samples

    @property
    def range_db(self) -> tuple[float, float]:
        """Levels that the bottom and the top of :attr:`range` stand for, in dB."""
        front = self.front if isinstance(self.front, Melgan) else self._picture.spec
        return front.floor_db, front.ceiling_db

    @property
    def range(self) -> tuple[float, float]:
        """Least value, which is silence, and largest value of a spectrogram."""
        if isinstance(self.front, Melgan):
            ends = self.front.scale(np.array(self.range_db))
            return float(ends[0]), float(ends[1])
        return -1.0, 1.0

    @property
    def _picture(self) -> Picture:
        assert isinstance(self.front, Picture)
        return self.front

    def spectrogram(self, sound: Blocks) -> Iterator[NDArray[np.float32]]:
        """Turn mono sound at ``front.rate_hz`` into (bands, frames) float32, some at a time.

        SpecVQGAN's clips of 10 s are cropped to their middle as for its networks.

        Raises
        ------
        ValueError
            When the sound is empty, or holds NaN or infinity.
        """
        pieces = (piece[self.front.main] for piece in self.front.encode(_checked(sound), {}))
        if isinstance(self.front, SpecVqgan) and self.front.clip_s is not None:
            clip = np.concatenate(list(pieces), axis=1)
            yield ((self.front.model_input(clip) + 1) / 2).astype(np.float32)
        elif isinstance(self.front, Melgan):
            yield from pieces
        else:
            yield from (piece[0] for piece in pieces)

    def windows(self, sound: Blocks) -> Iterator[NDArray[np.float32]]:
        """Cut a sound's spectrogram into (bands, window_frames) float32, half overlapping.

        The last one ends where the sound does, unless less than an eighth of a window would be
        left out. A short sound is filled up with silence.
        """
        size = self.window_frames
        step = max(1, size // 2)
        held = latest = np.zeros((self.bands, 0), np.float32)
        seen = reached = 0  # frames, and the end of the last window among them
        for piece in self.spectrogram(sound):
            seen += piece.shape[1]
            held = np.concatenate([held, piece], axis=1)
            latest = np.concatenate([latest, piece], axis=1)[:, -size:]
            while held.shape[1] >= size:
                yield held[:, :size]
                held = held[:, step:]
                reached = seen - held.shape[1] + size - step
        if not reached:
            silence = np.full((self.bands, size - seen), self.range[0], np.float32)
            yield np.concatenate([latest, silence], axis=1)
        elif seen - reached >= size / _LEAST_REST:
            yield latest


class SoundEmbedder:
    """A classifier, ready to listen.

    Attributes
    ----------
    view : View
        Its front end, whose ``rate_hz`` and ``chain`` say how a sound is to be read.
    classes : tuple of str
        What its logits stand for.
    features : int
        Length of the embedding.
    """

    def __init__(
        self,
        config: Config,
        tensors: dict[str, Tensor],
        view: View,
        classes: Sequence[str],
        rows: tuple[NDArray[np.floating], NDArray[np.floating]],
        device: str = "cpu",
    ) -> None:
        """Build the network and take its weights; ``rows`` are every band's mean and deviation.

        Raises
        ------
        ValueError
            When tensors, bands or classes do not fit.
        """
        network: Classifier = build_classifier(config)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            cause = str(error).splitlines()[-1].strip()
            raise ValueError(f"tensors do not fit the network ({cause})") from None
        if len(classes) != network.head.out_features:
            raise ValueError(f"{len(classes)} names for {network.head.out_features} classes")
        if any(row.shape != (view.bands,) for row in rows):
            raise ValueError(f"{view.front.name} has {view.bands} bands, not {len(rows[0])}")
        self.view, self.classes, self.features = view, tuple(classes), config.features
        self.device, self._config = device, config
        self._network = network.eval().to(device)
        self._mean, self._std = (row.astype(np.float32)[:, None] for row in rows)
        self._std = np.maximum(self._std, np.float32(LEAST_SPREAD))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, device: str = "cpu") -> Self:
        """Build from a checkpoint of kind ``classifier``, or of one of :data:`MEL_KINDS`.

        Raises
        ------
        ValueError
            When it is of another kind, its tensors are not those of its config, its front end has
            changed, or it was imported, without the means and deviations of its rows.
        """
        made = checkpoint.config
        if checkpoint.kind == KIND:
            config = classifier_config(made["architecture"], made["network"])
            tensors, classes = checkpoint.part("network"), made["classes"]
            stored = checkpoint.part("rows")
            rows = (stored["mean"].numpy(), stored["std"].numpy())
        elif checkpoint.kind not in MEL_KINDS:
            raise ValueError(
                f"a {checkpoint.kind!r} model does not listen; those that do are "
                f"{', '.join((KIND, *MEL_KINDS))}"
            )
        elif "rows" not in made:
            raise ValueError(
                f"an imported {checkpoint.kind} has no means and deviations of its rows; give the "
                "table that was published with it (--means-stds)"
            )
        else:
            config = config_among(checkpoint.kind, made)
            tensors, classes = checkpoint.tensors, made["class_names"]
            rows = (np.array(made["rows"]["mean"]), np.array(made["rows"]["std"]))
        front = front_end(made["front_end"]["name"])
        if front.as_dict() != made["front_end"]:
            raise ValueError(
                f"the classifier's front end {front.name} had other constants than this foley's; "
                "train it again"
            )
        return cls(config, tensors, View(front, made["window_frames"]), classes, rows, device)

    @classmethod
    def from_published(
        cls,
        weights: str | os.PathLike[str],
        means_stds: str | os.PathLike[str],
        *,
        classes: Sequence[str] | None = None,
        front_end_name: str = "specvqgan",
        device: str = "cpu",
    ) -> Self:
        """Build from SpecVQGAN's ``melception-*.pt`` or ``vggishish16.pt``.

        Parameters
        ----------
        weights
            The published file, or one with the same layout.
        means_stds
            ``train_means_stds_melspec_10s_22050hz.txt``: a mean and a standard deviation a band.
        classes
            Names of the classes; those of :func:`class_names` unless told.
        front_end_name
            ``specvqgan`` hears the first 10 s, as the paper's evaluation; ``specvqgan-codec``
            all of a sound.

        Raises
        ------
        ValueError
            When a file is missing or something else.
        """
        tensors = published_tensors(weights)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        config: Config
        if "classifier.4.bias" in tensors and "features.0.weight" in tensors:
            config = vggishish_config(shapes)
        elif "Conv2d_1a_3x3.conv.weight" in tensors and "fc.bias" in tensors:
            config = melception_config(shapes)
        else:
            raise ValueError(f"{weights}: neither Melception nor VGGish-ish")
        try:
            table = np.loadtxt(means_stds, ndmin=2)
        except (OSError, ValueError) as error:
            raise ValueError(f"{means_stds}: not a table of means and deviations") from error
        if table.shape[1] != 2 or not np.isfinite(table).all() or (table[:, 1] <= 0).any():
            raise ValueError(f"{means_stds}: need a mean and a deviation a line, has {table.shape}")
        names = classes or class_names(config.classes)
        view = View(front_end(front_end_name), SPECVQGAN_WINDOW_FRAMES)
        try:
            return cls(config, tensors, view, names, (table[:, 0], table[:, 1]), device)
        except ValueError as error:
            raise ValueError(f"{weights}: {error}") from None

    def describe(self) -> dict[str, Any]:
        """Return what a manifest should say of the network, but its file's hash: plain values."""
        return {
            "architecture": architecture(self._config),
            "network": asdict(self._config),
            "features": self.features,
            "classes": list(self.classes),
            "front_end": self.view.front.as_dict(),
            "window_frames": self.view.window_frames,
        }

    @property
    def bias(self) -> NDArray[np.float32]:
        """(classes,) of the logits: less it, they are SpecVQGAN's ``logits_unbiased``."""
        bias: NDArray[np.float32] = self._network.head.bias.detach().cpu().numpy()
        return bias

    def embed(
        self, sound: NDArray[np.floating] | Blocks
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Listen to a sound.

        Parameters
        ----------
        sound : (samples,) float, or an iterable of such blocks
            Mono, at ``view.front.rate_hz``, full scale 1.

        Returns
        -------
        embedding : (features,) float32
        logits : (classes,) float32

        Raises
        ------
        ValueError
            When the sound is not mono, is empty, or holds NaN or infinity.
        """
        windows = self.view.windows([sound] if isinstance(sound, np.ndarray) else sound)
        count, sums = 0, [np.zeros(len(self.classes)), np.zeros(self.features)]
        while some := list(islice(windows, _WINDOWS_AT_A_TIME)):
            count += len(some)
            for total, outputs in zip(sums, self._outputs(np.stack(some)), strict=True):
                total += outputs.sum(dim=0).numpy()
        logits, embedding = ((total / count).astype(np.float32) for total in sums)
        return embedding, logits

    @torch.inference_mode()
    def _outputs(self, windows: NDArray[np.float32]) -> list[Tensor]:
        """(B, bands, frames) -> logits (B, classes) and embeddings (B, features), in float64."""
        standardised = torch.from_numpy((windows - self._mean) / self._std)[:, None]
        return [t.cpu().double() for t in self._network(standardised.to(self.device))]


def _checked(sound: Blocks) -> Iterator[NDArray[np.floating]]:
    samples = 0
    for block in sound:
        if block.ndim != 1:
            raise ValueError(f"need mono sound, (samples,), got a block of shape {block.shape}")
        if not np.isfinite(block).all():
            raise ValueError("the sound holds NaN or infinity")
        samples += len(block)
        yield block
    if not samples:
        raise ValueError("the sound is empty (0 samples)")
