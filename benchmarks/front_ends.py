"""How long a folder of clips takes to become saved SpecVQGAN mels: ours beside librosa's.

    python benchmarks/front_ends.py FOLDER [--out benchmarks/front_ends.md]

The peer is the usual loop: PyAV decodes a clip into a 16-bit wav, libswresample makes the mono wav
at 22,050 Hz that the published features were made of, librosa computes the mel spectrogram of its
first ten seconds and NumPy saves it. Ours is what ``foley spectrogram --front-end specvqgan --npy``
does with a clip. Both run by turns from this process, in worker processes that have their imports
behind them (as ``-j`` has), each on one thread; the mels must agree. Below that, the whole command
with ``-j 2`` beside a script of the loop, imports included, and the transform alone on ten seconds
in memory: librosa's in float32, its default, and in float64, which the published values need.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import av
import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from foleycli.cli.inputs import VIDEO_SUFFIXES, Clip, Job
from foleycli.cli.spectrogram import Settings, transform
from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN

RATE_HZ = 22_050
SECONDS = 10
REPEATS = 3


def peer(clip: Path, output: Path) -> None:
    """Decode to a wav, make the mono wav of that, read it, transform it with librosa, save it."""
    with tempfile.TemporaryDirectory() as scratch:
        native, mono = Path(scratch) / "native.wav", Path(scratch) / "mono.wav"
        with av.open(str(clip)) as container:
            frames = list(container.decode(audio=0))
        _write(native, _resampled(frames, frames[0].layout.name, frames[0].sample_rate))
        with av.open(str(native)) as container:
            _write(mono, _resampled(list(container.decode(audio=0)), "mono", RATE_HZ))
        sound, _ = librosa.load(mono, sr=RATE_HZ)
    np.save(output, librosa_mel(librosa.util.fix_length(sound, size=SECONDS * RATE_HZ)))


def librosa_mel(sound: np.ndarray) -> np.ndarray:
    """Compute the published transform with librosa."""
    mel = librosa.feature.melspectrogram(
        y=sound,
        sr=RATE_HZ,
        n_fft=1024,
        hop_length=256,
        pad_mode="reflect",
        power=1,
        n_mels=80,
        fmin=125,
        fmax=7600,
    )
    decibels = 20 * np.log10(np.maximum(mel, 1e-5))
    return np.clip((decibels + 80) / 100, 0, 1)[:, :860]


def ours(clip: Path, output: Path) -> None:
    """Do what the command does with one clip."""
    transform(Job(Clip(clip, clip.stem), output), Settings("specvqgan", False), {}, None, png="")


def main() -> None:
    """Time both and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--peer-only", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    args = parser.parse_args()
    clips = sorted(p for p in args.folder.rglob("*") if p.suffix in VIDEO_SUFFIXES and _sounds(p))
    if args.peer_only:
        for clip in clips:
            peer(clip, args.peer_only / f"{clip.stem}.npy")
        return
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        lines = _measure(clips, args.folder, Path(scratch))
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _measure(clips: Sequence[Path], folder: Path, scratch: Path) -> list[str]:
    seconds: dict[tuple[str, int], float] = {}
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, get_context("spawn"), threadpool_limits, (1,)) as pool:
            for name, make in (("peer", peer), ("ours", ours)):
                (scratch / name).mkdir(exist_ok=True)
                _all(pool, clips[: 4 * workers], make, scratch / name)  # imports, filters
                seconds[name, workers] = _best(
                    lambda pool=pool, make=make, name=name: _all(pool, clips, make, scratch / name)
                )
    errors = [
        np.abs(np.load(scratch / f"peer/{c.stem}.npy") - np.load(scratch / f"ours/{c.stem}.npy"))
        for c in clips
    ]
    command = [sys.executable, "-m", "foleycli", "spectrogram", str(folder), "-o"]
    command += [f"{scratch / 'command'}/", "--front-end", "specvqgan", "--npy", "-j", "2", "-q"]
    whole = _best(lambda: subprocess.run(command, check=False, capture_output=True))
    script = [sys.executable, __file__, str(folder), "--peer-only", str(scratch / "peer")]
    loop = _best(lambda: subprocess.run(script, check=True))
    noise = 0.1 * np.random.default_rng(0).standard_normal(SECONDS * RATE_HZ)
    single = noise.astype(np.float32)
    mel = {
        "librosa": 1e3 * _best(lambda: librosa_mel(single), 40),
        "librosa in float64": 1e3 * _best(lambda: librosa_mel(noise), 40),
        "ours": 1e3 * _best(lambda: encode_whole(SPECVQGAN, single), 40),
    }
    return [
        "# Speed of the front ends",
        "",
        f"{len(clips)} clips to saved mels, best of {REPEATS} runs; librosa {librosa.__version__}, "
        f"PyAV {av.__version__}. Largest mean difference of a mel from the peer's: "
        f"{max(e.mean() for e in errors):.1e} on [0, 1].",
        "",
        "| | PyAV to wav + librosa | foley | ratio |",
        "|---|---|---|---|",
        *(
            f"| {title} | {seconds['peer', n]:.2f} s | {seconds['ours', m]:.2f} s | "
            f"{seconds['peer', n] / seconds['ours', m]:.1f} |"
            for title, n, m in (
                ("the loop; foley with `-j 2`", 1, 2),
                ("one worker each", 1, 1),
                ("two workers each", 2, 2),
            )
        ),
        f"| the same from the shell, imports included | "
        f"{loop:.2f} s | {whole:.2f} s | {loop / whole:.1f} |",
        *(
            f"| the transform of 10 s in memory ({name}) | {mel[name]:.2f} ms | "
            f"{mel['ours']:.2f} ms | {mel[name] / mel['ours']:.1f} |"
            for name in ("librosa", "librosa in float64")
        ),
    ]


def _all(
    pool: Executor, clips: Sequence[Path], make: Callable[[Path, Path], None], folder: Path
) -> None:
    list(pool.map(make, clips, [folder / f"{clip.stem}.npy" for clip in clips]))


def _best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _sounds(path: Path) -> bool:
    with av.open(str(path)) as container:
        return bool(container.streams.audio)


def _resampled(
    frames: Sequence[av.AudioFrame], layout: str, rate_hz: int
) -> tuple[np.ndarray, int]:
    """Return (samples, channels) int16."""
    resampler = av.AudioResampler("s16", layout, rate_hz)
    pieces = [piece for frame in [*frames, None] for piece in resampler.resample(frame) if piece]
    channels = pieces[0].layout.nb_channels
    joined = np.concatenate([piece.to_ndarray().reshape(-1, channels) for piece in pieces])
    return joined, rate_hz


def _write(path: Path, sound: tuple[np.ndarray, int]) -> None:
    soundfile.write(path, *sound, subtype="PCM_16")


if __name__ == "__main__":
    main()
