"""What comes back of a sound from each representation by each method: writes inversion.md.

    OMP_NUM_THREADS=1 python benchmarks/inversion.py FOLDER [--clips 'vas_*'] [--out FILE]

Clips are the videos below FOLDER whose names match; of each, the first 131,072 samples (2.97 s) at
44.1 kHz, as many as FoleyGAN's picture of 512 frames shows. SNR is of the waveform, told only where
a phase was given. SC (spectral convergence, dB) and LSD (log-spectral distance, dB) compare the
magnitudes of 1024/256 frames, mel LSD 128 mel bands, and "SC of bands" the bands that the method
was given: SNR is better when higher, all others when lower. Time is processor seconds for one
second of sound. Medians over clips.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from foleycli.dsp.front_ends.front_end import FrontEnd, encode_whole
from foleycli.dsp.front_ends.table import FRONT_ENDS
from foleycli.dsp.invert import Analysis, invert
from foleycli.dsp.mel import band_average_filters
from foleycli.dsp.nonnegative import UPDATES, undo_bands
from foleycli.dsp.quality import log_spectral_distance_db, snr_db, spectral_convergence_db
from foleycli.dsp.spec import FOLEYGAN
from foleycli.dsp.spectrogram import from_unit, to_unit
from foleycli.media.audio import read_audio

GRID = FOLEYGAN.grid
RATE_HZ, SAMPLES = FOLEYGAN.rate_hz, FOLEYGAN.tile_samples
PHASE_KEPT = ("istft", "if", "icqt")

EARLIER = """\
"Earlier" is the same on six other clips of the same two collections (VGGSound, VAS), measured
before this code was written, with Griffin-Lim and PGHI as published. What is the clips' doing shows
where nothing else differs: in the rows of Griffin-Lim 1984 (momentum 0), PGHI and true phase."""

Sound = NDArray[np.float32]
Magnitudes = NDArray[np.floating]


@dataclass(frozen=True)
class Case:
    """One representation inverted in one way.

    ``earlier`` are the SC, LSD and mel LSD of :data:`EARLIER`.
    """

    name: str
    inversion: str
    analyse: Callable[[NDArray[np.complexfloating]], Analysis]
    method: str
    iterations: int = 32
    momentum: float = 0.95
    earlier: tuple[float, float, float] | None = None


def filters_of(mels: int) -> sparse.csr_array:
    """Return the mel bank of FoleyGAN's pictures."""
    return sparse.csr_array(band_average_filters(RATE_HZ, GRID.fft_samples, mels))


def kept(spectrum: NDArray[np.complexfloating]) -> Analysis:
    """Return magnitude and phase, all but Nyquist's."""
    magnitude, phase = np.abs(spectrum), np.angle(spectrum)
    magnitude[-1] = 0
    return Analysis(GRID, magnitude, phase)


def in_decibels(spectrum: NDArray[np.complexfloating]) -> Analysis:
    """Return the same through FoleyGAN's range of 100 dB."""
    analysis = kept(spectrum)
    return Analysis(
        GRID, from_unit(to_unit(analysis.magnitude, FOLEYGAN), FOLEYGAN), analysis.phase
    )


def linear(spectrum: NDArray[np.complexfloating]) -> Analysis:
    """Return the magnitudes alone."""
    return Analysis(GRID, np.abs(spectrum))


def bands(mels: int, phase: bool = False) -> Callable[[NDArray[np.complexfloating]], Analysis]:
    """Return what takes the magnitudes of mel bands, with the phase of the linear bins or not."""

    def analyse(spectrum: NDArray[np.complexfloating]) -> Analysis:
        filters = filters_of(mels)
        kept_phase = np.angle(spectrum) if phase else None
        return Analysis(GRID, filters @ np.abs(spectrum), kept_phase, filters)

    return analyse


