"""GAN inversion: the z and feature from which Sound2Scene's generator draws a given photograph.

The paper edits photographs so and gives no settings; these are ours. The feature starts at the
photograph's own, z at the best of some draws, and Adam moves both to lessen the squared difference
of small pictures, the cosine distance of features, and a pull of z towards its prior. The feature
is brought back to length 1 after every step. The best step is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.imagination.systems import SceneSystem

KIND = "gan-inversion"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class InversionConfig:
    """How long and how fast.

    Attributes
    ----------
    steps, draws : int
        Steps of Adam, and how many z are tried for a start.
    z_rate, feature_rate : float
        Learning rates.
    compared_pixels : int
        Side to which pictures are brought before they are compared; never more than they have.
    z_weight : float
        Of mean z^2 in the loss.
    """

    steps: int = 300
    draws: int = 16
    z_rate: float = 0.05
    feature_rate: float = 0.01
    compared_pixels: int = 64
    z_weight: float = 1e-3


@dataclass(frozen=True)
class Inversion:
    """What a photograph was brought back to.

    Attributes
    ----------
    z : (z_width,) float32
    feature : (features,) float32
        Of length 1.
    losses : (steps + 1,) float32
        At the start and after every step.
    key : dict
        :func:`inversion_key`, all that decided it.
    """

    z: NDArray[np.float32]
    feature: NDArray[np.float32]
    losses: NDArray[np.float32]
    key: Mapping[str, Any]

    @property
    def loss(self) -> float:
        """Loss of what was kept."""
        return float(self.losses.min())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keep it as ``.npz``."""
        arrays = {"z": self.z, "feature": self.feature, "losses": self.losses}
        save_arrays(path, arrays, kind=KIND, meta=self.key)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` kept.

        Raises
        ------
        ValueError
            When it is no inversion.
        """
        arrays, meta = load_arrays(path, KIND)
        try:
            return cls(arrays["z"], arrays["feature"], arrays["losses"], meta)
        except KeyError:
            raise ValueError(f"{path}: a damaged inversion; remove it") from None


def inversion_key(
    system: SceneSystem, picture_sha256: str, config: InversionConfig, seed: int
) -> dict[str, Any]:
    """Return all that decides an inversion, as plain values."""
    return {
        "models": [file.sha256 for file in system.files],
        "picture_sha256": picture_sha256,
        "config": asdict(config),
        "seed": seed,
    }


def invert(
    system: SceneSystem,
    picture: NDArray[np.uint8],
    config: InversionConfig,
    seed: int,
    key: Mapping[str, Any],
    progress: Progress | None = None,
) -> Inversion:
    """Find what the generator draws a photograph from.

    Parameters
    ----------
    picture : (H, W, 3) uint8
        RGB, of any size; brought to the generator's as the image encoder brings pictures to its
        own.
    seed
        Of the draws of z.
    key
        What to keep with it.
    progress
        Called with the draws and steps done and all of them.
    """
    fitted = torch.from_numpy(system.fitted(picture)).to(system.device)
    wanted = (fitted.float() / 127.5 - 1).permute(2, 0, 1)[None]
    own = torch.from_numpy(system.see(picture))[None].to(system.device)

    def loss_of(z: Tensor, feature: Tensor) -> Tensor:
        drawn, seen = system.draw_differentiably(z, feature)
        side = min(config.compared_pixels, system.pixels)
        difference = F.mse_loss(_shrunk(drawn, side), _shrunk(wanted, side))
        unlike = 1 - (seen * own).sum(1).mean()
        return difference + unlike + config.z_weight * z.square().mean()

    total = config.draws + config.steps
    starts, tried = [], []
    for draw in range(config.draws):
        starts.append(system.noise(seed, draw).to(system.device))
        with torch.no_grad():
            tried.append(float(loss_of(starts[-1], own)))
        if progress:
            progress(draw + 1, total)
    z = starts[int(np.argmin(tried))].clone().requires_grad_()
    feature = own.clone().requires_grad_()
    optimiser = torch.optim.Adam(
        [
            {"params": [z], "lr": config.z_rate},
            {"params": [feature], "lr": config.feature_rate},
        ]
    )
    losses: list[float] = []
    kept = (z.detach().clone(), feature.detach().clone())
    for step in range(config.steps + 1):
        loss = loss_of(z, feature)
        losses.append(loss.item())
        if losses[-1] == min(losses):
            kept = (z.detach().clone(), feature.detach().clone())
        if step == config.steps:
            break
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        with torch.no_grad():
            feature.copy_(F.normalize(feature, dim=1))
        if progress:
            progress(config.draws + step + 1, total)
    found = [t[0].cpu().numpy() for t in kept]
    return Inversion(found[0], found[1], np.array(losses, np.float32), key)


def _shrunk(pictures: Tensor, side: int) -> Tensor:
    return F.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
