"""Notes of recordings with ground truth: `python benchmarks/quality.py notes [--data DIR]`.

`truth.py` finds the recordings, in three layouts; `plain.py` has what ours is held against, measured in the same run;
`unweave.evaluation` counts as mir_eval does. `python benchmarks/notes.py FILE` transcribes one file as a piano.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import plain
import unweave as uw
from clock import process
from page import table
from truth import Recording, in_families, recordings
from unweave.audio import AudioWriter
from unweave.evaluation import score_labels, score_pitches
from unweave.notes import Note

Notes = tuple[Note, ...]
Method = Callable[[uw.Audio], Notes]
Values = Sequence[float | None]

THREE = ("kick", "snare", "hihat")
FULL = (*THREE, "tom", "cymbal")
HIT = 0.5  # seconds of a single hit at most
MINUTES = 10

DRUMS = """### Drums

Onset F-measure at 50 ms, nothing told. 'three' is the mean of kick, snare and hi-hat, 'all' that of all the families of
drums that a recording has: toms and cymbals as well. Beside it the same three by the plain way: three Kullback-Leibler
components of scikit-learn, named by their centres of gravity.

{table}

ρ is Spearman's rank correlation of our velocities and the true ones, over the notes that were found: of all together,
and the mean of each drum by itself. Late is the median error of our onsets (negative: early), off the median whatever
its sign, both in ms. Time is ours, in percent of the length."""

PIANO = """### Piano

F-measure at 50 ms by onset and pitch, and with offsets as well (within a fifth of the note or 50 ms). Beside it onset
F-measures of two plain ways: fixed harmonic combs, and {components} unsupervised components named by pitch.

{table}

ρ, late, off and time as above."""

TAUGHT = """### A kit taught from three single hits

One hit of each drum is cut from its stem ({hit:g} s at most, where the drum is alone the longest), `learn_examples`
makes a kit of the three, and `transcribe_kit` finds them in the loop: onset F-measure at 50 ms.

{table}"""

NOTHING = """### Where there is nothing

How many notes are found in {seconds:g} s in which there are none. Levels are those of the root mean square.

{table}"""

LONG = """### Ten minutes of piano

