"""CLIP from a folder: tokens, preprocessing and vectors of transformers 5.23, and every refusal."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from foleycli.media.stills import MediaError
from foleycli.models.clip import Clip, ClipConfig
from foleycli.vision.clip_retrieval import ClipRanker, clip_square
from foleycli.vision.clip_tokens import END, START, ClipTokens

MERGES = ["d o", "do g</w>", "a i", "r ai", "rai n</w>", "' s</w>", "1 2</w>", "Ã ©</w>"]
CONFIG = {
    "model_type": "clip",
    "projection_dim": 6,
    "text_config": {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 12,
        "vocab_size": 522,
    },
    "vision_config": {
        "hidden_size": 12,
        "intermediate_size": 20,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 24,
        "patch_size": 8,
    },
}
# CLIPModel, CLIPTokenizer and CLIPImageProcessorPil on the folder and the picture below.
PICTURE = [-0.3608912, 0.0627220, 0.4559868, 0.6286200, 0.4970920, 0.1250435]
TEXTS = {
    "dog": [0.5265345, -0.2129533, -0.4592015, 0.3581468, 0.3459601, -0.4675349],
    "rain dog": [0.0950941, 0.5863681, -0.2804961, -0.4976789, 0.4378558, 0.3592346],
}


def _vocabulary() -> dict[str, int]:
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spare = iter(range(0x100, 0x200))
    letters = [chr(b if b in seen else next(spare)) for b in range(256)]
    ends = [letter + "</w>" for letter in letters]
    tokens = [*letters, *ends, *(m.replace(" ", "") for m in MERGES), START, END]
    return {token: number for number, token in enumerate(tokens)}


def _filled(network: Clip) -> dict[str, torch.Tensor]:
    """Waves of another pitch and phase for each name in alphabetical order."""
    state, filled = network.state_dict(), {}
    for i, name in enumerate(sorted(state)):
        shape = state[name].shape
        steps = torch.arange(math.prod(shape), dtype=torch.float64)
        wave = torch.sin(steps * (0.7 + 0.01 * i) + i).reshape(shape)
        if len(shape) > 1:
            wave /= math.sqrt(math.prod(shape[1:]))
        else:
            gain = name.endswith(("norm.weight", "norm1.weight", "norm2.weight"))
            wave = 0.1 * wave + gain
        filled[name] = wave.float()
    return filled


def _picture(height: int = 60, width: int = 45) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 5 % 256, y * 4 % 256, x * y % 256], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.json").write_text(json.dumps(_vocabulary()))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]), encoding="utf-8")
    model = {"type": "BPE", "vocab": _vocabulary(), "merges": MERGES}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    network = Clip(ClipConfig.from_published(CONFIG))
    save_file(_filled(network), folder / "model.safetensors")
    return folder


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "clip"))


@pytest.fixture(scope="module")
def ranker(published: Path) -> ClipRanker:
    return ClipRanker(published)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("dog", [513]),
        ("Dog's  rain", [513, 517, 516]),
        ("rain_12", [516, 351, 305, 306]),
        ("12 dogs!?", [305, 306, 512, 103, 371, 33, 319]),
        ("café", [99, 97, 102, 519]),
        ("cafe\u0301", [99, 97, 102, 519]),
        ("x²", [376, 194, 434]),
        ("", []),
        ("!'s", [33, 295, 371]),
        ("dog's'", [513, 517, 295]),
        ("猫", [231, 140, 427]),
    ],
)
def test_tokens_are_those_of_transformers(text: str, tokens: list[int]):
    pairs = [tuple(m.split()) for m in MERGES]
    assert ClipTokens(_vocabulary(), pairs).encode(text) == [520, *tokens, 521]


def test_earlier_merges_come_first():
    pairs = [tuple(m.split()) for m in MERGES]
    vocabulary = {**_vocabulary(), "og</w>": 522}
    also = ("o", "g</w>")
    assert ClipTokens(vocabulary, [*pairs, also]).encode("dog") == [520, 513, 521]
    assert ClipTokens(vocabulary, [also, *pairs]).encode("dog") == [520, ord("d"), 522, 521]


def test_vectors_are_those_of_transformers(ranker: ClipRanker, tmp_path: Path):
    Image.fromarray(_picture()).save(tmp_path / "a.png")
    found = ranker.embed_images([tmp_path / "a.png"])
    np.testing.assert_allclose(found, [PICTURE], atol=1e-4)  # Pillow may round a pixel otherwise
    np.testing.assert_allclose(ranker.embed_texts([*TEXTS]), [*TEXTS.values()], atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_a_picture_does_not_depend_on_the_others(ranker: ClipRanker, tmp_path: Path):
    paths = []
    for i in range(5):
        Image.fromarray(np.roll(_picture(), 9 * i, axis=1)).save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    together = ranker.embed_images(paths)
    alone = np.stack([ranker.embed_image(path) for path in reversed(paths)])[::-1]
    np.testing.assert_array_equal(together, alone)
    assert len(np.unique(together, axis=0)) == 5
    texts = ranker.embed_texts(["dog", "rain rain dog"])
    np.testing.assert_array_equal(texts[:1], ranker.embed_texts(["dog"]))


def test_class_names_are_words_in_a_template(ranker: ClipRanker):
    np.testing.assert_array_equal(
        ranker.embed_classes(["rain_dog"]), ranker.embed_texts(["rain dog"])
    )
    np.testing.assert_array_equal(
        ranker.embed_classes(["dog"], "a {}."), ranker.embed_texts(["a dog."])
    )
    with pytest.raises(ValueError, match=r"template 'a photo' has no \{\} for"):
        ranker.embed_classes(["dog"], "a photo")


def test_nothing_gives_nothing(ranker: ClipRanker):
    assert ranker.embed_images([]).shape == ranker.embed_texts([]).shape == (0, 6)


def test_merges_may_be_pairs_or_lines_of_a_file(copy: Path, ranker: ClipRanker):
    expected = ranker.embed_texts(["dog's rain"])
    model = {"vocab": _vocabulary(), "merges": [m.split() for m in MERGES]}
    (copy / "tokenizer.json").write_text(json.dumps({"model": model}))
    np.testing.assert_array_equal(ClipRanker(copy).embed_texts(["dog's rain"]), expected)
    (copy / "tokenizer.json").unlink()
    np.testing.assert_array_equal(ClipRanker(copy).embed_texts(["dog's rain"]), expected)


def test_older_and_half_precision_files_load(copy: Path, ranker: ClipRanker):
    tensors = {n: t.half() for n, t in load_file(copy / "model.safetensors").items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(12)[None]
    save_file(tensors, copy / "model.safetensors")
    found = ClipRanker(copy).embed_texts(["dog"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ranker.embed_texts(["dog"]), atol=1e-2)


def test_pictures_keep_their_shape_and_lose_their_sides():
    wide = np.zeros((30, 90, 3), np.uint8)
    wide[:, 30:60] = 255
    assert clip_square(wide, 24).shape == (24, 24, 3)
    assert clip_square(wide, 24)[:, 2:-2].min() == 255
    same = _picture(24, 24)
    np.testing.assert_array_equal(clip_square(same, 24), same)


def test_shrinking_averages():
    checks = (np.indices((480, 480)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = clip_square(np.repeat(checks[:, :, None], 3, axis=2), 24).astype(int)
    assert abs(small[1:-1, 1:-1] - 127).max() <= 1  # at the rim the window is cut


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "config.json: No such file"),
        ("model.safetensors", "model.safetensors: no such file"),
    ],
)
def test_a_missing_file_is_named_with_a_remedy(copy: Path, name: str, message: str):
    (copy / name).unlink()
    with pytest.raises(ValueError, match=f"{message}.*give a folder as openai/clip"):
        ClipRanker(copy)


def test_missing_vocabularies_are_named(copy: Path):
    (copy / "tokenizer.json").unlink()
    (copy / "merges.txt").unlink()
    with pytest.raises(ValueError, match=r"merges.txt: No such file .*give a folder"):
        ClipRanker(copy)
    with pytest.raises(ValueError, match="no such folder; give a folder"):
        ClipRanker(copy / "none")


def test_pickled_weights_are_not_opened_but_a_way_out_is_told(copy: Path):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"convert it: python -c .*weights_only=True"):
        ClipRanker(copy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "config.json is not JSON"),
        ("config.json", '{"model_type": "siglip"}', "'siglip' model"),
        ("config.json", "[]", "another layout than CLIP's; give a folder"),
        ("config.json", '{"model_type": "clip"}', "does not fit its config.json .*mismatch"),
        ("tokenizer.json", '{"model": {"vocab": {}, "merges": []}}', "not CLIP's vocabulary"),
        ("tokenizer.json", '{"model": {"vocab": {}, "merges": ["a b c"]}}', "are not pairs"),
        ("tokenizer.json", "{}", "another layout than CLIP's; give a folder"),
        ("model.safetensors", "version https://git-lfs", "not a safetensors file"),
    ],
)
def test_wrong_content_is_refused_in_one_line(copy: Path, name: str, content: str, message: str):
    (copy / name).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        ClipRanker(copy)
    assert "\n" not in str(error.value)


def test_long_texts_and_broken_pictures_are_named(ranker: ClipRanker, tmp_path: Path):
    with pytest.raises(ValueError, match="has 13 tokens; CLIP reads 12"):
        ranker.embed_texts(["dog " * 11])
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(MediaError, match=r"a\.png: not a picture"):
        ranker.embed_images([tmp_path / "a.png"])


def test_manifests_can_hold_the_description(ranker: ClipRanker):
    told = json.loads(json.dumps(ranker.describe()))
    assert told["architecture"] == "clip"
    assert (told["features"], told["network"]["patch_size"]) == (6, 8)
