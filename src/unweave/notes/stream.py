"""The notes of known sounds in a stream, block by block.

    samples ─`NMFMatch`→ activations ─`NotePicker`→ notes

A dictionary says what the sounds look like, every frame is explained by them, and the rises of their activations are
notes. The same from a file at once is `notes_by`.

Conventions: blocks are ``(channels, n)`` or ``(n,)``, of any n, 0 included; the notes do not depend on where blocks
end. That a sound has begun is certain `NoteStream.latency` samples after its onset; the note is told when it has ended,
which is ``longest`` seconds later at the most. Whoever must know at once listens to `unweave.onsets.OnsetPicker`.

References: A. Dessein, A. Cont, G. Lemaitre, Real-time polyphonic music transcription with non-negative matrix
factorization and beta-divergence, ISMIR 2010.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from unweave.audio import Audio, as_audio
from unweave.dictionary import Dictionary
from unweave.framing import window_values
from unweave.matching import NMFMatch
from unweave.notes.names import pitch_named
from unweave.notes.note import Note, in_order
from unweave.notes.picking import NotePicker, Sound, is_click, threshold_of
from unweave.onsets import lead_of

__all__ = ["NoteStream", "notes_by"]


class NoteStream:
    """The notes of known sounds in a stream.

    Parameters
    ----------
    dictionary : Dictionary
        The sounds; bases with one label are one sound. See `unweave.training.learn_examples`.
    pitches : mapping of label to MIDI number, optional
        Which of the sounds have a pitch. Default: those with the name of one, such as 'C#4'.
    n_iter : int
        Steps for each frame, as for `unweave.matching.NMFMatch`.
    sensitivity, shortest, release, longest
        As for `unweave.notes.picking.NotePicker`.
    full : float, above 0
        The peak of the stream, as a share of full scale, that is expected of its loudest sounds: theirs is velocity 1.

    Attributes
    ----------
    labels : tuple of str
        Names of the sounds.
    latency : int
        Samples after which an onset is certain: half a window, and the time to wait for a greater rise.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> from unweave.training import learn_examples
    >>> loop = drum_loop(n_bars=1)
    >>> stream = NoteStream(learn_examples({"kick": loop["kick"], "hihat": loop["hihat"]}))
    >>> notes = stream.process(loop["kick"].samples[:, :44100])
    >>> [note.label for note in notes]
    ['kick']
    """

    def __init__(
        self,
        dictionary: Dictionary,
        *,
        pitches: Mapping[str, float] | None = None,
        n_iter: int = 30,
        sensitivity: float = 0.5,
        shortest: float = 0.05,
        release: float = 0.1,
        longest: float = 10.0,
        full: float = 1.0,
    ) -> None:
        self._match = NMFMatch(_level(dictionary), n_iter=n_iter)
        self.labels = self._match.labels
        pitched = {label: pitch_named(label) for label in self.labels} if pitches is None else pitches
        self._picker = NotePicker(
            [Sound(label, pitched.get(label)) for label in self.labels],
            self._match.frame_rate,
            sensitivity=sensitivity,
            shortest=shortest,
            release=release,
            longest=longest,
            full=full,
            lead=lead_of(dictionary.stft, dictionary.sample_rate),
            leak=threshold_of(sensitivity) / 2,
        )
        self._rate = dictionary.sample_rate
        self.latency = self._match.latency + self._picker.n_late * dictionary.stft.hop_length

    def reset(self) -> None:
        """Forget the stream."""
        self._match.reset()
        self._picker.reset()

    def process(self, block: ArrayLike) -> list[Note]:
        """Take a block ``(channels, n)`` or ``(n,)``; return the notes that have ended by now."""
        return self._tones(self._picker.process(self._match.process(block)))

    def flush(self) -> list[Note]:
        """End the stream: the notes that still sound. What comes next is another stream."""
        return self._tones([*self._picker.process(self._match.flush()), *self._picker.flush()])

    def _tones(self, notes: list[Note]) -> list[Note]:
        return [note for note in notes if not is_click(note, self._match.stft, self._rate)]


def notes_by(
    audio: Audio | ArrayLike,
    dictionary: Dictionary,
    *,
    sample_rate: float | None = None,
    pitches: Mapping[str, float] | None = None,
    n_iter: int = 30,
    sensitivity: float = 0.5,
    shortest: float = 0.05,
    release: float = 0.1,
    longest: float = 10.0,
    full: float | None = None,
) -> tuple[Note, ...]:
    """Say which notes of known sounds are in a recording: what `NoteStream` tells.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        The recording; an array needs ``sample_rate``.
    dictionary, pitches, n_iter, sensitivity, shortest, release, longest
        As for `NoteStream`.
    full : float, optional
        As for `NoteStream`. Default: the peak of the recording.

    Returns
    -------
    tuple of Note
        In the order of their onsets.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> from unweave.training import learn_examples
    >>> loop = drum_loop(n_bars=1)
    >>> kit = learn_examples({name: loop[name] for name in ("kick", "snare", "hihat")})
    >>> [round(note.onset, 3) for note in notes_by(loop["mix"], kit) if note.label == "kick"]
    [0.0, 0.865, 1.154, 1.586]
    """
    sound = as_audio(audio, sample_rate)
    peak = float(np.abs(sound.samples).max(initial=0.0))
    if not peak:
        return ()
    stream = NoteStream(
        dictionary,
        pitches=pitches,
        n_iter=n_iter,
        sensitivity=sensitivity,
        shortest=shortest,
        release=release,
        longest=longest,
        full=full or peak,
    )
    return in_order([*stream.process(sound.samples), *stream.flush()])


def _level(dictionary: Dictionary) -> Dictionary:
    """The bases as long as a sine wave at full scale makes them: activations are then amplitudes."""
    # Parseval: the magnitudes of a sine wave of amplitude a have the length a/2 · sqrt(n_fft Σ w²) in every channel.
    squared = float(np.square(window_values(dictionary.stft)).sum())
    length = 0.5 * math.sqrt(dictionary.stft.n_fft * squared * dictionary.n_channels)
    level = dictionary.normalize("l2")
    return Dictionary(level.bases * np.float32(length), level.labels, level.stft, level.sample_rate)