A process of its own that reads `{name}` again and again and transcribes it, from start to exit: {seconds:.0f} s for
{length:.0f} s of sound ({share:.1f} %), {megabytes:.0f} MB at most; for a tenth of that {short:.0f} MB."""

ABSENT = "Skipped: there were no recordings of {}."


def our_drums(audio: uw.Audio) -> Notes:
    """Ours, nothing told."""
    from unweave.drums import transcribe_drums

    return transcribe_drums(audio)


def our_piano(audio: uw.Audio) -> Notes:
    """Ours, nothing told."""
    from unweave.pitched import transcribe_piano

    return transcribe_piano(audio)


def our_kit(audio: uw.Audio, hits: Mapping[str, uw.Audio]) -> Notes:
    """Ours, taught by one example of every drum."""
    from unweave.drums import transcribe_kit
    from unweave.training import learn_examples

    return transcribe_kit(audio, learn_examples(hits))


def notes(data: Path, quick: bool = False) -> str:
    """Drums, pianos, a taught kit, silence and noise, and a long recording."""
    found = recordings(data)
    chosen = {
        kind: [each for each in found if each.kind == kind][: 1 if quick else None] for kind in ("drums", "piano")
    }
    drums, pianos = chosen["drums"], chosen["piano"]
    parts = [
        DRUMS.format(table=drum_table(drums)) if drums else ABSENT.format("drums"),
        PIANO.format(table=piano_table(pianos), components=plain.COMPONENTS) if pianos else ABSENT.format("a piano"),
        taught(drums),
        nothing(1.0 if quick else 10.0),
        *([long_piano(pianos[0])] if pianos and not quick else []),
    ]
    return "\n\n".join(parts)


# ---------------------------------------------------------------- tables by file and by group


@dataclass(frozen=True)
class Column:
    """A heading, and how its values are written."""

    head: str
    form: str = ".3f"


def grouped(first: str, columns: Sequence[Column], rows: Sequence[tuple[Recording, Values]]) -> str:
    """A row for every recording, and below those of a group their mean; what a recording does not tell is a dash."""
    lines: list[tuple[str, ...]] = []
    for group in dict.fromkeys(recording.group for recording, _ in rows):
        mine = [(recording.name, values) for recording, values in rows if recording.group == group]
        lines += [(name, *_cells(columns, values)) for name, values in mine]
        means = [_mean(values) for values in zip(*(values for _, values in mine), strict=True)]
        lines.append((f"**mean of {group}**", *(f"**{cell}**" for cell in _cells(columns, means))))
    return table((first, *(column.head for column in columns)), lines)


def _cells(columns: Sequence[Column], values: Values) -> list[str]:
    return ["–" if value is None else f"{value:{column.form}}" for column, value in zip(columns, values, strict=True)]


def _mean(values: Values) -> float | None:
    told = [value for value in values if value is not None]
    return float(np.mean(told)) if told else None


def _timed(method: Method, audio: uw.Audio) -> tuple[Notes, float]:
    """The notes, and the time that they took in percent of the length."""
    begin = time.perf_counter()
    found = method(audio)
    return found, 100 * (time.perf_counter() - begin) / max(audio.duration, 1e-9)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


TIMES = (Column("ρ", ".2f"), Column("late", "+.1f"), Column("off", ".1f"), Column("time %", ".1f"))


def drum_table(found: Sequence[Recording]) -> str:
    """Drums by file."""
    columns = [Column(head) for head in ("three", *THREE, "all", "plain: three")]
    columns += [TIMES[0], Column("ρ each", ".2f"), *TIMES[1:]]
    return grouped("recording", columns, [(recording, drum_values(recording)) for recording in found])


def drum_values(recording: Recording) -> Values:
    """The row of a recording of drums."""
    audio = recording.load()
    ours, share = _timed(our_drums, audio)
    three = score_labels(recording.notes, in_families(ours), THREE)
    every = score_labels(recording.notes, in_families(ours), FULL)
    other = score_labels(recording.notes, plain.drums(audio), THREE)
    each = _mean([score.velocity_correlation for score in every.by_label.values()])
    heard = every.together
    drums = [score.f_measure if score.n_true else None for score in three.by_label.values()]
    times = (_milliseconds(heard.median_error), _milliseconds(heard.median_absolute_error), share)
    return (
        three.f_measure,
        *drums,
        every.f_measure,
        other.f_measure,
        heard.velocity_correlation,
        each,
        *times,
    )


def piano_table(found: Sequence[Recording]) -> str:
    """Pianos by file."""
    heads = ("onsets", "precision", "recall", "with offsets", "plain: combs", "plain: unsupervised")
    columns = [*(Column(head) for head in heads), *TIMES]
    return grouped("recording", columns, [(recording, piano_values(recording)) for recording in found])


def piano_values(recording: Recording) -> Values:
    """The row of a recording of a piano."""
    audio = recording.load()
    ours, share = _timed(our_piano, audio)
    score = score_pitches(recording.notes, ours)
    plains = [score_pitches(recording.notes, method(audio)) for method in (plain.piano_combs, plain.piano_blind)]
    return (
        score.f_measure,
        score.precision,
        score.recall,
        score_pitches(recording.notes, ours, offsets=True).f_measure,
        *(each.f_measure for each in plains),
        score.velocity_correlation,
        _milliseconds(score.median_error),
        _milliseconds(score.median_absolute_error),
        share,
    )


# ---------------------------------------------------------------- a taught kit


def single_hit(stem: uw.Audio, onsets: Sequence[float]) -> uw.Audio:
    """The hit that is alone the longest, from 5 ms before its onset; it fades out over its last 5 ms."""
    times = np.sort(np.append(np.asarray(onsets), stem.duration))
    alone = int(np.argmax(np.minimum(np.diff(times), HIT)))
    edge = 0.005
    begin, end = max(0.0, times[alone] - edge), min(times[alone] + HIT, times[alone + 1] - edge)
    first, last = round(begin * stem.sample_rate), round(end * stem.sample_rate)
    sound = stem.samples[:, first : max(last, first + 1)].copy()
    n = min(sound.shape[1], round(edge * stem.sample_rate))
    sound[:, sound.shape[1] - n :] *= np.linspace(1, 0, n, dtype=np.float32)
    return uw.Audio(sound, stem.sample_rate)


def taught(found: Sequence[Recording]) -> str:
    """Kits that are taught from three hits of the loop's own stems."""
    rows = [(recording, taught_values(recording)) for recording in found if set(THREE) <= set(recording.stems)]
    if not rows:
        return ABSENT.format("drums with stems, of which a kit could be taught")
    columns = [Column(head) for head in ("three", *THREE)]
    return TAUGHT.format(hit=HIT, table=grouped("recording", columns, rows))


