"""Spectrogram VQGAN (Iashin and Rahtu 2021, 3.1): a mel spectrogram as a few codes, and back.

An encoder halves the picture four times, a quantiser puts the nearest of the codebook's vectors in
the place of each of the encoder's, and a decoder, the encoder's mirror, draws the mel. Residual
blocks of group normalisation, swish and 3x3 convolutions; self-attention over all positions at the
smallest size. 80 x 848 values become 5 x 53 codes. The convolutions see any length of a multiple of
16 frames; frames beyond the last multiple are not encoded.

Parameter names and their order are the published ones (taming-transformers', which SpecVQGAN built
on).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_NORM_EPS = 1e-6


@dataclass(frozen=True)
class CodebookConfig:
    """Size of a :class:`SpectrogramCodebook`.

    Attributes
    ----------
    codes : int
        Vectors in the codebook.
    code_width : int
        Length of each, and channels between encoder and decoder.
    channels : int
        Width of the networks at full size.
    multiples : tuple of int
        Width at every size, from full to smallest, in multiples of ``channels``; each size is half
        the one before.
    residual_blocks : int
        At every size of the encoder; the decoder has one more.
    groups : int
        Of the group normalisation; divides every width.
    beta : float
        Factor on the codebook's own term of the quantiser's loss.
    mels, frames : int
        Of the spectrograms it was made for.
    """

    codes: int = 1024
    code_width: int = 256
    channels: int = 128
    multiples: tuple[int, ...] = (1, 1, 2, 2, 4)
    residual_blocks: int = 2
    groups: int = 32
    beta: float = 0.25
    mels: int = 80
    frames: int = 848

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at every size, from full to smallest."""
        return tuple(self.channels * multiple for multiple in self.multiples)

    @property
    def factor(self) -> int:
        """Rows, and columns, of the mel that one code stands for."""
        return int(2 ** (len(self.multiples) - 1))

    @property
    def code_rows(self) -> int:
        return self.mels // self.factor

    @property
    def code_columns(self) -> int:
        return self.frames // self.factor

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "multiples": tuple(fields["multiples"])})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


PAPER_CODEBOOK = CodebookConfig()  # VGGSound
VAS_CODEBOOK = CodebookConfig(codes=128)
# For training without an accelerator.
MINI_CODEBOOK = CodebookConfig(
    codes=128, code_width=64, channels=16, multiples=(1, 1, 2, 2, 4), residual_blocks=1, groups=8
)


class Quantised(NamedTuple):
    """What the quantiser gives for z ``[B, D, H, W]``.

    Attributes
    ----------
    vectors
        ``[B, D, H, W]`` the nearest vectors of the codebook; their gradient goes to z as it is.
    codes
        ``[B, H, W]`` int64, their indices; flattened, the published order (frequency, time).
    loss
        ``mean |sg[e] - z|^2 + beta mean |e - sg[z]|^2`` (sg: no gradient). It is the published
        code's: VQ-VAE weighs the first term, which draws the encoder, rather than the second.
    perplexity
        Exponential of the entropy of the codes' shares, at most ``codes``.
    """

    vectors: Tensor
    codes: Tensor
    loss: Tensor
    perplexity: Tensor


