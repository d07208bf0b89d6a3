"""Singular values of matrices of any length."""

import tracemalloc

import numpy as np
import pytest

from unweave import singular as module
from unweave.errors import Incompatible, InvalidInput
from unweave.loop import run
from unweave.singular import right_vectors, singular, singular_steps
from unweave.threads import limit


def blocks_of(V, size):
    return lambda: (V[:, at : at + size] for at in range(0, V.shape[1], size))


@pytest.mark.parametrize("shape", [(20, 7), (7, 20), (20, 20), (1, 5), (5, 1), (40, 1500)])
def test_values_and_vectors_are_those_of_the_whole_decomposition(shape, rng):
    V = rng.random(shape)
    found = singular(V)
    U, S, Vt = np.linalg.svd(V, full_matrices=False)
    np.testing.assert_allclose(found.values, S, rtol=1e-7)
    count = min(3, *shape)
    right = run(right_vectors(V, found, count))
    np.testing.assert_allclose(np.abs(np.sum(found.left[:, :count] * U[:, :count], axis=0)), 1, rtol=1e-7)
    np.testing.assert_allclose(np.abs(np.sum(right * Vt[:count], axis=1)), 1, rtol=1e-7)
    assert (found.n_frames, found.rank) == (shape[1], min(shape))
    assert found.mean == pytest.approx(V.mean())


@pytest.mark.parametrize("n_frames", [5, 29, 30, 31, 600])
def test_where_blocks_end_and_the_number_of_threads_change_no_digit(n_frames, rng):
    V = rng.random((30, n_frames)).astype(np.float32)
    whole = singular(V)
    vectors = run(right_vectors(V, whole, 3))
    for size in (1, 17, 64, 509):
        for threads in (1, 3):
            with limit(threads):
                found = singular(blocks_of(V, size))
                again = run(right_vectors(blocks_of(V, size), found, 3))
            np.testing.assert_array_equal(found.values, whole.values)
            np.testing.assert_array_equal(found.left, whole.left)
            np.testing.assert_array_equal(again, vectors)


def test_small_values_are_right_down_to_the_stated_level(rng):
    true = np.logspace(0, -5, 12)
    U, V = np.linalg.qr(rng.standard_normal((40, 12)))[0], np.linalg.qr(rng.standard_normal((90, 12)))[0]
    matrix = (U * true) @ V.T
    offset = np.abs(matrix).max()
    matrix = matrix + offset  # non-negative; its own decomposition is the truth then
    truth = np.linalg.svd(matrix, compute_uv=False)
    found = singular(matrix).values
    kept = truth > 1e-3 * truth[0]
    np.testing.assert_allclose(found[kept], truth[kept], rtol=1e-9)
    np.testing.assert_allclose(found, truth, atol=1e-6 * truth[0])


def test_what_is_rounding_counts_as_zero(rng):
    V = rng.random((50, 3)) @ rng.random((3, 80))
    found = singular(V)
    assert found.rank == 3
    assert (found.values[3:] == 0).all()
    assert (found.left[:, 3:] == 0).all()


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_silence_has_values_of_zero(shape):
    found = singular(np.zeros(shape))
    assert found.rank == 0
    assert not found.left.any()
    assert not run(right_vectors(np.zeros(shape), found, 2)).any()


def test_memory_does_not_grow_with_the_frames(rng):
    block = rng.random((60, 500)).astype(np.float32)

    def peak(n_blocks):
        tracemalloc.start()
        singular(lambda: (block for _ in range(n_blocks)))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(200) < 1.3 * peak(20)


def test_progress_rises_to_all_frames(rng):
    V = rng.random((10, 2000))
    told = list(singular_steps(V))
    assert told[-1] == 2000
    found = singular(V)
    assert list(right_vectors(V, found, 2))[-1] == 2000


def test_matrices_that_cannot_be_are_refused(monkeypatch):
    with pytest.raises(InvalidInput, match="V has no entries"):
        singular(list)
    with pytest.raises(InvalidInput, match="V has no entries"):
        singular(np.zeros((4, 0)))
    with pytest.raises(InvalidInput, match="V contains -1"):
        singular(-np.ones((2, 2)))
    with pytest.raises(InvalidInput, match="V contains NaN"):
        singular(np.full((2, 2), np.nan))
    with pytest.raises(Incompatible, match="a block of V has 3 bins, but the first one has 2"):
        singular(lambda: [np.ones((2, 2)), np.ones((3, 2))])
    monkeypatch.setattr(module, "_LARGEST", 8)
    assert singular(np.ones((20, 8))).rank == singular(np.ones((8, 20))).rank == 1
    with pytest.raises(InvalidInput, match="V has 9 bins, and as many frames or more: at most 8"):
        singular(np.ones((9, 20)))


def test_blocks_that_come_once_only_are_found_out(rng):
    V = rng.random((4, 30))
    found = singular(V)
    with pytest.raises(Incompatible, match="not when they were asked for again"):
        run(right_vectors(lambda: [V[:, :10]], found, 2))
