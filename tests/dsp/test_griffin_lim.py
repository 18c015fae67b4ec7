"""Griffin-Lim: the papers' equations, convergence, and that nothing but them shapes the sound."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

from foleycli.dsp import griffin_lim as module
from foleycli.dsp.griffin_lim import RELAXATION, begin_with, griffin_lim
from foleycli.dsp.quality import snr_db, spectral_convergence_db
from foleycli.dsp.stft import Stft

GRIDS = {
    "exact edges": Stft(512, 128, before=192, after=192),
    "centred in zeros": Stft(512, 128, before=256, after=256, padding="zeros"),
    "short window, odd hop": Stft(512, 150, 400, "hamming", before=256, after=256),
    "no padding": Stft(512, 128),
}
GRID = GRIDS["exact edges"]
SAMPLES = 200 * 128 + 37


def _sound() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    time = np.arange(SAMPLES) / 16_000
    knocks = rng.standard_normal(SAMPLES) * np.exp(-30 * (time % 0.3))
    return (0.3 * knocks + 0.1 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def _problem(grid: Stft) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    magnitude = np.abs(grid.forward(_sound()))
    return magnitude, np.random.default_rng(0).uniform(0, 6.28, magnitude.shape).astype(np.float32)


def _convergence_db(grid: Stft, **options: float) -> float:
    magnitude, phase = _problem(grid)
    found = griffin_lim(magnitude, phase, grid, samples=SAMPLES, **options)
    return spectral_convergence_db(magnitude, np.abs(grid.forward(found)))


def _literal(grid: Stft, iterations: int, momentum: float, relaxation: float) -> NDArray:
    """The module's equations, in float64 and on whole spectra."""
    magnitude, phase = (array.astype(float) for array in _problem(grid))
    x = last = y = grid.inverse(magnitude * np.exp(1j * phase), SAMPLES)
    for turn in range(iterations):
        spectrum = grid.forward(y)
        x = grid.inverse(magnitude * spectrum / np.abs(spectrum), SAMPLES)
        if turn < iterations - 1:
            x = (1 - relaxation) * y + relaxation * x
        y, last = x + momentum * (x - last), x
    return x


@pytest.mark.parametrize(("momentum", "relaxation"), [(0.0, 1.0), (0.9, RELAXATION)])
@pytest.mark.parametrize("grid", list(GRIDS.values())[:3], ids=list(GRIDS)[:3])
def test_rounds_are_the_papers_equations(grid: Stft, momentum: float, relaxation: float) -> None:
    magnitude, phase = _problem(grid)
    found = griffin_lim(magnitude, phase, grid, samples=SAMPLES, iterations=4, momentum=momentum)
    assert found.dtype == np.float32
    covered = slice(0, SAMPLES - 512)  # beyond, frames hardly reach
    assert snr_db(_literal(grid, 4, momentum, relaxation)[covered], found[covered]) > 80


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_converges_on_every_grid_and_faster_with_momentum(grid: Stft) -> None:
    start, plain, fast, longer = (
        _convergence_db(grid, iterations=iterations, momentum=momentum)
        for iterations, momentum in ((0, 0), (32, 0), (32, 0.95), (60, 0.95))
    )
    assert start > -6 > -13 > plain
    assert fast < plain - 3
    assert longer < fast - 0.5


def test_nearer_than_librosas_fast_griffin_lim_after_as_many_rounds() -> None:
    grid = GRIDS["centred in zeros"]
    magnitude, _ = _problem(grid)
    gains_db = []
    for seed in range(3):
        phase = np.random.default_rng(seed).uniform(0, 6.28, magnitude.shape)
        ours = griffin_lim(magnitude, phase, grid, samples=SAMPLES)
        theirs = librosa.griffinlim(
            magnitude, n_iter=32, n_fft=512, hop_length=128, momentum=0.99, random_state=seed,
            length=SAMPLES,
        )  # fmt: skip
        ours_db, theirs_db = (
            spectral_convergence_db(magnitude, np.abs(grid.forward(sound)))
            for sound in (ours, theirs)
        )
        gains_db.append(theirs_db - ours_db)
    assert np.mean(gains_db) > 1


