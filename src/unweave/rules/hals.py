"""Hierarchical alternating least squares for β = 2, accelerated and extrapolated (E-A-HALS).

With all but one component fixed, the best activations of that component are known in closed form. A sweep goes through
the components,

    H_a ← max(0, [ (WᵀV)_a - Σ_{b≠a} (WᵀW)_ab H_b ] / (WᵀW)_aa),

and the same for W with VHᵀ and HHᵀ. The products with V are the dear part, so a few sweeps follow each of them, until
one moves a tenth of what the first did (Gillis & Glineur). Between iterations the factors are extrapolated (Ang &
Gillis), here in a form that reads V once: an iteration begins at a pair (W, H) with the pair before it known,

    W_n ← sweeps from W towards   H_y = H + b (H - H_before)
    W_y = max(0, W_n + b (W_n - W_n,before))
    H_n ← sweeps from H towards   W_y

and ends at (W_y, H_n), which a user sees. V is read in the last line only, where each block of frames also hands in its
share of VH_nᵀ and H_nH_nᵀ. Both are linear or quadratic in H, so VH_yᵀ and H_yH_yᵀ follow from them for any b, as does
the divergence,

    2 D = ‖V‖² - 2 ⟨VHᵀ, W⟩ + ⟨HHᵀ, WᵀW⟩,

without looking at V. The three terms nearly cancel, so they are summed in float64; what float32 data leave in doubt,
some 10⁻⁸ of ‖V‖², is not called a rise. Where D has risen the pair is put back, and the next iteration is a plain one,
with a smaller b after it. So D never rises.

Use it for β = 2; it is the default there. It reaches in a sixth to a tenth of the time what 200 multiplicative updates
reach, and goes on down. Unlike theirs its zeros are exact and can come to life again; only what is zero at the start
('not here') stays zero.

References: N. Gillis, F. Glineur, Accelerated multiplicative updates and hierarchical ALS algorithms for nonnegative
matrix factorization, Neural Computation 24(4), 2012, doi:10.1162/NECO_a_00256. A. M. S. Ang, N. Gillis, Accelerating
nonnegative matrix factorization algorithms using extrapolation, Neural Computation 31(2), 2019,
doi:10.1162/neco_a_01157.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import LINE, Matrix, roomy_like, whole_rows
from unweave.divergence import EUCLIDEAN
from unweave.rules.problem import Factors, Motion, Problem
from unweave.rules.products import Products
from unweave.threads import n_threads, spread

__all__ = ["Hals"]

_SWEEPS = 4
"""Most sweeps after one product with V."""

_ENOUGH = 0.1
"""Sweeps end when one moves less than this share of what the first moved."""

_FEW, _SHORT, _LONG = 32, 512, 2048
"""Frames that are swept at once, with fewer components and from so many on: a sweep is a few short calls a component,
the same number for any length, and threads hand over at each of them."""

_PORTIONS = 8
"""Fewest portions that the frames are cut into for the sake of long sweeps: enough for the threads to share evenly."""

_BINS = 512
"""Bins of which the bases are moved at once."""

_PLAIN = 3
"""Iterations before momentum begins: the first steps are long, and momentum would carry them too far."""

_DEAD = 1e-16
"""A component whose partner is this much weaker (as power) than the strongest is left as it is: the quotient would mean
nothing, and might overflow."""

_FIRST, _GROWTH, _CEILING_GROWTH, _DECAY = 0.5, 1.05, 1.01, 1.5
"""The weight b at the beginning; how it and its ceiling grow when all goes well; by what it falls when D has risen."""

Sums = NDArray[np.float64]


@final
class Hals:
    """Extrapolated accelerated HALS; see the module for its equations."""

    name = "hals"
    betas = "beta=2"
    constraints = False

    def supports(self, beta: float) -> bool:
        """Whether the rule is made for this β: its closed form exists for β = 2 only."""
        return beta == EUCLIDEAN

    def never_rises(self, beta: float) -> bool:
        """Whether the divergence provably never rises: an iteration that raised it is taken back."""
        return self.supports(beta)

    def start(self, problem: Problem, factors: Factors) -> Motion:
        """Make workspaces for moving ``factors`` in place."""
        return _Motion(problem, factors)


@dataclass(frozen=True, slots=True, eq=False)
class _Statistics:
    """All that V and H say about W: ``product`` is HᵀV and ``gram`` HᵀH, in the layout of the house."""

    product: Sums
    gram: Sums

    def twice_divergence(self, bases: Matrix, energy: float) -> float:
        """‖V - H W‖², from sums."""
        W = bases.astype(np.float64)
        return energy - 2 * float(np.vdot(self.product, W)) + float(np.vdot(self.gram, W @ W.T))

    def ahead(self, before: _Statistics, cross: Sums, weight: float) -> _Statistics:
        """The statistics of H + weight (H - H_before); ``cross`` is HᵀH_before."""
        product = self.product + weight * (self.product - before.product)
        gram = (1 + weight) ** 2 * self.gram + weight**2 * before.gram - weight * (1 + weight) * (cross + cross.T)
        return _Statistics(product, gram)


class _Equations:
    """A_aa x_a = c_a - Σ_{b≠a} A_ab x_b, divided by A_aa, for the components that learn and can."""

    def __init__(self, gram: Sums, learn: NDArray[np.intp], dtype: np.dtype[Any]) -> None:
        diagonal = gram.diagonal()
        alive = diagonal > _DEAD * float(diagonal.max())
        self.inverse = np.where(alive, 1 / np.where(alive, diagonal, 1), 0).astype(dtype)
        others = gram * self.inverse[:, None]
        np.fill_diagonal(others, 0)
        self.others = others.astype(dtype)
        self.components = [int(k) for k in learn if alive[k]]


class _Workspace:
    """Arrays of one thread, as large as the largest group of blocks, and its products with the largest block."""

    def __init__(self, size: int, block: int, problem: Problem) -> None:
        bins, count, dtype = problem.frames.shape[1], problem.n_components, problem.frames.dtype
        self.activations, self.before, self.constant = (np.empty((count, size), dtype) for _ in range(3))
        self.found = np.empty((block, count), dtype)
        self.products = Products(bins, count, dtype, block)


class _Motion:
    def __init__(self, problem: Problem, factors: Factors) -> None:
        self.problem, self.factors = problem, factors
        self.moves, self.learns = np.flatnonzero(problem.learn_activations), np.flatnonzero(problem.learn_bases)
        self.absent_bases, self.absent_activations = _zeros(factors.bases), _zeros(factors.activations)
        self.portions = _portions(problem)
        groups = [group for portion in self.portions for group in portion]
        longest = max(map(_length, groups)), max(block.stop - block.start for group in groups for block in group)
        self.workspaces = [_Workspace(*longest, problem) for _ in range(n_threads())]
        self.rows = whole_rows(problem.frames)
        self.energy = sum(_energy(problem.frames[block]) for group in groups for block in group)
        self.doubt = 0.1 * float(np.finfo(problem.frames.dtype).eps) * self.energy
        learns = self.learns.size > 0
        # A portion is summed in the dtype of V, which is short work; all portions together in float64.
        n_portions, (count, n_bins) = len(self.portions) if learns else 0, factors.bases.shape
        self.products = np.zeros((n_portions, count, -(-n_bins // LINE) * LINE), problem.frames.dtype)
        self.grams = np.zeros((2, len(self.portions), problem.n_components, problem.n_components))
        self.before = factors.copy()
        self.swept, self.swept_before = factors.bases.copy(), factors.bases.copy()
        # While the bases rest, what V says about the activations never changes.
        self.constants = None if learns else np.empty_like(factors.activations)
        self.known = self.primed = False  # whether these constants are known, and the statistics
        self.equations = _Equations(self.grams[0, 0], self.moves, problem.frames.dtype)
        self.scaled = roomy_like(factors.bases)
        self.back: Matrix = self.scaled.T
        self.statistics = self.statistics_before = _Statistics(np.zeros(0), np.zeros(0))
        self.cross: Sums = np.zeros(0)
        self.least, self.plain = np.inf, _PLAIN  # iterations without momentum that are to come
        self.weight, self.ceiling = _FIRST, 1.0

    def step(self) -> None:
        if not self.learns.size:
            self._pass(moves=True)
            self.known = True
            return
        if not self.primed:
            self._pass(moves=False)
            self.statistics, self.cross = self._gathered()
            self.statistics_before, self.primed = self.statistics, True
            self.least = self.statistics.twice_divergence(self.factors.bases, self.energy)
        weight = 0.0 if self.plain else self.weight
        self._move_bases(weight)
        if not self.moves.size:
            return
        self._pass(moves=True)
        self.statistics_before, (self.statistics, self.cross) = self.statistics, self._gathered()
        self._judge()

    def restart(self) -> None:
        """Begin with a plain iteration, and a smaller weight after it."""
        self.plain = 1
        self.ceiling, self.weight = self.weight, self.weight / _DECAY

    def _judge(self) -> None:
        """Keep the new pair, or take it back; a plain iteration lowers the divergence, whatever rounding says."""
        found = self.statistics.twice_divergence(self.factors.bases, self.energy)
        if self.plain or found <= self.least + self.doubt:
            self.least = found if self.plain else min(found, self.least)
            if self.plain:
                self.plain -= 1
            else:
                self.weight = min(self.ceiling, _GROWTH * self.weight)
                self.ceiling = min(1.0, _CEILING_GROWTH * self.ceiling)
            return
        self.factors.bases[...] = self.before.bases
        self.factors.activations[...] = self.before.activations
        self.swept[...] = self.swept_before
        self.statistics = self.statistics_before
        self.restart()

    def _move_bases(self, weight: float) -> None:
        """Sweep the bases towards the extrapolated activations, and extrapolate them."""
        W, target = self.factors.bases, self.statistics
        self.before.bases[...] = W
        self.swept_before[...] = self.swept
        if weight:
            target = self.statistics.ahead(self.statistics_before, self.cross, weight)
        equations = _Equations(target.gram, self.learns, W.dtype)
        constant = (target.product * equations.inverse[:, None]).astype(W.dtype)
        columns = _slices(W.shape[1])

        def work(index: int, worker: int) -> None:
            part = columns[index]
            absent = None if self.absent_bases is None else self.absent_bases[:, part]
            moved = np.ascontiguousarray(W[:, part])
            _sweep(moved, constant[:, part], equations, absent)
            self.swept[:, part] = moved
            W[:, part] = _ahead(moved, self.swept_before[:, part], weight)

        spread(work, len(columns))

    def _pass(self, *, moves: bool) -> None:
        """Go over V once: sweep the activations, and gather what they and V say about the bases."""
        W = self.factors.bases
        exact = W.astype(np.float64)
        self.equations = _Equations(exact @ exact.T, self.moves, W.dtype)
        np.multiply(W, self.equations.inverse[:, None], out=self.scaled)
        # The usual kernel is a little faster on a contiguous factor, the one for small products is not.
        self.back = self.scaled.T if self.workspaces[0].products.piece else np.ascontiguousarray(self.scaled.T)
        spread(lambda portion, worker: self._portion(portion, self.workspaces[worker], moves), len(self.portions))

    def _portion(self, portion: int, space: _Workspace, moves: bool) -> None:
        self.grams[:, portion] = 0
        for group in self.portions[portion]:
            now, before = self._activations(group, space, moves)
            if self.learns.size:
                self.grams[0, portion] += now @ now.T
                self.grams[1, portion] += now @ before.T
                self._sum_up(portion, group, space)

    def _activations(self, group: list[slice], space: _Workspace, moves: bool) -> tuple[Matrix, Matrix]:
        """Sweep the activations of a group of blocks; they, and what they were before, component by component."""
        frames = slice(group[0].start, group[-1].stop)
        H, size = self.factors.activations[frames], _length(group)
        now, before = space.activations[:, :size], space.before[:, :size]
        now[...] = before[...] = H.T
        if moves:
            absent = None if self.absent_activations is None else self.absent_activations[frames].T
            _sweep(now, self._constant(group, space), self.equations, absent)
            self.before.activations[frames] = H
            H[...] = now.T
        return now, before

    def _sum_up(self, portion: int, group: list[slice], space: _Workspace) -> None:
        """Take the share of a group of blocks in what the bases need for their next step."""
        first = self.portions[portion][0][0]
        for block in group:
            H = self.factors.activations[block]
            space.products.gather(H, self.rows[block], self.products[portion], first=block == first)

    def _constant(self, group: list[slice], space: _Workspace) -> Matrix:
        """What V says about the activations of a group of blocks."""
        first = group[0].start
        constant = space.constant[:, : group[-1].stop - first]
        for block in group:
            part = constant[:, block.start - first : block.stop - first]
            if self.constants is not None and self.known:
                part[...] = self.constants[block].T
                continue
            found = space.products.compress(self.rows[block], self.back, space.found[: block.stop - block.start])
            part[...] = found.T
            if self.constants is not None:
                self.constants[block] = found
        return constant

    def _gathered(self) -> tuple[_Statistics, Sums]:
        """What the portions have gathered, added up in their order."""
        product: NDArray[np.float64] = np.empty(self.factors.bases.shape)
        columns = _slices(product.shape[1])

        def work(index: int, worker: int) -> None:
            np.sum(self.products[:, :, columns[index]], axis=0, dtype=np.float64, out=product[:, columns[index]])

        spread(work, len(columns))
        gram, cross = self.grams.sum(axis=1)
        return _Statistics(product, gram), cross


def _sweep(moved: Matrix, constant: Matrix, equations: _Equations, absent: NDArray[np.bool_] | None) -> None:
    """Solve ``equations`` one component after the other, never below zero, until little moves; in place."""
    found = np.empty(moved.shape[1], moved.dtype)
    rows = [
        (equations.others[k], constant[k], moved[k], None if absent is None else absent[k])
        for k in equations.components
    ]
    first = 0.0
    for _ in range(_SWEEPS):
        start = moved.copy()
        for others, known, row, gone in rows:
            np.dot(others, moved, out=found)
            np.subtract(known, found, out=found)
            np.maximum(found, 0, out=row)
            if gone is not None:
                row[gone] = 0
        start -= moved
        change = _energy(start)
        first = first or change
        if change <= _ENOUGH**2 * first:
            return


def _ahead(now: Matrix, before: Matrix, weight: float) -> Matrix:
    """The extrapolated point, never below zero."""
    point: Matrix = np.subtract(now, before)
    point *= weight
    point += now
    return np.maximum(point, 0, out=point)


def _energy(block: Matrix) -> float:
    """Sum of squares."""
    return float(np.vdot(block, block))


def _zeros(factor: Matrix) -> NDArray[np.bool_] | None:
    """Where a factor is zero at the start; None where it is not."""
    absent = factor == 0
    return absent if absent.any() else None


def _portions(problem: Problem) -> list[list[list[slice]]]:
    """Portions of work, and in each of them groups of neighbouring blocks that are swept together."""
    longest = _SHORT if problem.n_components < _FEW else _LONG
    portions = problem.portions()
    fewer = max(_PORTIONS, len(problem.frames) // longest)
    if fewer < len(portions):
        blocks = [block for portion in portions for block in portion]
        shares = np.array_split(np.arange(len(blocks)), fewer)
        portions = [blocks[share[0] : share[-1] + 1] for share in shares]
    return [_groups(portion, longest) for portion in portions]


def _groups(portion: list[slice], longest: int) -> list[list[slice]]:
    groups: list[list[slice]] = []
    for block in portion:
        if groups and block.stop - groups[-1][0].start <= longest:
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


def _length(group: list[slice]) -> int:
    return int(group[-1].stop - group[0].start)


def _slices(n_bins: int) -> list[slice]:
    """Parts of a row of bins, for the threads to share."""
    return [slice(start, min(start + _BINS, n_bins)) for start in range(0, n_bins, _BINS)]
