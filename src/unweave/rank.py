"""How many components there are.

A sound is more than one outer product: it has an attack and a decay, and noise is never twice the same. Looked at
closely there is always something for one more component to explain, so 'the rank of the spectrogram' is not the number
of sounds. Two steps make it so.

*Sum up.* Frames are added up over about 0.15 s, so that an attack and what follows it are one column. Bins are added up
to bands, each of which holds the same share of Σ √(level of a bin): strong partials keep bands of their own, and chance
in noise is averaged. A few thousand numbers are left of a recording, and a hundred fits of them cost less than one of
the whole.

*Ask.* With D_0 the divergence of the summed matrix from its mean and D_k from the best model of k components, the k-th
component explains the share

    g_k = (D_{k-1} - D_k) / D_0.

As long as there are sounds left, one more component explains a whole sound; after that it explains what makes one
stroke differ from another. So the number is where the share falls most (method 'knee', the default):

    K = argmax_k s_k,    s_k = min(g_k, 1/8) / max(g_{k+1}, 1/200),    k ≥ 2.

The first bound lets no sound count for more because it is loud, the second leaves out what explains next to nothing.
One component is enough where a second explains less than 1/25. Where no s_k reaches 2.5, as in dense music, the shares
fade away without an end, and as many are taken as explain 1/100 each.

Method 'heldout' takes D_k over entries that the fit has not seen, a sixth of all, at random, four times: slower, and
not taken in by components that fit nothing but chance.

*Or ask once.* 'ard', automatic relevance determination, starts with too many components and gives each a scale λ_k of
its own, by which its bases and activations are measured:

    minimise D(V | WH) / φ + Σ_k (f(w_k) + f(h_k) + b) / λ_k + c log λ_k,       λ_k = (f(w_k) + f(h_k) + b) / c.

With f = |.|₁ ('ard', c = F + N + a + 1) or f = ½|.|₂² ('ard-l2', c = (F + N)/2 + a + 1), components that are not
needed fall to λ_k = b / c, where nothing is left of them. The noise φ is not known: it is set to a share of D_0 / c.
The same summed matrix is used; of the spectrogram itself ARD keeps every attack and every decay.

Which works how often: docs/decisions/0009-rank.md.

References: V. Y. F. Tan, C. Févotte, Automatic relevance determination in nonnegative matrix factorization with the
β-divergence, IEEE Trans. Pattern Analysis and Machine Intelligence 35(7), 2013, doi:10.1109/TPAMI.2012.240. S. Wold,
Cross-validatory estimation of the number of components in factor and principal components models, Technometrics 20(4),
1978, doi:10.1080/00401706.1978.10489693.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Mask, Matrix, keep_read_only, nonnegative_matrix
from unweave.divergence import KULLBACK_LEIBLER, floored, require_beta
from unweave.errors import InvalidInput
from unweave.initialize import random_start
from unweave.ladder import TINY, Small, divergences, ladder
from unweave.loop import run
from unweave.plan import Plan, require_count, require_entries
from unweave.threads import single_blas
from unweave.words import counted

__all__ = ["MAX_CANDIDATES", "METHODS", "TOGETHER", "RankChoice", "estimate_rank", "rank_steps", "summed"]

Method = Literal["knee", "heldout", "ard", "ard-l2"]
METHODS: tuple[Method, ...] = ("knee", "heldout", "ard", "ard-l2")

MAX_CANDIDATES = 16
TOGETHER = 12
"""Frames that count as one moment: 0.14 s for the usual hop of 512 samples at 44.1 kHz."""

_BANDS = 96
_COLUMNS = 1000
_FEWEST = 32
"""Columns that a short recording keeps, with shorter moments."""

_MOST_SHARE, _LEAST_SHARE = 1 / 8, 1 / 200
"""Bounds of what one component counts for; see the module, and decision 0009 for the room that they leave."""
_SECOND_SHARE, _CLEAR, _FADED_SHARE = 1 / 25, 2.5, 1 / 100
"""Below the first a second component is none; below the next there is no knee; then so much has to be explained."""

_FOLDS, _HELD_OUT = 4, 1 / 6
_HUSHED = 1e-2
"""Level below the model of unseen entries, relative to the mean of V: a silent model would be infinitely wrong."""

_ARD_ITER = 400
_ARD_SHAPE = 3.0
"""a of the inverse gamma prior of λ: flat."""
_ARD_SHARE = {"ard": 0.02, "ard-l2": 0.008}
"""φ c, relative to D_0: about what a component has to explain for every time that e goes into its relevance."""


@dataclass(frozen=True, slots=True, eq=False)
class RankChoice:
    """How many components there are, and why.

    Parameters
    ----------
    n_components : int
        The number chosen.
    method : str
        One of `METHODS`.
    candidates : int ``(n,)``
        1, 2, 3 and so on: the numbers that were compared; for 'ard' the components it began with.
    relevances : ``(n,)``
        What the k-th component adds: the share of the divergence that it explains, 0 to 1; for 'ard' how far λ_k is
        above its least, relative to that, largest first.
    scores : ``(n,)``
        How clearly each candidate is the number: how many times more its last component explains than one more would.
        For 'ard' the relevances.
    sentence : str
        What was chosen and why, for a person.
    """

    n_components: int
    method: Method
    candidates: NDArray[np.int64]
    relevances: NDArray[np.float64]
    scores: NDArray[np.float64]
    sentence: str

    def __post_init__(self) -> None:
        keep_read_only(self, candidates=self.candidates, relevances=self.relevances, scores=self.scores)

    def __repr__(self) -> str:
        return f"RankChoice({self.method}: {self.sentence})"

    def settings(self) -> dict[str, Any]:
        """All of it in plain numbers, for a manifest."""
        return {
            "method": self.method,
            "n_components": self.n_components,
            "candidates": self.candidates.tolist(),
            "relevances": self.relevances.tolist(),
            "scores": self.scores.tolist(),
            "sentence": self.sentence,
        }


def estimate_rank(
    V: ArrayLike,
    *,
    method: Method = "knee",
    max_components: int = MAX_CANDIDATES,
    beta: float = KULLBACK_LEIBLER,
    together: int = TOGETHER,
    rng: int | np.random.Generator | None = None,
) -> RankChoice:
    """Say how many components a matrix should be factorised into.

    Parameters
    ----------
    V : non-negative ``(bins, frames)``
        Magnitudes of a recording.
    method : {"knee", "heldout", "ard", "ard-l2"}
        As the module says. 'knee' is right most often; 'heldout' is for matrices full of noise; 'ard' needs one fit.
    max_components : int, 1 to 100
        The largest number that is considered.
    beta : float
        Which divergence says what is explained. The bounds were measured with 1.
    together : int, 1 to 10000
        Frames that count as one moment. More: an attack and its decay are one, and so are strokes that follow each
        other closely. 1: V is no recording, and its columns stand for themselves.
    rng : int or numpy.random.Generator, optional
        Seed, or source of one. Default: 0.

    Returns
    -------
    RankChoice

    Raises
    ------
    InvalidInput
        Negative entries, NaN, nothing at all, numbers out of range.

    References
    ----------
    V. Y. F. Tan, C. Févotte, IEEE Trans. PAMI 35(7), 2013, doi:10.1109/TPAMI.2012.240.

    Examples
    --------
    >>> from unweave.decomposition import magnitudes
    >>> from unweave.framing import STFT
    >>> from unweave.synthesis import drum_loop
    >>> estimate_rank(magnitudes(drum_loop(n_bars=2)["mix"], STFT())).n_components
    3
    """
    return run(rank_steps(V, method=method, max_components=max_components, beta=beta, together=together, rng=rng))


def rank_steps(
    V: ArrayLike,
    *,
    method: Method = "knee",
    max_components: int = MAX_CANDIDATES,
    beta: float = KULLBACK_LEIBLER,
    together: int = TOGETHER,
    rng: int | np.random.Generator | None = None,
) -> Generator[float, None, RankChoice]:
    """Do what `estimate_rank` does, and yield the share that is done, 0 to 1; the generator's value is the result."""
    V, beta = nonnegative_matrix("V", V), require_beta(beta)
    if method not in METHODS:
        raise InvalidInput(f"method={method!r} is not one of {', '.join(METHODS)}.")
    require_count("max_components", max_components, 1, 100)
    require_count("together", together, 1, 10_000)
    require_entries(V)
    random = np.random.default_rng(Plan(rng=rng).seed())
    if not V.any():
        return _silence(method)
    X = floored(summed(V, together), beta)
    most = min(max_components, *X.shape)
    if method in ("ard", "ard-l2"):
        relevances = yield from _relevances(X, most, beta, random, method)
        return _relevant(method, relevances)
    curve = yield from (_unseen if method == "heldout" else _explained)(X, most + 1, beta, random)
    return _knee(method, curve, bounded=most == max_components)


