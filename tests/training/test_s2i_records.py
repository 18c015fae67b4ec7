"""The authors' record files: recognised, read as true pairs, and trained in parts."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint, save_checkpoint
from foleycli.models.audio_autoencoder import AudioAutoencoder, AutoencoderConfig
from foleycli.training.s2i_parts import S2IPartsCourse, given_autoencoder, recipe_for
from foleycli.training.s2i_recipe import S2IRecipe, preset
from foleycli.training.s2i_records import (
    EMBEDDINGS,
    list_records,
    load_records,
    open_records,
    records_as_examples,
)
from foleycli.training.sound_pictures import Draw
from foleycli.training.stages import train_stages

TINY = AutoencoderConfig(embedding=128, scale=0.02)


def _digits(label: int, track: int, second: int) -> bytes:
    return f"{label:03}{track:05}{second:03}".encode()


def _record(form: str, label: int, number: int, width: int = 128) -> bytes:
    """One record; all its values tell its number."""
    rng = np.random.default_rng(number)
    sound = rng.integers(0, 256, 12_800, np.uint8).tobytes()
    picture = np.full(27_648, number, np.uint8).tobytes()
    if form == "sounds":
        return bytes([label - 1]) + sound
    if form == "pairs":
        return _digits(label, 7, number) + sound + picture
    embedding = (np.arange(width) / width + number).astype("<f4").tobytes()
    return _digits(label, 7, number) + embedding + picture


def _write(path: Path, form: str, labels: list[int], first: int = 1, width: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    records = (_record(form, label, first + k, width) for k, label in enumerate(labels))
    path.write_bytes(b"".join(records))
    return path


@pytest.mark.parametrize("width", EMBEDDINGS)
def test_embeddings_are_recognised_by_their_size(tmp_path: Path, width: int) -> None:
    file = open_records(_write(tmp_path / "a.bin", "embeddings", [2, 1], width=width))
    assert file.form == f"embeddings of {width}"
    assert file.rows["embedding"].shape == (2, width)
    assert file.rows["embedding"][1, 0] == 2
    assert file.classes.tolist() == [1, 0]


def test_pairs_of_sound_and_picture_are_groups_of_their_own(tmp_path: Path) -> None:
    files = [
        _write(tmp_path / "data_batch_001.bin", "pairs", [5, 2, 2]),
        _write(tmp_path / "data_batch_002.bin", "pairs", [7], first=4),
    ]
    pairs = load_records(files, None, 96, "crop")
    assert pairs.labels == ("dog", "water flowing", "class 7")
    assert pairs.group_label.tolist() == [1, 0, 0, 2]
    assert pairs.sound_group.tolist() == pairs.picture_group.tolist() == [0, 1, 2, 3]
    assert pairs.pictures[:, 50, 50, 1].tolist() == [1, 2, 3, 4]
    wanted = np.random.default_rng(3).integers(0, 256, (128, 100), np.uint8)
    assert np.array_equal(pairs.sounds[2], wanted)
    dogs = load_records(files, ["dog"], 48, "crop")
    assert (dogs.labels, dogs.pictures[:, 0, 0, 0].tolist()) == (("dog",), [2, 3])
    assert dogs.pictures.shape == (2, 48, 48, 3)
    with pytest.raises(ValueError, match="no records of these classes"):
        load_records(files, ["cat"], 48, "crop")
    named = records_as_examples(files, ["dog", "class 7"])
    assert [(e.path.name[-5], e.label) for e in named] == [("1", "dog"), ("2", "class 7")]


def test_sounds_alone_have_no_pictures(tmp_path: Path) -> None:
    pairs = load_records([_write(tmp_path / "a.bin", "sounds", [1, 3, 1])], None, 48, "crop")
    assert pairs.labels == ("baby cry", "rail transport")
    assert pairs.sound_group.tolist() == [0, 1, 0]
    assert len(pairs.pictures) == 0
    sounds, pictures, _ = Draw(pairs).batch(6, np.random.default_rng(0))
    assert np.bincount(pairs.sound_group[sounds]).tolist() == [3, 3]
    assert set(pictures.tolist()) == {-1}


def test_names_of_files_tell_their_split(tmp_path: Path) -> None:
    for name in ("data_batch_002", "data_batch_001", "val_batch_001", "test_batch_001"):
        _write(tmp_path / "batches" / f"{name}.bin", "pairs", [1])
    names = {split: [p.stem for p in list_records(tmp_path, split)] for split in ("train", "valid")}
    assert names == {"train": ["data_batch_001", "data_batch_002"], "valid": ["val_batch_001"]}
    assert list_records(tmp_path / "batches/test_batch_001.bin") != []
    assert list_records(tmp_path / "batches/test_batch_001.bin", "valid") == []
    _write(tmp_path / "data_batch_003.bin", "sounds", [1])
    with pytest.raises(ValueError, match="records of several forms"):
        list_records(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has 0 bytes"),
        (_record("pairs", 1, 1)[:-1], "it has 40458 bytes; lengths: 12801 "),
        (_record("pairs", 1, 1) + b"x" * 40_459, "do not begin with 11 digits"),
        (_record("pairs", 0, 1), "do not begin with 11 digits"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run git lfs pull"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.bin: .*{reason}") as refused:
        open_records(tmp_path / "a.bin")
    assert "\n" not in str(refused.value)


def test_embeddings_must_be_numbers(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.bin", "embeddings", [1])
    content = bytearray(path.read_bytes())
    content[11:15] = np.array([np.inf], "<f4").tobytes()
    path.write_bytes(content)
    with pytest.raises(ValueError, match="NaN or infinity"):
        load_records([path], None, 48, "crop")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published autoencoder, as it is imported, but small."""
    path = tmp_path_factory.mktemp("models") / "autoencoder.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tensors = AudioAutoencoder(TINY).state_dict()
    save_checkpoint(path, kind="s2i-autoencoder", config=asdict(TINY), tensors=tensors)
    return path


