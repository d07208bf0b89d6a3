"""What FluCoMa's objects share: which part of a buffer is taken, and the transform.

    startframe, numframes, startchan, numchans      0, -1, 0, -1: everything; -1 stands for 'to the end'
    fftsettings                                     window, hop and FFT size: 1024, -1, -1

-1 for the hop is half a window; for the FFT it is the next power of two, and an FFT that is shorter than the window or
no power of two is raised to the next that is neither. A fourth number, the largest FFT to make room for, is taken and
means nothing here.

Differences from FluCoMa: what cannot be is refused in a sentence, where its programs silently take the nearest number
that can be: a range beyond the end, a window of less than 4 samples, a hop that loses samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.flucoma.buffers import Buffer, Source, as_buffer
from unweave.framing import STFT

__all__ = ["FFT_SETTINGS", "Range", "at_least", "choice", "odd", "rate_of_sound", "spoken", "transform_of", "whole"]

FFT_SETTINGS = (1024, -1, -1)

_LOUDEST = 1e8
"""160 dB above full scale: sums of louder samples leave the numbers of 32 bits."""

_RATES = (44100, 48000, 96000, 88200, 32000, 22050, 16000, 11025, 8000, 12000, 24000, 64000, 176400, 192000)
"""Rates that sounds have, the likely ones first."""


@contextmanager
def spoken(**names: str) -> Iterator[None]:
    """Let errors inside of the ``with`` block name parameters as FluCoMa does; the library's names are the keys."""
    try:
        yield
    except (InvalidInput, Incompatible) as error:
        known = re.compile(rf"(?<![\w/.])({'|'.join(names)})(?![\w./])")
        raise type(error)(known.sub(lambda found: names[found[1]], str(error))) from None


def whole(name: str, value: object) -> int:
    """A whole number, or a sentence."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidInput(f"{name}={value!r} is not a whole number.")
    return int(value)


def at_least(name: str, value: object, least: int) -> int:
    """A whole number that is large enough, or a sentence."""
    number = whole(name, value)
    if number < least:
        raise InvalidInput(f"{name}={number} is not at least {least}.")
    return number


def odd(name: str, value: object, least: int = 1) -> int:
    """A size that has a middle: even ones become the next odd number, as in FluCoMa."""
    return at_least(name, value, least) | 1


def choice(name: str, value: object, words: Sequence[str]) -> int:
    """A number that stands for one of some words, or a sentence that says what each means."""
    number = whole(name, value)
    if not 0 <= number < len(words):
        meant = ", ".join(f"{k} ({word})" for k, word in enumerate(words))
        raise InvalidInput(f"{name}={number} is not one of {meant}.")
    return number


def transform_of(fftsettings: Sequence[int]) -> STFT:
    """The transform that FluCoMa's ``fftSettings`` stand for.

    Examples
    --------
    >>> settings = transform_of((1000, -1, -1))
    >>> settings.win_length, settings.hop_length, settings.n_bins
    (1000, 500, 513)
    """
    if isinstance(fftsettings, str) or not isinstance(fftsettings, Sequence) or not 1 <= len(fftsettings) <= 4:
        raise InvalidInput(
            f"fftsettings={fftsettings!r}, but window, hop and FFT size are needed, as in (1024, -1, -1)."
        )
    window, hop, fft = [whole("fftsettings", number) for number in (*fftsettings, -1, -1)[:3]]
    if window < 4:
        raise InvalidInput(f"fftsettings={tuple(fftsettings)!r}: the window has at least 4 samples.")
    with spoken(hop_length="hop", win_length="window", n_fft="fft"):
        return STFT.flucoma(window, hop, fft)


@dataclass(frozen=True, slots=True)
class Range:
    """Which part of a buffer is taken."""

    startframe: int = 0
    numframes: int = -1
    startchan: int = 0
    numchans: int = -1

    def of(self, source: Source, name: str = "source") -> Audio:
        """The part of a buffer, as a sound."""
        buffer = as_buffer(name, source)
        if buffer.n_frames == 0:
            raise InvalidInput(f"{name} is empty: it has no frames.")
        frames = _span("frame", buffer.n_frames, self.startframe, self.numframes)
        channels = _span("chan", buffer.n_channels, self.startchan, self.numchans)
        audio = Buffer(buffer.frames[frames, channels], buffer.sample_rate).audio
        if audio.peak > _LOUDEST:
            raise InvalidInput(f"{name} peaks at {audio.peak:.4g}, but full scale is 1: bring it near to that.")
        return audio


def _span(what: str, there: int, start: object, count: object) -> slice:
    first, number = whole(f"start{what}", start), whole(f"num{what}s", count)
    unit = "frames" if what == "frame" else "channels"
    if not 0 <= first < there:
        raise InvalidInput(f"start{what}={first} is not from 0 to {there - 1}: the source has no other {unit}.")
    if number == -1:
        return slice(first, there)
    if not 1 <= number <= there - first:
        raise InvalidInput(
            f"num{what}s={number} is not from 1 to {there - first}, which is what there is from start{what}={first} "
            f"on: -1 takes all {unit} that are left."
        )
    return slice(first, first + number)


def rate_of_sound(frame_rate: float, hop: int) -> float:
    """The rate of a sound whose frames come at a rate that may have lost what is behind the decimal point."""
    if frame_rate != int(frame_rate):
        exact = frame_rate * hop
        return round(exact) if abs(exact - round(exact)) < 1e-6 * exact else exact
    return next((rate for rate in _RATES if int(rate / hop) == frame_rate), frame_rate * hop)
