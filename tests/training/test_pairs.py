"""Pairs cut from clips: what is in them, how they are kept, and that training sees the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.s2i import S2I
from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.files.growing import GrowingArrays
from foleycli.media.audio import read_audio
from foleycli.media.mux import mux
from foleycli.media.video import at_rate, read_frames, write_video
from foleycli.training.data import Example
from foleycli.training.hearing import SCENE
from foleycli.training.pair_cutting import KINDS, Cut, cut_pairs
from foleycli.training.pair_files import KIND, list_pairs, load_pairs, save_pairs
from foleycli.training.sound_pictures import fitted, load_clips

SECONDS = 13.7


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise that swells, with a silent fourth second, over frames that are all different."""
    folder = tmp_path_factory.mktemp("clips") / "rain"
    folder.mkdir()
    frames = round(SECONDS * 10)
    rows = np.arange(32)[:, None, None] + np.zeros((1, 48, 3))
    pictures = [(rows + 1.2 * k).astype(np.uint8) for k in range(frames)]
    write_video(folder / "silent.mp4", pictures, 10)
    rng = np.random.default_rng(0)
    sound = rng.uniform(-1, 1, round(SECONDS * 44_100)) * np.linspace(0.02, 0.6, frames * 4410)
    sound[3 * 44_100 : 4 * 44_100] = 0  # windows at its ends hear the seconds beside it
    mux(folder / "silent.mp4", sound.astype(np.float32), 44_100, folder / "a.mkv", codec="flac")
    return folder / "a.mkv"


def _cut(clip: Path, system: str, path: Path, **options: object) -> Cut:
    kind = KINDS[system]
    fit = str(options.pop("fit", kind.fit))
    path.parent.mkdir(parents=True, exist_ok=True)
    with GrowingArrays(0) as arrays:
        found = cut_pairs(clip, kind, fit, arrays, **options)  # type: ignore[arg-type]
        save_pairs(path, arrays, kind, fit, "rain", {})
    return found


def _frames(clip: Path, times_s: list[float]) -> list[np.ndarray]:
    by_number = {k: f.rgb() for k, _, f in at_rate(read_frames(clip), 20)}
    return [by_number[round(20 * time_s)] for time_s in times_s]


def test_seconds_are_cuts_of_one_spectrogram_with_their_centre_frames(
    clip: Path, tmp_path: Path
) -> None:
    found = _cut(clip, "s2i", tmp_path / "a.pairs.npz")
    arrays, meta = load_arrays(tmp_path / "a.pairs.npz", KIND)
    whole, measured = encode_whole(S2I, read_audio(clip, rate_hz=44_100)[0])
    seconds = [0, 1, 2, *range(4, 14)]  # the silent one says nothing
    np.testing.assert_array_equal(arrays["sounds"], whole["segments"][seconds])
    assert found.measured == measured
    times_s = [*(second + 0.5 for second in seconds[:-1]), 13.35]
    np.testing.assert_allclose(arrays["picture_time_s"], times_s)
    expected = [fitted(frame, 96, "crop") for frame in _frames(clip, times_s)]
    np.testing.assert_array_equal(arrays["pictures"], expected)
    assert arrays["picture_sound"].tolist() == list(range(13))
    assert (found.silent, found.unseen, found.left_out_s) == (1, 0, 0)
    assert found.filled_s == pytest.approx(0.3, abs=1e-3)
    assert (meta["class"], meta["fit"], meta["sounds"]) == ("rain", "crop", 13)


def test_ten_seconds_are_waves_with_the_middle_frame_squashed(clip: Path, tmp_path: Path) -> None:
    found = _cut(clip, "sound2scene", tmp_path / "a.pairs.npz")
    arrays, _ = load_arrays(tmp_path / "a.pairs.npz", KIND)
    wave, _ = read_audio(clip, rate_hz=16_000)
    assert arrays["sounds"].shape == (1, 160_000)
    np.testing.assert_allclose(arrays["sounds"][0] / 2**15, wave[:160_000], atol=2**-16)
    expected = fitted(_frames(clip, [5.0])[0], 224, "squash")
    np.testing.assert_array_equal(arrays["pictures"][0], expected)
    assert (found.sounds, found.left_out_s) == (1, pytest.approx(3.7, abs=1e-3))


