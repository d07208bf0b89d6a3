"""`unweave match`: how loud known sounds are in a recording, or when they begin."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from unweave.arrays import Matrix
from unweave.audio import Audio, save
from unweave.cli.failure import one_line
from unweave.cli.known import known_options, own, read_known
from unweave.cli.onefile import check_target, working
from unweave.cli.options import HeadedCommand, option, threads_option
from unweave.cli.progress import Watch
from unweave.cli.request import Request, default_of, recording_options
from unweave.cli.sources import read_recording
from unweave.cli.talk import say, warn
from unweave.errors import InvalidInput
from unweave.matching import NMFMatch, match_by
from unweave.onsets import Onset, OnsetPicker, find_onsets, lead_of
from unweave.words import counted

__all__ = ["match"]

_BLOCK = 2**16
"""Samples of the recording that are listened to at a time."""

_EXAMPLES = """\b
Examples:
  unweave match loop.wav --bases kit.npz > activations.csv
      a row for every frame: the time, and how much there is of each sound
  unweave match loop.wav --bases kit.npz --onsets
      when each sound begins, and how loud
  unweave match loop.wav --bases kit.npz --onsets --jsonl --threshold 0.2 --look-ahead 0.05
      fewer false ones, for programs
  unweave match loop.wav --bases kit.npz --wav levels.wav --smoothing 0.05
      a channel for each sound, a sample for every frame
"""

_ACTIVATIONS, _ONSETS, _RESULT = "Activations", "Onsets", "The result"
_MATCH, _PICK = ("smoothing", "threshold"), ("threshold", "refractory", "look_ahead")


@click.command(cls=HeadedCommand, epilog=_EXAMPLES)
@recording_options
@known_options(match_by)
@own(
    match_by,
    _ACTIVATIONS,
    "--smoothing",
    type=float,
    metavar="SECONDS",
    help="Follow within this time, to two thirds; 0 at once.",
)
@option(
    _ACTIVATIONS,
    "--threshold",
    type=float,
    metavar="SHARE",
    show_default=f"{default_of(match_by, 'threshold'):g}; {default_of(find_onsets, 'threshold'):g} with --onsets",
    help="Activations below this share of the loudest are 0; with --onsets, the least rise.",
)
@option(_ONSETS, "--onsets", is_flag=True, help="Say when each sound begins, and how loud.")
@own(
    find_onsets,
    _ONSETS,
    "--refractory",
    type=float,
    metavar="SECONDS",
    help="Least time between two onsets of a sound.",
)
@own(find_onsets, _ONSETS, "--look-ahead", type=float, metavar="SECONDS", help="Time to wait for a greater rise.")
@option(_RESULT, "--csv", "form", flag_value="csv", default=True, show_default=False, help="Print rows (the default).")
@option(_RESULT, "--jsonl", "form", flag_value="jsonl", show_default=False, help="Print a JSON object a line.")
@option(
    _RESULT,
    "--wav",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a sound with a channel for each label and a sample for each frame.",
)
@option(_RESULT, "--overwrite", is_flag=True, help="Replace the file of --wav, if it is there.")
@option(_RESULT, "--quiet", is_flag=True, help="Say nothing but the result and errors.")
@threads_option(_RESULT)
@click.pass_context
def match(
    context: click.Context,
    /,
    *,
    form: str,
    wav: Path | None,
    onsets: bool,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Say how loud the sounds that a dictionary knows are in the recording INPUT, frame by frame.

    An activation is in units of its basis. It is what NMFMatch tells of a stream. With --onsets: when each begins.
    """
    _refuse_senseless(context, onsets, wav)
    request = Request.of("match", options)
    settings = request.settings
    path = settings["bases"]
    if wav is not None:
        check_target(wav, overwrite=overwrite, inputs=[request.input, path])
    # Rows are printed as they are known: in the same terminal a line of progress would be in their way.
    rows = wav is None and not onsets
    with working(request.threads, quiet=quiet or (rows and sys.stdout.isatty())) as watch, request.told():
        bases, stft = read_known(settings)
        chosen = {name: settings[name] for name in ("n_iter", "warm_start")}
        picks = {name: settings[name] for name in (_PICK if onsets else _MATCH) if settings[name] is not None}
        looked = {} if onsets else picks
        NMFMatch(bases, stft=stft, **chosen, **looked)  # refuses what cannot be before the recording is read
        watch.stage("reading")
        audio = read_recording(request.input, request.start, request.duration, request.sample_rate).audio
        hearer = NMFMatch(bases, stft=stft, sample_rate=audio.sample_rate, **chosen, **looked)
        heard = _heard(audio, hearer, watch)
        if onsets:
            found = _picked(heard, hearer, lead_of(hearer.stft, audio.sample_rate), picks)
        elif wav is not None:
            activations = np.concatenate(list(heard), axis=1)
        else:
            for lines in _told_activations(heard, hearer, form):
                say(lines)
    if onsets:
        say(_told_onsets(found, form))
    elif wav is not None:
        _write(wav, activations, hearer, quiet)


