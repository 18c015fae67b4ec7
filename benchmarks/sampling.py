"""How long SpecVQGAN's sampler takes for ten seconds of sound, with its past kept and without.

    python benchmarks/sampling.py [--out benchmarks/sampling.md]

The network of the paper (24 layers, 16 heads, 1024 wide, five features; 307 million weights, here
random) draws the 265 codes of one sound. Without what is kept, every new code passes all those
before it again: as long as they are, or always 264 as the published scripts do, zeros standing for
those to come. That loop is timed at a few lengths, best of three, and the others lie on the lines
between them. With what is kept, the whole is what it took; eight sounds together are compared with
eight times one. The floor is what reading every weight of the blocks and of the output layer once
takes, at the rate that a gigabyte is read at. Agreement is how often the likeliest code of eight-
bit weights is that of float32, over the codes of the drawn sound; "where clear" leaves out those
whose best two logits are closer than a quarter of the logits' standard deviation, of which random
weights have many.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foleycli.models.code_decoder import CodeDecoder, Precision
from foleycli.models.code_order import to_sequence
from foleycli.models.code_sampling import SamplingConfig, sample_codes
from foleycli.models.code_transformer import PAPER, CodeTransformer

SAMPLING = SamplingConfig(top_x=512)
REPEATS = 3
MANY = 8
CLEAR = 0.25
BYTES = {"float32": 4, "int8": 1}


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the least seconds of a few runs."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def read_rate() -> float:
    """Return at how many bytes a second memory is read."""
    block = torch.ones(250_000_000)
    return 4 * len(block) / best(block.amax, 5)


def random_network(layers: int) -> CodeTransformer:
    """Build the network, its weights scaled so that signals keep their size."""
    torch.manual_seed(0)
    with torch.device("meta"):
        network = CodeTransformer(replace(PAPER, layers=layers))
    network.to_empty(device="cpu").eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=fan_in**-0.5)
            if getattr(module, "bias", None) is not None:
                nn.init.normal_(module.bias, std=0.1)
    nn.init.normal_(network.pos_emb, std=0.1)
    return network


def without_cache(network: CodeTransformer, features: Tensor) -> tuple[float, float]:
    """Return the seconds of a sound whose codes are all passed again: as they grow, all always."""
    length = network.config.length
    lengths = np.linspace(0, length - 1, 5).round().astype(int)
    codes = torch.zeros(1, length, dtype=torch.int64)
    seconds = [best(lambda n=n: network(codes[:, :n], features)) for n in lengths]
    growing = np.interp(np.arange(length), lengths, seconds).sum()
    return float(growing), seconds[-1] * length


def with_cache(decoder: CodeDecoder, features: Tensor, samples: int) -> tuple[float, Tensor]:
    """Return the seconds of so many sounds side by side, and their codes in sequence."""
    seeds = [list(range(samples))]
    began = time.perf_counter()
    grids = sample_codes(decoder, seeds, features=features, config=SAMPLING)
    return time.perf_counter() - began, to_sequence(grids[0])


def agreement(
    decoder: CodeDecoder, network: CodeTransformer, features: Tensor, codes: Tensor
) -> tuple[float, float, int]:
    """Return the shares of places of the same likeliest code: of all, of clear ones, how many."""
    wanted = network(codes[:1, :-1], features)[0]
    cache = decoder.new_cache(1)
    found = [decoder.start(cache, features)]
    found += [decoder.append(cache, codes[:1, n : n + 1]) for n in range(codes.shape[1] - 1)]
    same = torch.cat(found).argmax(1) == wanted.argmax(1)
    first, second = wanted.topk(2).values.unbind(1)
    clear = first - second > CLEAR * wanted.std()
    return same.double().mean().item(), same[clear].double().mean().item(), int(clear.sum())


def main() -> None:
    """Time all and print the table as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--layers", type=int, default=PAPER.layers, help="fewer, for a trial")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rate = read_rate()
    network = random_network(args.layers)
    features = torch.rand(1, PAPER.feature_depth, PAPER.features)
    read = sum(p.numel() for p in network.blocks.parameters()) + network.head.weight.numel()
    with torch.inference_mode():
        growing, whole = without_cache(network, features)
        rows = [
            f"| nothing kept, all {PAPER.length - 1} codes always | {whole:.0f} | "
            f"{1e3 * whole / PAPER.length:.0f} | | 1 |",
            f"| nothing kept, the codes so far | {growing:.0f} | "
            f"{1e3 * growing / PAPER.length:.0f} | | {whole / growing:.1f} |",
        ]
        precision: Precision
        for precision in ("float32", "int8"):
            decoder = CodeDecoder(network, precision)
            with_cache(decoder, features, 1)
            floor = read * BYTES[precision] / rate
            for samples in (1, MANY):
                seconds, codes = with_cache(decoder, features, samples)
                title = f"{precision}" + (f", {samples} sounds together" if samples > 1 else "")
                rows.append(
                    f"| {title} | {seconds:.1f} | {1e3 * seconds / PAPER.length:.1f} | "
                    f"{1e3 * floor:.1f} | {samples * whole / seconds:.1f} "
                    f"({samples * growing / seconds:.1f}) |"
                )
        same, same_where_clear, clear = agreement(decoder, network, features, codes)
    lines = [
        "# Sampling codes, with the past kept and without",
        "",
        *(__doc__ or "").split("\n\n", 2)[2].splitlines(),
        "",
        f"torch {torch.__version__}, {args.threads} threads, {args.layers} layers; memory is read "
        f"at {rate / 1e9:.1f} GB/s.",
        "",
        "| | s, 265 codes | ms a code | floor, ms | times faster (than with the codes so far) |",
        "|---|---|---|---|---|",
        *rows,
        "",
        f"Eight-bit weights agree on the likeliest code at {same:.3f} of {PAPER.length} places, at "
        f"{same_where_clear:.3f} of the {clear} where it is clear.",
    ]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
