"""The timing network: motion by region in, probability of an audible event at each 1/30 s out.

One small temporal network looks at every cell of the picture alike: an impact is an impact wherever
it happens, and few clips become many examples. The strongest and the mean response over the cells
go on with whole-picture measurements into dilated convolutions over time. It sees 9 steps to either
side, since a sound is often told best by what follows it. An ensemble is averaged in probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_MOTION_FLOOR = (
    0.05  # log pixels: a clip where nothing moves must not have its coding noise blown up
)
_LARGEST = 8.0


@dataclass(frozen=True)
class TimingConfig:
    """Sizes of a :class:`TimingNet`.

    Attributes
    ----------
    cells, cell_channels, picture_channels : int
        Layout of the input rows: ``cell_channels`` blocks of ``cells`` values, then the
        whole-picture values.
    cell_width, width : int
        Channels of the layers before and after the cells are joined.
    dropout : float
        Share of channels dropped in training after the join and after each later layer.
    """

    cells: int = 48
    cell_channels: int = 6
    picture_channels: int = 10
    cell_width: int = 16
    width: int = 24
    dropout: float = 0.3

    @property
    def features(self) -> int:
        """Values in an input row."""
        return self.cells * self.cell_channels + self.picture_channels


class TimingNet(nn.Module):
    """Event logit at every step.

    Shape
    -----
    input : (B, D, N) normalised features, D = ``config.features``, N steps of 1/30 s
    output : (B, N) logits
    """

    def __init__(self, config: TimingConfig) -> None:
        super().__init__()
        self.config = config
        joined = 2 * config.cell_width + config.picture_channels
        self.cell = nn.Sequential(
            nn.Conv2d(config.cell_channels, config.cell_width, (1, 5), padding=(0, 2)),
            nn.ReLU(),
            nn.Conv2d(
                config.cell_width, config.cell_width, (1, 3), padding=(0, 2), dilation=(1, 2)
            ),
            nn.ReLU(),
        )
        self.drop = nn.Dropout(config.dropout)
        self.joint = nn.Sequential(
            nn.Conv1d(joined, config.width, 3, padding=1),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Conv1d(config.width, config.width, 3, padding=4, dilation=4),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Conv1d(config.width, 1, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, D, N) to (B, N)."""
        config = self.config
        cells, picture = features.split(
            [config.cells * config.cell_channels, config.picture_channels], dim=1
        )
        cells = cells.unflatten(1, (config.cell_channels, config.cells))  # (B, channels, cells, N)
        # Channels last: the convolutions are many and thin, and three times faster so.
        seen = self.cell(cells.contiguous(memory_format=torch.channels_last))
        strongest_and_mean = torch.cat([seen.amax(2), seen.mean(2)], dim=1)
        joined = torch.cat([self.drop(strongest_and_mean), picture], dim=1)
        return self.joint(joined)[:, 0]


class TimingEnsemble(nn.Module):
    """Several :class:`TimingNet` trained from different seeds, averaged in probability."""

    def __init__(self, config: TimingConfig, nets: int) -> None:
        super().__init__()
        self.nets = nn.ModuleDict({f"net{k}": TimingNet(config) for k in range(nets)})

    @classmethod
    def from_tensors(
        cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> TimingEnsemble:
        """Build from what a checkpoint of kind ``timing`` holds.

        Raises
        ------
        ValueError
            When the tensors are not those of ``config["network"]``.
        """
        names = {name.split(".")[0] for name in tensors}
        ensemble = cls(TimingConfig(**config["network"]), len(names))
        try:
            ensemble.nets.load_state_dict(dict(tensors))
        except RuntimeError as error:
            cause = str(error).splitlines()[-1].strip()
            raise ValueError(f"timing model: tensors do not fit the config ({cause})") from error
        return ensemble.eval()

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, D, N) to the (B, N) probability that a sound begins, in [0, 1]."""
        return torch.stack([net(features) for net in self.nets.values()]).sigmoid().mean(0)


def normalise(values: NDArray[np.floating], config: TimingConfig) -> NDArray[np.float32]:
    """Bring a clip's features to one range: signed log, then by the clip's own spread.

    Cells of a channel share one spread, so that a quiet corner stays quiet beside a busy one, and
    zero motion stays zero; whole-picture values lose their median. A floor keeps a still clip
    still.

    Parameters
    ----------
    values : (N, D) float
        Motion features in pixels, and grey levels, a step.

    Returns
    -------
    (N, D) float32 in [-8, 8]
    """
    logs = np.sign(values) * np.log1p(np.abs(values))
    split = config.cells * config.cell_channels
    cells = logs[:, :split].reshape(len(logs), config.cell_channels, config.cells)
    cells = cells / (cells.std(axis=(0, 2), keepdims=True) + _MOTION_FLOOR)
    picture = logs[:, split:] - np.median(logs[:, split:], axis=0)
    picture = picture / (picture.std(axis=0) + _MOTION_FLOOR)
    joined = np.concatenate([cells.reshape(len(logs), split), picture], axis=1)
    return np.clip(joined, -_LARGEST, _LARGEST).astype(np.float32)
