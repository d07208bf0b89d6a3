import numpy as np
import pytest

from unweave.arrays import roomy, whole_rows
from unweave.rules.products import Products, floored, piece_frames


@pytest.mark.parametrize(("n_bins", "n_components"), [(513, 3), (1025, 8), (1025, 20), (1025, 40), (17, 2), (4097, 30)])
@pytest.mark.parametrize("n_frames", [1, 7, 40, 112, 113, 449, 700])
def test_products_in_pieces_are_the_products(n_bins: int, n_components: int, n_frames: int) -> None:
    rng = np.random.default_rng(0)
    rows = whole_rows(roomy(n_frames, n_bins, np.float64))
    rows[...] = np.nan  # what lies in the room must not matter
    rows[:, :n_bins] = rng.random((n_frames, n_bins))
    W, H = rng.random((n_components, n_bins)), rng.random((n_frames, n_components))
    products, V = Products(n_bins, n_components, np.dtype(np.float64), 700), rows[:, :n_bins].copy()
    out = products.compress(rows, W.T, np.empty((n_frames, n_components)))
    np.testing.assert_allclose(out, V @ W.T)
    total = np.full((n_components, rows.shape[1]), 7.0)
    products.gather(H, rows, total, first=True)
    np.testing.assert_allclose(total[:, :n_bins], H.T @ V)
    products.gather(H, rows, total, first=False)
    np.testing.assert_allclose(total[:, :n_bins], 2 * H.T @ V)
    room = np.zeros((n_components + 1, rows.shape[1]))
    products.expand(H, floored(W, 0.25, room), rows)
    np.testing.assert_allclose(rows[:, :n_bins], H @ W + 0.25)


def test_pieces_are_short_enough_for_the_small_kernel_and_none_are_made_where_they_would_not_pay() -> None:
    assert piece_frames(1025, 8) == 96
    assert piece_frames(513, 2) == 256
    assert piece_frames(1025, 64) == 0
    for n_bins in (1, 65, 513, 2049, 8193):
        for n_components in (1, 2, 5, 9, 17, 33):
            assert piece_frames(n_bins, n_components) * n_bins * (n_components + 1) < 1e6
