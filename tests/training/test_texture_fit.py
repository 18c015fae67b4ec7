"""Class-shaped noise: background and response are measured from recordings."""

from __future__ import annotations

import numpy as np

from foleycli.dsp.spec import LOG_MEL_TINY
from foleycli.training.texture import fit_texture
from foleycli.training.tiles import Recording


def test_decay_and_background_are_recovered() -> None:
    rate = LOG_MEL_TINY.rate_hz
    rng = np.random.default_rng(0)
    time = np.arange(5 * rate) / rate
    onsets = np.array([0.5, 2.0, 3.5])
    envelope = sum(np.exp(-10 * (time - t)) * (time >= t) for t in onsets)
    sound = (rng.standard_normal(len(time)) * (0.2 * envelope + 0.001)).astype(np.float32)
    texture = fit_texture([Recording(sound, 0, (onsets, np.ones(3)))], 1, LOG_MEL_TINY)
    response = texture.response[0].mean(0).numpy()
    hop_s = LOG_MEL_TINY.hop_samples / rate
    decay = np.log(response[2] / response[8]) / (6 * hop_s)
    assert 7 < decay < 13  # e^-10t was put in
    assert 20 * np.log10(response[1] / float(texture.background[0].mean())) > 30
    assert (texture.ceiling[0] > texture.background[0]).all()
    assert texture.ceiling[0].max() < 0.5
