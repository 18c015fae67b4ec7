"""Control rows: what a synchrony metric says of sounds whose synchrony is known.

A figure of synchrony means something only beside what the same metric gives for the true sound, for
the true sound moved by 40, 100 and 200 ms, and for the sound of another clip. A metric whose rows
do not differ cannot see such errors. Classifiers in steps of 200 ms, as DeSync, give the first
three rows one value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

SHIFTS_S = (0.04, 0.1, 0.2)
GROUND_TRUTH = "ground truth"
SHUFFLED = "shuffled"

Condition = TypeVar("Condition")
Sound = TypeVar("Sound")
Score = TypeVar("Score")


def control_rows(
    score: Callable[[Condition, Sound], Score],
    conditions: Mapping[str, Condition],
    sounds: Mapping[str, Sound],
    delay: Callable[[Sound, float], Sound],
    classes: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[str, dict[str, Score]]:
    """Score true sounds in time, late, and under the wrong picture.

    Parameters
    ----------
    score : callable
        The metric, ``score(conditions[name], sound)``.
    conditions : mapping
        By clip name: what sounds are held against, such as the true waveform, or the onsets or
        peaks of motion.
    sounds : mapping
        The true sounds by the same names, in the form that the metric takes.
    delay : callable
        ``delay(sound, shift_s)``: :func:`delayed_times`, or :func:`delayed_waveform` at a rate.
    classes : mapping, optional
        Class by name: clips are then shuffled within their class.
    seed : int
        Of the shuffling.

    Returns
    -------
    dict
        Row name ("ground truth", "+40 ms", "+100 ms", "+200 ms", "shuffled") to score by clip name.
        A clip that is alone, or alone in its class, is missing from the last row.

    Raises
    ------
    ValueError
        When the names differ, and whatever the metric raises.
    """
    if conditions.keys() != sounds.keys():
        alone = sorted(conditions.keys() ^ sounds.keys())
        raise ValueError(f"need the same clips on both sides, unpaired: {', '.join(alone)}")
    names = sorted(sounds)
    rows = {GROUND_TRUTH: {name: score(conditions[name], sounds[name]) for name in names}}
    for shift_s in SHIFTS_S:
        rows[f"+{1000 * shift_s:.0f} ms"] = {
            name: score(conditions[name], delay(sounds[name], shift_s)) for name in names
        }
    others = derangement(names, classes, seed)
    rows[SHUFFLED] = {name: score(conditions[name], sounds[others[name]]) for name in others}
    return rows


def sync_gap(
    score: Callable[[Condition, Sound], float | None],
    conditions: Mapping[str, Condition],
    sounds: Mapping[str, Sound],
    classes: Mapping[str, str] | None = None,
    seed: int = 0,
) -> float | None:
    """Mean score of the pairs as they are, less that of pairs shuffled within their classes.

    What is left is what timing gives: a system that sounds always alike has a gap of 0. The
    sounds may be generated ones, no reference is needed.

    Parameters
    ----------
    score, conditions, sounds, classes, seed
        As for :func:`control_rows`. A score of None counts as undefined.

    Returns
    -------
    float or None
        Over the clips for which both scores are defined; None without any.
    """
    others = derangement(sounds, classes, seed)
    gaps = []
    for name, other in others.items():
        true, false = (score(conditions[name], sounds[one]) for one in (name, other))
        if true is not None and false is not None:
            gaps.append(true - false)
    return float(np.mean(gaps)) if gaps else None


def derangement(
    names: Iterable[str], classes: Mapping[str, str] | None = None, seed: int = 0
) -> dict[str, str]:
    """Give every clip another one's place, within its class where classes are given.

    The clips of a class form one random cycle, so that none keeps its own place.

    Returns
    -------
    dict
        Name to name, ascending; without clips that have no other. The order of ``names`` does not
        matter.
    """
    members: dict[str, list[str]] = {}
    for name in sorted(names):
        members.setdefault(classes[name] if classes else "", []).append(name)
    places: dict[str, str] = {}
    for label, together in members.items():
        if len(together) > 1:
            order = np.random.default_rng([seed, *label.encode()]).permutation(together).tolist()
            places |= zip(order, order[1:] + order[:1], strict=True)
    return dict(sorted(places.items()))


def delayed_times(times_s: NDArray[np.floating], shift_s: float) -> NDArray[np.float64]:
    """Onsets in seconds, later by ``shift_s``."""
    return np.asarray(times_s, np.float64) + shift_s


def delayed_waveform(
    waveform: NDArray[np.floating], rate_hz: int, shift_s: float
) -> NDArray[np.floating]:
    """Sound later by ``shift_s``: turned round the clip, so that its end fills its beginning.

    Silence put there instead would make an onset where it ends, and one that stands out so far
    that detectors miss others: a control row must differ from the truth in time alone.
    """
    return np.roll(waveform, round(shift_s * rate_hz))
