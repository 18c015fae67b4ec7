"""SwAV's ResNet-50 (Caron et al. 2020), whose features IC-GAN and Sound2Scene condition on.

The trunk is torchvision's; a published SwAV file differs in what it wraps around it. The feature is
the pooled one, ``ResNet(SWAV_RESNET50).embed(images)``: (B, 2048), never negative.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from foleycli.models.resnet import ResNetConfig

SWAV_RESNET50 = ResNetConfig(classes=0)

_WRAPPER = "module."
_HEADS = ("projection_head.", "prototypes.", "fc.")


def trunk_tensors(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the trunk of a published SwAV state dict, to be loaded strictly.

    ``module.`` (left by DistributedDataParallel) goes, and so do the projection head, the
    prototypes and a classifier: the pooled feature lies before them. Any other name is kept, so
    that a strict load names what does not belong.
    """
    names = {name: name.removeprefix(_WRAPPER) for name in published}
    return {short: published[name] for name, short in names.items() if not short.startswith(_HEADS)}
