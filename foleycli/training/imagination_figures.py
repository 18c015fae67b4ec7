"""What a trained sound-to-image model makes of sounds and pictures that it was not trained on.

These are figures for whoever trains: the judge of Sound2Scene's drawings is the model's own picture
encoder, so that they flatter. What a stranger's eye says is for an evaluation to find out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.checkpoints import Checkpoint
from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig
from foleycli.models.dense_generator import DenseGenerator, DenseGeneratorConfig
from foleycli.models.icgan import ICGANGenerator, ICGANGeneratorConfig, sample_z
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.scene_audio_encoder import SceneAudioEncoder, SceneAudioEncoderConfig
from foleycli.training.contrastive import unit
from foleycli.training.picture_encoder import as_seen, frozen_encoder, picture_features
from foleycli.training.s2i import segment_embeddings
from foleycli.training.sound2scene import sound_features
from foleycli.training.sound_pictures import Draw, SoundPictures

_CUTOFFS = (1, 5)
_MOST = 500  # sounds that pictures are drawn for
_BATCH = 32


def sound2scene_figures(
    checkpoint: Checkpoint, train: SoundPictures, valid: SoundPictures
) -> dict[str, float]:
    """Count how often a sound finds, and draws, what it belongs to.

    Returns
    -------
    dict
        ``recall_at_1``, ``recall_at_5``: share of the sounds that have a picture of their group
        among so many nearest; ``chance_at_1``, the former by guessing. ``drawn``: share of the
        sounds whose drawing lies nearest to the mean feature of their own label's training
        pictures; ``chance_drawn``.
    """
    config = checkpoint.config
    image = config["image"]
    network = ResNetConfig(**{**image["network"], "blocks": tuple(image["network"]["blocks"])})
    trunk = frozen_encoder(network, checkpoint.part("image"), "cpu")
    audio = SceneAudioEncoder(SceneAudioEncoderConfig.from_dict(config["audio"]))
    audio.load_state_dict(checkpoint.part("audio"))
    heard = sound_features(audio, valid.sounds, "cpu")
    met = np.flatnonzero(valid.picture_group >= 0)
    seen = picture_features(trunk, valid.pictures[met], image["pixels"], "cpu")
    figures = _recalls(heard, seen, valid.sound_group, valid.picture_group[met])
    if config["generator"] is None:
        return figures
    means = _label_means(trunk, train, image["pixels"])
    generator = ICGANGenerator(ICGANGeneratorConfig.from_dict(config["generator"]))
    generator.load_state_dict(checkpoint.part("generator"))
    generator.fold()
    own = [train.labels.index(valid.labels[k]) for k in valid.group_label[valid.sound_group]]
    guesses = []
    with torch.no_grad():
        for start in range(0, min(_MOST, len(heard)), _BATCH):
            condition = heard[start : start + _BATCH]
            draws = range(start, start + len(condition))
            made = generator(sample_z(0, draws, generator.config.z_width), condition)
            features = unit(trunk.embed(as_seen(made, image["pixels"])))
            guesses += (features @ means.T).argmax(1).tolist()
    hits = [guess == label for guess, label in zip(guesses, own, strict=False)]
    return {**figures, "drawn": float(np.mean(hits)), "chance_drawn": 1 / len(train.labels)}


def s2i_figures(checkpoint: Checkpoint, valid: SoundPictures) -> dict[str, float]:
    """Tell whether drawings are nearer to pictures that they belong to than to others.

    Returns
    -------
    dict
        ``mse``, of drawings and pictures that their sounds may meet, and ``mse_shuffled``, of the
        same drawings and the same pictures dealt out anew.
    """
    config = checkpoint.config
    network = AudioAutoencoder(AutoencoderConfig(**config["autoencoder"]))
    network.load_state_dict(checkpoint.part("autoencoder"), strict=False)  # no decoder
    generator = DenseGenerator(DenseGeneratorConfig(**config["generator"])).eval()
    generator.load_state_dict(checkpoint.part("generator"))
    rng = np.random.default_rng(0)
    chosen, pictures, groups = Draw(valid).batch(min(_MOST, len(valid.sounds)), rng)
    embeddings = segment_embeddings(network, [valid.sounds[i] for i in chosen], "cpu")
    noise = [torch.Generator().manual_seed(i) for i in range(len(chosen))]
    made = generator.generate(embeddings, noise).permute(0, 2, 3, 1).numpy()
    real = valid.pictures[pictures] / np.float32(127.5) - 1
    other = _dealt_anew(groups, rng)
    return {
        "mse": float(np.square(made - real).mean()),
        "mse_shuffled": float(np.square(made - real[other]).mean()),
    }


def known_labels(train: SoundPictures, valid: SoundPictures) -> SoundPictures:
    """Leave out of ``valid`` the sounds of labels that ``train`` has not.

    Raises
    ------
    ValueError
        When none is left.
    """
    known = np.array([label in train.labels for label in valid.labels])
    kept = known[valid.group_label[valid.sound_group]]
    if not kept.any():
        raise ValueError("the validation split has none of the classes")
    sounds = [sound for sound, keep in zip(valid.sounds, kept, strict=True) if keep]
    return replace(valid, sounds=sounds, sound_group=valid.sound_group[kept])


def _recalls(
    heard: Tensor, seen: Tensor, sound_group: NDArray[np.int64], picture_group: NDArray[np.int64]
) -> dict[str, float]:
    order = np.argsort(-(heard @ seen.T).numpy(), axis=1, kind="stable")
    right = picture_group[order] == sound_group[:, None]
    figures = {f"recall_at_{k}": float(right[:, :k].any(1).mean()) for k in _CUTOFFS}
    return {**figures, "chance_at_1": float(right.mean()), "sounds": float(len(heard))}


def _label_means(trunk: ResNet, train: SoundPictures, pixels: int) -> Tensor:
    met = np.flatnonzero(train.picture_group >= 0)
    features = picture_features(trunk, train.pictures[met], pixels, "cpu")
    labels = train.group_label[train.picture_group[met]]
    rows = [features[torch.from_numpy(labels == k)].mean(0) for k in range(len(train.labels))]
    return unit(torch.stack(rows))


def _dealt_anew(groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """For every place another one of another group, where there is one."""
    return np.array(
        [
            rng.choice(others) if len(others := np.flatnonzero(groups != group)) else place
            for place, group in enumerate(groups)
        ]
    )