class SpectrogramCodebook(nn.Module):
    """Mel ``[B, 1, mels, T]`` in [-1, 1] -> the mel decoded from its codes, and those.

    The decoded mel has T less what T exceeds a multiple of ``config.factor`` by, and is not
    clamped. Vocoders take ``(mel + 1) / 2``.
    """

    def __init__(self, config: CodebookConfig = PAPER_CODEBOOK) -> None:
        super().__init__()
        self.config = config
        width = config.code_width
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Quantiser(config)
        self.quant_conv = nn.Conv2d(width, width, 1)
        self.post_quant_conv = nn.Conv2d(width, width, 1)

    def encode(self, mel: Tensor) -> Quantised:
        """Mel ``[B, 1, mels, T]`` to codes ``[B, mels // factor, T // factor]`` and vectors.

        Raises
        ------
        ValueError
            When the mel is smaller than one code.
        """
        factor = self.config.factor
        if min(mel.shape[2:]) < factor:
            raise ValueError(
                f"a mel of {mel.shape[2]} x {mel.shape[3]} is smaller than one code; "
                f"give {factor} x {factor} or more"
            )
        return self.quantize(self.quant_conv(self.encoder(mel)))

    def decode(self, vectors: Tensor) -> Tensor:
        """Vectors ``[B, D, H, W]`` of the codebook to a mel ``[B, 1, H factor, W factor]``."""
        return self.decoder(self.post_quant_conv(vectors))

    def decode_codes(self, codes: Tensor) -> Tensor:
        """Codes ``[B, H, W]`` int64 to a mel ``[B, 1, H factor, W factor]``."""
        return self.decode(self.quantize.look_up(codes))

    @property
    def last_layer(self) -> Tensor:
        """Weight of the decoder's last convolution, at which an adaptive weight is measured."""
        return self.decoder.conv_out.weight

    def forward(self, mel: Tensor) -> tuple[Tensor, Quantised]:
        quantised = self.encode(mel)
        return self.decode(quantised.vectors), quantised

    def fold(self) -> Self:
        """Make every doubling one transposed convolution, for inference only; returns the network.

        Equal to rounding. It can no longer be trained, nor saved in the published layout.
        """
        self.eval().requires_grad_(False)
        for level in self.decoder.up:
            if isinstance(level.upsample, Upsample):
                level.upsample = _transposed(level.upsample.conv)
        return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Quantiser(nn.Module):
    """Nearest vector of a codebook, by squared distance, with a straight-through gradient."""

    def __init__(self, config: CodebookConfig) -> None:
        super().__init__()
        self.beta = config.beta
        self.embedding = nn.Embedding(config.codes, config.code_width)
        nn.init.uniform_(self.embedding.weight, -1 / config.codes, 1 / config.codes)

    def nearest(self, z: Tensor) -> Tensor:
        """Find the codes ``[B, H, W]`` of the vectors nearest to z ``[B, D, H, W]``.

        Of equally near ones the first. The squared norm of z is the same for all and left out.
        """
        book = self.embedding.weight
        rows = z.movedim(1, -1).flatten(0, 2)
        distances = torch.addmm(book.square().sum(1), rows, book.T, alpha=-2)
        return distances.argmin(1).view(z.shape[0], *z.shape[2:])

    def look_up(self, codes: Tensor) -> Tensor:
        """Codes ``[B, H, W]`` int64 to their vectors ``[B, D, H, W]``."""
        return self.embedding(codes).movedim(-1, 1)

    def forward(self, z: Tensor) -> Quantised:
        with torch.no_grad():
            codes = self.nearest(z)
            shares = code_hits(codes, len(self.embedding.weight)) / codes.numel()
            perplexity = torch.special.entr(shares).sum().exp()
        vectors = self.look_up(codes)
        loss = F.mse_loss(z, vectors.detach()) + self.beta * F.mse_loss(vectors, z.detach())
        return Quantised(z + (vectors - z).detach(), codes, loss, perplexity)


def code_hits(codes: Tensor, count: int) -> Tensor:
    """Count how often each of ``count`` codes is used, ``[count]`` int64; zeros are dead codes."""
    return torch.bincount(codes.flatten(), minlength=count)


