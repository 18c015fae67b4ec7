"""What a report says besides its figures: warnings, rows by file, what is missing, the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from foleycli.evaluation.catalogue import METRICS, Metric
from foleycli.evaluation.partners import DIVERGENCES
from foleycli.evaluation.report import Figure
from foleycli.evaluation.samples import EMBEDDING, LOGITS, Samples
from foleycli.evaluation.set_figures import (
    DEFAULT_BINS,
    SAMPLES_A_DIMENSION,
    answers,
)
from foleycli.files.provenance import versions

if TYPE_CHECKING:
    from foleycli.evaluation.evaluate import Evaluation, System

FEW_SAMPLES = 50
DISTANCES = frozenset({"fd", "fd_corrected", "fd_infinity"})
VIDEO_METRICS = frozenset(
    key for key in METRICS if key.startswith(("av_align", "peak_iou", "motion_"))
)


def missing_figures(
    figures: Sequence[Figure], systems: Sequence[System], asked: Evaluation
) -> list[Figure]:
    """Say of every figure that was asked for by name and is not there why."""
    there = {(figure.metric, figure.system) for figure in figures}
    return [
        Figure(key, system.side.name, None, note=_why_missing(METRICS[key], system, asked))
        for system in systems[: len(asked.systems)]
        for key in METRICS
        if key in asked.required and (key, system.side.name) not in there
    ]


def _why_missing(metric: Metric, system: System, asked: Evaluation) -> str:
    if metric.group == "pictures":
        return "needs pictures, and --clip or --informativity"
    if metric.group == "levels" and not system.samples.levels:
        return "embeddings alone have no levels"
    if system.unpaired:
        return system.unpaired
    if metric.key in DIVERGENCES or metric.key.startswith("retrieval"):
        return "needs logits on both sides"
    if not (system.side.files and asked.real.files):
        return "needs the sounds themselves on both sides"
    if metric.key in VIDEO_METRICS:
        return "no picture could be read" if asked.videos else "needs --video"
    return "needs sounds"


def warnings_of(real: Samples, systems: Sequence[System], asked: Evaluation) -> list[str]:
    """Say what a reader must know before believing the figures."""
    found = [
        f"{system.side.name}: no figures of pairs: {system.unpaired}"
        for system in systems
        if system.unpaired
    ]
    found += [
        f"{system.side.name} has no sound for {lacking} clips, which are alone in their class"
        for system in systems
        if system.baseline and (lacking := len(real) - len(system.samples))
    ]
    sizes = [len(real), *(len(system.samples) for system in systems)]
    names = ["real", *(system.side.name for system in systems)]
    named = ", ".join(f"{name} {size}" for name, size in zip(names, sizes, strict=True))
    if min(sizes) < FEW_SAMPLES:
        found.append(f"few samples ({named}): expect wide intervals; aim at {FEW_SAMPLES} or more")
    if len(set(sizes)) > 1:
        found.append(f"sets differ in size ({named}): fd depends on it; compare fd_corrected")
    for system in systems:
        found += _pairing_warnings(real, system)
    distances = DISTANCES & set(asked.options.metrics)
    if EMBEDDING in real.features and distances:
        width = real.features[EMBEDDING].shape[1]
        if min(sizes) < SAMPLES_A_DIMENSION * width:
            found.append(
                f"fewer than {SAMPLES_A_DIMENSION * width} samples for an embedding of {width} "
                "dimensions: Frechet distances stay too large even corrected; see kid, which has "
                "no such bias"
            )
    if distances:
        found.append(
            f"real/real compares {len(real) - len(real) // 2} with {len(real) // 2} files at most: "
            "with fewer files fd is larger for that alone"
        )
    bins = sorted({len(own.counts) for own in asked.bins.values()})
    if bins and bins[0] < DEFAULT_BINS:
        found.append(
            f"ndb: {bins[0]} bins a class, not {DEFAULT_BINS}: see NDB / k, and do not compare NDB "
            "with published tables"
        )
    return found


def _pairing_warnings(real: Samples, system: System) -> list[str]:
    """Say what of a system was left out, is not independent, is the real set, or has collapsed."""
    name, samples, partners = system.side.name, system.samples, system.partners
    found = []
    if partners and not system.baseline:
        lacking = len(partners.pairing.without_generated)
        extra = len(partners.pairing.without_real)
        if lacking or extra:
            found.append(
                f"{name}: figures of pairs leave out {lacking} real files without a generated one "
                f"and {extra} generated ones without a real one"
            )
        if len(set(partners.clips)) < len(partners.clips):
            found.append(
                f"{name} has several samples a clip: intervals of Inception Score and accuracy "
                "take them for independent and are too narrow; R@K takes the first"
            )
    same = sorted((set(samples.sha256) & set(real.sha256)) - {""})
    if same:
        found.append(f"{name}: {len(same)} files are the same bytes as real ones")
    embeddings = samples.features.get(EMBEDDING, np.eye(2))
    if len(embeddings) > 1 and not np.ptp(embeddings, axis=0).any():
        found.append(f"{name}: all files have one embedding: they are all alike")
    if not system.unpaired and not system.side.files and LOGITS in samples.features:
        found.append(f"{name}: no figures of waveforms, as its sounds are not at hand")
    return found


def rows_by_file(system: System) -> list[dict[str, Any]]:
    """One row a generated file: class, answer, levels, scores."""
    samples, rows = system.samples, {row.id: row for row in system.rows}
    try:
        answered: list[str] = answers(samples)
    except ValueError:
        answered = [""] * len(samples)
    found = []
    for i, (own, label) in enumerate(zip(samples.ids, samples.labels, strict=True)):
        row: dict[str, Any] = {"system": system.side.name, "id": own, "label": label}
        row |= {"clip": rows[own].clip if own in rows else "", "answer": answered[i]}
        row |= {
            name: float(column[i]) if np.isfinite(column[i]) else None
            for name, column in samples.levels.items()
        }
        found.append(row | (rows[own].scores if own in rows else {}))
    return found


def manifest_of(real: Samples, systems: Sequence[System], asked: Evaluation) -> dict[str, Any]:
    """How the figures came about: enough to repeat them."""
    options = asked.options
    return {
        "real": _side(real),
        "systems": {system.side.name: _side(system.measured) for system in systems},
        "network": {
            "name": _network_name(real),
            "sha256": real.made_by.get("network_sha256", ""),
            **{key: value for key, value in real.made_by.items() if key != "network_sha256"},
        },
        "referees": [
            referee.describe() for referee in (asked.clip, asked.informativity) if referee
        ],
        "options": asdict(options) | {"metrics": [m for m in METRICS if m in options.metrics]},
        "ndb_bins": {label: len(bins.counts) for label, bins in sorted(asked.bins.items())},
        "baselines": list(asked.baselines),
        "videos": len(asked.videos),
        "allow_unpaired": asked.allow_unpaired,
        "strict": asked.strict,
        "seed": options.seed,
        "level": options.level,
        "version": versions()["foleycli"],
        "versions": versions(),
    }


def _network_name(real: Samples) -> str:
    embedding = real.made_by.get("embedding")
    return str(embedding["architecture"] if isinstance(embedding, dict) else embedding)


def _side(samples: Samples) -> dict[str, Any]:
    return {
        "count": len(samples),
        "failed": len(samples.failures),
        "sha256": samples.list_sha256,
        "measured_sha256": samples.sha256_of_all,
    }
