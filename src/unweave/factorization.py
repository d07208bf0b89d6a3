"""The result of a factorisation: V ≈ W H, bases times activations, and how it came about.

Names. ``bases`` is W ``(bins, components)``, ``activations`` is H ``(components, frames)``. In scikit-learn's words,
on the transposed problem, they are ``components_.T`` and ``fit_transform().T``; in librosa's, components and
activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix, nonnegative_matrix
from unweave.errors import Incompatible, InvalidInput

__all__ = ["ORDERS", "Factorization", "Order", "Stop"]

Order = Literal["centroid", "energy", "onset", "none"]
ORDERS: tuple[Order, ...] = ("centroid", "energy", "onset", "none")


class Stop(Enum):
    """Why a factorisation stopped, as a sentence with advice."""

    CONVERGED = "The divergence no longer falls by more than tol: more iterations would change little."
    MAX_ITER = "max_iter was reached before the divergence settled: raise max_iter if the parts are not yet distinct."
    SILENT = "There is nothing but zeros to explain: every activation is zero."
    NOTHING_TO_LEARN = "Bases and activations were both kept: they were only multiplied."

    def __str__(self) -> str:
        return self.value


def _no_history() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Factorization:
    """Bases and activations, with the history of their divergence.

    Parameters
    ----------
    bases : ``(bins, components)``
        A spectrum for each component. Learned ones have length one (L2), so that activations carry the level.
    activations : ``(components, frames)``
        How much of each component there is in every frame, in the unit of V.
    divergences : float64 ``(n,)``
        Divergence at the iterations named in ``iterations``.
    stop : Stop
        Why it stopped.
    beta : float
        Which β-divergence.
    seed : int
        Seed of the random start.
    iterations : int64 ``(n,)``
        Iterations at which ``divergences`` were taken; 0 is the start. Default: 0, 1, 2, …
    """

    bases: Matrix
    activations: Matrix
    divergences: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    stop: Stop = Stop.MAX_ITER
    beta: float = 1.0
    seed: int = 0
    iterations: NDArray[np.int64] = field(default_factory=_no_history)

    def __post_init__(self) -> None:
        bases = nonnegative_matrix("bases", self.bases)
        activations = nonnegative_matrix("activations", self.activations)
        if bases.shape[1] != activations.shape[0]:
            raise Incompatible(
                f"bases.shape={bases.shape} has {bases.shape[1]} components, but activations.shape={activations.shape} "
                f"has {activations.shape[0]}: bases are (bins, components), activations (components, frames)."
            )
        divergences = np.asarray(self.divergences, np.float64)
        iterations = np.asarray(self.iterations, np.int64)
        if iterations.size == 0:
            iterations = np.arange(divergences.size)
        if iterations.shape != divergences.shape:
            raise Incompatible(f"{divergences.size} divergences, but {iterations.size} iterations they were taken at.")
        for name, array in (
            ("bases", bases),
            ("activations", activations),
            ("divergences", divergences),
            ("iterations", iterations),
        ):
            view = array.view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __repr__(self) -> str:
        bins, count = self.bases.shape
        plural = "" if count == 1 else "s"
        history = f", divergence {self.divergences[-1]:.4g} after {self.n_iter} iterations" if self.n_iter else ""
        return f"Factorization({count} component{plural}, {bins} bins, {self.activations.shape[1]} frames{history})"

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return int(self.bases.shape[1])

    @property
    def n_iter(self) -> int:
        """How many iterations were run."""
        return int(self.iterations[-1]) if self.iterations.size else 0

    def component(self, k: int) -> Matrix:
        """What component ``k`` contributes to the approximation, ``(bins, frames)``."""
        require_component(k, self.n_components)
        return np.outer(self.bases[:, k], self.activations[k])

    def approximation(self) -> Matrix:
        """Bases times activations, ``(bins, frames)``."""
        product: Matrix = self.bases @ self.activations
        return product

    def select(self, components: Sequence[int] | NDArray[np.intp]) -> Factorization:
        """The same factorisation with these components only, in this order."""
        index = np.asarray(components, np.intp)
        for k in index:
            require_component(int(k), self.n_components)
        return replace(self, bases=self.bases[:, index], activations=self.activations[index])

    def sort(self, order: Order = "centroid") -> Factorization:
        """Put the components in a stable order, see `component_order`."""
        return self.select(component_order(self, order))

    def normalize(self) -> Factorization:
        """Give every basis length one (L2) and its level to the activations; the product stays the same."""
        length = np.linalg.norm(self.bases.astype(np.float64), axis=0)
        scale = np.where(length > 0, length, 1.0)
        return replace(
            self,
            bases=(self.bases / scale).astype(self.bases.dtype),
            activations=(self.activations * scale[:, None]).astype(self.activations.dtype),
        )

    def match(self, bases: ArrayLike) -> Factorization:
        """Put the components in the order of the bases that they resemble most (cosine, best assignment).

        Parameters
        ----------
        bases : ``(bins, n)``
            Templates, at most as many as there are components; components beyond them come last.
        """
        from scipy.optimize import linear_sum_assignment  # heavy, and needed here only

        templates = nonnegative_matrix("bases", bases)
        if templates.shape[0] != self.bases.shape[0] or templates.shape[1] > self.n_components:
            raise Incompatible(
                f"bases.shape={templates.shape}, but ({self.bases.shape[0]}, n) is needed with n of at most "
                f"{self.n_components}: one column for each component to be found."
            )
        likeness = _unit_columns(templates).T @ _unit_columns(self.bases)
        _, found = linear_sum_assignment(-likeness)
        rest = [k for k in range(self.n_components) if k not in set(found.tolist())]
        return self.select([*found.tolist(), *rest])


def _unit_columns(matrix: Matrix) -> NDArray[np.float64]:
    columns = matrix.astype(np.float64)
    length = np.linalg.norm(columns, axis=0)
    unit: NDArray[np.float64] = columns / np.where(length > 0, length, 1.0)
    return unit


def require_component(k: int, n_components: int) -> None:
    """Refuse the number of a component that there is not."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 0 <= k < n_components:
        raise InvalidInput(f"component {k!r}: there are {n_components}, numbered from 0 to {n_components - 1}.")


