"""Frames to features: geometry, batches, published weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.resnet import RESNET50, ResNet, ResNetConfig
from foleycli.vision.backbone import (
    IMAGENET_RESNET50,
    BackboneConfig,
    FrameEncoder,
    load_imagenet_resnet50,
    normalise,
    preprocess,
)

TINY = BackboneConfig(ResNetConfig("basic", (1, 1, 1, 1), 4, classes=0), input_size=32)


def _frames(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), dtype=np.uint8)


def test_features_do_not_depend_on_the_company():
    network = ResNet(TINY.network)
    frames = _frames(37)
    encoder = FrameEncoder(network, TINY)
    for frame in frames:
        encoder.add(frame)
    together = encoder.finish()
    assert together.shape == (37, TINY.network.features)
    assert together.dtype == np.float32
    for i in (0, 15, 16, 36):
        encoder.add(frames[i])
        np.testing.assert_allclose(encoder.finish()[0], together[i], rtol=1e-5, atol=1e-6)


def test_an_encoder_without_frames_gives_no_features():
    assert FrameEncoder(ResNet(TINY.network), TINY).finish().shape == (0, 32)


def test_squeezing_keeps_the_sides_and_cutting_keeps_the_shape():
    frame = np.zeros((360, 640, 3), np.uint8)
    frame[:, :100] = 255  # a white bar at the left, beyond the central square
    assert preprocess(frame, TINY).shape == (32, 32, 3)
    assert preprocess(frame, TINY)[:, 0].min() == 255
    cut = preprocess(frame, IMAGENET_RESNET50)
    assert cut.shape == (224, 224, 3)
    assert cut.max() == 0


def test_upright_and_tiny_frames_fit_too():
    for shape in ((640, 360, 3), (9, 16, 3), (225, 224, 3)):
        for config in (TINY, IMAGENET_RESNET50):
            side = config.input_size
            assert preprocess(np.zeros(shape, np.uint8), config).shape == (side, side, 3)


def test_pixels_are_normalised_as_imagenet_networks_want():
    white = normalise(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(white[0, :, 0, 0], expected)


def test_published_resnet50_loads_from_its_own_kind_of_file(tmp_path: Path):
    network = ResNet(RESNET50)
    torch.save(network.state_dict(), tmp_path / "resnet50-0676ba61.pth")
    loaded = load_imagenet_resnet50(tmp_path / "resnet50-0676ba61.pth")
    assert torch.equal(loaded.get_parameter("fc.weight"), network.get_parameter("fc.weight"))


@pytest.mark.parametrize("content", [None, b"", b"not weights"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes | None):
    path = tmp_path / "x.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.pth: not the ResNet-50 weights") as caught:
        load_imagenet_resnet50(path)
    assert "\n" not in str(caught.value)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path):
    torch.save({"conv1.weight": Path("anything")}, tmp_path / "x.pth")  # needs more than tensors
    with pytest.raises(ValueError, match="not the ResNet-50 weights"):
        load_imagenet_resnet50(tmp_path / "x.pth")
