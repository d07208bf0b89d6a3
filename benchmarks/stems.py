"""Stems of recordings with ground truth: `python benchmarks/quality.py stems [--data DIR] [--whole]`.

`tracks.py` finds the recordings, in two layouts; `plainstems.py` has what ours are held against, measured in the same
run; `unweave.evaluation` counts. `python benchmarks/stems.py FILE` takes one song apart and writes nothing.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import plainstems as plain
import unweave as uw
from clock import process
from notes import ABSENT, Column, Values, grouped
from page import Section, table, verdict
from tracks import KINDS, MUSDB_SECONDS, TRAIN_SECONDS, Track, tracks, training
from unweave.audio import AudioWriter
from unweave.evaluation import FLOOR, Match, score_stems
from unweave.examples import suited_stft

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Sounds = Mapping[str, uw.Audio]
Scores = dict[str, float | None]

MINUTE = 60.0
SEEDS = 5
ABOVE = 3.0  # dB by example above blind that songs should reach
QUICK = 8.0  # seconds of a recording in quick runs
TRAINED = 12  # tracks of train/ that dictionaries are learned from
EXEMPLARS = 16  # of each stem of each of them
TAUGHT = "unweave, dictionaries of train/"

INTRODUCTION = """SI-SDR in dB over all channels and samples, floored at {floor:g}; means are over stems. A stem is held
against the true one of its name, and is silent where a method gives none; true stems that are silent do not count.
Nothing is told but of which kind a recording is, and what a name says: **(p)** is given the best permutation, **(o)**
the true stems themselves. All was measured in one run. Scores of **(p)** are means over {seeds} random starts, for one
alone may be good or bad luck. Plain ways and ideal masks have transforms of 2048 samples and a hop of 512. Ours have
others, so these masks are no strict ceiling for them.{musdb}{taught}{heard}"""

MUSDB = " Of MUSDB18-HQ test/ is scored{part}."

BY_TRAIN = """ '{name}' knows {bases} exemplars of each stem, from {seconds:g} s of each of {count} tracks of
its train/ part, chosen at random: {tracks}."""

HEARD = """

† is no held-out recording for us: nothing was learned from it, but our templates and networks were learned from other
music with the same sound fonts (`templates/README.md`). The plain ways have learned nothing."""

BLIND = """### {heading}

By recording, and by stem for ours; time is ours, in percent of the length.

{files}

By stem: means over these recordings.

{stems}"""

EXAMPLE = """### {heading} by example

The true stems of the first half are the examples, and the second half is taken apart by them. 'Blind' is the second
half of what was found with nothing told; time is that of learning and of separating, in percent of that half.

{files}

Above blind: {gain:+.2f} dB on average{verdict}."""

COST = """### A minute of a song

