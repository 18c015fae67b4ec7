"""SpecVQGAN's sampler: a GPT-2-like transformer over the codes of a spectrogram (section 3.2).

It reads ``[condition | codes so far]``, column by column (``code_order.py``), and tells at every
code how likely each code of the codebook comes there. The condition is what stands before: visual
features, a class, both, noise in place of features (the paper's "No Feats"), or the coordinate map
of its appendix. All of it is causal, the condition too.

Parameters have the published names, without ``transformer.``. What the published files have beside
them are tables without weights, which are not kept: ``blocks.N.attn.mask``, the causal mask.

V. Iashin and E. Rahtu, "Taming visually guided sound generation", BMVC 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Condition = Literal["features", "class", "features+class", "noise", "coordinates"]
_EPSILON = 1e-5  # of every layer norm
_INIT_STD = 0.02
_HEAD_WIDTH = 64  # of the published networks, whose files do not tell it


@dataclass(frozen=True)
class CodeTransformerConfig:
    """Size of a :class:`CodeTransformer`; the paper's on VGGSound with five features unless told.

    Attributes
    ----------
    codes
        Size of the codebook.
    rows, columns
        The grid of codes that it sees at once: frequency, time.
    condition
        What stands before the codes.
    features, feature_depth
        How many feature vectors, and their length; "noise" is such vectors, drawn at random.
    classes
        How many classes, where the condition has one.
    layers, heads, width
        Of the transformer; every layer's inner width is four times ``width``.
    """

    codes: int = 1024
    rows: int = 5
    columns: int = 53
    condition: Condition = "features"
    features: int = 5
    feature_depth: int = 2048
    classes: int = 309
    layers: int = 24
    heads: int = 16
    width: int = 1024

    def __post_init__(self) -> None:
        if self.condition not in get_args(Condition):
            raise ValueError(
                f"condition={self.condition!r}; choose one of {', '.join(get_args(Condition))}"
            )
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not share a width of {self.width}")
        if (self.has_features and self.features < 1) or (self.has_class and self.classes < 1):
            raise ValueError(
                f"condition {self.condition!r} of {self.features} features and {self.classes} "
                "classes leaves nothing to begin with; give 1 or more"
            )

    @property
    def has_features(self) -> bool:
        return self.condition in ("features", "features+class", "noise")

    @property
    def has_class(self) -> bool:
        return self.condition in ("class", "features+class")

    @property
    def length(self) -> int:
        """Number of codes that it sees at once."""
        return self.rows * self.columns

    @property
    def prefix(self) -> int:
        """Number of positions that the condition takes."""
        if self.condition == "coordinates":
            return self.length
        return self.features * self.has_features + self.has_class

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(**fields)

    @classmethod
    def from_published(cls, shapes: Mapping[str, tuple[int, ...]], rows: int = 5) -> Self:
        """Read the size off the names and shapes of published weights.

        A network of noise has the shapes of one with a single feature, and is taken for that.

        Raises
        ------
        KeyError, ValueError
            When they are not those of such a network.
        """
        codes, width = shapes["tok_emb.weight"]
        both, embedder = "cls_embedder.weight" in shapes, shapes.get("embedder.weight", ())
        visual = shapes.get("feat_embedder.weight", ()) if both else embedder
        condition: Condition = (
            "features+class" if both else "features" if len(visual) == 3 else "class"
        )
        classes = shapes["cls_embedder.weight"][0] if both else embedder[0]
        # The grid's columns are not in the files: all published networks have the paper's.
        plain = cls(rows=rows)
        features = shapes["pos_emb"][1] - plain.length - (condition != "features")
        return cls(
            codes=codes,
            rows=rows,
            condition=condition,
            features=features if condition != "class" else 0,
            feature_depth=visual[1] if condition != "class" else 0,
            classes=classes if condition != "features" else 0,
            layers=sum(name.endswith(".ln1.weight") for name in shapes),
            heads=width // _HEAD_WIDTH,
            width=width,
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


PAPER = CodeTransformerConfig()
MINI = CodeTransformerConfig(codes=128, layers=4, heads=4, width=128)


class CodeEmbedding(nn.Module):
    """What turns a condition and codes into the transformer's input, and its output into logits."""

    def __init__(self, config: CodeTransformerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        # One more position than is ever read, as published: the last code is never an input.
        self.pos_emb = nn.Parameter(torch.zeros(1, config.prefix + config.length, width))
        self.tok_emb = nn.Embedding(config.codes, width)
        self.ln_f = nn.LayerNorm(width, _EPSILON)
        both = config.has_features and config.has_class
        if config.has_features:
            self.add_module(
                "feat_embedder" if both else "embedder", nn.Conv1d(config.feature_depth, width, 1)
            )
        if config.has_class:
            self.add_module(
                "cls_embedder" if both else "embedder", nn.Embedding(config.classes, width)
            )

    def embed_condition(
        self, features: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """Condition to input vectors, positions included.

        Parameters
        ----------
        features
            ``[B, feature_depth, features]`` float32, where the condition has features or noise.
        labels
            ``[B]`` int64, where it has a class.

        Returns
        -------
        Tensor
            ``[B, prefix, width]``; B is 1 for coordinates, which all samples share.

        Raises
        ------
        ValueError
            When what the condition needs is not given, or has another shape.
        """
        config = self.config
        shape = (config.feature_depth, config.features)
        if config.has_features and (features is None or features.shape[1:] != shape):
            raise ValueError(
                f"condition {config.condition!r} needs features of {shape[0]} x {shape[1]}, got "
                f"{'none' if features is None else ' x '.join(map(str, features.shape[1:]))}"
            )
        if config.has_class and labels is None:
            raise ValueError(f"condition {config.condition!r} needs a class; none given")
        both = config.has_features and config.has_class
        parts = []
        if config.has_features:
            embed = self.get_submodule("feat_embedder" if both else "embedder")
            parts.append(embed(features).transpose(1, 2))
        if config.has_class:
            assert labels is not None
            embed = self.get_submodule("cls_embedder" if both else "embedder")
            parts.append(embed(labels)[:, None])
        if config.condition == "coordinates":
            time = torch.arange(config.length, device=self.pos_emb.device) // config.rows
            parts.append(self.tok_emb(time * config.codes // config.columns)[None])
        return torch.cat(parts, dim=1) + self.pos_emb[:, : config.prefix]

    def embed_codes(self, codes: Tensor, first: int = 0) -> Tensor:
        """Codes ``[B, T]`` int64 that begin at place ``first`` to input ``[B, T, width]``."""
        begin = self.config.prefix + first
        return self.tok_emb(codes) + self.pos_emb[:, begin : begin + codes.shape[1]]


class CodeTransformer(CodeEmbedding):
    """``[condition | codes]`` -> logits of the code at every place, and of the one after them.

    Shape
    -----
    codes : (B, T) int64, column by column; T is at most ``config.length - 1``
    features : (B, feature_depth, features) float32, where the condition has them
    labels : (B,) int64, where it has a class
    Output : (B, T + 1, config.codes); place t says what code t is, seeing those before it.
    """

    def __init__(self, config: CodeTransformerConfig = PAPER) -> None:
        super().__init__(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = nn.Linear(config.width, config.codes, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=_INIT_STD)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(
        self, codes: Tensor, features: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        x = self._input(codes, features, labels)
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln_f(x[:, self.config.prefix - 1 :]))

    def last_attention(
        self, codes: Tensor, features: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """Return what the last layer's heads look at: ``[B, heads, prefix + T, prefix + T]``."""
        x = self._input(codes, features, labels)
        for block in self.blocks[:-1]:
            x = block(x)
        last = cast("Block", self.blocks[-1])
        return last.attn.shares(last.ln1(x))

    def _input(self, codes: Tensor, features: Tensor | None, labels: Tensor | None) -> Tensor:
        if codes.shape[1] >= self.config.length:
            raise ValueError(
                f"{codes.shape[1]} codes, where it sees {self.config.length - 1} before the last"
            )
        prefix = self.embed_condition(features, labels).expand(len(codes), -1, -1)
        return torch.cat([prefix, self.embed_codes(codes)], dim=1)


class Block(nn.Module):
    """Attention and a two-layer network, each normed before and added: ``[B, T, width]``."""

    def __init__(self, config: CodeTransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.ln1 = nn.LayerNorm(width, _EPSILON)
        self.ln2 = nn.LayerNorm(width, _EPSILON)
        self.attn = Attention(config)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Attention(nn.Module):
    """Causal self-attention ``[B, T, width] -> [B, T, width]``."""

    def __init__(self, config: CodeTransformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.key = nn.Linear(config.width, config.width)
        self.query = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._heads(layer(x)) for layer in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(seen.transpose(1, 2).flatten(2))

    def shares(self, x: Tensor) -> Tensor:
        """How much each position takes of each: ``[B, heads, T, T]``, rows of sum one."""
        q, k = self._heads(self.query(x)), self._heads(self.key(x))
        scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5
        later = torch.ones(scores.shape[2:], dtype=torch.bool, device=x.device).triu(1)
        return scores.masked_fill(later, -torch.inf).softmax(dim=-1)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)
