"""Sound-to-Imagination's informativity classifier: whether a picture shows what it should.

One network a class, trained on pictures that its authors sorted by hand. Input is the generator's
own output, ``[B, 3, 96, 96]`` float32 in [-1, 1]; the share of pictures for which the second output
is the larger is the paper's informativity.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

PIXELS = 96
INFORMATIVE = 1  # which output

_KERNELS = (5, 3, 3, 3, 3)
_WIDTHS = (3, 12, 32, 32, 32, 32)
_DROPOUTS = (0.1, 0.2, 0.3, 0.4, 0.5)


class Informativity(nn.Module):
    """Pictures ``[B, 3, 96, 96]`` -> log probabilities ``[B, 2]`` of saying nothing, or something.

    Every convolution halves the picture without padding, down to one place. ``fc1`` is in the
    published files, but the reference passes it over.
    """

    def __init__(self) -> None:
        super().__init__()
        for i, kernel in enumerate(_KERNELS, 1):
            conv = nn.Conv2d(_WIDTHS[i - 1], _WIDTHS[i], kernel, stride=2)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"conv{i}_bn", nn.BatchNorm2d(_WIDTHS[i]))
        width = _WIDTHS[-1]
        self.fc1, self.fc1_bn = nn.Linear(width, width), nn.BatchNorm1d(width)
        self.fc2, self.fc2_bn = nn.Linear(width, width), nn.BatchNorm1d(width)
        self.fc3 = nn.Linear(width, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.shape[1:] != (3, PIXELS, PIXELS):
            raise ValueError(
                f"need pictures of 3 x {PIXELS} x {PIXELS}, got {tuple(pictures.shape[1:])}"
            )
        x = pictures
        for i, dropout in enumerate(_DROPOUTS, 1):
            x = self.get_submodule(f"conv{i}_bn")(self.get_submodule(f"conv{i}")(x))
            x = F.dropout2d(F.relu(x), dropout, self.training)
        x = F.relu(self.fc2_bn(self.fc2(x.flatten(1))))
        return F.log_softmax(self.fc3(F.dropout(x, 0.5, self.training)), dim=1)
