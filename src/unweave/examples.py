"""Sounds found in a recording by examples of them, and by what else is known.

    V ≈ Σ_s W_s H_s + W_rest H_rest

W_s are exemplars of source s (`unweave.exemplars`) or the bases of a dictionary, and stay as they are; only how loud
each is in every frame is sought. Where every sound has examples that is all: supervised separation. Where some have
none, the rest gets free bases that are learned on the recording itself: semi-supervised separation.

What a `Guide` knows enters as zeros of the start, which no multiplicative step leaves: bands in the bases, ranges of
time and scores in the activations. Where a sound is alone, the recording itself is its example; a sound with a score
and without examples gets a comb of harmonics for each of its pitches, which then takes on the sound of the recording.

References: P. Smaragdis, B. Raj, M. Shashanka, Supervised and semi-supervised separation of sounds from single-channel
mixtures, ICA 2007, doi:10.1007/978-3-540-74494-8_52. S. Ewert, M. Müller, ICASSP 2012,
doi:10.1109/ICASSP.2012.6287834.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Mask, Matrix
from unweave.audio import Audio
from unweave.decomposition import Decomposition, decompose, magnitudes
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.exemplars import N_EXEMPLARS, pick_examples
from unweave.framing import STFT
from unweave.guide import Guide, played
from unweave.plan import MAX_COMPONENTS, require_count
from unweave.stft import analysis_blocks
from unweave.training import Example

__all__ = ["REST", "Like", "explain", "suited_stft"]

REST = "rest"
"""The name of what nothing else explains."""

Like = Dictionary | Mapping[str, Example | Sequence[Example] | None]
"""A dictionary, or recordings by the names of their sounds; None for a sound of which there is none."""

_FREE = 32
"""Bases of a sound without examples."""

_FIRST = 15
"""Iterations after which free bases begin with what known ones leave: from the whole recording they would begin, and
often end, with a share of everything."""

_LENGTHS = (1024, 2048, 4096, 8192)
"""Samples of a transform at 44.1 or 48 kHz."""

_HARMONICS, _WIDTH = 30, 0.5  # partials of a comb, and their half width in semitones


def explain(
    audio: Audio,
    like: Like,
    *,
    guide: Guide | None = None,
    rest: int | None = None,
    n_bases: int = N_EXEMPLARS,
    stft: STFT | None = None,
    max_iter: int = 40,
    rng: int | None = None,
) -> Decomposition:
    """Explain a recording by examples of its sounds.

    Parameters
    ----------
    audio : Audio
    like : Dictionary, or mapping of name to Audio, path, a sequence of them, or None
        Examples of each sound. None, and names that only ``guide`` knows, are sounds without examples.
    guide : Guide, optional
        When a sound is alone or silent, what it plays, where it lies.
    rest : int, optional
        Free bases for all that has no name; 0 for none. More take up more of the recording, also of the known sounds.
        Default: 32 where one sound has a name, 0 where several have.
    n_bases : int
        Most exemplars of each sound; of no effect on a dictionary.
    stft : STFT, optional
        Default: that of the dictionary, or what suits the recording (`suited_stft`).
    max_iter : int
        Iterations.
    rng : int, optional
        Seed of the free bases.

    Returns
    -------
    Decomposition
        A component for each basis, labelled with the name of its sound.

    Raises
    ------
    InvalidInput, Incompatible, ReadError
        Nothing is known at all; examples of another rate; numbers out of range.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> parts = explain(loop["mix"], {"kick": loop["kick"]}, n_bases=4)
    >>> parts.labels.count("kick"), parts.labels.count("rest")
    (4, 32)
    """
    guide, settings = guide or Guide(), stft or (like.stft if isinstance(like, Dictionary) else suited_stft(audio))
    names = tuple(dict.fromkeys([*(like.labels if isinstance(like, Dictionary) else like), *guide.names]))
    if not names:
        raise InvalidInput("nothing is known of any sound: give examples, a dictionary, or a guide.")
    if rest is None:
        rest = _FREE if len([name for name in names if name != REST]) == 1 else 0
    require_count("rest", rest, 0, MAX_COMPONENTS)
    grid = _Grid(audio, settings, guide, rng)
    known = _known(audio, like, guide, n_bases, settings)
    if known is not None:
        known.require_fit(settings, audio.sample_rate)
    shown = [name for name in names if known is not None and name in known.labels]
    found = {name: grid.shown(name, known) for name in shown if known is not None}
    free = {name: _FREE for name in names if name not in shown} | ({REST: rest} if rest else {})
    if found and free:
        grid.look_beyond(_fitted(audio, settings, list(found.values()), _FIRST, rng))
    found |= {name: grid.unknown(name, count) for name, count in free.items()}
    last = [found.pop(REST)] if REST in free else []
    return _fitted(audio, settings, [*(found[name] for name in names if name in found), *last], max_iter, rng)


def suited_stft(audio: Audio) -> STFT:
    """The transform in which a recording is told by the fewest numbers: long for songs, short for drums.

    Of windows of 23, 46, 93 and 186 ms it is the longest whose spectrogram is at most 2% less sparse than that of the
    sparsest; sparse is what has a small sum of magnitudes for its energy. For silence, 93 ms.
    """
    nearest = 2 ** round(np.log2(audio.sample_rate / 44100))
    settings = [STFT(max(64, int(n_fft * nearest))) for n_fft in _LENGTHS]
    spreads = [_spread(audio, each) for each in settings]
    if not spreads[0]:
        return settings[2]
    return max(
        (each for each, spread in zip(settings, spreads, strict=True) if spread <= 1.02 * min(spreads)),
        key=lambda each: each.n_fft,
    )


def _spread(audio: Audio, stft: STFT) -> float:
    """Sum of magnitudes against what it would be, were all of them equal; 0 for silence."""
    total, energy, count = 0.0, 0.0, 0
    for block in analysis_blocks(audio, stft):
        values = np.abs(block.values)
        total += float(values.sum(dtype=np.float64))
        energy += float(np.square(values, dtype=np.float64).sum())
        count += values.size
    return total / (energy * count) ** 0.5 if energy > 0 else 0.0


def _known(audio: Audio, like: Like, guide: Guide, n_bases: int, stft: STFT) -> Dictionary | None:
    """The bases of all sounds that have examples, those where they are alone among them."""
    found = [like] if isinstance(like, Dictionary) else []
    given = {} if isinstance(like, Dictionary) else {name: each for name, each in like.items() if each is not None}
    if given:
        found.append(pick_examples(given, n_bases, stft=stft))
    for name, spans in guide.alone.items():
        pieces = [_piece(audio, span) for span in spans]
        heard = [piece for piece in pieces if piece.peak > 0]
        if heard:
            found.append(pick_examples({name: heard}, n_bases, stft=stft))
    return Dictionary.merge(*found) if found else None


def _piece(audio: Audio, span: tuple[float, float]) -> Audio:
    first, last = (round(each * audio.sample_rate) for each in span)
    return Audio(audio.samples[:, first:last], audio.sample_rate)


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A sound: its start ``(channels, bins, n)`` or with taps, whether it learns, and where it may be heard."""

    name: str
    bases: Matrix
    learns: bool
    frames: Mask  # (n, frames)


