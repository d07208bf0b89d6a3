"""One recording in, a folder of named sounds out: what `hpss`, `transients` and their like share.

Such a command declares its own options between those of `unweave.cli.request`, and hands over a function that makes
the parts:

    @click.command(cls=HeadedCommand, epilog=_EXAMPLES)
    @recording_options                    # INPUT, --start, --duration, --sample-rate
    @stft_options(STFT())                 # --n-fft, --hop-length, --win-length, --window; where there is a transform
    @option(_MODEL, "--order", type=int, default=default_of(transients, "order"), help=...)
    @output_options("transients")         # --out, --format, --subtype, --gain, --overwrite, --json, --quiet, --threads
    def transients_command(**options: Any) -> None:
        request = Request.of("transients", options)       # request.settings holds the options of the command's own
        plan = ...                                         # refuse what cannot be, before anything is read
        split(request, ("transients", "residual"), lambda audio: whole(transients(audio, **request.settings)))

The function gets the recording and yields its parts piece by piece, float32 ``(parts, channels, n)`` with as many
samples in all as the recording has; `whole` makes such pieces of parts that are there already. It is called twice where
the file's numbers end at 1.0 and the parts are too large to be kept: a first pass finds the loudest peak, and all parts
get one gain, so that they sum to the recording times that gain. The folder appears at the very end, whole, with a
``manifest.json``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unweave import __version__
from unweave.arrays import Samples
from unweave.audio import Audio
from unweave.cli.failure import one_line
from unweave.cli.manifest import recording_facts, write_manifest
from unweave.cli.output import MANIFEST, MANIFEST_FORMAT, OutputFolder
from unweave.cli.progress import Watch, working
from unweave.cli.request import Request
from unweave.cli.sounds import FIT_DB, Meter, SoundFile, require_gain, sound_file
from unweave.cli.sources import Recording, read_recording
from unweave.cli.talk import say, warn

__all__ = ["Make", "Named", "split", "split_named", "whole", "write_named"]

Make = Callable[[Audio], Iterable[Samples]]
"""From a recording to its parts, piece by piece: float32 ``(parts, channels, n)``."""

Named = Callable[[Audio, Watch], Mapping[str, Audio]]
"""From a recording to its parts, by names that are known then."""

_VERSION = 1

_PIECE = 2**18
"""Samples of parts that are there already, to be written at a time."""

_KEPT = 2**30
"""Bytes of parts that are kept from the pass that looks for their peak to that which writes them."""


def whole(parts: Iterable[Audio]) -> Iterator[Samples]:
    """Parts that are there already, in pieces that need next to no memory."""
    samples = [part.samples for part in parts]
    for begin in range(0, max(1, samples[0].shape[-1]), _PIECE):
        yield np.stack([each[:, begin : begin + _PIECE] for each in samples])


def split(request: Request, names: Sequence[str], make: Make) -> None:
    """Do a command's work: read the recording, write its parts, and say what they are.

    Parameters
    ----------
    request : Request
    names : sequence of str
        Names of the parts: of their files, without the extension, and in the table.
    make : callable
        From the recording to pieces ``(len(names), channels, n)``. May be called twice.

    Raises
    ------
    UnweaveError, OSError
        Then nothing is left behind, and nothing was replaced.
    """
    _told(request, lambda watch: _run(request, names, make, watch))


def split_named(request: Request, make: Named, names: Sequence[str] = ()) -> None:
    """Do what `split` does for parts that are made whole, or whose names are known when they are there.

    Parameters
    ----------
    request : Request
    make : callable
        From the recording to its parts by the names of their files. Called once.
    names : sequence of str
        Names that are known before: what stands in their way is found before anything is made.
    """

    def work(watch: Watch) -> _Outcome:
        file, _ = _checked(request, names)
        watch.stage("reading")
        recording = read_recording(request.input, request.start, request.duration, request.sample_rate)
        for name in names:
            sound = recording.audio
            file.form.refuse(f"{name}.{file.ext}", sound.sample_rate, sound.n_channels, sound.n_samples)
        with request.told():
            sounds = make(recording.audio, watch)
        return _written(request, recording, sounds, watch)

    _told(request, work)


def write_named(
    request: Request, make: Callable[[Watch], tuple[Recording, Mapping[str, Audio]]], also: Callable[[Path], None]
) -> None:
    """Do what `split_named` does where the recording is no sound file; ``also`` adds to the folder."""

    def work(watch: Watch) -> _Outcome:
        _checked(request)
        with request.told():
            recording, sounds = make(watch)
        return _written(request, recording, sounds, watch, also)

    _told(request, work)


_Outcome = tuple[dict[str, Any], str, Path]
"""The manifest, what a person should know, and the folder."""


def _told(request: Request, work: Callable[[Watch], _Outcome]) -> None:
    """Do the work with its progress told, and tell what came of it."""
    piped = request.as_json and not sys.stdout.isatty()
    with working(request.threads, quiet=request.quiet or piped) as watch:
        manifest, note, shown = work(watch)
    if note and not request.quiet:
        warn(note)
    if request.as_json:
        say(json.dumps(manifest, indent=2))
    elif not request.quiet:
        say(_table(manifest))
        say(f"The parts are in {one_line(str(shown))}.")


def _checked(request: Request, names: Sequence[str] = ()) -> tuple[SoundFile, OutputFolder]:
    """Refuse what can be refused before anything is computed; return the kind of file that is asked for, and where."""
    file, folder = sound_file(request.format, request.subtype), request.folder()
    require_gain(request.gain)
    folder.check([*(f"{name}.{file.ext}" for name in names), MANIFEST])
    return file, folder


def _written(
    request: Request,
    recording: Recording,
    sounds: Mapping[str, Audio],
    watch: Watch,
    also: Callable[[Path], None] = lambda folder: None,
) -> _Outcome:
    """Write parts that are there already."""
    file, audio, folder = sound_file(request.format, request.subtype), recording.audio, request.folder()
    names = list(sounds)
    paths = [f"{name}.{file.ext}" for name in names]
    folder.check([*paths, MANIFEST])
    file.form.refuse(paths[0], audio.sample_rate, audio.n_channels, audio.n_samples)
    with folder:
        gain, note = _gain(request, file, audio, lambda _: whole(sounds.values()), watch)
        file = replace(file, gain=gain)
        meters = _write([folder.path / path for path in paths], file, audio, whole(sounds.values()))
        also(folder.path)
        manifest = _manifest(request, recording, file, names, meters)
        write_manifest(folder.path, manifest)
        folder.commit()
    return manifest, note, folder.shown


def _run(request: Request, names: Sequence[str], make: Make, watch: Watch) -> _Outcome:
    """Read the recording, and write its parts piece by piece."""
    file, folder = _checked(request, names)
    paths = [f"{name}.{file.ext}" for name in names]
    watch.stage("reading")
    recording = read_recording(request.input, request.start, request.duration, request.sample_rate)
    audio = recording.audio
    file.form.refuse(paths[0], audio.sample_rate, audio.n_channels, audio.n_samples)
    if len(names) * audio.samples.nbytes <= _KEPT and (file.fixed_point or request.gain == "fit"):
        make = _made_once(make)
    with folder, request.told():
        gain, note = _gain(request, file, audio, make, watch)
        file = replace(file, gain=gain)
        watch.stage("parts")
        meters = _write([folder.path / path for path in paths], file, audio, _watched(make(audio), audio, watch))
        manifest = _manifest(request, recording, file, names, meters)
        write_manifest(folder.path, manifest)
        folder.commit()
    return manifest, note, folder.shown


def _made_once(make: Make) -> Make:
    """The same pieces, which are kept from the first call for the second."""
    kept: list[Samples] = []

    def pieces(audio: Audio) -> Iterator[Samples]:
        if kept:
            yield from kept
            return
        for piece in make(audio):
            kept.append(piece)
            yield piece

    return pieces


def _watched(pieces: Iterable[Samples], audio: Audio, watch: Watch) -> Iterator[Samples]:
    """The same pieces, telling how much of the recording has passed."""
    done = 0
    for piece in pieces:
        yield piece
        done += piece.shape[-1]
        watch.at(done / max(1, audio.n_samples))


def _gain(request: Request, file: SoundFile, audio: Audio, make: Make, watch: Watch) -> tuple[float, str]:
    """The gain of all parts, and a sentence where it is not the one asked for.

    It is what is wanted, unless that would clip; then, and for 'fit', the loudest peak comes to lie at `FIT_DB`.
    """
    wanted = request.gain
    if wanted != "fit" and not file.fixed_point:
        return wanted, ""
    watch.stage("looking for the loudest peak")
    meter = Meter()
    meter.add(audio.samples)
    for piece in _watched(make(audio), audio, watch):
        meter.add(piece)
    fitted = 10 ** (FIT_DB / 20) / meter.peak if meter.peak > 0 else 1.0
    if wanted == "fit" or meter.peak * wanted <= 1:
        return (fitted if wanted == "fit" else wanted), ""
    return fitted, (
        f"all parts were given one gain of {fitted:.4g} ({20 * math.log10(fitted):+.1f} dB), so that the loudest "
        f"peak, {meter.peak:.4g}, does not clip and lies at {FIT_DB:g} dB; they sum to the recording times that gain."
    )


def _write(paths: Sequence[Path], file: SoundFile, audio: Audio, pieces: Iterable[Samples]) -> list[Meter]:
    """Write all parts side by side; return what is in the files."""
    meters = [Meter() for _ in paths]
    with ExitStack() as stack:
        writers = [stack.enter_context(file.writer(path, audio)) for path in paths]
        for piece in pieces:
            for writer, meter, samples in zip(writers, meters, piece, strict=True):
                louder = file.amplified(samples)
                meter.add(louder)
                writer.write(louder)
    return meters


def _manifest(
    request: Request, recording: Recording, file: SoundFile, names: Sequence[str], meters: Sequence[Meter]
) -> dict[str, Any]:
    """What was done with what; nothing depends on the clock, on the place or on the machine."""
    energy = sum(meter.energy for meter in meters)
    return {
        "format": MANIFEST_FORMAT,
        "format_version": _VERSION,
        "unweave": __version__,
        "command": request.command,
        **recording_facts(recording),
        "settings": {
            "start": request.start,
            "duration": request.duration,
            "sample_rate": request.sample_rate,
            "format": request.format,
            "subtype": file.subtype,
            "gain": file.gain,
            "gain_asked": request.gain,
            **request.settings,
        },
        "parts": [
            {
                "name": name,
                "file": f"{name}.{file.ext}",
                "level_db": meter.level_db,
                "peak": meter.peak,
                "energy_share": meter.energy / energy if energy > 0 else None,
            }
            for name, meter in zip(names, meters, strict=True)
        ],
        "files": [],
    }


def _table(manifest: Mapping[str, Any]) -> str:
    """The parts of a manifest in columns."""
    parts = manifest["parts"]
    wide, wider = (max(map(len, [head, *(part[key] for part in parts)])) for head, key in _COLUMNS)
    lines = [f"{'part':{wide}}  {'file':{wider}}  level dB  share %"]
    for part in parts:
        level = "silent" if part["level_db"] is None else f"{part['level_db']:.1f}"
        share = "" if part["energy_share"] is None else f"{100 * part['energy_share']:.1f}"
        lines.append(f"{part['name']:{wide}}  {part['file']:{wider}}  {level:>8}  {share:>7}".rstrip())
    return "\n".join(lines)


_COLUMNS = (("part", "name"), ("file", "file"))