def taught_values(recording: Recording) -> Values:
    """The row of a recording with stems."""
    hits = {
        name: single_hit(
            uw.load(str(recording.stems[name])), [note.onset for note in recording.notes if note.label == name]
        )
        for name in THREE
    }
    scores = score_labels(recording.notes, our_kit(recording.load(), hits), THREE)
    return (scores.f_measure, *(score.f_measure for score in scores.by_label.values()))


# ---------------------------------------------------------------- nothing, and much


def empty_sounds(seconds: float, sample_rate: int = 44100) -> dict[str, uw.Audio]:
    """Silence, and noise of two colours and two levels."""
    n = round(seconds * sample_rate)
    white = np.random.default_rng(0).standard_normal(n)
    spectrum = np.fft.rfft(white)
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(spectrum.size), 1)), n)
    levels = {"silence": 0 * white}
    for name, sound in (("white noise", white), ("pink noise", pink)):
        for level in (-20, -60):
            levels[f"{name}, {level} dB"] = sound / np.sqrt(np.mean(sound**2)) * 10 ** (level / 20)
    return {name: uw.Audio(sound.astype(np.float32), sample_rate) for name, sound in levels.items()}


def nothing(seconds: float) -> str:
    """Notes found in silence and in noise."""
    rows = [(name, len(our_drums(sound)), len(our_piano(sound))) for name, sound in empty_sounds(seconds).items()]
    return NOTHING.format(seconds=seconds, table=table(("sound", "as drums", "as a piano"), rows))


def long_piano(recording: Recording) -> str:
    """Time and memory of a recording that is repeated until it lasts ten minutes."""
    sound = recording.load()
    with tempfile.TemporaryDirectory() as folder:
        costs = {}
        for seconds in (60.0 * MINUTES, 6.0 * MINUTES):
            path = Path(folder) / f"{seconds:g}.wav"
            _repeat(path, sound, seconds)
            costs[seconds] = process([sys.executable, __file__, str(path)])
    most, least = costs.values()
    return LONG.format(
        name=recording.name,
        seconds=most.seconds,
        length=60 * MINUTES,
        share=100 * most.seconds / (60 * MINUTES),
        megabytes=most.megabytes,
        short=least.megabytes,
    )


def _repeat(path: Path, sound: uw.Audio, seconds: float) -> None:
    left = round(seconds * sound.sample_rate)
    with AudioWriter(path, sound.sample_rate, sound.n_channels, left) as writer:
        while left:
            block = sound.samples[:, :left]
            writer.write(block)
            left -= block.shape[1]


if __name__ == "__main__":
    print(len(our_piano(uw.load(sys.argv[1]))))
