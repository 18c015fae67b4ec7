"""Windows of sound whatever the blocks, and the frame on screen at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.media.container import MediaError
from foleycli.media.cutting import Screen, Windows, finite, middle_s
from foleycli.media.video import at_rate, read_frames, write_video

RATE = 10


def _cut(samples: int, blocks: list[int], window_s: float = 1.0) -> tuple[list, Windows]:
    sound = np.arange(samples, dtype=np.float32)
    windows = Windows(np.split(sound, sorted(b % (samples + 1) for b in blocks)), RATE, window_s)
    return list(windows), windows


@given(samples=st.integers(1, 60), blocks=st.lists(st.integers(0, 60), max_size=5))
def test_windows_do_not_depend_on_blocks(samples: int, blocks: list[int]) -> None:
    found, windows = _cut(samples, blocks)
    whole, _ = _cut(samples, [])
    assert [w.start_s for w in found] == list(range(len(found)))
    for one, other in zip(found, whole, strict=True):
        assert np.array_equal(one.wave, other.wave)
    kept = np.concatenate([w.wave for w in found])
    assert np.array_equal(kept, np.arange(len(kept)))
    assert len(kept) / RATE + windows.left_out_s == pytest.approx(samples / RATE)


@pytest.mark.parametrize(
    ("samples", "lengths", "left_out_s"),
    [
        (3, [3], 0),
        (10, [10], 0),
        (14, [10], 0.4),
        (15, [10, 5], 0),
        (29, [10, 10, 9], 0),
        (34, [10] * 3, 0.4),
    ],
)
def test_a_rest_under_half_is_left_out_unless_it_is_all(
    samples: int, lengths: list[int], left_out_s: float
) -> None:
    found, windows = _cut(samples, [1, 7])
    assert [len(w.wave) for w in found] == lengths
    assert windows.left_out_s == pytest.approx(left_out_s)


def test_sound_must_be_there_and_be_numbers() -> None:
    blocks = [np.zeros(10, np.float32), np.array([0, np.nan], np.float32)]
    assert len(list(finite(blocks[:1], RATE))) == 1
    with pytest.raises(MediaError, match=r"near 1\.0 s holds NaN"):
        list(finite(blocks, RATE))
    with pytest.raises(MediaError, match="empty"):
        list(finite([], RATE))


def test_the_middle_is_of_what_is_seen() -> None:
    assert middle_s(2, 1, 9) == 2.5
    assert middle_s(2, 0.4, 9) == 2.2
    assert middle_s(2, 1, 2.5) == 2.25
    assert middle_s(2, 1, 2) is None


def test_the_screen_shows_what_at_rate_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, [np.full((16, 16, 3), 20 * k, np.uint8) for k in range(10)], 4)
    expected = [(time_s, frame.rgb()) for _, time_s, frame in at_rate(read_frames(path), 10)]
    screen = Screen(path)
    for time_s, pixels in expected:
        frame = screen.at(time_s)
        assert frame is not None
        assert np.array_equal(frame.rgb(), pixels)
    assert screen.at(2.6) is None
    assert screen.at(2.7) is None
    assert screen.damage == []


def test_a_screen_needs_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no film")
    with pytest.raises(MediaError):
        Screen(tmp_path / "a.mp4").at(0)
