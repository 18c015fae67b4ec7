"""The timing network: what it can and cannot see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foleycli.models.timing import TimingConfig, TimingEnsemble, TimingNet, normalise

CONFIG = TimingConfig()


def _net(seed: int = 0) -> TimingNet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return TimingNet(CONFIG).eval()


def _features(steps: int = 40, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, CONFIG.features, steps, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("steps", [1, 2, 7, 90])
def test_one_logit_a_step(steps):
    assert _net()(_features(steps)).shape == (1, steps)


def test_which_cell_moves_does_not_matter():
    features = _features()
    cells = features[:, : CONFIG.cells * CONFIG.cell_channels].reshape(
        1, CONFIG.cell_channels, CONFIG.cells, -1
    )
    order = torch.randperm(CONFIG.cells, generator=torch.Generator().manual_seed(1))
    shuffled = torch.cat(
        [cells[:, :, order].reshape(1, -1, 40), features[:, -CONFIG.picture_channels :]], 1
    )
    torch.testing.assert_close(_net()(shuffled), _net()(features))


def test_reach_is_nine_steps_to_either_side():
    features = _features(60)
    changed = features.clone()
    changed[..., 30] += 1
    differs = (_net()(changed) - _net()(features))[0].abs() > 0
    assert differs[30]
    assert differs.nonzero().min() >= 21
    assert differs.nonzero().max() <= 39


def test_an_ensemble_is_the_mean_probability():
    nets = [_net(0), _net(1)]
    tensors = {
        f"net{k}.{name}": t for k, net in enumerate(nets) for name, t in net.state_dict().items()
    }
    ensemble = TimingEnsemble.from_tensors({"network": {}}, tensors)
    mean = torch.stack([net(_features()).sigmoid() for net in nets]).mean(0)
    torch.testing.assert_close(ensemble(_features()), mean)


def test_foreign_tensors_are_refused_in_one_line():
    with pytest.raises(ValueError, match="do not fit") as refused:
        TimingEnsemble.from_tensors({"network": {}}, {"net0.other": torch.zeros(1)})
    assert "\n" not in str(refused.value)


def test_normalised_features_do_not_grow_with_the_motion_but_keep_stillness():
    values = np.random.default_rng(0).standard_normal((50, CONFIG.features)) * 5
    assert np.abs(normalise(values, CONFIG)).max() <= 8
    faint = normalise(values * 1e-4, CONFIG)
    assert np.abs(faint).max() < 0.1
    assert not normalise(np.zeros((3, CONFIG.features)), CONFIG).any()
