"""MKL: SpecVQGAN's sum, its direction, and its pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from foleycli.metrics.divergence import divergence, mean_divergence


def _logits(n: int, seed: int = 0, scale: float = 2.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal((n, 10))


def test_softmax_is_the_published_sum_with_the_small_number_on_the_generated_side() -> None:
    real, generated = torch.from_numpy(_logits(20)), torch.from_numpy(_logits(20, 1))
    log_q = (generated.softmax(dim=1) + 1e-6).log()
    theirs = F.kl_div(log_q, real.softmax(dim=1), reduction="none").sum(dim=1)
    assert divergence(real.numpy(), generated.numpy()) == pytest.approx(theirs.numpy(), rel=1e-10)


def test_sigmoid_is_the_published_sum_without_the_other_term() -> None:
    real, generated = torch.from_numpy(_logits(20)), torch.from_numpy(_logits(20, 1))
    log_q = (generated.sigmoid() + 1e-6).log()
    theirs = F.kl_div(log_q, real.sigmoid(), reduction="none").sum(dim=1)
    ours = divergence(real.numpy(), generated.numpy(), "sigmoid")
    assert ours == pytest.approx(theirs.numpy(), rel=1e-10)
    timid = divergence(_logits(5), _logits(5) + 3, "sigmoid")
    assert timid.max() < 0  # no divergence: a sound in every class would be the best


def test_bernoulli_is_the_divergence_of_independent_labels() -> None:
    real, generated = _logits(20), _logits(20, 1)
    p, q = torch.from_numpy(real).sigmoid(), torch.from_numpy(generated).sigmoid()
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(p), torch.distributions.Bernoulli(q)
    ).sum(dim=1)
    assert divergence(real, generated, "bernoulli") == pytest.approx(theirs.numpy(), rel=1e-3)


def test_the_direction_is_real_against_generated() -> None:
    """A real sound of two classes generated as one costs much; the reverse little."""
    both, one = np.array([[0.0, 0, -50]]), np.array([[0.0, -50, -50]])
    assert divergence(both, one)[0] == pytest.approx(
        0.5 * np.log(0.5e6) - 0.5 * np.log(2), rel=1e-3
    )
    assert divergence(one, both)[0] == pytest.approx(np.log(2), rel=1e-3)


@given(seed=st.integers(0, 50), scale=st.floats(0, 500))
def test_it_is_finite_and_near_the_plain_divergence(seed: int, scale: float) -> None:
    real, generated = _logits(5, seed, scale), _logits(5, seed + 100, scale)
    values = divergence(real, generated)
    plain = rel_entr(softmax(real, axis=1), softmax(generated, axis=1)).sum(axis=1)
    assert np.isfinite(values).all()
    assert (values <= plain + 1e-9).all()
    assert (values >= -1e-5).all()
    assert np.abs(divergence(real, real)).max() < 1.1e-5


@given(seed=st.integers(0, 20))
def test_it_grows_with_added_noise(seed: int) -> None:
    real, noise = _logits(100, seed), _logits(100, seed + 100)
    means = [divergence(real, real + level * noise).mean() for level in (0, 0.3, 1, 3)]
    assert means == sorted(means)


def test_samples_of_a_clip_meet_its_one_recording_whatever_the_order() -> None:
    real, generated = _logits(2), _logits(5, 1)
    stems = ["b_sample_0", "a_sample_1", "a_sample_0", "b_sample_1", "a_sample_2"]
    result = mean_divergence(real, generated, ["a", "b"], stems)
    expected = divergence(real[[0, 0, 0, 1, 1]], generated[[2, 1, 4, 0, 3]])
    assert np.array_equal(result.values, expected)
    assert result.mean == expected.mean()
    order = [3, 0, 4, 2, 1]
    again = mean_divergence(
        real[::-1], generated[order], ["b", "a"], [stems[index] for index in order]
    )
    assert np.array_equal(again.values, result.values)


def test_unpaired_sounds_are_refused_or_left_out() -> None:
    real, generated = _logits(2), _logits(2, 1)
    with pytest.raises(ValueError, match="generated without real: c; real without generated: b"):
        mean_divergence(real, generated, ["a", "b"], ["a", "c"])
    result = mean_divergence(real, generated, ["a", "b"], ["a", "c"], allow_unpaired=True)
    assert np.array_equal(result.values, divergence(real[:1], generated[:1]))
    assert result.pairing.without_real == ("c",)


def test_rows_without_stems_and_unknown_activations_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 2 rows of logits for 2 and 1 stems"):
        mean_divergence(_logits(2), _logits(2), ["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no activation 'relu'"):
        divergence(_logits(2), _logits(2), "relu")  # type: ignore[arg-type]
