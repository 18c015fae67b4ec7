"""Limits for a build: the systems whose figures are under or over what they may be.

Floors, baselines and controls are never held to a limit. A figure that was not computed fails.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.report import Report

Threshold = tuple[str, float]  # key of a metric, limit


def parse_threshold(words: str) -> Threshold:
    """Read ``METRIC=VALUE``, as ``fd=2.5``.

    Raises
    ------
    ValueError
        When the metric is unknown, naming those that are spelt alike, or the value is not a finite
        number.
    """
    key, equals, value = (part.strip() for part in words.partition("="))
    if not equals:
        raise ValueError(f"a limit is METRIC=VALUE, as fd=2.5, not {words}")
    if key not in METRICS:
        near = difflib.get_close_matches(key.lower(), METRICS, n=3)
        raise ValueError(f"no metric {key}" + (f"; near it: {', '.join(near)}" if near else ""))
    try:
        limit = float(value)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise ValueError(f"the limit of {key} has to be a finite number, got {value or 'nothing'}")
    return key, limit


def failed_thresholds(
    report: Report, under: Iterable[Threshold] = (), over: Iterable[Threshold] = ()
) -> list[str]:
    """Say which systems do not keep which limits.

    Parameters
    ----------
    under, over : pairs of metric and limit
        A figure fails that is under, or over, its limit; one that equals it does not.

    Returns
    -------
    list of str
        A line for each system and limit, ``fd of ours is 12.31, over 2``; none when all is well.
    """
    limits = [*((*one, "under") for one in under), *((*one, "over") for one in over)]
    failed = []
    for key, limit, side in limits:
        for system in report.systems:
            figure = report.figure(key, system)
            if figure is None or figure.value is None:
                reason = figure.note if figure and figure.note else "it was not measured"
                failed.append(f"{key} of {system} was not computed: {reason}")
                continue
            value = figure.value
            kept = value >= limit if side == "under" else value <= limit
            if not kept:  # so that NaN fails
                shown, bound = _apart(value, limit)
                failed.append(f"{key} of {system} is {shown}, {side} {bound}")
    return failed


def _apart(value: float, limit: float) -> tuple[str, str]:
    """Show two numbers with as many digits as part them."""
    short = f"{value:.5g}", f"{limit:g}"
    return short if short[0] != short[1] else (repr(value), repr(limit))
