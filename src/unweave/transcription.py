"""From a recording to its notes: `transcribe`.

    transcribe(loop, "drums")         kick, snare, hi-hat, and what else a drummer strikes     `unweave.drums`
    transcribe(prelude, "piano")      the notes of a piano                                     `unweave.pitched`
    transcribe(flute, "pitched")      the notes of an instrument that nobody described         `unweave.pitched`
    transcribe(loop, kit)             the sounds that a `Dictionary` describes                 `unweave.drums`; if all
                                      have names such as 'C#4', as tones                       `unweave.notes.stream`
    transcribe(anything, n_components=12)    components, named by what they are                `unweave.blind`

Each kind is loaded when it is asked for, so that `import unweave` stays quick.

Conventions: times in seconds, pitches as MIDI numbers, velocities from 0 to 1; see `unweave.notes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from unweave.audio import Audio, as_audio, resample
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput
from unweave.notes import Note, Notes
from unweave.notes.names import pitch_named
from unweave.notes.picking import threshold_of

__all__ = ["KINDS", "Kind", "transcribe"]

Kind = Literal["drums", "piano", "pitched", "blind"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be transcribed without a dictionary."""

_N_COMPONENTS = 12


def transcribe(
    audio: Audio | ArrayLike,
    kind: Kind | Dictionary | None = None,
    *,
    sample_rate: float | None = None,
    sensitivity: float = 0.5,
    shortest: float | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    n_components: int | None = None,
    rng: int | np.random.Generator | None = None,
) -> Notes:
    """Turn a recording into notes: when each begins and ends, what it is, and how loud.

    Parameters
    ----------
    audio : Audio, or array ``(channels, n_samples)`` or ``(n_samples,)``
        The recording; an array needs ``sample_rate``.
    kind : {"drums", "piano", "pitched", "blind"} or Dictionary
        What plays. A dictionary names the sounds that are looked for, see `unweave.training.learn_examples`. "blind"
        knows nothing: the recording is taken apart, and its components are named by pitch or by what they resemble.
    sample_rate : float, optional
        Hz; for arrays only.
    sensitivity : float, 0 to 1
        More: quiet notes too, and false ones.
    shortest : float, optional
        Seconds; of a struck sound the least time to its next stroke, of a tone the least length. Default: that of the
        kind.
    lowest, highest : float, optional
        MIDI numbers of the lowest and the highest note, both included: what lies beyond is not looked for. For "piano"
        and "pitched".
    n_components : int, optional
        How many components, for "blind" only; given alone it means "blind". Default: 12.
    rng : int or Generator, optional
        Chance of "blind", as in `unweave.nmf`.

    Returns
    -------
    Notes: tuple of Note
        In the order of their onsets; empty for silence.

    Raises
    ------
    InvalidInput
        Neither ``kind`` nor ``n_components``; an unknown kind; an option that the kind does not know; numbers out of
        range.
    Incompatible
        The dictionary has other channels than the recording.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> notes = transcribe(drum_loop(n_bars=1)["mix"], "drums")
    >>> [note.label for note in notes][:2], len(notes)
    (['hihat', 'kick'], 17)
    """
    sound = as_audio(audio, sample_rate)
    threshold_of(sensitivity)  # refuses what is out of range
    asked: dict[str, Any] = {"lowest": lowest, "highest": highest, "n_components": n_components, "rng": rng}
    if kind is None:
        kind = "blind" if n_components is not None else None
    struck: dict[str, Any] = {"sensitivity": sensitivity} | ({} if shortest is None else {"shortest": shortest})
    return Notes(_heard(sound, kind, asked, struck))


def _heard(
    sound: Audio, kind: Kind | Dictionary | None, asked: Mapping[str, Any], struck: dict[str, Any]
) -> tuple[Note, ...]:
    """The notes as whoever knows the kind hears them; ``asked`` is for some kinds, ``struck`` for all."""
    if isinstance(kind, Dictionary):
        _refuse("a dictionary", asked)
        return _known(sound, kind, **struck)
    if kind == "drums":
        _refuse(kind, asked)
        from unweave.drums import transcribe_drums

        return transcribe_drums(sound, **struck)
    if kind == "blind":
        _refuse(kind, {name: asked[name] for name in ("lowest", "highest")})
        from unweave.blind import transcribe_components

        count = _N_COMPONENTS if asked["n_components"] is None else asked["n_components"]
        return transcribe_components(sound, count, rng=asked["rng"], **struck)
    if kind in ("piano", "pitched"):
        _refuse(kind, {name: asked[name] for name in ("n_components", "rng")})
        limits = {name: asked[name] for name in ("lowest", "highest") if asked[name] is not None}
        from unweave.pitched import transcribe_piano, transcribe_pitched

        hear = transcribe_piano if kind == "piano" else transcribe_pitched
        return hear(sound, **struck, **limits)
    raise InvalidInput(
        f"kind={kind!r} is not one of {', '.join(KINDS)}, nor a Dictionary: say what plays, or n_components=12 to find "
        "out."
    )


def _refuse(kind: str, options: Mapping[str, object]) -> None:
    """Refuse options that a kind would ignore."""
    for name, value in options.items():
        if value is not None:
            raise InvalidInput(f"{name}={value!r} means nothing for {kind}: leave it out.")


def _known(
    sound: Audio, dictionary: Dictionary, *, sensitivity: float, shortest: float | None = None
) -> tuple[Note, ...]:
    """The notes of taught sounds: tones where all labels are names of pitches, strokes where they are not."""
    options: dict[str, Any] = {"sensitivity": sensitivity} | ({} if shortest is None else {"shortest": shortest})
    from unweave.drums import transcribe_kit
    from unweave.notes.stream import notes_by

    if any(pitch_named(label) is None for label in dictionary.labels):
        return transcribe_kit(sound, dictionary, **options)
    return notes_by(resample(sound, dictionary.sample_rate), dictionary, **options)
