"""The demonstration behind ``make demo``: a rendered silent clip, its sound, how well they fit.

A ball bounces and a hammer falls at known times. The clip is rendered by code (no footage is
needed), ``foley generate`` watches it as it would any other, and the onsets of what it made are
compared with the truth.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from foleycli.drawing import draw_spectrogram
from foleycli.dsp.front_ends.pictures import Picture
from foleycli.dsp.onsets import detect_onsets
from foleycli.dsp.spec import LOG_MEL_MINI
from foleycli.dsp.spectrogram import encode
from foleycli.files.events import Event, read_events, write_events
from foleycli.media.audio import read_audio
from foleycli.media.video import probe, write_video
from foleycli.training.scenes import Hammer, Scene

HITS_S = (0.70, 1.45, 2.30, 2.85, 3.70, 4.55, 5.20)
TOLERANCE_S = 0.1


def falling_hammer(hits_s: tuple[float, ...] = HITS_S, duration_s: float = 6.0) -> Scene:
    """Return a scene in which a hammer strikes a block at the given times."""
    hammer = Hammer(
        hits_s=np.array(hits_s),
        pivot=(0.35, 0.78),
        length=0.55,
        raised_rad=1.0,
        fall_s=0.18,
        facing=1,
        radius=0.09,
        colour=(0.25, 0.25, 0.3),
    )
    return Scene(
        duration_s=duration_s,
        fps=30.0,
        actors=(hammer,),
        times_s=np.array(hits_s),
        strengths=np.ones(len(hits_s)),
        floor_y=0.86,
        grain=0.01,
    )


def main(folder: Path) -> None:
    """Render, generate, measure and draw."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = falling_hammer()
    clip = folder / "clip.mp4"
    write_video(clip, (picture for _, picture in scene.frames(480, 360)), scene.fps)
    write_events(folder / "true.csv", [Event(t, 1.0, "hit") for t in HITS_S])

    foley = shutil.which("foley", path=str(Path(sys.executable).parent)) or "foley"
    outputs = [folder / "out.wav", folder / "out.mp4"]
    for output in outputs:
        command = [foley, "generate", clip, "-o", output, "--class", "chopping"]
        command += ["--save-actions", folder / "seen.csv"]
        print("$", " ".join(map(str, command)).replace(foley, "foley"), flush=True)
        subprocess.run(command, check=True)

    waveform, rate_hz = read_audio(outputs[0], rate_hz=LOG_MEL_MINI.rate_hz)
    heard = detect_onsets(waveform, rate_hz)[0]
    seen = [event.time_s for event in read_events(folder / "seen.csv")]
    front = Picture.of(LOG_MEL_MINI)
    draw_spectrogram(
        folder / "out.png",
        front.levels({"picture": encode(waveform, LOG_MEL_MINI)}, {}),
        title="foley generate clip.mp4 --class chopping",
        events={"detected in the picture": seen, "true": HITS_S},
        duration_s=len(waveform) / rate_hz,
    )
    print(f"\npicture {probe(clip).duration_s:.3f} s, sound {len(waveform) / rate_hz:.3f} s")
    print("\n  true   seen in the picture   heard in out.wav")
    for time in HITS_S:
        print(f"{time:6.2f}   {nearest(time, seen):>19}   {nearest(time, heard):>16}")
    for name, times in (("seen", seen), ("heard", heard)):
        offsets = [offset for t in HITS_S if abs(offset := closest(t, times) - t) <= TOLERANCE_S]
        extra = len(times) - len(offsets)
        middle = (
            f"median offset {1000 * np.median(np.abs(offsets)):.0f} ms" if offsets else "none near"
        )
        print(f"{name}: {len(offsets)} of {len(HITS_S)} in 100 ms, {middle}; {max(extra, 0)} extra")
    print(f"\nwrote {', '.join(map(str, [*outputs, folder / 'out.png']))}")


def closest(time: float, candidates: list[float] | np.ndarray) -> float:
    """Return the candidate nearest to ``time``; infinity when there is none."""
    return min(candidates, key=lambda c: abs(c - time), default=float("inf"))


def nearest(time: float, candidates: list[float] | np.ndarray) -> str:
    """Return the offset of the nearest candidate as text."""
    offset = closest(time, candidates) - time
    return f"{1000 * offset:+.0f} ms" if abs(offset) < 0.5 else "missed"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
