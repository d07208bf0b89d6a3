"""`unweave transients`: clicks and strokes in one file, the sound without them in another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import click

from unweave import transients as library
from unweave.arrays import Samples
from unweave.audio import Audio
from unweave.cli.options import HeadedCommand
from unweave.cli.request import Request, output_options, own, recording_options
from unweave.cli.split import split
from unweave.transients import TransientModel

__all__ = ["transients"]

_EXAMPLES = """\b
Examples:
  unweave transients guitar.wav
      transients.wav and residual.wav, in guitar-transients/
  unweave transients old-record.wav --threshold-forward 5 --clump-length 10
      only the loudest clicks: residual.wav is the restored record
  unweave transients drums96k.wav --block-size 512 --padding 256 --clump-length 50
      at twice the rate, twice the lengths
"""

_MODEL, _DETECTION = "Model", "Detection"


_own = partial(own, library.transients)
"""An option with the default that the library has."""


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@_own(
    _MODEL,
    "--order",
    type=int,
    metavar="N",
    help="Samples from which the next is predicted. More: less is a surprise, and it takes longer.",
)
@_own(
    _MODEL,
    "--block-size",
    type=int,
    metavar="N",
    help="Samples that share a model. Longer suits steady sounds.",
)
@_own(_MODEL, "--padding", type=int, metavar="N", help="Samples on either side that the model listens to as well.")
@_own(
    _DETECTION,
    "--skew",
    type=float,
    metavar="NUMBER",
    help="Above 0 the largest errors count for more, which finds short clicks; below 0 the smallest.",
)
@_own(
    _DETECTION,
    "--threshold-forward",
    type=float,
    metavar="NUMBER",
    help="Deviations at which a transient begins. Lower finds more.",
)
@_own(
    _DETECTION,
    "--threshold-back",
    type=float,
    metavar="NUMBER",
    help="Deviations below which it ends. Lower makes them longer.",
)
@_own(_DETECTION, "--window-size", type=int, metavar="N", help="Samples over which errors are averaged.")
@_own(
    _DETECTION,
    "--clump-length",
    type=int,
    metavar="N",
    help="Samples for which it must be quiet: nearer transients are one.",
)
@output_options("transients")
def transients(**options: Any) -> None:
    """Take the recording INPUT apart into its clicks and strokes and the sound without them, which sum to it.

    INPUT is a sound file, or - for standard input. The folder holds transients.wav and residual.wav. Lengths are in
    samples, made for 44100 Hz. Each channel is taken apart by itself.
    """
    request = Request.of("transients", options)
    with request.told():
        model = TransientModel(**request.settings)

    def make(audio: Audio) -> Iterable[Samples]:
        return library.transient_pieces(audio, model)

    split(request, ("transients", "residual"), make)
