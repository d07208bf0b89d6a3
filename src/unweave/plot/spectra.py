"""Spectrograms: of one sound, and of a recording, its approximation and its components side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unweave.arrays import Matrix
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT
from unweave.parts import Decomposition
from unweave.plot.colors import ink
from unweave.plot.figures import SCALES, Scale, named, new_axes, new_figure, set_frequencies
from unweave.plot.overview import PART_COLUMNS, PART_ROWS, Overview, approximation, overviews
from unweave.sound import Audio
from unweave.spectrogram import Spectrogram
from unweave.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

__all__ = ["components", "name_of", "require_parts", "spectrogram", "tap_images"]

RANGE_DB = 80.0
COLOR_MAP = "magma"

TAP_WIDTH = 0.9
"""Share of its place that the picture of a basis with taps takes."""


def spectrogram(
    value: Audio | Spectrogram | Decomposition | Overview,
    *,
    ax: Axes | None = None,
    stft: STFT | None = None,
    scale: Scale = "log",
    range_db: float = RANGE_DB,
    channel: int | None = None,
    title: str | None = None,
) -> Axes:
    """Draw a spectrogram: seconds, Hz, and dB below the loudest, with a colour bar.

    Parameters
    ----------
    value : Audio, Spectrogram, Decomposition, or Overview
        A `Decomposition` stands for its recording.
    ax : Axes, optional
        Where to draw. Default: a figure of its own.
    stft : STFT, optional
        Settings for an `Audio`; the others bring their own.
    scale : {"log", "mel", "linear"}
        The frequency axis.
    range_db : float, above 0
        What is quieter than the loudest by more than this is as dark as silence.
    channel : int, optional
        Only this channel. Default: all, averaged as powers.
    title : str, optional

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = spectrogram(Audio(np.sin(np.arange(8000)), 8000))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time (s)', 'frequency (Hz)')
    """
    if not 0 < range_db < np.inf:
        raise InvalidInput(f"range_db={range_db!r}, but it must be a number of dB above zero, such as 80.")
    if scale not in SCALES:
        raise InvalidInput(f"scale={scale!r} is not one of {', '.join(SCALES)}.")
    if isinstance(value, Overview):
        overview = value
    else:
        overview = Overview.of(value, stft, channel=channel)
    ax = new_axes(ax, 4.2)
    mesh = _mesh(ax, overview, overview.loudest, scale, range_db)
    ax.set_xlabel("time (s)")
    return named(ax, mesh, "level (dB relative to the loudest)", title)


def _mesh(ax: Axes, overview: Overview, loudest: float, scale: Scale, range_db: float) -> QuadMesh:
    """The cells of an overview on axes of seconds and Hz."""
    frequencies = overview.frequencies
    low, high = float(frequencies[0]), float(frequencies[-1])
    if scale != "log":  # these begin at 0 Hz: the lowest row reaches down to it
        frequencies = frequencies.copy()
        frequencies[0] = low = 0.0
    mesh = ax.pcolormesh(
        overview.times,
        frequencies,
        decibels(overview.power, loudest, range_db),
        cmap=COLOR_MAP,
        vmin=-range_db,
        vmax=0,
        rasterized=True,
    )
    set_frequencies(ax, "y", scale, low, high)
    first, last = float(overview.times[0]), float(overview.times[-1])
    # The first and the last frame reach beyond the sound; a sound without samples still has one frame.
    ax.set_xlim((0, overview.duration) if overview.duration > 0 else (first, last))
    return mesh


def decibels(power: Matrix, loudest: float, range_db: float) -> NDArray[np.float64]:
    """Powers in dB below the loudest, cut off at the range."""
    relative = np.asarray(power, np.float64) / (loudest or 1.0)
    result: NDArray[np.float64] = 10 * np.log10(np.maximum(relative, 10 ** (-range_db / 10)))
    return result


def components(
    decomposition: Decomposition,
    *,
    axes: Sequence[Axes] | None = None,
    parts: Sequence[Overview] | None = None,
    recording: Overview | None = None,
    scale: Scale = "log",
    range_db: float = RANGE_DB,
) -> tuple[Axes, ...]:
    """Draw the spectrograms of the recording, of the approximation and of every component side by side.

    All share their axes and one scale of colours, in dB below the loudest of the recording.

    Parameters
    ----------
    decomposition : Decomposition
    axes : sequence of Axes, optional
        Where to draw: two more than there are components.
    parts : sequence of Overview, optional
        Of every component, from whoever has them; else the components are made once more.
    recording : Overview, optional
        Of the recording.
    scale, range_db
        As in `spectrogram`.

    Returns
    -------
    tuple of Axes
        The recording's, the approximation's, and one for each component.
    """
    parts = overviews(decomposition) if parts is None else require_parts(parts, decomposition)
    recording = Overview.of(decomposition) if recording is None else recording
    recording = recording.reduced(PART_COLUMNS, PART_ROWS)
    shown = [recording, approximation(decomposition), *parts]
    titles = ["recording", "approximation", *(name_of(decomposition, k) for k in range(len(parts)))]
    own = axes is None
    axes = _grid(len(shown)) if axes is None else axes
    if len(axes) != len(shown):
        raise Incompatible(f"{len(axes)} axes, but {len(shown)} are needed: recording, approximation, components.")
    mesh = None
    for number, (ax, overview, title) in enumerate(zip(axes, shown, titles, strict=True)):
        mesh = _mesh(ax, overview, recording.loudest, scale, range_db)
        shade = "black" if number < 2 else ink(number - 2)
        ax.set_title(title, loc="left", fontsize="medium", color=shade, parse_math=False)
        ax.set_xlabel("time (s)")
        ax.label_outer()
    if own:
        _label_lowest(axes)
    figure = axes[0].get_figure(root=True)
    if figure is not None and mesh is not None:
        aspect = figure.get_figheight() / 0.22  # a bar of the same width, however high
        figure.colorbar(mesh, ax=list(axes), label="level (dB relative to the loudest)", pad=0.01, aspect=aspect)
    return tuple(axes)


def _columns(count: int) -> int:
    return 3 if count in (3, 5, 6, 9) else min(4, count)


def _label_lowest(axes: Sequence[Axes]) -> None:
    """Seconds below the last of every column, also where the last row is not full."""
    for ax in axes[-_columns(len(axes)) :]:
        ax.set_xlabel("time (s)")
        ax.tick_params(axis="x", labelbottom=True)


def _grid(count: int) -> list[Axes]:
    """Axes in rows of up to four."""
    columns = _columns(count)
    rows = -(-count // columns)
    figure = new_figure(0.5 + max(1.75, 3.2 / rows) * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    axes: list[Axes] = list(grid.ravel())
    for ax in axes[count:]:
        ax.remove()
    return axes[:count]


def tap_images(
    ax: Axes,
    power: Matrix,
    hertz: NDArray[np.float64] | None,
    names: Sequence[str],
    *,
    range_db: float = RANGE_DB,
    seconds: float | None = None,
) -> Axes:
    """Draw bases of several taps as small spectrograms side by side, each in dB below its own loudest.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    power : ``(bins, components, taps)``
    hertz : ``(bins,)`` or None
        Hz of every bin; None counts bins.
    names : sequence of str
        One for each component.
    range_db : float
        What is quieter than the loudest by more than this is as dark as silence.
    seconds : float, optional
        From one tap to the next.
    """
    bins, count, taps = power.shape
    drawn = slice(0 if hertz is None or bins < 2 else 1, None)  # a logarithmic axis has no place for 0 Hz
    positions = (np.arange(bins, dtype=np.float64) if hertz is None else hertz)[drawn]
    middles = (positions[1:] + positions[:-1]) / 2
    edges = np.concatenate([positions[:1], middles, positions[-1:] + (positions.size == 1)])
    mesh = None
    for k in range(count):
        left = k + (1 - TAP_WIDTH) / 2
        across = np.linspace(left, left + TAP_WIDTH, taps + 1)
        shown = power[drawn, k]
        level = decibels(shown, float(shown.max(initial=0)), range_db)
        mesh = ax.pcolormesh(across, edges, level, cmap=COLOR_MAP, vmin=-range_db, vmax=0, rasterized=True)
    if hertz is None:
        ax.set_ylabel("bin")
        ax.set_ylim(float(edges[0]), float(edges[-1]))
    else:
        low = max(float(positions[0]), 20.0 if positions[-1] > 2000 else 0.0)
        set_frequencies(ax, "y", "log", low, float(hertz[-1]))
    crowded = count > 12
    ax.set_xlim(0, count)
    ax.set_xticks(np.arange(count) + 0.5, names, parse_math=False, rotation=90 if crowded else 0)
    for k, text in enumerate(ax.get_xticklabels()):
        text.set_color(ink(k))
    width = "" if seconds is None else f", {1000 * taps * seconds:.0f} ms"
    ax.set_xlabel(f"time (each {counted(taps, 'frame')}{width})")
    figure = ax.get_figure(root=True)
    if figure is not None and mesh is not None:
        figure.colorbar(mesh, ax=ax, label="level (dB relative to its loudest)", pad=0.01)
    return ax


def name_of(decomposition: Decomposition, k: int) -> str:
    """A label for people: a number alone would say little."""
    label = decomposition.labels[k]
    return f"component {label}" if label.isdigit() else label


def require_parts(parts: Sequence[Overview], decomposition: Decomposition) -> Sequence[Overview]:
    """Refuse more or fewer overviews than there are components."""
    if len(parts) != decomposition.n_components:
        raise Incompatible(
            f"{len(parts)} overviews for {decomposition.n_components} components: one for each is needed."
        )
    return parts
