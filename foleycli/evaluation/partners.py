"""Generated files and the real ones they belong to, by their names; and what compares the two."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.evaluation.report import ALL, Figure
from foleycli.evaluation.samples import EMBEDDING, LOGITS, UNNAMED, Samples
from foleycli.evaluation.set_figures import Options, attempt, mean_figure
from foleycli.metrics.divergence import Activation, divergence
from foleycli.metrics.pairing import Pairing, pair_key, pair_stems
from foleycli.metrics.resampling import Clips
from foleycli.metrics.retrieval import retrieve_pairs

RANKS = (1, 5, 10)
DURATION_TOLERANCE_S = 0.05
DIVERGENCES: dict[str, Activation] = {"mkl": "softmax", "mkl_sigmoid": "sigmoid"}


@dataclass(frozen=True)
class Partners:
    """A generated set and its real partners.

    Attributes
    ----------
    real, generated : Samples
        As measured.
    pairing : Pairing
        Rows that belong together.
    """

    real: Samples
    generated: Samples
    pairing: Pairing

    @property
    def clips(self) -> list[str]:
        """Id of each pair's real file."""
        return [self.real.ids[i] for i in self.pairing.real]

    @property
    def ids(self) -> list[str]:
        """Id of each pair's generated file."""
        return [self.generated.ids[i] for i in self.pairing.generated]

    @property
    def labels(self) -> list[str]:
        """Class of each pair: the generated file's, which is its partner's where it has none."""
        return [self.generated.labels[i] for i in self.pairing.generated]

    def rows(self, feature: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Real and generated rows of a feature, (pairs, d) float64 each."""
        return self._chosen(self.real.feature(feature), self.generated.feature(feature))

    def levels(self, column: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Real and generated values of a level, (pairs,) float64 each."""
        return self._chosen(self.real.levels[column], self.generated.levels[column])

    def _chosen(
        self, real: NDArray[Any], generated: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return (
            real[list(self.pairing.real)].astype(np.float64),
            generated[list(self.pairing.generated)].astype(np.float64),
        )


def find_partners(real: Samples, generated: Samples, *, allow_unpaired: bool = False) -> Partners:
    """Pair files by id, or by name without folder where no id is the same on both sides.

    Files of either side that could not be measured leave their partners out without complaint.

    Raises
    ------
    ValueError
        As :func:`foleycli.metrics.pairing.pair_stems`.
    """
    if all(i.startswith(UNNAMED) for i in (*real.ids, *generated.ids)):
        raise ValueError("embeddings without ids cannot be paired")

    keys = {*generated.ids, *map(pair_key, generated.ids)}
    bare = not keys & set(real.ids)

    def named(ids: Iterable[str]) -> list[str]:
        return [PurePosixPath(i).name if bare else i for i in ids]

    found = pair_stems(named(real.ids), named(generated.ids), allow_unpaired=True)
    left = replace(
        found,
        without_generated=_but(found.without_generated, named(generated.failures)),
        without_real=_but(found.without_real, named(real.failures)),
    )
    if not allow_unpaired and (left.without_generated or left.without_real):
        raise ValueError(
            f"{len(left.without_real)} generated files without real one and "
            f"{len(left.without_generated)} real ones without generated one, as "
            f"{(*left.without_real, *left.without_generated)[0]}; see --allow-unpaired"
        )
    return Partners(real, generated, left)


def _but(left: Sequence[str], failed: Sequence[str]) -> tuple[str, ...]:
    known = {*failed, *map(pair_key, failed)}
    return tuple(stem for stem in left if stem not in known and pair_key(stem) not in known)


def clips_of(real: Samples, generated: Samples, partners: Partners | None) -> Clips | None:
    """Say which files belong together; None where no two do."""
    of_generated = [f"{UNNAMED}{pair_key(i)}" for i in generated.ids]
    if partners is not None:
        for clip, row in zip(partners.clips, partners.pairing.generated, strict=True):
            of_generated[row] = clip
    elif len(set(of_generated)) == len(of_generated):
        return None
    return Clips(real.ids, of_generated)


def with_labels_of_partners(generated: Samples, partners: Partners | None) -> Samples:
    """Give generated files without class that of the real file they belong to."""
    if partners is None or all(generated.labels):
        return generated
    labels = list(generated.labels)
    for real, row in zip(partners.pairing.real, partners.pairing.generated, strict=True):
        labels[row] = labels[row] or partners.real.labels[real]
    return replace(generated, labels=tuple(labels))


@dataclass
class ScoredFile:
    """Scores of one generated file, or of a control.

    Attributes
    ----------
    system : str
    id, clip : str
        Of the file, and of the real file it belongs to.
    label : str
        Class.
    scores : dict
        Key to value; None where undefined.
    """

    system: str
    id: str
    clip: str
    label: str
    scores: dict[str, float | None] = field(default_factory=dict)


def scored_files(partners: Partners, system: str, metrics: Collection[str]) -> list[ScoredFile]:
    """Make a row for every pair, with MKL's terms where they are wanted and there are logits."""
    rows = [
        ScoredFile(system, *names)
        for names in zip(partners.ids, partners.clips, partners.labels, strict=True)
    ]
    both = LOGITS in partners.real.features and LOGITS in partners.generated.features
    for key, activation in DIVERGENCES.items():
        if key in metrics and both:
            values = divergence(*partners.rows(LOGITS), activation)
            for row, value in zip(rows, values.tolist(), strict=True):
                row.scores[key] = value
    return rows


def retrieval_figures(partners: Partners, system: str, options: Options) -> list[Figure]:
    """R@K and median rank: is the real partner the nearest by embedding; one sample a clip."""
    keys = [*(f"retrieval_r{k}" for k in RANKS), "retrieval_rank"]
    wanted = [key for key in keys if key in options.metrics]
    found = attempt(wanted, system, lambda: _retrieval(partners, system)) if wanted else []
    return [figure for figure in found if figure.metric in wanted]


def _retrieval(partners: Partners, system: str) -> list[Figure]:
    first_of_clip = {clip: row for row, clip in reversed(list(enumerate(partners.clips)))}
    rows = sorted(first_of_clip.values())
    if len(rows) < 2:
        raise ValueError("one clip alone cannot be told from others")
    real, generated = (matrix[rows] for matrix in partners.rows(EMBEDDING))
    found, _ = retrieve_pairs(generated, real)
    count = len(rows)
    figures = [Figure("retrieval_rank", system, found.median_rank, count=count)]
    for k in RANKS:
        key = f"retrieval_r{k}"
        if k < count:
            note = f"chance {found.chance_at(k):.3g}"
            figures.append(Figure(key, system, found.recall_at(k), count=count, note=note))
        else:
            figures.append(Figure(key, system, None, note=f"only {count} clips"))
    return figures


def mean_figures(rows: Sequence[ScoredFile], options: Options) -> list[Figure]:
    """Mean of each score of one system over clips, of all and by class.

    Several samples of a clip are averaged first: they are no clips of their own.
    """
    label_of = {row.clip: row.label for row in rows}
    figures = []
    for key in dict.fromkeys(key for row in rows for key in row.scores):
        by_clip = clip_means(rows, key)
        whole = mean_figure(key, rows[0].system, list(by_clip.values()), options)
        if by_clip and len(by_clip) < len(label_of):
            undefined = len(label_of) - len(by_clip)
            whole = replace(whole, note=f"undefined for {undefined} of {len(label_of)} clips")
        figures.append(whole)
        for label in sorted(set(label_of.values()) - {ALL}):
            own = [value for clip, value in by_clip.items() if label_of[clip] == label]
            figures.append(mean_figure(key, rows[0].system, own, options, label))
    return figures


def clip_means(rows: Iterable[ScoredFile], key: str) -> dict[str, float]:
    """Mean of a score over the files of each clip; clips for which it is undefined are missing."""
    found: dict[str, list[float]] = {}
    for row in rows:
        value = row.scores.get(key)
        if value is not None:
            found.setdefault(row.clip, []).append(value)
    return {clip: float(np.mean(own)) for clip, own in found.items()}


def level_figures(
    samples: Samples, system: str, options: Options, partners: Partners | None = None
) -> list[Figure]:
    """Lengths, levels and faults of one set's files."""
    if not samples.levels:
        return []
    figures = []
    for key in ("duration_s", "loudness_lufs", "phase_coherence", "phase_coherence_chance"):
        values = samples.levels[key]
        figures.append(mean_figure(key, system, values[np.isfinite(values)].tolist(), options))
    peaks = samples.levels["true_peak_dbtp"]
    highest = float(np.nanmax(peaks)) if np.isfinite(peaks).any() else None
    note = "" if highest is not None else "undefined for every file"
    figures.append(Figure("true_peak_dbtp", system, highest, count=len(samples), note=note))
    marked = {
        "silent_files": samples.levels["silent_share"] >= 1,
        "clipped_files": samples.levels["clipped_samples"] > 0,
    }
    if partners is not None and partners.real.levels:
        one, other = partners.levels("duration_s")
        marked["wrong_duration_files"] = np.abs(one - other) > DURATION_TOLERANCE_S
        one, other = partners.levels("rate_hz")
        marked["wrong_rate_files"] = one != other
    for key, files in marked.items():
        figures.append(Figure(key, system, float(files.sum()), count=len(files)))
    return [figure for figure in figures if figure.metric in options.metrics]
