"""A value as a notebook shows it: facts, a small picture, and players for what can be heard.

Everything is in the text itself (pictures as PNG, sounds as 16-bit wav, both in base64), so that a notebook that is
saved or mailed still shows it. Sounds are the first seconds only, as many as fit into `PLAYED_BYTES` altogether; what
is heard is at the level of the recording, all parts alike. The same value gives the same text.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unweave.arrays import Matrix
from unweave.convolutive import ConvolutiveFactorization
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput
from unweave.factorization import Factorization
from unweave.notes import Notes
from unweave.notes.sonification import render
from unweave.parts import Decomposition
from unweave.plot.colors import color
from unweave.plot.curves import bases, pooled
from unweave.plot.figures import new_figure
from unweave.plot.noteevents import marks, piano_roll, rows_of
from unweave.plot.spectra import name_of, spectrogram
from unweave.seeds import Seeds
from unweave.sound import Audio
from unweave.spectrogram import Spectrogram
from unweave.stems import Stem, Stems
from unweave.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLAYED_BYTES", "html"]

PLAYED_BYTES = 3_000_000
"""Of sound in one card, before base64 makes a third more of it."""

_PLAYED_SECONDS = 30.0
_DRAWN = 12
"""Most components that are drawn and played; a card is a glance."""

_WIDTH, _DPI = 7.0, 80
_NOTES_RATE = 22050
"""Hz in which notes are made audible."""

_STRIP = (4.0, 0.4)
"""Inches of an activation beside its player."""


class Heard(NamedTuple):
    """A sound to listen to: its name, the colour of that, and a picture, each of which there may be none of."""

    audio: Audio
    name: str = ""
    shade: str = ""
    picture: str = ""


def html(value: object) -> str:
    """A value as a notebook shows it.

    Parameters
    ----------
    value : Audio, Spectrogram, Factorization, ConvolutiveFactorization, Decomposition, Dictionary, Seeds, Stem, Stems,
        or Notes

    Returns
    -------
    str
        HTML that needs nothing from outside.

    Raises
    ------
    InvalidInput
        Something else.

    Examples
    --------
    >>> from unweave.synthesis import drum_loop
    >>> card = html(drum_loop(n_bars=1)["mix"])
    >>> "<audio" in card and "<img" in card
    True
    """
    for kind, rows_for in _ROWS.items():
        if isinstance(value, kind):
            return _card(value, rows_for(value), _sentence(value))
    raise InvalidInput(f"{type(value).__name__} has no card: pass a sound, a spectrogram, parts, stems or notes.")


def _sentence(value: object) -> str:
    """Why a factorisation stopped."""
    found = value.factorization if isinstance(value, Decomposition) else value
    return str(found.stop) if isinstance(found, Factorization | ConvolutiveFactorization) else ""


def _card(value: object, rows: Sequence[str], sentence: str = "") -> str:
    """Facts above, then pictures and players."""
    facts = f"<p><strong>{escape(type(value).__name__)}</strong> {_facts(value)}</p>"
    said = f"<p><small>{escape(sentence)}</small></p>" if sentence else ""
    return f'<div class="unweave">{facts}{"".join(rows)}{said}</div>'


def _facts(value: object) -> str:
    """What the value says of itself, without its name and brackets."""
    if isinstance(value, Notes):  # of which the repr is that of a tuple
        named = rows_of([note for note in value if note.label is not None])
        names = ", ".join(f"{name} {len(found)}" for name, found in reversed(named))
        return escape(f"{counted(len(value), 'note')}{': ' if names else ''}{names}")
    return escape(repr(value).partition("(")[2].removesuffix(")"))


def _left_out(count: int, what: str = "components") -> str:
    return f"<p><small>The first {_DRAWN} of {count} {what} are shown.</small></p>" if count > _DRAWN else ""


def _beginning(played: float, duration: float) -> str:
    """How much is played, where that is not all."""
    said = f"The first {played:.1f} s of {duration:.1f} s are played."
    return f"<p><small>{said}</small></p>" if played < duration else ""


# ---------------------------------------------------------------- pictures


def _drawn(value: Audio | Spectrogram) -> Figure:
    figure = new_figure(2.9, width=_WIDTH, dpi=_DPI)
    spectrogram(value, ax=figure.add_subplot())
    return figure


def _of_sound(value: Audio) -> list[str]:
    """A spectrogram, and a player."""
    return [_picture(_drawn(value)) if value.n_samples else "", *_players([Heard(_excerpt(value, 1))], value)]


def _of_bases(value: Dictionary) -> list[str]:
    few = value if value.n_components <= _DRAWN else value.select(range(_DRAWN))
    return [_picture(_ridges(few)), _left_out(value.n_components)]


def _of_factors(value: Factorization | ConvolutiveFactorization) -> list[str]:
    few = value.select(range(min(value.n_components, _DRAWN)))
    return [_picture(_ridges(few)), _left_out(value.n_components)]


def _ridges(value: Dictionary | Factorization | ConvolutiveFactorization) -> Figure:
    figure = new_figure(1.0 + 0.36 * max(value.n_components, 3), width=_WIDTH, dpi=_DPI)
    bases(value, ax=figure.add_subplot())
    return figure


def _picture(figure: Figure) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=figure.dpi, metadata={"Software": None})
    return f'<img style="max-width: 100%" alt="" src="data:image/png;base64,{_encoded(data.getvalue())}">'


def _activation(value: Decomposition, k: int) -> Figure:
    """One activation over the whole length."""
    return _strip(*pooled(value.times, value.activations[k]), value.audio.duration, color(k))


def _level(sound: Audio, loudest: float, shade: str) -> Figure:
    """The peaks of a sound over its whole length, as high as the loudest of its kind."""
    peaks = np.abs(sound.samples).max(axis=0)
    times = np.arange(sound.n_samples) / sound.sample_rate
    if peaks.size:
        times, peaks = pooled(times, peaks)
    return _strip(times, peaks, sound.duration, shade, loudest)


def _strip(times: Matrix, values: Matrix, duration: float, shade: str, top: float | None = None) -> Figure:
    """Values over time, without axes, from edge to edge."""
    figure = new_figure(_STRIP[1], width=_STRIP[0], dpi=_DPI)
    figure.set_layout_engine("none")
    figure.set_facecolor("none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.fill_between(times, 0, values, color=shade, step="post", linewidth=0.6)
    ax.set_xlim(0, duration or 1.0)
    ax.set_ylim(0, 1.08 * ((float(values.max(initial=0)) if top is None else top) or 1.0))
    ax.set_axis_off()
    return figure


def _of_notes(value: Notes) -> list[str]:
    """Tones as a piano roll, strokes as marks, and all of them to listen to."""
    end = max((note.offset for note in value), default=0.0)
    tones = [note for note in value if note.pitch is not None]
    rows = rows_of([note for note in value if note.pitch is None])
    drawn = []
    if tones:
        figure = new_figure(2.9, width=_WIDTH, dpi=_DPI)
        piano_roll(tones, ax=figure.add_subplot(), duration=end)
        drawn.append(_picture(figure))
    if rows or not tones:
        figure = new_figure(0.75 + 0.22 * max(len(rows), 2), width=_WIDTH, dpi=_DPI)
        ax = figure.add_subplot()
        marks(ax, rows)
        ax.set_xlim(0, end or 1.0)
        drawn.append(_picture(figure))
    if not value:
        return drawn
    sound = render([note for note in value if note.onset < _PLAYED_SECONDS], _NOTES_RATE, min(end, _PLAYED_SECONDS))
    return [*drawn, *_players([Heard(sound)], sound), _beginning(_PLAYED_SECONDS, end)]


# ---------------------------------------------------------------- sounds


def _of_stem(value: Stem) -> list[str]:
    return _of_sound(value.audio)


def _of_stems(value: Stems) -> list[str]:
    """Every stem to listen to, and where it is heard."""
    few = list(value.values())[:_DRAWN]
    if not few:
        return []
    loudest = max(stem.audio.peak for stem in few)
    sounds = [
        Heard(_excerpt(stem.audio, len(few)), stem.name, color(k), _picture(_level(stem.audio, loudest, color(k))))
        for k, stem in enumerate(few)
    ]
    return [*_players(sounds, few[0].audio), _left_out(len(value), "stems")]


def _of_decomposition(value: Decomposition) -> list[str]:
    """The recording and its parts to listen to, each with its activation."""
    shown = range(min(value.n_components, _DRAWN))
    excerpt = _excerpt(value.audio, 1 + len(shown))
    sounds = [Heard(excerpt, "Recording", "#808590")]
    for k, part in zip(shown, _beginnings(value, shown, excerpt.n_samples), strict=True):
        sounds.append(Heard(part, name_of(value, k), color(k), _picture(_activation(value, k))))
    return [*_players(sounds, value.audio), _left_out(value.n_components)]


def _beginnings(value: Decomposition, shown: Sequence[int], n_samples: int) -> Iterator[Audio]:
    """The first samples of some components; the rest of them is never made."""
    out = np.zeros((len(shown), value.audio.n_channels, n_samples), np.float32)
    at = 0
    for piece in value.blocks(list(shown)):
        taken = piece[..., : n_samples - at]
        out[..., at : at + taken.shape[-1]] = taken
        at += taken.shape[-1]
        if at >= n_samples:
            break
    return (Audio(samples, value.audio.sample_rate) for samples in out)


def _excerpt(audio: Audio, count: int) -> Audio:
    """The beginning of a sound, so long that ``count`` of them may be played."""
    fits = PLAYED_BYTES // (2 * audio.n_channels * count)
    n_samples = min(audio.n_samples, fits, int(_PLAYED_SECONDS * audio.sample_rate))
    return Audio(audio.samples[:, :n_samples], audio.sample_rate)


def _players(sounds: Sequence[Heard], recording: Audio) -> list[str]:
    """A row for each sound; and how much of it there is."""
    played = sounds[0].audio
    playable = played.n_samples > 0 and recording.n_channels <= 2
    loudest = max(sound.audio.peak for sound in sounds)
    gain = 1 / max(1.0, loudest)
    rows = [_row(sound, gain if playable else None) for sound in sounds]
    return [*rows, _beginning(played.duration, recording.duration)] if playable else rows


def _row(sound: Heard, gain: float | None) -> str:
    """A player, a name in its colour, a picture: as much of them as there is."""
    player = ""
    if gain is not None:
        data = f"data:audio/wav;base64,{_encoded(_wav(sound.audio.samples * np.float32(gain), sound.audio))}"
        player = f'<audio controls preload="metadata" style="height: 2em" src="{data}"></audio>'
    mark = f'<span style="color: {sound.shade}">■</span> {escape(sound.name)}' if sound.name else ""
    label = f'<span style="min-width: 9em">{mark}</span>' if sound.name else ""
    return f'<div style="display: flex; align-items: center; gap: 1em">{label}{player}{sound.picture}</div>'


def _wav(samples: Matrix, audio: Audio) -> bytes:
    """A 16-bit wav in memory, which every browser plays."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(audio.n_channels)
        file.setsampwidth(2)
        file.setframerate(round(audio.sample_rate))
        file.writeframes(np.round(np.clip(samples.T, -1, 1) * 32767).astype("<i2").tobytes())
    return data.getvalue()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


_ROWS: dict[type, Callable[[Any], Sequence[str]]] = {
    Audio: _of_sound,
    Spectrogram: lambda value: [_picture(_drawn(value))],
    Decomposition: _of_decomposition,
    Dictionary: _of_bases,
    Factorization: _of_factors,
    ConvolutiveFactorization: _of_factors,
    Seeds: lambda value: _of_bases(value.dictionary),
    Stem: _of_stem,
    Stems: _of_stems,
    Notes: _of_notes,
}
"""What is drawn and played of each kind of value."""
