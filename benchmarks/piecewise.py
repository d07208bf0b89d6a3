"""Whether frames that come in blocks end where the whole does: `python benchmarks/piecewise.py [DATA]`.

Drum loops, three components: the objective of `unweave.online.learn` over that of `unweave.nmf`, and the least cosine
of matched bases for it and for a stream (docs/decisions/0010).
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

import unweave as uw
from page import SHARED
from quality import loops
from unweave.arrays import Matrix
from unweave.decomposition import magnitudes
from unweave.loop import make_factors, make_problem
from unweave.online import OnlineNMF, learn
from unweave.rules import Penalties, looks

BETAS, COUNT, BLOCK = (0.0, 1.0, 2.0), 3, 100
PENALTIES = {"l1": Penalties(l1=0.1), "l2": Penalties(l2=0.1), "group": Penalties(group=0.1)}


def objective(V: Matrix, found: uw.Factorization, beta: float, penalties: Penalties) -> float:
    """Divergence and penalties."""
    learns = np.ones(found.n_components, np.bool_)
    problem = make_problem(V, beta, learns, learns, penalties=penalties)
    return looks.objective(problem, make_factors(found.bases, found.activations, V.dtype))


def likeness(bases: Matrix, whole: uw.Factorization) -> float:
    """The least cosine of matched bases, all of length one."""
    matched = uw.Factorization(bases, np.zeros((COUNT, 1))).match(whole.bases).bases
    return float((matched * whole.bases).sum(axis=0).min())


def main(data: Path) -> None:
    """One line for every recording, β and penalty."""
    for (name, mix, _), beta in itertools.product(loops(data), BETAS):
        V = magnitudes(mix, uw.STFT(), beta)
        for which, penalties in PENALTIES.items():
            whole = uw.nmf(V, COUNT, beta=beta, penalties=penalties)
            learned, stream = (
                learn(V, COUNT, beta=beta, penalties=penalties),
                OnlineNMF(COUNT, beta=beta, penalties=penalties),
            )
            for at in range(0, V.shape[1], BLOCK):
                stream.partial_fit(V[:, at : at + BLOCK])
            ends = [objective(V, each, beta, penalties) for each in (learned, whole)]
            cosines = f"{likeness(learned.bases, whole):.4f}, of a stream {likeness(stream.bases, whole):.4f}"
            print(
                f"{name}, β = {beta:g}, {which}: {ends[0] / ends[1]:.5f} of the objective, cosine {cosines}", flush=True
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "data")
