import numpy as np
import pytest

from unweave.arrays import nonnegative_matrix, require_shape, roomy, roomy_like, whole_rows
from unweave.errors import Incompatible, InvalidInput


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float32),
        (np.longdouble, np.float64),
        (np.int16, np.float64),
        (np.uint8, np.float64),
        (np.bool_, np.float64),
    ],
)
def test_the_dtype_is_kept_where_the_mathematics_can_work_in_it(given, kept):
    matrix = nonnegative_matrix("V", np.array([[0, 1], [1, 0]], given))
    assert matrix.dtype == kept
    np.testing.assert_array_equal(matrix, [[0, 1], [1, 0]])


def test_a_matrix_that_is_right_is_handed_back_as_it_is():
    matrix = np.ones((2, 3), np.float32)
    assert nonnegative_matrix("V", matrix) is matrix


def test_lists_are_matrices_too_and_may_be_empty():
    np.testing.assert_array_equal(nonnegative_matrix("V", [[1, 2], [3, 4]]), [[1.0, 2.0], [3.0, 4.0]])
    assert nonnegative_matrix("V", np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1.0, 2.0], r"V\.shape=\(2,\), but a matrix with two axes is needed"),
        (np.zeros((1, 2, 3)), r"V\.shape=\(1, 2, 3\), but a matrix"),
        (None, r"V\.shape=\(\), but a matrix"),
        ([[1.0], [1.0, 2.0]], "V has rows of different lengths"),
        ([[1j]], r"V is complex: pass its magnitude, abs\(V\)"),
        ([["a"]], "V.dtype=<U1, but a matrix of real numbers"),
        ([[1.0, np.nan]], "V contains NaN or infinity"),
        ([[1.0, np.inf]], "V contains NaN or infinity"),
        ([[1.0, -np.inf]], "V contains NaN or infinity"),
        ([[1.0, -60.25]], r"V contains -60.25, but no entry may be negative \(is it a spectrum in decibels"),
    ],
)
def test_what_is_no_matrix_of_amounts_is_refused_by_name(value, words):
    with pytest.raises(InvalidInput, match=words):
        nonnegative_matrix("V", value)


def test_a_shape_that_does_not_fit_is_refused_with_its_meaning():
    require_shape("H", [3, 4], (3, 4), "it fits")
    with pytest.raises(Incompatible, match=r"H\.shape=\(3, 4\), but \(3, 5\) is needed: one column a frame"):
        require_shape("H", (3, 4), (3, 5), "one column a frame")


@pytest.mark.parametrize("n_columns", [1, 15, 16, 17, 513, 1025])
@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_rows_with_room_begin_at_whole_cache_lines(n_rows: int, n_columns: int) -> None:
    matrix = roomy(n_rows, n_columns, np.float32)
    assert matrix.shape == (n_rows, n_columns)
    assert matrix.strides[0] % 64 == 0
    assert not matrix.any()
    whole = whole_rows(matrix)
    assert whole.flags.c_contiguous
    assert whole.shape == (n_rows, -(-n_columns // 16) * 16)
    whole[...] = 1
    assert (matrix == 1).all()
    assert whole_rows(roomy_like(matrix, 3)).shape[1] == whole.shape[1]


def test_only_rows_with_room_of_their_own_are_widened() -> None:
    wide = np.zeros((5, 32))
    for matrix in (wide, wide[:, :10], wide[:, 10:27], wide[1:, :17], wide[:1, 3:20], wide[::2, :17], wide[:, :17].T):
        assert whole_rows(matrix).shape == matrix.shape
    assert roomy_like(np.zeros((5, 17))).strides == (17 * 8, 8)
