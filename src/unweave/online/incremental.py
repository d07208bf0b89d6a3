"""Incremental majorisation-minimisation: a factorisation that moves its bases many times in a pass over V.

    F(W) = Σ_g  majoriser of group g at (W_g, h_g),   W_g the bases when the group was last visited

A visit moves the activations of a group under the bases as they are, takes its N and D anew
(`unweave.online.majorizer`) in the place of the old ones, and puts the bases where F is least. Neither step can raise
F, which lies above the divergence and touches it where nothing moves any more. Penalties, where there are any, are a
part of F, and of what is called divergence below. With one group it is the joint step of Marmin, Goulart and Févotte;
with 32 the bases move 32 times for each time that V is read.

References: R. Neal, G. Hinton, A view of the EM algorithm that justifies incremental, sparse, and other variants, 1998,
doi:10.1007/978-94-011-5014-9_12. A. Marmin, J. H. de Morais Goulart, C. Févotte, Joint majorization-minimization for
nonnegative matrix factorization with the β-divergence, arXiv:2106.15214.
"""

from __future__ import annotations

import numpy as np

from unweave.arrays import Mask, Matrix
from unweave.divergence import monotone_exponent
from unweave.factorization import Stop
from unweave.online.majorizer import Kernel, Scale, Sums, added, flat
from unweave.pieces import PIECE, Frames

__all__ = ["GROUPS", "Passes"]

GROUPS = 32
"""Most groups of frames: so many times do the bases move in a pass."""

_STEPS = 4
"""Steps of a piece's activations at each visit: more than one, because reading it costs more than moving them."""
_FIRST_STEPS = 20
"""Steps of activations that start from nothing, and of all under the final bases; more where steps are damped."""
_ALONE_STEPS = 100
"""Steps of activations whose bases are kept: nothing will visit them again."""
_CHECK_EVERY = 5
"""Passes from one look at the divergence to the next."""


class Passes:
    """The factors, and what is known of every group of frames, from pass to pass."""

    def __init__(self, frames: Frames, scale: Scale, kernel: Kernel, W: Matrix, learns: Mask) -> None:
        self.frames, self.scale, self.kernel, self.W, self.learns = frames, scale, kernel, W, learns
        self.H = np.zeros((frames.n_frames, len(W)), W.dtype)
        self.size = int(np.clip(-(-frames.n_frames // GROUPS), min(64, frames.n_frames), PIECE))
        # Groups are whole pieces: their number is bounded, however many frames there are.
        n_pieces = -(-frames.n_frames // self.size)
        self.group_pieces = -(-n_pieces // GROUPS)
        self.first_steps = round(_FIRST_STEPS / monotone_exponent(kernel.beta))
        self.known: list[Sums] = []
        self.history: list[tuple[int, float]] = []

    def once(self, steps: int, *, move: bool = True, first: bool = False, measure: bool = False) -> float:
        """One pass over V: all activations, and after every group of frames (``move``) the bases."""
        sums: Sums | None = None
        divergence, last = 0.0, self.frames.n_frames
        for number, (at, raw) in enumerate(self.frames.pieces(self.size)):
            V, H = self.scale.apply(raw), self.H[at : at + len(raw)]
            if first:
                H[...] = flat(V, self.W)
            share, part = self.kernel.visit(V, H, self.W, steps, sums=move or first, measure=measure)
            divergence += part
            if share is not None:
                sums = share if sums is None else added([sums, share])
            if sums is not None and ((number + 1) % self.group_pieces == 0 or at + len(raw) == last):
                self._put(number // self.group_pieces, sums, move)
                sums = None
        return divergence

    def _put(self, group: int, sums: Sums, move: bool) -> None:
        """What is known of a group takes the place of what was."""
        self.known[group : group + 1] = [sums]
        if move:
            # Summed anew: taking out and putting in would let rounding errors grow.
            self.W = self.kernel.solve(added(self.known), self.W, self.learns)

    def settle(self, max_iter: int, tol: float) -> Stop:
        """Pass after pass, until nothing moves."""
        if not self.learns.any():
            self.history.append((0, self.once(_ALONE_STEPS, move=False, first=True, measure=True)))
            return Stop.CONVERGED
        stop, done = Stop.MAX_ITER, 0
        self.history.append((0, self.once(self.first_steps, move=False, first=True, measure=True)))
        while done < max_iter and stop is Stop.MAX_ITER:
            done += 1
            look = done % _CHECK_EVERY == 0
            divergence = self.once(_STEPS, measure=look)
            if look and done < max_iter:
                before, high = self.history[-1]
                self.history.append((done, divergence))
                if tol and high - divergence <= tol * high * (done - before):
                    stop = Stop.CONVERGED
        if max_iter:
            # The bases stand: activations that belong to them, and the divergence of both.
            final = self.once(self.first_steps, move=False, measure=True)
            self.history = [*(entry for entry in self.history if entry[0] < done), (done, final)]
        return stop
