"""One system against another: whether what parts them may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.partners import ScoredFile, clip_means
from foleycli.evaluation.report import Difference
from foleycli.evaluation.samples import EMBEDDING, Samples
from foleycli.evaluation.set_figures import Options, answers, of_known_classes
from foleycli.metrics.frechet_permutation import frechet_permutation_test
from foleycli.metrics.resampling import permutation_test

FEWEST = 2


def distance_difference(
    real: Samples,
    first: Samples,
    second: Samples,
    names: tuple[str, str],
    options: Options,
    clip_of: Mapping[str, str] | None = None,
) -> list[Difference]:
    """Compare two generated sets by their Frechet distances to the real one.

    Where both have the same files, these change sides by clips: ``clip_of`` names each file's.
    An empty list where a set is too small for it: the figures themselves say so.
    """
    paired = first.ids == second.ids
    clips = [(clip_of or {}).get(i, i) for i in first.ids] if paired else None
    try:
        embeddings = [samples.feature(EMBEDDING) for samples in (real, first, second)]
        found = frechet_permutation_test(
            *embeddings, clips=clips, rounds=options.replicates, seed=options.seed
        )
    except ValueError:
        return []
    return [Difference("fd", *names, found.difference, found.p_value, paired)]


def answered_rows(samples: Samples, rows: Sequence[ScoredFile], system: str) -> list[ScoredFile]:
    """Rows of whether each file is taken for the class meant; none where that cannot be said.

    Files of one clip count as that clip, where ``rows`` say which it is.
    """
    clip_of = {row.id: row.clip for row in rows}
    try:
        known, _ = of_known_classes(samples)
        found = answers(known)
    except ValueError:
        return []
    return [
        ScoredFile(system, i, clip_of.get(i, i), label, {"accuracy_micro": float(label == answer)})
        for i, label, answer in zip(known.ids, known.labels, found, strict=True)
    ]


def score_differences(
    first: Sequence[ScoredFile], second: Sequence[ScoredFile], options: Options
) -> list[Difference]:
    """Compare two systems in every score that both have by file.

    Offsets are compared by how far they are from 0. Where both have the same clips, clips are
    paired, and those in which either score is undefined
    are left out.
    """
    if not first or not second:
        return []
    names = first[0].system, second[0].system
    paired = {row.clip for row in first} == {row.clip for row in second}
    found = []
    for key in dict.fromkeys(key for row in first for key in row.scores):
        a, b = clip_means(first, key), clip_means(second, key)
        if paired:
            shared = sorted(a.keys() & b.keys())
            a, b = ({clip: own[clip] for clip in shared} for own in (a, b))
        if min(len(a), len(b)) < FEWEST:
            continue
        values = [np.array(list(own.values())) for own in (a, b)]
        if METRICS[key].better == "zero":  # early and late are both off
            values = [np.abs(own) for own in values]
        test = permutation_test(
            *values, paired=paired, rounds=options.replicates, seed=options.seed
        )
        found.append(Difference(key, *names, test.difference, test.p_value, paired))
    return found
