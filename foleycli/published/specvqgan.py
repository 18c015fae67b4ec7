"""SpecVQGAN's published networks: sizes from shapes, and what a run's settings tell besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from foleycli.models.bn_inception import BNInceptionConfig
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig
from foleycli.models.melgan import MelganConfig, MelganDiscriminatorConfig
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.published.classifiers import Shapes, class_names

_FIRST_STAGE, _TRANSFORMER, _MELGAN = "first_stage_model.", "transformer.", "model."
_BN_WIDTH = 64  # of BN-Inception's first layer


@dataclass(frozen=True)
class SamplerConfig:
    """Size of a sampler and of the codebook that its file brings, if it does."""

    transformer: CodeTransformerConfig
    codebook: CodebookConfig | None


class SamplerWithCodebook(nn.Module):
    """The published file of a sampler: both networks, by the names they have there."""

    def __init__(self, config: SamplerConfig) -> None:
        """Build both."""
        super().__init__()
        if config.codebook is not None:
            self.first_stage_model = SpectrogramCodebook(config.codebook)
        self.transformer = CodeTransformer(config.transformer)


def codebook_config(shapes: Shapes) -> CodebookConfig:
    """Read a codebook's size off its shapes; raises ``LookupError`` where one is missing."""
    codes, code_width = shapes["quantize.embedding.weight"]
    channels = shapes["encoder.conv_in.weight"][0]
    levels = _count(shapes, "encoder.down.{}.block.0.conv1.weight")
    widths = [shapes[f"encoder.down.{level}.block.0.conv1.weight"][0] for level in range(levels)]
    if not levels or any(width % channels for width in widths):
        raise ValueError(f"widths {widths} are no multiples of {channels}")
    return CodebookConfig(
        codes=codes,
        code_width=code_width,
        channels=channels,
        multiples=tuple(width // channels for width in widths),
        residual_blocks=_count(shapes, "encoder.down.0.block.{}.conv1.weight"),
    )


def sampler_config(shapes: Shapes) -> SamplerConfig:
    """Read both sizes off the shapes of a sampler's file."""
    transformer = CodeTransformerConfig.from_published(_inside(shapes, _TRANSFORMER))
    inner = _inside(shapes, _FIRST_STAGE)
    return SamplerConfig(transformer, codebook_config(inner) if inner else None)


def melgan_config(shapes: Shapes) -> MelganConfig:
    """Read a generator's size off its shapes: plain layers are the first, lengthening, the last."""
    plain = {
        int(name.split(".")[1]): shape
        for name, shape in shapes.items()
        if name.startswith(_MELGAN) and name.count(".") == 2 and name.endswith("weight_v")
    }
    first, *lengthening, last = (plain[index] for index in sorted(plain))
    shortcuts = sum(name.endswith("shortcut.weight_v") for name in shapes)
    return MelganConfig(
        mels=first[1],
        channels=last[1],
        ratios=tuple(shape[2] // 2 for shape in lengthening),
        residual_blocks=shortcuts // len(lengthening),
    )


def melgan_discriminator_config(shapes: Shapes) -> MelganDiscriminatorConfig:
    """Read a discriminator's size off its shapes."""
    first = "model.disc_0.model.layer_0.1.weight_v"
    strided = _count(shapes, "model.disc_0.model.layer_{}.0.weight_v", 1) - 1
    return MelganDiscriminatorConfig(
        scales=_count(shapes, "model.disc_{}.model.layer_0.1.weight_v"),
        channels=shapes[first][0],
        strided=strided,
        stride=(shapes["model.disc_0.model.layer_1.0.weight_v"][2] - 1) // 10,
    )


def bn_inception_config(shapes: Shapes) -> BNInceptionConfig:
    """Read channels and width off the first layer."""
    width, channels = shapes["conv1_7x7_s2.weight"][:2]
    return BNInceptionConfig(channels, width / _BN_WIDTH)


def with_model_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put back what reading takes for a wrapper's prefix, and is MelGAN's own."""
    if all(name.startswith(_MELGAN) for name in tensors):
        return dict(tensors)
    return {f"{_MELGAN}{name}": tensor for name, tensor in tensors.items()}


def with_flat_norms(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring batch norms from (1, C), as converted from Caffe, to (C,)."""
    return {
        name: tensor[0]
        if "_bn." in name and tensor.shape[:1] == (1,) and tensor.ndim == 2
        else tensor
        for name, tensor in tensors.items()
    }


def told_of_sampler(config: SamplerConfig, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what shapes do not say: classes, whose features, and whether noise replaced them.

    The settings name the folders of features; without them the backbone stays unknown.
    """
    size = config.transformer
    told: dict[str, Any] = {"classes": []}
    if size.has_class:
        told["classes"] = class_names(size.classes)
    if size.has_features:
        data = _at(settings, "data", "params")
        told["replaced_by_noise"] = bool(data.get("replace_feats_with_random"))
        told["features"] = {
            "backbone": _backbone(data),
            "count": size.features,
            "width": size.feature_depth,
        }
    return told


def _backbone(data: Mapping[str, Any]) -> str:
    frames = str(data.get("rgb_feats_dir_path") or "")
    if "resnet50" in frames:
        return "resnet50"
    if "bninception" in frames:
        return "bninception+flow" if data.get("flow_feats_dir_path") else "bninception"
    return ""


def _at(settings: Any, *names: str) -> Mapping[str, Any]:
    for name in names:
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return settings if isinstance(settings, Mapping) else {}


def _inside(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    return {n.removeprefix(prefix): shape for n, shape in shapes.items() if n.startswith(prefix)}


def _count(shapes: Shapes, name: str, first: int = 0) -> int:
    """Return how many names there are with the numbers from ``first`` on, without a gap."""
    number = first
    while name.format(number) in shapes:
        number += 1
    return number - first
