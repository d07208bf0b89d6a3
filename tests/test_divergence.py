"""The β-divergence against its definition, entry by entry."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.divergence import BETAS, beta_divergence, floored, monotone_exponent
from unweave.errors import Incompatible, InvalidInput


def _definition(v: float, y: float, beta: float) -> float:
    if beta == 1:
        return (v * math.log(v / y) if v else 0.0) - v + y
    if beta == 0:
        return v / y - math.log(v / y) - 1
    return (v**beta + (beta - 1) * y**beta - beta * v * y ** (beta - 1)) / (beta * (beta - 1))


@pytest.mark.parametrize("beta", [-1.0, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_it_follows_its_definition(rng: np.random.Generator, beta: float) -> None:
    V, Y = rng.random((6, 5)) + 0.1, rng.random((6, 5)) + 0.1
    expected = sum(_definition(v, y, beta) for v, y in zip(V.ravel(), Y.ravel(), strict=True))
    assert beta_divergence(V, Y, beta) == pytest.approx(expected, rel=1e-7)
    assert beta_divergence(V.astype(np.float32), Y.astype(np.float32), beta) == pytest.approx(expected, rel=1e-5)


@given(st.floats(-3, 4), st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5))
def test_it_is_zero_for_equals_and_never_negative(beta: float, values: list[float]) -> None:
    V = np.array([values])
    scale = float((V**beta).sum())
    assert abs(beta_divergence(V, V, beta)) <= 1e-6 * scale + 1e-6
    assert beta_divergence(V, V[:, ::-1], beta) >= -1e-6 * scale - 1e-6


def test_zeros_are_allowed_for_every_beta(rng: np.random.Generator) -> None:
    V = np.where(rng.random((5, 6)) < 0.5, 0.0, rng.random((5, 6)))
    for beta in (-1, 0, 0.5, 1, 2):
        assert math.isfinite(beta_divergence(V, rng.random((5, 6)), beta))
    assert beta_divergence([[0.0, 1.0]], [[0.0, 1.0]]) == pytest.approx(0, abs=1e-9)
    assert math.isfinite(beta_divergence(np.zeros((2, 2)), np.zeros((2, 2)), 0))


def test_zeros_are_lifted_only_where_they_would_cost_infinitely_much() -> None:
    V = np.array([[0.0, 1.0]])
    assert floored(V, 1.0) is V
    assert floored(V, 0.0).min() == 1e-8
    assert V.min() == 0


def test_the_exponent_is_that_of_fevotte_and_idier() -> None:
    assert [monotone_exponent(beta) for beta in (0, 0.5, 1, 1.5, 2, 3)] == [0.5, 1 / 1.5, 1, 1, 1, 0.5]


def test_the_named_betas_are_the_usual_ones() -> None:
    assert BETAS == {"euclidean": 2.0, "kl": 1.0, "is": 0.0}


def test_it_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    nmf = pytest.importorskip("sklearn.decomposition._nmf")
    V, W, H = rng.random((6, 5)) + 0.1, rng.random((6, 2)), rng.random((2, 5))
    for beta in (0, 0.5, 1, 1.5, 2, 3):
        assert beta_divergence(V, W @ H, beta) == pytest.approx(nmf._beta_divergence(V, W, H, beta), rel=1e-6)


@pytest.mark.parametrize(
    ("V", "model", "beta", "error", "words"),
    [
        ([[1.0]], [[1.0, 2.0]], 1, Incompatible, r"approximation.shape=\(1, 2\), but \(1, 1\) is needed"),
        ([[-1.0]], [[1.0]], 1, InvalidInput, "V contains -1"),
        ([[1.0]], [[math.nan]], 1, InvalidInput, "approximation contains NaN"),
        ([[1.0]], [[1.0]], 11, InvalidInput, "between -10 and 10"),
        ([[1.0]], [[1.0]], "euclidean", InvalidInput, "is not a number"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    V: object, model: object, beta: float, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        beta_divergence(V, model, beta)  # type: ignore[arg-type]
