"""Strokes that are listened to again, when it is known what the drums of this recording sound like.

    saved[i, c] = D without class c - D with it,     need = saved / what c contributes to stroke i

The judge of `unweave.drums.kits` knows many kits, but not this one: it takes a dry snare for a hi-hat now and then, and
one loud stroke in the wrong stem costs more than all else together. So a model of the strokes that were found
(`unweave.drums.model`) is fitted for some iterations, and then every stroke is explained anew, by all classes that play
and by all but one, with gains of its own each time. D is the Kullback-Leibler divergence in the first tenth of a
second. A drum that was struck is needed, however soft it was: no other can explain what it left. One that was not only
takes over what others explain as well, so that little is saved, and need is small whatever it contributes.

Kicks and snares are added where they save a good part of a usual stroke and are needed, and taken away where they are
not needed and nothing else speaks for them. A hi-hat sounds together with everything else and is left as it was judged.
All of that is done again, since what was missed or invented has spoilt what the drums sound like, until nothing
changes, three times at most.

A tom or a cymbal that nobody is sure of is another drum: a recording has a stem of its own for it only where two
strokes at least are clearly such.

Reference: C. Dittmar, D. Gärtner, Real-time transcription and separation of drum recordings based on NMF decomposition,
DAFx 2014 (bases that become the recording's own).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unweave.drums.kits import CLASSES
from unweave.drums.model import Strikes, StrokeModel
from unweave.drums.transcription import Hearing
from unweave.notes import Note, in_order
from unweave.threads import single_blas

__all__ = ["listen_again", "noted", "struck"]

_ROUNDS = 3
_ITERATIONS = 15  # of the model; after more it has explained what was missed by something else
_SPAN = 20  # frames of a stroke that are explained
_STEPS = 20
_SAVED, _NEEDED, _POSSIBLE = 0.12, 0.12, -4.0  # of a usual stroke; need; log odds: what is added has more
_NEEDLESS = {"kick": 0.25, "snare": 0.06}  # what is taken away is needed less than that
_SOFT = {"kick": 0.35, "snare": np.inf}  # and is softer, beside a usual stroke
_DOUBTED = {"kick": np.inf, "snare": 3.0}  # and has lower odds
_SOFTEST = 0.1  # of a usual stroke, for what is added
_SURE, _ENOUGH = 0.1, 2  # sensitivity at which a tom or a cymbal is one, and how many are needed
_OTHERWISE = {"tom": ("kick", "snare"), "cymbal": ("hihat",)}
_LASTS = 0.1  # seconds of a note: what is struck is known by its onset

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


def struck(hearing: Hearing, sensitivity: float, named: Collection[str] = ()) -> Floats:
    """How loud each of `CLASSES` is struck in each stroke, by the first judgement; 0 where it is not.

    Classes that are ``named`` are believed; toms and cymbals that are not must be sure.
    """
    loudness = np.zeros(hearing.odds.shape, np.float32)
    for note in hearing.notes(sensitivity=sensitivity):
        stroke = int(np.argmin(np.abs(hearing.times - note.onset)))
        loudness[stroke, CLASSES.index(str(note.label))] = 10 ** (note.velocity - 1)
    for name, others in _OTHERWISE.items():
        surely = hearing.notes(classes=(name,), sensitivity=min(_SURE, sensitivity))
        if name in named or len(surely) >= _ENOUGH:
            continue
        column, columns = CLASSES.index(name), np.array([CLASSES.index(other) for other in others])
        for doubtful in np.flatnonzero(loudness[:, column]):
            likest = columns[np.argmax(hearing.odds[doubtful, columns])]
            loudness[doubtful, likest] = max(loudness[doubtful, likest], loudness[doubtful, column])
        loudness[:, column] = 0
    return loudness


def noted(hearing: Hearing, loudness: Floats) -> tuple[Note, ...]:
    """Strokes as notes."""
    return in_order(
        Note(
            onset=float(hearing.times[stroke]),
            offset=float(hearing.times[stroke]) + _LASTS,
            label=CLASSES[owner],
            velocity=min(max(1 + math.log10(loudness[stroke, owner]), 0.01), 1.0),
        )
        for stroke, owner in zip(*np.nonzero(loudness), strict=True)
    )


def listen_again(
    V: Floats, classes: Sequence[str], shares: Floats, *, frames: Numbers, odds: Floats, loudness: Floats
) -> Floats:
    """Add strokes that were missed, and take away those that nobody needs.

    Parameters
    ----------
    V : float32 ``(frames, bands)``
        Magnitudes, as `unweave.drums.model.StrokeModel` takes them.
    classes, shares
        As it takes them as well.
    frames : int ``(strokes,)``
        Where something is struck, in order of time.
    odds, loudness : float32 ``(strokes, classes)``
        What each stroke was taken for, as log odds; how loud each class was struck, 0 where it was not.

    Returns
    -------
    float32 ``(strokes, classes)``
        How loud each class is struck; what was struck before and is now has kept its loudness.
    """
    with single_blas():
        for _ in range(_ROUNDS):
            which, owners = np.nonzero(loudness)
            strikes = Strikes(frames[which], owners, loudness[which, owners])
            model = StrokeModel(V, strikes, classes, shares).run(_ITERATIONS)
            changed = _Explanation(model, which, classes).judged(frames, odds, loudness)
            if np.array_equal(changed > 0, loudness > 0):
                break
            loudness = changed
    return loudness


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """What is heard of one stroke, and what other strokes explain of it; ``(span * bands,)``."""

    heard: Floats
    others: Floats

    def fitted(self, sounds: Floats, gains: Floats) -> tuple[Floats, float]:
        """Gains of the best explanation by some sounds, and its divergence but for a constant."""
        size = np.maximum(sounds.sum(axis=1), np.float32(1e-30))
        for _ in range(_STEPS):
            gains = gains * (sounds @ (self.heard / (self.others + gains @ sounds))) / size
        whole = self.others + gains @ sounds
        return gains, float(np.sum(whole - self.heard * np.log(whole), dtype=np.float64))


class _Explanation:
    """A model of all strokes, and what is usual for each class in it; ``which`` stroke each of the model's is."""

    def __init__(self, model: StrokeModel, which: NDArray[np.intp], classes: Sequence[str]) -> None:
        self.model, self.which, self.classes = model, which, classes
        self.sounds = [W[:, : _SPAN * model.n_bands] for W in model.W]
        self.whole = model.whole()
        self.gains, self.usual = {}, {}
        for owner in range(len(classes)):
            gains = [model.gains[each] for each in np.nonzero(model.owners == owner)[0]]
            if gains:
                self.gains[owner] = np.median(gains, axis=0).astype(np.float32)
                self.usual[owner] = float(np.median(np.array(gains) @ self.sounds[owner].sum(axis=1))) + 1e-12

    def judged(self, frames: Numbers, odds: Floats, loudness: Floats) -> Floats:
        """How loud each class is struck in each stroke."""
        judged = loudness.copy()
        for stroke, frame in enumerate(frames):
            asked = [owner for owner in self.gains if self._open(owner, odds[stroke, owner], loudness[stroke, owner])]
            if asked:
                moment = self._moment(stroke, int(frame))
                for owner, (share, saved) in self._needs(moment, asked).items():
                    judged[stroke, owner] = self._decided(
                        owner, float(odds[stroke, owner]), float(loudness[stroke, owner]), share, saved
                    )
        return judged

    def _open(self, owner: int, odds: float, loudness: float) -> bool:
        """Whether anything could change what is thought of a class."""
        name = self.classes[owner]
        return name in _NEEDLESS and (odds < _DOUBTED[name] if loudness else odds > _POSSIBLE)

    def _decided(self, owner: int, odds: float, loudness: float, share: float, saved: float) -> float:
        """How loud a class is struck that contributes and saves so much of a usual stroke."""
        name, need = self.classes[owner], saved / (share + 0.02)
        if loudness:
            needless = need < _NEEDLESS[name] and share < _SOFT[name] and odds < _DOUBTED[name]
            return 0.0 if needless else loudness
        return min(max(share, _SOFTEST), 1.0) if saved > _SAVED and need > _NEEDED else 0.0

    def _moment(self, stroke: int, frame: int) -> _Moment:
        """What is to be explained of one stroke: what all other strokes leave of it."""
        model, mine = self.model, np.nonzero(self.which == stroke)[0]
        begin = int(np.median(model.frames[mine])) if len(mine) else frame
        first = begin * model.n_bands
        span = slice(first, first + _SPAN * model.n_bands)
        others = self.whole[span].copy()
        for each in mine:
            part = model.stroke(each)
            offset = (int(model.frames[each]) - begin) * model.n_bands
            low, high = max(0, offset), min(len(others), offset + len(part))
            others[low:high] -= part[low - offset : high - offset]
        return _Moment(model.V[span], np.maximum(others, model.epsilon))

    def _needs(self, moment: _Moment, asked: Sequence[int]) -> dict[int, tuple[float, float]]:
        """What each class that is asked for contributes, and what it saves, beside a usual stroke of it."""
        length = len(moment.heard)
        sounds = np.concatenate([self.sounds[owner][:, :length] for owner in self.gains])
        owners = np.concatenate([np.full(len(gains), owner) for owner, gains in self.gains.items()])
        start = (np.concatenate(list(self.gains.values())) / 2).astype(np.float32)
        gains, divergence = moment.fitted(sounds, start)
        found = {}
        for owner in asked:
            mine, usual = owners == owner, self.usual[owner]
            share = float(gains[mine] @ sounds[mine].sum(axis=1)) / usual
            without = moment.fitted(sounds[~mine], start[~mine])[1]
            found[owner] = (share, (without - divergence) / usual)
        return found
