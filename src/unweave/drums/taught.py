"""Sounds that the user taught: how far each stroke of a recording sounds like each of them.

    |X[n]| ≈ W h[n]  for every frame,    r_i = max(h after stroke i) - min(h before it)
    judgement = 3/2 ln(r_i / 0.1 r₉₇) + clip(ln(s_i / 0.08), -2, 1),   clipped at ±4

W are the bases of the dictionary, kept as they are; the activations of all bases with one label, and of all their taps,
count together. r₉₇ is the rise of the loud strokes of the same label, s the share of a label in the rises of all: a
sound that leaks into the bases of another rises with it, but less. Activations are those of the least Kullback-Leibler
divergence, by multiplicative steps from where all bases are alike; h is convex in them, so that the start does not
matter.

Labels that are names of drums are known by what drums sound like in general, too: `class_of` finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible
from unweave.stft import FrameBlock, analysis_block, block_spans
from unweave.threads import ordered, single_blas

__all__ = ["class_of", "likeness", "stroke_rises"]

Floats = NDArray[np.float32]

_HOP = 256 / 44100  # seconds
_ITERATIONS = 30
_TINY = 1e-9
_NAMES = {
    "kick": ("kick", "bassdrum", "bd"),
    "snare": ("snare", "sd"),
    "hihat": ("hihat", "hat", "hh"),
    "tom": ("tom",),
    "cymbal": ("cymbal", "crash", "ride", "splash", "china"),
}


def class_of(label: str) -> str | None:
    """The class of drums that a label names.

    Examples
    --------
    >>> class_of("Open Hi-Hat"), class_of("snare 2"), class_of("clap")
    ('hihat', 'snare', None)
    """
    letters = "".join(letter for letter in label.lower() if letter.isalpha())
    for name, words in _NAMES.items():
        if any(word in letters if len(word) > 2 else word == letters for word in words):
            return name
    return None


def stroke_rises(audio: Audio, dictionary: Dictionary, times: Sequence[float] | NDArray[np.float64]) -> Floats:
    """How much every label rises at these times, ``(strokes, labels)``, labels in the order of their first basis.

    Raises
    ------
    Incompatible
        The dictionary has several channels, and not those of the recording.
    """
    if dictionary.n_channels not in (1, audio.n_channels):
        raise Incompatible(
            f"the dictionary has {dictionary.n_channels} channels, but the recording has {audio.n_channels}: were its "
            "bases learned from mono or stereo?"
        )
    activations, hop = _activations(audio, dictionary)
    half = 0.5 * dictionary.stft.win_length / audio.sample_rate
    at = np.rint(np.asarray(times) / hop).astype(np.int64)
    ahead, behind = np.arange(int((half + 0.028) / hop) + 1), np.arange(1, 4) + int(half / hop)
    last = len(activations) - 1
    after = activations[np.clip(at[:, None] + ahead, 0, last)].max(axis=1)
    before = activations[np.clip(at[:, None] - behind, 0, last)].min(axis=1)
    before[at < behind[0]] = 0  # nothing is heard before the beginning
    risen: Floats = np.maximum(after - before, 0)
    return risen


def likeness(rises: Floats) -> Floats:
    """The judgement of every stroke and label; about 0 where it is open."""
    if len(rises) == 0:
        return rises
    usual = np.percentile(rises, 97, axis=0)
    usual = np.maximum(np.maximum(usual, 0.02 * usual.max()), _TINY)
    share = rises / np.maximum(rises.sum(axis=1, keepdims=True), _TINY)
    relative = 1.5 * np.log(np.maximum(rises / usual, 1e-3) / 0.1)
    alike = relative + np.clip(np.log(np.maximum(share, 1e-3) / 0.08), -2, 1)
    return np.asarray(np.clip(alike, -4, 4), np.float32)


def _activations(audio: Audio, dictionary: Dictionary) -> tuple[Floats, float]:
    """Activations ``(frames, labels)``, and seconds between frames."""
    stft = dictionary.stft
    hop = max(1, min(round(_HOP * audio.sample_rate), stft.win_length // 2))
    settings = replace(stft, hop_length=hop, center=True)
    bases, owners = _spectra(dictionary)

    def work(span: tuple[int, int]) -> Floats:
        with single_blas():
            return _explained(analysis_block(audio, settings, *span), bases) @ owners

    blocks = list(ordered(work, block_spans(settings.n_frames(audio.n_samples))))
    return np.concatenate(blocks), hop / audio.sample_rate


def _spectra(dictionary: Dictionary) -> tuple[Floats, Floats]:
    """Spectra ``(bins, n)`` of sum one, every tap for itself; and whose they are, ``(n, labels)``."""
    bases = dictionary.bases.mean(axis=0)
    taps = dictionary.n_taps
    bases = bases.reshape(bases.shape[0], -1)
    labels = list(dict.fromkeys(dictionary.labels))
    owners = np.zeros((bases.shape[1], len(labels)), np.float32)
    for number, label in enumerate(dictionary.labels):
        owners[number * taps : (number + 1) * taps, labels.index(label)] = 1
    sums = bases.sum(axis=0)
    return np.divide(bases, sums, out=np.zeros_like(bases), where=sums > 0), owners


def _explained(block: FrameBlock, bases: Floats) -> Floats:
    """Activations ``(frames, bases)`` of a block."""
    magnitudes = np.abs(block.values).mean(axis=0)
    total = magnitudes.sum(axis=1, keepdims=True)
    found = np.repeat(total / bases.shape[1], bases.shape[1], axis=1)
    floor = np.float32(1e-7) * (total / bases.shape[0]) + np.float32(1e-20)
    for _ in range(_ITERATIONS):
        found *= (magnitudes / (found @ bases.T + floor)) @ bases
    return np.asarray(found, np.float32)
