"""What a user knows of the sounds in a recording: when one is alone or silent, what it plays, and where it lies.

All of it becomes zeros. A zero in a start stays zero while a factorisation goes on, so that

    activations   are zero where a sound is silent, where another is alone, where its score has no note, where it is
                  painted black;
    bases         are zero outside of its band.

Conventions: times in seconds from the beginning of the recording, ranges from (start, stop), bands in Hz.

References: S. Ewert, M. Müller, Using score-informed constraints for NMF-based source separation, ICASSP 2012,
doi:10.1109/ICASSP.2012.6287834. N. J. Bryan, G. J. Mysore, G. Wang, ISSE: an interactive source separation editor, CHI
2014, doi:10.1145/2556288.2557253.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Mask
from unweave.errors import InvalidInput
from unweave.notes import Note

__all__ = ["Guide"]

Span = tuple[float, float]

_EARLY, _LATE = 0.05, 0.1
"""Seconds before the onset and after the offset of a note in which it may sound: scores and players differ."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guide:
    """What is known of some sounds, by their names.

    Parameters
    ----------
    alone : mapping of name to sequence of (start, stop)
        Seconds in which nothing else sounds. They also show how it sounds.
    silent : mapping of name to sequence of (start, stop)
        Seconds in which it does not sound.
    score : mapping of name to sequence of Note
        The notes that it plays; it does not sound between them.
    band : mapping of name to (low, high)
        Hz beyond which there is nothing of it.
    painted : mapping of name to ``(n,)``, at least 0
        How much it may sound, in n equal stretches of the recording: what is 0 stays silent.

    Raises
    ------
    InvalidInput
        A range that ends before it begins, a band without width, something painted that is negative or not finite.

    Examples
    --------
    >>> Guide(alone={"vocals": [(0, 4.5)]}, band={"bass": (30, 300)})
    Guide(vocals: alone 0-4.5 s; bass: band 30-300 Hz)
    """

    alone: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    silent: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    score: Mapping[str, Sequence[Note]] = field(default_factory=dict)
    band: Mapping[str, Span] = field(default_factory=dict)
    painted: Mapping[str, ArrayLike] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks = {"alone": _spans, "silent": _spans, "score": _notes, "band": _band, "painted": _painted}
        for each in fields(self):
            given = getattr(self, each.name)
            if not isinstance(given, Mapping):
                raise InvalidInput(f"{each.name}={given!r} is not a mapping of names, as in {{'vocals': …}}.")
            checked = {str(name): checks[each.name](each.name, str(name), value) for name, value in given.items()}
            object.__setattr__(self, each.name, MappingProxyType(checked))

    def __repr__(self) -> str:
        told = []
        for name in self.names:
            ranges = [
                f"{what} {', '.join(f'{start:g}-{stop:g}' for start, stop in spans[name])} s"
                for what, spans in (("alone", self.alone), ("silent", self.silent))
                if name in spans
            ]
            notes = [f"{len(self.score[name])} notes"] if name in self.score else []
            band = [f"band {self.band[name][0]:g}-{self.band[name][1]:g} Hz"] if name in self.band else []
            told.append(f"{name}: {', '.join([*ranges, *notes, *band, *(['painted'] * (name in self.painted))])}")
        return f"Guide({'; '.join(told)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The sounds of which something is known, in the order in which they are named."""
        return tuple(dict.fromkeys(name for each in fields(self) for name in getattr(self, each.name)))

    def frames(self, name: str, times: NDArray[np.float64]) -> Mask:
        """Where a sound may be heard: a truth value for the middle of each frame, in seconds."""
        allowed = np.ones(times.size, np.bool_)
        for start, stop in self.silent.get(name, ()):
            allowed &= ~((times >= start) & (times < stop))
        for other, spans in self.alone.items():
            for start, stop in spans if other != name else ():
                allowed &= ~((times >= start) & (times < stop))
        if name in self.score:
            allowed &= played(self.score[name], times)
        if name in self.painted and times.size:
            paint = np.asarray(self.painted[name])
            length = float(times[-1]) or 1.0
            allowed &= paint[np.minimum((times / length * paint.size).astype(np.intp), paint.size - 1)] > 0
        return allowed

    def bins(self, name: str, frequencies: NDArray[np.float64]) -> Mask:
        """Where a sound may lie: a truth value for each bin, of so many Hz."""
        low, high = self.band.get(name, (0.0, math.inf))
        return np.asarray((frequencies >= low) & (frequencies <= high))


def played(notes: Sequence[Note], times: NDArray[np.float64]) -> Mask:
    """Whether any of some notes may sound at each time."""
    sounding = np.zeros(times.size, np.bool_)
    for note in notes:
        sounding |= (times >= note.onset - _EARLY) & (times < note.offset + _LATE)
    return sounding


def _pair(value: Any) -> Span | None:
    try:
        first, last = (float(each) for each in value)
    except (TypeError, ValueError):
        return None
    return (first, last) if math.isfinite(first) and math.isfinite(last) and 0 <= first < last else None


def _spans(what: str, name: str, value: Any) -> tuple[Span, ...]:
    given = [value] if _pair(value) else list(value) if isinstance(value, Sequence) else [value]
    spans = [_pair(each) for each in given]
    found = tuple(each for each in spans if each is not None)
    if len(found) < len(given) or not found:
        raise InvalidInput(f"{what} of {name!r} is {value!r}: ranges of seconds are needed, as in [(0, 4.5)].")
    return found


def _notes(what: str, name: str, value: Any) -> tuple[Note, ...]:
    if not isinstance(value, Sequence) or not value or not all(isinstance(each, Note) for each in value):
        raise InvalidInput(f"{what} of {name!r} needs a sequence of Note, as unweave.notes.midi.read_midi gives it.")
    return tuple(value)


def _band(what: str, name: str, value: Any) -> Span:
    band = _pair(value)
    if band is None:
        raise InvalidInput(f"{what} of {name!r} is {value!r}: low and high in Hz are needed, as in (30, 300).")
    return band


def _painted(what: str, name: str, value: Any) -> NDArray[np.float64]:
    paint = np.array(value, np.float64)
    if paint.ndim != 1 or not paint.size or not np.isfinite(paint).all() or paint.min() < 0:
        raise InvalidInput(f"{what} of {name!r} must be a row of finite numbers of at least 0.")
    paint.setflags(write=False)
    return paint
