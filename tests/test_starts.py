"""Starting points, and how many components a coverage asks for."""

from typing import Any

import numpy as np
import pytest

from unweave import nmf
from unweave.errors import InvalidInput
from unweave.starts import (
    METHODS,
    Method,
    count_by_coverage,
    coverage_curve,
    from_svd,
    nndsvd,
    random_start,
    truncated_svd,
)


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


# ---------------------------------------------------------------- factors of singular pairs


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


@pytest.mark.parametrize("method", METHODS)
def test_flucoma_defect_2_the_signs_of_the_singular_pairs_change_nothing(
    method: Method, rng: np.random.Generator
) -> None:
    def made(left: Any, values: Any, right: Any) -> Any:
        return from_svd(
            left, values, right, 6, mean=0.5, rng=np.random.default_rng(1), method=method, dtype=np.dtype(np.float64)
        )

    for V in (rng.random((30, 40)), np.array([[2.0, 1], [1, 2]]), np.eye(6)):
        left, values, right = np.linalg.svd(V, full_matrices=False)
        plain = made(left, values, right)
        for _ in range(4):
            signs = rng.choice([-1.0, 1.0], values.size)
            flipped = made(left * signs, values, right * signs[:, None])
            for one, other in zip(plain, flipped, strict=True):
                np.testing.assert_allclose(other, one, rtol=1e-12, atol=0)


def test_the_norm_that_flucoma_takes_would_choose_another_part() -> None:
    # The negative parts of this pair: a long x with a short y. FluCoMa weighs |x-| |x-| = 0.8 and takes them.
    u, q = np.array([0.447, -0.894]), np.array([0.994, -0.105])
    bases, _ = from_svd(
        np.stack([[1.0, 1.0], u], axis=1),
        np.array([2.0, 1.0]),
        np.stack([[1.0, 1.0], q]),
        2,
        mean=1,
        rng=np.random.default_rng(0),
        method="nndsvd",
        dtype=np.dtype(np.float64),
    )
    assert bases[0, 1] > 0
    assert bases[1, 1] == 0


def test_nmf_svd_is_the_decomposition_without_its_signs(rng: np.random.Generator) -> None:
    V = rng.random((12, 9))
    bases, activations = nndsvd(V, 4, rng, "nmf-svd")
    U, S, Vt = np.linalg.svd(V, full_matrices=False)
    np.testing.assert_allclose(bases, np.abs(U[:, :4]) * np.sqrt(S[:4]), atol=1e-12)
    np.testing.assert_allclose(activations, np.abs(Vt[:4]) * np.sqrt(S[:4, None]), atol=1e-12)


def test_the_variants_differ_in_how_they_fill_zeros(rng: np.random.Generator) -> None:
    V = rng.random((30, 40))
    small, mean, plain = (nndsvd(V, 4, np.random.default_rng(0), method)[0] for method in METHODS[1:])
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


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_a_start_that_a_factorisation_goes_on_from(method: Method, rng: np.random.Generator) -> None:
    V = rng.random((20, 3)) @ rng.random((3, 50))
    found = nmf(V, 3, start=method, max_iter=300)
    assert found.divergences[-1] < 0.5 * found.divergences[0]


def test_an_unknown_method_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InvalidInput, match="method='svd' is not one of nmf-svd, nndsvdar, nndsvda, nndsvd"):
        nndsvd(rng.random((4, 3)), 2, rng, "svd")  # type: ignore[arg-type]


# ---------------------------------------------------------------- coverage


def test_the_fewest_values_that_make_up_the_share_are_counted() -> None:
    values = [4.0, 3, 2, 1]
    assert [count_by_coverage(values, share) for share in (0, 0.4, 0.41, 0.7, 0.9, 0.91, 1)] == [1, 1, 2, 2, 3, 4, 4]
    energy = [count_by_coverage(values, share, count="energy") for share in (0, 0.53, 0.54, 0.83, 0.84, 1)]
    assert energy == [1, 1, 2, 2, 3, 4]


def test_the_number_stays_within_its_bounds() -> None:
    values = np.ones(10)
    assert count_by_coverage(values, 0.5) == 5
    assert count_by_coverage(values, 0.5, min_components=7) == 7
    assert count_by_coverage(values, 0.5, max_components=3) == 3
    assert count_by_coverage(values, 0, min_components=2) == 2
    assert count_by_coverage([1.0, 0, 0], 1) == 1


@pytest.mark.parametrize("values", [[], [0.0, 0.0]])
def test_silence_needs_the_fewest(values: list[float]) -> None:
    assert count_by_coverage(values, 0.9, min_components=3) == 3
    assert coverage_curve(values).tolist() == values


def test_a_curve_does_not_depend_on_the_unit() -> None:
    values = np.array([3.0, 2, 1])
    for unit in (1e-200, 1e200):
        np.testing.assert_allclose(coverage_curve(values * unit, "energy"), coverage_curve(values, "energy"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"coverage": 1.1}, r"coverage=1\.1 is not a share from 0 to 1"),
        ({"coverage": float("nan")}, "coverage=nan is not a share"),
        ({"coverage": "all"}, "coverage='all' is not a share"),
        ({"count": "power"}, "count='power' is not one of values, energy"),
        ({"min_components": 0}, "min_components=0 is not a whole number of at least 1"),
        ({"max_components": 2.5}, r"max_components=2\.5 is not a whole number"),
        ({"min_components": 5, "max_components": 3}, "min_components=5 is more than max_components=3"),
    ],
)
def test_what_is_no_coverage_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        count_by_coverage([2.0, 1.0], **options)


@pytest.mark.parametrize("values", [[[1.0]], [1.0, -1.0], [np.nan]])
def test_what_are_no_singular_values_is_refused(values: Any) -> None:
    with pytest.raises(InvalidInput, match="values are no singular values"):
        coverage_curve(values)
