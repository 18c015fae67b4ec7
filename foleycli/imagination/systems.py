"""The two systems at work: a waveform -> latents, a latent and noise -> a picture.

Sound-to-Imagination hears a second at a time; its latent is the autoencoder's embedding, in [-1,
1], and its noise is which channels are dropped. Sound2Scene hears ten seconds; its latent is a unit
vector in the space of image features, so that latents of sounds and of pictures can be compared and
combined, and its noise is z. Networks see one sound or picture at a time: the rounding of a
convolution depends on how many it is given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from foleycli.dsp.front_ends.front_end import FrontEnd, encode_whole
from foleycli.dsp.front_ends.s2i import S2i, to_model
from foleycli.dsp.front_ends.sound2scene import Sound2Scene
from foleycli.imagination.controls import unit
from foleycli.models.audio_autoencoder import AudioAutoencoder
from foleycli.models.dense_generator import DenseGenerator
from foleycli.models.icgan import ICGANGenerator, sample_z
from foleycli.models.resnet import ResNet
from foleycli.models.scene_audio_encoder import SceneAudioEncoder
from foleycli.vision.backbone import BackboneConfig, normalise, preprocess

Latent = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_TONE_HZ = 1000.0

_T = TypeVar("_T")


@dataclass(frozen=True)
class ModelFile:
    """One of the files that a system was read from."""

    name: str
    sha256: str


class System(ABC):
    """A system with the networks that its files held; those it lacks are None.

    Attributes
    ----------
    name : str
    unit_latents : bool
        Whether latents are of length 1.
    front : FrontEnd
        What hears; ``front.rate_hz`` is the sample rate of all waveforms.
    files : tuple of ModelFile
    """

    name: ClassVar[str]
    unit_latents: ClassVar[bool]
    _generator: DenseGenerator | ICGANGenerator | None

    def __init__(self, front: FrontEnd, files: Sequence[ModelFile], device: str) -> None:
        self.front, self.files, self.device = front, tuple(files), device

    @property
    def can_draw(self) -> bool:
        """Whether there is a generator."""
        return self._generator is not None

    @property
    def pixels(self) -> int:
        """Side of a drawn picture."""
        config: Any = _there(self._generator).config
        return int(config.pixels)

    @abstractmethod
    def hear(
        self,
        waveform: NDArray[np.floating],
        seconds: Sequence[int] | None,
        reference_db: float | None = None,
    ) -> NDArray[np.float32]:
        """Listen to a sound.

        Parameters
        ----------
        waveform : (samples,) float
            Mono, at ``front.rate_hz``, full scale 1.
        seconds : sequence of int, or None
            Which seconds of it, each by itself, from 0; None is the sound as a whole, which only
            Sound2Scene can hear.
        reference_db : float, optional
            See :meth:`S2iSystem.hear`.

        Returns
        -------
        (len(seconds) or 1, features) float32

        Raises
        ------
        ValueError
            When the sound is empty, holds NaN or infinity, or does not reach a second asked for.
        """

    @abstractmethod
    def noise(self, seed: int, candidate: int = 0, truncation: float | None = None) -> Tensor:
        """Draw all that chance decides about one picture: (1, width) float32."""

    @abstractmethod
    def draw(self, latent: Latent, noise: Tensor | None) -> NDArray[np.float32]:
        """Draw a picture, (pixels, pixels, 3) float32 in [-1, 1]; without noise if it can."""


class S2iSystem(System):
    """Sound-to-Imagination; BatchNorm by its running statistics, dropout as the noise."""

    name = "s2i"
    unit_latents = False

    def __init__(
        self,
        front: S2i,
        files: Sequence[ModelFile],
        device: str,
        autoencoder: AudioAutoencoder,
        generator: DenseGenerator | None,
    ) -> None:
        super().__init__(front, files, device)
        self._autoencoder = autoencoder.eval().requires_grad_(False).to(device)
        self._generator: DenseGenerator | None = generator and generator.eval().requires_grad_(
            False
        ).to(device)

    @torch.inference_mode()
    def hear(
        self,
        waveform: NDArray[np.floating],
        seconds: Sequence[int] | None,
        reference_db: float | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`System.hear`.

        Levels are relative to the loudest cell of the whole sound, which cancels any gain. With
        ``reference_db``, no published practice, they are relative to that many dB over the loudest
        cell of a full-scale tone of 1 kHz.
        """
        if seconds is None:
            raise ValueError("s2i hears one second at a time; say which")
        measured = self.front.measure([waveform])
        if reference_db is not None:
            measured["peak_db"] = self._tone_db() + reference_db
        pieces = [p["segments"][0] for p in self.front.encode([waveform], measured)]
        for second in seconds:
            if second >= len(pieces):
                raise ValueError(f"the sound has no second {second}; it has {len(pieces)}, from 0")
        heard = [self._embed(pieces[second]) for second in seconds]
        return np.concatenate(heard)

    def noise(self, seed: int, candidate: int = 0, truncation: float | None = None) -> Tensor:
        """See :meth:`System.noise`: the generator's draw; nothing of it is truncated."""
        state = int(np.random.SeedSequence((seed, candidate)).generate_state(1, np.uint64)[0])
        return _there(self._generator).draw(1, torch.Generator().manual_seed(state))

    @torch.inference_mode()
    def draw(self, latent: Latent, noise: Tensor | None) -> NDArray[np.float32]:
        """See :meth:`System.draw`; without noise nothing is dropped."""
        embedding = torch.from_numpy(latent)[None].to(self.device)
        drawn: Tensor = _there(self._generator)(embedding, noise)
        return _channels_last(drawn)

    def _embed(self, segment: NDArray[np.uint8]) -> NDArray[np.float32]:
        given = torch.from_numpy(to_model(segment))[None, None].to(self.device)
        embedding: NDArray[np.float32] = self._autoencoder.encode(given).cpu().numpy()
        return embedding

    def _tone_db(self) -> float:
        times_s = np.arange(self.front.rate_hz) / self.front.rate_hz
        return self.front.measure([np.sin(2 * np.pi * _TONE_HZ * times_s)])["peak_db"]


