"""Judging pictures: embedding and class, informativity, class names ranked by likeness."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from foleycli.checkpoints import load_checkpoint
from foleycli.evaluation.pictures import (
    ANYTHING_ELSE,
    InformativityJudge,
    MediaError,
    PictureEmbedder,
    informativity,
    rank_class_names,
)
from foleycli.models.informativity import Informativity
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.trn import RelationConfig, TemporalRelations
from foleycli.vision.backbone import BackboneConfig
from foleycli.vision.recognition import Recogniser, RecognitionConfig


def _picture(seed: int = 0, height: int = 70, width: int = 50) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _flat(*colour: int, size: int = 96) -> NDArray[np.uint8]:
    return np.broadcast_to(np.uint8(colour), (size, size, 3)).copy()


@pytest.fixture(scope="module")
def embedder() -> PictureEmbedder:
    return PictureEmbedder.from_checkpoint(load_checkpoint("recognition", "recognition"))


def _recogniser(outputs: int) -> Recogniser:
    network = ResNetConfig("basic", (1, 1, 1, 1), 2, classes=0)
    config = RecognitionConfig(
        classes=("dog", "rain"),
        backbone=BackboneConfig(network, input_size=32),
        mtrn=RelationConfig(16, outputs, 3, (2, 3), 4),
        trn2=RelationConfig(16, outputs, 2, (2,), 4),
        temperature=0.5,
    )
    torch.manual_seed(0)
    tensors = {}
    for name, part in (
        ("backbone", ResNet(network)),
        ("mtrn", TemporalRelations(config.mtrn)),
        ("trn2", TemporalRelations(config.trn2)),
    ):
        tensors |= {f"{name}.{key}": tensor for key, tensor in part.state_dict().items()}
    return Recogniser(config.as_dict(), tensors)


def test_embedder_agrees_with_the_recogniser_on_a_clip_that_stands_still(
    embedder: PictureEmbedder,
):
    checkpoint = load_checkpoint("recognition", "recognition")
    recogniser = Recogniser(checkpoint.config, checkpoint.tensors)
    encoder = recogniser.encoder()
    for _ in range(8):
        encoder.add(_picture())
    features = encoder.finish()
    embedding, logits = embedder.embed(_picture())
    np.testing.assert_allclose(embedding, features[0], rtol=1e-4, atol=1e-5)
    chances = np.exp(logits) / np.exp(logits).sum()
    expected = recogniser.classify(features)
    assert embedder.classes == (*expected, ANYTHING_ELSE)
    np.testing.assert_allclose(chances[:-1], [*expected.values()], rtol=1e-3, atol=1e-6)


def test_shapes_are_as_told_and_fit_a_manifest(embedder: PictureEmbedder):
    embedding, logits = embedder.embed(_picture())
    assert (embedding.shape, embedding.dtype) == ((embedder.features,), np.float32)
    assert (logits.shape, logits.dtype) == ((len(embedder.classes),), np.float32)
    told = json.loads(json.dumps(embedder.describe()))
    assert (told["architecture"], told["input_size"]) == ("recognition", 96)
    assert told["features"] == embedder.features


def test_a_file_and_its_pixels_are_the_same(embedder: PictureEmbedder, tmp_path: Path):
    Image.fromarray(_picture()).save(tmp_path / "a.png")
    for found, expected in zip(
        embedder.embed(tmp_path / "a.png"), embedder.embed(_picture()), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_picture_does_not_depend_on_those_before(embedder: PictureEmbedder):
    first = embedder.embed(_picture(1))[0]
    other = embedder.embed(_picture(2))[0]
    np.testing.assert_array_equal(embedder.embed(_picture(1))[0], first)
    assert np.abs(first - other).max() > 1e-3


def test_a_recogniser_without_anything_else_has_only_its_classes():
    assert PictureEmbedder(_recogniser(2)).classes == ("dog", "rain")
    assert PictureEmbedder(_recogniser(3)).classes == ("dog", "rain", ANYTHING_ELSE)
    with pytest.raises(ValueError, match="2 names for 4 classes"):
        PictureEmbedder(_recogniser(4))


def test_most_photographs_are_put_into_their_class(embedder: PictureEmbedder, shared: Path):
    hits = []
    for label in ("car", "waterfall", "clock", "fire"):
        for path in sorted((shared / "data/images" / label).glob("*.jpg"))[:5]:
            hits.append(embedder.classes[int(embedder.embed(path)[1].argmax())] == label)
    assert np.mean(hits) > 0.5  # chance is 1/13


def test_unreadable_pictures_and_odd_arrays_are_refused(embedder: PictureEmbedder, tmp_path: Path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(MediaError, match="not a picture"):
        embedder.embed(tmp_path / "a.png")
    for odd in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"need \(H, W, 3\) uint8"):
            embedder.embed(odd)


def _redness() -> dict[str, torch.Tensor]:
    """An informativity network that says yes where red is above 0.1 on the scale of [-1, 1]."""
    state = {name: torch.zeros_like(t) for name, t in Informativity().state_dict().items()}
    for name, tensor in state.items():
        if name.endswith("running_var") or (name.rpartition(".")[0].endswith("_bn")):
            tensor.fill_(float(name.endswith(("running_var", "weight"))))
    for i in range(1, 6):
        weight = state[f"conv{i}.weight"]
        weight[0, 0] = 1 / weight[0, 0].numel()
    state["fc2.weight"][0, 0] = 1
    state["fc3.weight"][1, 0] = 1
    state["fc3.bias"][0] = 0.1
    return state


@pytest.fixture
def judge(tmp_path: Path) -> InformativityJudge:
    save_file(_redness(), tmp_path / "fire.safetensors")
    published = {f"module.{name}": tensor for name, tensor in _redness().items()}
    torch.save(published, tmp_path / "dog.pth")
    (tmp_path / "README.md").write_text("not weights")
    return InformativityJudge.from_folder(tmp_path)


@pytest.mark.parametrize("label", ["dog", "fire"])
def test_pictures_are_shown_to_the_network_as_rgb_from_minus_one_to_one(
    judge: InformativityJudge, label: str
):
    assert judge.judge(_flat(142, 0, 0), label) is True  # 142 / 127.5 - 1 = 0.11
    assert judge.judge(_flat(139, 255, 255), label) is False  # 0.09


def test_a_class_without_a_network_has_no_verdict(judge: InformativityJudge):
    assert judge.classes == ("dog", "fire")
    assert judge.judge(_flat(255, 0, 0), "rain") is None
    assert json.loads(json.dumps(judge.describe()))["classes"] == ["dog", "fire"]


def test_other_sizes_are_judged_by_their_central_square(judge: InformativityJudge, tmp_path: Path):
    wide = _flat(0, 0, 0, size=300)[:100]
    wide[:, 100:200] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert judge.judge(tmp_path / "wide.png", "dog") is True
    assert judge.judge(255 - wide, "dog") is False
    assert judge.judge(_flat(142, 0, 0, size=40), "dog") is True


def test_verdicts_are_those_of_the_golden_network(shared: Path, tmp_path: Path):
    layout = json.loads((shared / "goldens/s2i/keys/informativity.json").read_text())
    tensors = {}
    for i, (name, shape) in enumerate(layout.items()):  # as goldens/s2i/goldens.json says
        draw = np.random.RandomState(1000 + i).standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.zeros(shape, dtype=torch.int64)
            continue
        if name.endswith("running_var"):
            draw = 1 + 0.5 * np.abs(draw)
        elif len(shape) >= 2:
            draw = draw * np.sqrt(2 / np.prod(shape[1:]))
        else:
            draw = 0.1 * draw + name.endswith("weight")
        tensors[name] = torch.from_numpy(np.asarray(draw, np.float32))
    save_file(tensors, tmp_path / "as_it_is.safetensors")
    swapped = {n: t.flip(0).contiguous() if n.startswith("fc3") else t for n, t in tensors.items()}
    save_file(swapped, tmp_path / "swapped.safetensors")
    judge = InformativityJudge.from_folder(tmp_path)
    draw = np.random.RandomState(3).standard_normal((2, 3, 96, 96)).astype(np.float32)
    pictures = np.round((np.tanh(draw).transpose(0, 2, 3, 1) + 1) * 127.5).astype(np.uint8)
    golden = json.loads((shared / "goldens/s2i/goldens.json").read_text())["nets"]["informativity"]
    places = golden["log_probs"]["flat_idx"]
    flat = dict(zip(places, golden["log_probs"]["values"], strict=True))
    for i, picture in enumerate(pictures):
        informative = flat[2 * i + 1] > flat[2 * i]
        assert judge.judge(picture, "as_it_is") is informative
        assert judge.judge(picture, "swapped") is not informative


def test_wrong_files_are_named(tmp_path: Path):
    with pytest.raises(ValueError, match="no informativity networks; name them CLASS"):
        InformativityJudge.from_folder(tmp_path)
    with pytest.raises(ValueError, match="give one for each class"):
        InformativityJudge({})
    save_file({"fc3.weight": torch.zeros(2, 32)}, tmp_path / "dog.safetensors")
    with pytest.raises(ValueError, match=r"dog\.safetensors: not an informativity network \(") as e:
        InformativityJudge.from_folder(tmp_path)
    assert "\n" not in str(e.value)
    (tmp_path / "dog.safetensors").write_text("nothing")
    with pytest.raises(ValueError, match=r"dog\.safetensors: not a readable file"):
        InformativityJudge.from_folder(tmp_path)
    (tmp_path / "dog.pth").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match=r"dog\.safetensors: dog\.pth is of the same class"):
        InformativityJudge.from_folder(tmp_path)
    with pytest.raises(ValueError, match="a Git LFS pointer"):
        InformativityJudge({"dog": tmp_path / "dog.pth"})
    with pytest.raises(ValueError, match=r"none\.pth: not a readable file"):
        InformativityJudge({"dog": tmp_path / "none.pth"})


def test_informativity_is_a_share_of_each_class_and_their_mean():
    labels = ["dog", "dog", "dog", "dog", "fire", "rain"]
    found = informativity(labels, [True, False, False, False, True, None])
    assert found.classes == ("dog", "fire")
    assert found.per_class.tolist() == [0.25, 1]
    assert found.macro == 0.625
    assert found.micro == 0.4
    with pytest.raises(ValueError, match="no picture's class has"):
        informativity(["rain"], [None])
    with pytest.raises(ValueError, match="no sample of class rain"):
        informativity(labels, [True] * 5 + [None], ["dog", "fire", "rain"])


def test_class_names_are_ranked_by_cosine():
    texts = np.eye(3, dtype=np.float32)
    pictures = np.float32([[0.8, 0.6, 0], [0.8, 0.6, 0], [0.6, 0.8, 0]])
    ranks = rank_class_names(pictures, texts, ["a", "b", "c"], ["a", "b", "c"])
    assert ranks.ranks.tolist() == [1, 2, 3]
    assert ranks.recall_at(1) == pytest.approx(1 / 3)
    assert ranks.chance_at(1) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="pictures of unknown class d"):
        rank_class_names(pictures, texts, ["a", "b", "d"], ["a", "b", "c"])
    with pytest.raises(ValueError, match="3 pictures with 2 labels, 3 texts with 3 classes"):
        rank_class_names(pictures, texts, ["a", "b"], ["a", "b", "c"])
