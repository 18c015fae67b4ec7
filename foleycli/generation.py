"""Events + class + checkpoint -> spectrogram -> waveform, for a clip of any length.

The generator draws tiles of about three seconds. A longer clip is drawn tile by tile with a short
overlap in which neighbours are cross-faded; every tile sees the events that fall into it. The first
chunk of noise, from which BigGAN lays out a picture, is drawn anew for every tile (so that rain
does not loop), the others, which set its manner, once a clip (so that one drum stays one drum).
Tiles are drawn one at a time: results do not depend on batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.checkpoints import Checkpoint
from foleycli.dsp.action import ActionSeries, action_spectrogram, series_from_events
from foleycli.dsp.front_ends.pictures import Picture
from foleycli.dsp.spec import SpectrogramSpec, picture_spec
from foleycli.dsp.spectrogram import encode, to_unit
from foleycli.files.events import Event
from foleycli.models.biggan import (
    Generator,
    GeneratorConfig,
    check_truncation,
    truncated_noise,
)
from foleycli.models.texture import Texture

KIND = "foleygan"
OVERLAP_SHARE = 0.125  # of a tile; 0.37 s at three seconds
PEAK = 10 ** (-1 / 20)  # louder results are turned down to -1 dBFS
RENDERERS = ("gan", "texture")


@dataclass(frozen=True)
class Sound:
    """A generated soundtrack.

    Attributes
    ----------
    waveform : (samples,) float32
        Mono, at most -1 dBFS.
    picture : (channels, bins, frames) float32
        What the generator drew, before inversion.
    renderer : str
        Which renderer drew it: "gan" or "texture".
    """

    waveform: NDArray[np.float32]
    rate_hz: int
    picture: NDArray[np.float32]
    renderer: str


class SoundGenerator:
    """A ``foleygan`` checkpoint ready to draw sounds."""

    def __init__(
        self,
        spec: SpectrogramSpec,
        classes: Sequence[str],
        generator: Generator,
        texture: Texture | None = None,
        renderers: dict[str, str] | None = None,
    ) -> None:
        self.spec, self.classes = spec, tuple(classes)
        self.generator = generator.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.texture = texture
        self.renderers = renderers or {}

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, device: str = "cpu") -> Self:
        """Build the networks that a checkpoint describes.

        Raises
        ------
        ValueError
            When its tensors are not those its config asks for.
        """
        config, stored = checkpoint.config, checkpoint.part("texture")
        try:
            generator = Generator(GeneratorConfig.from_dict(config["generator"]))
            names = generator.state_dict().keys()
            generator.load_state_dict({name: checkpoint.tensors[name] for name in names})
            texture = Texture(*stored["response"].shape) if stored else None
            if texture is not None:
                texture.load_state_dict(stored)
        except (KeyError, TypeError, RuntimeError) as error:
            what = str(error).splitlines()[-1].strip()
            raise ValueError(f"model: made for another version of foley ({what})") from error
        return cls(
            picture_spec(config["front_end"]),
            config["classes"],
            generator.to(device),
            texture,
            config.get("renderers"),
        )

    def check_class(self, name: str) -> int:
        """Return the index of a class.

        Raises
        ------
        ValueError
            When the model has no such class; the message lists those it has.
        """
        if name not in self.classes:
            raise ValueError(f"unknown class {name!r}; this model has: {', '.join(self.classes)}")
        return self.classes.index(name)

    def sound(
        self,
        events: Sequence[Event],
        duration_s: float,
        label: str,
        *,
        seed: int,
        truncation: float | None = None,
        renderer: str = "auto",
    ) -> Sound:
        """Draw the sound of a class at these events, exactly ``duration_s`` long.

        Parameters
        ----------
        events : sequence of Event
            Times in seconds from the clip's start, strengths in [0, 1].
        duration_s : float
            The waveform has ``round(duration_s * rate)`` samples.
        truncation : float, optional
            Redraw noise beyond this (BigGAN's trick): less variety, fewer failures.
        renderer : {"auto", "gan", "texture"}
            "auto" takes what the checkpoint says is better for the class.
        """
        index = self.check_class(label)
        samples = round(duration_s * self.spec.rate_hz)
        if samples < 1:
            raise ValueError(f"nothing to fill: the picture lasts {duration_s:g} s")
        check_truncation(truncation)  # whichever renderer draws: a typing error is one
        chosen = self.renderers.get(label, "gan") if renderer == "auto" else renderer
        if chosen == "texture":
            picture = self._texture_picture(events, index, samples, seed)
            waveform = self._inverted(picture, samples, seed)
        else:
            tiles = self._tiles(events, index, samples, seed, truncation)
            picture, waveform = self._join(tiles, samples, seed)
        return Sound(_within_full_scale(waveform), self.spec.rate_hz, picture, chosen)

    def _tiles(
        self, events: Sequence[Event], index: int, samples: int, seed: int, truncation: float | None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Draw tiles (channels, bins, tile_frames), each with its first frame."""
        spec, config = self.spec, self.generator.config
        device = next(self.generator.parameters()).device
        noise = torch.Generator().manual_seed(seed)
        manner = truncated_noise(noise, config.z_width, truncation)
        overlap = round(OVERLAP_SHARE * spec.tile_frames)
        for start in tile_starts(spec.frames_for(samples), spec.tile_frames, overlap):
            z = manner.clone()
            z[:, : config.z_chunk] = truncated_noise(noise, config.z_chunk, truncation)
            s_act = tile_action(events, start * spec.hop_samples / spec.rate_hz, spec)
            with torch.inference_mode():
                tile = self.generator(
                    z.to(device),
                    torch.tensor([index], device=device),
                    torch.from_numpy(s_act)[None].to(device),
                )
            yield start, self._limited(tile[0].float().cpu(), index)

    def _limited(self, tile: Tensor, index: int) -> NDArray[np.float32]:
        """Hold a tile's levels under what the class's bands reach: GANs sometimes draw a blot."""
        picture = tile.numpy().copy()
        if self.texture is not None:
            ceiling = self.texture.ceiling[index].cpu().numpy() * self.spec.full_scale
            picture[0] = np.minimum(picture[0], to_unit(ceiling, self.spec)[:, None])
        return picture

    def _join(
        self, tiles: Iterable[tuple[int, NDArray[np.float32]]], samples: int, seed: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Join tiles to a picture and a waveform.

        Mel pictures are cross-faded and inverted as one. Phases of two tiles do not mix: there the
        waveforms are cross-faded, and in the picture the later tile stands.
        """
        spec = self.spec
        picture = np.zeros((spec.channels, spec.bins, 0), np.float32)
        waveform = np.zeros((1, 1, 0), np.float32)
        for start, tile in tiles:
            if spec.mels is None:
                piece = self._inverted(tile, spec.tile_samples, seed)[None, None]
                waveform = cross_fade(waveform, piece, start * spec.hop_samples)
                picture = np.concatenate([picture[:, :, :start], tile], axis=2)
            else:
                picture = cross_fade(picture, tile, start)
        picture = picture[:, :, : spec.frames_for(samples)]
        if spec.mels is None:
            return picture, waveform[0, 0, :samples]
        return picture, self._inverted(picture, samples, seed)

    def _inverted(
        self, picture: NDArray[np.float32], samples: int, seed: int
    ) -> NDArray[np.float32]:
        """Invert a picture by its phase, or find one where it has none."""
        front = Picture.of(self.spec)
        return front.resynthesise(
            {"picture": picture}, {}, samples=samples, method=front.methods[0], seed=seed
        )

    def _texture_picture(
        self, events: Sequence[Event], index: int, samples: int, seed: int
    ) -> NDArray[np.float32]:
        """Noise of the front end's own statistics, moved to the levels that the texture expects."""
        if self.texture is None:
            raise ValueError("this model carries no class-shaped noise; use --renderer gan")
        spec = self.spec
        frames = spec.frames_for(samples)
        onset_frames = [round(e.time_s * spec.rate_hz / spec.hop_samples) for e in events]
        expected = self.texture(index, onset_frames, [e.strength for e in events], frames).numpy()
        level = 20 * np.log10(np.maximum(expected, 1e-10))
        white = np.random.default_rng(seed).standard_normal(frames * spec.hop_samples) * 0.03
        span = (spec.ceiling_db - spec.floor_db) / 2
        grain = encode(white, spec)[:1] * span
        grain -= grain.mean(axis=2, keepdims=True)
        unit = (level[None] + grain - spec.floor_db) / span - 1
        picture: NDArray[np.float32] = np.clip(unit, -1, 1).astype(np.float32)
        return picture


def tile_action(
    events: Sequence[Event], start_s: float, spec: SpectrogramSpec
) -> NDArray[np.float32]:
    """S_act (3, bins, tile_frames) of the tile that begins at ``start_s``."""
    series: ActionSeries = series_from_events(
        [e.time_s - start_s for e in events], [e.strength for e in events], spec.tile_seconds
    )
    return action_spectrogram(
        series,
        rows=spec.bins,
        columns=spec.tile_frames,
        duration_s=spec.tile_seconds,
        third_channel="series",
    )


def tile_starts(frames: int, tile_frames: int, overlap: int) -> list[int]:
    """First frames of the tiles that cover ``frames``; the last one may reach beyond the end."""
    step = tile_frames - overlap
    return list(range(0, max(frames - overlap, 1), step))


def cross_fade(
    picture: NDArray[np.float32], tile: NDArray[np.float32], start: int
) -> NDArray[np.float32]:
    """Lay ``tile`` (C, bins, T) over ``picture`` from frame ``start`` on, fading linearly."""
    shared = picture.shape[2] - start
    if shared <= 0:
        return np.concatenate([picture, tile], axis=2)
    ramp = (np.arange(shared, dtype=np.float32) + 0.5) / shared
    mixed = picture[:, :, start:] * (1 - ramp) + tile[:, :, :shared] * ramp
    return np.concatenate([picture[:, :, :start], mixed, tile[:, :, shared:]], axis=2)


def _within_full_scale(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    peak = float(np.abs(waveform).max(initial=0.0))
    return waveform * np.float32(PEAK / peak) if peak > PEAK else waveform
