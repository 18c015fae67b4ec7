"""Sound-to-Imagination's discriminator: picture and embedding -> RC-score (section 4.2, figure 4).

The score tells in one number in [-1, 1] whether a picture is real and whether it coheres with the
sound. The embedding is laid out as maps of 2 x 2 and joins the picture's before the last layer.

That layer ends in a batch norm over the scores themselves, which takes away what they have in
common. In training mode a batch of generated pictures alone, or of real ones, can therefore not be
told to score higher: the gradient of that is zero. So

- the discriminator learns from batches of real and generated pictures together, in one forward;
- the generator learns from a frozen discriminator in evaluation mode, whose batch norms use their
  running statistics (and whose dropout is off).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foleycli.models.audio_autoencoder import NormalisedConvs, require_embeddings, scaled_width

_STRIDED_KERNELS = (5, 3)
_WIDTHS = (96, 192, 192, 208, 224, 240, 256, 256, 256, 256, 256, 256)
_SIDE = 2  # of the maps that the embedding joins
_DROPOUT = 0.5
_PIXELS = (48, 96)


@dataclass(frozen=True)
class RCDiscriminatorConfig:
    """Size of an :class:`RCDiscriminator`.

    Attributes
    ----------
    embedding
        Length of the audio embedding, a multiple of 4.
    pixels
        Side of the picture: 96 as published, or 48, with six convolutions fewer.
    scale
        The inner widths are times this, in multiples of 8; 1 is the published network.
    """

    embedding: int = 512
    pixels: int = 96
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.pixels not in _PIXELS:
            raise ValueError(f"pixels={self.pixels}; choose one of {list(_PIXELS)}")
        if self.embedding % _SIDE**2:
            raise ValueError(f"embedding={self.embedding}; give a multiple of {_SIDE**2}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels before, between and after the convolutions that see the picture alone."""
        side = self.pixels
        for kernel in _STRIDED_KERNELS:
            side = (side - kernel) // 2 + 1
        count = len(_STRIDED_KERNELS) + (side - _SIDE) // 2  # a 3x3 takes one place at either end
        return (3, *(scaled_width(width, self.scale) for width in _WIDTHS[:count]))


class RCDiscriminator(NormalisedConvs):
    """Pictures and embeddings -> RC-scores: near 1 when real and coherent, near -1 otherwise.

    Shape
    -----
    pictures : (B, 3, pixels, pixels) float32 in [-1, 1]
    embeddings : (B, config.embedding) float32
    Output : (B,).

    Other shapes raise ValueError.
    """

    def __init__(self, config: RCDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RCDiscriminatorConfig()
        widths = config.widths
        self._names = [f"conv{i}" for i in range(1, len(widths) + 1)]
        for i, name in enumerate(self._names[:-1]):
            kernel, stride = (_STRIDED_KERNELS[i], 2) if i < len(_STRIDED_KERNELS) else (3, 1)
            self.add(name, nn.Conv2d(widths[i], widths[i + 1], kernel, stride, bias=False))
        joined = widths[-1] + config.embedding // _SIDE**2
        self.add(self._names[-1], nn.Conv2d(joined, 1, _SIDE, bias=False))

    def forward(self, pictures: Tensor, embeddings: Tensor) -> Tensor:
        side = self.config.pixels
        if pictures.shape[1:] != (3, side, side):
            raise ValueError(
                f"need pictures of 3 x {side} x {side}, got {tuple(pictures.shape[1:])}"
            )
        require_embeddings(embeddings, self.config.embedding)
        *inner, last = self._names
        x = pictures
        for name in inner:
            x = F.dropout2d(F.relu(self.normalised(name, x)), _DROPOUT, self.training)
        maps = embeddings.unflatten(1, (-1, _SIDE, _SIDE))
        return torch.tanh(self.normalised(last, torch.cat([x, maps], 1))).flatten()
