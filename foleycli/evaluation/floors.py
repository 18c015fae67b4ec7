"""The real set against itself: what figures are where nothing differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.partners import level_figures
from foleycli.evaluation.report import Figure
from foleycli.evaluation.samples import Samples
from foleycli.evaluation.set_figures import Options, accuracy, attempt, scores, set_figures

FLOOR = "real/real"
_OF_ONE_SET = ("is", "is_corrected", "accuracy", "accuracy_micro")


def halves(real: Samples, size: int, seed: int) -> tuple[Samples, Samples]:
    """Split a set by chance, each class in proportion.

    Parameters
    ----------
    real : Samples
    size : int
        Files of the second part, but no more than half of all.
    seed : int

    Returns
    -------
    rest, part : Samples
    """
    share = min(size, len(real) // 2) / len(real)
    rng = np.random.default_rng(seed)
    part: list[int] = []
    owed = 0.0  # so that classes of one file still add up to the size
    for label in sorted(set(real.labels)):
        own = rng.permutation([i for i, mine in enumerate(real.labels) if mine == label])
        owed += share * len(own)
        taken = min(round(owed), len(own))
        owed -= taken
        part += own[:taken].tolist()
    rest = sorted(set(range(len(real))) - set(part))
    return real.take(rest), real.take(part)


def floor_figures(real: Samples, size: int, options: Options) -> list[Figure]:
    """Figures of one part of the real set against the rest.

    Inception Score, accuracy and levels are those of all of it. The part is of ``size``, or half
    of the real set where that is less: distances depend on it.
    """
    both = [key for key in METRICS if key in options.metrics and key not in _OF_ONE_SET]
    rest, part = halves(real, size, options.seed)
    figures = set_figures(rest, part, FLOOR, replace(options, metrics=both))
    for keys, compute in (
        (_OF_ONE_SET[:2], lambda: scores(real, options)),
        (_OF_ONE_SET[2:], lambda: accuracy(real, options)),
    ):
        wanted = [key for key in keys if key in options.metrics]
        found = attempt(wanted, FLOOR, compute) if wanted else []
        figures += [replace(f, system=FLOOR) for f in found if f.metric in wanted]
    return [*figures, *level_figures(real, FLOOR, options)]
