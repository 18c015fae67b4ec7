"""What a Frechet distance and its interval cost: ours beside the ways that toolkits take.

    python benchmarks/metrics.py [--out benchmarks/metrics.md]

The peers are pytorch-fid's formula (NumPy's covariances, SciPy's ``sqrtm``; what clean-fid, fadtk,
audioldm_eval and av-benchmark do) and torch-fidelity's (general eigenvalues of the product). Both
start, as ours does, from the same features: rectified mixtures of normal numbers, float64. Times
are of the processor on one thread, ours the best of three runs; peers run once. A bootstrap by the
peers' way is not run a thousand times but once, times a thousand. KID beside torch-fidelity's loop
over subsets follows.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import scipy.linalg
from threadpoolctl import threadpool_limits

from foleycli.metrics.feature_matrix import in_canonical_order
from foleycli.metrics.frechet import frechet_distance
from foleycli.metrics.frechet_sampling import frechet_interval
from foleycli.metrics.kernel_distance import kernel_distance

WIDTH = 2048
REPEATS = 3
REPLICATES = 1000

Root = Callable[[np.ndarray], float]


def sqrtm_trace(product: np.ndarray) -> float:
    """Take the trace of the root as pytorch-fid does."""
    with warnings.catch_warnings():  # of singular products
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
        return float(np.trace(scipy.linalg.sqrtm(product)).real)


def eigenvalue_trace(product: np.ndarray) -> float:
    """Take it as torch-fidelity does."""
    return float(np.sqrt(np.linalg.eigvals(product).astype(np.complex128)).real.sum())


def peer(real: np.ndarray, generated: np.ndarray, root: Root) -> float:
    """Compute the published formula."""
    first, second = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    shift = real.mean(axis=0) - generated.mean(axis=0)
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * root(first @ second))


def subset_loop(real: np.ndarray, generated: np.ndarray, subsets: int, size: int) -> float:
    """Average KID over subsets as torch-fidelity does, one kernel matrix after the other."""
    rng = np.random.RandomState(2020)
    values = []
    for _ in range(subsets):
        y = generated[rng.choice(len(generated), size, replace=False)]
        x = real[rng.choice(len(real), size, replace=False)]
        xx, yy, xy = ((a @ b.T / a.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        within = xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)
        values.append(within / (size * (size - 1)) - 2 * xy.mean())
    return float(np.mean(values))


def main() -> None:
    """Time all and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with threadpool_limits(1):
        lines = [
            "# Speed and rounding of the distances",
            "",
            f"NumPy {np.__version__}, SciPy {scipy.__version__}; processor seconds on one thread.",
            *_distances(),
            *_rounding(),
            *_bootstrap(),
            *_kernel(),
        ]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _distances() -> list[str]:
    lines = [
        "",
        f"Frechet distance, {WIDTH} dimensions, n samples a side",
        "",
        "| n | ours | sqrtm | ratio | eigenvalues | ratio | relative difference from sqrtm |",
        "|---|---|---|---|---|---|---|",
    ]
    for n in (200, 500, 5000):
        real, generated = _features(n, WIDTH)
        ours, value = _timed(frechet_distance, real, generated, repeats=REPEATS)
        root, published = _timed(peer, real, generated, sqrtm_trace)
        eigen, _ = _timed(peer, real, generated, eigenvalue_trace)
        lines.append(
            f"| {n} | {ours:.3f} s | {root:.1f} s | {root / ours:.1f} | {eigen:.1f} s | "
            f"{eigen / ours:.1f} | {abs(value / published - 1):.0e} |"
        )
    return lines


def _rounding() -> list[str]:
    real, _ = _features(200, WIDTH)
    roots = {"sqrtm": sqrtm_trace, "eigenvalues": eigenvalue_trace}
    return [
        "",
        f"Distance of 200 samples of {WIDTH} dimensions from themselves: "
        f"ours {frechet_distance(real, real):.0e}, "
        + ", ".join(f"{name} {peer(real, real, root):.0e}" for name, root in roots.items())
        + ".",
    ]


def _bootstrap() -> list[str]:
    lines = [
        "",
        f"Bootstrap interval of the distance, {REPLICATES} replicates",
        "",
        f"| n | dimensions | ours | {REPLICATES} times sqrtm | ratio |",
        "|---|---|---|---|---|",
    ]
    once: dict[int, float] = {}
    for n, d in ((200, WIDTH), (500, WIDTH), (1000, WIDTH), (2000, 128), (2000, 512)):
        real, generated = _features(n, d)
        ours, _ = _timed(frechet_interval, real, generated, replicates=REPLICATES)
        if d not in once:
            once[d], _ = _timed(peer, real, generated, sqrtm_trace)
        theirs = REPLICATES * once[d]
        lines.append(f"| {n} | {d} | {ours:.1f} s | {theirs:.0f} s | {theirs / ours:.0f} |")
    return lines


def _kernel() -> list[str]:
    subsets, size, n = 100, 1000, 5000
    real, generated = map(in_canonical_order, _features(n, WIDTH))
    ours, result = _timed(kernel_distance, real, generated, subsets=subsets, size=size)
    loop, mean = _timed(subset_loop, real, generated, subsets, size)
    return [
        "",
        f"KID, {n} samples of {WIDTH} dimensions a side, {subsets} subsets of {size}: ours "
        f"{ours:.1f} s (all pairs and the interval included), the loop {loop:.1f} s, ratio "
        f"{loop / ours:.1f}; relative difference {abs(result.mean / mean - 1):.0e}.",
    ]


def _features(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((d, d)) / np.sqrt(d)
    real, generated = (np.maximum(rng.standard_normal((n, d)) @ mixing, 0) for _ in range(2))
    return real, 1.1 * generated + 0.05


def _timed(
    work: Callable[..., Any], *arguments: Any, repeats: int = 1, **options: Any
) -> tuple[float, Any]:
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        result = work(*arguments, **options)
        seconds.append(time.process_time() - began)
    return min(seconds), result


if __name__ == "__main__":
    main()
