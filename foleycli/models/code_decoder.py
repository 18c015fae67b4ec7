"""SpecVQGAN's sampler one code at a time: what the codes before have left is kept, not repeated.

A :class:`CodeDecoder` is made of a trained ``CodeTransformer`` and gives its logits. The keys and
values of every layer stay in a :class:`KeyValueCache`, so that a new code costs the pass of one
position, whose time is that of reading the weights once. Queries, keys and values come of one
fused layer; weights may be of eight bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foleycli.models.code_transformer import Block, CodeEmbedding, CodeTransformer
from foleycli.models.packed_linear import Int8Linear, PackedLinear

Precision = Literal["float32", "int8"]


@dataclass
class KeyValueCache:
    """Keys and values of all layers, with room for the longest input, allocated once.

    At the paper's size, with five features, a sample takes 53 MB.

    Attributes
    ----------
    values
        ``[layers, 2, B, heads, capacity, head width]`` float32: keys, values.
    length
        How many positions are filled, of every sample alike.
    """

    values: Tensor
    length: int = 0

    def sample(self, index: int) -> KeyValueCache:
        """Return a view on one sample."""
        return KeyValueCache(self.values[:, :, index : index + 1], self.length)


class CodeDecoder(nn.Module):
    """A sampler's network for one new code at a time.

    Parameters
    ----------
    network
        The trained network. Embeddings and norms are shared, the other weights copied, so that it
        may be let go of; make another decoder when it has been trained further.
    precision
        "int8" quantises the linear layers, a quarter of the weights to read.
    """

    def __init__(self, network: CodeTransformer, precision: Precision = "float32") -> None:
        super().__init__()
        if precision not in ("float32", "int8"):
            raise ValueError(f"precision {precision!r}; choose float32 or int8")
        self.config = config = network.config
        with torch.device("meta"):
            self.embedding = CodeEmbedding(config)
        weights = network.state_dict()
        self.embedding.load_state_dict(
            {name: weights[name] for name in self.embedding.state_dict()}, assign=True
        )
        make = PackedLinear if precision == "float32" else Int8Linear
        self.blocks = nn.ModuleList(
            CachedBlock(cast("Block", block), config.heads, make) for block in network.blocks
        )
        self.head = make(network.head.weight.detach())

    def new_cache(self, samples: int, codes: int | None = None) -> KeyValueCache:
        """Allocate room for the condition and ``codes`` of so many samples; all it sees, if None.

        The last code is never an input, and takes no room.
        """
        config = self.config
        capacity = config.prefix + (codes or config.length) - 1
        head_width = config.width // config.heads
        shape = (config.layers, 2, samples, config.heads, capacity, head_width)
        return KeyValueCache(torch.zeros(shape, device=self.embedding.pos_emb.device))

    @torch.inference_mode()
    def start(
        self,
        cache: KeyValueCache,
        features: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Read the condition, forgetting all else, and return the first code's logits.

        Parameters
        ----------
        cache
            Of as many samples as there are conditions, or a multiple: then sample ``n`` is of
            condition ``n // multiple``, each of which is read once.
        features, labels
            As in ``CodeEmbedding.embed_condition``.

        Returns
        -------
        Tensor
            ``[samples, codes]`` float32.
        """
        known = (features, labels)
        number = max((len(part) for part in known if part is not None), default=1)
        # One at a time, here and below: a sample's bits must not depend on those beside it.
        condition = torch.cat(
            [
                self.embedding.embed_condition(
                    *(part if part is None else part[index : index + 1] for part in known)
                )
                for index in range(number)
            ]
        )
        values = cache.values
        multiple, rest = divmod(values.shape[2], len(condition))
        if rest:
            raise ValueError(f"{len(condition)} conditions for {values.shape[2]} samples")
        cache.length = 0
        logits = []
        for index, one in enumerate(condition.split(1)):
            first, end = index * multiple, (index + 1) * multiple
            logits.append(self._pass(cache.sample(first), one).expand(multiple, -1))
            values[:, :, first + 1 : end, :, : one.shape[1]] = values[
                :, :, first : first + 1, :, : one.shape[1]
            ]
        cache.length = condition.shape[1]
        return torch.cat(logits)

    @torch.inference_mode()
    def append(self, cache: KeyValueCache, codes: Tensor) -> Tensor:
        """Read codes ``[samples, T]`` int64 and return the next one's logits ``[samples, codes]``.

        Several codes are read sample by sample: that many rows keep the processor busy as it is,
        and a sample's bits then do not depend on how many there are.
        """
        place = cache.length - self.config.prefix
        x = self.embedding.embed_codes(codes.to(cache.values.device), place)
        if codes.shape[1] == 1:
            logits = self._pass(cache, x)
        else:
            logits = torch.cat(
                [self._pass(cache.sample(index), one) for index, one in enumerate(x.split(1))]
            )
        cache.length += codes.shape[1]
        return logits

    def forget_codes(self, cache: KeyValueCache) -> None:
        """Keep the condition alone, which is the same whatever codes follow it."""
        cache.length = self.config.prefix

    def _pass(self, cache: KeyValueCache, x: Tensor) -> Tensor:
        begin, end = cache.length, cache.length + x.shape[1]
        if end > cache.values.shape[4]:
            raise ValueError(f"position {end} is beyond the cache's {cache.values.shape[4]}")
        seen = None
        if x.shape[1] > 1:
            seen = torch.ones(x.shape[1], end, dtype=torch.bool, device=x.device).tril(begin)
        for block, values in zip(self.blocks, cache.values, strict=True):
            x = block(x, values, begin, seen)
        return self.head(self.embedding.ln_f(x[:, -1]))


class CachedBlock(nn.Module):
    """A ``Block`` that reads and fills its part of the cache: ``[B, T, width]``."""

    def __init__(
        self, block: Block, heads: int, make: type[PackedLinear] | type[Int8Linear]
    ) -> None:
        super().__init__()
        attention = block.attn
        inner, _, outer = cast("Iterable[nn.Linear]", block.mlp)
        parts = (attention.query, attention.key, attention.value)
        self.heads = heads
        self.ln1, self.ln2 = block.ln1, block.ln2
        self.qkv = make(
            torch.cat([part.weight.detach() for part in parts]),
            torch.cat([part.bias.detach() for part in parts]),
        )
        self.proj, self.inner, self.outer = (
            make(layer.weight.detach(), layer.bias.detach())
            for layer in (attention.proj, inner, outer)
        )

    def forward(self, x: Tensor, cache: Tensor, begin: int, seen: Tensor | None) -> Tensor:
        """Pass positions ``begin`` on; ``seen [T, begin + T]``: who sees whom, None for all."""
        end = begin + x.shape[1]
        # [3, B, heads, T, head width]
        qkv = self.qkv(self.ln1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        cache[:, :, :, begin:end] = qkv[1:]
        keys, values = cache[:, :, :, :end]
        attended = F.scaled_dot_product_attention(qkv[0], keys, values, attn_mask=seen)
        x = x + self.proj(attended.transpose(1, 2).flatten(2))
        return x + self.outer(F.gelu(self.inner(self.ln2(x))))
