"""Our Griffin-Lim beside librosa's and torchaudio's: writes griffin_lim.md.

    python benchmarks/griffin_lim.py FOLDER [--clips 'vas_*'] [--out benchmarks/griffin_lim.md]

The same magnitudes (1024/256, centred) of the first ten seconds of each clip at 22.05 kHz, the same
number of rounds, random phases, in one process with two threads, by turns. The peers run their fast
form with momentum 0.99, ours as it stands. Convergence is SC in dB, lower is better, of the sound
analysed as that peer analyses it; time is the best of nine, in milliseconds. Each ratio is of the
peer's time to ours.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "2"  # before anything that starts threads is imported

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from foleycli.dsp.griffin_lim import griffin_lim
from foleycli.dsp.mel import _torchaudio_functional
from foleycli.dsp.quality import spectral_convergence_db
from foleycli.dsp.stft import Stft
from foleycli.media.audio import read_audio

RATE_HZ, SECONDS = 22_050, 10
ROUNDS = (32, 60)
REPEATS = 9
ZEROS = Stft(1024, 256, before=512, after=512, padding="zeros")  # as librosa pads
MIRROR = Stft(1024, 256, before=512, after=512)  # as torchaudio does

Sound = NDArray[np.float32]


def ours(magnitude: Sound, grid: Stft, samples: int, rounds: int) -> Sound:
    """Griffin-Lim of this package."""
    turns = np.random.default_rng(0).random(magnitude.shape, np.float32)
    phase = turns * np.float32(2 * np.pi)
    return griffin_lim(magnitude, phase, grid, samples=samples, iterations=rounds)


def by_librosa(magnitude: Sound, grid: Stft, samples: int, rounds: int) -> Sound:
    """librosa.griffinlim."""
    return librosa.griffinlim(
        magnitude, n_iter=rounds, n_fft=1024, hop_length=256, momentum=0.99, length=samples,
        random_state=0,
    )  # fmt: skip


def by_torchaudio(magnitude: Sound, grid: Stft, samples: int, rounds: int) -> Sound:
    """torchaudio.functional.griffinlim."""
    torch.manual_seed(0)
    return (
        _torchaudio_functional()
        .griffinlim(
            torch.from_numpy(magnitude), torch.hann_window(1024), 1024, 256, 1024, 1.0, rounds,
            0.99, samples, True,
        )
        .numpy()
    )  # fmt: skip


def compare(
    clips: list[Path], grid: Stft, peer: Callable[[Sound, Stft, int, int], Sound], rounds: int
) -> tuple[list[float], list[float]]:
    """Median convergence and median time of ours and of the peer, over clips."""
    rows = []
    for clip in clips:
        sound = read_audio(clip, rate_hz=RATE_HZ)[0][: SECONDS * RATE_HZ]
        magnitude = np.ascontiguousarray(np.abs(grid.forward(sound)))
        scores, times = [], {ours: np.inf, peer: np.inf}
        for _ in range(REPEATS):
            for work in times:
                began = time.perf_counter()
                work(magnitude, grid, len(sound), rounds)
                times[work] = min(times[work], time.perf_counter() - began)
        for work in times:
            back = work(magnitude, grid, len(sound), rounds)
            scores.append(spectral_convergence_db(magnitude, np.abs(grid.forward(back))))
        rows.append([*scores, *(1000 * spent for spent in times.values())])
    ours_db, peers_db, ours_ms, peers_ms = np.median(rows, axis=0)
    return [ours_db, peers_db], [ours_ms, peers_ms]


def main() -> None:
    """Compare with both and print the table as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", default="vas_*", help="which names (default: %(default)s)")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(2)
    clips = sorted(args.folder.rglob(f"{args.clips}.mp4"))
    lines = [
        "| peer | rounds | SC, ours | SC, peer | ms, ours | ms, peer | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, grid, peer in (
        (f"librosa {librosa.__version__}", ZEROS, by_librosa),
        (f"torchaudio (torch {torch.__version__})", MIRROR, by_torchaudio),
    ):
        for rounds in ROUNDS:
            (ours_db, peer_db), (ours_ms, peer_ms) = compare(clips, grid, peer, rounds)
            lines.append(
                f"| {name} | {rounds} | {ours_db:.1f} | {peer_db:.1f} | {ours_ms:.0f} | "
                f"{peer_ms:.0f} | {peer_ms / ours_ms:.1f} |"
            )
    notes = (__doc__ or "").split("\n\n")[-1].strip()
    text = "\n".join(["# Griffin-Lim beside its peers", "", notes, "", *lines])
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
