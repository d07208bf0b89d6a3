"""Drums as notes: `transcribe_drums`, which is told nothing, and `transcribe_kit`, which was taught the sounds.

    x ─strokes→ times, features ─networks→ log odds ─┬→ decided: kick, snare, hi-hat, tom, cymbal, several, or none
                                └─factorisation→ evidence ─┘

Every stroke of a recording is found (`unweave.drums.strokes`) and judged by what drums sound like
(`unweave.drums.kits`). With these judgements for a start a convolutive factorisation finds out what they sound like in
this recording, and how much of each stroke is which (`unweave.drums.fit`); both are added,

    z[i, c] = o[i, c] - o_c + 0.3 ln(a[i, c] / a₇₅[c]) + 0.2 ln(a[i, c] / Σ a[i, ·]),   both logarithms clipped,

and what lies above a threshold is a note. Sounds that the user taught are judged by how their activations rise
(`unweave.drums.taught`) and, where their labels are names of drums, by z as well.

    velocity   how loud it is beside the loud strokes of its class (`unweave.drums.velocity`): 20 dB are half of the
               way; of taught sounds, how strongly their activations rise
    offset     where the energy has fallen by 20 dB, or the class is struck again, two seconds later at most

Differences from libnmfd and other NMF transcribers: strokes are found first and activations exist only there; the
decision is learned; the templates are the recording's own in the end. FluCoMa has no transcription.

References: C.-W. Wu et al., A review of automatic drum transcription, IEEE/ACM TASLP 26(9), 2018,
doi:10.1109/TASLP.2018.2830113. C. Dittmar, D. Gärtner, DAFx 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.audio import Audio, as_audio, resample
from unweave.dictionary import Dictionary
from unweave.drums.fit import evidence, fit_strokes
from unweave.drums.kits import CLASSES, shipped
from unweave.drums.strokes import FRAME, N_SHORT, Strokes, find_strokes
from unweave.drums.taught import class_of, likeness, stroke_rises
from unweave.drums.velocity import STROKE, band_energy, beside_the_loudest, how_hard
from unweave.errors import InvalidInput
from unweave.notes import Note, in_order
from unweave.notes.leadin import with_lead_in, without_lead_in
from unweave.notes.picking import threshold_of

__all__ = ["CLASSES", "Hearing", "listen", "transcribe_drums", "transcribe_kit"]

Floats = NDArray[np.float32]
Frames = NDArray[np.int64]

# Least log odds. A hi-hat of a kit that nobody learned from is less sure than a kick of one.
_LEAST = np.array([0.0, 0.2, -0.7, -0.2, -0.7], np.float32)
_RELATIVE, _SHARE = np.float32(0.3), np.float32(0.2)
_TAUGHT = 0.5  # how much a likeness counts beside odds; and the least judgement of what was taught
_STEEPNESS = 6.0  # log odds from the least sensitivity to the greatest
_DIED = 20.0  # dB
_LONGEST = 2.0  # seconds
_AT_ONCE = 0.02  # seconds in which a recording begins
_FALLS, _SOON, _SMOOTHED = 9.0, 0.5, 6  # dB that a stroke there has lost at some moment of so many seconds; frames


def transcribe_drums(
    audio: Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    classes: Sequence[str] = CLASSES,
    sensitivity: float = 0.5,
    shortest: float = 0.03,
) -> tuple[Note, ...]:
    """Turn a recording of drums into notes; nothing need be known of the kit.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        Drums alone, of any rate; an array needs ``sample_rate``.
    classes : sequence of str
        What to report, of 'kick', 'snare', 'hihat', 'tom' and 'cymbal' (crash and ride). All are looked for, so that a
        tom is not taken for a snare. The hi-hat is one class, open, closed or by pedal; a stroke on the rim is a snare.
    sensitivity : float, 0 to 1
        More: ghost notes too, and false ones.
    shortest : float, at least 0
        Seconds; of two strokes of a class that are nearer to each other the surer one counts.

    Returns
    -------
    tuple of Note
        With labels and without pitch, in the order of their onsets; none for silence. ``velocity``, 0.01 to 1, ranks
        the strokes of a class, and is about 1 for its loud ones in this recording.

    Raises
    ------
    InvalidInput
        An unknown class; numbers out of range.
    ReadError
        The numbers that come with the package are missing or damaged.

    References
    ----------
    C.-W. Wu et al., IEEE/ACM TASLP 26(9), 2018, doi:10.1109/TASLP.2018.2830113.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> notes = transcribe_drums(drum_loop(n_bars=1)["mix"])
    >>> [note.label for note in notes if note.onset < 0.7]
    ['hihat', 'kick', 'hihat', 'hihat', 'snare']
    """
    sound = as_audio(audio, sample_rate)
    _least(sensitivity, shortest)  # refuses what is out of range
    if isinstance(classes, str) or any(name not in CLASSES for name in classes):
        raise InvalidInput(f"classes={classes!r}: a list of some of {', '.join(CLASSES)} is needed.")
    return listen(sound).notes(classes=classes, sensitivity=sensitivity, shortest=shortest)


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """Everything that may be a stroke in a recording, before anybody decides what is a note.

    Parameters
    ----------
    strokes : Strokes
        Of the recording with its lead-in.
    odds : float32 ``(strokes, classes)``
        Log odds that each stroke is one of each of `CLASSES`.
    duration, before : float
        Seconds: of the recording with its lead-in, and of the lead-in.
    """

    strokes: Strokes
    odds: Floats
    duration: float
    before: float

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds from the beginning of the recording."""
        seconds: NDArray[np.float64] = np.maximum(self.strokes.times - self.before, 0.0)
        return seconds

    def notes(
        self, *, classes: Sequence[str] = CLASSES, sensitivity: float = 0.5, shortest: float = 0.03
    ) -> tuple[Note, ...]:
        """What is surer than ``sensitivity`` asks for, as `transcribe_drums` gives it."""
        least, times, notes = _least(sensitivity, shortest), self.strokes.times, []
        struck = {name: _apart(times, self.odds[:, k], least, shortest) for k, name in enumerate(CLASSES)}
        for name in dict.fromkeys(classes):
            notes += _notes(self.strokes, struck[name], name, how_hard(self.strokes, struck, name), self.duration)
        return without_lead_in(in_order(notes), self.before)


