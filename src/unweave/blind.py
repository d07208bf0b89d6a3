"""Notes of a recording of which nothing is known: components, named by what they are, and their rises.

    recording ─decompose→ bases ─`name_components`→ pitches and labels
                          activations of components with one name, summed ─`pick_notes`→ notes

A tone that has its attack in one component and its ring in another is one sound if both have its pitch. Bases are put
to one length first, so that the activations are levels.

What comes out can be no better than the components are: a component that holds two tones has one of their pitches. For
drums and pianos the kinds that know them are better.
"""

from __future__ import annotations

import numpy as np

from unweave.audio import Audio
from unweave.decomposition import decompose
from unweave.framing import STFT
from unweave.naming import name_components
from unweave.notes import Note
from unweave.notes.picking import Sound, is_click, pick_notes, threshold_of
from unweave.onsets import lead_of
from unweave.parts import Decomposition

__all__ = ["component_notes", "transcribe_components"]

_WINDOW, _HOP = 0.093, 0.0116  # seconds: 4096 and 512 samples at 44.1 kHz


def transcribe_components(
    audio: Audio,
    n_components: int,
    *,
    sensitivity: float = 0.5,
    shortest: float = 0.05,
    rng: int | np.random.Generator | None = None,
) -> tuple[Note, ...]:
    """Take a recording apart, name its components, and pick their notes.

    Parameters
    ----------
    audio : Audio
    n_components : int
        How many parts; a sound each at best.
    sensitivity, shortest
        As for `unweave.notes.picking.NotePicker`.
    rng : int or Generator, optional
        As in `unweave.nmf`.

    Returns
    -------
    tuple of Note
        With a pitch where a component is a tone, with a label where it is none.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> notes = transcribe_components(drum_loop(n_bars=1)["mix"], 3)
    >>> sorted({note.label for note in notes}), len(notes)
    (['hihat', 'kick', 'snare'], 17)
    """
    if not audio.n_samples:
        return ()
    window = 2 ** round(np.log2(max(16, _WINDOW * audio.sample_rate)))
    hop = min(window // 4, 2 ** round(np.log2(max(4, _HOP * audio.sample_rate))))
    parts = decompose(audio, n_components, stft=STFT(window, hop), rng=rng)
    return component_notes(parts, sensitivity=sensitivity, shortest=shortest)


def component_notes(parts: Decomposition, *, sensitivity: float = 0.5, shortest: float = 0.05) -> tuple[Note, ...]:
    """The notes of the components of a recording, named by what they are.

    Parameters
    ----------
    parts : Decomposition
        Of `unweave.decompose`. Labels that are not numbers are kept as names.
    sensitivity, shortest
        As for `unweave.notes.picking.NotePicker`.

    Returns
    -------
    tuple of Note
    """
    given = [Sound(label) if not label.isdecimal() else None for label in parts.labels]
    sounds = [mine or found for mine, found in zip(given, name_components(parts), strict=True)]
    levels = np.sqrt((np.asarray(parts.spectra, np.float64) ** 2).sum(axis=(0, 1)))[:, None] * parts.activations
    levels = np.sqrt(levels) if parts.is_power else levels
    groups: dict[Sound, list[int]] = {}
    for k, sound in enumerate(sounds):
        key = sound if sound.pitch is None else Sound(pitch=float(round(sound.pitch)))
        groups.setdefault(key, []).append(k)
    named = [_common([sounds[k] for k in rows], levels[rows].sum(axis=1)) for rows in groups.values()]
    found = pick_notes(
        np.array([levels[rows].sum(axis=0) for rows in groups.values()]),
        named,
        parts.audio.sample_rate / parts.stft.hop_length,
        sensitivity=sensitivity,
        shortest=shortest,
        lead=lead_of(parts.stft, parts.audio.sample_rate),
        leak=threshold_of(sensitivity) / 2,
    )
    return tuple(note for note in found if not is_click(note, parts.stft, parts.audio.sample_rate))


def _common(sounds: list[Sound], weights: np.ndarray) -> Sound:
    """One name for several components: their mean pitch, the loud ones counting most, or their label."""
    pitches = [sound.pitch for sound in sounds if sound.pitch is not None]
    if not pitches or not weights.any():
        return sounds[0]
    return Sound(pitch=round(float(np.average(pitches, weights=weights)), 2))
