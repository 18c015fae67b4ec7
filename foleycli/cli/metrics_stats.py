"""``foley metrics stats``: a set measured once, as a file that may be compared again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleycli.cli import options
from foleycli.cli.console import Exit, command, print_json
from foleycli.cli.metrics_inputs import side_of
from foleycli.cli.processes import compute_in_one_thread, processes

EPILOG = """\b
Examples:
  foley metrics stats recordings/ -o real.npz
  foley metrics stats recordings/ -o part0.npz --shard 0/2
  foley metrics stats recordings/ -o part1.npz --shard 1/2
  foley metrics stats part0.npz part1.npz -o real.npz

\b
Files:
  FILE.npz holds a row a file, in the order of their names: ids, classes, SHA-256,
  embedding, logits, log-mel spectrogram of 64 x 64, levels; and in __foley__ what
  measured them, what could not be measured and a hash over all. Parts put together are
  the same bytes as the whole. Synchrony and other figures of pairs need the sounds.
"""

NetworkOption = Annotated[
    str,
    typer.Option(
        "--network",
        metavar="MODEL",
        help="What listens: name of a shipped model, file, run folder of foley train classifier, "
        "melception or vggishish, or a published melception-*.pt or vggishish16.pt.",
    ),
]
MeansStds = Annotated[
    Path | None,
    typer.Option(
        "--means-stds",
        metavar="FILE",
        help="Table of means and deviations that belongs with a published network.",
        show_default=False,
    ),
]


def stats(
    inputs: options.Inputs,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write, .npz.", show_default=False
        ),
    ],
    network: NetworkOption = "classifier",
    means_stds: MeansStds = None,
    shard: options.Shard = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing when a file cannot be measured.")
    ] = False,
    as_json: options.Json = False,
    jobs: options.Jobs = 1,
    device: options.DeviceOption = options.Device.auto,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure a set, or put statistics of its parts together.

    Files that cannot be read are named, left out and counted, and the exit code is 1.
    """
    with command("metrics stats", quiet=quiet, verbose=verbose) as console:
        if output.suffix != ".npz":
            raise ValueError(f"-o {output}: the suffix must be .npz")
        compute_in_one_thread()  # before NumPy starts its threads
        from dataclasses import replace
        from functools import partial

        from foleycli.evaluation.sides import Network, measure

        side = side_of([str(path) for path in inputs], output.stem)
        index, count = options.parse_shard(shard)
        side = replace(side, files=side.files[index::count])
        if count > 1 and not side.files:
            raise ValueError(f"--shard {shard}: there are fewer files than shards")
        measured_by = Network(network, str(means_stds or ""), options.torch_device(device))
        with processes(jobs) as each, console.stages() as progress:
            samples = measure(side, measured_by, each, partial(progress, "measuring"))
        for path, reason in samples.failures.values():
            console.error(f"{path}: {reason}")
        if strict and samples.failures:
            raise ValueError(f"{len(samples.failures)} files cannot be measured: nothing written")
        samples.save(output)
        if as_json:
            print_json(
                {
                    "output": str(output),
                    "files": len(samples),
                    "failures": dict(samples.failures.values()),
                    "sha256": samples.sha256_of_all,
                    "made_by": dict(samples.made_by),
                }
            )
        else:
            typer.echo(output)
        if samples.failures:
            total = len(samples) + len(samples.failures)
            console.error(f"{len(samples.failures)} of {total} failed")
            raise typer.Exit(Exit.FAILED)
