"""Factorisation of more frames than fit into memory, and of streams that never end.

    V ≈ W H,   V too long to be kept: all that is remembered of a group of frames is two sums, N and D,
    W = (Σ N ⊘ Σ D)^γ(β)                          (`unweave.online.majorizer` derives them)

`learn` goes over all frames several times: a group of frames that is met again takes its old N and D out of the sums
and puts the new ones in. That is incremental majorisation-minimisation: the sum of the majorisers never rises, nothing
is forgotten, and the bases move up to `GROUPS` times in a pass. Memory is that of one piece of frames, of N and D for
each group, and of the activations. `OnlineNMF` meets every frame once, and lets what it knows fade by a factor ρ:

    N ← ρ N + N_new,   D ← ρ D + D_new   for every `batch_frames` frames.

Frames of silence are explained by no activation, and teach nothing. Where blocks end changes nothing that is learned,
nor does the number of threads.

Differences from scikit-learn's ``MiniBatchNMF``: frames are columns, any β, bases of length one, a stream of any block
size, and `learn` agrees with `unweave.nmf`, whose minimum it seeks with exact sums instead of fading ones.

References: A. Lefèvre, F. Bach, C. Févotte, Online algorithms for nonnegative matrix factorization with the
Itakura-Saito divergence, WASPAA 2011, doi:10.1109/ASPAA.2011.6082314. J. Mairal, F. Bach, J. Ponce, G. Sapiro, Online
learning for matrix factorization and sparse coding, JMLR 11, 2010. R. Neal, G. Hinton, A view of the EM algorithm that
justifies incremental, sparse, and other variants, 1998, doi:10.1007/978-94-011-5014-9_12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unweave.arrays import Mask, Matrix, nonnegative_matrix
from unweave.divergence import KULLBACK_LEIBLER, ZERO_FLOOR, monotone_exponent
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization, Stop
from unweave.initialize import learn_mask
from unweave.nmf import nmf
from unweave.online.incremental import Passes
from unweave.online.majorizer import Kernel, Scale, Sums, added, flat
from unweave.online.piecewise import PiecewisePenalties, require_piecewise
from unweave.pieces import Blocks, Frames
from unweave.plan import MAX_COMPONENTS, Plan, require_count
from unweave.rules import Penalties

__all__ = ["SAMPLE_FRAMES", "OnlineNMF", "learn"]

SAMPLE_FRAMES = 2048
"""Frames, drawn at random, on which `learn` searches for its start."""

_START_ITER = 100
"""Most iterations of that search: `learn` goes on from there."""
_STREAM_STEPS = 50
"""Steps of the activations of a frame that is met once; more where steps are damped."""

_ROUNDING = 1e-6


def learn(
    blocks: Blocks,
    n_components: int,
    *,
    beta: float = KULLBACK_LEIBLER,
    bases: ArrayLike | None = None,
    learn_bases: bool | Sequence[bool] | Mask = True,
    max_iter: int = 60,
    tol: float = 1e-6,
    rng: int | np.random.Generator | None = None,
    penalties: Penalties | None = None,
) -> Factorization:
    """Factorise a matrix that need not fit into memory, reading it once an iteration.

    Parameters
    ----------
    blocks : callable, or array ``(bins, frames)``
        V. A function without arguments that gives a new iterable of blocks ``(bins, n)`` at every call, n as it comes,
        always the same frames; or an array, which may be memory-mapped (fastest when its frames are contiguous:
        ``np.memmap(…, shape=(frames, bins)).T``). float16 is read as float32.
    n_components : int
        How many parts.
    beta : float, -10 to 10
        1 is Kullback-Leibler, 2 Euclidean, 0 Itakura-Saito (give it powers).
    bases : ``(bins, n)``, n ≤ n_components, optional
        A start for the first n bases. Zeros stay zeros.
    learn_bases : bool, or one bool for each given component
        False keeps what was given, to the bit and at its scale.
    max_iter : int
        Most iterations. They are worth several of those of `unweave.nmf`: the bases move up to `GROUPS` times in each.
    tol : float, 0 to below 1
        Stop when an iteration lowers the divergence by less than this share of it. 0 runs all iterations.
    rng : int or numpy.random.Generator, optional
        Seed, or source of one, of the sample of frames on which `unweave.nmf` searches for the start. Default: 0.
    penalties : Penalties, optional
        Sparse activations (l1), even levels (l2), few groups at a time: see `unweave.rules.Penalties`. Strengths and
        groups of single components are for bases that are given: others have no order yet.

    Returns
    -------
    Factorization
        As of `unweave.nmf`: ``bases``, ``activations`` of all frames, divergences. Before the last, which is exact,
        they are taken along a pass, while the bases move.

    Raises
    ------
    InvalidInput, Incompatible
        Negative entries, NaN, numbers out of range, blocks of different bins, or blocks that come once only; penalties
        that look beyond single frames: continuity, and an L1 of bases.

    References
    ----------
    A. Lefèvre, F. Bach, C. Févotte, WASPAA 2011, doi:10.1109/ASPAA.2011.6082314.

    Examples
    --------
    >>> V = np.outer([1, 2, 0], [1, 0, 1, 0]) + np.outer([0, 0, 3], [0, 1, 1, 0])
    >>> found = learn(lambda: [V[:, :3], V[:, 3:]], 2)
    >>> bool(np.abs(found.approximation() - V).max() < 1e-3)
    True
    """
    plan = Plan(beta, learn_bases=learn_bases, max_iter=max_iter, tol=tol, rng=rng, penalties=penalties)
    require_count("n_components", n_components, 1, MAX_COMPONENTS)
    penalties = require_piecewise(penalties, n_components)
    n_given = 0 if bases is None else nonnegative_matrix("bases", bases).shape[1]
    learns = learn_mask("bases", learn_bases, n_given, n_components)
    seed, frames = plan.seed(), Frames(blocks)
    mean, highest, sample = frames.survey(SAMPLE_FRAMES, np.random.default_rng(seed))
    heard = sample if len(sample) else np.zeros((1, frames.n_bins), frames.dtype)
    start = nmf(
        heard.T,
        n_components,
        beta=plan.beta,
        bases=bases,
        learn_bases=learn_bases,
        max_iter=_START_ITER if learns.any() else 0,
        rng=seed,
        penalties=penalties,
    )
    if not len(sample):
        silence = np.zeros((n_components, frames.n_frames), frames.dtype)
        return replace(start, activations=silence, stop=Stop.SILENT)
    scale = Scale.of(mean, highest, plan.beta)
    kernel = _kernel(plan.beta, scale, penalties, (n_components, frames.n_bins))
    passes = Passes(frames, scale, kernel, np.ascontiguousarray(start.bases.T), learns)
    stop = passes.settle(max_iter, tol)
    iterations, divergences = (np.array(column) for column in zip(*passes.history, strict=True))
    passes.H *= passes.H.dtype.type(scale.unit)
    divergences = divergences * scale.unit**plan.beta
    found = Factorization(passes.W.T, passes.H.T, divergences, stop, plan.beta, seed, iterations)
    return found if bases is not None else found.normalize().sort()


def _kernel(beta: float, scale: Scale, penalties: Penalties | None, shape: tuple[int, int]) -> Kernel:
    """The arithmetic for so many components and bins, with penalties in the unit of the scale."""
    if penalties is None:
        return Kernel(beta, scale.epsilon)
    return Kernel(beta, scale.epsilon, PiecewisePenalties(penalties, *shape, beta=beta, level=scale.level))


class OnlineNMF:
    """Factorise a stream: blocks of frames come, are explained and forgotten; the bases learn from them.

    The first ``start_frames`` frames that are not silent are kept, and `unweave.nmf` finds the bases in them; until
    then it does so whenever they have doubled. From then on the bases move after every ``batch_frames`` frames.

    Parameters
    ----------
    n_components : int
        How many parts.
    beta : float, -10 to 10
        1 is Kullback-Leibler, 2 Euclidean, 0 Itakura-Saito (give it powers).
    bases : ``(bins, n)``, n ≤ n_components, optional
        A start for the first n bases. Zeros stay zeros. If all are given, learning begins with the first frame.
    learn_bases : bool, or one bool for each given component
        False keeps what was given, to the bit and at its scale.
    forgetting : float, above 0 to 1
        Share of what is known that is left after ``batch_frames`` more frames. 1 forgets nothing, and settles; 0.9
        follows a stream that changes within seconds, and its bases are as noisy as what little they remember.
    batch_frames : int
        Frames between two steps of the bases.
    start_frames : int
        Frames on which the start is found. More: a better one, later.
    rng : int or numpy.random.Generator, optional
        Seed of the start. Default: 0.
    penalties : Penalties, optional
        Sparse activations (l1), even levels (l2), few groups at a time: see `unweave.rules.Penalties`. Their unit
        follows the level of the stream, which is forgotten as everything else.

    References
    ----------
    A. Lefèvre, F. Bach, C. Févotte, WASPAA 2011, doi:10.1109/ASPAA.2011.6082314.

    Examples
    --------
    >>> V = np.random.default_rng(0).random((5, 2)) @ np.random.default_rng(1).random((2, 900))
    >>> model = OnlineNMF(2)
    >>> [model.partial_fit(V[:, at : at + 300]).shape for at in (0, 300, 600)]
    [(2, 300), (2, 300), (2, 300)]
    >>> bool(np.abs(model.bases @ model.transform(V) - V).max() < 0.1)
    True
    """

    def __init__(
        self,
        n_components: int,
        *,
        beta: float = KULLBACK_LEIBLER,
        bases: ArrayLike | None = None,
        learn_bases: bool | Sequence[bool] | Mask = True,
        forgetting: float = 0.99,
        batch_frames: int = 64,
        start_frames: int = 512,
        rng: int | np.random.Generator | None = None,
        penalties: Penalties | None = None,
    ) -> None:
        plan = Plan(beta, learn_bases=learn_bases, rng=rng, penalties=penalties)
        require_count("n_components", n_components, 1, MAX_COMPONENTS)
        require_count("batch_frames", batch_frames, 1, 2**20)
        require_count("start_frames", start_frames, 1, 2**20)
        if isinstance(forgetting, bool) or not isinstance(forgetting, (int, float)) or not 0 < forgetting <= 1:
            raise InvalidInput(f"forgetting={forgetting!r} is not a number above 0, to 1 (nothing is forgotten).")
        given = None if bases is None else nonnegative_matrix("bases", bases).copy()
        n_given = 0 if given is None else given.shape[1]
        if n_given > n_components:
            raise Incompatible(f"{n_given} bases are given, but there are only n_components={n_components}.")
        self.n_components, self.beta, self.seed = n_components, plan.beta, plan.seed()
        self.forgetting, self.batch_frames, self.start_frames = float(forgetting), batch_frames, start_frames
        self._penalties = require_piecewise(penalties, n_components)
        self._given, self._complete = given, n_given == n_components
        self._learn_bases, self._learns = learn_bases, learn_mask("bases", learn_bases, n_given, n_components)
        self.reset()

    def reset(self) -> None:
        """Forget everything that was heard."""
        self._n_bins = 0 if self._given is None else self._given.shape[0]
        self._dtype: np.dtype[Any] | None = None  # that of the first block
        self._W: Matrix | None = None
        self._kernel = Kernel(self.beta, 0.0)
        self._scale = Scale(1.0, 0.0, 0.0)
        self._sums: Sums | None = None
        self._heard = np.zeros(2)  # the sum of what was learned from, and of how many entries, both fading
        self._learning = self._complete  # whether the start is behind us
        self._waiting: list[Matrix] = []  # frames that the bases have not learned from yet
        self._n_waiting = 0
        self._n_started = 0  # frames that the bases were last found in, before learning begins

    @property
    def bases(self) -> Matrix:
        """Bases ``(bins, components)`` as they are now; learned ones have length one."""
        if not self._learning and self._n_waiting > self._n_started:
            self._begin()
        if self._W is not None:
            return self._W.T.copy()
        if self._given is not None and self._complete:
            return self._given.copy()
        if not self._n_bins:
            raise InvalidInput("there are no bases before the first block: call partial_fit.")
        return np.full((self._n_bins, self.n_components), self._n_bins**-0.5, self._dtype or np.float32)

    def transform(self, V_block: ArrayLike) -> Matrix:
        """Activations ``(components, n)`` of a block under the bases as they are; nothing is learned."""
        V = self._frames(V_block)
        out = np.zeros((self.n_components, len(V)), V.dtype)
        sounding = V.any(axis=1)
        W = np.ascontiguousarray(self.bases.T, V.dtype)
        if sounding.any():
            if self._W is None:
                self._measure(V[sounding][:1])
            out[:, sounding] = self._explain(V[sounding], W).T * V.dtype.type(self._scale.unit)
        return out

    def partial_fit(self, V_block: ArrayLike) -> Matrix:
        """Explain a block of frames and learn from it.

        Parameters
        ----------
        V_block : non-negative ``(bins, n)``
            Any n, 0 included. The first block decides between float32 and float64.

        Returns
        -------
        ``(components, n)``
            Activations of every frame under the bases as they were when it came. 0 for silence.

        Raises
        ------
        InvalidInput, Incompatible
            Negative entries, NaN, or another number of bins than before.
        """
        V = self._frames(V_block)
        out = np.zeros((self.n_components, len(V)), V.dtype)
        sounding = np.flatnonzero(V.any(axis=1))
        while sounding.size:
            full = self.batch_frames if self._learning else self.start_frames
            taken, sounding = np.split(sounding, [full - self._n_waiting])
            out[:, taken] = self._take(V[taken], full).T * V.dtype.type(self._scale.unit)
        return out

    def _frames(self, V_block: ArrayLike) -> Matrix:
        """The block frame by frame, checked."""
        V = nonnegative_matrix("V_block", V_block)
        self._n_bins = self._n_bins or V.shape[0]
        if V.shape[0] != self._n_bins:
            raise Incompatible(f"V_block has {V.shape[0]} bins, but {self._n_bins} are needed, as before.")
        self._dtype = self._dtype or V.dtype
        return np.ascontiguousarray(V.T, self._dtype)

    def _take(self, V: Matrix, full: int) -> Matrix:
        """Explain some frames that sound; learn when with them there are ``full`` frames."""
        self._waiting.append(V)
        self._n_waiting += len(V)
        complete = self._n_waiting == full
        if not self._learning and (complete or self._n_waiting >= 2 * self._n_started):
            self._begin()
        elif self._W is None:
            self._measure(V[:1])
            self._W = np.ascontiguousarray(self.bases.T, V.dtype)
        W = self._W if self._W is not None else np.zeros((0, 0), V.dtype)
        H = self._explain(V, W)
        if complete:
            whole = np.concatenate(self._waiting)
            # The activations of the whole batch at once: where blocks end must not change a digit of the bases.
            self._learn(whole, H if len(V) == len(whole) else self._explain(whole, W), W)
            self._waiting, self._n_waiting, self._learning = [], 0, True
        return H

    def _measure(self, V: Matrix) -> None:
        """Find unit, ε and floor in some frames."""
        self._scale = Scale.of(float(V.mean(dtype=np.float64)), float(V.max()), self.beta)
        self._kernel = _kernel(self.beta, self._scale, self._penalties, (self.n_components, V.shape[1]))

    def _begin(self) -> None:
        """Find the bases in the frames that were heard so far."""
        V = np.concatenate(self._waiting)
        self._measure(V)
        found = nmf(
            V.T,
            self.n_components,
            beta=self.beta,
            bases=self._given,
            learn_bases=self._learn_bases,
            max_iter=_START_ITER,
            rng=self.seed,
            penalties=self._penalties,
        )
        self._W = np.ascontiguousarray(found.bases.T)
        self._normalize(None)
        self._n_started = self._n_waiting

    def _explain(self, V: Matrix, W: Matrix) -> Matrix:
        """Activations ``(n, components)``, in the unit of the scale."""
        V = self._scale.apply(V)
        H = flat(V, W)
        self._kernel.visit(V, H, W, round(_STREAM_STEPS / monotone_exponent(self.beta)), sums=False)
        return H

    def _learn(self, V: Matrix, H: Matrix, W: Matrix) -> None:
        """Let the bases take a step that these frames, and what is left of earlier ones, call for."""
        self._follow(V)
        share, _ = self._kernel.visit(self._scale.apply(V), H, W, 0)
        if share is None or not self._learns.any():
            return
        if self._sums is not None:
            share = added([self._sums.faded(self.forgetting), share])
        self._W = self._kernel.solve(share, W, self._learns)
        self._normalize(share)
        if self.beta <= 0:  # the floor follows the loudest entry ever heard
            floor = ZERO_FLOOR * float(V.max()) / self._scale.unit
            self._scale = replace(self._scale, floor=max(floor, self._scale.floor))

    def _follow(self, V: Matrix) -> None:
        """Let the unit of the penalties follow the level of what is learned from."""
        self._heard = self.forgetting * self._heard + (V.sum(dtype=np.float64), V.size)
        if self._penalties is not None:
            level = float(self._heard[0] / self._heard[1]) / self._scale.unit
            scale, shape = replace(self._scale, level=level), (self.n_components, V.shape[1])
            self._kernel = _kernel(self.beta, scale, self._penalties, shape)

    def _normalize(self, sums: Sums | None) -> None:
        """Give learned bases length one, and make what is known speak of them."""
        if self._W is None:
            return
        length = np.linalg.norm(self._W.astype(np.float64), axis=1)[:, None]
        # What is of length one but for rounding stays as it is, to the bit.
        length[(length == 0) | (np.abs(length - 1) < _ROUNDING) | ~self._learns[:, None]] = 1
        self._W = (self._W / length).astype(self._W.dtype)
        self._sums = None if sums is None else self._kernel.rescaled(sums, length)