class Encoder(nn.Module):
    """Mel ``[B, 1, H, T]`` -> ``[B, code_width, H // factor, T // factor]``."""

    def __init__(self, config: CodebookConfig) -> None:
        super().__init__()
        widths, last = config.widths, len(config.widths) - 1
        self.conv_in = nn.Conv2d(1, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        channels = widths[0]
        for index, width in enumerate(widths):
            level = Level(channels, width, config.residual_blocks, index == last, config.groups)
            if index < last:
                level.downsample = Downsample(width)
            self.down.append(level)
            channels = width
        self.mid = Middle(channels, config.groups)
        self.norm_out = _norm(channels, config.groups)
        self.conv_out = nn.Conv2d(channels, config.code_width, 3, padding=1)

    def forward(self, mel: Tensor) -> Tensor:
        h = self.conv_in(mel.contiguous(memory_format=torch.channels_last))
        for level in self.down:
            h = level(h)
        return self.conv_out(_swish(self.norm_out(self.mid(h))))


class Decoder(nn.Module):
    """``[B, code_width, H, W]`` -> mel ``[B, 1, H factor, W factor]``, unbounded."""

    def __init__(self, config: CodebookConfig) -> None:
        super().__init__()
        widths, last = config.widths, len(config.widths) - 1
        channels = widths[-1]
        self.conv_in = nn.Conv2d(config.code_width, channels, 3, padding=1)
        self.mid = Middle(channels, config.groups)
        levels: list[Level] = []
        for index, width in reversed(list(enumerate(widths))):
            level = Level(channels, width, config.residual_blocks + 1, index == last, config.groups)
            if index:
                level.upsample = Upsample(width)
            levels.append(level)
            channels = width
        self.up = nn.ModuleList(reversed(levels))  # by size, as in the encoder: read from the end
        self.norm_out = _norm(channels, config.groups)
        self.conv_out = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.mid(self.conv_in(z.contiguous(memory_format=torch.channels_last)))
        for level in reversed(self.up):
            h = level(h)
        return self.conv_out(_swish(self.norm_out(h)))


class Level(nn.Module):
    """The blocks of one size, each followed by attention where ``attends``; then a new size."""

    def __init__(self, channels: int, width: int, blocks: int, attends: bool, groups: int) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            Residual(channels if first else width, width, groups)
            for first in [True] + [False] * (blocks - 1)
        )
        self.attn = nn.ModuleList(Attention(width, groups) for _ in range(blocks * attends))
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[index](x)
        for resized in (self.downsample, self.upsample):
            if resized is not None:
                x = resized(x)
        return x


class Middle(nn.Module):
    """Residual, attention, residual: ``[B, C, H, W] -> [B, C, H, W]``."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.block_1 = Residual(channels, channels, groups)
        self.attn_1 = Attention(channels, groups)
        self.block_2 = Residual(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut: ``[B, C_in, H, W] -> [B, C, H, W]``."""

    def __init__(self, channels: int, width: int, groups: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels, groups)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.norm2 = _norm(width, groups)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(channels, width, 1) if channels != width else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(_swish(self.norm1(x)))
        h = self.conv2(_swish(self.norm2(h)))
        # In place: the sum of convolutions of this size is not what takes the time, its memory is.
        return h.add_(x if self.nin_shortcut is None else self.nin_shortcut(x))


class Attention(nn.Module):
    """Self-attention of one head over all positions, added to what it sees."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = _norm(channels, groups)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        query, key, value = (conv(h).flatten(2).mT for conv in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(query, key, value)  # (B, HW, C)
        return x + self.proj_out(attended.mT.unflatten(2, x.shape[2:]))


class Downsample(nn.Module):
    """Halve, rounding down; the one row and column of padding are below and at the right."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double by repetition, then convolve."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0))


def _transposed(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Return the one layer equal to repetition and then ``conv``: 4 of 9 products remain.

    Repetition is a transposed convolution of stride 2 with a 2x2 kernel of ones, so that both are
    one with the 4x4 kernel that the two kernels make. Transposed convolutions turn theirs around.
    """
    width, channels = conv.weight.shape[:2]
    kernels = conv.weight.flip(2, 3).reshape(-1, 1, 3, 3)
    spread = F.conv2d(kernels, kernels.new_ones(1, 1, 2, 2), padding=1)
    with torch.device("meta"):
        layer = nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1)
    spread = spread.view(width, channels, 4, 4).transpose(0, 1)
    layer.weight = nn.Parameter(spread, requires_grad=False)
    layer.bias = conv.bias
    return layer.eval()


def _norm(channels: int, groups: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels, eps=_NORM_EPS)


def _swish(x: Tensor) -> Tensor:
    # In place where nothing will ask for what was there: fresh memory costs more than the sum.
    return F.silu(x, inplace=not torch.is_grad_enabled())
