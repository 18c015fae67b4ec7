"""Pairs are found by name, and what has no partner is named."""

from __future__ import annotations

import pytest

from foleycli.metrics.pairing import pair_key, pair_stems


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("dog_12_sample_0", "dog_12"),
        ("dog_12", "dog_12"),
        ("-x_sample_rate_sample_10", "-x_sample_rate"),
        ("a_sample_b_c", "a_sample_b_c"),
    ],
)
def test_the_key_is_what_stands_before_the_sample(stem: str, key: str) -> None:
    assert pair_key(stem) == key


def test_several_samples_belong_to_one_recording_in_order_of_name() -> None:
    real = ["rain_2", "dog_1"]
    generated = ["rain_2_sample_1", "dog_1", "rain_2_sample_0"]
    pairing = pair_stems(real, generated)
    assert [
        (real[i], generated[j]) for i, j in zip(pairing.real, pairing.generated, strict=True)
    ] == [
        ("dog_1", "dog_1"),
        ("rain_2", "rain_2_sample_0"),
        ("rain_2", "rain_2_sample_1"),
    ]


def test_a_recording_of_the_very_name_comes_first() -> None:
    assert pair_stems(["a", "a_sample_1"], ["a", "a_sample_1"]).real == (0, 1)


def test_what_is_left_over_is_named_unless_allowed() -> None:
    real, generated = ["a", "b"], ["a_sample_0", "c_sample_0"]
    with pytest.raises(ValueError, match=r"generated without real: c_sample_0; real without .*: b"):
        pair_stems(real, generated)
    pairing = pair_stems(real, generated, allow_unpaired=True)
    assert (pairing.real, pairing.generated) == ((0,), (0,))
    assert pairing.without_generated == ("b",)
    assert pairing.without_real == ("c_sample_0",)


def test_a_long_list_is_cut_and_counted() -> None:
    with pytest.raises(ValueError, match=r"real without generated: a0, a1, a2, a3, a4 and 3 more"):
        pair_stems([f"a{k}" for k in range(8)] + ["x"], ["x"])


def test_nothing_paired_and_names_used_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="no generated sample has a real recording: b"):
        pair_stems(["a"], ["b"], allow_unpaired=True)
    with pytest.raises(ValueError, match="several real files share a stem: a"):
        pair_stems(["a", "a"], ["a"])
    with pytest.raises(ValueError, match="several generated files share a stem: a"):
        pair_stems(["a"], ["a", "a"])
