"""Retrieval: ranks, chance and labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, recall_score, top_k_accuracy_score

from foleycli.metrics.retrieval import (
    Retrieval,
    label_accuracy,
    rank_by_similarity,
    retrieve_pairs,
)


def test_ranks_count_what_is_nearer() -> None:
    similarity = np.array([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.9, 0.1, 0.5]])
    result = rank_by_similarity(similarity, np.eye(3, dtype=bool))
    assert list(result.ranks) == [1, 3, 2]
    assert result.median_rank == 2
    assert [result.recall_at(k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("k", [1, 5, 10])
def test_it_is_scikit_learns_top_k_accuracy(k: int) -> None:
    """As CLIP R@K is: queries are images, columns class names."""
    rng = np.random.default_rng(0)
    similarity, labels = rng.standard_normal((80, 20)), rng.integers(0, 20, 80)
    result = rank_by_similarity(similarity, labels[:, None] == np.arange(20))
    expected = top_k_accuracy_score(labels, similarity, k=k, labels=np.arange(20))
    assert result.recall_at(k) == pytest.approx(expected)
    assert result.chance_at(k) == pytest.approx(k / 20)


def test_ties_take_the_mean_rank_so_that_a_constant_finds_nothing() -> None:
    result = rank_by_similarity(np.zeros((4, 9)), np.arange(9) == np.arange(4)[:, None])
    assert (result.ranks == 5).all()
    assert result.median_rank == result.chance_rank == 5
    assert result.recall_at(1) == 0


@given(seed=st.integers(0, 20), each=st.integers(1, 4), k=st.integers(1, 12))
def test_chance_is_what_random_similarities_reach(seed: int, each: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    right = np.zeros((1000, 12), bool)
    right[:, :each] = True
    result = rank_by_similarity(rng.standard_normal((1000, 12)), right)
    assert result.recall_at(k) == pytest.approx(result.chance_at(k), abs=0.07)
    assert result.ranks.mean() == pytest.approx(result.chance_rank, abs=0.5)


def test_the_best_of_several_right_items_counts() -> None:
    right = np.array([[True, False, True, False]])
    assert rank_by_similarity(np.array([[0.1, 0.2, 0.9, 0.3]]), right).ranks[0] == 1
    tied = rank_by_similarity(np.array([[0.5, 0.5, 0.5, 0.9]]), right)
    assert tied.ranks[0] == pytest.approx(2 + 1 / 3)  # of 3 orders of one wrong among two right


def test_pairs_are_found_both_ways_and_shuffled_ones_by_chance() -> None:
    rng = np.random.default_rng(0)
    sounds = rng.standard_normal((200, 16))
    images = 3 * sounds + 0.5 * rng.standard_normal((200, 16))
    there, back = retrieve_pairs(sounds, images)
    assert min(there.recall_at(1), back.recall_at(1)) > 0.95
    assert not np.array_equal(there.ranks, retrieve_pairs(sounds, images[::-1])[0].ranks)
    shuffled, _ = retrieve_pairs(sounds, rng.permutation(images))
    assert shuffled.recall_at(10) == pytest.approx(shuffled.chance_at(10), abs=0.05)
    assert shuffled.median_rank == pytest.approx(shuffled.chance_rank, abs=25)


@given(seed=st.integers(0, 20))
def test_the_order_of_pairs_changes_nothing_and_noise_lowers_recall(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, noise = rng.standard_normal((60, 8)), rng.standard_normal((60, 8))
    order = rng.permutation(60)
    ranks = retrieve_pairs(a, a + noise)[0].ranks
    assert np.array_equal(retrieve_pairs(a[order], (a + noise)[order])[0].ranks, ranks[order])
    recalls = [retrieve_pairs(a, a + level * noise)[0].recall_at(1) for level in (0, 1, 10)]
    assert recalls[0] == 1
    assert recalls == sorted(recalls, reverse=True)


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(ValueError, match="no item is right for query 1"):
        rank_by_similarity(np.zeros((2, 2)), np.array([[True, False], [False, False]]))
    with pytest.raises(ValueError, match=r"similarities are \(2, 2\), right items \(2, 3\)"):
        rank_by_similarity(np.zeros((2, 2)), np.ones((2, 3), bool))
    with pytest.raises(ValueError, match="features of row 1 are zero"):
        retrieve_pairs(np.array([[1.0, 0], [0, 0]]), np.ones((2, 2)))
    with pytest.raises(ValueError, match="differ in number: 2 and 3"):
        retrieve_pairs(np.ones((2, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="R@11 of a gallery of 10"):
        Retrieval(np.ones(3), np.ones(3, np.int64), 10).recall_at(11)


def test_label_accuracy_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    names = np.array(["dog", "rain", "clock"])
    meant = names[rng.choice(3, 100, p=[0.6, 0.3, 0.1])]
    found = np.where(rng.random(100) < 0.7, meant, names[rng.integers(0, 3, 100)])
    result = label_accuracy(list(meant), list(found))
    assert result.classes == ("clock", "dog", "rain")
    assert result.per_class == pytest.approx(recall_score(meant, found, average=None))
    assert result.macro == pytest.approx(balanced_accuracy_score(meant, found))
    assert result.micro == pytest.approx((meant == found).mean())
    assert result.macro != pytest.approx(result.micro)


def test_a_class_never_seen_is_named() -> None:
    with pytest.raises(ValueError, match="no sample of class fire, rain"):
        label_accuracy(["dog"], ["dog"], ["dog", "rain", "fire"])
    with pytest.raises(ValueError, match="samples of unknown class cat"):
        label_accuracy(["dog", "cat"], ["dog", "dog"], ["dog"])
    with pytest.raises(ValueError, match="for each one meant: 2 and 1"):
        label_accuracy(["dog", "cat"], ["dog"])
    assert label_accuracy(["dog"], ["a class outside"], ["dog"]).macro == 0