class SceneSystem(System):
    """Sound2Scene; the generator's spectral norm is folded into its weights."""

    name = "sound2scene"
    unit_latents = True

    def __init__(
        self,
        front: Sound2Scene,
        files: Sequence[ModelFile],
        device: str,
        audio: SceneAudioEncoder,
        generator: ICGANGenerator | None,
        image: tuple[ResNet, BackboneConfig] | None,
    ) -> None:
        """Put the networks to work; ``image`` sees pictures prepared as its config says."""
        super().__init__(front, files, device)
        self._audio = audio.eval().requires_grad_(False).to(device)
        self._generator: ICGANGenerator | None = generator and generator.fold().to(device)
        self._image = image and image[0].eval().requires_grad_(False).to(device)
        self._fit = image and image[1]
        for network in (self._audio, self._image):
            if network is not None:
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def can_see(self) -> bool:
        """Whether pictures can be brought into the space of the sounds."""
        return self._image is not None

    @property
    def z_width(self) -> int:
        """Length of z."""
        return _there(self._generator).config.z_width

    def hear(
        self,
        waveform: NDArray[np.floating],
        seconds: Sequence[int] | None,
        reference_db: float | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`System.hear`; a short sound or a single second is repeated up to 10 s."""
        if seconds is None:
            return self._feature(waveform)[None]
        rate = self.front.rate_hz
        pieces = [waveform[second * rate : (second + 1) * rate] for second in seconds]
        for second, piece in zip(seconds, pieces, strict=True):
            if not len(piece):
                raise ValueError(
                    f"the sound has no second {second}; it lasts {len(waveform) / rate:.2f} s"
                )
        return np.stack([self._feature(piece) for piece in pieces])

    def noise(self, seed: int, candidate: int = 0, truncation: float | None = None) -> Tensor:
        """See :meth:`System.noise`: z, with ``truncation`` from [-2, 2] and times that."""
        return sample_z(seed, [candidate], self.z_width, truncation=truncation)

    @torch.inference_mode()
    def draw(self, latent: Latent, noise: Tensor | None) -> NDArray[np.float32]:
        """See :meth:`System.draw`; there is no picture without noise."""
        if noise is None:
            raise ValueError("sound2scene draws from noise; give it some")
        feature = torch.from_numpy(latent)[None].to(self.device)
        return _channels_last(_there(self._generator)(noise.to(self.device), feature))

    @torch.inference_mode()
    def see(self, picture: Pixels) -> Latent:
        """Bring a picture, (H, W, 3) uint8 RGB, to its unit feature, (features,) float32."""
        given = torch.from_numpy(np.ascontiguousarray(preprocess(picture, _there(self._fit))))
        feature = _there(self._image).embed(normalise(given[None]).to(self.device))
        return unit(feature[0].cpu().numpy())

    def fitted(self, picture: Pixels) -> Pixels:
        """Bring a picture to the generator's size, cut or squeezed as the image encoder has it."""
        fit = _there(self._fit)
        side = self.pixels
        small = BackboneConfig(fit.network, side, side if fit.shorter_side else 0)
        return np.ascontiguousarray(preprocess(picture, small))

    def draw_differentiably(self, z: Tensor, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Draw for inversion, with gradients to z and feature.

        Returns
        -------
        pictures : (B, 3, pixels, pixels) float32 in [-1, 1]
        seen : (B, features) float32
            Their unit features.
        """
        pictures: Tensor = _there(self._generator)(z, feature)
        side = _there(self._fit).input_size
        resized = F.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
        seen = _there(self._image).embed(normalise((127.5 * (resized + 1)).permute(0, 2, 3, 1)))
        return pictures, F.normalize(seen, dim=1)

    @torch.inference_mode()
    def _feature(self, waveform: NDArray[np.floating]) -> Latent:
        spectrogram = encode_whole(self.front, waveform)[0]["spectrogram"]
        given = torch.from_numpy(spectrogram)[None, None].to(self.device)
        return unit(self._audio(given)[0].cpu().numpy())


def _there(part: _T | None) -> _T:
    if part is None:
        raise ValueError("the model lacks a part that this needs; give its file with --model")
    return part


def _channels_last(drawn: Tensor) -> NDArray[np.float32]:
    picture: NDArray[np.float32] = drawn[0].permute(1, 2, 0).cpu().numpy()
    return picture
