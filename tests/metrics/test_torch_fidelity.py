"""Inception Score, KID, precision and recall equal torch-fidelity's on the same features."""

from __future__ import annotations

import importlib
import sys
import types

import numpy as np
import pytest
import torch

from foleycli.metrics.feature_matrix import in_canonical_order
from foleycli.metrics.inception_score import inception_score
from foleycli.metrics.kernel_distance import kernel_distance
from foleycli.metrics.neighbours import neighbourhoods

TORCHVISION = ("torchvision", "torchvision.datasets", "torchvision.transforms")


@pytest.fixture(scope="module")
def fidelity() -> types.SimpleNamespace:
    """Its functions of features, imported with an empty torchvision, of which they use nothing."""
    stand_ins = {name: types.ModuleType(name) for name in TORCHVISION}
    functional = types.ModuleType("torchvision.transforms.functional")
    stand_ins[functional.__name__] = functional
    stand_ins["torchvision"].transforms = stand_ins["torchvision.transforms"]  # type: ignore[attr-defined]
    stand_ins["torchvision.transforms"].functional = functional  # type: ignore[attr-defined]
    for name in ("CIFAR10", "STL10", "CIFAR100"):
        setattr(stand_ins["torchvision.datasets"], name, object)
    with pytest.MonkeyPatch.context() as patch:
        for name, module in stand_ins.items():
            patch.setitem(sys.modules, name, module)
        pytest.importorskip("torch_fidelity")
        modules = [
            importlib.import_module(f"torch_fidelity.metric_{m}") for m in "isc kid prc".split()
        ]
    isc, kid, prc = modules
    return types.SimpleNamespace(
        isc=isc.isc_features_to_metric,
        kid=kid.kid_features_to_metric,
        prc=prc.prc_features_to_metric,
    )


def _features(n: int, d: int, seed: int, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return in_canonical_order(np.maximum(scale * rng.standard_normal((n, d)) + 0.3 * seed, 0))


@pytest.mark.parametrize(("splits", "n"), [(1, 50), (10, 203), (7, 203)])
def test_inception_score(fidelity, splits: int, n: int) -> None:
    logits = in_canonical_order(4 * np.random.default_rng(n).standard_normal((n, 12)))
    theirs = fidelity.isc(torch.from_numpy(logits), splits, True, 2020)
    ours = inception_score(logits, splits=splits, seed=2020)
    assert ours.mean == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert ours.std_over_splits == pytest.approx(theirs["inception_score_std"], abs=1e-12)
    unshuffled = fidelity.isc(torch.from_numpy(logits), splits, False, 0)
    assert inception_score(logits, splits=splits, seed=None).mean == pytest.approx(
        unshuffled["inception_score_mean"], rel=1e-12
    )


@pytest.mark.parametrize(("n", "m", "size"), [(150, 120, 100), (60, 1100, 60)])
def test_kernel_distance(fidelity, n: int, m: int, size: int) -> None:
    real, generated = _features(n, 64, 0), _features(m, 64, 1)
    theirs = fidelity.kid(
        torch.from_numpy(generated),
        torch.from_numpy(real),
        kid_subsets=20,
        kid_subset_size=size,
        rng_seed=2020,
        verbose=False,
    )
    ours = kernel_distance(real, generated, subsets=20, size=size)
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-10)
    assert ours.std_over_subsets == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-8)


@pytest.mark.parametrize(("nearest", "scale"), [(3, 1.0), (3, 0.7), (1, 1.4), (8, 0.6)])
def test_precision_and_recall(fidelity, nearest: int, scale: float) -> None:
    real, generated = _features(150, 8, 0), _features(110, 8, 0, scale)
    theirs = fidelity.prc(
        torch.from_numpy(generated),
        torch.from_numpy(real),
        prc_neighborhood=nearest,
        prc_batch_size=64,
        save_cpu_ram=True,
        verbose=False,
    )
    ours = neighbourhoods(real, generated, nearest=nearest)
    assert 0 < ours.precision < 1 or 0 < ours.recall < 1
    assert ours.precision == pytest.approx(theirs["precision"], rel=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], rel=1e-6)
