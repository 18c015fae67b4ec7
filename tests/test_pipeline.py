"""The README's Makefile, as printed there, on two tiny clips: every command, chained."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from foleycli.media.audio import read_audio
from foleycli.media.mux import mux
from foleycli.media.video import probe, write_video

ROOT = Path(__file__).resolve().parents[1]


def _makefile() -> str:
    section = (ROOT / "README.md").read_text().split("## The chain as a Makefile\n")[1]
    block = re.match(r"\n((?:    .*\n|\n)+)", section)
    assert block
    return re.sub(r"^    ", "", block[1], flags=re.MULTILINE)


def _clip(path: Path, hit_s: float) -> None:
    """A second of a bar that drops at ``hit_s``, with a click there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.full((30, 48, 64, 3), 60, np.uint8)
    for number, frame in enumerate(frames):
        top = 8 if number / 30 < hit_s else 30
        frame[top : top + 8, 16:48] = 230
    silent = path.with_suffix(".silent.mp4")
    write_video(silent, frames, 30)
    sound = np.zeros(22_050, np.float32)
    click = int(hit_s * 22_050)
    sound[click : click + 400] = 0.5 * np.hanning(400)
    mux(silent, sound, 22_050, path)
    silent.unlink()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_readme_makefile_runs_the_whole_chain(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(_makefile())
    for name, hit_s in (("a", 0.3), ("b", 0.6)):
        _clip(tmp_path / f"clips/{name}.mp4", hit_s)
        _clip(tmp_path / f"footage/chop/{name}.mp4", hit_s)
        _clip(tmp_path / f"footage/rain/{name}.mp4", hit_s)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["make", "PRESET=smoke"]
    given = {"cwd": tmp_path, "env": os.environ | {"PATH": path}, "text": True}
    made = subprocess.run(command, capture_output=True, **given)  # type: ignore[call-overload]
    assert made.returncode == 0, made.stderr
    for name in "ab":
        original = probe(tmp_path / f"clips/{name}.mp4")
        dubbed = tmp_path / f"dubbed/{name}.mp4"
        assert probe(dubbed).duration_s == pytest.approx(original.duration_s)
        for sound in (dubbed, tmp_path / f"dubbed/{name}.again.wav"):
            waveform, rate_hz = read_audio(sound)
            assert len(waveform) == round(original.duration_s * rate_hz)
        assert (tmp_path / f"dubbed/{name}.png").is_file()
        assert (tmp_path / f"dubbed/{name}.csv").is_file()
        assert (tmp_path / f"features/{name}.features.npz").is_file()
    again = subprocess.run(command, capture_output=True, **given)  # type: ignore[call-overload]
    assert "Nothing to be done for 'all'" in again.stdout