def test_a_short_clip_is_repeated_to_ten_seconds(shared: Path, tmp_path: Path) -> None:
    short = shared / "data/odd/streamio_ios9.mov"  # half a second
    found = _cut(short, "sound2scene", tmp_path / "a.pairs.npz")
    arrays, _ = load_arrays(tmp_path / "a.pairs.npz")
    own = round(float(arrays["sound_length_s"][0]) * 16_000)
    assert found.filled_s == pytest.approx(10 - own / 16_000)
    assert np.array_equal(arrays["sounds"][0], np.resize(arrays["sounds"][0][:own], 160_000))
    pairs, _ = load_pairs([Example(tmp_path / "a.pairs.npz", "x")], "sound2scene", 32, "squash")
    assert pairs.sounds[0].shape == SCENE.listen(short)[0].levels.shape  # kept without the loop


@pytest.mark.parametrize(("system", "fit"), [("s2i", "crop"), ("sound2scene", "squash")])
def test_training_on_pairs_is_training_on_their_clips(
    clip: Path, tmp_path: Path, system: str, fit: str
) -> None:
    kind = KINDS[system]
    _cut(clip, system, tmp_path / "rain" / "a.pairs.npz")
    files = list_pairs(tmp_path)
    assert files == [Example(tmp_path / "rain" / "a.pairs.npz", "rain")]
    pairs, notes = load_pairs(files, system, kind.pixels, fit)
    expected, _ = load_clips([Example(clip, "rain")], kind.hearing, kind.pixels, fit)
    assert notes == []
    assert (pairs.labels, len(pairs.sounds)) == (expected.labels, len(expected.sounds))
    for name in ("group_label", "sound_group", "pictures", "picture_group", "picture_label"):
        np.testing.assert_array_equal(getattr(pairs, name), getattr(expected, name))
    for own, other in zip(pairs.sounds, expected.sounds, strict=True):
        views = [kind.hearing.view(levels) for levels in (own, other)]
        assert np.abs(views[0] - views[1]).max() < 0.02  # 16 bits of sound, and of its logarithm


def test_ranked_frames_share_their_sound(clip: Path, tmp_path: Path) -> None:
    moments = [7.0, 2.5, 11.0]
    found = _cut(clip, "sound2scene", tmp_path / "a.pairs.npz", moments=moments)
    arrays, _ = load_arrays(tmp_path / "a.pairs.npz")
    assert arrays["picture_time_s"].tolist() == [2.5, 7.0]  # nothing is heard at 11 s
    assert arrays["picture_sound"].tolist() == [0, 0]
    assert (found.sounds, found.pictures) == (1, 2)
    pairs, _ = load_pairs([Example(tmp_path / "a.pairs.npz", "rain")], "sound2scene", 32, "squash")
    assert (pairs.sound_group.tolist(), pairs.picture_group.tolist()) == ([0], [0, 0])
    with pytest.raises(ValueError, match=r"no sound around its best frame, at 11\.0 s"):
        _cut(clip, "sound2scene", tmp_path / "b.pairs.npz", moments=[11.0])
    seconds = _cut(clip, "s2i", tmp_path / "c.pairs.npz", moments=[12.2, 12.7, 1.0])
    arrays, _ = load_arrays(tmp_path / "c.pairs.npz")
    assert arrays["sound_start_s"].tolist() == [1, 12]
    assert arrays["picture_sound"].tolist() == [0, 1, 1]
    assert seconds.sounds == 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_audio.mp4", "no audio stream"),
        ("audio_only.mp4", "no video stream"),
        ("silent_audio.mp4", "silent throughout"),
        ("zero_bytes.mp4", "empty file"),
    ],
)
def test_clips_that_make_no_pair_say_why(
    shared: Path, tmp_path: Path, name: str, reason: str
) -> None:
    for system in KINDS:
        with pytest.raises(ValueError, match=reason):
            _cut(shared / "data/odd" / name, system, tmp_path / "a.pairs.npz")
    assert not list(tmp_path.iterdir())


