"""One iteration with bases of several frames (NMFD), beside libnmfd and torchnmf where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from clock import in_turn
from page import Section, table
from peers import available, quietly
from unweave.arrays import Matrix
from unweave.convolutive import nmfd_steps
from unweave.nmf import run
from unweave.plan import Plan
from unweave.rules import Multiplicative

BINS, FRAMES, COUNT, TAPS = 1025, 900, 3, 8
ITERATIONS = 20

TEXT = """Kullback-Leibler, V {bins} × {frames} float32, {count} components of {taps} frames, the same start: {n}
multiplicative iterations with what comes before and after them, over {n}; medians of {repeats} runs in turn. libnmfd
computes in float64, looks at the divergence in every iteration and averages the quotients of single taps, so it makes
other steps; it asks for a NumPy older than ours, so as a rule it is not there. torchnmf has no activations in the
last {last} frames. So these are times of an iteration, not times to a divergence.

{table}"""

Task = Callable[[Matrix, Matrix, Matrix, int], object]


def _ours(V: Matrix, W: Matrix, H: Matrix, n: int, rule: Multiplicative | None = None) -> object:
    plan = Plan(bases=W, activations=H, restarts=1, max_iter=n, tol=0, rule=rule)
    return run(nmfd_steps(V, W.shape[1], W.shape[2], plan))


def _libnmfd(V: Matrix, W: Matrix, H: Matrix, n: int) -> object:
    from libnmfd.core.nmfconv import nmfd as theirs

    with quietly():
        return theirs(
            V=V,
            num_comp=W.shape[1],
            num_frames=V.shape[1],
            num_iter=n,
            num_template_frames=W.shape[2],
            init_W=list(W.transpose(1, 0, 2)),
            init_H=H,
        )


def _torchnmf(V: Matrix, W: Matrix, H: Matrix, n: int) -> object:
    import torch
    from torchnmf.nmf import NMFD

    model = NMFD(W=torch.from_numpy(W.copy()), H=torch.from_numpy(H[None, :, : V.shape[1] - W.shape[2] + 1].copy()))
    with quietly():
        return model.fit(torch.from_numpy(V)[None], beta=1, tol=-np.inf, max_iter=n)


PROGRAMS: dict[str, tuple[str, Task]] = {
    "unweave, plain updates": ("unweave", partial(_ours, rule=Multiplicative())),
    "unweave": ("unweave", _ours),
    "libnmfd": ("libnmfd", _libnmfd),
    "torchnmf": ("torchnmf", _torchnmf),
}


def taps(quick: bool = False) -> Section:
    """One convolutive iteration beside peers."""
    bins, frames, count, width = (33, 40, 2, 3) if quick else (BINS, FRAMES, COUNT, TAPS)
    n, repeats = (2, 1) if quick else (ITERATIONS, 3)
    rng = np.random.default_rng(0)
    V = rng.standard_gamma(0.5, (bins, frames), np.float32)
    W, H = rng.random((bins, count, width), np.float32), rng.random((count, frames), np.float32)
    tasks = {name: partial(task, V, W, H, n) for name, (module, task) in PROGRAMS.items() if available(module)}
    found = in_turn(tasks, repeats)
    rows = [
        (name, f"{1e3 * found[name] / n:.2f} ms", f"{found[name] / found['unweave']:.1f}")
        if name in found
        else (name, "not installed", "–")
        for name in PROGRAMS
    ]
    cells = table(("program", "an iteration", "over ours"), rows)
    text = TEXT.format(
        bins=bins, frames=frames, count=count, taps=width, n=n, repeats=repeats, last=width - 1, table=cells
    )
    return text, None
