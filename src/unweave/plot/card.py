"""A value as a notebook shows it: facts, a small picture, and players for what can be heard.

Everything is in the text itself (pictures as PNG, sounds as 16-bit wav, both in base64), so that a notebook that is
saved or mailed still shows it. Sounds are the first seconds only, as many as fit into `PLAYED_BYTES` altogether; what
is heard is at the level of the recording, all parts alike. The same value gives the same text.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unweave.arrays import Matrix
from unweave.dictionary import Dictionary
from unweave.errors import InvalidInput
from unweave.factorization import Factorization
from unweave.parts import Decomposition
from unweave.plot.colors import color
from unweave.plot.curves import bases, pooled
from unweave.plot.figures import new_figure
from unweave.plot.spectra import name_of, spectrogram
from unweave.sound import Audio
from unweave.spectrogram import Spectrogram
from unweave.tapped import ConvolutiveFactorization

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PLAYED_BYTES", "html"]

PLAYED_BYTES = 3_000_000
"""Of sound in one card, before base64 makes a third more of it."""

_PLAYED_SECONDS = 30.0
_DRAWN = 12
"""Most components that are drawn and played; a card is a glance."""

_WIDTH, _DPI = 7.0, 80
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
    value : Audio, Spectrogram, Factorization, ConvolutiveFactorization, Decomposition, or Dictionary

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
    if isinstance(value, Audio):
        return _card(value, [_picture_of_sound(value), *_players([Heard(_excerpt(value, 1))], value)])
    if isinstance(value, Spectrogram):
        return _card(value, [_picture(_drawn(value))])
    if isinstance(value, Decomposition):
        return _card(value, _of_decomposition(value), str(value.factorization.stop))
    if isinstance(value, Dictionary):
        few = value if value.n_components <= _DRAWN else value.select(range(_DRAWN))
        return _card(value, [_picture(_ridges(few)), _left_out(value.n_components)])
    if isinstance(value, Factorization | ConvolutiveFactorization):
        shown = value.select(range(min(value.n_components, _DRAWN)))
        return _card(value, [_picture(_ridges(shown)), _left_out(value.n_components)], str(value.stop))
    raise InvalidInput(f"{type(value).__name__} has no card: pass a sound, a spectrogram, parts or a dictionary.")


def _card(value: object, rows: Sequence[str], sentence: str = "") -> str:
    """Facts above, then pictures and players."""
    facts = f"<p><strong>{escape(type(value).__name__)}</strong> {_facts(value)}</p>"
    said = f"<p><small>{escape(sentence)}</small></p>" if sentence else ""
    return f'<div class="unweave">{facts}{"".join(rows)}{said}</div>'


def _facts(value: object) -> str:
    """What the value says of itself, without its name and brackets."""
    return escape(repr(value).partition("(")[2].removesuffix(")"))


def _left_out(count: int) -> str:
    return f"<p><small>The first {_DRAWN} of {count} components are shown.</small></p>" if count > _DRAWN else ""


# ---------------------------------------------------------------- pictures


def _drawn(value: Audio | Spectrogram) -> Figure:
    figure = new_figure(2.9, width=_WIDTH, dpi=_DPI)
    spectrogram(value, ax=figure.add_subplot())
    return figure


def _picture_of_sound(value: Audio) -> str:
    return _picture(_drawn(value)) if value.n_samples else ""


def _ridges(value: Dictionary | Factorization | ConvolutiveFactorization) -> Figure:
    figure = new_figure(1.0 + 0.36 * max(value.n_components, 3), width=_WIDTH, dpi=_DPI)
    bases(value, ax=figure.add_subplot())
    return figure


def _picture(figure: Figure) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=figure.dpi, metadata={"Software": None})
    return f'<img style="max-width: 100%" alt="" src="data:image/png;base64,{_encoded(data.getvalue())}">'


def _activation(value: Decomposition, k: int) -> Figure:
    """One activation over the whole length, without axes, from edge to edge."""
    figure = new_figure(_STRIP[1], width=_STRIP[0], dpi=_DPI)
    figure.set_layout_engine("none")
    figure.set_facecolor("none")
    ax = figure.add_axes((0, 0, 1, 1))
    times, values = pooled(value.times, value.activations[k])
    ax.fill_between(times, 0, values, color=color(k), step="post", linewidth=0.6)
    ax.set_xlim(0, value.audio.duration or 1.0)
    ax.set_ylim(0, 1.08 * (float(values.max(initial=0)) or 1.0))
    ax.set_axis_off()
    return figure


# ---------------------------------------------------------------- sounds


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
    if playable and played.n_samples < recording.n_samples:
        length = f"The first {played.duration:.1f} s of {recording.duration:.1f} s are played."
        rows.append(f"<p><small>{length}</small></p>")
    return rows


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
