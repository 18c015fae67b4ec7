"""A library: the nearest by cosine, kept by contents, and broken pictures named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foleycli.imagination.library import Library, index_library
from foleycli.imagination.systems import SceneSystem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, one in a sub-folder, and things that are none."""
    root = tmp_path / "pictures"
    (root / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k, name in enumerate(("a.png", "b.bmp", "more/c.png", "d.PNG")):
        pixels = rng.integers(0, 60 * (k + 1), (20 + k, 30, 3), np.uint8)
        Image.fromarray(pixels).save(root / name)
    whole = (root / "a.png").read_bytes()
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "text.jpg").write_text("no picture")
    (root / "notes.txt").write_text("passed over")
    return root


def test_pictures_are_ranked_by_cosine(folder: Path, scene: SceneSystem) -> None:
    library = index_library(folder, scene)
    assert library.names == ("a.png", "b.bmp", "d.PNG", "more/c.png")
    for k, name in enumerate(library.names):
        assert library.nearest(library.features[k], 1)[0] == (name, pytest.approx(1, abs=1e-5))
    ranked = library.nearest(library.features[1], 4)
    cosines = [cosine for _, cosine in ranked]
    assert cosines == sorted(cosines, reverse=True)
    np.testing.assert_allclose(
        sorted(cosines), sorted(library.features @ library.features[1]), atol=1e-5
    )
    with pytest.raises(ValueError, match="holds 4 pictures; --samples 5"):
        library.nearest(library.features[0], 5)


def test_broken_pictures_are_named_and_the_others_kept(folder: Path, scene: SceneSystem) -> None:
    broken = index_library(folder, scene).unreadable
    assert sorted(broken) == ["cut.png", "text.jpg"]
    assert "damaged" in broken["cut.png"]
    assert "not a picture" in broken["text.jpg"]


def test_a_kept_index_serves_by_contents_and_only_its_model(
    folder: Path, scene: SceneSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = index_library(folder, scene)
    made.save(tmp_path / "i.npz")
    known = Library.load(tmp_path / "i.npz", folder)
    np.testing.assert_array_equal(known.features, made.features)
    assert replace(known, features=made.features) == made
    (folder / "a.png").rename(folder / "z.png")
    seen: list[tuple[int, ...]] = []
    see = scene.see
    monkeypatch.setattr(scene, "see", lambda p: (seen.append(p.shape), see(p))[1])
    again = index_library(folder, scene, known)
    assert not seen
    assert again.names[-1] == "z.png"
    np.testing.assert_array_equal(again.features[-1], made.features[0])
    assert again.digest != made.digest
    (folder / "z.png").rename(folder / "zz.png")
    assert index_library(folder, scene, known).digest != again.digest
    index_library(folder, scene, replace(known, model="another"))
    assert len(seen) == 4


def test_wrong_folders_and_files_are_told_in_one_line(
    folder: Path, scene: SceneSystem, tmp_path: Path
) -> None:
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    broken.mkdir()
    (broken / "x.png").write_text("no")
    for place, words in (
        (tmp_path / "none", "no such folder"),
        (empty, "no pictures in it"),
        (broken, "none of its pictures can be read"),
    ):
        with pytest.raises(ValueError, match=words):
            index_library(place, scene)
    with pytest.raises(ValueError, match=r"a\.png"):
        Library.load(folder / "a.png", folder)
