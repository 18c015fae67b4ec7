"""The order of codes: column by column, as published, for any number of columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.models.code_order import column_major, to_grid, to_sequence


def test_order_is_the_published_one(shared: Path):
    golden = np.load(shared / "goldens/specvqgan/permuter_column_major.npz")
    ours = column_major(5, 53)
    assert np.array_equal(ours, golden["forward_shuffle_idx"])
    assert np.array_equal(ours.argsort(), golden["backward_shuffle_idx"])
    assert np.array_equal(column_major(5, 106), golden["forward_width_106"])


def test_sequence_is_the_grid_in_the_published_order():
    grid = torch.randint(0, 99, (2, 5, 7))
    assert torch.equal(to_sequence(grid), grid.flatten(1)[:, column_major(5, 7)])


@pytest.mark.parametrize("columns", [1, 3, 53, 60])
def test_there_and_back_is_the_same_grid(columns: int):
    grid = torch.randint(0, 99, (2, 3, 5, columns))
    assert torch.equal(to_grid(to_sequence(grid), rows=5), grid)


def test_a_longer_sequence_begins_as_a_shorter_one():
    grid = torch.randint(0, 99, (5, 9))
    assert torch.equal(to_sequence(grid)[:20], to_sequence(grid[:, :4]))


def test_codes_that_do_not_fill_their_columns_are_refused():
    with pytest.raises(ValueError, match="12 codes do not fill columns of 5"):
        to_grid(torch.zeros(12), rows=5)
