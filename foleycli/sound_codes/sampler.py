"""SpecVQGAN's sampler at work: a clip's condition and seeds -> codes of as many sounds.

Every sound has a seed of its own, and is the same whatever is drawn beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.models.code_decoder import CodeDecoder
from foleycli.models.code_sampling import SamplingConfig, noise_features, sample_codes
from foleycli.sound_codes.conditions import FeatureTrack

Progress = Callable[[int, int], None]

_AT_A_TIME = 8  # what keys and values of the paper's network take: 53 MB a sound with 5 features


@dataclass(frozen=True)
class FeatureKind:
    """What features a sampler was trained on.

    Attributes
    ----------
    backbone : str
        Name of what makes them; empty when not told.
    noise : bool
        Whether it saw noise in their place, "No Feats" in the paper.
    """

    backbone: str = ""
    noise: bool = False


class Sampler:
    """A trained network and what it is conditioned on.

    Attributes
    ----------
    classes : tuple of str
        Names of its classes; their numbers where none are told.
    backbone : str
        What makes the features that it takes; empty when not told.
    wants_features, wants_class : bool
        What has to be given; noise does not.
    """

    def __init__(
        self,
        decoder: CodeDecoder,
        *,
        classes: tuple[str, ...],
        features: FeatureKind,
        device: str = "cpu",
    ) -> None:
        config = decoder.config
        self._decoder, self._device = decoder, device
        self._noise = features.noise or config.condition == "noise"
        self.wants_class = config.has_class
        self.wants_features = config.has_features and not self._noise
        self.backbone = features.backbone
        self.classes = classes
        if self.wants_class and len(classes) != config.classes:
            self.classes = tuple(map(str, range(config.classes)))

    @property
    def feature_width(self) -> int:
        """Length of a feature vector."""
        return self._decoder.config.feature_depth

    def check_class(self, name: str) -> int:
        """Return the index of a class.

        Raises
        ------
        ValueError
            When the sampler has no such class; the message lists those it has.
        """
        if name not in self.classes:
            known = ", ".join(self.classes)
            raise ValueError(f"unknown class {name!r}; this sampler has: {known}")
        return self.classes.index(name)

    def check_features(self, track: FeatureTrack) -> None:
        """Refuse features that the network was not trained on.

        Raises
        ------
        ValueError
            When they are of another backbone or length.
        """
        if self.backbone and track.backbone and track.backbone != self.backbone:
            raise ValueError(
                f"features of {track.backbone}, where this sampler was trained on those of "
                f"{self.backbone}; foley extract --backbone {self.backbone} makes them"
            )
        if track.values.shape[1] != self.feature_width:
            raise ValueError(
                f"features of {track.values.shape[1]} numbers, where this sampler was trained on "
                f"{self.feature_width}{f' ({self.backbone})' if self.backbone else ''}"
            )

    def draw(
        self,
        seeds: Sequence[int],
        columns: int,
        column_s: float,
        *,
        track: FeatureTrack | None = None,
        label: int | None = None,
        prime: NDArray[np.int64] | None = None,
        temperature: float = 1.0,
        top_x: int | None = None,
        progress: Progress | None = None,
    ) -> NDArray[np.int64]:
        """Draw the codes of several sounds of one clip.

        Parameters
        ----------
        seeds
            One a sound.
        columns, column_s
            Length of the sounds in columns of codes, and of a column in seconds.
        track
            The clip's features, where :attr:`wants_features`.
        label
            Index of the class, where :attr:`wants_class`.
        prime : (rows, c) int64, optional
            Codes that all sounds begin with.
        temperature, top_x
            How codes are chosen, see :class:`SamplingConfig`; half of the codebook unless told, as
            in the paper.
        progress
            Called with columns drawn, of how many.

        Returns
        -------
        (sounds, rows, columns) int64

        Raises
        ------
        ValueError
            When the condition lacks something, or lengths do not fit.
        """
        if track is not None and self.wants_features:
            self.check_features(track)
        config = SamplingConfig(temperature, top_x or self._decoder.config.codes // 2)
        drawn: list[Tensor] = []
        total = len(seeds) * columns
        for first in range(0, len(seeds), _AT_A_TIME):
            some = seeds[first : first + _AT_A_TIME]

            def tell(column: int, before: int = first, count: int = len(some)) -> None:
                if progress:
                    progress(before * columns + count * (column + 1), total)

            # Each is a clip of its own where noise makes conditions differ.
            clips = [[seed] for seed in some] if self._noise else [list(some)]
            begin = None if prime is None else torch.from_numpy(prime).expand(len(clips), -1, -1)
            labels = None
            if self.wants_class and label is not None:
                labels = torch.full((len(clips),), label, device=self._device)
            found = sample_codes(
                self._decoder,
                clips,
                columns,
                features=self._features(some, track, column_s),
                labels=labels,
                prime=begin,
                config=config,
                on_column=tell,
            )
            drawn.append(found.flatten(0, 1))
        return torch.cat(drawn).numpy()

    def _features(
        self, seeds: Sequence[int], track: FeatureTrack | None, column_s: float
    ) -> Tensor | Callable[[int], Tensor] | None:
        size = self._decoder.config
        if self._noise:
            return noise_features(size, seeds).to(self._device)
        if track is None or not self.wants_features:
            return None
        length_s = size.columns * column_s

        def seen(column: int) -> Tensor:
            return track.window(column * column_s, length_s, size.features).to(self._device)

        return seen
