"""Drawings: real PNGs, the same bytes every time, marks where they belong."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from foleycli.drawing import draw_spectrogram
from foleycli.dsp.front_ends.pictures import Picture
from foleycli.dsp.spec import FOLEYGAN, LOG_MEL_MINI, SpectrogramSpec
from foleycli.dsp.spectrogram import encode


@pytest.mark.parametrize("spec", [LOG_MEL_MINI, FOLEYGAN], ids=lambda spec: spec.name)
def test_click_is_drawn_where_it_sounds(spec: SpectrogramSpec, tmp_path: Path) -> None:
    click = np.zeros(2 * spec.rate_hz, np.float32)
    click[spec.rate_hz : spec.rate_hz + 50] = 1
    levels = Picture.of(spec).levels({"picture": encode(click, spec)}, {})
    for name in ("a.png", "b.png"):
        draw_spectrogram(tmp_path / name, levels, duration_s=2.0, events={"hit": [1.0]})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    pixels = matplotlib.image.imread(tmp_path / "a.png")[..., :3]
    bright = (pixels.min(2) < 0.9) & (pixels.max(2) > 0.4)
    inside = bright[60:300, 80:690].mean(0)  # the axes, without title, labels and colour bar
    assert 0.4 < inside.argmax() / len(inside) < 0.6
