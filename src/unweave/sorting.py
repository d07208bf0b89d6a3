"""Components sorted by a classifier that was trained on labelled stems: the second way from examples to stems.

    training    stems of known names ─decompose→ components of each ─features→ a point with a name
    applying    a recording ─decompose→ components ─features→ the likeliest name of each ─group→ stems

Features of a component are of its basis (cepstra, centre of gravity, spread, flatness, roll-off, whether it is a tone)
and of its activation (how sudden, how sparse, how soon it dies). The classifier is a logistic regression on standard
scores, trained to its one optimum,

    P(s | x) = exp(a_s + b_s · x) / Σ_j exp(a_j + b_j · x),   least Σ -log P + λ |b|².

It knows kinds of sounds, where `unweave.exemplars` knows sounds: it is for recordings whose sounds are not those of the
examples, and errs with whole components where that errs with shares of bins.

Differences. FluCoMa has MLPClassifier and KNNClassifier, and leaves the features to a patch.

References: M. Helén, T. Virtanen, Separation of drums from polyphonic music using non-negative matrix factorization and
support vector machine, EUSIPCO 2005.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.decomposition import decompose
from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.framing import STFT
from unweave.grouping import Grouping, group, mel_filters
from unweave.naming import dying_time, pitch_of
from unweave.npz import read_npz, saved, write_npz
from unweave.parts import Decomposition
from unweave.plan import require_count

__all__ = ["Sorter", "component_features", "is_sorter", "train_sorter"]

Floats = NDArray[np.float64]

_FORMAT, _VERSION = "unweave sorter", 1
_CEPSTRA = 13
_LONGEST = 2.0  # seconds: what dies later, or never, counts as this
_PENALTY, _STEPS = 1.0, 200


@dataclass(frozen=True, slots=True, eq=False)
class Sorter:
    """What tells components of some sounds apart.

    Parameters
    ----------
    labels : tuple of str
        The sounds.
    center, scale : float64 ``(features,)``
        Mean and spread of every feature over the examples.
    weights : float64 ``(features + 1, sounds)``
        Of the standard scores; the last row is that of a constant.
    stft : STFT
        The transform that the examples were taken apart with, and that recordings should be.
    sample_rate : float
        Hz of the examples: cepstra of another rate are others.
    """

    labels: tuple[str, ...]
    center: Floats
    scale: Floats
    weights: Floats
    stft: STFT
    sample_rate: float

    def __post_init__(self) -> None:
        n_features, n_sounds = self.center.size, len(self.labels)
        shapes = {"center": (n_features,), "scale": (n_features,), "weights": (n_features + 1, n_sounds)}
        for name, shape in shapes.items():
            values = getattr(self, name)
            if values.shape != shape or not np.isfinite(values).all():
                raise InvalidInput(f"{name} of a sorter must be finite numbers of shape {shape}, not {values.shape}.")
        if n_sounds < 2 or not (self.scale > 0).all():
            raise InvalidInput("a sorter needs two labels at least, and scales above 0.")

    def __repr__(self) -> str:
        return f"Sorter({', '.join(self.labels)}; {self.center.size} features; {self.sample_rate:g} Hz)"

    def require_fit(self, sample_rate: float) -> None:
        """Refuse a recording of another rate."""
        if sample_rate != self.sample_rate:
            raise Incompatible(
                f"the sorter was trained at {self.sample_rate:g} Hz, but this recording has {sample_rate:g} Hz: load "
                f"it with sample_rate={self.sample_rate:g}."
            )

    def chances(self, parts: Decomposition) -> Floats:
        """How likely each component is each sound, ``(components, sounds)``; they sum to one.

        Raises
        ------
        Incompatible
            The recording has another rate than the examples.
        """
        self.require_fit(parts.audio.sample_rate)
        return _chances((component_features(parts) - self.center) / self.scale, self.weights)

    def sort(self, parts: Decomposition) -> Grouping:
        """The components in groups of the likeliest names; sounds that none resembles have no group."""
        best = self.chances(parts).argmax(axis=1)
        found = {name: np.flatnonzero(best == s).tolist() for s, name in enumerate(self.labels)}
        return group(parts, {name: members for name, members in found.items() if members})

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as one ``.npz``."""
        settings = {
            "format": _FORMAT,
            "version": _VERSION,
            "labels": list(self.labels),
            "stft": self.stft.settings(),
            "sample_rate": self.sample_rate,
        }
        write_npz(path, {"center": self.center, "scale": self.scale, "weights": self.weights}, settings)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Sorter:
        """Read what `save` wrote.

        Raises
        ------
        ReadError
            The file is missing, damaged, or something else.
        """
        with saved(path, "a sorter", (_FORMAT,)) as (arrays, settings):
            labels, rate = tuple(map(str, settings["labels"])), float(settings["sample_rate"])
            center, scale, weights = (arrays[name].astype(np.float64) for name in ("center", "scale", "weights"))
            return cls(labels, center, scale, weights, STFT(**settings["stft"]), rate)


def is_sorter(path: str | PathLike[str]) -> bool:
    """Whether a file is one that `Sorter.save` wrote; a file that cannot be read is none."""
    try:
        _, settings = read_npz(path, "a sorter")
    except ReadError:
        return False
    return settings.get("format") == _FORMAT


