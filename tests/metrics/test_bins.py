"""NDB: bins of real vectors, the published test and the exact one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, fisher_exact, norm

from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.metrics.bins import Bins, different_bins, fit_bins, holm


def _vectors(n: int, d: int = 8, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 4 * np.random.default_rng(99).standard_normal((6, d))
    return centres[rng.integers(0, 6, n)] + rng.standard_normal((n, d)) + shift


def _bins(counts: list[int]) -> Bins:
    """Bins on a line at 0, 1, 2 ... with so many real samples each."""
    k = len(counts)
    return Bins(
        np.arange(float(k))[:, None], np.array(counts), np.zeros(1), np.ones(1), np.array([0])
    )


def _generated(counts: list[int]) -> np.ndarray:
    return np.repeat(np.arange(float(len(counts))), counts)[:, None]


@given(seed=st.integers(0, 100), n=st.integers(10, 80), k=st.integers(1, 10))
@settings(max_examples=25)
def test_no_bin_of_a_sample_differs_from_its_own(seed: int, n: int, k: int) -> None:
    vectors = _vectors(n, seed=seed)
    result = different_bins(fit_bins(vectors, k, starts=2), vectors)
    assert result.ndb == result.ndb_holm == result.ndb_benjamini_hochberg == 0
    assert result.divergence == 0
    assert (result.real_counts == result.generated_counts).all()


def test_the_published_test_is_the_pooled_z_test() -> None:
    real, generated = [60, 25, 10, 5], [20, 25, 3, 2]
    result = different_bins(_bins(real), _generated(generated))
    for k, (a, b) in enumerate(zip(real, generated, strict=True)):
        table = [[a, 100 - a], [b, 50 - b]]
        chi_squared = chi2_contingency(table, correction=False).statistic
        assert result.pooled_p[k] == pytest.approx(2 * norm.sf(np.sqrt(chi_squared)), rel=1e-9)
        assert result.exact_p[k] == pytest.approx(fisher_exact(table).pvalue, rel=1e-12)
    assert result.ndb == 2
    shares = np.array(real) / 100, np.array(generated) / 50
    assert result.divergence == pytest.approx(jensenshannon(*shares) ** 2, rel=1e-12)


def test_a_bin_that_is_empty_in_both_sets_does_not_differ() -> None:
    """The published code divides 0 by 0 here."""
    result = different_bins(_bins([50, 0, 50]), _generated([30, 0, 20]))
    assert result.pooled_p[1] == result.exact_p[1] == 1
    assert result.ndb == 0
    assert different_bins(_bins([50]), _generated([20])).pooled_p[0] == 1


def test_the_exact_test_keeps_its_level_where_the_published_one_does_not() -> None:
    """Same distribution, 30 bins of a few samples: any bin reported is a false one."""
    rng = np.random.default_rng(0)
    published, holms = [], []
    for _ in range(100):
        real, generated = rng.multinomial(150, np.full(30, 1 / 30), size=2)
        result = different_bins(_bins(list(real)), _generated(list(generated)))
        published.append(result.ndb)
        holms.append(result.ndb_holm > 0)
    assert 0.5 < np.mean(published) < 3  # one in twenty of 30 bins
    assert np.mean(holms) <= 0.05
    assert result.unreliable > 10


def test_corrections_are_ordered_and_find_a_missing_mode() -> None:
    real, generated = [100] * 10, [0] + [110] * 9
    result = different_bins(_bins(real), _generated(generated))
    assert result.ndb_holm == 1
    assert result.ndb_holm <= result.ndb_benjamini_hochberg <= (result.exact_p < 0.05).sum()
    assert result.unreliable == 0


def test_holms_correction_is_his() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])


def test_bins_are_the_clusters_of_the_data_the_fullest_first() -> None:
    vectors = _vectors(600)
    bins = fit_bins(vectors, 6)
    assert bins.counts.sum() == 600
    assert (np.diff(bins.counts) <= 0).all()
    truth = 4 * np.random.default_rng(99).standard_normal((6, 8))
    found = bins.centres * bins.scale + bins.mean
    nearest = np.linalg.norm(truth[:, None] - found[None], axis=2).min(axis=1)
    assert nearest.max() < 0.5
    labels = bins.nearest(vectors)
    for label in range(6):  # means over all dimensions of what is nearest
        inside = (vectors[labels == label] - bins.mean) / bins.scale
        np.testing.assert_allclose(inside.mean(axis=0), bins.centres[label], atol=1e-9)


def test_many_dimensions_are_clustered_on_a_sixth_of_them() -> None:
    vectors = np.random.default_rng(0).standard_normal((40, 1200))
    bins = fit_bins(vectors, 3, starts=1)
    assert len(bins.dimensions) == 200
    assert len(np.unique(bins.dimensions)) == 200
    assert bins.centres.shape == (3, 1200)
    assert different_bins(bins, vectors).ndb == 0
    assert not np.array_equal(fit_bins(vectors, 3, starts=1, seed=1).dimensions, bins.dimensions)


def test_bins_do_not_depend_on_order_or_units() -> None:
    vectors = _vectors(200)
    bins = fit_bins(vectors, 5)
    shuffled = fit_bins(vectors[::-1], 5)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(vars(bins).values(), vars(shuffled).values(), strict=True)
    )
    units = 10.0 ** np.arange(8)
    other = _vectors(100, seed=1)
    scaled = fit_bins(vectors * units, 5)
    assert np.array_equal(np.sort(scaled.count(other * units)), np.sort(bins.count(other)))


def test_bins_are_saved_and_used_again(tmp_path) -> None:
    bins = fit_bins(_vectors(200), 5)
    save_arrays(tmp_path / "bins.npz", vars(bins), kind="bins", meta={})
    again = Bins(**load_arrays(tmp_path / "bins.npz", "bins")[0])
    other = _vectors(100, seed=1, shift=1)
    a, b = different_bins(bins, other), different_bins(again, other)
    assert np.array_equal(a.exact_p, b.exact_p)
    assert a.divergence == b.divergence > 0


def test_the_divergence_grows_with_added_noise() -> None:
    real, noise = _vectors(1000), _vectors(1000, seed=1)
    bins = fit_bins(real, 20, starts=2)
    results = [different_bins(bins, real + level * noise) for level in (0, 0.5, 2, 6)]
    divergences = [result.divergence for result in results]
    assert divergences == sorted(divergences)
    assert results[-1].ndb_holm > results[0].ndb_holm == 0
    assert divergences[-1] <= np.log(2)


def test_what_does_not_fill_the_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="40 vectors, 1 of them distinct, do not fill 2 bins"):
        fit_bins(np.ones((40, 3)), 2)
    with pytest.raises(ValueError, match="5 vectors, 5 of them distinct, do not fill 6 bins"):
        fit_bins(_vectors(5), 6)
    with pytest.raises(ValueError, match="bins are of width 8, vectors of 7"):
        fit_bins(_vectors(20), 3).count(_vectors(5, d=7))
