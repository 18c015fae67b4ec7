"""When does it sound? From motion features to an action series and to single events.

The series holds the probability that a sound begins at each 1/30 s. Events are its peaks above 0.3
and above the clip's 70th percentile, at least 4 steps (0.13 s) apart, placed between steps by the
parabola through the peak and its neighbours. Where nothing moves there is nothing to see: no event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.dsp.action import ActionSeries
from foleycli.models.timing import TimingConfig, TimingEnsemble, normalise
from foleycli.vision.flow import FEATURE_NAMES, MotionFeatures

THRESHOLD = 0.3
PERCENTILE = 70.0
APART_STEPS = 4
_BLOCK_STEPS = (
    1800  # what the networks see at a time: a minute, so that memory does not grow with the clip
)
_MARGIN_STEPS = 16  # more than the networks reach to either side


class TimingModel:
    """A trained timing ensemble, from config and tensors of a checkpoint of kind ``timing``.

    Raises
    ------
    ValueError
        When it was trained on other features than this version computes, or its tensors do not fit.
    """

    def __init__(self, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        if tuple(config["features"]) != FEATURE_NAMES:
            raise ValueError(
                "timing model: trained on other motion features than this version's; train it again"
            )
        self._config = TimingConfig(**config["network"])
        self._ensemble = TimingEnsemble.from_tensors(config, tensors)

    def predict(self, motion: MotionFeatures) -> ActionSeries:
        """Probability that a sound begins at each step, (N,) float32 in [0, 1].

        A clip in which no pixel changes gets zeros.
        """
        values = motion.values
        if not np.any(values):
            return ActionSeries(np.zeros(len(values), np.float32), motion.fps)
        rows = normalise(values, self._config)
        parts = []
        for start in range(0, len(rows), _BLOCK_STEPS):
            first = max(0, start - _MARGIN_STEPS)
            block = torch.from_numpy(
                rows[first : start + _BLOCK_STEPS + _MARGIN_STEPS].T[None].copy()
            )
            with torch.inference_mode():
                events = self._ensemble(block)[0].numpy()
            parts.append(events[start - first : start - first + _BLOCK_STEPS])
        return ActionSeries(np.concatenate(parts), motion.fps)


def pick_events(
    series: ActionSeries,
    *,
    threshold: float = THRESHOLD,
    percentile: float = PERCENTILE,
    apart_steps: int = APART_STEPS,
) -> list[tuple[float, float]]:
    """Single events of an action series.

    Parameters
    ----------
    series : ActionSeries
        Probabilities, (N,) in [0, 1].
    threshold, percentile : float
        A peak reaches the probability ``threshold`` and the clip's own ``percentile`` (0 to 100).
    apart_steps : int
        Of two peaks nearer than this many steps the higher one stays.

    Returns
    -------
    list of (time_s, strength)
        Ascending in time; strength is the height of the peak, in (0, 1].
    """
    values = series.values.astype(np.float64)
    if not len(values):
        return []
    floor = max(threshold, float(np.percentile(values, percentile)))
    before, after = np.append(-1.0, values[:-1]), np.append(values[1:], -1.0)
    peaks = np.flatnonzero((values >= floor) & (values >= before) & (values > after))
    kept: list[int] = []
    for peak in peaks[np.argsort(-values[peaks], kind="stable")].tolist():
        if all(abs(peak - other) >= apart_steps for other in kept):
            kept.append(peak)
    return [((p + _vertex(values, p)) / series.fps, float(values[p])) for p in sorted(kept)]


def _vertex(values: NDArray[np.float64], peak: int) -> float:
    """Offset in [-0.5, 0.5] steps of the top of the parabola through a peak and its neighbours."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    left, top, right = values[peak - 1 : peak + 2]
    bend = left - 2 * top + right
    return float(np.clip((left - right) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