def _refuse_senseless(context: click.Context, onsets: bool, wav: Path | None) -> None:
    """Refuse options that would have no effect."""

    def said(name: str) -> bool:
        return context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE

    if onsets and wav is not None:
        raise InvalidInput("--wav holds activations, and --onsets makes none: leave one of them out.")
    if wav is not None and said("form"):
        raise InvalidInput("--wav writes a sound, and --csv or --jsonl print text: leave one of them out.")
    if onsets and said("smoothing"):
        raise InvalidInput("--smoothing is for activations, and would hide onsets: leave it or --onsets out.")
    for name in ("refractory", "look_ahead"):
        if not onsets and said(name):
            raise InvalidInput(f"--{name.replace('_', '-')} is for onsets: say --onsets too.")


def _heard(audio: Audio, hearer: NMFMatch, watch: Watch) -> Iterator[Matrix]:
    """The activations, piece by piece."""
    watch.stage("listening")
    for begin in range(0, audio.n_samples, _BLOCK):
        watch.at(begin / audio.n_samples)
        yield hearer.process(audio.samples[:, begin : begin + _BLOCK])
    yield hearer.flush()


def _picked(heard: Iterable[Matrix], hearer: NMFMatch, lead: float, picks: dict[str, Any]) -> list[Onset]:
    picker = OnsetPicker(hearer.labels, hearer.frame_rate, lead=lead, **picks)
    found = [onset for piece in heard for onset in picker.process(piece)]
    return sorted([*found, *picker.flush()], key=lambda onset: (onset.time, hearer.labels.index(onset.label)))


def _rows(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().rstrip("\n")


def _told_onsets(onsets: Sequence[Onset], form: str) -> str:
    if form == "jsonl":
        lines = ({"time": each.time, "label": each.label, "volume": float(f"{each.volume:.6g}")} for each in onsets)
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    found = [(f"{each.time:.6f}", each.label, f"{each.volume:.6g}") for each in onsets]
    return _rows([("time", "label", "volume"), *found])


def _told_activations(heard: Iterable[Matrix], hearer: NMFMatch, form: str) -> Iterator[str]:
    """Lines as soon as their frames are known."""
    if form == "csv":
        yield _rows([("time", *hearer.labels)])
    count = 0
    for piece in heard:
        times = np.arange(count, count + piece.shape[1]) / hearer.frame_rate
        count += piece.shape[1]
        if form == "jsonl":
            lines = [_object(float(time), hearer.labels, column) for time, column in zip(times, piece.T, strict=True)]
        else:
            rows = zip(times, piece.T, strict=True)
            lines = [_rows((f"{time:.6f}", *map("{:.6g}".format, column)) for time, column in rows)]
        if times.size:
            yield "\n".join(lines)


def _object(time: float, labels: Sequence[str], column: Matrix) -> str:
    activations = dict(zip(labels, map(_short, column), strict=True))
    return json.dumps({"time": round(time, 6), "activations": activations}, ensure_ascii=False)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _write(path: Path, activations: Matrix, hearer: NMFMatch, quiet: bool) -> None:
    rate = max(1, round(hearer.frame_rate))
    save(path, Audio(activations, rate), format="wav", subtype="FLOAT")
    if quiet:
        return
    if rate != hearer.frame_rate:
        warn(f"{path} says {rate} Hz, but has {hearer.frame_rate:.6g} frames a second: a wav file has a whole rate.")
    verb = "is" if len(activations) == 1 else "are"
    channels = counted(len(activations), "channel")
    say(f"{channels} ({', '.join(hearer.labels)}) {verb} in {one_line(str(path))}.")
