"""The result of a factorisation: V ≈ W H, bases times activations, and how it came about.

Names. ``bases`` is W ``(bins, components)``, ``activations`` is H ``(components, frames)``. In scikit-learn's words,
on the transposed problem, they are ``components_.T`` and ``fit_transform().T``; in librosa's, components and
activations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix, keep_read_only, nonnegative_matrix
from unweave.errors import Incompatible, InvalidInput
from unweave.shown import html_of
from unweave.words import counted

__all__ = ["ORDERS", "Factorization", "Model", "Order", "Stop"]

Order = Literal["centroid", "energy", "onset", "none"]
ORDERS: tuple[Order, ...] = ("centroid", "energy", "onset", "none")


class Stop(Enum):
    """Why a factorisation stopped, as a sentence with advice."""

    CONVERGED = "The divergence no longer falls by more than tol: more iterations would change little."
    MAX_ITER = "max_iter was reached before the divergence settled: raise max_iter if the parts are not yet distinct."
    SILENT = "There is nothing but zeros to explain: every activation is zero."
    INTERRUPTED = "It was interrupted: these are the parts as far as they had come."
    NOTHING_TO_LEARN = "Bases and activations were both kept: they were only multiplied."

    def __str__(self) -> str:
        return self.value


class Model(Protocol):
    """What masks, sounds and pictures ask of a factorisation, whatever its bases are."""

    @property
    def bases(self) -> Matrix:
        """``(bins, components)``, or with taps ``(bins, components, taps)``."""
        ...

    @property
    def activations(self) -> Matrix:
        """``(components, frames)``."""
        ...

    @property
    def divergences(self) -> NDArray[np.float64]:
        """The history of the divergence, at ``iterations``."""
        ...

    @property
    def iterations(self) -> NDArray[np.int64]:
        """Where the divergences were taken."""
        ...

    @property
    def stop(self) -> Stop:
        """Why it stopped."""
        ...

    @property
    def beta(self) -> float:
        """Which β-divergence."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the random start."""
        ...

    @property
    def n_components(self) -> int:
        """How many components there are."""
        ...

    @property
    def n_taps(self) -> int:
        """How many frames a basis lasts."""
        ...

    @property
    def n_iter(self) -> int:
        """How many iterations were run."""
        ...

    @property
    def spectra(self) -> Matrix:
        """One spectrum for each component, ``(bins, components)``."""
        ...

    def contribution(self, frames: slice, components: Sequence[int], exponent: float = 1.0) -> Matrix:
        """The sum of what some components contribute to some frames, each to a power, ``(frames, bins)``."""
        ...

    def levels(self) -> Matrix:
        """Length (L2) of what every component contributes to every frame, ``(components, frames)``."""
        ...

    def component(self, k: int) -> Matrix:
        """What component ``k`` contributes to the approximation, ``(bins, frames)``."""
        ...

    def approximation(self) -> Matrix:
        """The sum of all components, ``(bins, frames)``."""
        ...

    def normalize(self) -> Self:
        """The same model, with bases of length one (L2)."""
        ...

    def select(self, components: Sequence[int] | NDArray[np.intp]) -> Self:
        """The same factorisation with these components only, in this order."""
        ...


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
        divergences, iterations = checked_history(self.divergences, self.iterations)
        keep_read_only(self, bases=bases, activations=activations, divergences=divergences, iterations=iterations)

    def __repr__(self) -> str:
        bins, count = self.bases.shape
        history = (
            f", divergence {self.divergences[-1]:.4g} after {counted(self.n_iter, 'iteration')}" if self.n_iter else ""
        )
        parts = (counted(count, "component"), counted(bins, "bin"), counted(self.activations.shape[1], "frame"))
        return f"Factorization({', '.join(parts)}{history})"

    def _repr_html_(self) -> str | None:
        return html_of(self)

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return int(self.bases.shape[1])

    @property
    def n_taps(self) -> int:
        """How many frames a basis lasts: one; see `unweave.convolutive` for more."""
        return 1

    @property
    def n_iter(self) -> int:
        """How many iterations were run."""
        return int(self.iterations[-1]) if self.iterations.size else 0

    @property
    def spectra(self) -> Matrix:
        """One spectrum for each component, ``(bins, components)``: the bases."""
        return self.bases

    def contribution(self, frames: slice, components: Sequence[int], exponent: float = 1.0) -> Matrix:
        """The sum of what some components contribute to some frames, each to a power, ``(frames, bins)``."""
        chosen = list(components)
        # A power of w h is the product of their powers.
        total: Matrix = (self.activations[chosen, frames].T ** exponent) @ (self.bases[:, chosen].T ** exponent)
        return total

    def levels(self) -> Matrix:
        """Length (L2) of what every component contributes to every frame, ``(components, frames)``."""
        return self.normalize().activations

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


def checked_history(divergences: ArrayLike, iterations: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Divergences and the iterations at which they were taken; where none are named they count from 0."""
    taken, at = np.asarray(divergences, np.float64), np.asarray(iterations, np.int64)
    if at.size == 0:
        at = np.arange(taken.size)
    if at.shape != taken.shape:
        raise Incompatible(f"{taken.size} divergences, but {at.size} iterations they were taken at.")
    return taken, at


def component_order(
    factorization: Model, order: Order = "centroid", positions: NDArray[np.float64] | None = None
) -> NDArray[np.intp]:
    """Numbers of the components in a stable order.

    Parameters
    ----------
    factorization : Model
        What is put in order; of bases with taps the sum over them counts.
    order : {"centroid", "energy", "onset", "none"}
        By the centre of gravity of the power of the basis, low to high; by energy, loudest first; by the centre of
        gravity of the activation, early to late; or as they are. Equals keep their order.
    positions : ``(bins,)``, optional
        Where each row of the bases lies on the axis of the centroid. Default: its number.
    """
    if order not in ORDERS:
        raise InvalidInput(f"order={order!r} is not one of {', '.join(ORDERS)}.")
    bases = factorization.spectra.astype(np.float64)
    activations = factorization.activations.astype(np.float64)
    if order == "none":
        return np.arange(factorization.n_components)
    if order == "energy":
        energy = np.square(bases).sum(axis=0) * np.square(activations).sum(axis=1)
        return np.argsort(-energy, kind="stable")
    if order == "onset":
        return np.argsort(_center(activations.T, np.arange(activations.shape[1])), kind="stable")
    where = np.arange(bases.shape[0]) if positions is None else positions
    # Of powers: in magnitudes a low drum with a faint hiss over a thousand bins would count as a high sound.
    return np.argsort(_center(bases if factorization.beta == 0 else np.square(bases), where), kind="stable")


def _center(columns: NDArray[np.float64], positions: NDArray[Any]) -> NDArray[np.float64]:
    """Centre of gravity of every column; columns of zeros come last."""
    total = columns.sum(axis=0)
    weighted: NDArray[np.float64] = positions @ columns
    center: NDArray[np.float64] = np.full(total.shape, np.inf)
    np.divide(weighted, total, out=center, where=total > 0)
    return center
