"""Starting points."""

import numpy as np
import pytest

from unweave.errors import InvalidInput
from unweave.initialize import METHODS, nndsvd, random_start, truncated_svd


def test_a_random_start_has_the_mean_of_what_it_stands_for(rng: np.random.Generator) -> None:
    V = rng.gamma(0.5, 3.0, (60, 90)).astype(np.float32)
    for seed in range(5):
        bases, activations = random_start(V, 7, np.random.default_rng(seed))
        assert bases.dtype == activations.dtype == np.float32
        assert bases.min() > 0
        assert activations.min() > 0
        assert (bases @ activations).mean() == pytest.approx(V.mean(), rel=0.25)


def test_a_seed_means_the_same_start_in_both_precisions(rng: np.random.Generator) -> None:
    V = rng.random((10, 12))
    double = random_start(V, 3, np.random.default_rng(4))[0]
    single = random_start(V.astype(np.float32), 3, np.random.default_rng(4))[0]
    np.testing.assert_allclose(double, single, rtol=1e-6)


def test_the_truncated_svd_agrees_with_the_whole_one(rng: np.random.Generator) -> None:
    V = rng.random((80, 5)) @ rng.random((5, 120)) + 0.01 * rng.random((80, 120))
    left, values, right = truncated_svd(V, 4, rng)
    U, S, Vt = np.linalg.svd(V, full_matrices=False)
    np.testing.assert_allclose(values, S[:4], rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(left * U[:, :4], axis=0)), 1, rtol=1e-7)
    np.testing.assert_allclose(np.abs(np.sum(right * Vt[:4], axis=1)), 1, rtol=1e-7)


def test_nndsvd_follows_the_paper_and_not_the_signs_of_the_decomposition(rng: np.random.Generator) -> None:
    V = rng.random((30, 40))
    bases, activations = nndsvd(V, 3, np.random.default_rng(0), "nndsvd")
    U, S, Vt = np.linalg.svd(V, full_matrices=False)
    for j in range(3):
        candidates = []
        for sign in (1, -1):
            x, y = np.maximum(sign * U[:, j], 0), np.maximum(sign * Vt[j], 0)
            m = np.linalg.norm(x) * np.linalg.norm(y)
            candidates.append((m, np.outer(x, y) * S[j]))
        expected = max(candidates, key=lambda pair: pair[0])[1]
        np.testing.assert_allclose(np.outer(bases[:, j], activations[j]), expected, atol=1e-8)


def test_the_variants_differ_in_how_they_fill_zeros(rng: np.random.Generator) -> None:
    V = rng.random((30, 40))
    plain, mean, small = (nndsvd(V, 4, np.random.default_rng(0), method)[0] for method in METHODS)
    zeros = plain == 0
    assert zeros.any()
    np.testing.assert_allclose(mean[zeros], 0.3 * np.sqrt(V.mean()))
    assert (small[zeros] > 0).all()
    assert (small[zeros] <= 0.003 * np.sqrt(V.mean())).all()
    np.testing.assert_array_equal(mean[~zeros], plain[~zeros])


def test_more_components_than_singular_values_start_quietly_at_random(rng: np.random.Generator) -> None:
    bases, activations = nndsvd(rng.random((4, 3)), 6, rng)
    assert bases.shape == (4, 6)
    assert activations.shape == (6, 3)
    assert np.isfinite(bases).all()


def test_an_unknown_method_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InvalidInput, match="method='svd' is not one of nndsvd, nndsvda, nndsvdar"):
        nndsvd(rng.random((4, 3)), 2, rng, "svd")  # type: ignore[arg-type]