def test_true_phase_is_a_fixed_point() -> None:
    spectrum = GRID.forward(_sound())
    for iterations in (0, 5):
        found = griffin_lim(
            np.abs(spectrum), np.angle(spectrum), GRID, samples=SAMPLES, iterations=iterations
        )
        assert snr_db(_sound(), found) > 100


def test_threads_and_frames_at_a_time_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    magnitude, phase = _problem(GRID)
    one = griffin_lim(magnitude, phase, GRID, samples=SAMPLES, iterations=8)
    with scipy.fft.set_workers(2):
        two = griffin_lim(magnitude, phase, GRID, samples=SAMPLES, iterations=8)
    assert one.tobytes() == two.tobytes()
    monkeypatch.setattr(module, "_FRAMES", 7)
    by_seven = griffin_lim(magnitude, phase, GRID, samples=SAMPLES, iterations=8)
    assert snr_db(one, by_seven) > 90


def test_edges_without_padding_do_not_click() -> None:
    """The exact inverse would divide by squared windows that sum to nearly nothing."""
    magnitude, phase = _problem(GRIDS["no padding"])
    found = griffin_lim(magnitude, phase, GRIDS["no padding"], samples=SAMPLES)
    edges = np.concatenate([found[:256], found[-293:]])
    assert np.abs(edges).max() < 2 * np.abs(_sound()).max()


def test_silence_stays_silent() -> None:
    silence = np.zeros((GRID.bins, 200), np.float32)
    assert np.abs(griffin_lim(silence, silence, GRID, samples=SAMPLES)).max() == 0


def test_known_beginning_is_kept_and_joins_what_is_found() -> None:
    magnitude, phase = _problem(GRID)
    known = _sound()[: 54 * 128]  # the second knock lies in the fade
    pasted = begin_with(known, griffin_lim(magnitude, phase, GRID, samples=SAMPLES))
    phase[:, :50] = np.angle(GRID.forward(_sound()))[:, :50]
    found = griffin_lim(magnitude, phase, GRID, samples=SAMPLES, beginning=known)
    assert np.array_equal(found[: 27 * 128], known[: 27 * 128])

    def convergence_db(sound: NDArray[np.float32], frames: slice) -> float:
        return spectral_convergence_db(magnitude[:, frames], np.abs(GRID.forward(sound))[:, frames])

    join, rest = slice(27, 60), slice(60, None)
    assert convergence_db(found, join) < convergence_db(found, rest) + 2
    assert convergence_db(pasted, join) > convergence_db(found, rest) + 6


def test_beginning_fades_from_all_to_nothing_over_its_second_half() -> None:
    faded = begin_with(np.ones(100, np.float32), np.zeros(150, np.float32))
    assert (faded[:50] == 1).all()
    assert (np.diff(faded[50:100]) < 0).all()
    assert faded[99] < 0.01
    assert (faded[100:] == 0).all()


def test_magnitudes_are_refitted_every_eighth_round_but_the_last() -> None:
    magnitude, phase = _problem(GRID)
    asked: list[slice] = []

    def halve(columns: slice, reached: NDArray[np.float32]) -> NDArray[np.float32]:
        assert reached.shape == (columns.stop - columns.start, GRID.bins)
        asked.append(columns)
        return magnitude.T[columns] / 2

    found = griffin_lim(magnitude, phase, GRID, samples=SAMPLES, iterations=16, refit=halve)
    frames = [column for columns in asked for column in range(columns.start, columns.stop)]
    assert frames == list(range(magnitude.shape[1]))  # once: after round 8 and not after 16
    assert spectral_convergence_db(magnitude / 2, np.abs(GRID.forward(found))) < -13


@pytest.mark.parametrize("momentum", [-0.1, 1.5, np.nan])
def test_momentum_out_of_range_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        griffin_lim(*_problem(GRID), GRID, samples=SAMPLES, momentum=momentum)


def test_negative_iterations_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        griffin_lim(*_problem(GRID), GRID, samples=SAMPLES, iterations=-1)
