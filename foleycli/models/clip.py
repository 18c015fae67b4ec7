"""CLIP: pictures and texts in one space, with the parameter names of the Hugging Face layout.

Pictures are ``[B, 3, S, S]`` float32, normalised with CLIP's own mean and standard deviation; texts
are ``[B, T]`` int64 tokens that begin with the start token and hold the end token, whose number is
the largest of the vocabulary. The cosine of a picture's and a text's features says how well they
fit. A published ``model.safetensors`` loads as it is, but for the index tables that older ones
carry (``position_ids``).

A. Radford et al., "Learning transferable visual models from natural language supervision", 2021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-5  # of every layer norm


@dataclass(frozen=True)
class TowerConfig:
    """Size of a transformer; ``hidden`` is the width inside its two-layer networks."""

    width: int
    hidden: int
    layers: int
    heads: int
    activation: Literal["quick_gelu", "gelu"] = "quick_gelu"

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not share a width of {self.width}")
        if self.activation not in ("quick_gelu", "gelu"):
            raise ValueError(f"activation {self.activation!r} is none of CLIP's")


@dataclass(frozen=True)
class ClipConfig:
    """Size of both towers; ViT-B/32 unless told.

    Attributes
    ----------
    text, vision
        The towers.
    vocabulary, context
        Number of tokens; longest text in tokens, start and end among them.
    image_size, patch_size
        Sides in pixels of the picture, and of the squares that it is cut into.
    features
        Length of the vectors that are compared.
    """

    text: TowerConfig = TowerConfig(512, 2048, 12, 8)
    vision: TowerConfig = TowerConfig(768, 3072, 12, 12)
    vocabulary: int = 49408
    context: int = 77
    image_size: int = 224
    patch_size: int = 32
    features: int = 512

    @classmethod
    def from_published(cls, values: Mapping[str, Any]) -> ClipConfig:
        """Read the contents of a ``config.json``; what it does not say is as in ViT-B/32.

        Raises
        ------
        ValueError
            When it is of another model, or of a CLIP that cannot be built here.
        """
        if values.get("model_type") != "clip":
            raise ValueError(f"config of a {values.get('model_type')!r} model, not of a 'clip'")
        default, parts = cls(), {}
        for name in ("text", "vision"):
            part = {**(values.get(f"{name}_config") or {})}
            part |= values.get(f"{name}_config_dict") or {}  # an older spelling, which prevails
            if part.get("layer_norm_eps", _EPSILON) != _EPSILON:
                raise ValueError(f"layer_norm_eps {part['layer_norm_eps']}, not {_EPSILON}")
            parts[name] = part
        text, vision = parts["text"], parts["vision"]
        return cls(
            _tower(text, default.text),
            _tower(vision, default.vision),
            text.get("vocab_size", default.vocabulary),
            text.get("max_position_embeddings", default.context),
            vision.get("image_size", default.image_size),
            vision.get("patch_size", default.patch_size),
            values.get("projection_dim", default.features),
        )


VIT_B_32 = ClipConfig()
VIT_B_16 = ClipConfig(patch_size=16)
VIT_L_14 = ClipConfig(
    TowerConfig(768, 3072, 12, 12), TowerConfig(1024, 4096, 24, 16), patch_size=14, features=768
)


class Clip(nn.Module):
    """Features of pictures and of texts, both ``[B, features]``, not normalised."""

    def __init__(self, config: ClipConfig = VIT_B_32) -> None:
        super().__init__()
        self.config = config
        self.text_model = TextTower(config)
        self.vision_model = VisionTower(config)
        self.visual_projection = nn.Linear(config.vision.width, config.features, bias=False)
        self.text_projection = nn.Linear(config.text.width, config.features, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def image_features(self, images: Tensor) -> Tensor:
        """Pictures ``[B, 3, S, S]`` to ``[B, features]``."""
        return self.visual_projection(self.vision_model(images))

    def text_features(self, tokens: Tensor) -> Tensor:
        """Tokens ``[B, T]`` to ``[B, features]``."""
        return self.text_projection(self.text_model(tokens))

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Scaled cosines ``[B_images, B_texts]``, whose softmax is over texts."""
        pictures = F.normalize(self.image_features(images), dim=1)
        texts = F.normalize(self.text_features(tokens), dim=1)
        return self.logit_scale.exp() * pictures @ texts.T


