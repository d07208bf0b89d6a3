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
from unweave.audio import Audio, SoundStream, save
from unweave.cli.failure import CTRL_C, one_line
from unweave.cli.known import known_options, read_known
from unweave.cli.onefile import check_target
from unweave.cli.options import FileType, HeadedCommand, option, threads_option
from unweave.cli.progress import Watch, working
from unweave.cli.request import Request, default_of, own, recording_options
from unweave.cli.sources import open_recording
from unweave.cli.talk import say, warn
from unweave.errors import InvalidInput
from unweave.formats import ENDINGS
from unweave.matching import NMFMatch, match_by
from unweave.onsets import RISE, Onset, OnsetPicker, find_onsets, lead_of
from unweave.words import counted

__all__ = ["match"]

_BLOCK = 2**16
"""Most samples of the recording that are listened to at a time."""

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
  arecord -f cd -t wav | unweave match - --bases kit.npz --onsets --jsonl
      a live sound, as it comes
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
    type=FileType(),
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
    What is printed is printed as soon as it is known; a wav from standard input may have no end.
    """
    _refuse_senseless(context, onsets, wav)
    request = Request.of("match", options)
    settings = request.settings
    path = settings["bases"]
    if wav is not None:
        check_target(wav, overwrite=overwrite, inputs=[request.input, path], named="--wav")
    # Rows are printed as they are known: in the same terminal a line of progress would be in their way.
    with working(request.threads, quiet=quiet or (wav is None and sys.stdout.isatty())) as watch, request.told():
        bases, stft = read_known(settings)
        chosen = {name: settings[name] for name in ("n_iter", "warm_start")}
        picks = {name: settings[name] for name in (_PICK if onsets else _MATCH) if settings[name] is not None}
        looked = {} if onsets else picks
        NMFMatch(bases, stft=stft, **chosen, **looked)  # refuses what cannot be before the recording is read
        watch.stage("reading")
        with open_recording(request.input, request.start, request.duration, request.sample_rate, _BLOCK) as sound:
            hearer = NMFMatch(bases, stft=stft, sample_rate=sound.sample_rate, **chosen, **looked)
            heard = _heard(sound, hearer, watch)
            if wav is not None:
                activations = np.concatenate(list(heard), axis=1)
            elif onsets:
                lead = lead_of(hearer.stft, sound.sample_rate)
                picker = OnsetPicker(hearer.labels, hearer.frame_rate, lead=lead, **picks)
                _print(_told_onsets(_picked(heard, picker), form))
            else:
                _print(_told_activations(heard, hearer, form))
    if wav is not None:
        _write(wav, activations, hearer, quiet)


def _refuse_senseless(context: click.Context, onsets: bool, wav: Path | None) -> None:
    """Refuse options that would have no effect."""

    def said(name: str) -> bool:
        return context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE

    if onsets and wav is not None:
        raise InvalidInput("--wav holds activations, and --onsets makes none: leave one of them out.")
    if wav is not None and wav.suffix.lower() in ENDINGS - {".wav"}:
        raise InvalidInput(f"--wav={wav} would hold a wav all the same: end its name in .wav.")
    if wav is not None and said("form"):
        raise InvalidInput("--wav writes a sound, and --csv or --jsonl print text: leave one of them out.")
    if onsets and said("smoothing"):
        raise InvalidInput("--smoothing is for activations, and would hide onsets: leave it or --onsets out.")
    for name in ("refractory", "look_ahead"):
        if not onsets and said(name):
            raise InvalidInput(f"--{name.replace('_', '-')} is for onsets: say --onsets too.")


def _heard(sound: SoundStream, hearer: NMFMatch, watch: Watch) -> Iterator[Matrix]:
    """The activations, piece by piece."""
    watch.stage("listening")
    done = 0
    for block in sound.blocks:
        if sound.n_samples:
            watch.at(done / sound.n_samples)
        done += block.shape[1]
        yield hearer.process(block)
    yield hearer.flush()


def _picked(heard: Iterable[Matrix], picker: OnsetPicker) -> Iterator[list[Onset]]:
    """The onsets in the order of their times, each as soon as none can come that is earlier."""
    waiting: list[Onset] = []
    count = 0
    for piece in heard:
        waiting = _in_order([*waiting, *picker.process(piece)], picker)
        count += piece.shape[1]
        # What is not yet told begins in a later frame than this, and less than a rise, of whole frames, before it.
        certain = (count - picker.n_late - 2) / picker.frame_rate - RISE + picker.lead
        yield [onset for onset in waiting if onset.time < certain]
        waiting = [onset for onset in waiting if onset.time >= certain]
    yield _in_order([*waiting, *picker.flush()], picker)


def _in_order(onsets: Iterable[Onset], picker: OnsetPicker) -> list[Onset]:
    return sorted(onsets, key=lambda onset: (onset.time, picker.labels.index(onset.label)))


def _print(told: Iterable[str]) -> None:
    """Say lines as they come; a live sound has no other end than an interrupt."""
    begun = False
    try:
        for lines in told:
            if lines:
                say(lines)
                begun = True
    except KeyboardInterrupt:
        if not begun:
            raise
        raise click.exceptions.Exit(CTRL_C) from None


def _rows(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().rstrip("\n")


def _told_onsets(picked: Iterable[Sequence[Onset]], form: str) -> Iterator[str]:
    """Lines as soon as their onsets are known."""
    if form == "jsonl":
        for onsets in picked:
            told = ({"time": each.time, "label": each.label, "volume": _short(each.volume)} for each in onsets)
            yield "\n".join(json.dumps(line, ensure_ascii=False) for line in told)
        return
    head = [("time", "label", "volume")]  # with the first rows: before these it is not known whether there will be any
    for onsets in picked:
        yield _rows([*head, *((f"{each.time:.6f}", each.label, f"{each.volume:.6g}") for each in onsets)])
        head = []


def _told_activations(heard: Iterable[Matrix], hearer: NMFMatch, form: str) -> Iterator[str]:
    """Lines as soon as their frames are known."""
    head: list[Sequence[object]] = [("time", *hearer.labels)]
    count = 0
    for piece in heard:
        rows = list(zip(np.arange(count, count + piece.shape[1]) / hearer.frame_rate, piece.T, strict=True))
        count += piece.shape[1]
        if form == "jsonl":
            yield "\n".join(_object(float(time), hearer.labels, column) for time, column in rows)
        else:
            yield _rows([*head, *((f"{time:.6f}", *map("{:.6g}".format, column)) for time, column in rows)])
            head = []


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
