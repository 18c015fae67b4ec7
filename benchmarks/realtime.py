"""How long ``foley generate`` takes beside how long clips last, and whether every sound is sound.

    python benchmarks/realtime.py FOLDER [--out benchmarks/realtime.md]

Every video below FOLDER is dubbed in one process, after one clip that warms the caches, as ``foley
generate CLIP --class NAME -o out.mp4`` does it. The class is the clip's folder where the model has
it, else ``footstep``. The written file is decoded again: its sound must last as long as the
picture, be finite, audible and under full scale.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from foleycli.checkpoints import load_checkpoint
from foleycli.cli.dubbing import Extras, Settings, sound_clip
from foleycli.cli.inputs import VIDEO_SUFFIXES, Clip, Job
from foleycli.media.audio import read_audio
from foleycli.media.video import probe

SILENT_DBFS = -60.0


def dub(clip: Path, label: str, output: Path) -> dict[str, float]:
    """Generate one clip's sound; return seconds taken and what the result is like."""
    settings = Settings(
        label, 0, None, "foleygan", "timing", "recognition", "timing", "auto", "flac", None, "cpu"
    )
    began, busy = time.perf_counter(), time.process_time()
    sound_clip(Job(Clip(clip, clip.stem), output), settings, {}, None, extras=Extras("", "", ""))
    wall, cpu = time.perf_counter() - began, time.process_time() - busy
    info = probe(clip)
    waveform, rate_hz = read_audio(output)
    finite = bool(np.isfinite(waveform).all())
    level = 20 * np.log10(np.sqrt(np.mean(waveform**2)) + 1e-9) if finite else np.nan
    return {
        "duration": info.duration_s,
        "height": float(min(info.width, info.height)),
        "wall": wall,
        "cpu": cpu,
        "samples_off": len(waveform) - round(info.duration_s * rate_hz),
        "level": float(level),
        "peak": float(np.abs(waveform).max()),
    }


def main() -> None:
    """Dub every clip and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    clips = sorted(p for p in args.folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
    known = load_checkpoint("foleygan").config["classes"]
    torch.set_num_threads(1)  # as the command does; a second core goes to decoding
    rows, bad = [], []
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.mp4"
        dub(clips[0], "footstep", output)
        for clip in clips:
            label = clip.parent.name if clip.parent.name in known else "footstep"
            figures = dub(clip, label, output)
            rows.append(figures)
            wrong = figures["samples_off"] != 0 or not figures["level"] > SILENT_DBFS
            if wrong or figures["peak"] >= 1:
                bad.append(f"{clip.name}: {figures}")
    factors = np.array([r["wall"] / r["duration"] for r in rows])
    busy = np.array([r["cpu"] / r["duration"] for r in rows])
    small = np.array([r["height"] <= 720 for r in rows])
    lines = [
        f"{len(rows)} clips, {sum(r['duration'] for r in rows):.0f} s of picture, "
        f"{torch.get_num_threads()} torch thread.",
        "",
        f"- real-time factor (time / duration) up to 720p: median {np.median(factors[small]):.2f}, "
        f"worst {factors[small].max():.2f}; processor time / duration {np.median(busy):.2f}",
        f"- clips slower than they last: {int((factors[small] > 1).sum())} of {int(small.sum())}",
        f"- soundtracks of another length than the picture, silent ({SILENT_DBFS:.0f} dBFS), "
        f"not finite or clipped: {len(bad)}",
        *(f"  - {line}" for line in bad),
        f"- level: {min(r['level'] for r in rows):.1f} to {max(r['level'] for r in rows):.1f} dBFS",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if args.out:
        args.out.write_text(f"# Speed and soundness of `foley generate`\n\n{text}")


if __name__ == "__main__":
    main()