def cases() -> list[Case]:
    """Every case, the earlier measurement beside it."""
    plain, fast, both = "Griffin-Lim, 1984", "Griffin-Lim", "PGHI + Griffin-Lim"
    listed = [
        Case("magnitude + phase", "ISTFT", kept, "istft", earlier=(-118, 0.00, 0.00)),
        Case("log magnitude + phase", "ISTFT", in_decibels, "istft", earlier=(-74.2, 0.04, 0.05)),
        Case("linear", "random phase", linear, "griffin-lim", 0, earlier=(-3.9, 4.99, 6.62)),
        Case("linear", plain, linear, "griffin-lim", 32, 0.0, (-16.2, 1.49, 1.31)),
        Case("linear", plain, linear, "griffin-lim", 60, 0.0, (-18.5, 1.28, 1.11)),
        Case("linear", fast, linear, "griffin-lim", 32, earlier=(-21.8, 1.06, 0.91)),
        Case("linear", fast, linear, "griffin-lim", 60, earlier=(-25.1, 0.85, 0.73)),
        Case("linear", "PGHI", linear, "pghi", 0, earlier=(-17.5, 2.25, 2.09)),
        Case("linear", both, linear, "pghi+griffin-lim", 32, earlier=(-26.9, 0.74, 0.61)),
        Case("linear", both, linear, "pghi+griffin-lim", 60),
        Case("512 mel", plain, bands(512), "griffin-lim", 32, 0.0, (-16.0, 1.66, 1.34)),
        Case("512 mel", plain, bands(512), "griffin-lim", 60, 0.0, (-18.4, 1.48, 1.15)),
    ]
    by_mels = {
        512: ((-21.4, 1.30, 0.96), (-24.2, 1.07, 0.71)),
        256: ((-20.9, 2.03, 1.02), (-23.3, 1.93, 0.82)),
        128: ((-20.0, 3.15, 1.20), (-21.4, 3.12, 1.06)),
        80: ((-17.6, 3.98, 2.32), (-19.4, 3.95, 2.27)),
    }
    for mels, (from_random, from_pghi) in by_mels.items():
        name, given = f"{mels} mel", bands(mels)
        listed.append(Case(name, fast, given, "griffin-lim", 32, earlier=from_random))
        if mels == 512:
            listed.append(Case(name, fast, given, "griffin-lim", 60, earlier=(-23.9, 1.15, 0.78)))
        listed += [
            Case(name, "PGHI", given, "pghi", 0),
            Case(name, both, given, "pghi+griffin-lim", 32, earlier=from_pghi),
        ]
    for mels, earlier in ((512, (-34.2, 0.41, 0.25)), (128, (-29.8, 1.90, 0.83))):
        listed.append(
            Case(f"{mels} mel", "true phase", bands(mels, True), "if", 0, earlier=earlier)
        )
    return listed


def spectral_distances(original: Sound, back: Sound, rate_hz: int) -> tuple[float, float, float]:
    """SC, LSD and mel LSD in dB, on 1024/256 frames."""
    wanted, got = np.abs(GRID.forward(original)), np.abs(GRID.forward(back))
    mel = band_average_filters(rate_hz, GRID.fft_samples, 128)
    return (
        spectral_convergence_db(wanted, got),
        log_spectral_distance_db(wanted, got),
        log_spectral_distance_db(mel @ wanted, mel @ got),
    )


def measure(case: Case, sounds: Sequence[Sound]) -> list[float]:
    """Median SNR, SC, SC of bands, LSD, mel LSD and time of one case."""
    rows = []
    for sound in sounds:
        spectrum = GRID.forward(sound)
        analysis = case.analyse(spectrum)
        began = time.process_time()
        back = invert(
            analysis, samples=len(sound), method=case.method, iterations=case.iterations,
            momentum=case.momentum,
        )  # fmt: skip
        spent = time.process_time() - began
        convergence, distance, mel_distance = spectral_distances(sound, back, RATE_HZ)
        of_bands = np.nan
        if analysis.filters is not None:
            reached = analysis.filters @ np.abs(GRID.forward(back))
            of_bands = spectral_convergence_db(analysis.magnitude, reached)
        snr = snr_db(sound, back) if case.method in PHASE_KEPT else np.nan
        rows.append(
            [snr, convergence, of_bands, distance, mel_distance, spent * RATE_HZ / len(sound)]
        )
    return list(np.median(rows, axis=0))


