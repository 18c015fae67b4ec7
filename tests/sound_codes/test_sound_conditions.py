"""Which features a sampler sees: the published rows, of short clips and of long ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foleycli.files.arrays import save_arrays
from foleycli.sound_codes.conditions import FeatureTrack, load_features, picked_rows

WINDOW_S = 53 * 4096 / 22_050


def _track(count: int, fps: float = 21.5) -> FeatureTrack:
    rows = np.arange(count, dtype=np.float32)
    return FeatureTrack(np.stack([rows, -rows], axis=1), fps)


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (1, [106]),
        (5, [35, 77, 119, 162, 204]),
        (53, list(range(3, 212, 4))),
        (106, list(range(1, 212, 2))),
        (212, list(range(212))),
    ],
)
def test_the_published_rows_are_picked(count: int, rows: list[int]) -> None:
    assert picked_rows(212, count).tolist() == rows
    seen = _track(215).window(0.0, WINDOW_S, count)
    assert seen.shape == (1, 2, count)
    assert seen[0, 0].tolist() == rows
    assert seen[0, 1].tolist() == [-row for row in rows]


def test_a_short_clip_is_repeated() -> None:
    seen = _track(50).window(0.0, WINDOW_S, 212)[0, 0]
    assert seen.tolist() == [row % 50 for row in range(212)]


def test_features_go_along_with_the_window_up_to_the_end() -> None:
    track = _track(430)
    assert track.window(5.0, WINDOW_S, 1).flatten()[0] == 106 + 107
    assert track.window(15.0, WINDOW_S, 212)[0, 0].tolist() == list(range(218, 430))
    published = _track(215)  # of however long a clip
    assert published.window(30.0, WINDOW_S, 212)[0, 0].tolist() == list(range(3, 215))


@pytest.mark.parametrize("fps", [1.0, 10.0, 30.0])
def test_other_rates_cover_the_same_time(fps: float) -> None:
    seen = _track(1000, fps).window(0.0, WINDOW_S, 5)[0, 0].numpy() / fps
    published = np.array([35, 77, 119, 162, 204]) / 21.5
    assert np.abs(seen - published).max() <= 1.5 / fps


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.features.npz"
    rows = np.ones((4, 3), np.float32)
    for arrays, meta, said in (
        ({"frames": rows}, {"fps": 21.5}, "holds no features"),
        ({"features": rows[0]}, {"fps": 21.5}, "holds no features"),
        ({"features": rows * np.inf}, {"fps": 21.5}, "NaN or infinity"),
        ({"features": rows}, {}, "how many features a second"),
    ):
        save_arrays(path, arrays, kind="features", meta=meta)
        with pytest.raises(ValueError, match=said):
            load_features(path)
    save_arrays(path, {"features": rows}, kind="features", meta={"fps": 25, "backbone": "x"})
    track = load_features(path)
    assert (track.fps, track.backbone, track.values.shape) == (25.0, "x", (4, 3))