class _Grid:
    """The bins and frames of a recording, and what the guide says of them."""

    def __init__(self, audio: Audio, stft: STFT, guide: Guide, rng: int | None) -> None:
        self.audio, self.guide, self.rate = audio, guide, audio.sample_rate
        self.frequencies = stft.frequencies(audio.sample_rate)
        self.times = stft.times(stft.n_frames(audio.n_samples), audio.sample_rate)
        self._stft, self._chance = stft, np.random.default_rng(0 if rng is None else rng)
        self._left: Matrix | None = None  # of the spectrogram, when what is known has taken its share

    def look_beyond(self, parts: Decomposition) -> None:
        """Let free bases begin with what the known ones leave."""
        values = magnitudes(self.audio, self._stft)
        self._left = np.maximum(values - parts.factorization.approximation(), 0)

    def shown(self, name: str, known: Dictionary) -> _Source:
        """A sound that has examples."""
        bases = known.select([name]).fit_channels(self.audio.n_channels)
        return self.gated(name, bases, learns=False)

    def unknown(self, name: str, count: int) -> _Source:
        """A sound that has none: it may have a score."""
        return self.combs(name) if name in self.guide.score else self.free(name, count)

    def gated(self, name: str, bases: Matrix, *, learns: bool, frames: Mask | None = None) -> _Source:
        """A source whose bases and activations are zero where the guide says so."""
        inside = self.guide.bins(name, self.frequencies)
        bases = bases * inside.reshape(1, -1, *[1] * (bases.ndim - 2))
        allowed = self.guide.frames(name, self.times)
        frames = np.ones((bases.shape[2], 1), np.bool_) if frames is None else frames
        return _Source(name, bases.astype(np.float32), learns, frames & allowed)

    def free(self, name: str, count: int) -> _Source:
        """Bases that are learned: at first the mean spectrum of what is left, each with noise of its own."""
        values = magnitudes(self.audio, self._stft) if self._left is None else self._left
        mean = values.mean(axis=1).reshape(self.audio.n_channels, -1, 1)
        noise = self._chance.uniform(0.1, 1.0, (1, mean.shape[1], count))
        return self.gated(name, _unit((mean + 1e-6 * (mean.max() or 1.0)) * noise), learns=True)

    def combs(self, name: str) -> _Source:
        """Harmonics of every pitch of a score, to be heard where it is played."""
        notes = self.guide.score[name]
        pitches = sorted({round(note.pitch) for note in notes if note.pitch is not None})
        if not pitches:
            return self.free(name, _FREE)
        bases = np.stack([_comb(pitch, self.frequencies) for pitch in pitches], axis=1)
        frames = [
            played([note for note in notes if note.pitch is not None and round(note.pitch) == pitch], self.times)
            for pitch in pitches
        ]
        stacked = np.repeat(bases[None], self.audio.n_channels, axis=0)
        return self.gated(name, _unit(stacked), learns=True, frames=np.stack(frames))


