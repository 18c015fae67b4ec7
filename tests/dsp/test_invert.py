"""Inversion: what each method must bring back, at any length, and that blocks leave no seam."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from foleycli.dsp import invert as module
from foleycli.dsp.invert import METHODS, Analysis, invert
from foleycli.dsp.mel import slaney_filters
from foleycli.dsp.quality import snr_db, spectral_convergence_db
from foleycli.dsp.stft import Stft

GRIDS = {
    "exact edges": Stft(1024, 256, before=384, after=384),
    "centred": Stft(1024, 256, before=512, after=512),
    "short window, odd hop": Stft(512, 150, 400, "hamming", before=256, after=256),
    "no padding": Stft(512, 128),
    "zeros in front": Stft(512, 128, before=768, padding="zeros"),
}
GRID = GRIDS["exact edges"]
SEARCHES = [method for method in METHODS if method not in ("istft", "if")]
FILTERS = sparse.csr_array(slaney_filters(22_050, 1024, 80))


def _strikes(samples: int) -> NDArray[np.float32]:
    """Noise bursts with a decay, every 0.4 s at 22.05 kHz, over a hum that never stops."""
    rng = np.random.default_rng(3)
    time = np.arange(samples) / 22_050
    bursts = 0.3 * rng.standard_normal(samples) * np.exp(-12 * (time % 0.4))
    return (bursts + 0.05 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)


def _analysis(sound: NDArray[np.float32], grid: Stft = GRID) -> Analysis:
    spectrum = grid.forward(sound)
    return Analysis(grid, np.abs(spectrum), np.angle(spectrum))


def _convergence_db(
    analysis: Analysis, sound: NDArray[np.float32], frames: NDArray[np.bool_] | slice = slice(None)
) -> float:
    reached = np.abs(analysis.grid.forward(sound))
    if analysis.filters is not None:
        exponent = 2 if analysis.power else 1
        reached = (analysis.filters @ reached**exponent) ** (1 / exponent)
    return spectral_convergence_db(analysis.magnitude[:, frames], reached[:, frames])


@pytest.mark.parametrize("method", ["istft", "if"])
@pytest.mark.parametrize("grid", list(GRIDS.values())[:3], ids=list(GRIDS)[:3])
def test_its_own_phase_brings_the_sound_back(grid: Stft, method: str) -> None:
    sound = _strikes(40_000)
    back = invert(_analysis(sound, grid), samples=len(sound), method=method)
    covered = (grid.frames_for(40_000) - 1) * grid.hop_samples + grid.fft_samples - grid.before
    inside = slice(0, covered - grid.fft_samples // 8)
    assert back.dtype == np.float32
    assert snr_db(sound[inside], back[inside]) > 110


@pytest.mark.parametrize(
    ("method", "bound_db"), [("pghi", -11), ("griffin-lim", -18), ("pghi+griffin-lim", -20)]
)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_magnitudes_come_back_without_phase(grid: Stft, method: str, bound_db: float) -> None:
    sound = _strikes(60_000)
    analysis = replace(_analysis(sound, grid), phase=None)
    back = invert(analysis, samples=len(sound), method=method)
    assert back.shape == sound.shape
    assert _convergence_db(analysis, back) < bound_db


@pytest.mark.parametrize("power", [False, True])
@pytest.mark.parametrize(
    ("method", "bound_db"), [("pghi", -11), ("griffin-lim", -20), ("pghi+griffin-lim", -24)]
)
def test_bands_come_back(method: str, bound_db: float, power: bool) -> None:
    sound = _strikes(60_000)
    magnitude = np.abs(GRID.forward(sound))
    bands = np.sqrt(FILTERS @ magnitude**2) if power else FILTERS @ magnitude
    analysis = Analysis(GRID, bands, None, FILTERS, power=power)
    back = invert(analysis, samples=len(sound), method=method)
    assert _convergence_db(analysis, back) < bound_db


def test_magnitudes_that_move_within_their_bands_come_nearer_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = _strikes(60_000)
    analysis = Analysis(GRID, FILTERS @ np.abs(GRID.forward(sound)), None, FILTERS)
    moving = invert(analysis, samples=len(sound), method="pghi+griffin-lim")
    monkeypatch.setattr("foleycli.dsp.griffin_lim.REFIT_EVERY", 1000)
    fixed = invert(analysis, samples=len(sound), method="pghi+griffin-lim")
    assert _convergence_db(analysis, moving) < _convergence_db(analysis, fixed) - 0.5


def test_true_phase_with_magnitudes_undone_from_bands() -> None:
    sound = _strikes(60_000)
    spectrum = GRID.forward(sound)
    analysis = Analysis(GRID, FILTERS @ np.abs(spectrum), np.angle(spectrum), FILTERS)
    back = invert(analysis, samples=len(sound), method="if")
    assert snr_db(sound, back) > snr_db(sound, np.zeros_like(sound)) + 8


def _seams(analysis: Analysis) -> NDArray[np.bool_]:
    """Mark the frames in which one block takes over from the one before."""
    blocks = list(module._blocks(analysis))
    assert len(blocks) >= 5
    seams = np.zeros(analysis.magnitude.shape[1], np.bool_)
    for start, _ in blocks[1:]:
        seams[start - 4 : start + 28] = True
    return seams


@pytest.mark.parametrize("method", METHODS)
def test_blocks_leave_no_seam(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(600 * 256).astype(np.float32)
    analysis = _analysis(noise)
    whole = invert(analysis, samples=len(noise), method=method)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 150 * GRID.bins)
    pieces = invert(analysis, samples=len(noise), method=method)
    if method in ("istft", "if"):
        assert snr_db(whole, pieces) > 120
        return
    seams = _seams(analysis)
    whole_db, seams_db, rest_db = (
        _convergence_db(analysis, sound, frames)
        for sound, frames in ((whole, slice(None)), (pieces, seams), (pieces, ~seams))
    )
    assert max(seams_db, rest_db) < whole_db + 0.5
    assert seams_db < rest_db + 0.5


def test_blocks_of_unrelated_phase_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(600 * 256).astype(np.float32)
    analysis = _analysis(noise)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 150 * GRID.bins)
    monkeypatch.setattr(module, "_KNOWN", 0)
    apart = invert(analysis, samples=len(noise), method="pghi+griffin-lim")
    seams = _seams(analysis)
    assert _convergence_db(analysis, apart, seams) > _convergence_db(analysis, apart, ~seams) + 6


@given(
    samples=st.integers(1, 40_000),
    grid=st.sampled_from(list(GRIDS.values())),
    method=st.sampled_from(METHODS),
)
def test_any_length_is_exact_and_finite(samples: int, grid: Stft, method: str) -> None:
    """In one block or in several, which end where they may."""
    sound = _strikes(samples)
    analysis = _analysis(sound, grid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_CELLS", 1)  # blocks as short as they can be
        back = invert(analysis, samples=samples, method=method, iterations=2)
    assert back.shape == (samples,)
    assert np.isfinite(back).all()
    assert np.abs(back).max() < 10


@pytest.mark.parametrize("method", METHODS)
def test_length_asked_for_may_differ_from_the_frames(method: str) -> None:
    analysis = _analysis(_strikes(30 * 256))
    longer, usual, shorter = (
        invert(analysis, samples=samples, method=method, iterations=2)
        for samples in (40 * 256, 30 * 256, 10 * 256)
    )
    assert len(longer) == 40 * 256
    assert np.abs(longer[31 * 256 :]).max() == 0
    np.testing.assert_array_equal(shorter, usual[: 10 * 256])


@pytest.mark.parametrize("frames", [0, 1, 40])
@pytest.mark.parametrize("method", METHODS)
def test_silence_stays_silent(method: str, frames: int) -> None:
    silence = np.zeros((GRID.bins, frames))
    back = invert(Analysis(GRID, silence, silence), samples=5000, method=method)
    assert back.shape == (5000,)
    assert np.abs(back).max() == 0


@pytest.mark.parametrize("method", METHODS)
def test_one_frame_is_enough(method: str) -> None:
    sound = _strikes(256)
    back = invert(_analysis(sound), samples=256, method=method)
    assert 0.3 < np.linalg.norm(back) / np.linalg.norm(sound) < 3


def test_no_iterations_leave_the_first_phase() -> None:
    analysis = _analysis(_strikes(20_000))
    searched, found = (
        invert(analysis, samples=20_000, method=method, iterations=0)
        for method in ("pghi+griffin-lim", "pghi")
    )
    assert searched.tobytes() == found.tobytes()


@pytest.mark.parametrize("method", ["griffin-lim", "pghi+griffin-lim"])
def test_momentum_and_iterations_help(method: str) -> None:
    sound = _strikes(60_000)
    analysis = _analysis(sound)
    errors_db = [
        _convergence_db(analysis, invert(analysis, samples=60_000, method=method, **options))
        for options in ({"iterations": 0}, {"iterations": 8, "momentum": 0.0}, {"iterations": 32})
    ]
    assert errors_db[0] > errors_db[1] + 2 > errors_db[2] + 4


def test_same_seed_same_bytes_other_seed_other_phase() -> None:
    analysis = _analysis(_strikes(30_000))
    first, again, other = (
        invert(analysis, samples=30_000, method="griffin-lim", iterations=4, seed=seed)
        for seed in (7, 7, 8)
    )
    assert first.tobytes() == again.tobytes()
    assert snr_db(first, other) < 3


def test_what_cannot_be_inverted_is_refused() -> None:
    analysis = _analysis(_strikes(10_000))
    refused = {
        "choose one of: istft, if, griffin-lim": (analysis, {"method": "wavenet"}),
        "'if' needs a phase, and this front end keeps none": (
            replace(analysis, phase=None),
            {"method": "if"},
        ),
        "momentum is -1": (analysis, {"method": "griffin-lim", "momentum": -1.0}),
        "iterations is -1": (analysis, {"method": "griffin-lim", "iterations": -1}),
        "samples is -1": (analysis, {"method": "pghi", "samples": -1}),
        "need 80 rows of magnitude, got 513": (
            replace(analysis, filters=FILTERS),
            {"method": "pghi"},
        ),
        "need 513 x 39 phases": (
            replace(analysis, phase=np.zeros((512, 39))),
            {"method": "istft"},
        ),
    }
    for message, (what, how) in refused.items():
        with pytest.raises(ValueError, match=message):
            invert(what, **{"samples": 10_000, **how})