def method_table(sounds: Sequence[Sound]) -> list[str]:
    """Representations and methods."""
    rows = []
    for case in cases():
        snr, convergence, of_bands, distance, mel_distance, spent = measure(case, sounds)
        earlier = case.earlier or (np.nan,) * 3
        rounds = str(case.iterations) if case.iterations and "istft" not in case.method else ""
        rows.append(
            [case.name, case.inversion, rounds, *_shown((snr, convergence), 1),
             *_shown(earlier[:1], 1), *_shown((of_bands,), 1),
             *_interleaved((distance, mel_distance), earlier[1:]), f"{spent:.3f}"]
        )  # fmt: skip
    head = ["kept", "inversion", "rounds", "SNR", "SC", "earlier", "SC of bands", "LSD", "earlier",
            "mel LSD", "earlier", "s per s"]  # fmt: skip
    return _table(head, rows)


def momentum_table(sounds: Sequence[Sound]) -> list[str]:
    """SC of what was given after 32 rounds, for several momenta."""
    momenta = (0.0, 0.9, 0.95, 0.97, 0.99, 1.0)
    rows = []
    for mels in (None, 512, 128, 80):
        for method in ("griffin-lim", "pghi+griffin-lim"):
            scores = []
            for momentum in momenta:
                analyse = linear if mels is None else bands(mels)
                found = measure(Case("", "", analyse, method, 32, momentum), sounds)
                scores.append(found[1] if mels is None else found[2])
            best = int(np.argmin(scores))
            shown = [f"**{s:.1f}**" if i == best else f"{s:.1f}" for i, s in enumerate(scores)]
            rows.append(["linear" if mels is None else f"{mels} mel", method, *shown])
    return _table(["kept", "method", *(f"{momentum:.2f}" for momentum in momenta)], rows)


def band_table(sounds: Sequence[Sound]) -> list[str]:
    """Ways to undo bands, scored against the true magnitudes."""
    ways: dict[str, Callable[[Magnitudes, sparse.csr_array], Magnitudes]] = {
        f"divergence, {UPDATES} updates (ours)": undo_bands,
        "squared error, 60 multiplicative updates": squared_error,
        "squared error, 60 accelerated projected gradients": projected_gradients,
        "pseudo-inverse, clipped": pseudo_inverse,
    }
    rows = []
    for mels in (512, 128, 80):
        filters = filters_of(mels)
        for name, undo in ways.items():
            scores = []
            for sound in sounds:
                true = np.abs(GRID.forward(sound))
                given = filters @ true
                began = time.process_time()
                found = undo(given, filters)
                spent = (time.process_time() - began) * RATE_HZ / len(sound)
                scores.append(
                    [spectral_convergence_db(true, found), log_spectral_distance_db(true, found),
                     spent]
                )  # fmt: skip
            convergence, distance, spent = np.median(scores, axis=0)
            rows.append([f"{mels}", name, f"{convergence:.2f}", f"{distance:.2f}", f"{spent:.4f}"])
    return _table(["mel bands", "how", "SC", "LSD", "s per s"], rows)


def squared_error(given: Magnitudes, filters: sparse.csr_array, updates: int = 60) -> Magnitudes:
    """S <- S (F^T Y) / (F^T F S), Lee and Seung 2001, from the same start as ours."""
    backward = filters.T.tocsr()
    found, wanted = undo_bands(given, filters, updates=0), backward @ given
    for _ in range(updates):
        found = found * wanted / np.maximum(backward @ (filters @ found), 1e-20)
    return found


