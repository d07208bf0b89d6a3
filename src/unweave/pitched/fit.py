"""How strongly each of some known spectra sounds in each frame: the Kullback-Leibler fit.

    H ← H ⊙ (V ⊘ H W) Wᵀ          rows of W sum to one

V holds a frame a row, W a template a row. Frames do not know of each other: a long recording is fitted piece by piece.
After a few steps templates that are nowhere heard in the piece are left out: the others can only grow by that.

Reference: D. D. Lee, H. S. Seung, Algorithms for non-negative matrix factorization, NIPS 2000.
"""

from __future__ import annotations

import numpy as np

from unweave.arrays import EPSILON, Matrix

__all__ = ["fit_templates"]

_FIRST = 8
"""Steps with all templates."""

_LEAST = 2e-4
"""What a template must reach by then to be kept, as a share of the loudest frame."""


def fit_templates(spectra: Matrix, templates: Matrix, n_iter: int = 30) -> Matrix:
    """Fit templates ``(columns, bands)``, each of unit sum, to ``spectra (frames, bands)``.

    Returns ``(frames, columns)``, float32.
    """
    out = np.zeros((len(spectra), len(templates)), np.float32)
    level = float(spectra.sum(axis=1).max(initial=0.0))
    if level <= 0:
        return out
    start = np.repeat(spectra.sum(axis=1, keepdims=True) / len(templates), len(templates), axis=1)
    floor = np.float32(max(EPSILON * level, 1e-30))
    first = _steps(spectra, templates, start, min(n_iter, _FIRST), floor)
    kept = first.max(axis=0) > _LEAST * level
    chosen = np.ascontiguousarray(templates[kept])
    out[:, kept] = _steps(spectra, chosen, first[:, kept], n_iter - _FIRST, floor)
    return out


def _steps(spectra: Matrix, templates: Matrix, activations: Matrix, n_iter: int, floor: np.float32) -> Matrix:
    for _ in range(n_iter):
        model = activations @ templates
        model += floor
        np.divide(spectra, model, out=model)
        activations = activations * (model @ templates.T)
    return activations
