"""Checkpoints of SpecVQGAN's parts, ours or as they were published -> a system at work."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from foleycli.checkpoints import Checkpoint, find_checkpoint, load_checkpoint
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN
from foleycli.files.provenance import file_sha256
from foleycli.model_parts import ModelPart, filled, put_in
from foleycli.models.code_decoder import CodeDecoder, Precision
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig
from foleycli.models.melgan import MelganConfig, MelganGenerator
from foleycli.models.melgan_folded import FoldedMelgan
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.sound_codes.codec import RATE_HZ, SoundCodec
from foleycli.sound_codes.sampler import FeatureKind, Sampler

# Kinds of checkpoint, ours and published, and the part each holds.
KINDS = {
    "codebook": "codebook",
    "sampler": "sampler",
    "vocoder": "vocoder",
    "specvqgan-codebook": "codebook",
    "specvqgan-sampler": "sampler",
    "melgan-generator": "vocoder",
}
_PREFIXES = {"codebook": "codebook", "sampler": "sampler", "vocoder": "generator"}
_REMEDIES = {
    "codebook": "foley train codebook makes one, foley checkpoint import takes a published one",
    "sampler": "foley train sampler makes one, foley checkpoint import takes a published one",
}


@dataclass(frozen=True)
class SoundCodes:
    """SpecVQGAN's networks, as far as the files held them.

    Attributes
    ----------
    codec : SoundCodec or None
        The codebook, and the vocoder where there is one.
    codebook_sha256 : str
        Of the file that held the codebook.
    sampler : Sampler or None
    vocoder : FoldedMelgan or None
    """

    codec: SoundCodec | None
    codebook_sha256: str
    sampler: Sampler | None
    vocoder: FoldedMelgan | None


def model_paths(models: Sequence[str]) -> list[Path]:
    """Return the files behind ``--model``; ValueError when one is missing."""
    return [find_checkpoint(model) for model in models]


def load_sound_codes(
    models: Sequence[str],
    needs: Sequence[str] = (),
    *,
    device: str = "cpu",
    precision: str = "float32",
) -> SoundCodes:
    """Read a system from checkpoints that hold a part each.

    Parameters
    ----------
    models
        Files, training folders or shipped names: of kinds :data:`KINDS`. A published sampler
        brings the codebook it was trained on.
    needs
        Parts that must be there: "codebook", "sampler", "vocoder".
    device
        Where the networks run.
    precision
        Of the sampler's weights: "float32" or "int8".

    Raises
    ------
    ValueError
        When a file is missing or of another kind, two hold the same part, one that is needed is
        missing, tensors do not fit, or the sampler was trained on another codebook.
    """
    parts = _parts(models)
    missing = [name for name in needs if name not in parts]
    if missing:
        held = ", ".join(parts) or "nothing"
        raise ValueError(
            f"--model: no {missing[0]} among what is given ({held}); add it"
            + (f": {_REMEDIES[missing[0]]}" if missing[0] in _REMEDIES else "")
        )
    sha256 = file_sha256(parts["codebook"].path) if "codebook" in parts else ""
    if sha256 and "sampler" in parts:
        _require_trained_together(parts["sampler"], parts["codebook"], sha256)
    codec = sampler = vocoder = None
    # A part's tensors are let go of when its network has them: a sampler's are 1.5 GB.
    if "vocoder" in parts:
        vocoder = parts.pop("vocoder").built("vocoder", _vocoder).to(device)
    if "codebook" in parts:
        codebook = parts.pop("codebook").built("codebook", _codebook).to(device)
        codec = SoundCodec(codebook, vocoder)
    if "sampler" in parts:
        about, path = parts["sampler"].about, parts["sampler"].path
        network = parts.pop("sampler").built("sampler", _sampler).to(device)
        if codec is not None:
            _require_one_grid(network.config, codec.grid.config, path)
        sampler = Sampler(
            CodeDecoder(network, cast("Precision", precision)),
            classes=tuple(map(str, about.get("classes") or ())),
            features=_feature_kind(about),
            device=device,
        )
    return SoundCodes(codec, sha256, sampler, vocoder)


def _parts(models: Sequence[str]) -> dict[str, ModelPart]:
    parts: dict[str, ModelPart] = {}
    for path in model_paths(models):
        checkpoint = load_checkpoint(path)
        kind = checkpoint.kind
        if kind not in KINDS:
            raise ValueError(f"{path}: holds a {kind!r} model; needed are: {', '.join(KINDS)}")
        name = KINDS[kind]
        part = _ours(checkpoint, name, path) if kind == name else _theirs(checkpoint, path)
        put_in(parts, name, part)
    published = parts.get("sampler")
    brought = published and published.about.get("codebook")
    if published and brought:
        inner = {
            name.removeprefix("first_stage_model."): tensor
            for name, tensor in published.tensors.items()
            if name.startswith("first_stage_model.")
        }
        given = parts.setdefault("codebook", ModelPart(brought, inner, published.path, {}))
        book = "quantize.embedding.weight"
        theirs = given.tensors.get(book)
        if theirs is None or not torch.equal(theirs, inner[book]):
            raise ValueError(
                f"{given.path}: not the codebook that {published.path} was trained on, which is "
                "in that file; leave this one out"
            )
    return parts


def _ours(checkpoint: Checkpoint, name: str, path: Path) -> ModelPart:
    """Take apart one of our own checkpoints; all were made of the same mel."""
    config = checkpoint.config
    front = config.get("front_end")
    if front is not None and front != json.loads(json.dumps(SPECVQGAN.as_dict())):
        raise ValueError(
            f"{path}: its front end {SPECVQGAN.name} had other constants than this foley's; "
            "train it again"
        )
    return ModelPart(config.get("network") or {}, checkpoint.part(_PREFIXES[name]), path, config)


def _theirs(checkpoint: Checkpoint, path: Path) -> ModelPart:
    """Take apart an imported one, whose tensors have the published names."""
    config, tensors = checkpoint.config, checkpoint.tensors
    if checkpoint.kind == "specvqgan-sampler":
        network = config.get("transformer") or {}
        return ModelPart(network, tensors, path, config)
    return ModelPart(config, tensors, path, {})


def _feature_kind(about: Mapping[str, Any]) -> FeatureKind:
    told = about.get("features") or {}
    return FeatureKind(str(told.get("backbone") or ""), bool(about.get("replaced_by_noise", False)))


def _codebook(part: ModelPart) -> SpectrogramCodebook:
    config = CodebookConfig.from_dict(dict(part.config))
    if config.mels != SPECVQGAN.mels or config.factor != SPECVQGAN.code_frames:
        raise ValueError(
            f"made for {config.mels} mel bands and {config.factor} frames a code, not "
            f"{SPECVQGAN.mels} and {SPECVQGAN.code_frames}"
        )
    return filled(lambda: SpectrogramCodebook(config), part.tensors).fold()


def _vocoder(part: ModelPart) -> FoldedMelgan:
    config = MelganConfig.from_dict(dict(part.config))
    hop_samples = SPECVQGAN.grid.hop_samples
    if config.hop_samples != hop_samples or config.mels != SPECVQGAN.mels:
        raise ValueError(
            f"makes {config.hop_samples} samples of {config.mels} bands at {RATE_HZ} Hz, not "
            f"{hop_samples} of {SPECVQGAN.mels}"
        )
    return FoldedMelgan.of(filled(lambda: MelganGenerator(config), part.tensors))


def _sampler(part: ModelPart) -> CodeTransformer:
    config = CodeTransformerConfig.from_dict(dict(part.config))
    tensors = part.tensors
    if any(name.startswith("transformer.") for name in tensors):
        tensors = {
            name.removeprefix("transformer."): tensor
            for name, tensor in tensors.items()
            if name.startswith("transformer.")
        }
    return filled(lambda: CodeTransformer(config), tensors).requires_grad_(False)


def _require_trained_together(sampler: ModelPart, codebook: ModelPart, sha256: str) -> None:
    wanted = sampler.about.get("codebook_sha256")
    if wanted and wanted != sha256:
        raise ValueError(
            f"{sampler.path}: was trained on another codebook (SHA-256 {wanted[:12]}) than "
            f"{codebook.path} ({sha256[:12]}); give that one"
        )


def _require_one_grid(sampler: CodeTransformerConfig, codebook: CodebookConfig, path: Path) -> None:
    drawn = (sampler.codes, sampler.rows)
    known = (codebook.codes, codebook.code_rows)
    if drawn != known:
        raise ValueError(
            f"{path}: draws {drawn[0]} codes in {drawn[1]} rows, and the codebook has {known[0]} "
            f"in {known[1]}; give files that were trained together"
        )
