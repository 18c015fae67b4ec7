"""Checkpoints to systems: whole or in parts, with and without what a task does not need."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import embedded_models, save_checkpoint
from foleycli.imagination.loading import load_system, model_paths
from foleycli.imagination.systems import S2iSystem, SceneSystem
from tests.imagination.conftest import (
    AUDIO,
    AUTOENCODER,
    ICGAN,
    IMAGE,
    s2i_networks,
    save_system,
    scene_networks,
    thuds,
)


def _part(path: Path, kind: str, config: object, network: torch.nn.Module) -> str:
    save_checkpoint(path, kind=kind, config=asdict(config), tensors=network.state_dict())  # type: ignore[call-overload]
    return str(path)


def test_parts_in_files_of_their_own_make_the_same_system(
    tmp_path: Path, scene: SceneSystem
) -> None:
    networks = scene_networks()
    files = [
        _part(tmp_path / "swav", "swav-resnet50", IMAGE, networks["image"]),
        _part(tmp_path / "audio", "sound2scene-audio", AUDIO, networks["audio"]),
        _part(tmp_path / "gan", "icgan-generator", ICGAN, networks["generator"]),
    ]
    system = load_system(files)
    assert isinstance(system, SceneSystem)
    sound = thuds(16_000, 1)
    latent = system.hear(sound, None)[0]
    np.testing.assert_array_equal(latent, scene.hear(sound, None)[0])
    np.testing.assert_array_equal(
        system.draw(latent, system.noise(0)), scene.draw(latent, scene.noise(0))
    )
    assert system.can_see
    assert [file.name for file in system.files] == ["swav", "audio", "gan"]
    assert system.files[1].sha256 == hashlib.sha256(Path(files[1]).read_bytes()).hexdigest()


def test_an_encoder_without_its_decoder_is_enough(tmp_path: Path, segments: S2iSystem) -> None:
    networks = s2i_networks()
    for name, _ in list(networks["autoencoder"].named_children()):
        if name.startswith("convT"):
            delattr(networks["autoencoder"], name)
    system = load_system([str(save_system(tmp_path / "small", "s2i", networks))])
    sound = thuds(44_100, 1)
    np.testing.assert_array_equal(system.hear(sound, [0]), segments.hear(sound, [0]))
    whole = _part(tmp_path / "ae", "s2i-autoencoder", AUTOENCODER, s2i_networks()["autoencoder"])
    alone = load_system([whole], "s2i")
    assert not alone.can_draw
    np.testing.assert_array_equal(alone.hear(sound, [0]), segments.hear(sound, [0]))


def test_a_system_without_generator_or_image_part_says_what_it_can(tmp_path: Path) -> None:
    networks = scene_networks()
    path = save_system(tmp_path / "a", "sound2scene", {"audio": networks["audio"]}, image=None)
    system = load_system([str(path)])
    assert isinstance(system, SceneSystem)
    assert not (system.can_draw or system.can_see)
    with pytest.raises(ValueError, match="--model"):
        system.noise(0)


def test_what_does_not_fit_is_named_with_the_file(
    tmp_path: Path, system_files: dict[str, Path]
) -> None:
    networks = scene_networks()
    scene_file = str(system_files["sound2scene"])
    bad = save_system(tmp_path / "bad", "sound2scene", networks, audio={"width": 8})
    old = save_system(tmp_path / "old", "sound2scene", networks, front_end={"name": "other"})
    deaf = save_system(tmp_path / "deaf", "sound2scene", {"image": networks["image"]})
    fit = {"network": asdict(IMAGE), "pixels": 32, "fit": "stretch"}
    odd = save_system(tmp_path / "odd", "sound2scene", networks, image=fit)
    other = tmp_path / "other"
    save_checkpoint(other, kind="timing", config={}, tensors={})
    for files, system, words in (
        ([bad], "auto", "bad: its audio does not fit"),
        ([old], "auto", "train it again"),
        ([deaf], "auto", "deaf: has no audio to hear with"),
        ([odd], "auto", "'stretch' is none of: squash, crop"),
        ([other], "auto", "holds a 'timing' model"),
        ([scene_file, scene_file], "auto", "a second audio"),
        ([scene_file, system_files["s2i"]], "auto", "is of s2i, not sound2scene"),
        ([scene_file], "s2i", "is of sound2scene, not s2i"),
        ([tmp_path / "none"], "auto", "no such model"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            load_system([str(file) for file in files], system)
        assert "\n" not in str(caught.value)


def test_parts_of_unlike_width_are_refused(tmp_path: Path) -> None:
    networks = scene_networks()
    narrow = type(AUDIO)(width=4, features=16, input_pool=(2, 4))
    networks["audio"] = type(networks["audio"])(narrow)  # type: ignore[call-arg]
    path = save_system(tmp_path / "w", "sound2scene", networks, audio=narrow.as_dict())
    with pytest.raises(ValueError, match="16 features and another part 32"):
        load_system([str(path)])


@pytest.mark.parametrize("system", ["auto", "s2i", "sound2scene"])
def test_without_a_model_the_shipped_one_is_taken_or_the_remedy_told(system: str) -> None:
    name = "sound2scene" if system == "auto" else system
    if name in embedded_models():
        assert model_paths((), system)[0].stem == name
        return
    with pytest.raises(ValueError, match=f"no {name} model .* --model"):
        model_paths((), system)