A process of its own that loads {seconds:g} s of stereo, `{name}` again and again, and takes it apart, from start to
exit: {took:.1f} s, which is {share:.0f} % of its length ({time_verdict}), and {megabytes:.0f} MB at most
({memory_verdict})."""

HEADINGS = {"drums": "Drums", "song": "Songs"}


@dataclass(frozen=True)
class Way:
    """A way to stems: a method that is given the recording and the true stems, and how these are paired."""

    method: Callable[..., Sounds]  # takes a seed as well where the best permutation is given
    match: Match = "name"
    kinds: Sequence[str] = tuple(KINDS)


def _numbered(
    method: Callable[[uw.Audio, int, int], list[uw.Audio]], mix: uw.Audio, true: Sounds, seed: int = 0
) -> Sounds:
    """Components by number, as many as there are stems."""
    return {str(k): part for k, part in enumerate(method(mix, seed, len(true)))}


WAYS = {
    "mixture": Way(plain.handed_back),
    "librosa.decompose (p)": Way(partial(_numbered, plain.librosa_notebook), "best"),
    "scikit-learn (p)": Way(partial(_numbered, plain.scikit_learn), "best"),
    "scikit-learn, 16 grouped (o)": Way(plain.grouped_by_truth),
    "HPSS, low band": Way(plain.percussive_low_rest, kinds=("song",)),
    "HPSS, low band, REPET-SIM": Way(plain.returning, kinds=("song",)),
    "ratio mask, magnitudes (o)": Way(plain.ideal(1)),
    "ratio mask, powers (o)": Way(plain.ideal(2)),
}


def ours(mix: uw.Audio, kind: str) -> Sounds:
    """Ours, nothing told."""
    from unweave.stems import separate

    return {name: stem.audio for name, stem in separate(mix, kind).items()}  # type: ignore[arg-type]


def ours_by_example(mix: uw.Audio, examples: uw.Dictionary | Mapping[str, uw.Audio | None]) -> Sounds:
    """Ours, with examples of every stem; None where there is none."""
    from unweave.stems import separate

    return {name: stem.audio for name, stem in separate(mix, examples).items()}


def stems(data: Path, quick: bool = False, whole: bool = False) -> Section:
    """Drums and songs, with nothing told and by example, and what a minute costs."""
    found, parts, means = tracks(data, whole), [], {}
    part = "" if whole else f", {MUSDB_SECONDS:g} s from the middle of each track"
    musdb = MUSDB.format(part=part) if any(each.of_musdb for each in found) else ""
    learned = training(data, 1 if quick else TRAINED) if musdb else []
    known = dictionary_of(learned)
    heard = HEARD if any(each.heard for each in found) else ""
    taught = "" if known is None else told_of(learned, known)
    parts.append(INTRODUCTION.format(floor=FLOOR, seeds=SEEDS, musdb=musdb, taught=taught, heard=heard))
    found = [replace(each, name=f"{each.name} †") if each.heard else each for each in found]
    for kind, heading in HEADINGS.items():
        chosen = [each for each in found if each.kind == kind]
        if quick:
            chosen = [replace(each, seconds=QUICK) for each in chosen[:1]]
        if not chosen:
            parts.append(f"### {heading}\n\n" + ABSENT.format(f"{heading.lower()} with stems"))
            continue
        results = [(each, measured(each, known if each.of_musdb else None)) for each in chosen]
        means[heading] = {name: _mean([_way_mean(r, name) for _, r in results]) for name in _ways(kind, results)}
        parts += [
            BLIND.format(heading=heading, files=file_table(kind, results), stems=stem_table(kind, results)),
            example_part(kind, results),
        ]
        if kind == "song" and not quick:
            parts.append(minute(chosen[0]))
    return "\n\n".join(parts), picture(means) if means else None


# ---------------------------------------------------------------- one recording


@dataclass(frozen=True)
class Measured:
    """What was found of a recording: scores by way and stem, and time in percent of the length."""

    scores: Mapping[str, Scores]
    share: float
    example: Scores
    blind: Scores  # the same half
    example_share: float | None


Results = Sequence[tuple[Track, Measured]]


def _ways(kind: str, results: Results = ()) -> list[str]:
    taught = [TAUGHT] if any(TAUGHT in each.scores for _, each in results) else []
    return ["unweave", *taught, *(name for name, way in WAYS.items() if kind in way.kinds)]


def _way_mean(each: Measured, way: str) -> float | None:
    return _mean(each.scores.get(way, {}).values())


def dictionary_of(chosen: Sequence[Track]) -> uw.Dictionary | None:
    """Exemplars of the stems of some tracks, a track at a time, so that memory does not grow with their number."""
    from unweave.exemplars import pick_examples

    found: list[uw.Dictionary] = []
    for track in chosen:
        mix, true = track.load()
        settings = found[0].stft if found else suited_stft(mix)
        found += [pick_examples({name: sound}, EXEMPLARS, stft=settings) for name, sound in true.items()]
    return uw.Dictionary.merge(*found) if found else None


def told_of(chosen: Sequence[Track], known: uw.Dictionary) -> str:
    """What the dictionary was learned from."""
    names = ", ".join(each.path.parent.name for each in chosen)
    bases = max(known.labels.count(name) for name in known.labels)
    return BY_TRAIN.format(name=TAUGHT, bases=bases, seconds=TRAIN_SECONDS, count=len(chosen), tracks=names)


def measured(track: Track, known: uw.Dictionary | None = None) -> Measured:
    """All ways on one recording, one after the other; with a dictionary that one, too."""
    mix, true = track.load()
    begin = time.perf_counter()
    found = ours(mix, track.kind)
    share = _percent(begin, mix)
    scores = {"unweave": scored(true, found)}
    for name in _ways(track.kind)[1:]:
        scores[name] = other(WAYS[name], mix, true)
    if known is not None:
        scores[TAUGHT] = scored(true, ours_by_example(mix, known))
    return Measured(scores, share, *by_example(mix, true, found))


def scored(true: Sounds, found: Sounds, match: Match = "name") -> Scores:
    """SI-SDR of every true stem; one that was not found is silent."""
    if match == "name":
        found = {name: found[name] if name in found else _silent(sound) for name, sound in true.items()}
    return {each.name: each.si_sdr for each in score_stems(true, found, match=match, bss=False)}


def _silent(sound: uw.Audio) -> uw.Audio:
    return uw.Audio(np.zeros_like(sound.samples), sound.sample_rate)


def other(way: Way, mix: uw.Audio, true: Sounds) -> Scores:
    """Scores of another way, means over starts where it has any; none where what it needs is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peers say that they have not converged
            if way.match == "name":
                return scored(true, way.method(mix, true))
            runs = [scored(true, way.method(mix, true, seed=seed), way.match) for seed in range(SEEDS)]
            return {name: _mean([run[name] for run in runs]) for name in true}
    except ImportError:
        return dict.fromkeys(true)