class VisionTower(nn.Module):
    """Pictures ``[B, 3, S, S]`` -> what the class token has gathered ``[B, width]``."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        width = config.vision.width
        self.embeddings = VisionEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(width, _EPSILON)  # spelt as published
        self.encoder = Encoder(config.vision, causal=False)
        self.post_layernorm = nn.LayerNorm(width, _EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        x = self.encoder(self.pre_layrnorm(self.embeddings(images)))
        return self.post_layernorm(x[:, 0])


class VisionEmbeddings(nn.Module):
    """Pictures ``[B, 3, S, S]`` -> a class token and one a patch ``[B, 1 + patches, width]``."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        width, patch = config.vision.width, config.patch_size
        self.image_size = config.image_size
        self.class_embedding = nn.Parameter(torch.randn(width) / width**0.5)
        self.patch_embedding = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.position_embedding = nn.Embedding(1 + (config.image_size // patch) ** 2, width)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != (3, self.image_size, self.image_size):
            raise ValueError(
                f"need pictures of 3 x {self.image_size} x {self.image_size}, "
                f"got {tuple(images.shape[1:])}"
            )
        patches = self.patch_embedding(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(images), 1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight


class TextTower(nn.Module):
    """Tokens ``[B, T]`` -> what the end token has gathered ``[B, width]``.

    No token sees a later one, so that whatever follows the end token is without effect.
    """

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.embeddings = TextEmbeddings(config)
        self.encoder = Encoder(config.text, causal=True)
        self.final_layer_norm = nn.LayerNorm(config.text.width, _EPSILON)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.final_layer_norm(self.encoder(self.embeddings(tokens)))
        return x[torch.arange(len(x), device=x.device), tokens.argmax(dim=1)]


class TextEmbeddings(nn.Module):
    """Tokens ``[B, T]`` -> ``[B, T, width]``."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocabulary, config.text.width)
        self.position_embedding = nn.Embedding(config.context, config.text.width)

    def forward(self, tokens: Tensor) -> Tensor:
        length, context = tokens.shape[1], self.position_embedding.num_embeddings
        if length > context:
            raise ValueError(f"a text of {length} tokens, where {context} is the most")
        return self.token_embedding(tokens) + self.position_embedding.weight[:length]


class Encoder(nn.Module):
    """Transformer ``[B, T, width] -> [B, T, width]``."""

    def __init__(self, config: TowerConfig, *, causal: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(config, causal=causal) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Block(nn.Module):
    """Attention and a two-layer network, each normed before and added: ``[B, T, width]``."""

    def __init__(self, config: TowerConfig, *, causal: bool) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.width, _EPSILON)
        self.self_attn = Attention(config, causal=causal)
        self.layer_norm2 = nn.LayerNorm(config.width, _EPSILON)
        self.mlp = TwoLayers(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Attention(nn.Module):
    """Self-attention ``[B, T, width] -> [B, T, width]``; causal: each token sees those before."""

    def __init__(self, config: TowerConfig, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = config.heads, causal
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            self.add_module(name, nn.Linear(config.width, config.width))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            self.get_submodule(name)(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.get_submodule("out_proj")(seen.transpose(1, 2).flatten(2))


class TwoLayers(nn.Module):
    """``[B, T, width] -> [B, T, hidden] -> [B, T, width]``."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.width)
        self.quick = config.activation == "quick_gelu"

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x) if self.quick else F.gelu(x))


def _tower(values: Mapping[str, Any], default: TowerConfig) -> TowerConfig:
    return TowerConfig(
        values.get("hidden_size", default.width),
        values.get("intermediate_size", default.hidden),
        values.get("num_hidden_layers", default.layers),
        values.get("num_attention_heads", default.heads),
        values.get("hidden_act", default.activation),
    )
