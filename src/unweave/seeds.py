"""How many components a recording has by its singular values, and a start for them: BufNMFSeed.

    audio ─STFT─▶ X ─|·|─▶ V = U S Qᵀ,   k = the fewest with s₁ + … + s_k ≥ coverage · Σ s   (or the same of s²)

and non-negative factors made of the first k pairs (`unweave.starts`): bases of length one, and activations with the
level. They are a start for `unweave.decompose`, better than noise and the same every time.

The recording goes by twice and is never in memory as a whole: `unweave.singular` sums products over blocks of frames,
with all singular values to about ten digits. The channels of a recording lie one below the other in V, as in
`decompose`: a base has a spectrum for each.

Differences from FluCoMa's BufNMFSeed. Any number of channels, where it takes one. Negative parts are weighed right, so
that results do not depend on the arbitrary signs of the singular pairs. Coverage can also be counted in energy, what
its documentation speaks of. More components than there are singular values start at random, where its behaviour is
undefined. Activations keep their level, where it divides them by the greatest of all. Zeros are filled in the unit of
the factors, see `unweave.starts`. Progress is told.

References: C. Boutsidis, E. Gallopoulos, SVD based initialization: a head start for nonnegative matrix factorization,
Pattern Recognition 41(4), 2008, doi:10.1016/j.patcog.2007.09.010.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix, keep_read_only
from unweave.audio import Audio, as_audio
from unweave.dictionary import Dictionary
from unweave.divergence import KULLBACK_LEIBLER
from unweave.errors import Incompatible
from unweave.framing import STFT
from unweave.longform import Sound, frame_blocks, magnitude_blocks, opened
from unweave.loop import run
from unweave.npz import saved, write_npz
from unweave.plan import Plan
from unweave.shown import html_of
from unweave.singular import Singular, right_vectors, singular_steps
from unweave.starts import Count, Method, count_by_coverage, coverage_curve, from_svd, require_method
from unweave.stft import analysis_blocks
from unweave.words import counted

__all__ = ["METHOD", "Seeds", "seed", "seed_steps"]

METHOD: Method = "nmf-svd"
"""The start that ended best where it was measured: docs/family/nmfseed.md."""

_FORMAT = "unweave seeds"
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """A start for a decomposition, and the singular values that say how many components it has.

    Parameters
    ----------
    dictionary : Dictionary
        Bases of length one each, strongest first.
    activations : ``(components, frames)``
        Their activations, with the level.
    values : float64 ``(n,)``
        All singular values of the spectrogram, largest first.
    method : str
        How the factors were made, one of `unweave.starts.METHODS`.
    """

    dictionary: Dictionary
    activations: Matrix
    values: NDArray[np.float64]
    method: Method

    def __post_init__(self) -> None:
        require_method(self.method)
        activations, values = np.asarray(self.activations), np.asarray(self.values, np.float64)
        if activations.ndim != 2 or activations.shape[0] != self.dictionary.n_components:
            raise Incompatible(
                f"activations.shape={activations.shape}, but ({self.dictionary.n_components}, frames) is needed: one "
                "for each basis."
            )
        keep_read_only(self, activations=activations, values=values)

    def __repr__(self) -> str:
        return f"Seeds({self.sentence.rstrip('.')})"

    def _repr_html_(self) -> str | None:
        return html_of(self)

    @property
    def n_components(self) -> int:
        """How many components there are."""
        return self.dictionary.n_components

    def covered(self, count: Count = "values") -> float:
        """The share of all singular values, or of their energy, that these components make up."""
        curve = coverage_curve(self.values, count)
        return float(curve[min(self.n_components, curve.size) - 1]) if curve.size else 0.0

    def needed(self, coverage: float, count: Count = "values") -> int:
        """How many components another coverage would ask for."""
        return count_by_coverage(self.values, coverage, count=count, max_components=max(1, self.values.size))

    @property
    def sentence(self) -> str:
        """How many, and what they make up."""
        count = counted(self.n_components, "component")
        if not self.values.any():
            return f"{count}: the recording is silent."
        return (
            f"{count}: {100 * self.covered():.1f} % of the singular values, "
            f"{100 * self.covered('energy'):.1f} % of the energy."
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write one ``.npz``: a dictionary that `Dictionary.load` reads too, with activations and singular values."""
        settings = {
            "format": _FORMAT,
            "version": _VERSION,
            "labels": list(self.dictionary.labels),
            "stft": self.dictionary.stft.settings(),
            "sample_rate": self.dictionary.sample_rate,
            "method": self.method,
        }
        arrays = {"bases": self.dictionary.bases, "activations": self.activations, "singular_values": self.values}
        write_npz(path, arrays, settings)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Seeds:
        """Read what `save` wrote."""
        with saved(path, "seeds", (_FORMAT,)) as (arrays, settings):
            dictionary = Dictionary(
                arrays["bases"], tuple(settings["labels"]), STFT(**settings["stft"]), settings["sample_rate"]
            )
            return cls(dictionary, arrays["activations"], arrays["singular_values"], settings["method"])