def _smoke() -> S2IRecipe:
    return preset("smoke", steps=[2, 2], batch=4)


def test_sounds_alone_train_an_autoencoder(tmp_path: Path) -> None:
    pairs = load_records([_write(tmp_path / "a.bin", "sounds", [1, 2] * 3)], None, 48, "crop")
    course = S2IPartsCourse(replace(_smoke(), sounds=TINY), pairs, 0)
    assert dict(course.steps) == {"autoencoder": 2}
    assert not course.drawn_from_sound
    train_stages(course, tmp_path / "run")
    model = load_checkpoint(tmp_path / "run", kind="s2i-autoencoder")
    config, tensors = given_autoencoder(str(tmp_path / "run"))
    assert config == TINY
    assert tensors.keys() == model.tensors.keys() == AudioAutoencoder(TINY).state_dict().keys()
    with pytest.raises(ValueError, match="sounds alone train an autoencoder"):
        S2IPartsCourse(_smoke(), pairs, 0, given=(config, tensors))


def test_embeddings_train_a_translator_on_the_autoencoder_that_wrote_them(
    tmp_path: Path, tiny: Path
) -> None:
    path = _write(tmp_path / "a.bin", "embeddings", [1, 2] * 3)
    pairs = load_records([path], None, 48, "crop")
    with pytest.raises(ValueError, match=r"128 numbers: give the autoencoder .* --autoencoder \("):
        S2IPartsCourse(_smoke(), pairs, 0)
    given = given_autoencoder(str(tiny))
    narrow = (replace(TINY, embedding=16), given[1])
    with pytest.raises(ValueError, match="--autoencoder, not one of 16"):
        S2IPartsCourse(_smoke(), pairs, 0, given=narrow)
    recipe = recipe_for(_smoke(), given[0])
    course = S2IPartsCourse(recipe, pairs, 0, given=given)
    stage = course.stage("translator", course.given())
    written = np.stack(pairs.sounds)
    np.testing.assert_array_equal(stage.embeddings.numpy(), written[None])  # type: ignore[attr-defined]
    train_stages(course, tmp_path / "run")
    model = load_checkpoint(tmp_path / "run", kind="s2i")
    assert model.config["generator"]["embedding"] == 128
    own = model.part("autoencoder")
    assert not any(name.startswith("convT") for name in own)
    for name, tensor in own.items():
        torch.testing.assert_close(tensor, given[1][name], atol=1e-3, rtol=1e-3)  # half precision


def test_a_whole_model_lends_its_encoder(tmp_path: Path, tiny: Path) -> None:
    pairs = load_records([_write(tmp_path / "a.bin", "pairs", [1, 2] * 3)], None, 48, "crop")
    given = given_autoencoder(str(tiny))
    first = S2IPartsCourse(recipe_for(_smoke(), given[0]), pairs, 0, given=given)
    train_stages(first, tmp_path / "run")
    again = given_autoencoder(str(tmp_path / "run"))  # its decoder stayed behind
    assert again[0] == TINY
    second = S2IPartsCourse(recipe_for(_smoke(), again[0]), pairs, 0, given=again)
    stages = [course.stage("translator", course.given()) for course in (first, second)]
    torch.testing.assert_close(stages[0].embeddings, stages[1].embeddings, atol=1e-2, rtol=0)  # type: ignore[attr-defined]
    assert stages[0].embeddings.shape == (2, 6, 128)  # type: ignore[attr-defined]


def test_other_models_lend_nothing(tmp_path: Path, tiny: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, kind="timing", config={}, tensors={})
    with pytest.raises(ValueError, match="a 'timing' model has no autoencoder"):
        given_autoencoder(str(path))
    tensors = load_checkpoint(tiny).tensors
    for config in ({"embedding": 64, "scale": 0.02}, {"width": 3}):
        save_checkpoint(path, kind="s2i-autoencoder", config=config, tensors=tensors)
        with pytest.raises(ValueError, match="tensors do not fit"):
            given_autoencoder(str(path))