def summed(V: Matrix, together: int = TOGETHER) -> Matrix:
    """Return what the question is asked about: ``V`` in bands and moments, of mean one.

    Moments of ``together`` frames overlap by a half; of a long recording `_COLUMNS`, evenly spread, stand for all.
    """
    half = max(1, min(round(together / 2), V.shape[1] // _FEWEST))
    starts = np.arange(0, V.shape[1], half)
    banded = np.add.reduceat(V, _band_starts(V), axis=0)
    halves = np.add.reduceat(banded, starts, axis=1)
    if together > 1 and halves.shape[1] > 1:
        halves = halves[:, :-1] + halves[:, 1:]
    if halves.shape[1] > _COLUMNS:
        halves = halves[:, np.arange(_COLUMNS) * halves.shape[1] // _COLUMNS]
    mean = float(halves.mean(dtype=np.float64))
    if mean == 0:  # all that sounds lies between the columns that were taken
        return np.ones((1, 1), V.dtype)
    return np.ascontiguousarray(halves / V.dtype.type(mean))


def _band_starts(V: Matrix) -> NDArray[np.int64]:
    """First bins of at most `_BANDS` bands that hold equal shares of the square roots of the bins' levels."""
    weight = np.sqrt(V.sum(axis=1, dtype=np.float64))
    share = np.cumsum(weight) / weight.sum()
    band = np.minimum((share * _BANDS).astype(np.int64), _BANDS - 1)
    starts: NDArray[np.int64] = np.unique(band, return_index=True)[1]
    return starts


# ---------------------------------------------------------------- the knee


def _explained(
    V: Matrix, most: int, beta: float, rng: np.random.Generator
) -> Generator[float, None, NDArray[np.float64]]:
    """D_0, D_1, … D_most, relative to D_0."""
    small = Small(V, beta)
    curve = [float(small.divergence(np.full_like(V, V.mean())))]
    for k, model in enumerate(ladder(small, most, rng), 1):
        curve.append(float(small.divergence(model)))
        yield k / most
    return _relative(np.array(curve))


def _unseen(V: Matrix, most: int, beta: float, rng: np.random.Generator) -> Generator[float, None, NDArray[np.float64]]:
    """The same over entries that the fits have not seen, summed over `_FOLDS` draws of them."""
    curve = np.zeros(most + 1)
    for fold in range(_FOLDS):
        seen = rng.random(V.shape) >= _HELD_OUT
        small, hidden = Small(V, beta, seen), ~seen
        curve[0] += _hidden_divergence(V, np.full_like(V, V.mean()), beta, hidden)
        for k, model in enumerate(ladder(small, most, rng), 1):
            curve[k] += _hidden_divergence(V, model, beta, hidden)
            yield (fold + k / most) / _FOLDS
    return _relative(curve)


def _hidden_divergence(V: Matrix, model: Matrix, beta: float, hidden: Mask) -> float:
    return float(divergences(V[hidden], model[hidden] + V.dtype.type(_HUSHED), beta).sum())


def _relative(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative to the first, and never rising: what a component spoils it does not explain."""
    if curve[0] <= 1e-9:  # nothing differs from anything: a constant
        return np.zeros(curve.size)
    return np.minimum.accumulate(curve / curve[0])


def _knee(method: Method, curve: NDArray[np.float64], *, bounded: bool) -> RankChoice:
    """The number after which a component explains least against what the one before explained."""
    shares = -np.diff(curve)
    scores = np.minimum(shares[:-1], _MOST_SHARE) / np.maximum(shares[1:], _LEAST_SHARE)
    number = 1
    clear = shares[1] < _SECOND_SHARE or scores.size == 1
    if not clear:
        number = int(np.argmax(scores[1:])) + 2
        clear = bool(scores[number - 1] >= _CLEAR)
    if not clear:
        number = 1 + int(np.flatnonzero(shares[:-1] >= _FADED_SHARE).max(initial=0))
    what = " of what is held out" if method == "heldout" else ""
    sentence = (
        f"{counted(number, 'part')}: the {_ordinal(number)} explains {_percent(shares[number - 1])}{what}, "
        f"a further one would explain {_percent(shares[number])}."
    )
    if bounded and number == scores.size:
        sentence += " More were not tried."
    elif not clear:
        sentence += " Where the sounds end is not clear: listen to other numbers, too."
    candidates = np.arange(1, scores.size + 1)
    return RankChoice(number, method, candidates, shares[:-1].copy(), scores, sentence)


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if number <= len(words):
        return words[number - 1]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 else "next to nothing"


def _silence(method: Method) -> RankChoice:
    nothing = np.zeros(1)
    return RankChoice(1, method, np.arange(1, 2), nothing, nothing.copy(), "1 part: there is only silence.")


# ---------------------------------------------------------------- automatic relevance determination


def _relevances(
    V: Matrix, most: int, beta: float, rng: np.random.Generator, method: Method
) -> Generator[float, None, NDArray[np.float64]]:
    """How far each λ is above its least, relative to it; largest first. See the module for the equations."""
    small, mean, squared = Small(V, beta), float(V.mean()), method == "ard-l2"
    total = float(small.divergence(np.full_like(V, mean)))
    a = _ARD_SHAPE
    c = sum(V.shape) / (2 if squared else 1) + a + 1
    b = np.pi * (a - 1) * mean / (2 * most) if squared else np.sqrt((a - 1) * (a - 2) * mean / most)
    phi = _ARD_SHARE[method] * total / c
    W, H = random_start(V, most, rng)
    gamma = (1 / (3 - beta) if beta <= 2 else 1 / (beta - 1)) if squared else small.gamma

    def sizes() -> NDArray[np.float64]:
        if squared:
            return np.asarray((np.square(W).sum(axis=0) + np.square(H).sum(axis=1)) / 2, np.float64)
        return np.asarray(W.sum(axis=0) + H.sum(axis=1), np.float64)

    def moved(factor: Matrix, numerator: Matrix, denominator: Matrix, price: Matrix) -> Matrix:
        cost = denominator + (price * factor if squared else price) + TINY
        return np.maximum(factor * (numerator / cost) ** gamma, TINY).astype(V.dtype)

    for done in range(_ARD_ITER):
        with single_blas():
            price = (phi * c / (sizes() + b)).astype(V.dtype)
            target, power = small.quotients(W, H)
            H = moved(H, W.T @ target, W.T @ power.reshape(V.shape), price[:, None])
            target, power = small.quotients(W, H)
            W = moved(W, target @ H.T, power.reshape(V.shape) @ H.T, price)
        if done % 50 == 0:
            yield done / _ARD_ITER
    return np.sort(sizes() / b)[::-1]


def _relevant(method: Method, relevances: NDArray[np.float64]) -> RankChoice:
    """As many as are above their least by more than it."""
    number = max(1, int((relevances > 1).sum()))
    sentence = f"{counted(number, 'part')}: of {relevances.size} that were begun with, so many are of relevance."
    return RankChoice(number, method, np.arange(1, relevances.size + 1), relevances, relevances.copy(), sentence)
