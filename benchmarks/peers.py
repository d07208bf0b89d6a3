"""Other people's factorisations, called in one way: n iterations from a start, then bases and activations.

What is not installed is not there: `available`. torchnmf, torch and libnmfd are in no list of ours, since they do not
install everywhere; where somebody has put them beside the others, they are measured.

Fairness. All get V as one block of float32 in rows (float64 where a row says so), the same start, and as many threads
as they take. All run just so many iterations: tolerances are zero, or below. What a peer does before its first
iteration and after its last one counts, on their side as on ours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from unweave.arrays import Matrix
from unweave.divergence import beta_divergence
from unweave.nmf import iterate
from unweave.rules import Rule

Factors = tuple[Matrix, Matrix]
"""Bases (bins, components) and activations (components, frames)."""
Peer = Callable[[Matrix, Matrix, Matrix, int], Factors]


def ours(V: Matrix, W: Matrix, H: Matrix, n: int, *, rule: Rule | None = None, beta: float = 1.0) -> Factors:
    """Our loop under a rule, without looking at the divergence."""
    state = next(itertools.islice(iterate(V, W, H, rule, beta=beta, stride=n), 1, None))
    return state.bases, state.activations


@contextmanager
def quietly() -> Iterator[None]:
    """Without what peers say about not having converged, and without their progress bars."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        yield


def scikit_learn(V: Matrix, W: Matrix, H: Matrix, n: int) -> Factors:
    """scikit-learn's multiplicative updates for Kullback-Leibler, in the dtype of V."""
    from sklearn.decomposition import NMF

    model = NMF(W.shape[1], init="custom", solver="mu", beta_loss="kullback-leibler", max_iter=n, tol=0)
    with quietly():
        bases = model.fit_transform(V, W=W.copy(), H=H.copy())
    return bases, model.components_


def coordinate_descent(V: Matrix, W: Matrix, H: Matrix, n: int = 200) -> Factors:
    """scikit-learn's coordinate descent for Euclidean distance, stopping by its own defaults."""
    from sklearn.decomposition import NMF

    model = NMF(W.shape[1], init="custom", solver="cd", max_iter=n)
    with quietly():
        bases = model.fit_transform(V, W=W.copy(), H=H.copy())
    return bases, model.components_


def librosa_kl(V: Matrix, W: Matrix, H: Matrix, n: int) -> Factors:
    """`librosa.decompose.decompose` around the same updates; it takes no start, so it has a random one of its own."""
    import librosa
    from sklearn.decomposition import NMF

    model = NMF(W.shape[1], init="random", solver="mu", beta_loss="kullback-leibler", max_iter=n, tol=0, random_state=0)
    with quietly():
        bases, activations = librosa.decompose.decompose(V, transformer=model)
    return bases, activations


def librosa_default(V: Matrix, W: Matrix) -> Factors:
    """`librosa.decompose.decompose` as it comes: Euclidean, coordinate descent, a start of its own."""
    import librosa

    with quietly():
        bases, activations = librosa.decompose.decompose(V, n_components=W.shape[1])
    return bases, activations


def torchnmf(V: Matrix, W: Matrix, H: Matrix, n: int) -> Factors:
    """Multiplicative updates of torchnmf; frames are its rows, so that bases move first as they do elsewhere."""
    import torch
    from torchnmf.nmf import NMF

    model = NMF(W=torch.from_numpy(W.copy()), H=torch.from_numpy(np.ascontiguousarray(H.T)))
    with quietly():
        model.fit(torch.from_numpy(V).T, beta=1, tol=-np.inf, max_iter=n)
    return model.W.detach().numpy(), model.H.detach().numpy().T


def in_float64(peer: Peer) -> Peer:
    """The same in float64; V is converted within the time, as anybody's V would have to be."""
    return lambda V, W, H, n: peer(*(each.astype(np.float64) for each in (V, W, H)), n)


KL: dict[str, tuple[str, Peer]] = {
    "scikit-learn": ("sklearn", scikit_learn),
    "scikit-learn, float64": ("sklearn", in_float64(scikit_learn)),
    "librosa.decompose": ("librosa", librosa_kl),
    "torchnmf": ("torchnmf", torchnmf),
}
"""Multiplicative updates for Kullback-Leibler by their names, each with the module that it needs."""


def available(module: str) -> bool:
    """Whether a module is installed."""
    return importlib.util.find_spec(module) is not None


def divergence(V: Matrix, factors: Factors, beta: float = 1.0) -> float:
    """The β-divergence in float64, the same number for all, some frames at a time."""
    W, H = (np.asarray(each, np.float64) for each in factors)
    parts = (slice(at, at + 1024) for at in range(0, V.shape[1], 1024))
    return sum(beta_divergence(V[:, part].astype(np.float64), W @ H[:, part], beta) for part in parts)