def _comb(pitch: int, frequencies: NDArray[np.float64]) -> Matrix:
    """A spectrum of harmonics 1/n, each as wide as the window makes it or as a pitch may waver."""
    fundamental = 440 * 2 ** ((pitch - 69) / 12)
    spacing = float(frequencies[1]) if frequencies.size > 1 else 1.0
    comb = np.zeros(frequencies.size)
    for n in range(1, _HARMONICS + 1):
        partial = n * fundamental
        width = max(2 * spacing, partial * (2 ** (_WIDTH / 12) - 1))
        near = np.abs(frequencies - partial) <= width
        comb[near] = np.maximum(comb[near], 1 / n)
    return comb


def _unit(bases: Matrix) -> Matrix:
    size = np.sqrt(np.square(bases).sum(axis=(0, 1), keepdims=True))
    unit: Matrix = bases / np.where(size > 0, size, 1)
    return unit


def _fitted(audio: Audio, stft: STFT, sources: Sequence[_Source], max_iter: int, rng: int | None) -> Decomposition:
    """All activations, and the bases that learn."""
    if len({source.bases.ndim for source in sources}) > 1:
        raise Incompatible("the dictionary's bases last several frames: that leaves no place for others beside them.")
    bases = np.concatenate([source.bases for source in sources], axis=2)
    frames = np.concatenate([source.frames for source in sources])
    labels = tuple(source.name for source in sources for _ in range(source.bases.shape[2]))
    learns = np.concatenate([np.full(source.bases.shape[2], source.learns) for source in sources])
    # The level at which all of them share the recording evenly; the first step finds that of each.
    level = float(np.abs(audio.samples).sum() / max(1, audio.samples.size)) + 1e-6
    return decompose(
        audio,
        len(labels),
        stft=stft,
        bases=Dictionary(bases, labels, stft, audio.sample_rate),
        activations=(frames * level).astype(np.float32),
        learn_bases=learns,
        max_iter=max_iter,
        tol=0,
        rng=rng,
    )
