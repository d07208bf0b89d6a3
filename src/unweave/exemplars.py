"""Frames of recordings as bases: a dictionary of a sound without learning anything.

    {"vocals": [a.wav, b.wav], "drums": c.wav}  ─n frames of each label, picked evenly by level→  Dictionary

A frame of an example is a spectrum that the sound really had. Learned bases are parts of such spectra, and what is
assembled of parts may become any sound; exemplars keep to what was heard. Frames are picked along the sum of all
levels, at equal steps: loud passages give more of them, silence none, and the same examples give the same frames.

Measured on songs (first half for examples, second half taken apart), 128 exemplars of each stem separate better than 32
or 64 learned bases, and are made in no time: docs/family/stems.md.

Examples go by in blocks, twice, and are never in memory as a whole.

Reference: P. Smaragdis, M. Shashanka, B. Raj, A sparse non-parametric approach for single channel separation of known
sounds, NIPS 2009. T. Virtanen, J. F. Gemmeke, B. Raj, P. Smaragdis, Compositional models for audio processing, IEEE
Signal Processing Magazine 32(2), 2015, doi:10.1109/MSP.2013.2288990.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.audio import Audio
from unweave.dictionary import Dictionary
from unweave.divergence import KULLBACK_LEIBLER
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.longform import frame_blocks, magnitude_blocks, opened
from unweave.plan import MAX_COMPONENTS, require_count
from unweave.stft import analysis_blocks
from unweave.training import Example
from unweave.words import counted

__all__ = ["N_EXEMPLARS", "pick_examples"]

N_EXEMPLARS = 128
"""Frames of each label: more gained no more than a third of a decibel where it was measured."""

_N_FFT = 4096


def pick_examples(
    examples: Mapping[str, Example | Sequence[Example]], n_bases: int = N_EXEMPLARS, *, stft: STFT | None = None
) -> Dictionary:
    """Make a dictionary of the frames of recordings of single sounds.

    Parameters
    ----------
    examples : mapping of label to Audio, path, or a sequence of them
        For each sound one recording or several, all at one rate. Mono serves beside stereo.
    n_bases : int
        Most frames for each label. More know the sound better, and take longer to look for.
    stft : STFT, optional
        Settings of the transform. Default: ``STFT(4096)``.

    Returns
    -------
    Dictionary
        Spectra of magnitudes of length one, label by label in the order given, low to high.

    Raises
    ------
    ReadError
        A file cannot be read.
    InvalidInput, Incompatible
        Nothing but silence under a label; examples of several rates or channels; ``n_bases`` out of range.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> loop = drum_loop(n_bars=1)
    >>> pick_examples({"kick": loop["kick"], "snare": loop["snare"]}, 2)
    Dictionary(4 bases: kick, kick, snare, snare; n_fft=4096 at 44100 Hz)
    """
    require_count("n_bases", n_bases, 1, MAX_COMPONENTS)
    settings = stft or STFT(_N_FFT)
    if not examples:
        raise InvalidInput("examples is empty: name one sound at least.")
    several = {label: _several(label, given) for label, given in examples.items()}
    rate, n_channels = _agreed([each for given in several.values() for each in given])
    picked = []
    for label, given in several.items():
        frames = _picked([_Frames(each, settings, n_channels) for each in given], n_bases)
        if not frames.size:
            raise InvalidInput(f"the examples of {label!r} are silent: there is nothing to learn from them.")
        bases = frames.T.reshape(n_channels, settings.n_bins, -1)
        picked.append(Dictionary(bases, (label,) * bases.shape[2], settings, rate).normalize().reorder("centroid"))
    return Dictionary.merge(*picked)


def _several(label: str, given: Example | Sequence[Example]) -> Sequence[Example]:
    several = [given] if isinstance(given, Audio | str | PathLike) else list(given)
    if not several:
        raise InvalidInput(f"examples names no recording for {label!r}.")
    return several


def _facts(example: Example) -> tuple[str, float, int]:
    """Name, rate and number of channels of an example."""
    if isinstance(example, Audio):
        return f"an example of {example.duration:.3g} s", example.sample_rate, example.n_channels
    _, rate, n_channels = opened(example, None, 0, None)
    return fspath(example), rate, n_channels


def _agreed(examples: Sequence[Example]) -> tuple[float, int]:
    """The rate and the number of channels of all examples; those of one channel serve any number."""
    facts = [_facts(each) for each in examples]
    first, rate, _ = facts[0]
    most = max(n_channels for _, _, n_channels in facts)
    for name, other, n_channels in facts:
        if other != rate:
            raise Incompatible(
                f"{name} has {other:g} Hz, but {first} has {rate:g} Hz: load both with the same sample_rate."
            )
        if n_channels not in (1, most):
            raise Incompatible(
                f"{name} has {counted(n_channels, 'channel')}, "
                f"but another example has {most}: all need as many, or one."
            )
    return rate, most


class _Frames:
    """The frames of an example, again and again: blocks ``(frames, channels * bins)``."""

    def __init__(self, example: Example, stft: STFT, n_channels: int) -> None:
        self._example, self._stft, self._n_channels = example, stft, n_channels

    def __iter__(self) -> Iterator[Matrix]:
        if isinstance(self._example, Audio):
            frames = analysis_blocks(self._example, self._stft)
        else:
            frames = frame_blocks(opened(self._example, None, 0, None)[0](), self._stft)
        for block in magnitude_blocks(frames, KULLBACK_LEIBLER):
            rows = self._n_channels * self._stft.n_bins // block.shape[0]
            yield (block if rows == 1 else np.tile(block, (rows, 1))).T


def _picked(sounds: Sequence[_Frames], count: int) -> Matrix:
    """Some frames ``(n, channels * bins)``, at equal steps along the sum of all levels."""
    levels = np.concatenate([np.linalg.norm(block, axis=1) for sound in sounds for block in sound])
    chosen = _positions(levels, count)
    found, first = [], 0
    for sound in sounds:
        for block in sound:
            here = chosen[(chosen >= first) & (chosen < first + len(block))]
            found.append(np.array(block[here - first], np.float32))
            first += len(block)
    return np.concatenate(found)


def _positions(levels: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Numbers of frames that are not silent, at most ``count``."""
    heard = np.flatnonzero(levels)
    if heard.size <= count:
        return heard
    total = np.cumsum(levels, dtype=np.float64)
    steps = (np.arange(count) + 0.5) * (total[-1] / count)
    return np.unique(np.searchsorted(total, steps))
