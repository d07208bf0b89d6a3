"""Sound from notes: General MIDI, played by fluidsynth with a sound font. For the scripts beside this one only.

    notes ─mido→ a MIDI file ─fluidsynth→ wav ─load→ Audio

fluidsynth must be installed. Its player begins two milliseconds late; these are cut off here unless ``late`` says
otherwise, so that a note sounds where it is written.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from unweave.audio import Audio, load

__all__ = ["render"]

_TICKS_PER_SECOND = 10000
_LATE = 0.002  # seconds; measured with single strokes of three fonts
_DRUM_CHANNEL = 9

Event = tuple[float, float, int, int]
"""Onset and offset in seconds, key, velocity 1 to 127."""


def render(
    events: Iterable[Event],
    font: str | Path,
    *,
    program: int = 0,
    drums: bool = False,
    seconds: float | None = None,
    sample_rate: int = 44100,
    reverb: float = 0.0,
    controls: Iterable[tuple[float, int, int]] = (),
    late: float = _LATE,
) -> Audio:
    """Play notes with one program of a font.

    Parameters
    ----------
    events : (onset, offset, key, velocity), in any order
    font : path of a .sf2 or .sf3
    program : int, 0 to 127
        With ``drums`` the kit: 0 standard, 8 room, 16 power, 24 electronic, 25 TR-808, 32 jazz, 40 brushes.
    seconds : float, optional
        Length of the result. Default: two seconds after the last offset.
    reverb : float, 0 to 1
        How much of the sound goes to fluidsynth's reverberator.
    controls : (seconds, controller, value), such as (1.0, 64, 127) for the pedal
    late : float, seconds
        How much is cut off at the begin.

    Returns
    -------
    Audio
        Two channels.
    """
    events = list(events)
    seconds = max((event[1] for event in events), default=0.0) + 2 if seconds is None else seconds
    with tempfile.TemporaryDirectory() as folder:
        _write(f"{folder}/a.mid", events, controls, _DRUM_CHANNEL if drums else 0, program, seconds, reverb)
        command = [
            "fluidsynth",
            "-ni",
            "-q",
            "-F",
            f"{folder}/a.wav",
            "-r",
            str(sample_rate),
            "-g",
            "0.5",
            "-O",
            "float",
            "-o",
            "synth.dynamic-sample-loading=1",
        ]
        command += ["-T", "wav", "-C", "0", "-R", "1" if reverb else "0", str(font), f"{folder}/a.mid"]
        subprocess.run(command, check=True, capture_output=True)
        sound = load(f"{folder}/a.wav")
    n_samples = round(seconds * sample_rate)
    samples = np.zeros((sound.n_channels, n_samples), np.float32)
    played = sound.samples[:, round(late * sample_rate) :][:, :n_samples]
    samples[:, : played.shape[1]] = played
    return Audio(samples, sample_rate)


def _write(  # noqa: PLR0917
    path: str,
    events: list[Event],
    controls: Iterable[tuple[float, int, int]],
    channel: int,
    program: int,
    seconds: float,
    reverb: float,
) -> None:
    """Write a MIDI file in which a tick is a tenth of a millisecond."""
    import mido

    timed = [
        (on, 2, mido.Message("note_on", channel=channel, note=key, velocity=force)) for on, _, key, force in events
    ]
    timed += [(off, 0, mido.Message("note_off", channel=channel, note=key, velocity=0)) for _, off, key, _ in events]
    timed += [(at, 1, mido.Message("control_change", channel=channel, control=c, value=v)) for at, c, v in controls]
    timed.sort(key=lambda each: (each[0], each[1]))
    file = mido.MidiFile(type=0, ticks_per_beat=1000)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=100000))
    track.append(mido.Message("program_change", channel=channel, program=program))
    track.append(mido.Message("control_change", channel=channel, control=91, value=round(127 * reverb)))
    track.append(mido.Message("control_change", channel=channel, control=93, value=0))
    last = 0
    for at, _, message in timed:
        tick = round(at * _TICKS_PER_SECOND)
        track.append(message.copy(time=tick - last))
        last = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, round(seconds * _TICKS_PER_SECOND) - last)))
    file.save(path)
