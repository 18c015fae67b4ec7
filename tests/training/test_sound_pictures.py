"""Sounds and pictures that belong together: cut from clips or met by class, drawn evenly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.s2i import S2I, to_model
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.media.audio import read_audio, write_audio
from foleycli.media.mux import mux
from foleycli.media.video import write_video
from foleycli.training.data import Example
from foleycli.training.hearing import SCENE, SEGMENT
from foleycli.training.pictures import Picture
from foleycli.training.sound_pictures import (
    Draw,
    SoundPictures,
    fitted,
    load_classes,
    load_clips,
    meeting_classes,
)

GREYS = (40, 120, 200)  # of the clip's seconds


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds and a bit, each of its own grey and its own tone."""
    folder = tmp_path_factory.mktemp("clip") / "rain"
    folder.mkdir()
    shades = [GREYS[min(frame // 10, 2)] for frame in range(33)]
    pictures = [np.full((32, 48, 3), shade, np.uint8) for shade in shades]
    write_video(folder / "silent.mp4", pictures, 10)
    time = np.arange(int(3.3 * 16_000)) / 16_000
    sound = 0.3 * np.sin(2 * np.pi * 500 * (1 + time // 1) * time)
    mux(folder / "silent.mp4", sound.astype(np.float32), 16_000, folder / "a.mp4")
    return folder / "a.mp4"


def _tone(path: Path, seconds: float, hertz: float = 440.0, rate: int = 16_000) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    wave = 0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    write_audio(path, wave.astype(np.float32), rate)
    return path


def _still(path: Path, shade: int) -> Picture:
    import cv2

    path.parent.mkdir(exist_ok=True, parents=True)
    cv2.imwrite(str(path), np.full((20, 30, 3), shade, np.uint8))
    return Picture(path, path.parent.name, "train")


def test_every_second_meets_the_frame_at_its_middle(clip: Path) -> None:
    pairs, left_out = load_clips([Example(clip, "rain")], SEGMENT, 16, "crop")
    assert left_out == {}
    assert len(pairs.sounds) == 3  # the rest is under half a second
    np.testing.assert_allclose(pairs.pictures.mean((1, 2, 3)), GREYS, atol=4)
    assert pairs.sound_group.tolist() == pairs.picture_group.tolist() == [0, 1, 2]
    loudest = [int(sound.sum(1).argmax()) for sound in pairs.sounds]
    assert loudest[0] > loudest[1] > loudest[2]  # row 0 is the highest band, and tones rise


def test_ten_seconds_meet_one_frame_and_ranked_frames_come_first(clip: Path) -> None:
    pairs, _ = load_clips([Example(clip, "rain")], SCENE, 16, "crop")
    assert len(pairs.sounds) == 1
    assert pairs.pictures.mean() == pytest.approx(GREYS[1], abs=4)
    best, _ = load_clips([Example(clip, "rain")], SCENE, 16, "crop", moments={"a": [2.5, 0.3]})
    assert best.pictures.mean() == pytest.approx(GREYS[2], abs=4)
    other, _ = load_clips([Example(clip, "rain")], SCENE, 16, "crop", moments={"b": [2.5]})
    assert other.pictures.mean() == pytest.approx(GREYS[1], abs=4)
    second, _ = load_clips([Example(clip, "rain")], SEGMENT, 16, "crop", moments={"rain/a": [1.5]})
    cut, _ = load_clips([Example(clip, "rain")], SEGMENT, 16, "crop")
    assert len(second.sounds) == 1
    assert np.array_equal(second.sounds[0], cut.sounds[1])
    with pytest.raises(ValueError, match=r"no sound around its best frame, at 70\.0 s"):
        load_clips([Example(clip, "rain")], SEGMENT, 16, "crop", moments={"a": [70.0]})


def test_clips_without_sound_are_left_out_by_name(clip: Path) -> None:
    examples = [Example(clip, "rain"), Example(clip.with_name("silent.mp4"), "dog")]
    pairs, left_out = load_clips(examples, SEGMENT, 8, "squash")
    assert pairs.labels == ("rain",)
    assert list(left_out) == [str(clip.with_name("silent.mp4"))]
    with pytest.raises(ValueError, match="no clip has both sound and picture"):
        load_clips(examples[1:], SEGMENT, 8, "squash")


def test_sound_that_outlasts_the_picture_meets_what_is_seen_of_it(shared: Path) -> None:
    clip = Example(shared / "data/odd/audio_longer.mp4", "rain")  # 3 s of picture, 8 s of sound
    seconds, _ = load_clips([clip], SEGMENT, 16, "crop")
    assert len(seconds.sounds) == len(seconds.pictures) == 3
    scene, _ = load_clips([clip], SCENE, 16, "crop")
    assert len(scene.sounds) == len(scene.pictures) == 1
    assert np.array_equal(scene.pictures[0], seconds.pictures[1])  # both at 1.5 s


def test_a_class_of_sounds_meets_the_pictures_that_are_the_same(tmp_path: Path) -> None:
    sounds = [
        Example(_tone(tmp_path / "s/rail/a.wav", 2.4), "rail"),
        Example(_tone(tmp_path / "s/dog/b.wav", 1.0), "dog"),
        Example(tmp_path / "missing.wav", "cough"),  # never read
    ]
    stills = [
        _still(tmp_path / f"p/{kind}/{n}.png", shade)
        for kind, n, shade in (("train", 0, 10), ("other", 0, 90), ("dog", 0, 200), ("dog", 1, 210))
    ]
    pairs = load_classes(sounds, stills, SEGMENT, 8, "crop", same={"rail": "train"})
    assert pairs.labels == ("dog", "rail")  # named after the sounds, in the pictures' order
    assert pairs.sound_group.tolist() == [1, 1, 0]
    assert pairs.picture_group.tolist() == [1, -1, 0, 0]
    assert pairs.picture_label.tolist() == [1, 2, 0, 0]
    assert pairs.pictures[:, 0, 0, 0].tolist() == [10, 90, 200, 210]
    sounds[1].path.write_bytes(b"no sound")
    with pytest.raises(ValueError, match=r"b\.wav: "):
        load_classes(sounds, stills, SEGMENT, 8, "crop", same={"rail": "train"})


def test_classes_that_cannot_meet_are_named() -> None:
    assert meeting_classes("abc", "bcd", {}) == {"b": "b", "c": "c"}
    assert meeting_classes("abc", "bcd", {"a": "d"}) == {"a": "d", "b": "b", "c": "c"}
    assert meeting_classes("abc", "cd", {"a": "d", "b": "d"}) == {"a": "d", "b": "d", "c": "c"}
    with pytest.raises(ValueError, match="--same x=b: there are no sounds of 'x'"):
        meeting_classes("abc", "bcd", {"x": "b"})
    with pytest.raises(ValueError, match="--same a=x: there are no pictures of 'x'"):
        meeting_classes("abc", "bcd", {"a": "x"})
    with pytest.raises(ValueError, match=r"fewer than two classes .*--same SOUND=PICTURE"):
        meeting_classes("ab", "bc", {})


def _uneven() -> SoundPictures:
    """Label 0 has one group of one sound, label 1 has two of many."""
    sound_group = np.array([0, *[1] * 9, *[2] * 20])
    picture_group = np.array([0, 0, 1, 1, 2, -1, -1])
    return SoundPictures(
        ("dog", "rain"),
        np.array([0, 1, 1]),
        [np.zeros((128, 100), np.uint8)] * 30,
        sound_group,
        np.zeros((7, 4, 4, 3), np.uint8),
        picture_group,
        np.maximum(picture_group, 0),
    )


def test_draws_are_even_over_labels_seeded_and_of_one_group() -> None:
    pairs = _uneven()
    draw = Draw(pairs)
    drawn = [draw.batch(8, np.random.default_rng([0, step])) for step in range(80)]
    for sounds, pictures, groups in drawn:
        assert (pairs.group_label[groups] == 0).sum() == 4
        np.testing.assert_array_equal(pairs.sound_group[sounds], groups)
        np.testing.assert_array_equal(pairs.picture_group[pictures], groups)
    assert set(np.concatenate([s for s, _, _ in drawn]).tolist()) == set(range(30))
    assert set(np.concatenate([p for _, p, _ in drawn]).tolist()) == set(range(5))
    again = draw.batch(8, np.random.default_rng([0, 3]))
    assert all(np.array_equal(a, b) for a, b in zip(again, drawn[3], strict=True))
    assert not np.array_equal(drawn[3][0], drawn[4][0])


def test_groups_without_pictures_are_not_drawn() -> None:
    pairs = _uneven()
    pairs.picture_group[pairs.picture_group == 1] = -1
    groups = np.concatenate([Draw(pairs).batch(8, np.random.default_rng(s))[2] for s in range(9)])
    assert set(groups.tolist()) == {0, 2}
    pairs.picture_group[:] = -1
    with pytest.raises(ValueError, match="no sound meets a picture"):
        Draw(pairs)


def test_without_any_pictures_sounds_are_drawn_alone() -> None:
    none = np.zeros(0, np.int64)
    still = np.zeros((0, 4, 4, 3), np.uint8)
    pairs = replace(_uneven(), pictures=still, picture_group=none, picture_label=none)
    sounds, pictures, groups = Draw(pairs).batch(40, np.random.default_rng(0))
    assert set(pictures.tolist()) == {-1}
    np.testing.assert_array_equal(pairs.sound_group[sounds], groups)
    assert (pairs.group_label[groups] == 0).sum() == 20


def test_pictures_are_cropped_or_squashed_to_squares() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    assert fitted(wide, 10, "crop").min() == 255
    squashed = fitted(wide, 10, "squash")
    assert (squashed.max(), squashed[:, :3].max(), squashed.shape) == (255, 0, (10, 10, 3))
    assert fitted(wide.transpose(1, 0, 2), 10, "crop").min() == 255
    with pytest.raises(ValueError, match="crop, squash"):
        fitted(wide, 10, "stretch")


@pytest.mark.parametrize("seconds", [0.3, 2.5, 10.0, 12.0])
def test_an_unaltered_view_of_a_scene_is_the_front_ends(tmp_path: Path, seconds: float) -> None:
    rng = np.random.default_rng(0)
    noise = 0.2 * rng.standard_normal(round(seconds * 16_000))
    path = tmp_path / "a.wav"
    write_audio(path, noise.astype(np.float32), 16_000)
    pieces = SCENE.listen(path)
    assert len(pieces) == 1  # of 12 s, two are left out
    wave, _ = read_audio(path, rate_hz=16_000)
    expected = encode_whole(SOUND2SCENE, wave)[0]["spectrogram"]
    view = SCENE.view(pieces[0].levels)
    assert view.shape == expected.shape == (257, 1004)
    if seconds >= 10:  # else frames over the seams of the loop are left out
        assert np.abs(view - expected).max() < 0.02
    else:
        assert np.corrcoef(view.mean(1), expected.mean(1))[0, 1] > 0.97


@pytest.mark.parametrize("gain_db", [-12.0, 9.0])
def test_a_gain_on_levels_is_one_on_the_sound(tmp_path: Path, gain_db: float) -> None:
    fading = np.geomspace(0.03, 1e-5, 160_000) * np.random.default_rng(0).standard_normal(160_000)
    path = tmp_path / "a.wav"
    write_audio(path, fading.astype(np.float32), 16_000)
    (piece,) = SCENE.listen(path)
    wave, _ = read_audio(path, rate_hz=16_000)
    loud = encode_whole(SOUND2SCENE, 10 ** (gain_db / 20) * wave)[0]["spectrogram"]
    heard = SCENE.at_gain(piece.levels, gain_db)
    assert np.quantile(np.abs(heard - loud), 0.999) < 0.04
    assert np.abs(heard - SCENE.view(piece.levels)).max() > 0.1  # the floor swallows more or less


def test_an_unaltered_view_of_a_second_is_the_front_ends(tmp_path: Path) -> None:
    path = _tone(tmp_path / "a.wav", 2.6, rate=44_100)
    pieces = SEGMENT.listen(path)
    expected = encode_whole(S2I, read_audio(path, rate_hz=44_100)[0])[0]["segments"]
    assert [piece.start_s for piece in pieces] == [0, 1, 2]
    np.testing.assert_array_equal(SEGMENT.view(pieces[1].levels), to_model(expected[1]))


@pytest.mark.parametrize("hearing", [SCENE, SEGMENT])
def test_altered_views_follow_their_seed_and_leave_the_sound_alone(hearing, tmp_path: Path) -> None:
    levels = hearing.listen(_tone(tmp_path / "a.wav", 1.0))[0].levels
    other = hearing.listen(_tone(tmp_path / "b.wav", 3.0, 3000.0))[0].levels
    before = levels.copy()
    views = [hearing.view(levels, np.random.default_rng(seed), other) for seed in (0, 0, 1)]
    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])
    assert np.array_equal(levels, before)
    assert views[0].shape == hearing.view(levels).shape
    assert all(np.isfinite(view).all() for view in views)


def test_a_mixed_in_sound_is_heard_below_the_own(tmp_path: Path) -> None:
    low = SCENE.listen(_tone(tmp_path / "a.wav", 2.0, 500.0))[0].levels
    high = SCENE.listen(_tone(tmp_path / "b.wav", 2.0, 4000.0))[0].levels
    views = np.stack([SCENE.view(low, np.random.default_rng(s), high) for s in range(40)])
    alone = np.stack([SCENE.view(low, np.random.default_rng(s)) for s in range(40)])
    own, mixed = views[:, 16].mean(1), views[:, 128].mean(1)
    assert ((own > mixed) | (own == 0)).all()  # 0 where a mask lies
    heard = (mixed > alone[:, 128].mean(1) + 1).sum()
    assert 4 <= heard <= 24  # three in ten


def test_silence_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wave = np.zeros(44_100 * 3, np.float32)
    write_audio(path, wave, 44_100)
    for hearing in (SCENE, SEGMENT):
        with pytest.raises(ValueError, match="silent throughout"):
            hearing.listen(path)
    wave[50_000:60_000] = 0.3
    write_audio(path, wave, 44_100)
    assert [piece.start_s for piece in SEGMENT.listen(path)] == [1.0]
