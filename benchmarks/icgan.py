"""How long a picture takes with the spectral norm folded away, and with it: writes icgan.md.

    python benchmarks/icgan.py [--out benchmarks/icgan.md]

IC-GAN's generator at its published size (128 pixels, 77 million weights, here random) draws one
picture, and eight together, in one process with two threads, by turns. The weights are in memory.
Times are the best of five, in seconds; processor seconds, of both threads together, are less
disturbed by what else the machine does, and the ratio is of them. Difference is the largest between
the pictures of the two, whose values lie in [-1, 1].
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "2"  # before anything that starts threads is imported
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits must not count as working

import torch
from torch import Tensor
from torch.nn import functional as F

from foleycli.models.icgan import ICGANGenerator, ICGANGeneratorConfig, sample_z

CONFIG = ICGANGeneratorConfig()
BATCHES = (1, 8)
REPEATS = 5


def compare(unfolded: ICGANGenerator, folded: ICGANGenerator, batch: int) -> str:
    """Return the table's row for a batch."""
    z = sample_z(0, range(batch), CONFIG.z_width)
    noise = torch.Generator().manual_seed(0)
    feature = F.normalize(torch.rand(batch, CONFIG.features, generator=noise))
    wall = {unfolded: float("inf"), folded: float("inf")}
    processor = dict(wall)
    pictures: dict[ICGANGenerator, Tensor] = {}
    for _ in range(REPEATS):
        for network in wall:
            began, began_processor = time.perf_counter(), time.process_time()
            pictures[network] = network(z, feature)
            spent = time.process_time() - began_processor
            wall[network] = min(wall[network], time.perf_counter() - began)
            processor[network] = min(processor[network], spent)
    difference = (pictures[folded] - pictures[unfolded]).abs().max().item()
    return (
        f"| {batch} | {wall[folded]:.2f} | {wall[unfolded]:.2f} | {processor[folded]:.2f} | "
        f"{processor[unfolded]:.2f} | {processor[unfolded] / processor[folded]:.1f} | "
        f"{difference:.0e} |"
    )


def main() -> None:
    """Time both and print the table as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.manual_seed(0)
    unfolded = ICGANGenerator(CONFIG).eval()
    folded = copy.deepcopy(unfolded).fold()
    with torch.inference_mode():
        rows = [compare(unfolded, folded, batch) for batch in BATCHES]
    lines = [
        "# The folded generator beside the unfolded",
        "",
        *(__doc__ or "").split("\n\n", 2)[2].splitlines(),
        "",
        f"torch {torch.__version__}.",
        "",
        "| pictures | s, folded | s, unfolded | processor s, folded | unfolded | ratio "
        "| difference |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
