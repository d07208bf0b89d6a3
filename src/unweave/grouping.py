"""Components put together to sounds: by timbre, by pitch, by common onsets, by place, or by hand.

A factorisation with many components explains a recording well, and one sound by several of them. Which belong together
is seen from

    timbre    mel-frequency cepstra of the bases: the shape of a spectrum, whatever its level
    pitch     the pitch of bases that are tones, on the scale of semitones; what is no tone is a group of its own
    onset     rises of the activations: what always begins together is one sound
    place     the share of each channel: what stands left, and what stands right

Components are merged from the nearest pair on (agglomerative, average distance), until as many groups are left as are
wanted, or until the next merger would be much farther than those before; by pitch, until the next two would be half a
semitone apart. Of several cues the distances are added, each in parts of its greatest. Nothing is left to chance.

Groups sum to the recording, as components do; a group is the sum of its components' sounds.

Differences. FluCoMa leaves grouping to a patch of BufMFCC and BufStats, or to the ear.

References: M. Spiertz, V. Gnann, Source-filter based clustering for monaural blind source separation, DAFx 2009.
S. B. Davis, P. Mermelstein, IEEE Trans. ASSP 28(4), 1980, doi:10.1109/TASSP.1980.1163420.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import scipy
from numpy.typing import NDArray

from unweave.audio import Audio
from unweave.errors import InvalidInput
from unweave.examples import REST
from unweave.groupmasks import grouped
from unweave.naming import pitch_of
from unweave.parts import Decomposition
from unweave.plan import require_count

__all__ = ["CUES", "Cue", "Grouping", "group", "mel_filters"]

Cue = Literal["timbre", "pitch", "onset", "place"]
CUES: tuple[Cue, ...] = get_args(Cue)
"""What components may be grouped by."""

Floats = NDArray[np.float64]

_MELS, _CEPSTRA = 40, 13
_UNPITCHED = 1000.0  # semitones: far from every tone
_FAR = 24.0  # semitones: what is farther apart is no farther, where other cues count as well
_LEAP = 0.2  # of the greatest distance: a merger so much farther than the one before it ends them
_SAME_PITCH = 0.5  # semitones


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Grouping:
    """Components in groups, and why.

    Parameters
    ----------
    parts : Decomposition
        The components.
    groups : mapping of name to tuple of int
        Every component is in one group.
    by : str
        What they were grouped by: of `CUES`, with ' and ' between them, or 'hand'.
    distances : float64 ``(components, components)``
        How far components are from each other; zeros where they were grouped by hand.
    """

    parts: Decomposition
    groups: Mapping[str, tuple[int, ...]]
    by: str
    distances: Floats

    def __repr__(self) -> str:
        told = "; ".join(f"{name}: {', '.join(map(str, members))}" for name, members in self.groups.items())
        return f"Grouping(by {self.by}: {told})"

    def sounds(self) -> dict[str, Audio]:
        """The sound of every group. They sum to the recording."""
        return dict(zip(self.groups, grouped(self.parts, list(self.groups.values())), strict=True))

    def group_of(self, k: int) -> str:
        """The name of the group of component ``k``."""
        return next(name for name, members in self.groups.items() if k in members)


def group(
    parts: Decomposition,
    by: Cue | Sequence[Cue] | Mapping[str, Sequence[int]] = "timbre",
    n_groups: int | None = None,
) -> Grouping:
    """Put components together.

    Parameters
    ----------
    parts : Decomposition
    by : {"timbre", "pitch", "onset", "place"}, several of them, or mapping of name to numbers
        What belongs together, or which: ``{"kick": [0, 4], "snare": [1]}``. Those that are not named are 'rest'.
        ``("timbre", "onset")`` suits drums: what sounds alike and begins together.
    n_groups : int, optional
        How many groups, at most as many as there are components. Default: as many as stand apart; by pitch, one for
        each pitch, and one for what is no tone.

    Returns
    -------
    Grouping
        Groups '0', '1', … in the order of their first components, or those named.

    Raises
    ------
    InvalidInput
        A component that there is not, or that is named twice; a recording of one channel and ``by="place"``; one
        without tones and ``by="pitch"``; ``n_groups`` out of range, or given where groups are named.

    Examples
    --------
    >>> from unweave.decomposition import decompose
    >>> from unweave.synthesis import drum_loop
    >>> parts = decompose(drum_loop(n_bars=1)["mix"], 4)
    >>> group(parts, {"low": [0], "high": [3, 2]})
    Grouping(by hand: low: 0; high: 3, 2; rest: 1)
    """
    count = parts.n_components
    if isinstance(by, Mapping):
        if n_groups is not None:
            raise InvalidInput(f"n_groups={n_groups!r}, but the groups are named: leave it out.")
        return Grouping(parts, MappingProxyType(_by_hand(by, count)), "hand", np.zeros((count, count)))
    cues: tuple[Any, ...] = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, Sequence) else ()
    if not cues or any(cue not in CUES for cue in cues):
        raise InvalidInput(f"by={by!r} is not among {', '.join(CUES)}, nor a mapping of names to components.")
    if n_groups is not None:
        require_count("n_groups", n_groups, 1, count)
    distances = _DISTANCES[cues[0]](parts) if len(cues) == 1 else _together(parts, cues)
    labels = _merged(distances, n_groups, _SAME_PITCH if cues == ("pitch",) else None)
    found = {str(g): tuple(int(k) for k in np.flatnonzero(labels == g)) for g in range(labels.max() + 1)}
    return Grouping(parts, MappingProxyType(found), " and ".join(cues), distances)


def _together(parts: Decomposition, cues: Sequence[Cue]) -> Floats:
    """Distances by several cues, each from 0 to 1, added."""
    total = np.zeros((parts.n_components, parts.n_components))
    for cue in cues:
        distances = _DISTANCES[cue](parts)
        if cue == "pitch":
            distances = np.minimum(distances, _FAR)
        total += distances / (distances.max(initial=0) or 1.0)
    return total


def _by_hand(groups: Mapping[str, Sequence[int]], count: int) -> dict[str, tuple[int, ...]]:
    """The groups as they are named, and the rest."""
    seen: dict[int, str] = {}
    for name, members in groups.items():
        for k in members:
            if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 0 <= k < count:
                raise InvalidInput(f"group {name!r} names component {k!r}: there are {count}, numbered from 0.")
            if k in seen:
                raise InvalidInput(f"component {k} is in {seen[k]!r} and in {name!r}: it can be in one group only.")
            seen[int(k)] = str(name)
    left = tuple(k for k in range(count) if k not in seen)
    found = {str(name): tuple(int(k) for k in members) for name, members in groups.items()}
    if left:
        found[REST] = (*found.get(REST, ()), *left)
    return found


def _spectra(parts: Decomposition) -> Floats:
    """The spectrum of magnitudes of every component over all channels, ``(bins, components)``."""
    values = np.asarray(parts.spectra, np.float64)
    return np.asarray(np.sqrt((values if parts.is_power else values**2).sum(axis=0)))


def _timbre(parts: Decomposition) -> Floats:
    """Distances of the cepstra of the bases, without their level."""
    power = mel_filters(parts.frequencies) @ _spectra(parts) ** 2
    decibels = 10 * np.log10(power / np.maximum(power.max(axis=0), 1e-30) + 1e-6)
    cepstra = scipy.fft.dct(decibels, axis=0, norm="ortho")[1:_CEPSTRA]
    return _euclidean(cepstra.T)


def mel_filters(frequencies: Floats) -> Floats:
    """Triangles at equal steps of mel, ``(mels, bins)``."""
    top = 2595 * np.log10(1 + frequencies[-1] / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _MELS + 2) / 2595) - 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


def _pitch(parts: Decomposition) -> Floats:
    """Semitones from pitch to pitch."""
    rate = parts.audio.sample_rate
    found = [pitch_of(spectrum, parts.stft, rate) for spectrum in _spectra(parts).T]
    if parts.audio.peak > 0 and all(pitch is None for pitch in found):
        raise InvalidInput("by='pitch' needs tones: none of these components is one; 'timbre' or 'onset' may do.")
    pitches = np.array([-_UNPITCHED if pitch is None else pitch for pitch in found])
    return np.asarray(np.abs(pitches[:, None] - pitches))


def _onset(parts: Decomposition) -> Floats:
    """One minus the cosine of the rises of two activations, which are taken a frame wider to both sides."""
    levels = np.asarray(parts.activations, np.float64)
    rises = np.maximum(0, np.diff(levels, axis=1, prepend=0))
    wide = np.pad(rises, ((0, 0), (1, 1)))
    wide = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    sizes = np.linalg.norm(wide, axis=1)
    unit = wide / np.where(sizes > 0, sizes, 1)[:, None]
    return np.asarray(np.maximum(0, 1 - unit @ unit.T) * (1 - np.eye(len(unit))))


def _place(parts: Decomposition) -> Floats:
    """Distances of the shares of the channels."""
    if parts.audio.n_channels < 2:
        raise InvalidInput("by='place' needs a recording of two channels or more: this one has 1.")
    values = np.asarray(parts.spectra, np.float64)
    levels = np.sqrt((values if parts.is_power else values**2).sum(axis=1)).T  # (components, channels)
    sizes = np.linalg.norm(levels, axis=1, keepdims=True)
    return _euclidean(levels / np.where(sizes > 0, sizes, 1))


def _euclidean(points: Floats) -> Floats:
    return np.asarray(np.linalg.norm(points[:, None] - points[None], axis=2))


_DISTANCES = {"timbre": _timbre, "pitch": _pitch, "onset": _onset, "place": _place}


def _merged(distances: Floats, n_groups: int | None, same: float | None = None) -> NDArray[np.intp]:
    """The number of the group of each point, in the order of their first members.

    Where no number is wanted, what is nearer than ``same`` is merged, or else what does not stand apart.
    """
    groups = [[k] for k in range(len(distances))]
    between = distances.copy()
    steps: list[tuple[float, list[list[int]]]] = [(0.0, [list(each) for each in groups])]
    while len(groups) > 1:
        size = len(groups)
        masked = between[:size, :size] + np.where(np.tri(size, dtype=bool), np.inf, 0)
        a, b = divmod(int(masked.argmin()), size)
        height = float(masked[a, b])
        groups[a] = groups[a] + groups[b]
        del groups[b]
        between = np.array([[distances[np.ix_(one, other)].mean() for other in groups] for one in groups])
        steps.append((height, [list(each) for each in groups]))
    heights = [height for height, _ in steps]
    merged = len(heights) - _standing_apart(heights) if same is None else sum(height < same for height in heights[1:])
    wanted = n_groups or len(heights) - merged
    labels = np.zeros(len(distances), np.intp)
    for number, members in enumerate(sorted(steps[len(distances) - wanted][1], key=min)):
        labels[members] = number
    return labels


def _standing_apart(heights: Sequence[float]) -> int:
    """How many groups there are before the greatest leap from one merger to the next; one where none is great.

    ``heights[i]`` is the distance of the merger that left ``len(heights) - i`` groups.
    """
    if len(heights) < 3:
        return len(heights)
    leaps = np.diff(heights[1:])
    best = int(leaps.argmax())
    return len(heights) - 1 - best if leaps[best] > _LEAP * heights[-1] else 1
