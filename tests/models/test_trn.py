"""Temporal relations: published outputs and sizes, tuples, FoleyGAN's sums."""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.trn import (
    MultiScaleTRN,
    RelationConfig,
    SingleScaleTRN,
    TemporalRelations,
    all_tuples,
    random_tuples,
    segment_centres,
)


def _golden(shared: Path, network: torch.nn.Module, name: str, layout: str, shape: list[int]):
    folder = shared / "goldens/foleygan"
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    state = fill["fill_layout"](folder / f"keys/{layout}.json")
    network.load_state_dict({n: torch.from_numpy(t) for n, t in state.items()})
    features = torch.from_numpy(fill["test_input"](f"foleygan/{name}", shape))
    return network, features, np.load(folder / f"{name}.npz")


def test_multi_scale_matches_the_published_code(shared: Path):
    network, features, golden = _golden(
        shared, MultiScaleTRN(), "trn_multiscale", "trn_multiscale_8seg_256_12", [2, 8, 256]
    )
    about = json.loads((shared / "goldens/foleygan/README.json").read_text())
    three = about["networks"]["trn_multiscale"]["three_tuples"]
    with torch.inference_mode():
        every = network(features)
        few = network(features, {int(k): torch.tensor(t) for k, t in three.items()})
    np.testing.assert_allclose(every, golden["scores_all_tuples"], atol=3e-4)
    np.testing.assert_allclose(few, golden["scores_three_tuples"], atol=1e-5)


def test_single_scale_matches_the_published_code(shared: Path):
    network, features, golden = _golden(
        shared, SingleScaleTRN(), "trn_2frame", "trn_2frame_256_12", [3, 2, 256]
    )
    with torch.inference_mode():
        np.testing.assert_allclose(network(features), golden["scores"], atol=3e-6)


def test_foleygan_sizes():
    with torch.device("meta"):
        mtrn = TemporalRelations(RelationConfig())
        trn2 = TemporalRelations(RelationConfig(frames=2, scales=(2,)))
    assert sum(p.numel() for p in mtrn.parameters()) == 18_834_004
    assert sum(p.numel() for p in trn2.parameters()) == 1_117_708


def test_tuples_are_all_ordered_choices():
    assert [len(all_tuples(8, k)) for k in range(8, 1, -1)] == [1, 8, 28, 56, 70, 56, 28]
    assert all_tuples(4, 3).tolist() == [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]


def test_random_tuples_are_distinct_ordered_and_seeded():
    drawn = random_tuples(8, (2, 5, 8), 3, torch.Generator().manual_seed(1))
    again = random_tuples(8, (2, 5, 8), 3, torch.Generator().manual_seed(1))
    for scale, tuples in drawn.items():
        assert tuples.shape == (min(3, math.comb(8, scale)), scale)
        assert len({tuple(t) for t in tuples.tolist()}) == len(tuples)
        assert bool((tuples.diff(dim=1) > 0).all())
        assert torch.equal(tuples, again[scale])


def test_order_of_frames_matters_and_evaluation_repeats():
    network = TemporalRelations(RelationConfig(features=16, classes=3, hidden=8)).eval()
    clip = torch.randn(1, 8, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(clip), network(clip))
    assert not torch.allclose(network(clip), network(clip.flip(1)), atol=1e-4)


def test_sum_is_the_mean_times_the_tuples_inside_h():
    mean = TemporalRelations(RelationConfig(16, 3, frames=4, scales=(2,), hidden=8))
    total = TemporalRelations(RelationConfig(16, 3, 4, (2,), 8, reduce="sum"))
    total.load_state_dict(mean.state_dict())
    clip = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(0))
    bias = mean.h["2"].bias
    torch.testing.assert_close(total(clip) - bias, 6 * (mean(clip) - bias), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_sliding_relations_see_each_run_of_neighbours(width: int):
    config = RelationConfig(features=5, classes=3, frames=width, scales=(width,), hidden=8)
    network = TemporalRelations(config).eval()
    frames = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    slid = network.slide(frames)
    assert slid.shape == (9 - width + 1, 3)
    torch.testing.assert_close(slid[4], network(frames[None, 4 : 4 + width])[0])


def test_segment_centres_as_published():
    assert segment_centres(80, 8).tolist() == [5, 15, 25, 35, 45, 55, 65, 75]
    assert segment_centres(3, 8).tolist() == [0, 0, 0, 1, 1, 2, 2, 2]


def test_scales_beyond_the_frames_are_refused():
    with pytest.raises(ValueError, match="between 1 and 4"):
        RelationConfig(frames=4, scales=(2, 5))
