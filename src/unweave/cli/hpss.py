"""`unweave hpss`: what sounds in one file, what strikes in another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from unweave import hpss as library
from unweave.arrays import Samples
from unweave.audio import Audio
from unweave.cli.options import HeadedCommand
from unweave.cli.request import Request, output_options, own, recording_options, stft_of, stft_options
from unweave.cli.split import split
from unweave.framing import STFT
from unweave.hpss import MODES, HPSSModel

__all__ = ["hpss"]

_EXAMPLES = """\b
Examples:
  unweave hpss song.wav
      harmonic.wav and percussive.wav, in song-hpss/
  unweave hpss song.wav --mode advanced --harmonic-threshold 0 6 1 6
      only what is clearly a tone or a stroke; the rest in residual.wav
  unweave hpss drums.wav --n-fft 1024 --percussive-size 51
      short windows keep strokes sharp
"""

_MEDIANS, _MASKS = "Medians", "Masks"
_PARTS = ("harmonic", "percussive", "residual")
_THRESHOLD = {"type": (float, float, float, float), "metavar": "F1 A1 F2 A2"}


_own = partial(own, library.hpss)
"""An option with the default that the library has."""


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@stft_options(STFT())
@_own(
    _MEDIANS,
    "--harmonic-size",
    type=int,
    metavar="FRAMES",
    help="Length of the median along time, odd. Longer: only what lasts is harmonic.",
)
@_own(
    _MEDIANS,
    "--percussive-size",
    type=int,
    metavar="BINS",
    help="Width of the median along frequency, odd. Wider: only broad strokes are percussive.",
)
@_own(
    _MASKS,
    "--mode",
    type=click.Choice(list(MODES)),
    help="Soft masks; one or the other; or with a residual of what is neither.",
)
@_own(
    _MASKS,
    "--power",
    type=float,
    metavar="NUMBER",
    help="Exponent of the masks of classic; more separates harder and rougher.",
)
@_own(
    _MASKS,
    "--harmonic-threshold",
    **_THRESHOLD,
    help="dB that make a tone, in coupled and advanced: A1 up to the frequency F1, A2 from F2 on; 1 is half the rate.",
)
@_own(_MASKS, "--percussive-threshold", **_THRESHOLD, help="dB that make a stroke, in advanced.")
@output_options("hpss")
def hpss(**options: Any) -> None:
    """Take the recording INPUT apart into what sounds and what strikes, which sum to it.

    INPUT is a sound file, or - for standard input. The folder holds harmonic.wav and percussive.wav, and in mode
    advanced residual.wav. Each channel is taken apart by itself.
    """
    request = Request.of("hpss", options)
    settings = stft_of(request, STFT())
    own = {name: value for name, value in request.settings.items() if name in HPSSModel.__dataclass_fields__}
    with request.told():
        model = HPSSModel(**own)
    names = _PARTS[: model.n_masked + 1]

    def make(audio: Audio) -> Iterator[Samples]:
        return (piece[: len(names)] for piece in library.hpss_pieces(audio, model, settings))

    split(request, names, make)
