"""How long MelGAN takes for a clip, folded for inference and as it is trained: writes vocoder.md.

    python benchmarks/vocoder.py [--out benchmarks/vocoder.md]

SpecVQGAN's vocoder at its published size (4.3 million weights, here random) makes 9.85 s of sound
of a mel of 80 x 848, in one process with two threads, folded and not by turns. The weights are in
memory; folding is not timed. Times are the best of nine, in seconds; processor seconds, of both
threads together, are less disturbed by what else the machine does. The ratios are unfolded over
folded. Difference is the largest between the two waveforms, whose values lie in [-1, 1].
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "2"  # before anything that starts threads is imported
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits must not count as working

import torch
from torch import Tensor, nn

from foleycli.models.melgan import PAPER_MELGAN, MelganGenerator
from foleycli.models.melgan_folded import FoldedMelgan

FRAMES = 848
REPEATS = 9


def compare(unfolded: MelganGenerator, folded: FoldedMelgan) -> str:
    """Return the table's row."""
    mel = torch.rand(1, PAPER_MELGAN.mels, FRAMES, generator=torch.Generator().manual_seed(0))
    wall: dict[nn.Module, float] = {unfolded: float("inf"), folded: float("inf")}
    processor = dict(wall)
    waveforms: dict[nn.Module, Tensor] = {}
    for _ in range(REPEATS):
        for network in wall:
            began, began_processor = time.perf_counter(), time.process_time()
            waveforms[network] = network(mel)
            spent = time.process_time() - began_processor
            wall[network] = min(wall[network], time.perf_counter() - began)
            processor[network] = min(processor[network], spent)
    difference = (waveforms[folded] - waveforms[unfolded]).abs().max().item()
    return (
        f"| {wall[folded]:.2f} | {wall[unfolded]:.2f} | {wall[unfolded] / wall[folded]:.1f} | "
        f"{processor[folded]:.2f} | {processor[unfolded]:.2f} | "
        f"{processor[unfolded] / processor[folded]:.1f} | {difference:.0e} |"
    )


def main() -> None:
    """Time both and print the table as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.manual_seed(0)
    unfolded = MelganGenerator(PAPER_MELGAN).eval()
    with torch.inference_mode():
        for name, parameter in unfolded.named_parameters():
            if name.endswith("weight_g"):
                parameter.fill_(1)  # else its waveform is next to silence
        row = compare(unfolded, FoldedMelgan.of(unfolded))
    lines = [
        "# The folded vocoder beside the unfolded",
        "",
        *(__doc__ or "").split("\n\n", 2)[2].splitlines(),
        "",
        f"torch {torch.__version__}.",
        "",
        "| s, folded | s, unfolded | ratio | processor s, folded | unfolded | ratio | difference |",
        "|---|---|---|---|---|---|---|",
        row,
    ]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