def by_example(mix: uw.Audio, true: Sounds, found: Sounds) -> tuple[Scores, Scores, float | None]:
    """Scores of the second half by example and blind, and the time of the former in percent; nothing without any."""
    middle = mix.n_samples // 2
    examples = {name: sound for name, sound in _cut(true, 0, middle).items() if sound.peak > 0}
    half = {name: sound for name, sound in _cut(true, middle, mix.n_samples).items() if sound.peak > 0}
    if not examples or not half:
        return {}, {}, None
    sound = _cut({"mix": mix}, middle, mix.n_samples)["mix"]
    begin = time.perf_counter()
    taught = ours_by_example(sound, {name: examples.get(name) for name in true})
    share = _percent(begin, sound)
    return scored(half, taught), scored(half, _cut(found, middle, mix.n_samples)), share


def _cut(sounds: Sounds, first: int, last: int) -> dict[str, uw.Audio]:
    return {name: uw.Audio(sound.samples[:, first:last], sound.sample_rate) for name, sound in sounds.items()}


def _percent(begin: float, sound: uw.Audio) -> float:
    return 100 * (time.perf_counter() - begin) / max(sound.duration, 1e-9)


# ---------------------------------------------------------------- tables and the picture

DECIBELS = ".2f"


def _mean(values: object) -> float | None:
    told = [value for value in values if value is not None]  # type: ignore[attr-defined]
    return float(np.mean(told)) if told else None


def _names(kind: str, results: Results) -> list[str]:
    """The stems that any of the recordings has, in order."""
    return [name for name in KINDS[kind] if any(name in each.scores["unweave"] for _, each in results)]


def file_table(kind: str, results: Results) -> str:
    """Means by recording: ours, by stem as well, and all other ways."""
    names, (first, *others) = _names(kind, results), _ways(kind, results)
    columns = [Column(head, DECIBELS) for head in (first, *names, *others)] + [Column("time %", ".1f")]
    rows = [(track, _file_values(each, names, others)) for track, each in results]
    return grouped("recording", columns, rows)  # type: ignore[arg-type]


