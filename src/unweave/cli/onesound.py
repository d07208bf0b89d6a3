"""What commands share that make one sound: its format, its level, the file, and what is told about it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import click

from unweave.audio import Audio, save
from unweave.cli.failure import one_line
from unweave.cli.options import F, GainType, option
from unweave.cli.request import default_of
from unweave.cli.sounds import FIT_DB, Meter, SoundFile, fitted_gain, sound_file
from unweave.cli.talk import say, warn
from unweave.formats import FORMATS, choose_format
from unweave.words import counted

__all__ = ["chosen_file", "save_sound", "sound_options", "tell"]

_FILES = "Output file"


def sound_options(function: F, /) -> F:
    """Declare ``--format``, ``--subtype`` and ``--gain``."""
    for declared in (
        option(
            _FILES,
            "--gain",
            type=GainType(),
            default=default_of(save, "gain"),
            help="A factor; fit brings the peak to -1 dB. Formats that would clip get fit.",
        ),
        option(
            _FILES,
            "--subtype",
            metavar="NAME",
            show_default="FLOAT; flac PCM_24",
            help="FLOAT, PCM_16, PCM_24 or PCM_32.",
        ),
        option(
            _FILES,
            "--format",
            type=click.Choice(list(FORMATS)),
            show_default="that of --out's name, else wav",
            help="Format of the sound.",
        ),
    ):
        function = declared(function)
    return function


def chosen_file(out: Path | None, name: str | None, subtype: str | None) -> SoundFile:
    """The kind of file that is asked for, by its name where no format is given."""
    if name is None and out is not None:
        return SoundFile(*choose_format(PurePath(out.name), None, subtype))
    return sound_file(name or "wav", subtype)


def save_sound(
    path: Path, sound: Audio, file: SoundFile, wanted: Any, stage: Callable[[str], None]
) -> tuple[dict[str, Any], str]:
    """Write a sound; return the facts that are told about it, and what a person should know of its gain."""
    gain = fitted_gain(sound.peak, wanted, file)
    stage("writing")
    save(path, sound, format=file.form.name, subtype=file.subtype, gain=gain)
    meter = Meter()
    meter.add(replace(file, gain=gain).amplified(sound.samples))
    facts = {
        "file": str(path),
        "sample_rate": sound.sample_rate,
        "n_channels": sound.n_channels,
        "n_samples": sound.n_samples,
        "duration": sound.duration,
        "level_db": meter.level_db,
        "peak": meter.peak,
        "gain": gain,
    }
    note = (
        f"the sound was given a gain of {gain:.4g} ({20 * math.log10(gain):+.1f} dB), so that its peak, "
        f"{sound.peak:.4g}, does not clip and lies at {FIT_DB:g} dB."
    )
    return facts, "" if wanted in ("fit", gain) else note


def tell(facts: dict[str, Any], note: str, *, as_json: bool, quiet: bool) -> None:
    """Say what was written, to people or to programs, and what `save_sound` has noted."""
    if note and not quiet:
        warn(note)
    if as_json:
        say(json.dumps(facts, indent=2))
    elif not quiet:
        say(_told(facts))


def _told(facts: dict[str, Any]) -> str:
    """One line for people."""
    channels = counted(facts["n_channels"], "channel")
    level = "silent" if facts["level_db"] is None else f"level {facts['level_db']:.1f} dB"
    return f"{one_line(facts['file'])}: {channels}, {facts['duration']:.3f} s at {facts['sample_rate']} Hz, {level}."
