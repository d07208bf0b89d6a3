"""Notes of a piano, and of other instruments that play tones.

    V ≈ Σ_p Σ_s W_{p,s} H_{p,s}           stages s of every pitch p: before the stroke, the stroke, the tone, its decay
    P(note at t, p) = judge(H, V around t and p)

Spectra in two windows (`unweave.pitched.bands`) are explained by templates with the Kullback-Leibler divergence
(`unweave.pitched.fit`). For the piano they come from several pianos (`unweave.pitched.judge.load_model`), for other
instruments they are harmonic, with envelopes that are learned from the recording (`unweave.pitched.harmonic`). Where
activations rise is a candidate; a small network looks at what surrounds it in time and at the intervals where pitches
are taken for each other, and says whether a note begins (`unweave.pitched.evidence`, `unweave.pitched.judge`): that is
how a stroke and the tone after it become one note, and an overtone none. `unweave.pitched.picking` decides and finds
the ends; `unweave.pitched.velocity` tells what is the player's from what is the instrument's.

A recording is worked on in pieces of some seconds, over the threads; nothing that is kept grows faster than 11 kB a
second.

References: T. Cheng, M. Mauch, E. Benetos, S. Dixon, An attack/decay model for piano transcription, ISMIR 2016.
E. Vincent, N. Bertin, R. Badeau, Adaptive harmonic spectral decomposition for multiple pitch estimation, IEEE TASLP
18(3), 2010, doi:10.1109/TASL.2009.2034186.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.audio import Audio
from unweave.errors import InvalidInput
from unweave.notes import Note
from unweave.notes.leadin import with_lead_in, without_lead_in
from unweave.pitched.bands import HOP_SECONDS, band_spectra, n_frames_of, one_channel
from unweave.pitched.evidence import LOWEST, N_PITCHES, REACH, Scene, candidates, evidence, usual_ghosts
from unweave.pitched.fit import fit_templates
from unweave.pitched.harmonic import harmonic_templates
from unweave.pitched.judge import Judge, load_model
from unweave.pitched.picking import Found, Release, notes_of
from unweave.pitched.tuning import find_tuning, tuning_of
from unweave.pitched.velocity import levelled, levels, loudness
from unweave.threads import ordered, single_blas

__all__ = ["find_tuning", "transcribe_piano", "transcribe_pitched"]

_PIECE = 512
_MARGIN = REACH + 2
_HEARD, _RUN = 4096, 64
_QUIETEST = 1e-6
"""Level of a recording, as bands have it, below which there is nothing but rounding: a sine wave 120 dB down."""


def transcribe_piano(
    audio: Audio,
    *,
    sensitivity: float = 0.5,
    shortest: float = 0.05,
    lowest: int = LOWEST,
    highest: int = LOWEST + N_PITCHES - 1,
) -> tuple[Note, ...]:
    """Find the notes of a piano.

    Parameters
    ----------
    audio : Audio
        Any rate, any number of channels, which are mixed. Its tuning is found and allowed for.
    sensitivity : float, 0 to 1
        More: quiet notes that are nearly covered are found, and more that nobody played.
    shortest : float, seconds
        Two strokes of a key closer than this are one; no note is shorter.
    lowest, highest : int
        MIDI numbers of the range that is looked at; 21 to 108 are the keys of a piano.

    Returns
    -------
    tuple of Note
        By onset, then by pitch. ``velocity``, 0.01 to 1, tells how hard a key was struck, for this recording: its
        level does not count, and keys that are louder than their neighbours whenever they are struck are taken to be
        so by nature, up to ten steps of MIDI velocity.

    Raises
    ------
    InvalidInput
        An option is out of its range.

    Examples
    --------
    >>> transcribe_piano(Audio(np.zeros(22050), 22050))
    ()
    """
    options = _checked(sensitivity, shortest, lowest, highest)
    judge, templates = load_model("piano")
    if templates is None:
        raise InvalidInput("the piano model has no templates.")
    return _transcribe(audio, options, judge, lambda *_: templates, Release())


def transcribe_pitched(
    audio: Audio,
    *,
    sensitivity: float = 0.5,
    shortest: float = 0.05,
    lowest: int = 33,
    highest: int = 96,
) -> tuple[Note, ...]:
    """Find the notes of any instrument that plays tones: strings, winds, organs, voices, guitars.

    The templates are harmonic; how strong each region of their partials is, is learned from the recording.

    Parameters
    ----------
    audio, sensitivity, shortest
        As for `transcribe_piano`.
    lowest, highest : int
        MIDI numbers, from 21 to 108. The nearer to what is played, the fewer octaves are mistaken.

    Returns
    -------
    tuple of Note
        As of `transcribe_piano`.

    Raises
    ------
    InvalidInput
        An option is out of its range.

    Examples
    --------
    >>> t = np.arange(22050) / 22050
    >>> organ = sum(np.sin(2 * np.pi * 440 * h * t) / h for h in range(1, 6)) * np.minimum(1, 100 * t)
    >>> [note.pitch for note in transcribe_pitched(Audio(0.2 * np.pad(organ, 4000), 22050))]
    [69.0]
    """
    options = _checked(sensitivity, shortest, lowest, highest)
    judge, _ = load_model("pitched")
    return _transcribe(audio, options, judge, harmonic_templates, Release(share=0.2))


@dataclass(frozen=True, slots=True)
class _Options:
    sensitivity: float
    shortest: float
    lowest: int
    highest: int

    def threshold(self, usual: float) -> float:
        """The likelihood asked for: ``usual`` at 0.5, moved along a logistic curve."""
        return 1 / (1 + math.exp(math.log(1 / usual - 1) + 10 * (self.sensitivity - 0.5)))


def _checked(sensitivity: float, shortest: float, lowest: int, highest: int) -> _Options:
    if not _is_number(sensitivity) or not 0 <= sensitivity <= 1:
        raise InvalidInput(f"sensitivity={sensitivity!r} is not a number from 0 to 1.")
    if not _is_number(shortest) or not 0 < shortest <= 10:
        raise InvalidInput(f"shortest={shortest!r} is not a number of seconds above 0, up to 10.")
    top = LOWEST + N_PITCHES - 1
    whole = all(_is_number(end) and int(end) == end for end in (lowest, highest))
    if not whole or not LOWEST <= lowest <= highest <= top:
        raise InvalidInput(
            f"lowest={lowest!r} and highest={highest!r}: whole MIDI numbers with {LOWEST} <= lowest <= highest "
            f"<= {top} are needed."
        )
    return _Options(float(sensitivity), float(shortest), int(lowest), int(highest))


def _is_number(value: object) -> bool:
    return (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


Learn = Callable[[Matrix, int, int], Matrix]
"""Templates ``(stages, 88, bands)`` for spectra of a recording, with a lowest and a highest pitch."""


def _transcribe(audio: Audio, options: _Options, judge: Judge, learn: Learn, release: Release) -> tuple[Note, ...]:
    sound, before = with_lead_in(audio)
    mono = one_channel(sound)
    n_frames = n_frames_of(mono.size)
    cents = tuning_of(mono)
    with single_blas():
        sample = _sample(mono, n_frames, cents)
        level = float(np.percentile(sample.sum(axis=1), 95))
        if not level > _QUIETEST:
            level = float(sample.sum(axis=1).max())
            if not level > _QUIETEST:
                return ()
        templates = learn(sample / level, options.lowest, options.highest)
        ghosts = usual_ghosts(_roll(sample / level, templates))
        work = _Piece(mono, cents, level, templates, ghosts, judge, n_frames)
        results = list(ordered(work, range(0, n_frames, _PIECE)))
    found = Found(*(np.concatenate([each[k] for each in results]) for k in range(4)))
    roll = np.concatenate([each[4] for each in results])
    inside = (found.pitches >= options.lowest) & (found.pitches <= options.highest)
    found = Found(found.onsets[inside], found.pitches[inside], found.likelihoods[inside], found.velocities[inside])
    notes = notes_of(found, roll, options.threshold(judge.threshold), options.shortest, release)
    return without_lead_in(levelled(notes), before)


def _sample(mono: NDArray[np.float32], n_frames: int, cents: float) -> Matrix:
    """Spectra of all frames, or of `_HEARD` in short runs from everywhere in a long recording."""
    count = min(-(-n_frames // _RUN), _HEARD // _RUN)
    starts = (
        np.linspace(0, max(n_frames - _RUN, 0), count).astype(int) if n_frames > _HEARD else _RUN * np.arange(count)
    )
    return np.concatenate([band_spectra(mono, int(at), min(_RUN, n_frames - int(at)), cents) for at in starts])


def _roll(spectra: Matrix, templates: Matrix) -> Matrix:
    """Activations ``(frames, stages, 88)``."""
    n_stages, n_pitches, n_bands = templates.shape
    flat = templates.reshape(-1, n_bands)
    pieces = [spectra[at : at + _PIECE].astype(np.float32) for at in range(0, len(spectra), _PIECE)]
    found = list(ordered(lambda piece: fit_templates(piece, flat), pieces))
    return np.concatenate(found).reshape(-1, n_stages, n_pitches)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """The work on one piece of a recording, which begins at frame ``first``."""

    mono: NDArray[np.float32]
    cents: float
    level: float
    templates: Matrix
    ghosts: NDArray[np.float32]
    judge: Judge
    n_frames: int

    def __call__(self, first: int) -> tuple[NDArray[Any], ...]:
        """Onsets, pitches, likelihoods and velocities of the candidates, and the roll ``(frames, 88)``."""
        begin, count = first - _MARGIN, min(_PIECE, self.n_frames - first)
        spectra = band_spectra(self.mono, begin, count + 2 * _MARGIN, self.cents) / np.float32(self.level)
        n_stages, n_pitches, n_bands = self.templates.shape
        flat = self.templates.reshape(-1, n_bands)
        activations = fit_templates(spectra, flat)
        roll = activations.reshape(-1, n_stages, n_pitches)
        frames, pitches = candidates(roll, _MARGIN, _MARGIN)
        whole = roll[_MARGIN : _MARGIN + count].sum(axis=1).astype(np.float16)
        shown = evidence(Scene(spectra, activations @ flat, roll, self.templates, self.ghosts), frames, pitches)
        verdict = self.judge.judge(shown)
        onsets = (frames + begin) * HOP_SECONDS + verdict.delay
        forces = loudness(verdict.velocity, levels(roll, frames, pitches))
        return onsets.astype(np.float64), pitches + LOWEST, verdict.likelihood, forces, whole
