"""What a user brings to a factorisation: most of it is tested with `unweave.nmf`."""

from unweave import initialize, starts


def test_the_starting_points_can_be_had_from_here_too() -> None:
    for name in ("METHODS", "Method", "count_by_coverage", "nndsvd", "random_start", "truncated_svd"):
        assert getattr(initialize, name) is getattr(starts, name)
