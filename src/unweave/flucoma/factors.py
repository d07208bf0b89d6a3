"""BufNMF and BufNMFSeed: a buffer taken apart into components, and a start for that.

    V = |X| ≈ W H,   V (bins, frames),   W ≥ 0 (bins, components),   H ≥ 0 (components, frames),

for the Kullback-Leibler divergence, by exactly ``iterations`` iterations of the multiplicative rule, from one random
start: what FluCoMa does, done by `unweave.nmf`. Each channel of the source is taken apart on its own.

Buffers, for c channels and K components:

    bases          fft / 2 + 1 frames,           c · K channels,   of length one (L2) each
    activations    n_frames // hop + 1 frames,   c · K channels,   divided by the greatest of their channel's K
    resynth        as the source,                c · K channels,   which sum to the source

Channel c · K + k is component k of source channel c. Modes: 0 learns from chance, 1 from what is given, 2 keeps it.

Differences from FluCoMa.

* Bases and activations that are given keep their levels, so that a decomposition can be edited and resynthesised
  (modes 2 and 2) or continued (1 and 1); there every basis and every activation is brought to length one first, and
  the levels of the components are lost. With ``actmode=2`` the bases carry the levels: the longest has length one.
* Lengths of bases are taken up by the activations in every iteration, so that the divergence never rises.
* Silence has activations of zero, there it has NaN.
* The parts sum to the source where the model is silent too.
* ``tol`` ends the iterations when nothing moves any more; 0, the default, runs them all, as there.
* ``resynthmode`` is 1: who calls a function wants what it makes.
* BufNMFSeed takes any number of channels, whose components begin and end together, and weighs negative parts right:
  see `unweave.seeds`.

References: D. D. Lee, H. S. Seung, Algorithms for non-negative matrix factorization, NIPS 2000. P. A. Tremblay, G.
Roma, O. Green, Enabling programmatic data mining as musicking: the Fluid Corpus Manipulation toolkit, Computer Music
Journal 45(2), 2021, doi:10.1162/comj_a_00600.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization
from unweave.flucoma.buffers import Buffer, Source, as_buffer
from unweave.flucoma.chance import random_factors, seed_of
from unweave.flucoma.ranges import FFT_SETTINGS, Range, at_least, choice, spoken, transform_of
from unweave.framing import STFT
from unweave.nmf import iterate, unit_of
from unweave.parts import Decomposition
from unweave.rules import Multiplicative
from unweave.seeds import seed as make_seeds
from unweave.starts import METHODS
from unweave.stft import stft as transform
from unweave.words import counted

__all__ = ["NMFBuffers", "SeedBuffers", "bufnmf", "bufnmfseed"]

_MODES = ("none", "seed", "fixed")
_LOOK = 10
"""Iterations between two looks at the divergence, where they may end before their number is reached."""


class NMFBuffers(NamedTuple):
    """What `bufnmf` makes, in the order of FluCoMa's parameters; ``resynth`` has no frames where it was not wanted."""

    resynth: Buffer
    bases: Buffer
    activations: Buffer


