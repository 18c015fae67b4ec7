"""Frames ranked by what the system sees in them and hears with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foleycli.imagination.ranking import rank_frames
from foleycli.imagination.systems import SceneSystem
from foleycli.media.audio import read_audio
from foleycli.media.mux import mux
from foleycli.media.video import read_frames, write_video

SECONDS = 17


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames a second, all different; noise that differs from window to window."""
    folder = tmp_path_factory.mktemp("clip")
    rng = np.random.default_rng(0)
    pictures = [
        np.kron(rng.integers(0, 256, (3, 4, 3)), np.ones((12, 12, 1))).astype(np.uint8)
        for _ in range(2 * SECONDS)
    ]
    write_video(folder / "silent.mp4", pictures, 2)
    sound = rng.uniform(-0.5, 0.5, SECONDS * 16_000)
    sound[160_000:] = np.convolve(sound[160_000:], np.ones(16) / 16, "same")
    mux(folder / "silent.mp4", sound.astype(np.float32), 16_000, folder / "a.mkv", codec="flac")
    return folder / "a.mkv"


def test_scores_are_cosines_with_the_ten_seconds_around(clip: Path, scene: SceneSystem) -> None:
    found = rank_frames(clip, scene, 2.0)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert sorted(time_s for time_s, _ in found) == [k / 2 for k in range(2 * SECONDS)]
    wave, _ = read_audio(clip, rate_hz=16_000)
    heard = [scene.hear(part, None)[0] for part in (wave[:160_000], wave[160_000:])]
    expected = {
        f.time_s: float(heard[f.time_s >= 10] @ scene.see(f.rgb())) for f in read_frames(clip)
    }
    for time_s, score in found:
        assert score == pytest.approx(expected[time_s], abs=1e-6)


def test_frames_are_seen_once_however_often_they_are_looked_at(
    clip: Path, scene: SceneSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    see = scene.see
    monkeypatch.setattr(scene, "see", lambda picture: (seen.append(1), see(picture))[1])
    done: list[tuple[int, int]] = []
    found = rank_frames(clip, scene, 10.0, lambda *step: done.append(step))
    assert len(found) == 10 * SECONDS
    assert len(seen) == 2 * SECONDS
    assert done[-1] == (10 * SECONDS, 10 * SECONDS)
    held = [time_s for time_s, _ in found[:5]]
    assert held == sorted(held)  # of equals the earlier


def test_frames_with_which_nothing_is_heard_are_left_out(
    clip: Path, scene: SceneSystem, tmp_path: Path
) -> None:
    sound = np.zeros(SECONDS * 16_000, np.float32)
    path = tmp_path / "b.mkv"
    mux(clip, sound, 16_000, path, codec="flac")
    with pytest.raises(ValueError, match="silent throughout"):
        rank_frames(path, scene, 2.0)
    sound[11 * 16_000 :] = 0.1 * np.sin(np.arange(6 * 16_000))
    mux(clip, sound, 16_000, path, codec="flac")
    assert min(time_s for time_s, _ in rank_frames(path, scene, 2.0)) == 10


def test_clips_need_sound_and_picture(shared: Path, scene: SceneSystem) -> None:
    for name, reason in (("no_audio", "no audio stream"), ("audio_only", "no video stream")):
        with pytest.raises(ValueError, match=reason):
            rank_frames(shared / f"data/odd/{name}.mp4", scene, 10.0)
