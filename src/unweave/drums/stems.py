"""Drum stems: a recording of drums taken apart into kick, snare, hi-hat, toms and cymbals.

    x ─listen→ strokes ─listen again→ strokes ─StrokeModel→ magnitudes P_c of every class ─masks→ stems

    M_c = P_c^p / Σ_j P_j^p   on the complex spectrogram of every channel, p = 2

Every stroke that is found in the recording (`unweave.drums.transcription`), and put right by what the drums turn out to
sound like here (`unweave.drums.relistening`), is a short spectrogram of its class, learned from this recording, times a
gain (`unweave.drums.model`). The masks sum to one, so that the stems sum to the recording; each channel has sounds of
its own, so that a stem keeps its place in the stereo picture. What no stroke explains, such as the noise before the
first one, is shared by what drums sound like in general.

A loop is taken apart with its end before its beginning and its beginning after its end, so that its stems are loops.

References: C. Dittmar, M. Müller, Reverse engineering the Amen break, IEEE/ACM TASLP 24(9), 2016,
doi:10.1109/TASLP.2016.2567645. A. Liutkus, R. Badeau, Generalized Wiener filtering with fractional power spectrograms,
ICASSP 2015, doi:10.1109/ICASSP.2015.7177973.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Samples
from unweave.audio import Audio, as_audio
from unweave.drums.model import LEAD, LONGEST, Strikes, StrokeModel, learned_shares, stem_bands
from unweave.drums.relistening import listen_again, noted, struck
from unweave.drums.transcription import CLASSES, Hearing, listen
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.masks import require_power
from unweave.notes import Note, in_order
from unweave.notes.midi import DRUM_LABELS, drum_key
from unweave.notes.picking import threshold_of
from unweave.stft import BLOCK_FRAMES, OverlapAdd, analysis_block, block_spans, synthesis_block
from unweave.threads import ordered

__all__ = ["ALWAYS", "CLASSES", "Drums", "drum_pieces", "found_strokes", "separate_drums"]

ALWAYS = ("kick", "snare", "hihat")
"""Stems that are always given, silent where there is no such drum."""

Floats = NDArray[np.float32]

_WINDOW = 0.0232  # seconds
_ITERATIONS = 40
_PIECE = 40 * BLOCK_FRAMES  # frames that are fitted together, a minute
_FAINT = 1e-3  # of what is heard is always shared by what drums sound like
_EARLY = 0.01  # seconds by which a stroke may be heard before a loop begins
_AROUND = 1.0  # seconds of the loop before its beginning and after its end
_FAMILIES = {"sidestick": "snare", "clap": "snare"} | dict.fromkeys(("crash", "ride", "china", "splash"), "cymbal")
_NEAREST = {
    "kick": ("tom", "snare", "hihat", "cymbal"),
    "snare": ("tom", "kick", "hihat", "cymbal"),
    "hihat": ("cymbal", "snare", "tom", "kick"),
    "tom": ("snare", "kick", "hihat", "cymbal"),
    "cymbal": ("hihat", "snare", "tom", "kick"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drums:
    """A recording of drums, and what is known of it: what `separate_drums` may be told, with its defaults.

    Parameters
    ----------
    classes : sequence of str, optional
        Which stems to make, of `CLASSES`; drums that are not among them go to the nearest one that is. Default:
        `ALWAYS`, and toms and cymbals where they are found.
    notes : iterable of Note, optional
        All strokes, where they are known: onset, label and velocity count. Labels are those of `CLASSES` or of General
        MIDI, as `unweave.notes.midi.read_midi` gives them. Default: strokes are found.
    sensitivity : float, 0 to 1
        As in `unweave.drums.transcribe_drums`: more finds softer strokes, and some that are none.
    power : float, above 0 to 20
        Exponent of the masks: more separates harder and sounds rougher.
    loop : bool
        The recording is a loop: its stems are loops as well.

    Raises
    ------
    InvalidInput
        A setting out of range; a note that is no drum.

    Examples
    --------
    >>> Drums(classes=["kick", "snare"], loop=True).classes
    ('kick', 'snare')
    """

    classes: Sequence[str] | None = None
    notes: Iterable[Note] | None = None
    sensitivity: float = 0.5
    power: float = 2.0
    loop: bool = False

    def __post_init__(self) -> None:
        threshold_of(self.sensitivity)  # refuses what is out of range
        require_power(self.power)
        if self.classes is not None:
            given = () if isinstance(self.classes, str) else tuple(self.classes)
            if not given or any(name not in CLASSES for name in given):
                raise InvalidInput(f"classes={self.classes!r}: some of {', '.join(CLASSES)} are needed.")
            object.__setattr__(self, "classes", given)
        if self.notes is not None:
            object.__setattr__(self, "notes", tuple(map(_of_class, self.notes)))


def _of_class(note: Note) -> Note:
    """A stroke with the class of its drum for a label."""
    key = drum_key(note.label) if isinstance(note, Note) and note.label is not None else None
    name = "" if key is None else DRUM_LABELS[key].partition("-")[0]
    name = _FAMILIES.get(name, name)
    if name not in CLASSES:
        raise InvalidInput(f"{note!r} is no drum: labels are {', '.join(CLASSES)}, or those of General MIDI.")
    return note if note.label == name else replace(note, label=name)


_USUAL = Drums()


def separate_drums(
    audio: Audio | ArrayLike,
    *,
    sample_rate: float | None = None,
    classes: Sequence[str] | None = None,
    notes: Iterable[Note] | None = None,
    sensitivity: float = _USUAL.sensitivity,
    power: float = _USUAL.power,
    loop: bool = _USUAL.loop,
) -> dict[str, Audio]:
    """Take a recording of drums apart into one sound for each kind of drum.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n)`` or ``(n,)`` with its ``sample_rate``
        Drums alone: other instruments go to the drum that they resemble.
    classes, notes, sensitivity, power, loop
        As in `Drums`.

    Returns
    -------
    dict of str to Audio
        Stems by name, as long as the recording, with its rate and its channels; they sum to it.

    Raises
    ------
    InvalidInput
        A setting out of range; a note that is no drum.

    References
    ----------
    C. Dittmar, M. Müller, IEEE/ACM TASLP 24(9), 2016, doi:10.1109/TASLP.2016.2567645.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> stems = separate_drums(drum_loop(n_bars=1)["mix"])
    >>> list(stems), round(stems["snare"].duration, 2)
    (['kick', 'snare', 'hihat'], 2.31)
    """
    sound = as_audio(audio, sample_rate)
    options = Drums(classes=classes, notes=notes, sensitivity=sensitivity, power=power, loop=loop)
    names, pieces = drum_pieces(sound, options)
    out = np.empty((len(names), *sound.samples.shape), np.float32)
    position = 0
    for piece in pieces:
        out[..., position : position + piece.shape[2]] = piece
        position += piece.shape[2]
    return {name: Audio(samples, sound.sample_rate) for name, samples in zip(names, out, strict=True)}


def drum_pieces(audio: Audio, options: Drums = _USUAL) -> tuple[tuple[str, ...], Iterator[Samples]]:
    """Names of the stems, and the stems piece by piece, float32 ``(stems, channels, n)``.

    For recordings whose stems do not fit into memory. Pieces follow each other; together they are as long as the
    recording.
    """
    long, around = _gone_round(audio, options)
    before = around / audio.sample_rate
    notes = _heard(long, options) if options.notes is None else _given(options.notes, before, long, audio)
    names = _names(notes, options.classes)
    if not audio.samples.any():
        return names, iter([np.zeros((len(names), *audio.samples.shape), np.float32)])
    pieces = _Separation(long, notes, names, options.power).pieces()
    return names, _cut(pieces, around, audio.n_samples)


def found_strokes(audio: Audio, options: Drums = _USUAL) -> tuple[Note, ...]:
    """The strokes that stems are made of where none are given: those of a recording, or of one round of a loop."""
    long, around = _gone_round(audio, options)
    before = around / audio.sample_rate
    early = before - _EARLY if around else 0.0  # a stroke on the seam is the first of a round, and not the last
    inside = (note for note in _heard(long, options) if early <= note.onset < early + audio.duration)
    return tuple(_later(note, -min(before, note.onset)) for note in inside)


def _gone_round(audio: Audio, options: Drums) -> tuple[Audio, int]:
    """A recording, or a loop with its end before its beginning and its beginning after its end, of so many samples."""
    around = min(round(_AROUND * audio.sample_rate), audio.n_samples) if options.loop else 0
    if not around:
        return audio, 0
    samples = audio.samples
    samples = np.concatenate([samples[:, -around:], samples, samples[:, :around]], axis=1)
    return Audio(samples, audio.sample_rate), around


def _heard(audio: Audio, options: Drums) -> tuple[Note, ...]:
    """The strokes that are found, by listening twice."""
    hearing = listen(audio)
    loudness = struck(hearing, options.sensitivity, options.classes or ())
    if not loudness.any():
        return ()
    first = noted(hearing, loudness)
    separation = _Separation(audio, first, _names(first, options.classes), options.power)
    return noted(hearing, separation.heard_again(hearing, loudness))


def _given(notes: Iterable[Note], before: float, long: Audio, audio: Audio) -> tuple[Note, ...]:
    """The strokes that are known, in a recording that begins ``before`` seconds earlier."""
    moved = [_later(note, before) for note in notes]
    if before:  # a loop comes round again
        shifts = (-audio.duration, audio.duration)
        moved += [_later(note, shift) for note in moved for shift in shifts if note.onset + shift >= 0]
    return in_order(note for note in moved if note.onset < long.duration)


def _later(note: Note, seconds: float) -> Note:
    return replace(note, onset=note.onset + seconds, offset=note.offset + seconds)


def _names(notes: Sequence[Note], classes: Sequence[str] | None) -> tuple[str, ...]:
    """The stems that there will be."""
    if classes is not None:
        return tuple(dict.fromkeys(classes))
    found = {note.label for note in notes}
    return tuple(name for name in CLASSES if name in ALWAYS or name in found)


def _cut(pieces: Iterable[Samples], begin: int, length: int) -> Iterator[Samples]:
    """``length`` samples from ``begin`` on of what comes in pieces."""
    position = -begin
    for piece in pieces:
        inside = piece[..., max(0, -position) : max(0, length - position)]
        position += piece.shape[-1]
        yield inside


class _Separation:
    """A recording, its strokes, and what both are shared out to."""

    def __init__(self, audio: Audio, notes: Sequence[Note], names: Sequence[str], power: float) -> None:
        self.audio, self.power, self.n_stems = audio, require_power(power), len(names)
        self.stft = STFT(max(16, 2 ** round(math.log2(max(_WINDOW * audio.sample_rate, 1)))))
        self.edges = stem_bands(self.stft)
        found = {note.label for note in notes}
        self.classes = tuple(name for name in CLASSES if name in found) or tuple(names)
        self.members = [names.index(_nearest(name, names)) for name in self.classes]
        self.strikes = Strikes(
            self._frames([note.onset for note in notes]),
            np.array([self.classes.index(str(note.label)) for note in notes], np.int64),
            np.array([10 ** (note.velocity - 1) for note in notes], np.float32),
        )
        hertz = (self.edges[:-1] + self.edges[1:] - 1) / 2 * (audio.sample_rate / self.stft.n_fft)
        seconds = (np.arange(LONGEST) - LEAD) * (self.stft.hop_length / audio.sample_rate)
        self.shares = np.tile(learned_shares(self.classes, hertz, seconds), (1, 1, audio.n_channels))

    def _frames(self, seconds: ArrayLike) -> NDArray[np.int64]:
        return np.round(np.asarray(seconds) * (self.audio.sample_rate / self.stft.hop_length)).astype(np.int64)

    def heard_again(self, hearing: Hearing, loudness: Floats) -> Floats:
        """How loud each of `CLASSES` is struck in each stroke, now that the drums of the recording are known."""
        frames, again = self._frames(hearing.times), loudness.copy()
        columns = np.array([CLASSES.index(name) for name in self.classes])
        for begin, end in block_spans(self.stft.n_frames(self.audio.n_samples), _PIECE):
            inside = np.nonzero((begin <= frames) & (frames < end))[0]
            if len(inside):
                where = np.ix_(inside, columns)
                again[where] = listen_again(
                    self._magnitudes(begin, end),
                    self.classes,
                    self.shares,
                    frames=frames[inside] - begin,
                    odds=hearing.odds[where],
                    loudness=loudness[where],
                )
        return again

    def pieces(self) -> Iterator[Samples]:
        """The stems piece by piece."""
        join = OverlapAdd(self.stft, self.audio.n_samples)
        for begin, end in block_spans(join.n_frames, _PIECE):
            masks = self._masks(begin, end, join.n_frames)
            yield from self._masked(masks, begin, end, join)

    def _masked(self, masks: Floats, begin: int, end: int, join: OverlapAdd) -> Iterator[Samples]:
        """The stems over some frames, of masks ``(stems, frames, channels * bands)``."""
        widths, channels = np.diff(self.edges), self.audio.n_channels

        def work(span: tuple[int, int]) -> tuple[Samples, Samples]:
            values = analysis_block(self.audio, self.stft, begin + span[0], begin + span[1]).values
            mask = masks[:, span[0] : span[1]].reshape(self.n_stems, span[1] - span[0], channels, -1)
            wide = np.repeat(mask.transpose(0, 2, 1, 3), widths, axis=3)
            return synthesis_block((wide * values).astype(np.complex64, copy=False), self.stft)

        spans = block_spans(end - begin)
        for span, block in zip(spans, ordered(work, spans), strict=True):
            yield join.add(block, begin + span[0], begin + span[1])

    def _masks(self, begin: int, end: int, n_frames: int) -> Floats:
        """Masks ``(stems, frames, channels * bands)`` from frame to frame."""
        first, last = max(0, begin - LONGEST), min(n_frames, end + LONGEST)
        V = self._magnitudes(first, last)
        model = StrokeModel(V, self.strikes.within(first, last), self.classes, self.shares).run(_ITERATIONS)
        inside = slice(begin - first, end - first)
        rest = self.shares[:, -1]
        levels = np.stack([model.part(k)[inside] + _FAINT * V[inside] * rest[k] for k in range(len(self.classes))])
        # No mask notices a division by the largest, which keeps every power in range.
        largest = levels.max(axis=0)
        levels = np.where(largest > 0, levels / np.where(largest > 0, largest, 1), rest[:, None]) ** self.power
        levels /= levels.sum(axis=0)
        masks = np.zeros((self.n_stems, *levels.shape[1:]), np.float32)
        for member, level in zip(self.members, levels, strict=True):
            masks[member] += level
        return masks

    def _magnitudes(self, begin: int, end: int) -> Floats:
        """Magnitudes summed over bands, ``(frames, channels * bands)``; 1 is the largest."""
        V = np.empty((end - begin, self.audio.n_channels, len(self.edges) - 1), np.float32)
        for start, stop in block_spans(end - begin):
            values = analysis_block(self.audio, self.stft, begin + start, begin + stop).values
            V[start:stop] = np.add.reduceat(np.abs(values), self.edges[:-1], axis=2).transpose(1, 0, 2)
        return V.reshape(end - begin, -1) / max(float(V.max()), 1e-30)


def _nearest(name: str, names: Sequence[str]) -> str:
    """The stem that a class belongs to."""
    return next(each for each in (name, *_NEAREST[name]) if each in names)