class SeedBuffers(NamedTuple):
    """What `bufnmfseed` makes; the number of channels is the number of components, times those of the source."""

    bases: Buffer
    activations: Buffer


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What is done to every channel."""

    stft: STFT
    components: int
    iterations: int
    seed: int
    basesmode: int
    actmode: int
    tol: float

    @property
    def learns(self) -> bool:
        """Whether there is anything to look for."""
        return self.basesmode < 2 or self.actmode < 2


def bufnmf(
    source: Source,
    *,
    startframe: int = 0,
    numframes: int = -1,
    startchan: int = 0,
    numchans: int = -1,
    resynthmode: int = 1,
    bases: Source | None = None,
    basesmode: int = 0,
    activations: Source | None = None,
    actmode: int = 0,
    components: int = 1,
    iterations: int = 100,
    seed: int = -1,
    fftsettings: Sequence[int] = FFT_SETTINGS,
    tol: float = 0.0,
) -> NMFBuffers:
    """Take a buffer apart into components, as BufNMF does.

    Parameters
    ----------
    source : Buffer, Audio, path, or array ``(frames, channels)``
    startframe, numframes, startchan, numchans : int
        Which part of it; -1 for all that is left.
    resynthmode : {1, 0}
        Whether the sounds of the components are made.
    bases : Buffer, path or array ``(fft / 2 + 1, channels · components)``, optional
    basesmode : {0, 1, 2}
        What to do with them: nothing, begin with them, keep them. Where an entry is zero it stays zero.
    activations : Buffer, path or array ``(n // hop + 1, channels · components)``, optional
    actmode : {0, 1, 2}
        Likewise.
    components : int
        Parts of each channel; 0 is taken for 1, as programs that call FluCoMa's rely on it.
    iterations : int, at least 1
        More: nearer to the best that this start leads to.
    seed : int
        Another number is another start, the one that FluCoMa has for it. -1 stands for 0: the same at every call.
    fftsettings : (window, hop, fft)
        -1: half the window, the next power of two.
    tol : float, 0 to below 1
        Stop when ten iterations lower the divergence by less than this share of it.

    Returns
    -------
    NMFBuffers
        ``resynth``, ``bases``, ``activations``.

    Raises
    ------
    InvalidInput, Incompatible
        One sentence that says which value is out of range, or does not fit what.
    ReadError
        A file cannot be read.

    References
    ----------
    D. D. Lee, H. S. Seung, Algorithms for non-negative matrix factorization, NIPS 2000.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)["mix"]
    >>> made = bufnmf(loop, components=3, iterations=20, seed=42)
    >>> made.bases
    Buffer(513 frames, 3 channels, 43.0664 Hz)
    >>> bool(np.allclose(made.resynth.frames.sum(axis=1), loop.samples[0], atol=1e-6))
    True
    """
    job = _Job(
        transform_of(fftsettings),
        max(1, at_least("components", components, 0)),
        at_least("iterations", iterations, 1),
        seed_of(seed),
        choice("basesmode", basesmode, _MODES),
        choice("actmode", actmode, _MODES),
        _checked_tol(tol),
    )
    choice("resynthmode", resynthmode, ("none", "resynthesis"))
    audio = Range(startframe, numframes, startchan, numchans).of(source)
    n_frames = audio.n_samples // job.stft.hop_length + 1
    given = (
        _given("bases", bases, job.basesmode, job.stft.n_bins, job.components * audio.n_channels),
        _given("activations", activations, job.actmode, n_frames, job.components * audio.n_channels),
    )
    W = np.empty((job.stft.n_bins, audio.n_channels * job.components), np.float32)
    H = np.empty((n_frames, W.shape[1]), np.float32)
    parts = np.empty((audio.n_samples if resynthmode else 0, W.shape[1]), np.float32)
    for channel, sound in enumerate(_mono(audio)):
        span = slice(channel * job.components, (channel + 1) * job.components)
        found = _factorised(sound, job, *(None if each is None else each[:, span] for each in given))
        W[:, span], H[:, span] = found.bases, found.activations.T
        if resynthmode:
            _resynthesise(sound, job.stft, found, parts[:, span])
    rate = audio.sample_rate
    return NMFBuffers(
        Buffer(parts, rate),
        Buffer(W, rate / job.stft.n_fft),
        Buffer(H, rate / job.stft.hop_length),
    )


def _checked_tol(tol: float) -> float:
    if isinstance(tol, bool) or not isinstance(tol, int | float) or not 0 <= tol < 1:
        raise InvalidInput(f"tol={tol!r} is not a number from 0 (run all iterations) to below 1.")
    return float(tol)


def _given(name: str, value: Source | None, mode: int, n_frames: int, n_channels: int) -> NDArray[np.float32] | None:
    """What a mode other than 0 needs, checked."""
    short = "basesmode" if name == "bases" else "actmode"
    if mode == 0:
        return None
    if value is None:
        raise InvalidInput(f"{short}={mode} ({_MODES[mode]}) needs {name}, but none are given.")
    frames: NDArray[np.float32] = as_buffer(name, value).frames
    if frames.shape != (n_frames, n_channels):
        why = "(fft / 2) + 1 frames" if name == "bases" else "n // hop + 1 frames"
        raise Incompatible(
            f"{name} has {counted(frames.shape[0], 'frame')} and {counted(frames.shape[1], 'channel')}, "
            f"but ({n_frames}, {n_channels}) are "
            f"needed: {why}, and components x channels. Were other fftsettings or another source used?"
        )
    if frames.size and frames.min() < 0:
        raise InvalidInput(f"{name} contains {frames.min():.4g}, but no entry may be negative.")
    return frames


def _mono(audio: Audio) -> Iterator[Audio]:
    return (Audio(channel, audio.sample_rate) for channel in audio.samples)


def _factorised(audio: Audio, job: _Job, bases: Matrix | None, activations: Matrix | None) -> Factorization:
    """Bases and activations of one channel, at the levels that buffers have."""
    n_frames = audio.n_samples // job.stft.hop_length + 1
    V = transform(audio, job.stft).magnitude[0][:, :n_frames]
    W, H = _start(V, job, bases, None if activations is None else activations.T)
    if job.learns and V.any():
        W, H = _learned(V, job, W, H)
    elif job.actmode < 2:  # of silence there is nothing
        H = np.zeros_like(H)
    return _as_buffers(W, H, job)


def _start(V: Matrix, job: _Job, bases: Matrix | None, activations: Matrix | None) -> tuple[Matrix, Matrix]:
    """Where the iterations begin: what is given at its level, the rest by chance, all components equally loud."""
    drawn = random_factors(job.seed, V.shape[0], job.components, V.shape[1])
    W = _unit(drawn[0], 0) if bases is None else bases.astype(np.float64)
    H = _unit(drawn[1], 1) if activations is None else activations.astype(np.float64)
    if bases is None and activations is not None:
        W = W / _lengths(H, 1)[:, 0]
    if activations is None and bases is not None:
        H = H / _lengths(W, 0)[0][:, None]
    return W, H


def _learned(V: Matrix, job: _Job, W: Matrix, H: Matrix) -> tuple[Matrix, Matrix]:
    """Run the iterations, with V and what is given in units in which their numbers are near one."""
    V = V / V.dtype.type(unit_of(V, 1.0))
    bases, activations = W, H
    W, H = W / (float(W.max()) or 1.0), H / (float(H.max()) or 1.0)
    model = float(W.sum(axis=0) @ H.sum(axis=1))
    level = float(V.sum(dtype=np.float64)) / model if model > 0 else 1.0
    if job.actmode == 2:
        W = W * level
    else:
        H = H * level
    states = iterate(V, W, H, Multiplicative(), learn_bases=job.basesmode < 2, learn_activations=job.actmode < 2)
    before = np.inf
    for state in states:
        done = state.iteration >= job.iterations
        if not done and job.tol and state.iteration % _LOOK == 0:
            now = state.divergence()
            done = before - now < job.tol * before
            before = now
        if done:
            break
    # What is kept comes back as it was given, to the bit.
    W = bases if job.basesmode == 2 else state.bases.copy()
    H = activations if job.actmode == 2 else state.activations.copy()
    return W, H


def _as_buffers(W: Matrix, H: Matrix, job: _Job) -> Factorization:
    """Levels as buffers have them; the product changes by one factor at most, which no mask hears."""
    if job.basesmode < 2 and job.actmode < 2:
        lengths = _lengths(W, 0)
        W, H = W / lengths, H * lengths[0][:, None]
    elif job.basesmode < 2:
        W = W / _lengths(W, 0).max()
    if job.actmode < 2:
        H = H / (float(H.max(initial=0)) or 1.0)
    return Factorization(W.astype(np.float32), H.astype(np.float32))


def _lengths(matrix: Matrix, axis: int) -> NDArray[np.float64]:
    """Length (L2) along an axis, which stays; 1 where there is none."""
    values = matrix.astype(np.float64)
    length: NDArray[np.float64] = np.sqrt(np.square(values).sum(axis=axis, keepdims=True))
    return np.where(length > 0, length, 1.0)


def _unit(matrix: NDArray[np.float64], axis: int) -> Matrix:
    return matrix / _lengths(matrix, axis)


def _resynthesise(audio: Audio, settings: STFT, found: Factorization, out: NDArray[np.float32]) -> None:
    """Write the components of one channel into ``(frames, components)``."""
    # Our transform may have one frame more at the end: it sounds as the one before.
    more = settings.n_frames(audio.n_samples) - found.activations.shape[1]
    padded = Factorization(found.bases, np.pad(found.activations, ((0, 0), (0, more)), mode="edge"))
    position = 0
    for piece in Decomposition(audio, settings, padded).blocks():
        out[position : position + piece.shape[2]] = piece[:, 0].T
        position += piece.shape[2]


def bufnmfseed(
    source: Source,
    *,
    mincomponents: int = 1,
    maxcomponents: int = 200,
    coverage: float = 0.5,
    method: int = 0,
    seed: int = -1,
    fftsettings: Sequence[int] = FFT_SETTINGS,
) -> SeedBuffers:
    """Say how many components a buffer has, and make a start for `bufnmf`, as BufNMFSeed does.

    Parameters
    ----------
    source : Buffer, Audio, path, or array ``(frames, channels)``
    mincomponents, maxcomponents : int
        Bounds of the number.
    coverage : float, 0 to 1
        Share of the sum of the singular values that the components make up; 0 for ``mincomponents``.
    method : {0, 1, 2, 3}
        NMF-SVD, NNDSVDar, NNDSVDa, NNDSVD: how the zeros are filled, see `unweave.starts`. Of 0 and 3 they remain.
    seed, fftsettings
        As in `bufnmf`.

    Returns
    -------
    SeedBuffers
        ``bases`` and ``activations`` of one common greatest entry, for modes 1 or 2 of `bufnmf` with ``components`` =
        channels of ``bases`` / channels of ``source``.

    Raises
    ------
    InvalidInput
        A number is out of range.

    References
    ----------
    C. Boutsidis, E. Gallopoulos, Pattern Recognition 41(4), 2008, doi:10.1016/j.patcog.2007.09.010.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)["mix"]
    >>> start = bufnmfseed(loop, coverage=0.4, method=2)
    >>> made = bufnmf(loop, components=start.bases.n_channels, bases=start.bases, basesmode=1, iterations=5)
    >>> made.bases.n_channels == start.bases.n_channels
    True
    """
    settings, audio = transform_of(fftsettings), Range().of(source)
    with spoken(min_components="mincomponents", max_components="maxcomponents"):
        found = make_seeds(
            audio,
            stft=settings,
            coverage=coverage,
            min_components=at_least("mincomponents", mincomponents, 1),
            max_components=at_least("maxcomponents", maxcomponents, 1),
            method=METHODS[choice("method", method, METHODS)],
            rng=seed_of(seed),
        )
    n_frames = audio.n_samples // settings.hop_length + 1
    bases = found.dictionary.bases.transpose(1, 0, 2).reshape(settings.n_bins, -1)
    activations = found.activations[:, :n_frames].T
    activations = np.tile(activations / (float(activations.max(initial=0)) or 1.0), audio.n_channels)
    rate = audio.sample_rate
    return SeedBuffers(Buffer(bases, rate / settings.n_fft), Buffer(activations, rate / settings.hop_length))
