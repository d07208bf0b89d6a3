"""Bases, activations over waveforms, and the divergence by iteration."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unweave.arrays import Matrix
from unweave.dictionary import Dictionary
from unweave.divergence import EUCLIDEAN, ITAKURA_SAITO, KULLBACK_LEIBLER
from unweave.errors import Incompatible
from unweave.factorization import Model, require_component
from unweave.parts import Decomposition
from unweave.plot.colors import color, ink
from unweave.plot.figures import new_axes, new_figure, set_frequencies
from unweave.plot.overview import N_COLUMNS, Overview, overviews
from unweave.plot.spectra import decibels, name_of, require_parts, tap_images
from unweave.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["activation", "activations", "bases", "divergence", "pooled", "strip"]

RIDGE_DB = 60.0
_GREY = "0.35"


# ---------------------------------------------------------------- bases


def bases(
    value: Decomposition | Dictionary | Model,
    *,
    ax: Axes | None = None,
    frequencies: ArrayLike | None = None,
    range_db: float = RIDGE_DB,
) -> Axes:
    """Draw all bases as spectra, one above the other, in the colours of their components.

    Bases of several taps are drawn as small spectrograms side by side instead, each relative to its own loudest and
    averaged over the channels as powers.

    Each has a row of ``range_db`` dB whose top is its own loudest bin. Of two channels the left is a filled line and
    the right a dashed one, relative to the louder of the two; of more channels the mean power is drawn.

    Parameters
    ----------
    value : Decomposition, Dictionary, Factorization, or ConvolutiveFactorization
    ax : Axes, optional
        Where to draw. Default: a figure of its own, whose height grows with the components.
    frequencies : ``(bins,)``, optional
        Hz of every bin, for a `Factorization`, which does not know them. Without it the axis counts bins.
    range_db : float
        Height of a row.

    Returns
    -------
    Axes
    """
    matrix, hertz, names, exponent = _spectra(value, frequencies)
    power = np.asarray(matrix, np.float64) ** exponent
    if power.ndim == 4:
        seconds = _frame_seconds(value)
        return tap_images(new_axes(ax, 4.2), power.mean(axis=0), hertz, names, range_db=range_db, seconds=seconds)
    ax = new_axes(ax, 1.2 + 0.42 * max(len(names), 4))
    channels = power if power.shape[0] <= 2 else power.mean(axis=0, keepdims=True)
    drawn = slice(1, None)  # a logarithmic axis has no place for 0 Hz
    positions = (np.arange(power.shape[1], dtype=np.float64) if hertz is None else hertz)[drawn]
    for k in range(len(names)):
        floor = len(names) - 1 - k  # the first component on top, as in all lists
        _ridge(ax, positions, _heights(channels[:, drawn, k], range_db), floor, color(k))
    _label_ridges(ax, names, range_db, stereo=channels.shape[0] == 2)
    if hertz is not None:
        set_frequencies(ax, "x", "log", max(float(positions[0]), 20.0 if positions[-1] > 2000 else 0.0), hertz[-1])
    else:
        ax.set_xlim(float(positions[0]), float(positions[-1]))
        ax.set_xlabel("bin")
    return ax


def _spectra(
    value: Decomposition | Dictionary | Model, frequencies: ArrayLike | None
) -> tuple[Matrix, NDArray[np.float64] | None, list[str], int]:
    """Bases ``(channels, bins, components[, taps])``, Hz of the bins, names, and the exponent that makes powers."""
    if isinstance(value, Decomposition):
        names = [name_of(value, k) for k in range(value.n_components)]
        return value.bases, value.frequencies, names, 1 if value.is_power else 2
    if isinstance(value, Dictionary):
        hertz = value.stft.frequencies(value.sample_rate)
        return value.bases, hertz, [_named(label) for label in value.labels], 2
    names = [_named(str(k)) for k in range(value.n_components)]
    given = None if frequencies is None else np.asarray(frequencies, np.float64)
    if given is not None and (given.ndim != 1 or value.bases.shape[0] % max(given.size, 1)):
        raise Incompatible(
            f"frequencies.shape={given.shape}, but the bases have {value.bases.shape[0]} bins: one for each is needed."
        )
    bins = value.bases.shape[0] if given is None else given.size
    return value.bases.reshape(-1, bins, *value.bases.shape[1:]), given, names, 2 if value.beta else 1


def _frame_seconds(value: Decomposition | Dictionary | Model) -> float | None:
    """Seconds from one frame to the next, where they are known."""
    if isinstance(value, Decomposition):
        return value.stft.hop_length / value.audio.sample_rate
    return value.stft.hop_length / value.sample_rate if isinstance(value, Dictionary) else None


def _named(label: str) -> str:
    return f"component {label}" if label.isdigit() else label


def _heights(power: Matrix, range_db: float) -> NDArray[np.float64]:
    """Spectra ``(channels, bins)`` as heights of 0 to 0.92: the loudest keeps off the next row."""
    heights: NDArray[np.float64] = 0.92 + 0.92 * decibels(power, float(power.max(initial=0)), range_db) / range_db
    return heights


def _ridge(ax: Axes, positions: NDArray[np.float64], heights: NDArray[np.float64], floor: float, shade: str) -> None:
    """One basis: ``heights`` (channels, bins) above its floor."""
    heights = heights + floor
    ax.fill_between(positions, floor, heights[0], color=shade, alpha=0.25, linewidth=0)
    ax.plot(positions, heights[0], color=shade, linewidth=1.3)
    for other in heights[1:]:
        ax.plot(positions, other, color=shade, linewidth=1.0, linestyle=(0, (3, 1.5)))
    ax.axhline(floor, color="0.75", linewidth=0.6, zorder=0)


def _label_ridges(ax: Axes, names: Sequence[str], range_db: float, *, stereo: bool) -> None:
    ax.set_ylim(-0.02, len(names))
    ax.set_yticks(np.arange(len(names))[::-1] + 0.4, names, parse_math=False)
    ax.tick_params(axis="y", length=0)
    for k, text in enumerate(ax.get_yticklabels()):
        text.set_color(ink(k))
    ax.set_ylabel(f"magnitude (dB; a row is {range_db:g} dB)")
    ax.grid(axis="x", color="0.88", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if stereo:
        ax.set_title("left: filled line; right: dashed line", loc="right", fontsize="small", color=_GREY)


# ---------------------------------------------------------------- activations


def activation(decomposition: Decomposition, k: int, *, ax: Axes | None = None, part: Overview | None = None) -> Axes:
    """Draw one activation over the waveform of its component.

    Parameters
    ----------
    decomposition : Decomposition
    k : int
        Which component.
    ax : Axes, optional
        Where to draw. Default: a figure of its own.
    part : Overview, optional
        Of the component, from whoever has it; else the component is made once more.

    Returns
    -------
    Axes
        Seconds; the waveform's amplitude on the left, the activation on the right.
    """
    require_component(k, decomposition.n_components)
    part = Overview.of(decomposition.component(k), decomposition.stft) if part is None else part
    ax = new_axes(ax, 2.2)
    _draw_activation(ax, decomposition, k, part, wave_alpha=0.35)
    ax.set_title(name_of(decomposition, k), loc="left", fontsize="medium", color=ink(k), parse_math=False)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("amplitude\n(1 = full)", fontsize="small")
    ax.yaxis.set_label_coords(-0.065, 0.5)  # in line, whatever the numbers are
    _activation_axis(ax, decomposition, k)
    return ax


def activations(
    decomposition: Decomposition,
    *,
    axes: Sequence[Axes] | None = None,
    parts: Sequence[Overview] | None = None,
) -> tuple[Axes, ...]:
    """Draw every activation over the waveform of its component, one row each, over the same seconds.

    Every row is as high as its own loudest; the numbers beside it say how loud that is (amplitude: full scale is 1).

    Parameters
    ----------
    decomposition : Decomposition
    axes : sequence of Axes, optional
        Where to draw, one for each component.
    parts : sequence of Overview, optional
        Of every component, from whoever has them; else the components are made once more.

    Returns
    -------
    tuple of Axes
        One for each component.
    """
    parts = overviews(decomposition) if parts is None else require_parts(parts, decomposition)
    rows = _rows(len(parts)) if axes is None else list(axes)
    if len(rows) != len(parts):
        raise Incompatible(f"{len(rows)} axes for {len(parts)} components: one for each is needed.")
    for k, (ax, part) in enumerate(zip(rows, parts, strict=True)):
        activation(decomposition, k, ax=ax, part=part)
        if k < len(parts) - 1:
            ax.set_xlabel("")
            ax.tick_params(axis="x", labelbottom=False)
    return tuple(rows)


def _rows(count: int) -> list[Axes]:
    figure = new_figure(0.5 + 1.3 * count)
    grid = figure.subplots(count, 1, squeeze=False, sharex=True)
    return list(grid.ravel())


def strip(decomposition: Decomposition, k: int, *, ax: Axes | None = None, part: Overview | None = None) -> Axes:
    """Draw `activation` without axes, from edge to edge, on a transparent ground: a row of the page.

    The left edge is the beginning of the recording and the right edge its end, so that a page may lay its own ruler and
    its playing position over it. Parameters as in `activation`.
    """
    require_component(k, decomposition.n_components)
    part = Overview.of(decomposition.component(k), decomposition.stft) if part is None else part
    if ax is None:
        figure = new_figure(0.8, width=9.6, dpi=150)
        figure.set_layout_engine("none")
        figure.set_facecolor("none")
        ax = figure.add_axes((0, 0, 1, 1))
    _draw_activation(ax, decomposition, k, part, wave_alpha=0.45)
    ax.set_axis_off()
    return ax


def _draw_activation(ax: Axes, decomposition: Decomposition, k: int, part: Overview, *, wave_alpha: float) -> None:
    """The waveform, and over it the activation, whose greatest value is as high as the waveform's peak."""
    height = part.peak or 1.0
    edges = np.linspace(0, part.duration, part.low.size + 1)
    if part.low.size:
        # Steps, so that a single click is as wide as a column and not a spike without width.
        low, high = np.append(part.low, part.low[-1]), np.append(part.high, part.high[-1])
        ax.fill_between(edges, low, high, step="post", color=color(k), alpha=wave_alpha, linewidth=0.5)
    times, values = pooled(decomposition.times, decomposition.activations[k])
    if times.size == 1:  # a point would not be seen
        times, values = np.array([0.0, part.duration]), values.repeat(2)
    greatest = float(values.max(initial=0)) or 1.0
    ax.plot(times, values * (height / greatest), color=color(k), linewidth=1.2, solid_joinstyle="round")
    ax.set_ylim(-1.08 * height, 1.08 * height)
    ax.set_xlim(0, part.duration or 1.0)
    ax.set_yticks([-height, 0, height], [f"−{_short(height)}", "0", _short(height)])
    ax.spines[["top"]].set_visible(False)


