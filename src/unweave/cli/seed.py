"""`unweave seed`: how many components a recording has, and a start for them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from unweave.audio import Audio
from unweave.cli.facts import describe_dictionary, sound_length
from unweave.cli.failure import one_line
from unweave.cli.info import columns
from unweave.cli.onefile import check_target, file_options
from unweave.cli.options import BetaType, HeadedCommand, option, talk_options
from unweave.cli.progress import Watch, followed, working
from unweave.cli.request import Request, own, recording_options, stft_options
from unweave.cli.sources import STDIN, read_recording
from unweave.cli.talk import say
from unweave.divergence import BETAS
from unweave.errors import InvalidInput
from unweave.framing import STFT
from unweave.seeds import Seeds, seed_steps
from unweave.seeds import seed as seed_function
from unweave.starts import COUNTS, METHODS

__all__ = ["seed"]

_EXAMPLES = """\b
Examples:
  unweave seed loop.wav
      how many components make up half of the singular values, and other shares
  unweave seed loop.wav --coverage 0.9 --count energy -o seeds.npz
      as many as make up 90 % of the energy, and a start for them
  unweave decompose loop.wav --bases seeds.npz --activations seeds.npz
      from there
"""

_COUNTING, _STARTING = "How many", "What they start from"
_SHARES = (0.5, 0.75, 0.9, 0.95, 0.99)


_own = partial(own, seed_function)
"""An option with the default that the library has."""


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@_own(_COUNTING, "--coverage", type=float, metavar="SHARE", help="What the components make up together, 0 to 1.")
@_own(
    _COUNTING,
    "--count",
    type=click.Choice(list(COUNTS)),
    help="A share of the singular values, or of the energy of the spectrogram, which needs fewer components.",
)
@_own(_COUNTING, "--min-components", type=int, metavar="N", help="Not fewer than these.")
@_own(_COUNTING, "--max-components", type=int, metavar="N", help="Not more than these.")
@_own(
    _STARTING,
    "--method",
    type=click.Choice(list(METHODS)),
    help="How factors are made. The zeros of nndsvd stay zeros; the others leave none.",
)
@_own(_STARTING, "--beta", type=BetaType(BETAS), help="The divergence that it is a start for: is (0) takes powers.")
@option(_STARTING, "--seed", type=int, default=0, metavar="N", help="For the random numbers of nndsvdar.")
@recording_options
@stft_options(STFT())
@file_options("Write bases and activations there (.npz).")
@talk_options()
def seed(*, out: Path | None, overwrite: bool, as_json: bool, quiet: bool, threads: int | None, **options: Any) -> None:
    """Say how many components the recording INPUT has by its singular values, and make a start for them.

    INPUT is a sound file, or - for standard input. The file that is written is a dictionary, with activations: for
    --bases and --activations of unweave decompose.
    """
    request = Request.of("seed", options)
    if out is not None:
        if out.suffix.lower() != ".npz":
            raise InvalidInput(f"--out {out} does not end in .npz, the one kind of file that holds seeds.")
        check_target(out, overwrite=overwrite, inputs=[request.input])
    with working(threads, quiet=quiet or (as_json and not sys.stdout.isatty())) as watch, request.told():
        found = _found(request, watch)
    if out is not None:
        found.save(out)
    if as_json:
        say(json.dumps(_described(found), indent=2))
    elif not quiet:
        say("\n".join(_told(found, request.input, out)))


def _found(request: Request, watch: Watch) -> Seeds:
    settings = dict(request.settings)
    transform = {name: settings.pop(name) for name in ("n_fft", "hop_length", "win_length", "window")}
    stft = STFT(**{name: value for name, value in transform.items() if value is not None})
    sound: Audio | str = request.input
    if request.duration == 0:
        raise InvalidInput("duration=0 takes nothing of the recording: leave it out, or give more than 0 seconds.")
    whole = (request.start, request.duration, request.sample_rate) == (0, None, None)
    if whole and request.input != STDIN and Path(request.input).is_file():
        n_samples = sound_length(request.input)[0]
    else:
        watch.stage("reading")
        sound = read_recording(request.input, request.start, request.duration, request.sample_rate).audio
        n_samples = sound.n_samples
    watch.stage("singular values")
    steps = seed_steps(sound, stft=stft, rng=settings.pop("seed"), **settings)
    total = 2 * stft.n_frames(n_samples)
    return followed(steps, lambda done: watch.at(done / total))


def _described(found: Seeds) -> dict[str, Any]:
    return {
        "sentence": found.sentence,
        "covered_values": found.covered(),
        "covered_energy": found.covered("energy"),
        "needed": [
            {"share": share, **{count: found.needed(share, count) for count in COUNTS}}
            for share in _SHARES
            if found.values.any()
        ],
        "singular_values": found.values.tolist(),
        "method": found.method,
        **describe_dictionary(found.dictionary),
    }


def _told(found: Seeds, name: str, out: Path | None) -> Iterator[str]:
    yield found.sentence
    if found.values.any():
        rows = [["share", "of the singular values", "of the energy"]]
        rows += [
            [f"{100 * share:.0f} %", str(found.needed(share)), str(found.needed(share, "energy"))] for share in _SHARES
        ]
        yield from columns(rows)
    if out is not None:
        file = one_line(str(out))
        yield f"Next: unweave decompose {one_line(name)} --bases {file} --activations {file}"
