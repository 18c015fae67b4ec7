"""What the trainer of Sound2Scene keeps of a sound: log power density, not looped, no z-score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.sound2scene import SOUND2SCENE

_KEPT_FLOOR = 1e-12  # power density under which a kept spectrogram holds nothing


def scene_levels(sound: NDArray[np.floating]) -> NDArray[np.float16]:
    """Return what :class:`.hearing.SceneHearing` keeps of a piece of sound.

    Parameters
    ----------
    sound : (samples,) float
        At most ten seconds at 16 kHz; under a second is repeated to one.

    Returns
    -------
    (257, 98 to 1004) float16
        Natural logarithm of power density.
    """
    clip = np.resize(sound, max(len(sound), SOUND2SCENE.rate_hz))
    front = replace(SOUND2SCENE, clip_s=len(clip) / SOUND2SCENE.rate_hz, power_floor=_KEPT_FLOOR)
    arrays, found = encode_whole(front, clip)
    log = arrays["spectrogram"] * (found["std"] + front.least_std) + found["mean"]
    return log.astype(np.float16)