def test_pieces_after_the_picture_are_counted(shared: Path, tmp_path: Path) -> None:
    found = _cut(shared / "data/odd/audio_longer.mp4", "s2i", tmp_path / "a.pairs.npz")
    assert (found.sounds, found.unseen) == (3, 5)


def test_classes_come_from_the_clip_the_folder_or_the_data_set(clip: Path, tmp_path: Path) -> None:
    data = tmp_path / "mixed"
    _cut(clip, "s2i", data / "train" / "dog" / "a.pairs.npz")
    arrays, meta = load_arrays(data / "train" / "dog" / "a.pairs.npz")
    for place in ("train/dog/b", "train/c", "valid/dog/d"):
        path = data / f"{place}.pairs.npz"
        path.parent.mkdir(exist_ok=True, parents=True)
        save_arrays(path, arrays, kind=KIND, meta={**meta, "class": ""})
    found = {file.path.name[0]: file.label for file in list_pairs(data)}
    assert found == {"a": "rain", "b": "dog", "c": "mixed"}
    assert [file.label for file in list_pairs(data, "valid")] == ["dog"]
    pairs, _ = load_pairs(list_pairs(data), "s2i", 16, "crop")
    assert pairs.labels == ("dog", "mixed", "rain")
    every = list(range(39))  # each sound for itself, with its own picture
    assert pairs.sound_group.tolist() == pairs.picture_group.tolist() == every
    assert np.bincount(pairs.group_label).tolist() == [13, 13, 13]
    assert list_pairs(data / "train" / "dog", "valid") == []


def test_files_that_are_not_as_they_should_be_are_refused(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.pairs.npz"
    _cut(clip, "s2i", path, fit="squash")
    file = [Example(path, "rain")]
    _, notes = load_pairs(file, "s2i", 16, "crop")
    assert "made squares by 'squash'" in notes[0]
    with pytest.raises(ValueError, match=r"a\.pairs\.npz: was cut for s2i; cut .* sound2scene"):
        load_pairs(file, "sound2scene", 16, "squash")
    arrays, meta = load_arrays(path)
    wrong_arrays = {
        "sounds are not": {"sounds": arrays["sounds"][:3]},
        "pictures are not": {"pictures": arrays["pictures"].astype(np.float32)},
        "sounds that are not there": {"picture_sound": arrays["picture_sound"] + 1},
    }
    for reason, changed in wrong_arrays.items():
        save_arrays(path, {**arrays, **changed}, kind=KIND, meta=meta)
        with pytest.raises(ValueError, match=reason):
            load_pairs(file, "s2i", 16, "crop")
    wrong_meta = {
        "holds no pairs": {"system": "s3i"},
        "foley extract --pairs makes them": {"sounds": "13"},
        "front end had other constants": {"front_end": {**meta["front_end"], "floor_db": -50}},
    }
    for reason, changed in wrong_meta.items():
        save_arrays(path, arrays, kind=KIND, meta={**meta, **changed})
        with pytest.raises(ValueError, match=reason):
            load_pairs(file, "s2i", 16, "crop")
    save_arrays(path, arrays, kind="features", meta=meta)
    with pytest.raises(ValueError, match="holds 'features'"):
        load_pairs(file, "s2i", 16, "crop")


def test_stored_waves_are_heard_as_the_trainer_hears_clips(clip: Path) -> None:
    from foleycli.training.scene_levels import scene_levels

    wave, _ = read_audio(clip, rate_hz=16_000)
    piece = SCENE.listen(clip)[0]
    np.testing.assert_array_equal(scene_levels(wave[:160_000]), piece.levels)
