"""The real set against itself: what figures are where nothing differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.partners import level_figures
from foleycli.evaluation.report import Figure
from foleycli.evaluation.samples import Samples
from foleycli.evaluation.set_figures import Options, accuracy, attempt, scores, set_figures

FLOOR = "real/real"
SPLITS = 10
_QUICK = ("fd", "kid", "precision", "recall", "density", "coverage", "two_sample")
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

    The part is of ``size``, or half of the real set where that is less: distances depend on it.
    What takes no resampling is the mean of 10 splits, its spread their standard deviation.
    Inception Score, accuracy and levels are those of all of the set.
    """
    both = [key for key in METRICS if key in options.metrics and key not in _OF_ONE_SET]
    figures = _of_split(real, size, replace(options, metrics=both))
    again = [key for key in both if key in _QUICK]
    quick = {figure.metric: [figure.value] for figure in figures if figure.metric in again}
    for split in range(1, SPLITS if again else 0):
        changed = replace(options, metrics=again, seed=options.seed + split)
        for figure in _of_split(real, size, changed):
            quick[figure.metric].append(figure.value)
    figures = [_averaged(figure, quick.get(figure.metric, [])) for figure in figures]
    for keys, compute in (
        (_OF_ONE_SET[:2], lambda: scores(real, options)),
        (_OF_ONE_SET[2:], lambda: accuracy(real, options)),
    ):
        wanted = [key for key in keys if key in options.metrics]
        found = attempt(wanted, FLOOR, compute) if wanted else []
        figures += [replace(f, system=FLOOR) for f in found if f.metric in wanted]
    return [*figures, *level_figures(real, FLOOR, options)]


def _of_split(real: Samples, size: int, options: Options) -> list[Figure]:
    rest, part = halves(real, size, options.seed)
    return set_figures(rest, part, FLOOR, options)


def _averaged(figure: Figure, values: Sequence[float | None]) -> Figure:
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return figure
    spread = float(np.std(known))
    return replace(figure, value=float(np.mean(known)), low=None, high=None, spread=spread)
