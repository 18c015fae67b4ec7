from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.survey.agreement import krippendorff_alpha

# K. Krippendorff, "Computing Krippendorff's alpha-reliability", 2011: his examples A, B and C.
BINARY = ("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0")
NOMINAL = ("a a b b d c c c e d d a", "b a b b b c c c e d d d")
MISSING = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def flat(rows: tuple[str, ...]) -> tuple[list[int], list[str]]:
    cells = [(unit, v) for row in rows for unit, v in enumerate(row.split()) if v != "."]
    return [unit for unit, _ in cells], [value for _, value in cells]


@pytest.mark.parametrize(("rows", "alpha"), [(BINARY, 0.095), (NOMINAL, 0.692)])
def test_alpha_equals_krippendorffs_examples_of_two_observers(
    rows: tuple[str, ...], alpha: float
) -> None:
    units, values = flat(rows)
    found = krippendorff_alpha(units, values, "nominal")
    assert found and round(found.estimate, 3) == alpha


@pytest.mark.parametrize(
    ("measurement", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_equals_krippendorffs_example_of_four_observers_with_gaps(
    measurement: str, alpha: float
) -> None:
    units, values = flat(MISSING)
    found = krippendorff_alpha(units, [int(v) for v in values], measurement)  # type: ignore[arg-type]
    assert found and round(found.estimate, 3) == alpha
    assert found.low < found.estimate < found.high


def pairwise_alpha(rows: np.ndarray) -> float:
    """Alpha of complete interval data from all pairs of ratings, as Krippendorff defines it."""
    within = [(a - b) ** 2 for unit in rows.T for i, a in enumerate(unit) for b in unit[:i]]
    ratings = rows.ravel()
    across = [(a - b) ** 2 for i, a in enumerate(ratings) for b in ratings[:i]]
    return 1 - float(np.mean(within) / np.mean(across))


def test_alpha_is_one_less_the_share_of_disagreement_within_units() -> None:
    rows = np.random.default_rng(0).integers(0, 11, (4, 9)).astype(float) + np.arange(9)
    units = [unit for _ in range(4) for unit in range(9)]
    found = krippendorff_alpha(units, rows.ravel().tolist(), "interval")
    assert found and found.estimate == pytest.approx(pairwise_alpha(rows))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=40))
def test_any_ratings_have_an_alpha_of_at_most_one_or_none(found: list[tuple[int, int]]) -> None:
    units, values = [u for u, _ in found], [v for _, v in found]
    for measurement in ("nominal", "ordinal", "interval"):
        alpha = krippendorff_alpha(units, values, measurement, replicates=50)  # type: ignore[arg-type]
        assert alpha is None or alpha.low <= alpha.high <= 1 + 1e-9
        mixed = krippendorff_alpha(units[::-1], values[::-1], measurement, replicates=50)  # type: ignore[arg-type]
        assert mixed == alpha


def test_full_agreement_is_one_and_chance_is_about_zero() -> None:
    units = [i // 3 for i in range(600)]
    same = krippendorff_alpha(units, [u % 5 for u in units], "ordinal")
    assert same and same.estimate == same.low == same.high == 1
    random = krippendorff_alpha(
        units, np.random.default_rng(0).integers(0, 5, 600).tolist(), "nominal"
    )
    assert random and random.low < 0 < random.high


def test_alpha_is_not_defined_without_pairs_or_differences() -> None:
    assert krippendorff_alpha([], [], "nominal") is None
    assert krippendorff_alpha([1, 2], [3, 4], "interval") is None
    assert krippendorff_alpha([1, 1], [3, 3], "interval") is None
    with pytest.raises(ValueError, match="1 units and 2 values"):
        krippendorff_alpha([1], [3, 3], "interval")


def test_nominal_values_may_be_anything() -> None:
    found = krippendorff_alpha([1, 1, 2, 2], [(0,), (0,), (), True], "nominal")
    assert found and found.estimate < 1