def listen(audio: Audio) -> Hearing:
    """Find all strokes of a recording, and judge them."""
    sound, before = with_lead_in(audio)
    strokes = _strokes_of(sound, before)
    return Hearing(strokes, _judged(strokes), sound.duration, before)


def transcribe_kit(
    audio: Audio | ArrayLike,
    dictionary: Dictionary,
    *,
    sample_rate: float | None = None,
    sensitivity: float = 0.5,
    shortest: float = 0.03,
) -> tuple[Note, ...]:
    """Turn a recording into notes of sounds that were taught, such as single strokes of each drum of a kit.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        Of any rate; it is converted to the dictionary's.
    dictionary : Dictionary
        Its labels become those of the notes; a label may have several bases, and bases may have taps. Three bases for
        each sound tell more than one does. See `unweave.training.learn_examples`.
    sensitivity, shortest
        As in `transcribe_drums`.

    Returns
    -------
    tuple of Note
        With the labels of the dictionary, in the order of their onsets. Where a label names a drum ('kick', 'Snare 2',
        'open hat'), what drums sound like in general counts as well; 'clap' or 'a' is known by its bases alone.

    Raises
    ------
    InvalidInput
        Numbers out of range.
    Incompatible
        The dictionary has several channels, and not those of the recording.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> from unweave.training import learn_examples
    >>> loop = drum_loop(n_bars=1)
    >>> kit = learn_examples({name: loop[name] for name in ("kick", "snare", "hihat")})
    >>> [note.label for note in transcribe_kit(loop["mix"], kit) if note.onset < 0.7]
    ['hihat', 'kick', 'hihat', 'hihat', 'snare']
    """
    sound = resample(as_audio(audio, sample_rate), dictionary.sample_rate)
    least = _least(sensitivity, shortest) + _TAUGHT
    sound, before = with_lead_in(sound)
    strokes = _strokes_of(sound, before)
    rises = stroke_rises(sound, dictionary, strokes.times)
    labels = list(dict.fromkeys(dictionary.labels))
    judged, notes = _taught(strokes, rises, labels), []
    for column, label in enumerate(labels):
        chosen = _apart(strokes.times, judged[:, column], least, shortest)
        loud = 20 * np.log10(np.maximum(rises[chosen, column], 1e-12))
        velocity = beside_the_loudest(loud) if len(chosen) else loud
        notes += _notes(strokes, chosen, label, velocity, sound.duration)
    return without_lead_in(in_order(notes), before)