def seed(
    sound: Sound | Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    beta: float = KULLBACK_LEIBLER,
    coverage: float = 0.5,
    count: Count = "values",
    min_components: int = 1,
    max_components: int = 200,
    method: Method = METHOD,
    rng: int | np.random.Generator | None = None,
) -> Seeds:
    """Say how many components a recording has, and make a start for them.

    Parameters
    ----------
    sound : Audio, array ``(channels, n_samples)``, path, or callable
        A recording; a file of any length, read in blocks; or a function without arguments that gives a new iterable of
        blocks ``(channels, n)`` at every call.
    sample_rate : float, optional
        Hz; for arrays and blocks, and needed there.
    stft : STFT, optional
        Settings of the transform. Default: ``STFT()``.
    beta : float
        The divergence that they are a start for: 0 (Itakura-Saito) takes powers, any other magnitudes.
    coverage : float, 0 to 1
        The share that the components make up together. More asks for more components.
    count : {"values", "energy"}
        A share of the sum of the singular values, as BufNMFSeed counts; or of the energy of the spectrogram, where 0.9
        is what 0.5 is there.
    min_components, max_components : int
        Bounds of the number of components.
    method : {"nmf-svd", "nndsvdar", "nndsvda", "nndsvd"}
        How factors are made of singular pairs, see `unweave.starts.nndsvd`. The zeros of 'nndsvd' stay zeros in most
        decompositions; the others leave none.
    rng : int or numpy.random.Generator, optional
        For the fill of 'nndsvdar', and for components beyond the rank of the spectrogram.

    Returns
    -------
    Seeds
        ``dictionary`` and ``activations`` for ``decompose(…, bases=…, activations=…)``; ``sentence``.

    Raises
    ------
    ReadError
        The file cannot be read.
    InvalidInput, Incompatible
        Numbers out of range, or things that do not fit each other.

    References
    ----------
    C. Boutsidis, E. Gallopoulos, Pattern Recognition 41(4), 2008, doi:10.1016/j.patcog.2007.09.010.

    Examples
    --------
    >>> from unweave import decompose
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)["mix"]
    >>> found = seed(loop, coverage=0.9, count="energy")
    >>> parts = decompose(loop, found.n_components, bases=found.dictionary, activations=found.activations)
    >>> parts.n_components == found.n_components
    True
    """
    options = {
        "coverage": coverage,
        "count": count,
        "min_components": min_components,
        "max_components": max_components,
        "method": method,
        "rng": rng,
    }
    return run(seed_steps(sound, sample_rate=sample_rate, stft=stft, beta=beta, **options))


def seed_steps(
    sound: Sound | Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    stft: STFT | None = None,
    beta: float = KULLBACK_LEIBLER,
    **options: Any,
) -> Generator[int, None, Seeds]:
    """Do what `seed` does; yield how many frames have passed, of each twice; the generator's value is the result."""
    stft, plan = stft or STFT(), Plan(beta=beta, rng=options.get("rng"))
    method: Method = options.get("method", METHOD)
    require_method(method)
    rng = np.random.default_rng(plan.seed())
    counting = {
        name: value
        for name, value in options.items()
        if name in ("coverage", "count", "min_components", "max_components")
    }
    count_by_coverage([1.0], **counting)  # refuses what cannot be, before anything is computed
    spectrogram, rate, n_channels = _spectrogram(sound, sample_rate, stft, plan.beta)
    found = yield from singular_steps(spectrogram)
    n_components = count_by_coverage(found.values, **counting)
    passes = right_vectors(spectrogram, found, min(n_components, found.rank))
    right = yield from _after(found.n_frames, passes)
    bases, activations = _factors(found, right, n_components, method, rng)
    dictionary = Dictionary(bases.reshape(n_channels, stft.n_bins, n_components), (), stft, rate)
    return Seeds(dictionary, activations, found.values, method)


def _after(n_before: int, steps: Generator[int, None, Matrix]) -> Generator[int, None, Matrix]:
    """The same steps, counted on from a number."""
    while True:
        try:
            at = next(steps)
        except StopIteration as end:
            out: Matrix = end.value
            return out
        yield n_before + at


def _factors(
    found: Singular, right: Matrix, n_components: int, method: Method, rng: np.random.Generator
) -> tuple[Matrix, Matrix]:
    """Bases of length one and activations with the level."""
    triplets = found.left[:, : len(right)], found.values[: len(right)], right
    bases, activations = from_svd(*triplets, n_components, mean=found.mean, rng=rng, method=method, dtype=found.dtype)
    lengths = np.linalg.norm(bases.astype(np.float64), axis=0)
    lengths[lengths == 0] = 1.0
    activations *= (lengths if found.rank else np.zeros(n_components))[:, None].astype(found.dtype)
    return bases / lengths.astype(found.dtype), activations


def _spectrogram(
    sound: Sound | Audio | ArrayLike, sample_rate: float | None, stft: STFT, beta: float
) -> tuple[Callable[[], Iterator[Matrix]], float, int]:
    """What makes the blocks of V, the rate, and the number of channels."""
    if callable(sound) or isinstance(sound, str | PathLike):
        blocks, rate, n_channels = opened(sound, sample_rate, 0, None)
        return lambda: magnitude_blocks(frame_blocks(blocks(), stft), beta), rate, n_channels
    audio = as_audio(sound, sample_rate)
    return lambda: magnitude_blocks(analysis_blocks(audio, stft), beta), audio.sample_rate, audio.n_channels
