"""Figures of a set as a whole, against the real set: distances, scores, bins, accuracy.

A figure that cannot be had from these sets has no value, and a note says why in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from foleycli.evaluation.report import ALL, Figure
from foleycli.evaluation.samples import EMBEDDING, LOGITS, SPECTROGRAM, Samples
from foleycli.metrics.bins import Bins, different_bins, fit_bins
from foleycli.metrics.frechet import frechet_distance
from foleycli.metrics.frechet_sampling import frechet_infinity, frechet_interval
from foleycli.metrics.inception_score import inception_score, inception_score_interval
from foleycli.metrics.kernel_distance import kernel_distance
from foleycli.metrics.neighbours import neighbourhoods
from foleycli.metrics.resampling import Clips, Interval, bootstrap_mean, wilson_interval
from foleycli.metrics.retrieval import label_accuracy
from foleycli.metrics.two_sample import two_sample_test

DEFAULT_BINS = 50
SAMPLES_A_BIN = 20  # real samples that a bin needs on average for its test to find anything
FEWEST_BINS = 5
FILES_A_CLASS = 10  # that a split of the Inception Score should have
SAMPLES_A_DIMENSION = 3  # under this the corrections of distances no longer hold
FEWEST_OF_A_CLASS = 20  # under it no bin could be told apart


@dataclass(frozen=True)
class Options:
    """What decides figures besides the sets.

    Attributes
    ----------
    metrics : collection of str
        Keys of the figures wanted.
    level : float
        Of intervals.
    replicates : int
        Of bootstraps and permutation tests.
    seed : int
    splits : int
        Of the Inception Score.
    bins : int or None
        k of NDB; None takes 50, and fewer where real samples are too few for them.
    bins_by_class : mapping
        k of single classes, which comes first.
    """

    metrics: Collection[str]
    level: float = 0.95
    replicates: int = 1000
    seed: int = 0
    splits: int = 10
    bins: int | None = None
    bins_by_class: Mapping[str, int] = field(default_factory=dict)


def set_figures(
    real: Samples,
    generated: Samples,
    system: str,
    options: Options,
    bins: dict[str, Bins] | None = None,
    clips: Clips | None = None,
) -> list[Figure]:
    """Compare a generated set with the real one.

    Parameters
    ----------
    real, generated : Samples
        Measured alike.
    system : str
        Column of the figures.
    bins : dict, optional
        NDB's bins by class: those that are missing are fitted to the real set and put in.
    clips : Clips, optional
        Which files belong together; None where all are independent.
    """
    bins = {} if bins is None else bins
    both = _Both(real, generated, options, clips)
    figures: list[Figure] = []
    for keys, compute in (
        (("is", "is_corrected"), lambda: scores(generated, options)),
        (("fd",), both.frechet),
        (("fd_corrected",), both.frechet_corrected),
        (("fd_infinity",), both.frechet_infinity),
        (("kid",), both.kernel),
        (("precision", "recall", "density", "coverage"), both.neighbours),
        (("ndb", "ndb_share", "ndb_exact", "jsd"), lambda: ndb(real, generated, options, bins)),
        (("two_sample",), both.two_sample),
        (("accuracy", "accuracy_micro"), lambda: accuracy(generated, options)),
    ):
        wanted = [key for key in keys if key in options.metrics]
        if wanted:
            made = attempt(wanted, system, compute)
            figures += [replace(f, system=system) for f in made if f.metric in wanted]
    return figures


def attempt(
    keys: Sequence[str], system: str, compute: Callable[[], Sequence[Figure]], label: str = ALL
) -> Sequence[Figure]:
    """Compute figures, or say why there are none."""
    try:
        return compute()
    except ValueError as error:
        return [Figure(key, system, None, label=label, note=str(error)) for key in keys]


def interval_figure(metric: str, interval: Interval, count: int, label: str = ALL) -> Figure:
    """Make a figure of an estimate with its interval."""
    return Figure(
        metric, "", interval.estimate, interval.low, interval.high, count=count, label=label
    )


@dataclass(frozen=True)
class _Both:
    """Distances between embeddings of the two sets."""

    real: Samples
    generated: Samples
    options: Options
    clips: Clips | None

    @property
    def embeddings(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        return self.real.feature(EMBEDDING), self.generated.feature(EMBEDDING)

    def frechet(self) -> list[Figure]:
        distance = frechet_distance(*self.embeddings)
        sizes = f"{len(self.generated)} files against {len(self.real)}"
        return [Figure("fd", "", distance, count=len(self.generated), note=sizes)]

    def frechet_corrected(self) -> list[Figure]:
        o = self.options
        found = frechet_interval(
            *self.embeddings, level=o.level, replicates=o.replicates, seed=o.seed, clips=self.clips
        )
        needed = SAMPLES_A_DIMENSION * self.embeddings[0].shape[1]
        few = min(len(self.real), len(self.generated)) < needed
        note = f"still too large: {needed} files would be needed" if few else ""
        return [replace(interval_figure("fd_corrected", found, len(self.generated)), note=note)]

    def frechet_infinity(self) -> list[Figure]:
        found = frechet_infinity(*self.embeddings, seed=self.options.seed, clips=self.clips)
        spread, count = found.spread, len(self.generated)
        return [Figure("fd_infinity", "", found.value, spread=spread, count=count)]

    def kernel(self) -> list[Figure]:
        found = kernel_distance(*self.embeddings, level=self.options.level, clips=self.clips)
        figure = interval_figure("kid", found.whole, len(self.generated))
        all_of_it = found.subset_size == max(map(len, self.embeddings))
        return [replace(figure, spread=None if all_of_it else found.std_over_subsets)]

    def neighbours(self) -> list[Figure]:
        found = neighbourhoods(*self.embeddings)
        return [
            Figure(name, "", getattr(found, name), count=len(self.generated))
            for name in ("precision", "recall", "density", "coverage")
        ]

    def two_sample(self) -> list[Figure]:
        o = self.options
        found = two_sample_test(*self.embeddings, level=o.level, seed=o.seed, clips=self.clips)
        return [interval_figure("two_sample", found.accuracy, found.count)]


def scores(samples: Samples, options: Options) -> list[Figure]:
    """Inception Score of one set."""
    logits = samples.feature(LOGITS)
    splits = min(options.splits, len(logits))
    found = inception_score(logits, splits=splits)
    corrected = inception_score_interval(
        logits, level=options.level, replicates=options.replicates, seed=options.seed
    )
    least = FILES_A_CLASS * logits.shape[1]
    small = found.smallest_split < least
    note = f"splits of {found.smallest_split} files are too small, see corrected" if small else ""
    return [
        Figure("is", "", found.mean, spread=found.std_over_splits, count=len(logits), note=note),
        interval_figure("is_corrected", corrected, len(logits)),
    ]


def ndb(real: Samples, generated: Samples, options: Options, bins: dict[str, Bins]) -> list[Figure]:
    """NDB of each class, and the averages over classes, which are FoleyGAN's.

    Classes of under 20 real files, and those of which nothing was generated, are left out; where no
    class is left, all files together take the place of one.

    Raises
    ------
    ValueError
        When there are too few real files even then.
    """
    made = set(generated.labels)
    large = [name for name in real.classes if real.labels.count(name) >= FEWEST_OF_A_CLASS]
    shared = [name for name in large if name in made]
    by_class = [
        list(_ndb_of(name, real.of_class(name), generated.of_class(name), options, bins))
        for name in shared
    ]
    small, none_made = len(real.classes) - len(large), len(large) - len(shared)
    notes = [
        *([f"{small} classes of under {FEWEST_OF_A_CLASS} real files"] if small else []),
        *([f"{none_made} of which nothing was generated"] if none_made else []),
    ]
    note = f"without {' and '.join(notes)}" if notes else ""
    if not by_class:
        by_class = [list(_ndb_of(ALL, real, generated, options, bins))]
        note = f"of all files together: there are only {' and '.join(notes)}" if notes else ""
    ks = sorted({len(own.counts) for label, own in bins.items() if label in (shared or [ALL])})
    note = "; ".join(filter(None, [f"k = {' to '.join(map(str, {ks[0], ks[-1]}))}", note]))
    figures = []
    for column in zip(*by_class, strict=True):
        mean = float(np.mean([figure.value for figure in column]))
        count = sum(figure.count for figure in column)
        figures.append(Figure(column[0].metric, "", mean, count=count, note=note))
    return figures + [f for own in by_class for f in own if f.label != ALL]


def bins_for(count: int, asked: int | None) -> int:
    """How many bins: those asked for, else 50, or fewer where a bin would get under 20 samples."""
    return asked or min(DEFAULT_BINS, max(FEWEST_BINS, count // SAMPLES_A_BIN))


def _ndb_of(
    label: str, real: Samples, generated: Samples, options: Options, bins: dict[str, Bins]
) -> Iterator[Figure]:
    if label not in bins:
        k = options.bins_by_class.get(label) or bins_for(len(real), options.bins)
        bins[label] = fit_bins(real.feature(SPECTROGRAM), k, seed=options.seed)
    found = different_bins(bins[label], generated.feature(SPECTROGRAM))
    k = len(bins[label].counts)
    unsure = f"{found.unreliable} bins expect under 5 files" if found.unreliable else ""
    for metric, value in (
        ("ndb", found.ndb),
        ("ndb_share", found.ndb / k),
        ("ndb_exact", found.ndb_holm),
        ("jsd", found.divergence),
    ):
        count = len(generated)
        yield Figure(metric, "", float(value), count=count, label=label, note=unsure)


def accuracy(samples: Samples, options: Options) -> list[Figure]:
    """Share of a set that is taken for the class meant: of all, by class, and their mean.

    Files without class, and classes that the network does not know, are left out and named.

    Raises
    ------
    ValueError
        When nothing is left.
    """
    known, note = of_known_classes(samples)
    meant, found = known.labels, answers(known)
    right = label_accuracy(meant, found)
    hits = np.array(meant) == np.array(found)
    share = wilson_interval(int(hits.sum()), len(hits), options.level)
    figures = [
        replace(_macro(hits, meant, options), note=note),
        replace(interval_figure("accuracy_micro", share, len(hits)), note=note),
    ]
    for label, hit, count in zip(right.classes, right.hits, right.counts, strict=True):
        share = wilson_interval(int(hit), int(count), options.level)
        figures.append(interval_figure("accuracy", share, int(count), label))
    return figures


def of_known_classes(samples: Samples) -> tuple[Samples, str]:
    """Files whose class the network knows, and a note on the others.

    Raises
    ------
    ValueError
        When there are none.
    """
    known = set(samples.made_by.get("classes") or ())
    unknown = sorted(set(samples.labels) - known - {ALL})
    unnamed = samples.labels.count(ALL)
    notes = [
        *([f"{', '.join(unknown)}, which the network does not know"] if unknown else []),
        *([f"{unnamed} files without class"] if unnamed else []),
    ]
    note = f"without {' and '.join(notes)}" if notes else ""
    kept = samples.take([i for i, label in enumerate(samples.labels) if label in known])
    if not len(kept):
        raise ValueError(
            f"{note}: nothing is left; put files into a folder a class, "
            "and see foley train classifier for other classes"
        )
    return kept, note


def answers(samples: Samples) -> list[str]:
    """Class with the highest logit, file by file; raises ValueError without logits or names."""
    classes = samples.made_by.get("classes") or []
    logits = samples.feature(LOGITS)
    if len(classes) != logits.shape[1]:
        raise ValueError(f"{logits.shape[1]} logits and {len(classes)} names of classes")
    return [classes[i] for i in logits.argmax(axis=1)]


def _macro(hits: np.ndarray, meant: Sequence[str], options: Options) -> Figure:
    """Mean over classes; its interval puts Wilson's of the classes together (MOVER).

    G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", 2008.
    """
    labels = np.array(meant)
    shares = [
        wilson_interval(int(own.sum()), len(own), options.level)
        for own in (hits[labels == label] for label in sorted(set(meant)))
    ]
    value = float(np.mean([share.estimate for share in shares]))
    below = np.sqrt(sum((share.estimate - share.low) ** 2 for share in shares)) / len(shares)
    above = np.sqrt(sum((share.high - share.estimate) ** 2 for share in shares)) / len(shares)
    return Figure("accuracy", "", value, value - below, value + above, count=len(hits))


def mean_figure(
    metric: str, system: str, values: Sequence[float], options: Options, label: str = ALL
) -> Figure:
    """Mean of a score over files, with its bootstrap interval where there are two or more."""
    if not values:
        return Figure(metric, system, None, label=label, note="undefined for every file")
    if len(values) == 1:
        return Figure(metric, system, float(values[0]), count=1, label=label)
    found = bootstrap_mean(
        np.array(values, np.float64),
        level=options.level,
        replicates=options.replicates,
        seed=options.seed,
    )
    return replace(interval_figure(metric, found, len(values), label), system=system)