def train_sorter(
    stems: Mapping[str, Audio | Sequence[Audio]], *, n_components: int = 8, stft: STFT | None = None, **options: Any
) -> Sorter:
    """Train a sorter on stems of known names.

    Parameters
    ----------
    stems : mapping of name to Audio, or a sequence of them
        Two names at least; each stem is taken apart by itself.
    n_components : int
        Components of every stem.
    stft : STFT, optional
        Settings of the transform: those that recordings will be taken apart with.
    **options
        Of `unweave.decompose`.

    Returns
    -------
    Sorter

    Raises
    ------
    InvalidInput, Incompatible
        One name only; nothing but silence under a name; stems of several rates.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> names = ("kick", "snare", "hihat")
    >>> sorter = train_sorter({name: loop[name] for name in names}, n_components=2)
    >>> sorter.sort(decompose(loop["mix"], 3))
    Grouping(by hand: kick: 0; snare: 1; hihat: 2)
    """
    if len(stems) < 2:
        raise InvalidInput(f"stems names {len(stems)} sounds: two at least are needed to be told apart.")
    require_count("n_components", n_components, 1, 1000)
    several = {name: [given] if isinstance(given, Audio) else list(given) for name, given in stems.items()}
    rate = _rate_of(several)
    points, names = [], []
    for s, (name, sounds) in enumerate(several.items()):
        found = [
            component_features(decompose(each, n_components, stft=stft, **options)) for each in sounds if each.peak > 0
        ]
        if not found:
            raise InvalidInput(f"the stems of {name!r} are silent: there is nothing to learn from them.")
        points += found
        names += [s] * sum(len(each) for each in found)
    x = np.concatenate(points)
    center, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    weights = _fitted((x - center) / scale, np.array(names), len(stems))
    return Sorter(tuple(map(str, stems)), center, scale, weights, stft or STFT(), rate)


def _rate_of(stems: Mapping[str, Sequence[Audio]]) -> float:
    """The one rate of all stems."""
    rates = {}
    for name, sounds in stems.items():
        for sound in sounds:
            if not isinstance(sound, Audio):
                raise InvalidInput(f"the stems of {name!r} hold {type(sound).__name__}: each must be an Audio.")
            rates[sound.sample_rate] = name
    if len(rates) > 1:
        (one, name), (other, another) = list(rates.items())[:2]
        raise Incompatible(f"{name!r} has {one:g} Hz, but {another!r} has {other:g} Hz: load all with one sample_rate.")
    return next(iter(rates), 0.0)


def component_features(parts: Decomposition) -> Floats:
    """What is told of every component, float64 ``(components, features)``."""
    values = np.asarray(parts.spectra, np.float64)
    power = (values if parts.is_power else values**2).sum(axis=0)
    power = power / np.maximum(power.sum(axis=0), 1e-30) + 1e-12
    frame_rate = parts.audio.sample_rate / parts.stft.hop_length
    activations = np.asarray(parts.activations, np.float64)
    columns = [_of_basis(power[:, k], parts) for k in range(parts.n_components)]
    rows = [_of_activation(activation, frame_rate) for activation in activations]
    return np.array([[*basis, *activation] for basis, activation in zip(columns, rows, strict=True)])


def _of_basis(power: Floats, parts: Decomposition) -> list[float]:
    hertz = parts.frequencies
    octaves = np.log2(np.maximum(hertz, 20.0))
    share = power / power.sum()
    centre = float(octaves @ share)
    spread = float(np.sqrt(((octaves - centre) ** 2) @ share))
    flatness = float(np.log(power).mean() - np.log(power.mean()))
    rolloff = float(octaves[int(np.searchsorted(np.cumsum(share), 0.85).clip(0, octaves.size - 1))])
    pitch = pitch_of(np.sqrt(power), parts.stft, parts.audio.sample_rate)
    bands = np.log10(mel_filters(hertz) @ power + 1e-9)
    cepstra = scipy.fft.dct(bands, norm="ortho")[1:_CEPSTRA]
    return [centre, spread, flatness, rolloff, float(pitch is not None), *cepstra.tolist()]


def _of_activation(activation: Floats, frame_rate: float) -> list[float]:
    total = float(activation.sum())
    if total == 0:
        return [0.0, 0.0, np.log(_LONGEST), 0.0]
    rises = np.diff(activation, prepend=0)
    sudden = float(np.square(np.maximum(0, rises)).sum() / np.maximum(np.square(activation).sum(), 1e-30))
    size = np.sqrt(activation.size)
    sparse = float((size - total / np.linalg.norm(activation)) / max(size - 1, 1e-9))
    dies = min(dying_time(activation, frame_rate), _LONGEST)
    uneven = float(np.log(max(rises.max() / np.maximum(-rises.min(), 1e-30), 1e-3)).clip(-3, 3))
    return [sudden, sparse, float(np.log(max(dies, 1e-3))), uneven]


def _chances(x: Floats, weights: Floats) -> Floats:
    scores = x @ weights[:-1] + weights[-1]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _fitted(x: Floats, names: NDArray[np.intp], n_sounds: int) -> Floats:
    """Weights of the logistic regression; every sound counts alike, however many components it has."""
    from scipy.optimize import minimize  # heavy, and needed here only

    wide = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    truth = np.eye(n_sounds)[names]
    counts = (truth.sum(axis=0) * n_sounds)[names][:, None] / len(x)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(wide.shape[1], n_sounds)
        chances = _chances(x, weights)
        slope = wide.T @ ((chances - truth) / counts)
        slope[:-1] += 2 * _PENALTY * weights[:-1]
        cost = -(truth * np.log(chances + 1e-300) / counts).sum() + _PENALTY * np.square(weights[:-1]).sum()
        return float(cost), slope.ravel()

    start = np.zeros(wide.shape[1] * n_sounds)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    return np.asarray(found.x.reshape(wide.shape[1], n_sounds))