def _strokes_of(sound: Audio, before: float) -> Strokes:
    """Strokes of a recording with a lead-in, but for what merely goes on from its first sample.

    A stroke dies away, or lets one hear how loud it is beside the rest; noise and what was cut in its midst do not.
    """
    strokes = find_strokes(sound)
    first = strokes.times < before + _AT_ONCE
    if not first.any() or sound.duration < before + _SOON:
        return strokes
    total = strokes.powers[:, :N_SHORT].sum(axis=1)
    level = np.convolve(total, np.full(_SMOOTHED, 1 / _SMOOTHED), "valid")[round(before / FRAME) :]
    if level[: round(_SOON / FRAME)].min() < 10 ** (-_FALLS / 10) * level[: round(_AT_ONCE / FRAME)].max():
        return strokes
    return replace(strokes, frames=strokes.frames[~first], features=strokes.features[~first])


def _least(sensitivity: float, shortest: float) -> float:
    """The least judgement of a note."""
    threshold_of(sensitivity)  # refuses what is out of range
    if isinstance(shortest, bool) or not isinstance(shortest, (int, float)) or not 0 <= shortest <= 10:
        raise InvalidInput(f"shortest={shortest!r} is not a number of seconds from 0 to 10.")
    return _STEEPNESS * (0.5 - sensitivity)


def _judged(strokes: Strokes) -> Floats:
    """Log odds ``(strokes, classes)``: above 0 it is more likely than not."""
    kits = shipped()
    odds = kits.networks.judge(strokes.features)
    if len(odds) == 0:
        return odds
    relative, share = evidence(fit_strokes(strokes, odds, kits.templates, kits.owners), odds)
    judged: Floats = odds - _LEAST + _RELATIVE * relative + _SHARE * share
    return judged


def _taught(strokes: Strokes, rises: Floats, labels: Sequence[str]) -> Floats:
    """Judgements ``(strokes, labels)`` of sounds that were taught."""
    judged, names = likeness(rises), [class_of(label) for label in labels]
    if len(judged) == 0 or not any(names):
        return judged
    general, alike = np.clip(_judged(strokes), -4, 4), judged.copy()
    for column, name in enumerate(names):
        if name is not None:
            judged[:, column] = general[:, CLASSES.index(name)] + _TAUGHT * alike[:, column]
            rivals = [k for k, other in enumerate(names) if other == name and k != column]
            if rivals:  # of several labels for one class the likest is meant
                judged[alike[:, column] < alike[:, rivals].max(axis=1), column] = -8
    return judged


def _apart(times: NDArray[np.float64], judged: Floats, least: float, shortest: float) -> Frames:
    """Strokes above the threshold, none nearer to another than ``shortest``."""
    kept: list[int] = []
    for stroke in np.nonzero(judged > least)[0]:
        if not kept or times[stroke] - times[kept[-1]] >= shortest:
            kept.append(int(stroke))
        elif judged[stroke] > judged[kept[-1]]:
            kept[-1] = int(stroke)
    return np.array(kept, np.int64)


def _notes(strokes: Strokes, chosen: Frames, label: str, velocity: NDArray[np.float64], duration: float) -> list[Note]:
    """The notes of one label, which end where the bands of its class are silent."""
    if len(chosen) == 0:
        return []
    energy, times = band_energy(strokes, class_of(label)), np.minimum(strokes.times[chosen], duration)
    ends = np.minimum(np.append(times[1:], duration), times + _LONGEST)
    notes = []
    for frame, onset, end, force in zip(strokes.frames[chosen], times, ends, velocity, strict=True):
        offset = min(onset + _lasts(energy[frame : frame + round((end - onset) / FRAME) + 1]), end)
        notes.append(Note(onset=float(onset), offset=float(offset), label=label, velocity=float(force)))
    return notes


def _lasts(energy: NDArray[np.float64]) -> float:
    """Seconds until an energy has died."""
    peak = int(np.argmax(energy[:STROKE])) if len(energy) else 0
    dead = np.nonzero(energy[peak:] < energy[peak : peak + 1].max(initial=-120.0) - _DIED)[0]
    return float((peak + dead[0] if len(dead) else len(energy)) * FRAME)
