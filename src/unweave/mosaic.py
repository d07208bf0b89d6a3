"""Activations of a mosaic: one spectrogram put together from the frames of another.

Every frame of the source is a template, and none of them is learned. Looked for are activations that build the target
from them,

    V ≈ W H,    V (bins, frames),    W (bins, templates),    H (templates, frames) ≥ 0,

by multiplicative updates for the Kullback-Leibler divergence. That alone would mix hundreds of templates into every
frame, and nothing of the source would be heard. So before each of L updates three constraints shape H, the first two
of them by a factor f = 1 - (i + 1)/L that falls from nearly one to zero over the iterations i = 0 … L - 1:

* *time sparsity*: a template that is not at its loudest within ``time_sparsity`` frames is multiplied by f, so that it
  is not played again and again, which would buzz;
* *polyphony*: in each frame all but the ``polyphony`` templates with the most energy, H_kn |w_k|², are multiplied by f;
* *continuity*: H_kn becomes the sum of H_(k+d)(n+d) over ``continuity`` places d around 0, so that a template calls for
  those that follow it in the source, and whole gestures of it survive.

After an update the sum of all bins of a frame of W H is that of V, wherever a template is left to play.

Cost: two products of bins by templates by frames an iteration; the constraints cost half as much again. Two matrices of
templates by frames are held in memory, four bytes an entry. The target's frames are worked on in blocks over the
threads; the result is the same for any number of them.

Differences from FluCoMa's BufNMFCross. There f comes of an integer division: it is 1 in all iterations but the last, in
which everything that is too much is cut off at once (``ramp="last"`` does the same). Constraints that are longer than
the target are refused there; here they end where it ends. There continuity costs its square for every entry, here its
logarithm.

References: J. Driedger, T. Prätzlich, M. Müller, Let it Bee – towards NMF-inspired audio mosaicing, ISMIR 2015,
pp. 350-356, https://archives.ismir.net/ismir2015/paper/000013.pdf.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import EPSILON, Matrix, nonnegative_matrix
from unweave.errors import Incompatible, InvalidInput
from unweave.phase import PHASE_ITER
from unweave.plan import Plan, require_count
from unweave.threads import n_threads, single_blas, spread

__all__ = [
    "MAX_CELLS",
    "RAMPS",
    "CrossPlan",
    "CrossProgress",
    "Ramp",
    "activation_steps",
    "frame_blocks",
    "require_size",
    "scale_of",
]

Ramp = Literal["paper", "last"]
RAMPS: tuple[Ramp, ...] = ("paper", "last")

TIME_SPARSITY = 7
POLYPHONY = 11
CONTINUITY = 7
ITERATIONS = 50

MAX_CELLS = 2**29
"""Most templates times frames: two gigabytes for each of two matrices, some 4.5 minutes by 4.5 minutes by default."""

_BLOCK = 128
"""Frames that are worked on at a time: their activations, model and quotients stay in the cache."""

_VANISHED = 1e-20
"""Activations of spectra of mean one below which nothing could be heard; smaller numbers soon would be slow ones."""


@dataclass(frozen=True, slots=True, eq=False)
class CrossPlan:
    """How a mosaic is made: every option of `cross` but the transform, with its default, checked."""

    time_sparsity: int = TIME_SPARSITY
    polyphony: int = POLYPHONY
    continuity: int = CONTINUITY
    n_iter: int = ITERATIONS
    ramp: Ramp = "paper"
    n_phase_iter: int = PHASE_ITER
    rng: int | np.random.Generator | None = None

    def __post_init__(self) -> None:
        for name in ("time_sparsity", "continuity"):
            value = getattr(self, name)
            require_count(name, value, 1, 9999)
            if value % 2 == 0:
                raise InvalidInput(f"{name}={value} is even, but it has a middle: take {value - 1} or {value + 1}.")
        require_count("polyphony", self.polyphony, 1, 10**6)
        require_count("n_iter", self.n_iter, 1, 100_000)
        require_count("n_phase_iter", self.n_phase_iter, 0, 100_000)
        if self.ramp not in RAMPS:
            raise InvalidInput(f"ramp={self.ramp!r} is not one of {', '.join(RAMPS)}.")

    def factor(self, iteration: int) -> float:
        """What too much is multiplied by in an iteration, which are counted from 0."""
        if self.ramp == "last":
            return 1.0 if iteration < self.n_iter - 1 else 0.0
        return 1 - (iteration + 1) / self.n_iter


@dataclass(frozen=True, slots=True)
class CrossProgress:
    """Where a mosaic is: iterations done, of ``total``, in looking for the frames or then for their phases."""

    stage: Literal["frames", "phases"]
    done: int
    total: int

    @property
    def share(self) -> float:
        """The share of the stage that is done, 0 to 1."""
        return self.done / self.total


def require_size(n_templates: int, n_frames: int) -> None:
    """Refuse what would take more memory than most machines have."""
    if n_templates * n_frames > MAX_CELLS:
        raise InvalidInput(
            f"{n_templates} frames of the source by {n_frames} of the target are more than {MAX_CELLS}, and time and "
            "memory grow with their product: take a part of either, or a longer hop_length."
        )


def frame_blocks(n_frames: int) -> list[slice]:
    """Frames in blocks that stay in the cache."""
    return [slice(begin, min(begin + _BLOCK, n_frames)) for begin in range(0, n_frames, _BLOCK)]


def activation_steps(
    templates: ArrayLike, V: ArrayLike, plan: CrossPlan | None = None
) -> Generator[CrossProgress, None, Matrix]:
    """Look for the activations of a mosaic; yields a `CrossProgress` after every iteration.

    Parameters
    ----------
    templates : non-negative ``(bins, n)``
        Magnitudes of the source, in the order of time.
    V : non-negative ``(bins, frames)``
        Magnitudes of the target.
    plan : CrossPlan, optional

    Returns
    -------
    float32 ``(n, frames)``
        The generator's value: how much of every template there is in every frame.
    """
    W, V, plan = nonnegative_matrix("templates", templates), nonnegative_matrix("V", V), plan or CrossPlan()
    if W.shape[0] != V.shape[0]:
        raise Incompatible(f"templates has {W.shape[0]} bins and V {V.shape[0]}: both need the same transform.")
    require_size(W.shape[1], V.shape[1])
    if not W.any() or not V.any():
        return np.zeros((W.shape[1], V.shape[1]), np.float32)
    # Of mean one, nearly: no square and no quotient leaves float32.
    units = scale_of(W), scale_of(V)
    W, V = (np.ascontiguousarray((matrix / unit).T, np.float32) for matrix, unit in zip((W, V), units, strict=True))
    search = _Search(W, V, plan)
    for iteration in range(plan.n_iter):
        search.step(np.float32(plan.factor(iteration)))
        yield CrossProgress("frames", iteration + 1, plan.n_iter)
    return np.asarray(search.H * np.float32(units[1] / units[0])).T


def scale_of(matrix: Matrix) -> float:
    """The power of two that is nearest to the mean of a matrix, 1 for silence: to divide by it changes no digit.

    It and its inverse are numbers that float32 holds in full.
    """
    mean = float(matrix.mean(dtype=np.float64))
    return 2.0 ** min(max(round(float(np.log2(mean))), -126), 126) if mean > 0 else 1.0


class _Search:
    """Activations ``(frames, templates)`` on their way; a step changes them in place.

    A step is two rounds over the blocks of frames: the first limits the activations and writes them beside the old
    ones, the second sums the limited ones along the diagonals, which needs the neighbours, and updates them.
    """

    def __init__(self, templates: Matrix, V: Matrix, plan: CrossPlan) -> None:
        self.W, self.V, self.plan = templates, V, plan
        shape = (V.shape[0], templates.shape[0])
        self.H: Matrix = np.random.default_rng(Plan(rng=plan.rng).seed()).random(shape, np.float32)
        self.limited: Matrix = np.empty(shape, np.float32)
        self.energy = np.square(templates).sum(axis=1)
        total = templates.sum(axis=1)
        # A silent template explains nothing, and is not played.
        self.share = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
        self.blocks = frame_blocks(shape[0])
        self.spaces = [np.empty((min(_BLOCK, shape[0]), V.shape[1]), np.float32) for _ in range(n_threads())]

    def step(self, factor: np.float32) -> None:
        """One iteration, in which what is too much is multiplied by ``factor``."""

        def limit(item: int, worker: int) -> None:
            self._limit(self.blocks[item], factor)

        def update(item: int, worker: int) -> None:
            self._update(self.blocks[item], self.spaces[worker])

        with single_blas():
            spread(limit, len(self.blocks))
            spread(update, len(self.blocks))

    def _limit(self, rows: slice, factor: np.float32) -> None:
        """Time sparsity and polyphony of some frames."""
        H = self.limited[rows]
        H[...] = self.H[rows]
        if factor == 1:
            return
        if self.plan.time_sparsity > 1:
            H *= _weights(_repeated(self.H, rows, self.plan.time_sparsity // 2), factor)
        count = self.plan.polyphony
        if count < H.shape[1]:
            energy = H * self.energy
            least = np.partition(energy, -count, axis=1)[:, -count, None]
            H *= _weights(energy < least, factor)

    def _update(self, rows: slice, space: Matrix) -> None:
        """Continuity and the multiplicative update of some frames."""
        H = _diagonal_sums(self.limited, rows, self.plan.continuity)
        model = np.matmul(H, self.W, out=space[: H.shape[0]])
        model += np.float32(EPSILON)
        np.divide(self.V[rows], model, out=model)
        growth = np.matmul(model, self.W.T)
        growth *= self.share
        H *= growth
        H *= H >= _VANISHED
        self.H[rows] = H


def _weights(lose: NDArray[np.bool_], factor: np.float32) -> Matrix:
    """``factor`` where something loses, 1 elsewhere."""
    weights: Matrix = np.multiply(lose, factor - 1, dtype=np.float32)
    weights += 1
    return weights


def _repeated(H: Matrix, rows: slice, reach: int) -> NDArray[np.bool_]:
    """Which entries of some rows have a greater one, or an equal one before, within ``reach`` rows of their column."""
    reach = min(reach, H.shape[0])  # there is nothing beyond
    first, last = rows.start - reach, rows.stop + reach
    near = H[max(first, 0) : min(last, H.shape[0])]
    if near.shape[0] < last - first:  # zeros outside
        near = np.pad(near, ((max(-first, 0), max(last - H.shape[0], 0)), (0, 0)))
    greatest, size = _runs(near, reach, 1, np.maximum), rows.stop - rows.start
    here = near[reach : reach + size]
    repeated: NDArray[np.bool_] = here < greatest[reach + 1 : reach + 1 + size]
    repeated |= here <= greatest[:size]
    return repeated


def _diagonal_sums(H: Matrix, rows: slice, count: int) -> Matrix:
    """For every entry of some rows, the sum of ``count`` entries along the diagonal around it; zeros outside."""
    n_rows, n_columns = H.shape
    reach = min(count // 2, n_rows, n_columns)  # there is nothing beyond
    if reach == 0:
        return H[rows].copy()
    size = rows.stop - rows.start
    first, last = max(rows.start - reach, 0), min(rows.stop + reach, n_rows)
    padded = np.zeros((size + 2 * reach, n_columns + 2 * reach), np.float32)
    at = first - rows.start + reach
    padded[at : at + last - first, reach : reach + n_columns] = H[first:last]
    # In one line, the next place on the diagonal is a row and one further. Sums that begin in the last columns run over
    # into the next row; they are not those asked for.
    sums = _runs(padded.reshape(-1), 2 * reach + 1, padded.shape[1] + 1, np.add)
    held = np.zeros((size, padded.shape[1]), np.float32)
    held.reshape(-1)[: sums.size] = sums
    return np.ascontiguousarray(held[:, :n_columns])


def _runs(values: Matrix, count: int, stride: int, join: np.ufunc) -> Matrix:
    """Join every entry along the first axis with the ``count`` - 1 that follow it at steps of ``stride``.

    By doubling: from runs of m come those of 2m, and ``count`` is a sum of powers of two. So it takes log2(count)
    passes, and unlike differences of a running sum it loses no digits beside a large entry.
    """
    power, total, length, covered = values, None, 1, 0
    while True:
        if count & length:
            part = power[covered * stride :]
            total = part if total is None else join(total[: part.shape[0]], part)
            covered += length
        step, length = length * stride, 2 * length
        if length > count:
            return values if total is None else total
        power = join(power[:-step], power[step:])