def component_order(
    factorization: Factorization, order: Order = "centroid", positions: NDArray[np.float64] | None = None
) -> NDArray[np.intp]:
    """Numbers of the components in a stable order.

    Parameters
    ----------
    factorization : Factorization
        What is put in order.
    order : {"centroid", "energy", "onset", "none"}
        By the centre of gravity of the basis, low to high; by energy, loudest first; by the centre of gravity of the
        activation, early to late; or as they are. Equals keep their order.
    positions : ``(bins,)``, optional
        Where each row of the bases lies on the axis of the centroid. Default: its number.
    """
    if order not in ORDERS:
        raise InvalidInput(f"order={order!r} is not one of {', '.join(ORDERS)}.")
    bases = factorization.bases.astype(np.float64)
    activations = factorization.activations.astype(np.float64)
    if order == "none":
        return np.arange(factorization.n_components)
    if order == "energy":
        energy = np.square(bases).sum(axis=0) * np.square(activations).sum(axis=1)
        return np.argsort(-energy, kind="stable")
    if order == "onset":
        return np.argsort(_center(activations.T, np.arange(activations.shape[1])), kind="stable")
    where = np.arange(bases.shape[0]) if positions is None else positions
    return np.argsort(_center(bases, where), kind="stable")


def _center(columns: NDArray[np.float64], positions: NDArray[Any]) -> NDArray[np.float64]:
    """Centre of gravity of every column; columns of zeros come last."""
    total = columns.sum(axis=0)
    weighted: NDArray[np.float64] = positions @ columns
    center: NDArray[np.float64] = np.full(total.shape, np.inf)
    np.divide(weighted, total, out=center, where=total > 0)
    return center
