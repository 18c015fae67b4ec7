"""Checkpoints of either system, whole or in parts as they were published -> a system at work."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from foleycli.checkpoints import embedded_models, find_checkpoint, load_checkpoint
from foleycli.dsp.front_ends.front_end import FrontEnd
from foleycli.dsp.front_ends.s2i import S2I
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.files.provenance import file_sha256
from foleycli.imagination.systems import ModelFile, S2iSystem, SceneSystem, System
from foleycli.model_parts import ModelPart, filled, put_in
from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig
from foleycli.models.dense_generator import DenseGenerator, DenseGeneratorConfig
from foleycli.models.icgan import ICGANGenerator, ICGANGeneratorConfig
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.scene_audio_encoder import SceneAudioEncoder, SceneAudioEncoderConfig
from foleycli.vision.backbone import BackboneConfig

SYSTEMS = ("s2i", "sound2scene")
DEFAULT_SYSTEM = "sound2scene"

# Which parts a kind of checkpoint may hold; a published file is one part, unnamed.
_WHOLE = {"s2i": ("autoencoder", "generator"), "sound2scene": ("audio", "generator", "image")}
_PUBLISHED = {
    "s2i-autoencoder": ("s2i", "autoencoder"),
    "s2i-generator": ("s2i", "generator"),
    "sound2scene-audio": ("sound2scene", "audio"),
    "icgan-generator": ("sound2scene", "generator"),
    "swav-resnet50": ("sound2scene", "image"),
}
_FRONT_ENDS: dict[str, FrontEnd] = {"s2i": S2I, "sound2scene": SOUND2SCENE}
_SWAV_PIXELS = 224
_FITS = ("squash", "crop")


def load_system(models: Sequence[str], system: str = "auto", device: str = "cpu") -> System:
    """Read a system from one checkpoint, or from several that hold a part each.

    Parameters
    ----------
    models
        Files, training folders or shipped names; none is the system's shipped one.
    system : {"auto", "s2i", "sound2scene"}
        ``auto`` is what the files are of, Sound2Scene without any.
    device
        Where the networks run.

    Raises
    ------
    ValueError
        When a file is missing or of another kind, two hold the same part, one that is needed is
        missing, or tensors do not fit.
    """
    paths = model_paths(models, system)
    parts: dict[str, ModelPart] = {}
    found = system if system != "auto" else ""
    for path in paths:
        owner, own = _parts_of(path)
        if found and owner != found:
            raise ValueError(
                f"{path}: is of {owner}, not {found}; give files of one system, and its --system"
            )
        found = owner
        for name, part in own.items():
            put_in(parts, name, part)
    files = [ModelFile(path.name, file_sha256(path)) for path in paths]
    ear = _WHOLE[found][0]
    if ear not in parts:
        held = ", ".join(parts)
        raise ValueError(f"{paths[0]}: has no {ear} to hear with (only: {held}); add its --model")
    built = {name: part.built(name, _BUILDERS[found, name]) for name, part in parts.items()}
    if found == "s2i":
        hears, draws = built["autoencoder"], built.get("generator")
        _require_one_width(found, hears.config.embedding, draws and draws.config.embedding)
        return S2iSystem(S2I, files, device, hears, draws)
    hears, draws, sees = built["audio"], built.get("generator"), built.get("image")
    for other in (draws and draws.config.features, sees and sees[0].config.features):
        _require_one_width(found, hears.config.features, other)
    return SceneSystem(SOUND2SCENE, files, device, hears, draws, sees)


def model_paths(models: Sequence[str], system: str = "auto") -> list[Path]:
    """Return the files behind ``--model``.

    Raises
    ------
    ValueError
        When one is missing, or none is given and the package has none.
    """
    name = system if system != "auto" else DEFAULT_SYSTEM
    if not models and name not in embedded_models():
        raise ValueError(
            f"no {name} model is in this package; give one with --model (foley train {name} makes "
            "it, foley checkpoint import takes a published one)"
        )
    return [find_checkpoint(model) for model in models or [name]]


def _parts_of(path: Path) -> tuple[str, dict[str, ModelPart]]:
    """Return whose parts a file holds, and these."""
    checkpoint = load_checkpoint(path)
    kind, config = checkpoint.kind, checkpoint.config
    if kind in _PUBLISHED:
        owner, name = _PUBLISHED[kind]
        if kind == "swav-resnet50":
            config = {"network": config, "pixels": _SWAV_PIXELS, "fit": "squash"}
        return owner, {name: ModelPart(config, checkpoint.tensors, path)}
    if kind not in _WHOLE:
        known = ", ".join([*_WHOLE, *_PUBLISHED])
        raise ValueError(f"{path}: holds a {kind!r} model; foley s2i takes: {known}")
    front = _FRONT_ENDS[kind]
    if config.get("front_end") != json.loads(json.dumps(front.as_dict())):
        raise ValueError(
            f"{path}: its front end {front.name} had other constants than this foley's; "
            "train it again"
        )
    held = {name: checkpoint.part(name) for name in _WHOLE[kind]}
    return kind, {
        name: ModelPart(config.get(name) or {}, tensors, path)
        for name, tensors in held.items()
        if tensors
    }


def _autoencoder(part: ModelPart) -> AudioAutoencoder:
    """Build the encoder alone; a file may have left out the decoder, which nothing needs here."""

    def encoder() -> AudioAutoencoder:
        network = AudioAutoencoder(AutoencoderConfig(**part.config))
        for name, _ in list(network.named_children()):
            if name.startswith("convT"):
                delattr(network, name)
        return network

    kept = {name: t for name, t in part.tensors.items() if not name.startswith("convT")}
    return filled(encoder, kept)


def _dense_generator(part: ModelPart) -> DenseGenerator:
    network = DenseGenerator(DenseGeneratorConfig(**part.config))
    network.load_state_dict(part.tensors)
    return network


def _image(part: ModelPart) -> tuple[ResNet, BackboneConfig]:
    """Build the trunk; the feature lies before a classifier, should there be one."""
    fields = part.config["network"]
    config = ResNetConfig(**{**fields, "blocks": tuple(fields["blocks"]), "classes": 0})
    trunk = {name: t for name, t in part.tensors.items() if not name.startswith("fc.")}
    pixels, fit = int(part.config["pixels"]), part.config["fit"]
    if fit not in _FITS:
        raise ValueError(f"fit {fit!r} is none of: {', '.join(_FITS)}")
    network = filled(lambda: ResNet(config), trunk)
    return network, BackboneConfig(config, pixels, pixels if fit == "crop" else 0)


_BUILDERS: dict[tuple[str, str], Callable[[ModelPart], Any]] = {
    ("s2i", "autoencoder"): _autoencoder,
    ("s2i", "generator"): _dense_generator,
    ("sound2scene", "audio"): lambda part: filled(
        lambda: SceneAudioEncoder(SceneAudioEncoderConfig.from_dict(dict(part.config))),
        part.tensors,
    ),
    ("sound2scene", "generator"): lambda part: filled(
        lambda: ICGANGenerator(ICGANGeneratorConfig.from_dict(dict(part.config))), part.tensors
    ),
    ("sound2scene", "image"): _image,
}


def _require_one_width(system: str, heard: int, other: int | None) -> None:
    if other not in (None, heard):
        raise ValueError(
            f"{system}: sounds have {heard} features and another part {other}; "
            "give files that were trained together"
        )
