"""Sound2Scene's audio encoder: a ResNet-18 that puts a sound among the image features.

Its target is a ResNet-50's pooled feature, which is never negative, and neither is its own: the
released code has a ReLU after the linear layer, which the paper leaves out. Parameter names are
those of the released ``sound2scene.pth``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from torch import Tensor, nn
from torch.nn import functional as F

from foleycli.models.resnet import ResNet, ResNetConfig


@dataclass(frozen=True)
class SceneAudioEncoderConfig:
    """Size of the encoder; the default is the published one.

    Attributes
    ----------
    width : int
        Channels of the first stage.
    features : int
        Length of the feature.
    input_pool : (int, int)
        Bins and frames that are averaged before the network sees the spectrogram.
    """

    width: int = 64
    features: int = 2048
    input_pool: tuple[int, int] = (1, 1)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        bins, frames = fields["input_pool"]
        return cls(**{**fields, "input_pool": (bins, frames)})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


# For training without an accelerator.
MINI_AUDIO_ENCODER = SceneAudioEncoderConfig(width=16, features=256, input_pool=(2, 4))


class SceneAudioEncoder(nn.Module):
    """Spectrogram -> feature >= 0, not of unit length.

    Shape
    -----
    input : (B, 1, bins, frames) float32, z-scored log power density; 257 x 1004 for 10 s
    output : (B, config.features) float32
    """

    def __init__(self, config: SceneAudioEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or SceneAudioEncoderConfig()
        self.audnet = ResNet(
            ResNetConfig(
                "basic", (2, 2, 2, 2), width=self.config.width, classes=self.config.features
            )
        )
        self.audnet.conv1 = nn.Conv2d(1, self.config.width, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.audnet.conv1.weight, mode="fan_out", nonlinearity="relu")
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, mean=1.0, std=0.02)

    def forward(self, spectrogram: Tensor) -> Tensor:
        if spectrogram.ndim != 4 or spectrogram.shape[1] != 1:
            raise ValueError(
                f"need spectrograms (B, 1, bins, frames), got {tuple(spectrogram.shape)}"
            )
        return F.relu(self.audnet(F.avg_pool2d(spectrogram, self.config.input_pool)))
