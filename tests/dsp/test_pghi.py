"""Phase from magnitudes: against the published order of summation, and on signals whose phase
is known."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from numpy.typing import NDArray

from foleycli.dsp.pghi import FLOOR, gaussian_gamma, integrate_phase
from foleycli.dsp.quality import spectral_convergence_db
from foleycli.dsp.stft import Stft

GRID = Stft(256, 64, before=96, after=96)
SAMPLES = 120 * GRID.hop_samples


def _sound() -> NDArray[np.float32]:
    """A rising tone, knocks and a little noise: ridges both along time and along frequency."""
    rng = np.random.default_rng(5)
    time = np.arange(SAMPLES) / 8000
    tone = 0.3 * np.sin(2 * np.pi * (500 * time + 700 * time**2))
    knocks = rng.standard_normal(SAMPLES) * np.exp(-60 * (time % 0.25))
    return (tone + 0.3 * knocks + 0.003 * rng.standard_normal(SAMPLES)).astype(np.float32)


def _wrapped(angle: NDArray[np.floating]) -> NDArray[np.floating]:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _convergence_db(magnitude: NDArray[np.floating], phase: NDArray[np.floating]) -> float:
    sound = GRID.inverse(magnitude * np.exp(1j * phase), SAMPLES)
    return spectral_convergence_db(magnitude, np.abs(GRID.forward(sound)))


def heap_integration(magnitude: NDArray[np.floating], grid: Stft) -> NDArray[np.float64]:
    """Integrate as published: go on from the loudest cell reached so far, cell by cell."""
    bins, frames = magnitude.shape
    hop, fft, gamma = grid.hop_samples, grid.fft_samples, gaussian_gamma(grid)
    s = np.log(np.maximum(magnitude, FLOOR * magnitude.max())).astype(np.float64)

    def to_next_frame(m: int, n: int) -> float:
        slope = 0.0 if m in (0, bins - 1) else (s[m + 1, n] - s[m - 1, n]) / 2
        return hop * fft / gamma * slope + 2 * np.pi * hop * m / fft

    def to_next_bin(m: int, n: int) -> float:
        first, last = max(n - 1, 0), min(n + 1, frames - 1)
        return -gamma / (hop * fft) * (s[m, last] - s[m, first]) / (last - first) - np.pi

    phase = np.zeros(magnitude.shape)
    missing = {(m, n) for m, n in np.argwhere(magnitude > FLOOR * magnitude.max()).tolist()}
    while missing:
        start = max(missing, key=lambda cell: magnitude[cell])
        missing.remove(start)
        heap = [(-magnitude[start], start)]
        while heap:
            _, (m, n) = heapq.heappop(heap)
            for other, slope, sign in (
                ((m, n + 1), to_next_frame, 1),
                ((m, n - 1), to_next_frame, -1),
                ((m + 1, n), to_next_bin, 1),
                ((m - 1, n), to_next_bin, -1),
            ):
                if other in missing:
                    step = (slope(m, n) + slope(*other)) / 2
                    phase[other] = phase[m, n] + sign * step
                    missing.remove(other)
                    heapq.heappush(heap, (-magnitude[other], other))
    return phase


def test_tree_is_as_good_as_the_published_heap_and_mostly_the_same() -> None:
    magnitude = np.abs(GRID.forward(_sound()))
    by_heap, by_tree = heap_integration(magnitude, GRID), integrate_phase(magnitude, GRID)
    heap_db, tree_db = (_convergence_db(magnitude, phase) for phase in (by_heap, by_tree))
    assert tree_db < heap_db + 0.2 < -18
    same = np.abs(_wrapped(by_heap - by_tree)) < 0.01
    assert (magnitude[same] ** 2).sum() > 0.8 * (magnitude**2).sum()


def test_steady_tone_advances_by_its_frequency_and_alternates_over_its_lobe() -> None:
    bin_index = 32
    tone = np.cos(2 * np.pi * bin_index / 256 * np.arange(SAMPLES))
    magnitude = np.abs(GRID.forward(tone))
    phase = integrate_phase(magnitude, GRID)[:, 10:-10]
    turn = 2 * np.pi * GRID.hop_samples * bin_index / 256
    np.testing.assert_allclose(_wrapped(np.diff(phase[bin_index]) - turn), 0, atol=0.02)
    lobe = np.diff(phase[bin_index - 1 : bin_index + 2], axis=0)
    np.testing.assert_allclose(np.abs(_wrapped(lobe)), np.pi, atol=0.02)


def test_click_has_the_phase_of_its_delay() -> None:
    click = np.zeros(SAMPLES)
    at = 60 * GRID.hop_samples
    click[at] = 1
    magnitude = np.abs(GRID.forward(click))
    frame = 61  # starts at 61 * 64 - 96, so that the click is its sample 32
    phase = integrate_phase(magnitude, GRID)[20:-20, frame]
    np.testing.assert_allclose(
        _wrapped(np.diff(phase) + 2 * np.pi * (at + 96 - frame * 64) / 256), 0, atol=0.15
    )


def test_known_columns_stay_and_the_rest_goes_on_from_them() -> None:
    spectrum = GRID.forward(_sound())
    magnitude, known = np.abs(spectrum), np.angle(spectrum[:, :40])
    phase = integrate_phase(magnitude, GRID, known=known)
    assert np.array_equal(phase[:, :40], known)
    # The tone, which is all that is loud between two knocks, goes on in its own phase; found
    # without the known columns it has another.
    later = slice(40, 44)
    loudest = magnitude[:, later].argmax(0), np.arange(later.start, later.stop)
    true = np.angle(spectrum)[loudest]
    assert np.abs(_wrapped(phase[loudest] - true)).max() < 0.3
    assert np.abs(_wrapped(integrate_phase(magnitude, GRID)[loudest] - true)).max() > 0.3


def test_islands_of_sound_are_each_put_together() -> None:
    """Silence between them leaves no path; each starts over at its own loudest cell."""
    sound = _sound()
    sound[30 * 64 : 60 * 64] = 0
    magnitude = np.abs(GRID.forward(sound))
    assert (magnitude[:, 40] == 0).all()
    assert _convergence_db(magnitude, integrate_phase(magnitude, GRID)) < -15


def test_seed_moves_only_what_is_too_quiet_to_follow() -> None:
    magnitude = np.abs(GRID.forward(_sound()))
    magnitude[:, 50:60] = 0
    first, again, other = (integrate_phase(magnitude, GRID, seed=seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    moved = first != other
    assert moved.any()
    assert (magnitude[moved] <= FLOOR * magnitude.max()).all()


@pytest.mark.parametrize("frames", [0, 1, 2])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_any_number_of_frames_has_phases_silent_or_not(frames: int, level: float) -> None:
    phase = integrate_phase(np.full((GRID.bins, frames), level), GRID)
    assert phase.shape == (GRID.bins, frames)
    assert phase.dtype == np.float32
    assert ((phase >= 0) & (phase < 2 * np.pi + 1e-6)).all()


def test_gamma_is_the_papers_for_hann_and_follows_the_window() -> None:
    assert gaussian_gamma(Stft(1024, 256)) == pytest.approx(0.25645 * 1024**2, rel=2e-3)
    short = gaussian_gamma(Stft(1024, 256, window_samples=512))
    assert short == pytest.approx(0.25645 * 512**2, rel=2e-3)
    hamming, tukey = (gaussian_gamma(Stft(1024, 256, window=w)) for w in ("hamming", "tukey"))
    assert gaussian_gamma(Stft(1024, 256)) < hamming < tukey


def test_fitted_gamma_inverts_better_than_one_half_or_twice_as_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    magnitude = np.abs(GRID.forward(_sound()))
    fitted = gaussian_gamma(GRID)
    convergence = {}
    for factor in (0.5, 1.0, 2.0):
        monkeypatch.setattr(
            "foleycli.dsp.pghi.gaussian_gamma", lambda grid, factor=factor: factor * fitted
        )
        convergence[factor] = _convergence_db(magnitude, integrate_phase(magnitude, GRID))
    assert min(convergence, key=lambda factor: convergence[factor]) == 1.0
