import numpy as np
import pytest

from unweave.rules.drift import STILL, Drift, Pace
from unweave.rules.sums import PortionSums


@pytest.mark.parametrize("n_portions", [1, 3, 8, 9, 24, 34])
def test_the_sum_of_portions_does_not_depend_on_the_order_in_which_they_come(n_portions: int) -> None:
    rng = np.random.default_rng(0)
    portions = rng.random((n_portions, 5, 33), np.float32)
    totals = []
    for _ in range(3):
        sums = PortionSums(n_portions, np.zeros((5, 33), np.float32))
        sums.begin()
        for portion in rng.permutation(n_portions):
            sums.parts[portion, :, :33] = portions[portion]  # the rows have room behind them
            sums.bring(int(portion))
        totals.append(sums.total())
    np.testing.assert_allclose(totals[0], portions.sum(axis=0, dtype=np.float64), rtol=1e-6)
    assert totals[0].dtype == np.float64
    assert all(np.array_equal(total, totals[0]) for total in totals)


def test_a_sum_that_was_left_in_the_middle_begins_anew() -> None:
    sums = PortionSums(6, np.zeros((2, 3), np.float32))
    for last in (2, 6):  # the first time somebody interrupts
        sums.begin()
        for portion in range(last):
            sums.parts[portion] = portion
            sums.bring(portion)
    np.testing.assert_array_equal(sums.total(), np.full((2, 3), 15.0))


def test_a_drift_moves_as_its_equation_says() -> None:
    rng = np.random.default_rng(1)
    x, q, r = rng.random((4, 3)), np.exp(rng.uniform(-0.3, 0.3, (4, 3))), rng.uniform(0.9, 1.1, (4, 3))
    pace = Pace(ahead=0.4, carry=0.8, power=1.5)
    drift, moved, ratio = Drift(np.log(q)), x.copy(), r.copy()
    drift.go_ahead(moved, pace)
    np.testing.assert_allclose(moved, x * q**0.4)
    drift.go_on(ratio, pace, room=np.empty_like(x))
    np.testing.assert_allclose(moved * ratio, x * q**0.8 * r**1.5)
    np.testing.assert_allclose(drift.log, np.log(q**0.8 * r**1.5))


def test_what_falls_silent_has_no_drift_beyond_a_half() -> None:
    drift, ratio = Drift(np.zeros((1, 2))), np.array([[0.0, 8.0]])
    drift.go_on(ratio, Pace(0.0, 0.5, 1.0))
    np.testing.assert_allclose(ratio, [[0.0, 8.0]])
    np.testing.assert_allclose(np.exp(drift.log), [[0.5, 2.0]])


def test_a_plain_step_leaves_everything_as_it_is() -> None:
    drift, x = Drift(np.ones((2, 2))), np.full((2, 2), 3.0)
    drift.go_ahead(x, STILL)
    drift.go_on(x, STILL)
    assert (x == 3).all()
    assert (drift.log == 1).all()


def test_parts_of_a_drift_move_with_the_whole_and_pulls_are_added() -> None:
    drift = Drift(np.zeros((4, 2)))
    drift.part(slice(1, 3)).add(np.full((2, 2), 2.0), np.full((2, 2), 3.0))
    np.testing.assert_allclose(drift.log[1:3], np.log(1.5))
    assert not drift.log[[0, 3]].any()