def projected_gradients(
    given: Magnitudes, filters: sparse.csr_array, updates: int = 60
) -> Magnitudes:
    """Gradient steps with Nesterov's momentum, clipped at zero, from the same start as ours."""
    backward = filters.T.tocsr()
    step = 1 / np.abs(filters @ backward).sum(axis=0).max()  # bounds the largest eigenvalue
    found = pushed = undo_bands(given, filters, updates=0)
    pace = 1.0
    for _ in range(updates):
        last = found
        found = np.maximum(pushed - step * (backward @ (filters @ pushed - given)), 0)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        pushed, pace = found + (pace - 1) / faster * (found - last), faster
    return found


def pseudo_inverse(given: Magnitudes, filters: sparse.csr_array) -> Magnitudes:
    """Return the least-squares answer, its negative magnitudes made zero."""
    return np.maximum(np.linalg.pinv(filters.toarray()) @ given, 0)


def front_end_table(clips: Sequence[Path]) -> list[str]:
    """Every named front end by its best method, against the sound at its own rate."""
    rows = []
    for front in FRONT_ENDS.values():
        seconds = SAMPLES / RATE_HZ
        scores = []
        try:
            for clip in clips:
                sound = read_audio(clip, rate_hz=front.rate_hz)[0]
                scores.append(round_trip(front, _first(sound, round(seconds * front.rate_hz))))
        except ValueError as reason:
            rows.append(
                [
                    front.name,
                    front.methods[0],
                    f"{front.rate_hz}",
                    f"({str(reason).split(';')[0]})",
                    *[""] * 4,
                ]
            )
            continue
        snr, *distances, spent = np.median(scores, axis=0)
        rows.append(
            [front.name, front.methods[0], f"{front.rate_hz}", *_shown((snr, distances[0]), 1),
             *_shown(distances[1:], 2), f"{spent:.3f}"]
        )  # fmt: skip
    head = ["front end", "method", "rate, Hz", "SNR", "SC", "LSD", "mel LSD", "s per s"]
    return _table(head, rows)


def round_trip(front: FrontEnd, sound: Sound) -> list[float]:
    """SNR, SC, LSD, mel LSD and time of a front end's default inversion."""
    arrays, measured = encode_whole(front, sound)
    method = front.methods[0]
    began = time.process_time()
    back = front.resynthesise(
        arrays, measured, samples=front.samples_kept(len(sound)), method=method
    )
    spent = (time.process_time() - began) * front.rate_hz / len(back)
    common = min(len(sound), len(back))
    sound, back = sound[:common], back[:common]
    snr = snr_db(sound, back) if method in PHASE_KEPT else np.nan
    return [snr, *spectral_distances(sound, back, front.rate_hz), spent]


def _first(sound: Sound, samples: int) -> Sound:
    return np.pad(sound[:samples], (0, max(0, samples - len(sound))))


def _shown(values: Iterable[float], digits: int) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.{digits}f}" for value in values]


def _interleaved(values: Sequence[float], earlier: Sequence[float]) -> list[str]:
    return [text for pair in zip(values, earlier, strict=True) for text in _shown(pair, 2)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def main() -> None:
    """Measure everything and print it as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", default="vas_*", help="which names (default: %(default)s)")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    clips = sorted(args.folder.rglob(f"{args.clips}.mp4"), key=lambda clip: clip.name)
    sounds = [_first(read_audio(clip, rate_hz=RATE_HZ)[0], SAMPLES) for clip in clips]
    notes = (__doc__ or "").split("\n\n")[-1].strip()
    text = "\n".join(
        [
            "# What comes back of a sound", "", notes, "",
            f"Clips: {', '.join(clip.stem for clip in clips)}.", "",
            "## Representations and methods", "",
            EARLIER, "",
            *method_table(sounds), "",
            "## Momentum: SC of what was given, after 32 rounds", "",
            *momentum_table(sounds), "",
            "## Undoing bands, against the true magnitudes", "",
            *band_table(sounds), "",
            "## Front ends, each by the first of its methods", "",
            *front_end_table(clips),
        ]
    )  # fmt: skip
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
