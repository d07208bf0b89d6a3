"""What the first issue promised of real recordings; skipped where they are absent."""

from pathlib import Path

import numpy as np
import pytest

import unweave as uw
from unweave.evaluation import best_permutation


@pytest.mark.parametrize("name", ["drums_1", "drums_2", "drums_3", "drums_4"])
def test_every_seed_scores_within_half_a_decibel_of_the_best(shared: Path, name: str) -> None:
    folder = shared / "data" / name
    mix = uw.load(folder / "mix.flac")
    stems = [uw.load(folder / f"{stem}.flac") for stem in ("kick", "snare", "hihat")]
    scores = np.array(
        [best_permutation(stems, list(uw.decompose(mix, 3, rng=seed).components()))[1] for seed in range(10)]
    )
    assert np.ptp(scores.mean(axis=1)) <= 0.5


def test_the_congas_sum_to_their_recording(shared: Path) -> None:
    congas = uw.load(shared / "audio" / "conga_groove.wav")
    parts = uw.decompose(congas, 6)
    error = sum(part.samples.astype(np.float64) for part in parts.components()) - congas.samples
    assert 10 * np.log10(np.square(congas.samples, dtype=np.float64).sum() / np.square(error).sum()) >= 110
