"""Sounds of any form as mels and waveforms; windows; batches as functions of (seed, step)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN
from foleycli.media.audio import write_audio
from foleycli.training.data import Example
from foleycli.training.mel_data import (
    Sight,
    cut,
    drawn,
    list_held_out,
    list_sounds,
    load_mels,
    read_mel,
    read_wave,
    row_statistics,
    window_batch,
)

RATE = SPECVQGAN.rate_hz


def _sound(path: Path, seconds: float, rate: int = RATE, channels: int = 1) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    wave = rng.uniform(-0.3, 0.3, (channels, round(seconds * rate)))
    wave = (np.rint(wave * 2**15) / 2**15).astype(np.float32)
    write_audio(path, wave[0] if channels == 1 else wave, rate)
    return wave[0]


def test_the_papers_window_is_the_middle_of_the_first_ten_seconds(tmp_path: Path) -> None:
    wave = _sound(tmp_path / "a.wav", 12)
    sight = Sight()
    mel = read_mel(tmp_path / "a.wav", sight)
    assert mel.shape == (80, 860)
    published = encode_whole(SPECVQGAN, wave)[0]["mel"]
    window = cut(mel, sight, place=0.9)
    assert window.shape == (80, 848)
    np.testing.assert_allclose(2 * window - 1, SPECVQGAN.model_input(published), atol=1e-3)


def test_all_of_a_sound_is_kept_whatever_its_form(tmp_path: Path) -> None:
    _sound(tmp_path / "a.wav", 3, rate=44_100, channels=2)
    mel = read_mel(tmp_path / "a.wav", Sight(64, whole=True))
    assert mel.shape == (80, 1 + 3 * RATE // 256)
    assert mel.dtype == np.float16
    assert 0 <= mel.min() < mel.max() <= 1


@pytest.mark.parametrize("whole", [True, False])
def test_short_sounds_are_repeated_or_followed_by_silence(tmp_path: Path, whole: bool) -> None:
    _sound(tmp_path / "a.wav", 0.5)
    looped, still = (
        read_mel(tmp_path / "a.wav", Sight(200, whole, short)) for short in ("loop", "silence")
    )
    assert looped.shape[1] >= 200
    assert still.shape[1] >= 200
    sounding = 43  # frames of half a second
    np.testing.assert_allclose(looped[:, 2 : sounding - 4], still[:, 2 : sounding - 4], atol=1e-3)
    assert still[:, sounding + 3 :].max() == 0
    assert np.median(looped[:, 150:]) > 0.3
    assert len(read_wave(tmp_path / "a.wav", 30_000, "loop")) == 30_000
    assert not read_wave(tmp_path / "a.wav", 30_000, "silence")[RATE // 2 :].any()


def test_a_16_bit_sound_is_kept_to_the_bit(tmp_path: Path) -> None:
    wave = _sound(tmp_path / "a.wav", 0.5)
    assert np.array_equal(read_wave(tmp_path / "a.wav", 100, "loop"), np.rint(wave * 2**15))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match=r"a\.wav: "):
        load_mels([Example(tmp_path / "a.wav", "")], Sight())
    with pytest.raises(ValueError, match="choose loop or silence"):
        Sight(short="noise")


def test_every_sound_comes_once_an_epoch() -> None:
    numbers = np.concatenate([drawn(3, step, 4, 10) for step in range(5)])
    assert sorted(numbers[:10]) == sorted(numbers[10:]) == list(range(10))
    assert list(numbers[:10]) != list(numbers[10:])
    assert np.array_equal(np.concatenate([drawn(3, step, 10, 10) for step in range(2)]), numbers)
    assert sorted(drawn(3, 0, 25, 10)) == sorted([*range(10), *range(10), *drawn(3, 4, 5, 10)])


def test_rows_of_a_batch_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    mels = [rng.random((80, 90 + n)).astype(np.float16) for n in range(5)]
    sight = Sight(32, whole=True)
    whole = window_batch(mels, sight, 1, 7, 6, slice(None))
    assert whole.shape == (6, 80, 32)
    assert np.array_equal(window_batch(mels, sight, 1, 7, 6, slice(2, 4)), whole[2:4])
    assert not np.array_equal(window_batch(mels, sight, 1, 8, 6, slice(None)), whole)


def test_windows_lie_anywhere_in_a_sound_and_nowhere_else() -> None:
    mel = np.arange(10, dtype=np.float16)[None]
    sight = Sight(4, whole=True)
    firsts = {int(cut(mel, sight, place)[0, 0]) for place in np.linspace(0, 1, 50)[:-1]}
    assert firsts == set(range(7))
    assert cut(mel, sight)[0, 0] == 3


def test_row_statistics_are_means_over_sounds() -> None:
    loud, quiet = np.ones((2, 30), np.float16), np.zeros((2, 10), np.float16)
    quiet[1, ::2] = 1
    means, deviations = row_statistics([loud, quiet])
    np.testing.assert_allclose(means, [0.5, 0.75])
    np.testing.assert_allclose(deviations, [0, 0.25])


def test_sounds_need_no_class_unless_some_are_named(tmp_path: Path) -> None:
    for name in ("a.wav", "rain/b.wav", "valid/c.wav", "valid/rain/d.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "plain.txt").write_text("a.wav\nrain/b.wav\n")
    (tmp_path / "rows.csv").write_text(
        "path,class,split,tier\na.wav,,,free\nrain/b.wav,rain,,nc\nvalid/c.wav,,valid,free\n"
    )

    def names(found: list[Example]) -> list[str]:
        return [example.path.name for example in found]

    listed, flat = tmp_path / "rows.csv", tmp_path / "valid"
    assert names(list_sounds(flat)) == ["c.wav", "d.wav"]
    assert names(list_sounds(flat, classes=["rain"])) == ["d.wav"]
    assert names(list_sounds(tmp_path / "plain.txt")) == ["a.wav", "b.wav"]
    assert names(list_sounds(listed)) == ["a.wav", "b.wav"]
    assert names(list_sounds(listed, where={"tier": "free"})) == ["a.wav"]
    assert names(list_held_out(listed, "valid")) == ["c.wav"]
    assert names(list_held_out(tmp_path, "valid")) == ["c.wav", "d.wav"]
    assert names(list_sounds(tmp_path)) == ["a.wav", "b.wav"]
    assert list_held_out(tmp_path / "plain.txt", "valid") == []
    with pytest.raises(ValueError, match="no clips left"):
        list_sounds(tmp_path / "rain", classes=["dog"])