def _file_values(each: Measured, names: Sequence[str], others: Sequence[str]) -> Values:
    mine = each.scores["unweave"]
    return (
        _mean(mine.values()),
        *(mine.get(name) for name in names),
        *(_way_mean(each, name) for name in others),
        each.share,
    )


def stem_table(kind: str, results: Results) -> str:
    """Means over the recordings by way and stem; the last column is the mean of the recordings' means."""
    names, rows = _names(kind, results), []
    for way in _ways(kind, results):
        values = [_mean([each.scores.get(way, {}).get(name) for _, each in results]) for name in names]
        values.append(_mean([_way_mean(each, way) for _, each in results]))
        rows.append((way, *("–" if value is None else f"{value:.2f}" for value in values)))
    return table(("way", *names, "mean"), rows)


def example_part(kind: str, results: Results) -> str:
    """The second halves by example, beside what was found blind."""
    heading = f"### {HEADINGS[kind]} by example"
    told = [(track, each) for track, each in results if each.example]
    if not told:
        return f"{heading}\n\n" + ABSENT.format("which both halves have stems")
    names = _names(kind, told)
    heads = ("by example", *names, "blind", *(f"blind: {name}" for name in names), "above")
    columns = [Column(head, DECIBELS) for head in heads] + [Column("time %", ".1f")]
    rows = [(track, _example_values(each, names)) for track, each in told]
    gain = float(np.mean([values[-2] for _, values in rows if values[-2] is not None]))
    files = grouped("recording", columns, rows)  # type: ignore[arg-type]
    aim = f"; aimed at {verdict(gain, ABOVE, ' dB')}" if kind == "song" else ""
    return EXAMPLE.format(heading=HEADINGS[kind], files=files, gain=gain, verdict=aim)


def _example_values(each: Measured, names: Sequence[str]) -> Values:
    taught, blind = _mean(each.example.values()), _mean(each.blind.values())
    above = None if taught is None or blind is None else taught - blind
    ours_by_name, blind_by_name = ([scores.get(name) for name in names] for scores in (each.example, each.blind))
    return taught, *ours_by_name, blind, *blind_by_name, above, each.example_share


def picture(means: Mapping[str, Mapping[str, float | None]]) -> Figure:
    """Bars of the means of every way."""
    from drawing import GREY, INK, label, panels

    figure, axes = panels(len(means), 2.8)
    for ax, (heading, each) in zip(axes, means.items(), strict=True):
        shown = [(name, value) for name, value in reversed(each.items()) if value is not None]
        values = [value for _, value in shown]
        ink = [INK["unweave"] if name == "unweave" else GREY for name, _ in shown]
        bars = ax.barh([name for name, _ in shown], values, color=ink, height=0.7)
        ax.bar_label(bars, [f"{value:.1f}" for value in values], fontsize=8, padding=3)
        ax.margins(x=0.2)
        ax.grid(visible=False, axis="y")
        label(ax, heading, "mean SI-SDR, dB", "")
    return figure


# ---------------------------------------------------------------- a minute


def minute(track: Track, seconds: float = MINUTE) -> str:
    """Time and memory of a song that is repeated until it lasts a minute, in a process of its own."""
    mix, _ = track.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minute.wav"
        left = round(seconds * mix.sample_rate)
        with AudioWriter(path, mix.sample_rate, 2, left) as writer:
            while left:
                block = mix.samples[[0, -1], :left]  # one channel is written twice
                writer.write(block)
                left -= block.shape[1]
        cost = process([sys.executable, __file__, str(path)])
    share = 100 * cost.seconds / seconds
    return COST.format(
        seconds=seconds,
        name=track.name,
        took=cost.seconds,
        share=share,
        time_verdict=verdict(share, 100, " %", most=True),
        megabytes=cost.megabytes,
        memory_verdict=verdict(cost.megabytes, 2048, " MB", most=True),
    )


if __name__ == "__main__":
    print(", ".join(ours(uw.load(sys.argv[1]), "song")))
