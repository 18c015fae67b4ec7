"""MKL: how far a classifier's view of a generated sound lies from its view of the real one.

    KL(real || generated) = sum_y p(y) (log p(y) - log(q(y) + 1e-6))

mean over all generated samples, each paired with its clip's real sound, in nats; V. Iashin and
E. Rahtu, "Taming Visually Guided Sound Generation", 2021, section 4, and their evaluation code. The
small number stands on the generated side alone, so that equal views score slightly under 0. With
``sigmoid`` the same sum runs over independent labels (audioldm_eval, av-benchmark), as it is
published: without the (1 - p) term it is no divergence and may be far under 0. ``bernoulli`` has
that term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax

from foleycli.metrics.feature_matrix import Features, two_feature_matrices
from foleycli.metrics.pairing import Pairing, pair_stems

Activation = Literal["softmax", "sigmoid", "bernoulli"]
Matrix = NDArray[np.float64]
_FLOOR = 1e-6


@dataclass(frozen=True)
class MeanDivergence:
    """Divergence of each pair.

    Attributes
    ----------
    values : (pairs,) float64
        In nats.
    pairing : Pairing
        Which rows each value compares, and what was left over.
    """

    values: NDArray[np.float64]
    pairing: Pairing

    @property
    def mean(self) -> float:
        """Mean over generated samples: MKL."""
        return float(self.values.mean())


def mean_divergence(
    real_logits: Features,
    generated_logits: Features,
    real_stems: Sequence[str],
    generated_stems: Sequence[str],
    *,
    activation: Activation = "softmax",
    allow_unpaired: bool = False,
) -> MeanDivergence:
    """Divergence of generated samples from the real sounds whose stems they share.

    Parameters
    ----------
    real_logits, generated_logits : (n, classes), (m, classes) float
    real_stems, generated_stems : n and m str
        Names without suffix; ``_sample_`` tells several samples of a clip apart.
    activation : {"softmax", "sigmoid", "bernoulli"}
    allow_unpaired : bool
        Leave out what has no partner.

    Raises
    ------
    ValueError
        When files are unpaired, as :func:`foleycli.metrics.pairing.pair_stems` tells, or logits do
        not fit the stems or each other.
    """
    real, generated = two_feature_matrices(real_logits, generated_logits)
    if (len(real), len(generated)) != (len(real_stems), len(generated_stems)):
        raise ValueError(
            f"{len(real)} and {len(generated)} rows of logits for {len(real_stems)} and "
            f"{len(generated_stems)} stems"
        )
    pairing = pair_stems(real_stems, generated_stems, allow_unpaired=allow_unpaired)
    p, q = real[list(pairing.real)], generated[list(pairing.generated)]
    return MeanDivergence(divergence(p, q, activation), pairing)


def divergence(
    real_logits: Matrix, generated_logits: Matrix, activation: Activation = "softmax"
) -> NDArray[np.float64]:
    """Divergence of generated views from real ones, row by row.

    Parameters
    ----------
    real_logits, generated_logits : (n, classes) float64

    Returns
    -------
    (n,) float64
        In nats.

    Raises
    ------
    ValueError
        When the activation is not known.
    """
    if activation == "softmax":
        terms = _terms(log_softmax(real_logits, axis=1), softmax(generated_logits, axis=1))
    elif activation in ("sigmoid", "bernoulli"):
        terms = _terms(log_expit(real_logits), expit(generated_logits))
        if activation == "bernoulli":
            terms += _terms(log_expit(-real_logits), expit(-generated_logits))
    else:
        raise ValueError(f"no activation {activation!r}: softmax, sigmoid or bernoulli")
    values: NDArray[np.float64] = terms.sum(axis=1)
    return values


def _terms(log_p: Matrix, q: Matrix) -> Matrix:
    terms: Matrix = np.exp(log_p) * (log_p - np.log(q + _FLOOR))
    return terms
