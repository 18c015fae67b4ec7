"""Frame selection (Sound2Scene, section 3.3): which frames show best what is heard.

The paper scores every frame by a sound source localisation network, ``C[t] = q_V(t) . q_A(t)``, and
trains on the best. Here the system that a first round of training made scores them itself: the
cosine of a frame's feature and that of the ten seconds of sound it is in, the same pieces as pairs
are cut into.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE
from foleycli.imagination.systems import Latent, SceneSystem
from foleycli.media.audio import stream_audio
from foleycli.media.clock import picture_clock
from foleycli.media.cutting import Windows, finite
from foleycli.media.video import Frame, at_rate, read_frames

Progress = Callable[[int, int], None]


def rank_frames(
    path: str | os.PathLike[str],
    system: SceneSystem,
    fps: float,
    progress: Progress | None = None,
) -> list[tuple[float, float]]:
    """Score the frames of a clip.

    Parameters
    ----------
    system
        Sees and hears.
    fps
        Frames a second that are looked at.

    Returns
    -------
    list of (float, float)
        Seconds from the first frame, and cosine, the best first; of equals the earlier. Frames
        with which nothing is heard are left out.

    Raises
    ------
    ValueError
        When the clip lacks sound or picture, or is silent throughout.
    """
    rate_hz, window_s = SOUND2SCENE.rate_hz, SOUND2SCENE.clip_s
    total = round(float(picture_clock(path).duration) * fps) if progress else 0
    windows = iter(Windows(finite(stream_audio(path, rate_hz), rate_hz), rate_hz, window_s))
    window = next(windows, None)
    heard: Latent | None = None
    seen: Latent | None = None
    shown: Frame | None = None
    scored = []
    for number, time_s, frame in at_rate(read_frames(path), fps):
        while window and time_s >= window.start_s + window_s:
            window, heard = next(windows, None), None
        if not window:
            break
        if not window.wave.any():
            continue
        if heard is None:
            heard = system.hear(window.wave, None)[0]
        if seen is None or frame is not shown:  # at a low rate a frame is on screen for several
            seen, shown = system.see(frame.rgb()), frame
        scored.append((time_s, float(heard @ seen)))
        if progress:
            progress(number + 1, max(total, number + 1))
    if not scored:
        raise ValueError("silent throughout")
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))
