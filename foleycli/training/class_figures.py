"""How well classes are recognised, as SpecVQGAN's appendix reports it of its two classifiers.

Means over classes are of those that occur, and, for the area, of those that do not always occur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_GUESSES = 5


def class_figures(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> dict[str, float]:
    """Compare logits (sounds, classes) with the classes' numbers (sounds,).

    Returns
    -------
    dict
        ``loss``, the mean cross-entropy in nats; ``accuracy``; ``top5``, how often the class is
        among the five likeliest; ``mAP`` and ``mAUC``, the mean over classes of the average
        precision, and of the area under the curve of hits over false alarms, when sounds are
        ranked by the probability of the class.
    """
    logits = logits.astype(np.float64)
    logs = logits - logits.max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    wanted = np.take_along_axis(logits, labels[:, None], axis=1)
    before = (logits > wanted).sum(1)  # classes that are likelier
    chosen = np.eye(logits.shape[1], dtype=bool)[labels].T
    ranked = [(of, score) for of, score in zip(chosen, logs.T, strict=True) if of.any()]
    areas = [roc_area(of, score) for of, score in ranked if not of.all()]
    return {
        "loss": float(-np.take_along_axis(logs, labels[:, None], axis=1).mean()),
        "accuracy": float((logits.argmax(1) == labels).mean()),
        "top5": float((before < _MOST_GUESSES).mean()),
        "mAP": float(np.mean([average_precision(of, score) for of, score in ranked])),
        **({"mAUC": float(np.mean(areas))} if areas else {}),
    }


def average_precision(of: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Sum of precision times gain in recall over falling thresholds; equal scores are one."""
    hits, found = _falling(of, scores)
    return float(np.sum(np.diff(hits, prepend=0) / hits[-1] * hits / found))


def roc_area(of: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Chance that one of the class ranks above one that is not; half of equal scores count."""
    hits, found = _falling(of, scores)
    alarms = found - hits
    rises = np.concatenate([[0], hits / hits[-1]])
    return float(np.sum(np.diff(alarms / alarms[-1], prepend=0) * (rises[1:] + rises[:-1]) / 2))


def _falling(
    of: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count hits, and all, at or above every score that occurs, from the highest on."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    return np.cumsum(of[order])[last].astype(np.int64), last + 1
