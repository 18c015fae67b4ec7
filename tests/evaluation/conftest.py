"""Sets whose files never were: features drawn at random, classes known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from foleycli.evaluation.samples import Samples
from foleycli.evaluation.sides import Side

CLASSES = ("dog", "rain")
MADE_BY = {"kind": "sounds", "network_sha256": "5" * 64, "classes": [*CLASSES, "siren"]}


class MakeSamples(Protocol):
    def __call__(
        self,
        count: int = 24,
        *,
        seed: int = 0,
        shift: float = 0.0,
        ids: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        hits: Sequence[bool] | None = None,
    ) -> Samples: ...


@pytest.fixture(scope="session")
def make_samples() -> MakeSamples:
    """Make a set of two classes that take turns; logits hit the class unless ``hits`` says no."""

    def made(count=24, *, seed=0, shift=0.0, ids=None, labels=None, hits=None) -> Samples:
        rng = np.random.default_rng(seed)
        names = ids or [f"clip_{i:03}" for i in range(count)]
        meant = labels or [CLASSES[i % 2] for i in range(count)]
        rows = []
        for i, (name, label) in enumerate(zip(names, meant, strict=True)):
            logits = rng.standard_normal(3) / 4
            at = MADE_BY["classes"].index(label) if label in MADE_BY["classes"] else 0
            logits[at if hits is None or hits[i] else at - 1] += 4
            rows.append(
                {
                    "id": name,
                    "label": label,
                    "sha256": f"{i:064x}",
                    "features": {
                        "embedding": rng.standard_normal(6) + shift,
                        "logits": logits,
                        "spectrogram": rng.standard_normal(12) + shift,
                    },
                    "levels": {
                        "rate_hz": 22_050,
                        "channels": 1,
                        "duration_s": 1 + i / 8,
                        "silent_share": 1.0 if i == 1 else 0.0,
                        "clipped_samples": 7 * (i in (0, 3)),
                        "loudness_lufs": None if i == 1 else -20.0 - i,
                        "true_peak_dbtp": None if i == 1 else -1.0 - i,
                        "phase_coherence": None if i == 1 else 0.5,
                        "phase_coherence_chance": None if i == 1 else 0.4,
                    },
                }
            )
        return Samples.of(rows, MADE_BY)

    return made


@pytest.fixture
def kept(tmp_path: Path):
    """Put sets into files, so that no network is needed."""

    def side(name: str, samples: Samples) -> Side:
        path = tmp_path / f"{name}.npz"
        samples.save(path)
        return Side(name, (), (path,))

    return side
