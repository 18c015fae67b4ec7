"""The published checkpoints that can be imported: one row a kind.

A row knows the network that takes the weights, how its configuration follows from their shapes, and
what of the file is not part of it. That is all that a new kind needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig
from foleycli.models.bn_inception import BNInception
from foleycli.models.dense_generator import DenseGenerator, DenseGeneratorConfig
from foleycli.models.icgan import (
    ICGANDiscriminator,
    ICGANDiscriminatorConfig,
    ICGANGenerator,
    ICGANGeneratorConfig,
)
from foleycli.models.informativity import Informativity
from foleycli.models.melception import Melception
from foleycli.models.melgan import MelganDiscriminator, MelganGenerator
from foleycli.models.rc_discriminator import RCDiscriminator, RCDiscriminatorConfig
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.scene_audio_encoder import SceneAudioEncoder, SceneAudioEncoderConfig
from foleycli.models.spectrogram_codebook import SpectrogramCodebook
from foleycli.models.swav_resnet50 import SWAV_RESNET50
from foleycli.models.vggishish import Vggishish
from foleycli.published import specvqgan
from foleycli.published.classifiers import Shapes, melception_config, vggishish_config


def _as_they_are(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return dict(tensors)


def _nothing_more(config: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class PublishedKind:
    """One kind of published checkpoint.

    Attributes
    ----------
    name
        What ``--as`` takes, and the ``kind`` of the imported checkpoint.
    purpose
        What it is for, in a few words.
    licence
        Of the published weights.
    config
        Tensors' shapes to the network's configuration, a dataclass, or None when there is nothing
        to configure. Raises ``LookupError`` or ``ValueError`` when a shape it needs is not there.
    network
        Builds the network from that configuration.
    dropped
        Names of tensors that the network does not have, beginnings that end in a dot, or ends that
        begin with one.
    prepared
        Brings a file's tensors to the network's names and shapes, where these differ.
    told
        What a run's settings say beyond the configuration, which the checkpoint keeps beside it.
    """

    name: str
    purpose: str
    licence: str
    config: Callable[[Shapes], Any]
    network: Callable[[Any], nn.Module]
    dropped: tuple[str, ...] = ()
    prepared: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = _as_they_are
    told: Callable[[Any, Mapping[str, Any]], dict[str, Any]] = _nothing_more


def _discriminator(shapes: Shapes) -> RCDiscriminatorConfig:
    own = RCDiscriminatorConfig().widths[-1]
    embedding = 4 * (shapes["conv13.weight"][1] - own)
    if embedding <= 0:
        raise ValueError("conv13.weight has no room for an embedding")
    return RCDiscriminatorConfig(embedding)


def _icgan_generator(shapes: Shapes) -> ICGANGeneratorConfig:
    shared_width, features = shapes["shared_feat.weight"]
    return ICGANGeneratorConfig(features, shared_width, unread_classes=0)


KINDS = (
    PublishedKind(
        "s2i-autoencoder",
        "Sound-to-Imagination: sound to embedding and back",
        "BSD-3-Clause",
        lambda shapes: AutoencoderConfig(shapes["conv13.weight"][0]),
        AudioAutoencoder,
    ),
    PublishedKind(
        "s2i-generator",
        "Sound-to-Imagination: embedding to picture",
        "BSD-3-Clause",
        lambda shapes: DenseGeneratorConfig(shapes["transition0.weight"][0]),
        DenseGenerator,
    ),
    PublishedKind(
        "s2i-discriminator",
        "Sound-to-Imagination: judges picture and embedding in training",
        "BSD-3-Clause",
        _discriminator,
        RCDiscriminator,
    ),
    PublishedKind(
        "s2i-informativity",
        "Sound-to-Imagination: whether a picture shows its class",
        "BSD-3-Clause",
        lambda shapes: None,
        lambda config: Informativity(),
    ),
    PublishedKind(
        "sound2scene-audio",
        "Sound2Scene: sound to the image encoder's features",
        "none stated",
        lambda shapes: SceneAudioEncoderConfig(features=shapes["audnet.fc.bias"][0]),
        SceneAudioEncoder,
    ),
    PublishedKind(
        "icgan-generator",
        "Sound2Scene and IC-GAN: features to picture",
        "CC BY-NC 4.0",
        _icgan_generator,
        ICGANGenerator,
        ("shared.",),
    ),
    PublishedKind(
        "icgan-discriminator",
        "IC-GAN: judges picture and features in training",
        "CC BY-NC 4.0",
        lambda shapes: ICGANDiscriminatorConfig(shapes["linear_feat.weight"][1]),
        ICGANDiscriminator,
    ),
    PublishedKind(
        "resnet50",
        "FoleyGAN and SpecVQGAN: features of frames, ImageNet's classes",
        "BSD-3-Clause",
        lambda shapes: ResNetConfig(classes=shapes["fc.bias"][0]),
        ResNet,
    ),
    PublishedKind(
        "swav-resnet50",
        "Sound2Scene and IC-GAN: picture to features",
        "CC BY-NC 4.0",
        lambda shapes: SWAV_RESNET50,
        ResNet,
        ("projection_head.", "prototypes.", "fc."),
    ),
    PublishedKind(
        "melception",
        "SpecVQGAN: classes of sounds, for metrics",
        "MIT",
        melception_config,
        Melception,
    ),
    PublishedKind(
        "vggishish",
        "SpecVQGAN: classes of sounds, for metrics and LPAPS",
        "MIT",
        vggishish_config,
        Vggishish,
    ),
    PublishedKind(
        "specvqgan-codebook",
        "SpecVQGAN: mel to codes and back",
        "MIT",
        specvqgan.codebook_config,
        SpectrogramCodebook,
        ("loss.",),
    ),
    PublishedKind(
        "specvqgan-sampler",
        "SpecVQGAN: draws codes for a clip; brings its codebook",
        "MIT",
        specvqgan.sampler_config,
        specvqgan.SamplerWithCodebook,
        (".attn.mask", "first_stage_permuter.", "first_stage_model.loss."),
        told=specvqgan.told_of_sampler,
    ),
    PublishedKind(
        "melgan-generator",
        "SpecVQGAN: mel to sound",
        "MIT",
        specvqgan.melgan_config,
        MelganGenerator,
        prepared=specvqgan.with_model_prefix,
    ),
    PublishedKind(
        "melgan-discriminator",
        "SpecVQGAN: judges sounds in the vocoder's training",
        "MIT",
        specvqgan.melgan_discriminator_config,
        MelganDiscriminator,
        prepared=specvqgan.with_model_prefix,
    ),
    PublishedKind(
        "bn-inception",
        "SpecVQGAN: features of frames, or of optical flow",
        "none stated",
        specvqgan.bn_inception_config,
        BNInception,
        ("fc.", "fc_action.", "last_linear."),
        specvqgan.with_flat_norms,
    ),
)


def published_kind(name: str) -> PublishedKind:
    """Return the kind of this name.

    Raises
    ------
    ValueError
        When there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    names = ", ".join(kind.name for kind in KINDS)
    raise ValueError(f"{name}: no kind of checkpoint that can be imported; those are: {names}")
