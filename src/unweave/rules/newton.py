"""Newton steps for β = 1 and few components, and beyond the minimum of their quadratics.

With the bases fixed, Kullback-Leibler falls apart into one convex problem a frame, of as many numbers as there are
components. For one frame v with the model y = W h + ε its gradient and its second derivatives are

    g_a = Σ_m W_ma (1 - v_m / y_m),      T_ab = Σ_m W_ma W_mb v_m / y_m²

and T comes for all frames at once: a product of V ⊘ Ŷ² with the R (R+1) / 2 products of two bases. The quadratic
g·d + dᵀTd / 2 is lowered by a few sweeps through the components, as in HALS,

    d_a ← max(-`SHRINK` h_a, -[ g_a + Σ_{b≠a} T_ab d_b ] / T_aa)

and the same is done for the bases, bin by bin, with the activations fixed. Where both factors learn, each of them goes
on beyond the minimum, h ← h + ω d. That is successive over-relaxation of two blocks that pull at each other (Young): to
minimise in turn gains a factor of c² an iteration, c < 1 being how hard they pull, and ω = 1.5 gains ½ as long as c² is
below 0.89. In the quadratic every such step with 0 < ω < 2 lowers the divergence. Nothing is remembered from step to
step.

A quadratic is no bound, and a bound would cost more than it saves (see docs/decisions/0014). So the divergence is
looked at after every `LOOK` iterations; where it has risen the factors are put back to where they were at the look
before, and `CAREFUL` plain multiplicative iterations follow, which provably lower it. From look to look it never rises;
recordings have not made it rise at all.

Use it for β = 1 with up to some eight components, and up to some sixteen where one factor is kept (ω is 1 then): there
it is the fastest rule, most of all to a precise solution. An iteration costs 2.5 plain ones with up to five components
and 3.6 with eight; for more of them, penalties or weights there is `extrapolated`. As that it begins with `PLAIN` plain
iterations, which decide in which basin a run ends.

References: C.-J. Hsieh, I. S. Dhillon, Fast coordinate descent methods with variable selection for non-negative matrix
factorization, KDD 2011, doi:10.1145/2020408.2020577 (Newton steps entry by entry). L. T. K. Hien, N. Gillis, Algorithms
for nonnegative matrix factorization with the Kullback-Leibler divergence, Journal of Scientific Computing 87, 2021,
doi:10.1007/s10915-021-01504-0 (Newton steps damped by self-concordance). D. M. Young, Iterative methods for solving
partial difference equations of elliptic type, Transactions of the AMS 76, 1954, doi:10.1090/S0002-9947-1954-0059635-7.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import LINE, Matrix, roomy_like, whole_rows
from unweave.divergence import KULLBACK_LEIBLER
from unweave.errors import InvalidInput
from unweave.rules.passes import MultiplicativePass
from unweave.rules.problem import Factors, Motion, Problem
from unweave.rules.products import Products, floored
from unweave.threads import n_threads, spread

__all__ = ["Newton"]

PLAIN = 10
"""Plain iterations at the beginning, where the bases learn. They settle the scale, and the basin."""

FIRST = 1
"""The same where the bases are kept: there is one basin, and one plain iteration settles the scale."""

BEYOND = 1.5
"""ω: how far a step goes, in steps to the minimum of its quadratic, where both factors learn."""

SHRINK, MOST = 0.85, 0.9
"""What share of itself an entry loses at the most, before ω and after it."""

SWEEPS = 3
"""Sweeps through the components, for one quadratic."""

LOOK = 5
"""Iterations from one look at the divergence to the next: each costs up to a fifth of an iteration."""

CAREFUL = 5
"""Plain iterations after a rise that was taken back."""

MOST_COMPONENTS = 32
"""Beyond these an iteration costs ten plain ones and more."""

_VANISHED = 1e-30
"""Below this share of the mean of V a factor entry is set to zero: nobody could hear it, and subnormals are slow."""

_GROUP = 512
"""About so many bins are solved at once."""


@final
class Newton:
    """Over-relaxed Newton steps with HALS sweeps; see the module for its equations."""

    name = "newton"
    betas = "beta=1"
    constraints = False

    def supports(self, beta: float) -> bool:
        """Whether the rule is made for this β: it is written for 1."""
        return beta == KULLBACK_LEIBLER

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence provably never rises: from look to look, which is not every iteration."""
        return False

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        if problem.n_components > MOST_COMPONENTS:
            raise InvalidInput(
                f"rule newton is for at most {MOST_COMPONENTS} components, not for {problem.n_components}: its price "
                "grows with their square, and rule extrapolated is faster there."
            )
        return _Motion(problem, factors)