def _activation_axis(ax: Axes, decomposition: Decomposition, k: int) -> None:
    """A second scale on the right, in units of the activation."""
    greatest = float(decomposition.activations[k].max(initial=0)) or 1.0
    height = ax.get_ylim()[1] / 1.08

    def to_activation(amplitude: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(amplitude, np.float64) * (greatest / height)

    def to_amplitude(activation: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(activation, np.float64) * (height / greatest)

    right = ax.secondary_yaxis("right", functions=(to_activation, to_amplitude))
    right.set_yticks([0, greatest], ["0", _short(greatest)])
    right.tick_params(colors=ink(k))
    unit = "power" if decomposition.is_power else "magnitude"
    right.set_ylabel(f"activation\n({unit})", fontsize="small", color=ink(k))
    right.yaxis.label.set_verticalalignment("top")
    right.yaxis.set_label_coords(1.05, 0.5, transform=ax.transAxes)


def _short(value: float) -> str:
    """Two digits that matter: 0.53, 12, 1.2e-05."""
    return f"{value:.2g}" if value < 100 or value >= 1e5 else f"{value:.0f}"


def pooled(times: NDArray[np.float64], values: Matrix) -> tuple[NDArray[np.float64], Matrix]:
    """At most `N_COLUMNS` values, the greatest of each stretch."""
    count = min(N_COLUMNS, values.size)
    starts = np.arange(count) * values.size // count
    return times[starts], np.maximum.reduceat(values, starts)


# ---------------------------------------------------------------- divergence

_BETA_NAMES = {
    EUCLIDEAN: "Euclidean",
    KULLBACK_LEIBLER: "Kullback-Leibler",
    ITAKURA_SAITO: "Itakura-Saito",
}


def divergence(value: Model | Decomposition, *, ax: Axes | None = None) -> Axes:
    """Draw the divergence by iteration, and say where it stopped and why.

    The axis of the divergence is logarithmic where it spans more than a factor of five.

    Parameters
    ----------
    value : Factorization or Decomposition
    ax : Axes, optional
        Where to draw. Default: a figure of its own.

    Returns
    -------
    Axes
    """
    from matplotlib.ticker import MaxNLocator

    found = value.factorization if isinstance(value, Decomposition) else value
    ax = new_axes(ax, 3.4)
    iterations, history = found.iterations, found.divergences
    if history.size:
        marker = "o" if history.size <= 40 else None
        ax.plot(iterations, history, color=color(0), marker=marker, markersize=3.5, linewidth=1.5)
        ax.plot(iterations[-1:], history[-1:], "o", color=color(0), markersize=7)
        if history.min() > 0 and history.max() > 5 * history.min():
            ax.set_yscale("log")
    else:
        ax.text(0.5, 0.5, "no iterations", ha="center", va="center", color=_GREY, transform=ax.transAxes)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("iteration (count)")
    ax.set_ylabel("divergence (no unit)")
    name = f"{_BETA_NAMES[found.beta]}, " if found.beta in _BETA_NAMES else ""
    last = f"{history[-1]:.4g} after {counted(found.n_iter, 'iteration')}. " if history.size else ""
    ax.set_title(
        textwrap.fill(f"{name}β = {found.beta:g}: {last}{found.stop}", 108), loc="left", fontsize="small", color=_GREY
    )
    ax.grid(color="0.9", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
