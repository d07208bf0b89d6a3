"""The value that a factorisation results in."""

import numpy as np
import pytest

from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization, Stop, component_order

BASES = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
ACTIVATIONS = np.array([[0.0, 1.0], [1.0, 0.0], [5.0, 5.0]])


def _value() -> Factorization:
    return Factorization(BASES, ACTIVATIONS, np.array([3.0, 1.0]), Stop.CONVERGED, iterations=np.array([0, 10]))


def test_it_is_read_only_and_leaves_the_callers_arrays_writable() -> None:
    bases = BASES.copy()
    value = Factorization(bases, ACTIVATIONS)
    with pytest.raises(ValueError, match="read-only"):
        value.bases[0, 0] = 1
    bases[0, 0] = 1


def test_components_add_up_to_the_approximation() -> None:
    value = _value()
    np.testing.assert_allclose(sum(value.component(k) for k in range(3)), value.approximation())
    np.testing.assert_allclose(value.approximation(), BASES @ ACTIVATIONS)


def test_it_speaks_in_one_line() -> None:
    assert repr(_value()) == "Factorization(3 components, 3 bins, 2 frames, divergence 1 after 10 iterations)"
    assert repr(Factorization(BASES[:, :1], ACTIVATIONS[:1])) == "Factorization(1 component, 3 bins, 2 frames)"


def test_it_is_sorted_by_what_is_asked_for() -> None:
    assert component_order(_value(), "centroid").tolist() == [2, 1, 0]
    assert component_order(_value(), "energy").tolist() == [2, 0, 1]
    assert component_order(_value(), "onset").tolist() == [1, 2, 0]
    assert component_order(_value(), "none").tolist() == [0, 1, 2]
    assert component_order(_value(), "centroid", np.array([2.0, 1.0, 0.0])).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(_value().sort().bases, BASES[:, ::-1])


def test_silent_components_come_last_and_equals_keep_their_order() -> None:
    value = Factorization(np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]), np.ones((3, 2)))
    assert component_order(value, "centroid").tolist() == [1, 2, 0]


def test_normalising_moves_the_level_into_the_activations() -> None:
    value = _value().normalize()
    np.testing.assert_allclose(np.linalg.norm(value.bases, axis=0), 1)
    np.testing.assert_allclose(value.approximation(), BASES @ ACTIVATIONS)


def test_matching_finds_the_templates_again() -> None:
    templates = BASES[:, [1, 0]] * [4, 0.1]
    np.testing.assert_array_equal(_value().match(templates).bases, BASES[:, [1, 0, 2]])
    with pytest.raises(Incompatible, match="one column for each"):
        _value().match(np.ones((3, 4)))


def test_every_reason_to_stop_is_a_sentence() -> None:
    for stop in Stop:
        assert str(stop).endswith(".")
        assert len(str(stop)) > 30


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((BASES, ACTIVATIONS[:2]), Incompatible, "has 3 components, but activations"),
        ((BASES, -ACTIVATIONS), InvalidInput, "activations contains -5"),
        ((BASES[0], ACTIVATIONS), InvalidInput, "a matrix with two axes"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(
    arguments: tuple[object, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Factorization(*arguments)  # type: ignore[arg-type]


def test_a_history_needs_an_iteration_for_every_divergence() -> None:
    with pytest.raises(Incompatible, match="2 divergences, but 1 iterations"):
        Factorization(BASES, ACTIVATIONS, np.zeros(2), iterations=np.array([0]))


@pytest.mark.parametrize("k", [3, -1, 1.0, True])
def test_a_component_that_there_is_not_is_refused(k: object) -> None:
    with pytest.raises(InvalidInput, match="numbered from 0 to 2"):
        _value().component(k)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="numbered from 0 to 2"):
        _value().select([0, 7])
