"""CondFoleyGen's onset metrics, and SyncFusion's and MMAudio's copies, as their code computes them.

Du et al., Conditional generation of audio from video via foley analogies, CVPR 2023,
``predict_onset.py``. Onsets of target and generated sound are librosa's; each generated onset has
as confidence the highest normalised level within 50 ms; of generated onsets less than 50 ms apart
the more confident stays; each target onset takes, among the unused generated ones in the window,
the one whose own sample is largest. Hits over targets is "detection acc", and average precision is
that of the labels collected on the way.

What the code does beside its intention is kept, for the tables of the papers hang on it:

- Once the generated onsets are used up, the loop stops and the targets left are never counted as
  missed: too few onsets *raise* AP. A sound without onsets has AP 1.
- Suppression removes from the list that it walks, and so skips the neighbour of what it removed.
- A clip is cut to whole seconds.
- MMAudio's one option ``delta`` is both librosa's threshold and the window: 0.3 means 300 ms, three
  times CondFoleyGen's, and the figures cannot be compared. Levels are normalised without absolute
  value, and a candidate's sample is looked up in the list from which used onsets were not removed.

Where the reference crashes we go on: an onset in the first 50 ms has its confidence from what there
is of the window, an onset just behind the last sample has that sample, and without any onset in
either sound AP is None. Of equally confident onsets the later one comes first; the reference leaves
that to NumPy's sort, which differs among processors. What it should have been is
:func:`foleycli.metrics.onset_matching.average_precision`, and ``onset_score`` there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foleycli.metrics.librosa_onsets import CONDFOLEYGEN_DELTA, LIBROSA_RATE_HZ, librosa_onsets

CONDFOLEYGEN_WINDOW_S = 0.1
MMAUDIO_DELTA = 0.3  # librosa's threshold, and the window in seconds
MMAUDIO_SECONDS = 8
_AROUND = int(0.05 * LIBROSA_RATE_HZ)
_SUPPRESSION = 0.05 * LIBROSA_RATE_HZ

Samples = NDArray[np.int64]
Levels = NDArray[np.float64]


@dataclass(frozen=True)
class CondFoleyGenScore:
    """One clip; a set of clips scores the means.

    Attributes
    ----------
    equal_count : bool
        Whether both sounds have as many onsets, before suppression: "#onset acc" is its mean.
    accuracy : float
        "detection acc": targets hit over targets; 0 without targets.
    average_precision : float or None
        "detection ap"; None where neither sound has an onset.
    """

    equal_count: bool
    accuracy: float
    average_precision: float | None


@dataclass(frozen=True)
class MMAudioScore:
    """One clip; a set of clips scores the means.

    Attributes
    ----------
    accuracy : float
        Targets hit over targets; 0 without targets.
    average_precision, f1 : float or None
        Of the labels collected; None where there is no onset at all.
    """

    accuracy: float
    average_precision: float | None
    f1: float | None


def condfoleygen(
    target: NDArray[np.floating],
    generated: NDArray[np.floating],
    window_s: float = CONDFOLEYGEN_WINDOW_S,
) -> CondFoleyGenScore:
    """CondFoleyGen's figures for one clip.

    Parameters
    ----------
    target, generated : (samples,) float
        Mono at 22,050 Hz; both are cut to whole seconds.
    window_s : float
        0.1 in the paper. Its option ``--multi_delta`` is the mean over windows of 0.1, 0.15 ... s.

    Returns
    -------
    CondFoleyGenScore

    Raises
    ------
    ValueError
        When a waveform is not mono, not finite or shorter than a second.
    """
    whole = [
        sound[: len(sound) // LIBROSA_RATE_HZ * LIBROSA_RATE_HZ] for sound in (target, generated)
    ]
    wanted, got = (librosa_onsets(sound, CONDFOLEYGEN_DELTA) for sound in whole)
    return score_onsets(wanted, got, whole[1], window_s)


def syncfusion(
    target: NDArray[np.floating],
    generated: NDArray[np.floating],
    window_s: float = CONDFOLEYGEN_WINDOW_S,
) -> CondFoleyGenScore:
    """SyncFusion's figures for one clip (Comunita et al. 2023, ``script/evaluate_onset.py``).

    As :func:`condfoleygen`, but clips are not cut, and where either sound has no onset everything
    is 0, the equality of counts included.
    """
    wanted, got = (librosa_onsets(sound, CONDFOLEYGEN_DELTA) for sound in (target, generated))
    if not len(wanted) or not len(got):
        return CondFoleyGenScore(False, 0.0, 0.0)
    return score_onsets(wanted, got, generated, window_s)


def mmaudio(
    target_s: ArrayLike, generated: NDArray[np.floating], delta: float = MMAUDIO_DELTA
) -> MMAudioScore:
    """MMAudio's figures for one clip (Cheng et al. 2024, ``eval_onsets.py``).

    Parameters
    ----------
    target_s : (onsets,) float
        Annotated times in seconds, ascending; those of the first 8 s count.
    generated : (samples,) float
        Mono at 22,050 Hz; its first 8 s count.
    delta : float
        Librosa's threshold and, in seconds, the window.

    Returns
    -------
    MMAudioScore

    Raises
    ------
    ValueError
        When the waveform is not mono, not finite or shorter than 2048 samples.
    """
    times = np.asarray(target_s, np.float64)
    wanted = times[times < MMAUDIO_SECONDS] * LIBROSA_RATE_HZ
    heard = generated[: MMAUDIO_SECONDS * LIBROSA_RATE_HZ]
    onsets = librosa_onsets(heard, delta)
    sound = heard.astype(np.float64)
    levels = (sound - sound.min()) / (np.ptp(sound) + 1e-6)
    found = _walk(wanted, onsets, levels, delta, drifting=True)
    # F1 takes scores above 0: a hit of confidence 0 is none.
    true = sum(label * (score > 0) for label, score in zip(found.labels, found.scores, strict=True))
    counted = sum(found.labels) + int(np.count_nonzero(found.scores))
    return MMAudioScore(
        found.hits / max(len(wanted), 1),
        label_average_precision(found.labels, found.scores),
        2 * true / max(counted, 1) if found.labels else None,
    )


def score_onsets(
    wanted: Samples, got: Samples, generated: NDArray[np.floating], window_s: float
) -> CondFoleyGenScore:
    """CondFoleyGen's figures from onsets.

    Parameters
    ----------
    wanted, got : (onsets,) int64
        Of target and generated sound, in samples at 22,050 Hz, ascending.
    generated : (samples,) float
        The generated sound.
    window_s : float
        A pair lies less than this apart.
    """
    levels = np.abs(generated.astype(np.float64))
    levels = (levels - levels.min()) / (np.ptp(levels) or 1.0)
    found = _walk(wanted, got, levels, window_s)
    return CondFoleyGenScore(
        len(wanted) == len(got),
        found.hits / max(len(wanted), 1),
        label_average_precision(found.labels, found.scores),
    )


def suppress(onsets: Samples, confidences: Levels) -> Samples:
    """Keep the more confident of near onsets, as the reference does.

    Its loop removes near onsets from the list that it walks through, so that after each removal
    the next one is not looked at.
    """
    remaining, kept = onsets.tolist(), []
    for index in np.argsort(confidences, kind="stable")[::-1]:
        onset = int(onsets[index])
        if onset not in remaining:
            continue
        kept.append(onset)
        remaining.remove(onset)
        place = 0
        while place < len(remaining):
            if abs(onset - remaining[place]) < _SUPPRESSION:
                del remaining[place]
            place += 1
    return np.array(sorted(kept), np.int64)


def label_average_precision(labels: list[int], scores: list[float]) -> float | None:
    """Average precision of labelled scores, scikit-learn's ``average_precision_score``.

    ``sum_k (R_k - R_(k-1)) P_k`` over the distinct scores, falling; 0 without a positive label,
    None without labels.
    """
    if not labels:
        return None
    truth, score = np.array(labels), np.array(scores)
    positive = np.array([truth[score >= least].sum() for least in np.unique(score)[::-1]])
    chosen = np.array([(score >= least).sum() for least in np.unique(score)[::-1]])
    return float((np.diff(positive, prepend=0) * positive / chosen).sum() / max(truth.sum(), 1))


class _Found(NamedTuple):
    labels: list[int]  # 1 a target, 0 an onset too many
    scores: list[float]  # confidences, 0 for a target without an onset
    hits: int


def _walk(
    wanted: NDArray[np.number],
    got: Samples,
    levels: Levels,
    window_s: float,
    *,
    drifting: bool = False,
) -> _Found:
    """Let each target take an onset, in order of time, until the onsets run out."""
    kept = suppress(got, np.array([_confidence(levels, onset) for onset in got]))
    unused = kept.tolist()
    labels: list[int] = []
    scores: list[float] = []
    for target in wanted:
        offsets = [abs(onset - target) for onset in unused]
        near = [i for i, offset in enumerate(offsets) if offset < window_s * LIBROSA_RATE_HZ]
        labels.append(1)
        if not near:
            scores.append(0.0)
            continue
        looked_up = kept if drifting else unused
        own = [levels[min(looked_up[i], len(levels) - 1)] for i in near]
        largest = near[int(np.argsort(own, kind="stable")[-1])]
        scores.append(_confidence(levels, unused.pop(largest)))
        if not unused:
            break
    return _Found(
        labels + [0] * len(unused),
        scores + [_confidence(levels, onset) for onset in unused],
        len(kept) - len(unused),
    )


def _confidence(levels: Levels, onset: int) -> float:
    return float(levels[max(0, onset - _AROUND) : onset + _AROUND].max())
