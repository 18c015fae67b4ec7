"""The figures of one sound beside the real one, and beside the picture.

- Reference onsets are those of the real sound by the detector that hears the other sound too: ours
  for ``onset_...`` and ``peak_iou_...``, librosa's for the published figures. MMAudio's targets are
  times that people annotated; here they are librosa's onsets of the real sound, default settings.
- For synchrony the caller has cut the sound to the real one's length, or put silence after it.
  ``lsd`` (at 22,050 Hz, of what both have,
  which must be half of the longer one) and ``phase_distance`` (at 16 kHz) take it as it is.
- A figure is None where it is undefined: neither sound has an onset, nothing moves, a sound is
  shorter than the metric's least. Onsets in one sound alone make ``onset_f_...`` 0.
- ``onset_offset_ms`` and ``onset_abs_offset_ms`` are medians over the hits within 100 ms: a sound
  further off has no hits, or those of other onsets, so read them beside F.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from foleycli.evaluation.catalogue import WINDOWS_MS
from foleycli.evaluation.sync_view import FINE_RATE_HZ, HeardSound, SeenPicture
from foleycli.metrics.av_align import av_align, peak_agreement
from foleycli.metrics.condfoleygen import CONDFOLEYGEN_WINDOW_S, mmaudio, score_onsets
from foleycli.metrics.envelope_correlation import envelope_correlation
from foleycli.metrics.envelope_l1 import envelope_distance, tfoley_e_l1, video_foley_e_l1
from foleycli.metrics.onset_matching import average_precision, chance_f, onset_score
from foleycli.metrics.phase_coherence import phase_coherence_distance
from foleycli.metrics.spectral_distance import log_spectral_distance
from foleycli.vision.motion import motion_curve, motion_peaks_s

Figures = dict[str, float | None]
Values = tuple[float | None, ...]
Reference = TypeVar("Reference")
Measures = Mapping[tuple[str, ...], Callable[[Reference, HeardSound], Values]]


def sync_figures(
    real: HeardSound, made: HeardSound, wanted: Collection[str], seed: int = 0
) -> Figures:
    """Synchrony with the real sound.

    Parameters
    ----------
    real, made : HeardSound
        Of one length.
    wanted : collection of str
        Keys; those that are not in :data:`SYNC_KEYS` are passed over.
    seed : int
        Of the shifts that give F by chance.
    """
    found = _measured(_SYNC, real, made, wanted)
    if _CHANCE in wanted:
        found[_CHANCE] = _chance(real, made, seed)
    return found


def likeness_figures(real: HeardSound, made: HeardSound, wanted: Collection[str]) -> Figures:
    """Likeness to the real sound: those of :data:`LIKENESS_KEYS` that are wanted."""
    return _measured(_LIKENESS, real, made, wanted)


def picture_figures(picture: SeenPicture, made: HeardSound, wanted: Collection[str]) -> Figures:
    """Synchrony with the picture: those of :data:`PICTURE_KEYS` that are wanted."""
    return _measured(_PICTURE, picture, made, wanted)


def _measured(
    measures: Measures[Reference], reference: Reference, made: HeardSound, wanted: Collection[str]
) -> Figures:
    found: Figures = {}
    for keys, measure in measures.items():
        if not any(key in wanted for key in keys):
            continue
        try:
            values = measure(reference, made)
        except ValueError:  # a finite mono sound is refused for nothing but its length
            values = (None,) * len(keys)
        found |= {k: v for k, v in zip(keys, values, strict=True) if k in wanted}
    return found


def _onsets(real: HeardSound, made: HeardSound) -> Values:
    (wanted_s, _), (got_s, strengths) = real.onsets, made.onsets
    if not len(wanted_s) and not len(got_s):
        return (None,) * (len(WINDOWS_MS) + 5)
    scores = {ms: onset_score(wanted_s, got_s, ms / 1000) for ms in WINDOWS_MS}
    return (
        *(score.f for score in scores.values()),
        scores[50].precision,
        scores[50].recall,
        _milliseconds(scores[100].median_offset_s),
        _milliseconds(scores[100].median_abs_offset_s),
        average_precision(wanted_s, got_s, strengths, 0.1),
    )


def _chance(real: HeardSound, made: HeardSound, seed: int) -> float | None:
    (wanted_s, _), (got_s, _) = real.onsets, made.onsets
    if not len(wanted_s) and not len(got_s):
        return None
    return chance_f(wanted_s, got_s, 0.05, real.duration_s, seed)


def _condfoleygen(real: HeardSound, made: HeardSound) -> Values:
    return _of_clear_onsets(real.whole_seconds, made.whole_seconds)


def _syncfusion(real: HeardSound, made: HeardSound) -> Values:
    if not len(real.clear_onsets) or not len(made.clear_onsets):
        return 0.0, 0.0, 0.0
    return _of_clear_onsets(real, made)


def _of_clear_onsets(real: HeardSound, made: HeardSound) -> Values:
    score = score_onsets(real.clear_onsets, made.clear_onsets, made.fine, CONDFOLEYGEN_WINDOW_S)
    return float(score.equal_count), score.accuracy, score.average_precision


def _mmaudio(real: HeardSound, made: HeardSound) -> Values:
    score = mmaudio(real.librosa_onsets / FINE_RATE_HZ, made.fine)
    return score.accuracy, score.average_precision, score.f1


def _tfoley(real: HeardSound, made: HeardSound) -> Values:
    return (tfoley_e_l1(real.fine, made.fine),)


def _video_foley(real: HeardSound, made: HeardSound) -> Values:
    return (video_foley_e_l1(real.coarse, made.coarse),)


def _envelope(real: HeardSound, made: HeardSound) -> Values:
    found = envelope_distance(real.coarse, made.coarse)
    return found.distance, found.best_distance, 1000 * found.lag_s


def _lsd(real: HeardSound, made: HeardSound) -> Values:
    shorter, longer = sorted((len(real.fine), len(made.fine)))
    if shorter < _LEAST_SHARED * longer:
        return (None,)
    return (log_spectral_distance(real.fine, made.fine),)


def _phase(real: HeardSound, made: HeardSound) -> Values:
    one, two = real.phase_coherence, made.phase_coherence
    return (phase_coherence_distance(one, two) if one and two else None,)


def _av_align(picture: SeenPicture, made: HeardSound) -> Values:
    if picture.av_align_peaks_s is None:
        return (None,)
    heard_s = made.librosa_onsets / FINE_RATE_HZ
    return (av_align(heard_s, picture.av_align_peaks_s, picture.fps),)


def _peaks(picture: SeenPicture, made: HeardSound) -> Values:
    seen_s, (heard_s, _) = motion_peaks_s(picture.motion), made.onsets
    return tuple(peak_agreement(heard_s, seen_s, ms / 1000).iou for ms in WINDOWS_MS)


def _motion(picture: SeenPicture, made: HeardSound) -> Values:
    found = envelope_correlation(*motion_curve(picture.motion), *made.strength)
    return (found.r_zero, found.r_peak, 1000 * found.lag_s) if found else (None,) * 3


def _milliseconds(time_s: float | None) -> float | None:
    return None if time_s is None else 1000 * time_s


_LEAST_SHARED = 0.5
_CHANCE = "onset_chance_f_50"  # alone in needing a seed
_SYNC: Measures[HeardSound] = {
    (
        *(f"onset_f_{ms}" for ms in WINDOWS_MS),
        *("onset_precision_50", "onset_recall_50", "onset_offset_ms"),
        *("onset_abs_offset_ms", "onset_ap_100"),
    ): _onsets,
    ("condfoleygen_count", "condfoleygen_accuracy", "condfoleygen_ap"): _condfoleygen,
    ("syncfusion_count", "syncfusion_accuracy", "syncfusion_ap"): _syncfusion,
    ("mmaudio_accuracy", "mmaudio_ap", "mmaudio_f1"): _mmaudio,
    ("tfoley_e_l1",): _tfoley,
    ("video_foley_e_l1",): _video_foley,
    ("envelope_distance", "envelope_best", "envelope_lag_ms"): _envelope,
}
_LIKENESS: Measures[HeardSound] = {("lsd",): _lsd, ("phase_distance",): _phase}
_PICTURE: Measures[SeenPicture] = {
    ("av_align",): _av_align,
    tuple(f"peak_iou_{ms}" for ms in WINDOWS_MS): _peaks,
    ("motion_r", "motion_r_peak", "motion_lag_ms"): _motion,
}

SYNC_KEYS = frozenset({_CHANCE}.union(*_SYNC))
LIKENESS_KEYS = frozenset[str]().union(*_LIKENESS)
PICTURE_KEYS = frozenset[str]().union(*_PICTURE)
