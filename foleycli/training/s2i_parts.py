"""Sound-to-Imagination in the parts that its authors' files allow: one stage without the other.

From sounds alone the autoencoder is trained and nothing else. With an autoencoder that is given the
translator alone is: from sounds, or from embeddings that this autoencoder wrote down before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from foleycli.checkpoints import load_checkpoint, save_checkpoint
from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig
from foleycli.training.s2i import S2ICourse, TranslatorStage, segment_embeddings
from foleycli.training.s2i_recipe import S2IRecipe
from foleycli.training.sound_pictures import SoundPictures
from foleycli.training.stages import Results, Stage, part

AUTOENCODER_KIND = "s2i-autoencoder"

Given = tuple[AutoencoderConfig, Mapping[str, Tensor]]


def given_autoencoder(name: str) -> Given:
    """Read an autoencoder, or its encoder alone: configuration and tensors.

    Raises
    ------
    ValueError
        When the checkpoint is of another kind than ``s2i-autoencoder`` or ``s2i``, or does not fit.
    """
    checkpoint = load_checkpoint(name)
    if checkpoint.kind not in (AUTOENCODER_KIND, "s2i"):
        raise ValueError(
            f"{name}: a {checkpoint.kind!r} model has no autoencoder; give one of the kind "
            f"{AUTOENCODER_KIND} or s2i"
        )
    whole = checkpoint.kind == "s2i"
    tensors = checkpoint.part("autoencoder") if whole else checkpoint.tensors
    try:
        config = AutoencoderConfig(
            **(checkpoint.config["autoencoder"] if whole else checkpoint.config)
        )
        _encoder(config, tensors)
    except (RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{name}: its autoencoder's tensors do not fit") from error
    return config, tensors


def recipe_for(recipe: S2IRecipe, given: AutoencoderConfig) -> S2IRecipe:
    """Return the recipe for an autoencoder that is not trained: all else follows its embedding."""
    return replace(
        recipe,
        sounds=given,
        pictures=replace(recipe.pictures, embedding=given.embedding),
        judge=replace(recipe.judge, embedding=given.embedding),
        autoencoder=replace(recipe.autoencoder, steps=0),
    )


class S2IPartsCourse(S2ICourse):
    """The stages that there are data for; see :class:`foleycli.training.stages.Course`.

    Parameters
    ----------
    pairs
        Without pictures the autoencoder alone is trained. ``sounds`` may be embeddings, (N,)
        float32, of the autoencoder ``given``.

    Raises
    ------
    ValueError
        When there are embeddings and no autoencoder that wrote them, or nothing is left to train.
    """

    def __init__(
        self,
        recipe: S2IRecipe,
        pairs: SoundPictures,
        seed: int,
        device: str = "cpu",
        *,
        given: Given | None = None,
    ) -> None:
        super().__init__(recipe, pairs, seed, device)
        self._given = given
        self._embedded = pairs.sounds[0].ndim == 1
        if self._embedded:
            width = len(pairs.sounds[0])
            if given is None or given[0].embedding != width:
                other = f", not one of {given[0].embedding}" if given else ""
                raise ValueError(
                    f"the records hold embeddings of {width} numbers: give the autoencoder that "
                    f"wrote them with --autoencoder{other} (foley checkpoint import takes it)"
                )
        if not len(pairs.pictures):
            if given is not None:
                raise ValueError("sounds alone train an autoencoder, and --autoencoder gives one")
            self.steps = {"autoencoder": recipe.autoencoder.steps}

    @property
    def drawn_from_sound(self) -> bool:
        """Whether pictures are drawn, and from sounds that are there to be heard."""
        return len(self.pairs.pictures) > 0 and not self._embedded

    def given(self) -> dict[str, dict[str, Tensor]]:
        """See :class:`Course`."""
        if self._given is None:
            return {}
        return {"autoencoder": {f"autoencoder.{n}": t for n, t in self._given[1].items()}}

    def stage(self, name: str, results: Results) -> Stage:
        """See :class:`Course`."""
        if self._given is None:
            return super().stage(name, results)
        sounds = self.pairs.sounds
        if self._embedded:
            embeddings = torch.from_numpy(np.stack(sounds).astype(np.float32))[None]
        else:
            network = _encoder(self._given[0], part(results["autoencoder"], "autoencoder"))
            network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            rngs = (
                np.random.default_rng([self.seed, 0, c])
                for c in range(self.recipe.translator.copies)
            )
            embeddings = torch.stack(
                [segment_embeddings(network, sounds, self.device, rng) for rng in (None, *rngs)]
            )
        return TranslatorStage(self.recipe, self.pairs, embeddings, self.seed, self.device)

    def save_model(self, path: Path, results: Results, provenance: dict[str, Any]) -> None:
        """See :class:`Course`; an autoencoder alone is a checkpoint as the published ones are."""
        if len(self.pairs.pictures):
            super().save_model(path, results, provenance)
            return
        save_checkpoint(
            path,
            kind=AUTOENCODER_KIND,
            config=asdict(self.recipe.sounds),
            tensors=part(results["autoencoder"], "autoencoder"),
            provenance=provenance,
            half=True,
        )


def _encoder(config: AutoencoderConfig, tensors: Mapping[str, Tensor]) -> AudioAutoencoder:
    """Build a network that encodes; a decoder may be missing, anything else not."""
    network = AudioAutoencoder(config)
    missing, unexpected = network.load_state_dict(dict(tensors), strict=False)
    wrong = [name for name in missing if not name.startswith("convT")] + list(unexpected)
    if wrong:
        raise RuntimeError(f"tensors {', '.join(wrong)}")
    return network.eval()
