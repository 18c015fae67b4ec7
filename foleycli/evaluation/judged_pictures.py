"""What referees say of generated pictures: CLIP of class names, and informativity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from foleycli.evaluation.pictures import InformativityJudge, informativity, rank_class_names
from foleycli.evaluation.report import Figure
from foleycli.evaluation.set_figures import Options, attempt, interval_figure
from foleycli.evaluation.sides import Sample
from foleycli.metrics.resampling import wilson_interval
from foleycli.metrics.retrieval import Retrieval
from foleycli.vision.clip_retrieval import ClipRanker

CLIP_RANKS = (1, 5)
Progress = Callable[[int, int], None]


def picture_figures(
    pictures: Sequence[Sample],
    classes: Sequence[str],
    system: str,
    options: Options,
    ranker: ClipRanker | None = None,
    judge: InformativityJudge | None = None,
    progress: Progress | None = None,
) -> list[Figure]:
    """Ask the referees that are at hand.

    Parameters
    ----------
    pictures : sequence of Sample
        Whose labels are the classes that they were made for.
    classes : sequence of str
        All class names that CLIP chooses from.
    """
    vectors, verdicts = [], []
    for done, picture in enumerate(pictures, 1):
        vectors += [ranker.embed_image(picture.path)] if ranker else []
        verdicts += [judge.judge(picture.path, picture.label)] if judge else []
        if progress:
            progress(done, len(pictures))
    labels = [picture.label for picture in pictures]
    figures: list[Figure] = []
    if ranker:

        def ranked() -> list[Figure]:
            if not vectors:
                raise ValueError("no picture has a class")
            names = ranker.embed_classes(classes)
            return _clip(rank_class_names(np.stack(vectors), names, labels, classes), options)

        keys = [*(f"clip_r{k}" for k in CLIP_RANKS), "clip_rank"]
        figures += attempt(keys, system, ranked)
    if judge:
        figures += attempt(
            ["informativity"], system, lambda: _informativity(labels, verdicts, options)
        )
    return [replace(f, system=system) for f in figures if f.metric in options.metrics]


def _clip(found: Retrieval, options: Options) -> list[Figure]:
    count = len(found.ranks)
    figures = [Figure("clip_rank", "", found.median_rank, count=count)]
    for k in CLIP_RANKS:
        if k < found.gallery:
            hits = round(found.recall_at(k) * count)
            share = interval_figure(
                f"clip_r{k}", wilson_interval(hits, count, options.level), count
            )
            figures.append(replace(share, note=f"chance {found.chance_at(k):.3g}"))
        else:
            figures.append(Figure(f"clip_r{k}", "", None, note=f"only {found.gallery} classes"))
    return figures


def _informativity(
    labels: Sequence[str], verdicts: Sequence[bool | None], options: Options
) -> list[Figure]:
    found = informativity(labels, verdicts)
    silent = sum(verdict is None for verdict in verdicts)
    note = f"{silent} pictures are of classes without a network" if silent else ""
    count = int(found.counts.sum())
    figures = [Figure("informativity", "", found.macro, count=count, note=note)]
    for label, hits, own in zip(found.classes, found.hits, found.counts, strict=True):
        share = wilson_interval(int(hits), int(own), options.level)
        figures.append(interval_figure("informativity", share, int(own), label))
    return figures
