"""Sound-to-Imagination's audio autoencoder: a second of log mel <-> an embedding (section 4.2).

13 convolutions down to one place and 13 transposed ones back, none padded, each followed by batch
norm and ReLU, or tanh at the end of either half. Dropout of whole channels in the decoder alone
softens the latent space. Parameter names and shapes are those of the published files.

What the system's three networks share is here too: layers of a convolution and its batch norm,
widths in proportion, and Xavier's initialisation.

L. A. Fanzeres and C. Nadeu, "Sound-to-Imagination", 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BANDS, FRAMES = 128, 100  # of a segment; rows are mel bands, the highest first

# Width, kernel, stride; the thirteenth convolution is as wide as the embedding.
_ENCODER = (
    (80, (7, 5), 2),
    (176, (5, 3), 2),
    (192, (5, 3), 1),
    (224, (5, 3), 1),
    (272, (5, 3), 1),
    (304, (3, 3), 1),
    (352, (3, 3), 1),
    (416, (3, 3), 1),
    *((512, (3, 3), 1),) * 4,
)
_LAST_KERNEL = (3, 3)
# Kernel, stride, dropout; the widths are the encoder's, backwards. The last two kernels are one
# wider where a strided convolution left a row or column out.
_DECODER = (
    ((3, 3), 1, 0.15),
    ((3, 3), 1, 0.14),
    ((3, 3), 1, 0.13),
    ((3, 3), 1, 0.12),
    ((3, 3), 1, 0.11),
    ((3, 3), 1, 0.10),
    ((3, 3), 1, 0.10),
    ((3, 3), 1, 0.09),
    ((5, 3), 1, 0.08),
    ((5, 3), 1, 0.07),
    ((5, 3), 1, 0.06),
    ((5, 4), 2, 0.05),
    ((8, 6), 2, 0.0),
)
_LAYERS = len(_DECODER)


def scaled_width(channels: int, scale: float) -> int:
    """Return ``scale`` times the published width, rounded to a multiple of 8, at least 8."""
    return max(8, 8 * round(channels * scale / 8))


def xavier_uniform(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw every convolution's weights from Xavier's uniform law (equation 7), biases zero.

    The same generator gives the same weights; None draws from torch's own.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class NormalisedConvs(nn.Module):
    """Convolutions with a batch norm each, under the published names ``X`` and ``X_bn``."""

    def add(self, name: str, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        """Add a convolution and its batch norm."""
        self.add_module(name, conv)
        self.add_module(f"{name}_bn", nn.BatchNorm2d(conv.out_channels))

    def normalised(self, name: str, x: Tensor) -> Tensor:
        """Convolve and normalise; no activation."""
        return self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x))


@dataclass(frozen=True)
class AutoencoderConfig:
    """Size of an :class:`AudioAutoencoder`.

    Attributes
    ----------
    embedding
        Length of the embedding; 128, 256, 512, 1024 and 2048 are published.
    scale
        The inner widths are times this, see :func:`scaled_width`; 1 is the published network.
    """

    embedding: int = 512
    scale: float = 1.0

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels before, between and after the encoder's convolutions."""
        inner = (scaled_width(width, self.scale) for width, _, _ in _ENCODER)
        return (1, *inner, self.embedding)


class AudioAutoencoder(NormalisedConvs):
    """Segments -> their reconstruction and their embedding, both in [-1, 1].

    Shape
    -----
    segments : (B, 1, 128, 100) float32 in [-1, 1], byte / 127.5 - 1 of the ``s2i`` front end
    Output : (B, 1, 128, 100) and (B, config.embedding); the loss is the first's mean squared error.

    Other shapes raise ValueError.
    """

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AutoencoderConfig()
        widths = config.widths
        kernels = (*((kernel, stride) for _, kernel, stride in _ENCODER), (_LAST_KERNEL, 1))
        for i, (kernel, stride) in enumerate(kernels):
            self.add(f"conv{i + 1}", nn.Conv2d(widths[i], widths[i + 1], kernel, stride))
        widths = widths[::-1]
        for i, (kernel, stride, _) in enumerate(_DECODER):
            self.add(f"convT{i + 1}", nn.ConvTranspose2d(widths[i], widths[i + 1], kernel, stride))

    def encode(self, segments: Tensor) -> Tensor:
        """Segments ``[B, 1, 128, 100]`` to embeddings ``[B, D]``."""
        if segments.shape[1:] != (1, BANDS, FRAMES):
            raise ValueError(
                f"need segments of 1 x {BANDS} x {FRAMES}, got {tuple(segments.shape[1:])}"
            )
        x = segments
        for i in range(1, _LAYERS):
            x = F.relu(self.normalised(f"conv{i}", x))
        return torch.tanh(self.normalised(f"conv{_LAYERS}", x)).flatten(1)

    def decode(self, embeddings: Tensor) -> Tensor:
        """Embeddings ``[B, D]`` to segments ``[B, 1, 128, 100]``."""
        require_embeddings(embeddings, self.config.embedding)
        x = embeddings[:, :, None, None]
        for i, (_, _, dropout) in enumerate(_DECODER[:-1], 1):
            x = F.relu(self.normalised(f"convT{i}", x))
            x = F.dropout2d(x, dropout, self.training)
        return torch.tanh(self.normalised(f"convT{_LAYERS}", x))

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        embeddings = self.encode(segments)
        return self.decode(embeddings), embeddings


def require_embeddings(embeddings: Tensor, width: int) -> None:
    """Refuse anything but embeddings ``[B, width]``.

    Raises
    ------
    ValueError
        When the shape is another.
    """
    if embeddings.ndim != 2 or embeddings.shape[1] != width:
        raise ValueError(
            f"need embeddings of {width} numbers, got {tuple(embeddings.shape)}; "
            "was another autoencoder used?"
        )