class _Pairs:
    """The pairs a ≤ b of components, and where each stands."""

    def __init__(self, count: int) -> None:
        self.first, self.second = np.triu_indices(count)
        self.place = np.empty((count, count), np.intp)
        self.place[self.first, self.second] = self.place[self.second, self.first] = np.arange(len(self.first))

    def of(self, rows: Matrix) -> Matrix:
        """The products of two components, ``(pairs, n)`` from ``(components, n)``."""
        products: Matrix = rows[self.first] * rows[self.second]
        return products


class _Workspace:
    """Arrays of one thread: as large as the largest block."""

    def __init__(self, block: int, problem: Problem, n_pairs: int) -> None:
        bins, count, dtype = problem.frames.shape[1], problem.n_components, problem.frames.dtype
        room = whole_rows(problem.frames).shape[1]
        self.target, self.curvature = np.zeros((2, block, room), dtype)  # V ⊘ Ŷ and V ⊘ Ŷ²
        self.slope, self.bend = np.empty((block, count), dtype), np.empty((block, n_pairs), dtype)
        self.products = Products(bins, count, dtype, block)
        self.paired = Products(bins, n_pairs, dtype, block)


class _Motion:
    def __init__(self, problem: Problem, factors: Factors) -> None:
        self.problem, self.factors, self.rows = problem, factors, whole_rows(problem.frames)
        self.moves, self.learns = np.flatnonzero(problem.learn_activations), np.flatnonzero(problem.learn_bases)
        self.absent_bases, self.absent_activations = _zeros(factors.bases), _zeros(factors.activations)
        self.vanished = _VANISHED * problem.level
        self.pace = BEYOND if self.learns.size and self.moves.size else 1.0
        self.plain = MultiplicativePass(problem, factors)
        self.to_come = PLAIN if self.learns.size else FIRST  # plain iterations
        self.since = 0  # iterations since the last look
        self.kept, self.least = factors, np.inf  # what was there at the last look
        self.doubt = float(np.finfo(problem.frames.dtype).eps) * problem.level * problem.frames.size
        self.portions, self.pairs = problem.portions(), _Pairs(problem.n_components)
        block = max(block.stop - block.start for portion in self.portions for block in portion)
        n_pairs = len(self.pairs.first)
        self.workspaces = [_Workspace(block, problem, n_pairs) for _ in range(n_threads())]
        # What the bases need: Hᵀ(V ⊘ Ŷ), and below it the same of pairs. A portion is summed in the dtype of V.
        (count, bins), portions = factors.bases.shape, len(self.portions) if self.learns.size else 0
        shape = (portions, count + n_pairs, -(-bins // LINE) * LINE)
        self.shares = np.zeros(shape, problem.frames.dtype)
        self.seen = np.zeros(len(self.portions))  # Σ v log(v / ŷ) of each portion
        self.primed = False
        self.back = self.paired_back = factors.bases
        self.floored = whole_rows(roomy_like(factors.bases, count + 1))
        self.total = factors.bases[:, 0]

    def step(self) -> None:
        if self.to_come:
            self.plain.step()
            self.to_come -= 1
            return
        if not self.primed:
            self._pass(moves=False, looks=True)
            self.primed = True
            self._keep(self._divergence())
        self.since += 1
        looks = self.since == LOOK
        if self.learns.size:
            self._move_bases()
        self._pass(moves=bool(self.moves.size), looks=looks)
        if looks:
            self._look()

    def restart(self) -> None:
        """Go on from where the factors are, with plain iterations."""
        self.to_come, self.primed = CAREFUL, False
        self.plain.forget()

    def _look(self) -> None:
        """Go on from here, or from where the last look was; what is not a number is a rise too."""
        found = self._divergence()
        if found <= self.least + self.doubt:
            self._keep(found)
            return
        self.factors.bases[...], self.factors.activations[...] = self.kept.bases, self.kept.activations
        self.restart()

    def _keep(self, divergence: float) -> None:
        self.kept, self.least, self.since = self.factors.copy(), divergence, 0

    def _divergence(self) -> float:
        """What the last pass saw of the divergence: all but what never changes."""
        W, H = self.factors.bases, self.factors.activations
        return float(self.seen.sum() + np.vdot(W.sum(axis=1, dtype=np.float64), H.sum(axis=0, dtype=np.float64)))

    def _move_bases(self) -> None:
        """Step from what was summed up in the last pass, bin by bin."""
        W, H, count = self.factors.bases, self.factors.activations, self.problem.n_components
        total = H.sum(axis=0, dtype=np.float64)[:, None]
        size = -(-W.shape[1] // max(1, round(W.shape[1] / _GROUP)))
        columns = [slice(start, start + size) for start in range(0, W.shape[1], size)]

        def work(index: int, worker: int) -> None:
            part = columns[index]
            sums: NDArray[np.float64] = self.shares[:, :, part].sum(axis=0, dtype=np.float64)  # portions in their order
            slope, bend = (total - sums[:count]).astype(W.dtype), sums[count:].astype(W.dtype)
            absent = None if self.absent_bases is None else self.absent_bases[:, part]
            moved = np.ascontiguousarray(W[:, part])
            self._move(moved, slope, bend, self.learns, absent)
            W[:, part] = moved

        spread(work, len(columns))

    def _pass(self, *, moves: bool, looks: bool) -> None:
        """Go over V once: move the activations, take what the bases need, and look at the divergence."""
        W = self.factors.bases
        self.back, self.paired_back = np.ascontiguousarray(W.T), np.ascontiguousarray(self.pairs.of(W).T)
        self.total = W.sum(axis=1, dtype=np.float64).astype(W.dtype)
        floored(W, self.problem.epsilon, self.floored)

        def work(portion: int, worker: int) -> None:
            self.seen[portion] = 0
            for block in self.portions[portion]:
                if moves:
                    self._move_activations(block, self.workspaces[worker])
                if looks or self.learns.size:
                    self._sum_up(portion, block, self.workspaces[worker], looks=looks)

        spread(work, len(self.portions))

    def _move_activations(self, block: slice, space: _Workspace) -> None:
        H = self.factors.activations[block]
        target, curvature = self._model(block, space)
        slope = space.products.compress(target, self.back, space.slope[: len(H)])
        bend = space.paired.compress(curvature, self.paired_back, space.bend[: len(H)])
        np.subtract(self.total, slope, out=slope)
        absent = None if self.absent_activations is None else self.absent_activations[block].T
        moved = np.ascontiguousarray(H.T)
        self._move(moved, np.ascontiguousarray(slope.T), bend.T, self.moves, absent)
        H[...] = moved.T

    def _sum_up(self, portion: int, block: slice, space: _Workspace, *, looks: bool) -> None:
        """Take the share of one block in what the bases need for their next step, and in the divergence."""
        H, count = self.factors.activations[block], self.problem.n_components
        target, curvature = self._model(block, space)
        if self.learns.size:
            share, first = self.shares[portion], block == self.portions[portion][0]
            space.products.gather(H, target, share[:count], first=first)
            space.paired.gather(H[:, self.pairs.first] * H[:, self.pairs.second], curvature, share[count:], first=first)
        if looks:  # where v = 0 the logarithm is to be finite, and v times it is 0; the room says nothing
            np.maximum(target, np.finfo(target.dtype).tiny, out=target)
            target[:, self.factors.bases.shape[1] :] = 1
            np.log(target, out=target)
            self.seen[portion] += float(np.vdot(self.rows[block], target))

    def _model(self, block: slice, space: _Workspace) -> tuple[Matrix, Matrix]:
        """V ⊘ Ŷ and V ⊘ Ŷ², in whole rows."""
        size = block.stop - block.start
        target, curvature = space.target[:size], space.curvature[:size]
        space.products.expand(self.factors.activations[block], self.floored, target)
        np.divide(1, target, out=curvature)
        np.multiply(self.rows[block], curvature, out=target)
        curvature *= target
        return target, curvature

    def _move(
        self, x: Matrix, slope: Matrix, bend: Matrix, learn: NDArray[np.intp], absent: NDArray[np.bool_] | None
    ) -> None:
        """Move ``x`` ``(components, n)`` in place, from its gradient and its second derivatives, pair by pair."""
        step = _swept(x, slope, bend[self.pairs.place], learn, absent)
        if self.pace != 1:
            step *= self.pace
            np.maximum(step, -MOST * x, out=step)
        x += step
        if float(x.min()) < self.vanished:
            low = x[learn]
            low[low < self.vanished] = 0
            x[learn] = low


def _swept(
    x: Matrix, slope: Matrix, square: Matrix, learn: NDArray[np.intp], absent: NDArray[np.bool_] | None
) -> Matrix:
    """The step to the minimum of the quadratics, as far as the sweeps come."""
    numbers, tiny = np.arange(len(x)), np.finfo(x.dtype).tiny
    diagonal = square[numbers, numbers]
    with np.errstate(over="ignore"):  # where there is no curvature the step is as long as it may be
        inverse = -1 / np.maximum(diagonal, tiny)
        constant = slope * inverse
    square *= np.where(diagonal > tiny, inverse, 0)[:, None]
    square[numbers, numbers] = 0
    lowest, step, found = -SHRINK * x, np.zeros_like(x), np.empty_like(x[0])
    for _ in range(SWEEPS):
        for a in learn:
            np.einsum("bn,bn->n", square[a], step, out=found)
            found += constant[a]
            np.maximum(found, lowest[a], out=step[a])
            if absent is not None:
                step[a][absent[a]] = 0
    return step


def _zeros(factor: Matrix) -> NDArray[np.bool_] | None:
    """Where a factor is zero at the start; None where it is not."""
    absent = factor == 0
    return absent if absent.any() else None
