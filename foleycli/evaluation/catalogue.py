"""Every figure that ``foley metrics`` can report: its key, its title, and which way is better.

Keys are what ``--metrics``, ``--fail-under``, JSON and CSV call a figure. A legacy definition keeps
the name of the code that it equals, with what is wrong about it in
:mod:`foleycli.metrics`; ours beside it are named for what they measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WINDOWS_MS = (25, 50, 100)
Better = Literal["higher", "lower", "zero", ""]


@dataclass(frozen=True)
class Metric:
    """One kind of figure.

    Attributes
    ----------
    key : str
    title : str
        What tables call it.
    better : {"higher", "lower", "zero", ""}
        Empty where neither is.
    group : {"sets", "pairs", "sync", "levels", "pictures"}
    unit : str
    digits : int
        Decimals shown in tables; JSON and CSV have them all.
    about : str
        One line: the definition.
    """

    key: str
    title: str
    better: Better
    group: str
    unit: str = ""
    digits: int = 3
    about: str = ""


def _sets() -> list[Metric]:
    return [
        Metric(
            "is",
            "Inception Score",
            "higher",
            "sets",
            digits=2,
            about="mean over 10 splits; the spread is the standard deviation over the splits",
        ),
        Metric(
            "is_corrected",
            "Inception Score, corrected",
            "higher",
            "sets",
            digits=2,
            about="of the whole set, bias taken off by the bootstrap",
        ),
        Metric(
            "fd",
            "Frechet distance",
            "lower",
            "sets",
            about="as published tables have it: grows with few samples",
        ),
        Metric(
            "fd_corrected",
            "Frechet distance, corrected",
            "lower",
            "sets",
            about="bias taken off by the bootstrap; may be below 0 where the sets do not differ",
        ),
        Metric(
            "fd_infinity",
            "Frechet distance, infinite samples",
            "lower",
            "sets",
            about="line in 1/n over subsets, read at 0",
        ),
        Metric(
            "kid",
            "Kernel distance",
            "lower",
            "sets",
            digits=5,
            about="unbiased, cubic kernel, all pairs; the spread is over subsets",
        ),
        Metric("precision", "Precision", "higher", "sets", about="k = 3"),
        Metric("recall", "Recall", "higher", "sets", about="k = 3"),
        Metric("density", "Density", "higher", "sets", about="k = 5; 1 where sets do not differ"),
        Metric("coverage", "Coverage", "higher", "sets", about="k = 5"),
        Metric(
            "ndb",
            "NDB",
            "lower",
            "sets",
            digits=2,
            about="different bins by the published test, mean over classes; chance is k / 20",
        ),
        Metric(
            "ndb_share",
            "NDB / k",
            "lower",
            "sets",
            about="chance is 0.05",
        ),
        Metric(
            "ndb_exact",
            "NDB, exact test",
            "lower",
            "sets",
            digits=2,
            about="Fisher's exact test with Holm's correction, mean over classes; chance is near 0",
        ),
        Metric(
            "jsd",
            "Jensen-Shannon divergence of bins",
            "lower",
            "sets",
            "nat",
            about="mean over classes",
        ),
        Metric(
            "two_sample",
            "Two-sample test",
            "lower",
            "sets",
            about="accuracy of a linear classifier, real against generated; chance is 0.5",
        ),
        Metric(
            "accuracy",
            "Retrieval accuracy",
            "higher",
            "sets",
            about="share put into the class meant, mean over classes",
        ),
        Metric(
            "accuracy_micro",
            "Retrieval accuracy, all files",
            "higher",
            "sets",
            about="share put into the class meant",
        ),
    ]


def _pairs() -> list[Metric]:
    return [
        Metric(
            "mkl",
            "MKL",
            "lower",
            "pairs",
            "nat",
            about="mean KL(real || generated) of softmax class probabilities",
        ),
        Metric(
            "mkl_sigmoid",
            "MKL, sigmoid",
            "lower",
            "pairs",
            "nat",
            about="the same of sigmoids without the second term, as av-benchmark",
        ),
        Metric("retrieval_r1", "R@1", "higher", "pairs", about="real partner by embedding"),
        Metric("retrieval_r5", "R@5", "higher", "pairs", about="real partner by embedding"),
        Metric("retrieval_r10", "R@10", "higher", "pairs", about="real partner by embedding"),
        Metric("retrieval_rank", "Median rank", "lower", "pairs", digits=1),
        Metric(
            "lsd",
            "Log-spectral distance",
            "lower",
            "pairs",
            "dB",
            2,
            about="over 80 dB, of the samples that both sounds have",
        ),
        Metric(
            "phase_distance",
            "Phase coherence distance",
            "lower",
            "pairs",
            about="by octave, where both are bright",
        ),
    ]


def _sync() -> list[Metric]:
    windows = [
        Metric(
            f"onset_f_{ms}",
            f"Onset F, {ms} ms",
            "higher",
            "sync",
            about="maximum matching of onsets, mean over clips with an onset",
        )
        for ms in WINDOWS_MS
    ]
    peaks = [
        Metric(
            f"peak_iou_{ms}",
            f"Peaks of motion and sound, {ms} ms",
            "higher",
            "sync",
            about="AV-Align corrected: intersection over union of peaks within a fixed window",
        )
        for ms in WINDOWS_MS
    ]
    return [
        *windows,
        Metric("onset_precision_50", "Onset precision, 50 ms", "higher", "sync"),
        Metric("onset_recall_50", "Onset recall, 50 ms", "higher", "sync"),
        Metric(
            "onset_chance_f_50",
            "Onset F by chance, 50 ms",
            "",
            "sync",
            about="the same onsets turned round the clip at random",
        ),
        Metric(
            "onset_offset_ms",
            "Onset offset",
            "zero",
            "sync",
            "ms",
            1,
            "median of the hits within 100 ms; the grid is 11.6 ms",
        ),
        Metric(
            "onset_abs_offset_ms",
            "Onset offset, absolute",
            "lower",
            "sync",
            "ms",
            1,
            "median of the hits within 100 ms, early or late",
        ),
        Metric("onset_ap_100", "Onset AP, 100 ms", "higher", "sync", about="corrected"),
        Metric("condfoleygen_count", "CondFoleyGen #onset acc", "higher", "sync"),
        Metric("condfoleygen_accuracy", "CondFoleyGen detection acc", "higher", "sync"),
        Metric("condfoleygen_ap", "CondFoleyGen AP", "higher", "sync"),
        Metric("syncfusion_count", "SyncFusion #onset acc", "higher", "sync"),
        Metric("syncfusion_accuracy", "SyncFusion detection acc", "higher", "sync"),
        Metric("syncfusion_ap", "SyncFusion AP", "higher", "sync"),
        Metric("mmaudio_accuracy", "MMAudio onset acc", "higher", "sync"),
        Metric("mmaudio_ap", "MMAudio onset AP", "higher", "sync"),
        Metric("mmaudio_f1", "MMAudio onset F1", "higher", "sync"),
        Metric("tfoley_e_l1", "E-L1 (T-Foley)", "lower", "sync", digits=4),
        Metric("video_foley_e_l1", "E-L1 (Video-Foley)", "lower", "sync", digits=4),
        Metric(
            "envelope_distance",
            "Envelope distance",
            "lower",
            "sync",
            about="of envelopes of equal energy",
        ),
        Metric("envelope_best", "Envelope distance at the best lag", "lower", "sync"),
        Metric("envelope_lag_ms", "Lag of the envelope", "zero", "sync", "ms", 1),
        Metric("av_align", "AV-Align", "higher", "sync", about="exactly as published"),
        *peaks,
        Metric("motion_r", "Motion and sound, r", "higher", "sync", about="at lag 0"),
        Metric("motion_r_peak", "Motion and sound, highest r", "higher", "sync"),
        Metric("motion_lag_ms", "Lag behind motion", "zero", "sync", "ms", 1),
    ]


def _levels() -> list[Metric]:
    return [
        Metric("duration_s", "Duration", "", "levels", "s", 2, "mean"),
        Metric("loudness_lufs", "Loudness", "", "levels", "LUFS", 1, "EBU R 128, mean over files"),
        Metric("true_peak_dbtp", "True peak, highest", "", "levels", "dBTP", 1),
        Metric("phase_coherence", "Phase coherence", "", "levels", about="mean over files"),
        Metric(
            "phase_coherence_chance",
            "Phase coherence of noise",
            "",
            "levels",
            about="of white noise in the same bins",
        ),
        Metric("silent_files", "Silent files", "lower", "levels", digits=0),
        Metric("clipped_files", "Clipped files", "lower", "levels", digits=0),
        Metric(
            "wrong_duration_files",
            "Files of another length",
            "lower",
            "levels",
            digits=0,
            about="more than 50 ms off their real partner",
        ),
        Metric(
            "wrong_rate_files",
            "Files of another sample rate",
            "lower",
            "levels",
            digits=0,
            about="than their real partner",
        ),
    ]


def _pictures() -> list[Metric]:
    return [
        Metric("informativity", "Informativity", "higher", "pictures"),
        Metric("clip_r1", "CLIP R@1", "higher", "pictures", about="class name among all classes"),
        Metric("clip_r5", "CLIP R@5", "higher", "pictures", about="class name among all classes"),
        Metric("clip_rank", "CLIP median rank", "lower", "pictures", digits=1),
    ]


METRICS = {m.key: m for m in (*_sets(), *_pairs(), *_sync(), *_levels(), *_pictures())}
GROUPS = tuple(dict.fromkeys(metric.group for metric in METRICS.values()))
