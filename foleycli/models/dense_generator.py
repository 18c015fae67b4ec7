"""Sound-to-Imagination's dense generator: an audio embedding -> a picture (section 4.2, figure 3).

25 transposed convolutions: transitions that enlarge, and between them blocks of three, in which a
layer sees those before it. Other than in DenseNet a block's input is not handed on, and there is no
growth rate. A smaller picture leaves out the last doublings.

Nothing but dropout of whole channels makes the pictures of one sound differ, and so it stays on
when generating, while batch norm uses its running statistics. All that chance decides about a
picture is one vector, its *draw*: a number of N(0, 0.035) for every entry of the noise prefix (none
in the published network), then for every channel after a transition 0 or 1 / (1 - p).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foleycli.models.audio_autoencoder import NormalisedConvs, require_embeddings, scaled_width

_NOISE_STD = 0.035
# Widths of a block's three layers.
_BLOCKS = (
    (512, 512, 512),
    (512, 416, 352),
    (304, 256, 224),
    (192, 176, 160),
    (144, 128, 112),
    (96, 80, 64),
)
# Width, kernel, stride, padding, dropout; sides 2, 4, 6, 12, 24, 48, 96. The last transition of a
# network has three channels and no dropout.
_TRANSITIONS = (
    (512, 2, 1, 0, 0.15),
    (512, 3, 1, 0, 0.13),
    (352, 3, 1, 0, 0.11),
    (224, 4, 2, 1, 0.09),
    (160, 4, 2, 1, 0.07),
    (112, 4, 2, 1, 0.05),
    (3, 4, 2, 1, 0.0),
)
_BLOCKS_FOR = {48: 5, 96: 6}  # by the side of the picture


@dataclass(frozen=True)
class DenseGeneratorConfig:
    """Size of a :class:`DenseGenerator`.

    Attributes
    ----------
    embedding
        Length of the audio embedding.
    pixels
        Side of the picture: 96 as published, or 48.
    scale
        The inner widths are times this, in multiples of 8; 1 is the published network.
    noise_ratio
        Length of the noise put before the embedding, over the embedding's.
    """

    embedding: int = 512
    pixels: int = 96
    scale: float = 1.0
    noise_ratio: float = 0.0

    def __post_init__(self) -> None:
        if self.pixels not in _BLOCKS_FOR:
            raise ValueError(f"pixels={self.pixels}; choose one of {sorted(_BLOCKS_FOR)}")
        if self.noise_ratio < 0:
            raise ValueError(f"noise_ratio={self.noise_ratio}; give 0 or more")

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """Widths of the three layers of every block."""
        count = _BLOCKS_FOR[self.pixels]
        return tuple(tuple(scaled_width(w, self.scale) for w in ws) for ws in _BLOCKS[:count])

    @property
    def dropped(self) -> tuple[tuple[int, float], ...]:
        """Channels after every transition but the last, and how likely each is dropped."""
        kept = _TRANSITIONS[: _BLOCKS_FOR[self.pixels]]
        return tuple((scaled_width(row[0], self.scale), row[-1]) for row in kept)

    @property
    def noise_width(self) -> int:
        """Entries before the embedding."""
        return int(self.embedding * self.noise_ratio)

    @property
    def draw_width(self) -> int:
        """Length of a draw."""
        return self.noise_width + sum(width for width, _ in self.dropped)


class DenseGenerator(NormalisedConvs):
    """Embeddings -> pictures in [-1, 1].

    Shape
    -----
    embeddings : (B, config.embedding) float32
    draws : (B, config.draw_width) float32 from :meth:`draw`, or None: in training drawn anew, in
        evaluation without noise and dropout
    Output : (B, 3, pixels, pixels).

    Other shapes raise ValueError.
    """

    _drop_probability: Tensor

    def __init__(self, config: DenseGeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DenseGeneratorConfig()
        inputs, layer = config.noise_width + config.embedding, 1
        outputs = (*(width for width, _ in config.dropped), 3)
        for i, output in enumerate(outputs):
            _, kernel, stride, padding, _ = _TRANSITIONS[i]
            self.add(f"transition{i}", nn.ConvTranspose2d(inputs, output, kernel, stride, padding))
            if i < len(config.blocks):
                first, second, third = config.blocks[i]
                for a, b in ((output, first), (first, second), (first + second, third)):
                    self.add(f"convT{layer}", nn.ConvTranspose2d(a, b, 3, padding=1))
                    layer += 1
                inputs = first + second + third
        probability = [torch.full((width,), p) for width, p in config.dropped]
        self.register_buffer("_drop_probability", torch.cat(probability), persistent=False)

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw all that chance decides about ``count`` pictures: ``[count, draw_width]``.

        Drawn on the generator's device, so that a seed gives the same on any; None draws from
        torch's own there where the network is. For pictures that do not depend on their
        neighbours, give every picture a generator of its own.
        """
        home = self._drop_probability.device
        device = home if generator is None else generator.device
        shape = (count, self.config.noise_width)
        noise = _NOISE_STD * torch.randn(shape, generator=generator, device=device)
        shape = (count, len(self._drop_probability))
        kept = torch.rand(shape, generator=generator, device=device).to(home)
        masks = (kept >= self._drop_probability) / (1 - self._drop_probability)
        return torch.cat([noise.to(home), masks], 1)

    def forward(self, embeddings: Tensor, draws: Tensor | None = None) -> Tensor:
        config = self.config
        require_embeddings(embeddings, config.embedding)
        if draws is None:
            draws = self.draw(len(embeddings)) if self.training else self._no_chance(embeddings)
        elif draws.shape != (len(embeddings), config.draw_width):
            raise ValueError(
                f"need draws of {len(embeddings)} x {config.draw_width}, got {tuple(draws.shape)}"
            )
        noise, *masks = draws.split([config.noise_width, *(w for w, _ in config.dropped)], 1)
        x = torch.cat([noise, embeddings], 1)[:, :, None, None]
        for i, mask in enumerate(masks):
            x = F.relu(self.normalised(f"transition{i}", x)) * mask[:, :, None, None]
            x1 = F.relu(self.normalised(f"convT{3 * i + 1}", x))
            x2 = F.relu(self.normalised(f"convT{3 * i + 2}", x1))
            x3 = F.relu(self.normalised(f"convT{3 * i + 3}", torch.cat([x1, x2], 1)))
            x = torch.cat([x1, x2, x3], 1)
        return torch.tanh(self.normalised(f"transition{len(masks)}", x))

    @torch.no_grad()
    def generate(
        self, embeddings: Tensor, generators: Sequence[torch.Generator] | None = None
    ) -> Tensor:
        """Make one picture an embedding, exactly the same in any batch.

        Parameters
        ----------
        embeddings : (B, config.embedding) float32
        generators : B generators, or None
            One a picture, seeded from (seed, sample); None leaves out noise and dropout.

        Returns
        -------
        (B, 3, pixels, pixels) float32 in [-1, 1].

        Raises
        ------
        ValueError
            In training mode, or when there are not as many generators as embeddings.
        """
        if self.training:
            raise ValueError("batch norm would mix the pictures of a batch; call eval() first")
        if generators is not None and len(generators) != len(embeddings):
            raise ValueError(f"{len(embeddings)} embeddings need as many generators")
        # One at a time: the rounding of a convolution depends on how many it is given.
        pictures = []
        for i in range(len(embeddings)):
            draws = None if generators is None else self.draw(1, generators[i])
            pictures.append(self(embeddings[i : i + 1], draws))
        return torch.cat(pictures)

    def _no_chance(self, embeddings: Tensor) -> Tensor:
        draws = embeddings.new_ones(len(embeddings), self.config.draw_width)
        draws[:, : self.config.noise_width] = 0
        return draws
