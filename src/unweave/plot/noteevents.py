"""Notes as pictures: marks under the spectrogram of their recording, and a piano roll."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unweave.errors import Incompatible
from unweave.notes import Note, in_order
from unweave.notes.names import note_name
from unweave.parts import Decomposition
from unweave.plot.colors import color
from unweave.plot.figures import Scale, named, new_figure
from unweave.plot.overview import Overview
from unweave.plot.spectra import spectrogram
from unweave.sound import Audio
from unweave.spectrogram import Spectrogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["marks", "onsets", "piano_roll", "rows_of"]

_USUAL = ("kick", "snare", "tom", "hihat")
"""Rows from below: the order in which drums are written."""

VELOCITIES = "viridis_r"
"""Colours of velocities: pale is soft, dark is hard."""

_MOST_ROWS = 40


def onsets(
    value: Audio | Spectrogram | Decomposition | Overview,
    notes: Sequence[Note],
    *,
    axes: Sequence[Axes] | None = None,
    scale: Scale = "mel",
    title: str | None = None,
) -> tuple[Axes, ...]:
    """Draw the spectrogram of a recording, and below it a row of marks for every sound that was found in it.

    A mark begins at its onset; the harder the stroke, the higher it is.

    Parameters
    ----------
    value : Audio, Spectrogram, Decomposition or Overview
        The recording.
    notes : sequence of Note
        Notes with a label have a row for each label; those with a pitch alone share one. More than 40 rows are not
        drawn: the commonest are.
    axes : sequence of two Axes, optional
        Where to draw: the spectrogram, the rows. Default: a figure of its own.
    scale, title
        As in `unweave.plot.spectrogram`.

    Returns
    -------
    tuple of two Axes

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> upper, lower = onsets(drum_loop(1)["mix"], [Note(onset=0, offset=0.1, label="kick")])
    >>> [label.get_text() for label in lower.get_yticklabels()]
    ['kick']
    """
    rows = rows_of(notes)
    if axes is None:
        height = 0.22 * max(len(rows), 2) + 0.15
        figure = new_figure(3.6 + height)
        axes = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, height])
    if len(axes) != 2:
        raise Incompatible(f"{len(axes)} axes, but 2 are needed: the spectrogram, and the rows of marks.")
    upper, lower = axes
    spectrogram(value, ax=upper, scale=scale, title=title)
    upper.set_xlabel("")
    upper.tick_params(labelbottom=False)
    marks(lower, rows)
    lower.set_xlim(upper.get_xlim())
    return upper, lower


def marks(ax: Axes, rows: Sequence[tuple[str, Sequence[Note]]]) -> None:
    """Draw a row of marks for every name; the harder the stroke, the higher its mark."""
    for row, (_, found) in enumerate(rows):
        bottoms = np.full(len(found), row - 0.4)
        tops = bottoms + 0.2 + 0.6 * np.array([note.velocity for note in found])
        ax.vlines([note.onset for note in found], bottoms, tops, color=color(row), linewidth=1.8)
    _finish_rows(ax, [name for name, _ in rows])


def rows_of(notes: Sequence[Note]) -> list[tuple[str, list[Note]]]:
    """Names and notes of the rows, from below; the commonest where there are many."""
    found: dict[str, list[Note]] = {}
    for note in in_order(notes):
        found.setdefault("notes" if note.label is None else note.label, []).append(note)
    commonest = sorted(found, key=lambda name: (-len(found[name]), name))[:_MOST_ROWS]
    place = {name: at for at, name in enumerate(_USUAL)}
    return [(name, found[name]) for name in sorted(commonest, key=lambda name: (place.get(name, len(place)), name))]


def _finish_rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_ylim(-0.6, max(len(names), 1) - 0.4)
    # A label is no formula: a dollar is a dollar.
    ax.set_yticks(range(len(names)), [name.replace("$", r"\$") for name in names], fontsize="small")
    ax.set_xlabel("time (s)")
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def piano_roll(
    notes: Sequence[Note], *, ax: Axes | None = None, duration: float | None = None, title: str | None = None
) -> Axes:
    """Draw notes as bars: time to the right, pitch upwards, velocity as colour.

    Parameters
    ----------
    notes : sequence of Note
        Those without a pitch are left out.
    ax : Axes, optional
        Where to draw. Default: a figure of its own.
    duration : float, optional
        Seconds to show. Default: to the last offset.
    title : str, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = piano_roll([Note(onset=0, offset=1, pitch=60, velocity=0.5)])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time (s)', 'pitch')
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    if ax is None:
        ax = new_figure(4.2).add_subplot()
    tones = [note for note in in_order(notes) if note.pitch is not None]
    last = max((note.offset for note in tones), default=0.0)
    end = (last if duration is None else duration) or 1.0
    # A short note is still seen: as wide as two pixels.
    bars = [Rectangle((note.onset, (note.pitch or 0.0) - 0.42), max(note.duration, end / 500), 0.84) for note in tones]
    low, high = _span([note.pitch or 0.0 for note in tones])
    _keyboard(ax, low, high)
    drawn = PatchCollection(bars, cmap=VELOCITIES, edgecolor="white", linewidth=0.4, zorder=2)
    drawn.set_array(np.array([note.velocity for note in tones]))
    drawn.set_clim(0, 1)
    ax.add_collection(drawn, autolim=False)
    ax.set_xlim(0, end)
    ax.set_ylim(low - 0.5, high + 0.5)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("pitch")
    return named(ax, drawn, "velocity", title)


def _span(pitches: Sequence[float]) -> tuple[int, int]:
    """Lowest and highest key that are shown: an octave at least."""
    low, high = (math.floor(min(pitches)) - 1, math.ceil(max(pitches)) + 1) if pitches else (54, 66)
    missing = max(0, 12 - (high - low))
    return low - missing // 2, high + missing - missing // 2


def _keyboard(ax: Axes, low: int, high: int) -> None:
    """Rows of black keys are shaded, octaves named; within two octaves also the keys between."""
    for key in range(low, high + 1):
        if key % 12 in (1, 3, 6, 8, 10):
            ax.axhspan(key - 0.5, key + 0.5, color="0.95", linewidth=0, zorder=0)
    named = range(low, high + 1) if high - low <= 14 else [key for key in range(low, high + 1) if key % 12 == 0]
    if high - low > 14 and high - low <= 30:
        named = [key for key in range(low, high + 1) if key % 12 in (0, 4, 7)]
    ax.set_yticks(list(named), [note_name(key) for key in named], fontsize="small")
    for key in range(low, high + 1):
        if key % 12 == 0:
            ax.axhline(key - 0.5, color="0.8", linewidth=0.6, zorder=1)
