"""Whole processes against the length of the recording: ten seconds to an hour of 44.1 kHz stereo."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from clock import Cost, median_cost, unweave_process
from drawing import aim, label, line, panels, ticks, upright
from material import RATE, record
from page import Section, table, verdict
from processes import decomposed

SECONDS = (10.0, 60.0, 300.0, 1200.0, 3600.0)
LONG = 600.0  # what is longer is measured once, and left out with --no-hour
ITERATIONS = 200
FIVE, HOUR = 300.0, 3600.0
TARGETS = {FIVE: (25.0, 1.5), HOUR: (None, 4.0)}  # seconds, gigabytes
LINEAR = 1.25  # the time of a second of an hour, over that of a second of five minutes

TEXT = """44.1 kHz stereo, `unweave decompose … -k 8 --n-fft 2048 --hop-length 512 --restarts 1 --max-iter {n} --tol 0
--no-pictures --no-page`: {n} iterations from one start, eight stereo parts written as float wav. Whole processes,
from start to exit; medians of {repeats} runs, one where they are longer than ten minutes.

{table}
{more}"""


def lengths(quick: bool = False, hour: bool = True) -> Section:
    """Time and memory of whole processes from ten seconds to an hour."""
    chosen = (1.0, 2.0) if quick else tuple(each for each in SECONDS if hour or each <= LONG)
    n, repeats = (5, 1) if quick else (ITERATIONS, 3)
    found: dict[float, Cost] = {}
    notes = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seconds in chosen:
            if _bytes(seconds) > shutil.disk_usage(folder).free:
                notes.append(f"{_name(seconds)}: left out, since {_bytes(seconds) / 1e9:.0f} GB of disk are not free.")
                continue
            path = record(folder / "recording.wav", seconds)
            times = 1 if seconds > LONG else repeats
            found[seconds] = median_cost([decomposed(path, folder / "parts", n) for _ in range(times)])
            if seconds == min(max(chosen), FIVE):
                notes.append(_as_it_comes(path, folder / "parts", seconds))
            path.unlink()
    rows = [_row(seconds, cost) for seconds, cost in found.items()]
    if FIVE in found and HOUR in found:
        growth = found[HOUR].seconds / HOUR / (found[FIVE].seconds / FIVE)
        told = verdict(growth, LINEAR, most=True)
        notes.insert(0, f"A second of an hour takes {growth:.2f} times as long as one of five minutes ({told}).")
    head = ("recording", "time", "target", "peak memory", "target", "time a minute")
    more = "".join(f"\n{note}\n" for note in notes)
    return TEXT.format(n=n, repeats=repeats, table=table(head, rows), more=more).rstrip(), _picture(found)


def _bytes(seconds: float) -> float:
    """Disk that a recording and its eight parts need, float stereo, with something to spare."""
    return 1.1 * 10 * 8 * RATE * seconds


def _name(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min" if seconds < HOUR else f"{seconds / HOUR:g} h"


def _row(seconds: float, cost: Cost) -> tuple[str, ...]:
    most_seconds, most_gigabytes = TARGETS.get(seconds, (None, None))
    gigabytes = cost.megabytes / 1024
    return (
        _name(seconds),
        f"{cost.seconds:.1f} s",
        verdict(cost.seconds, most_seconds, " s", most=True) if most_seconds else "–",
        f"{gigabytes:.2f} GB",
        verdict(gigabytes, most_gigabytes, " GB", most=True) if most_gigabytes else "–",
        f"{60 * cost.seconds / seconds:.1f} s",
    )


def _as_it_comes(path: Path, out: Path, seconds: float) -> str:
    """One run with the defaults: a search over starts, as many iterations as are needed, pictures and a page."""
    cost = unweave_process("decompose", path, "-k", 8, "--quiet", "--overwrite", "--out", out)
    shutil.rmtree(out, ignore_errors=True)
    return (
        f"For comparison, {_name(seconds)} with every default (`unweave decompose … -k 8`: several starts, as many "
        f"iterations as it takes, pictures, a page): {cost.seconds:.1f} s, {cost.megabytes / 1024:.2f} GB, one run."
    )


def _picture(found: dict[float, Cost]) -> object:
    figure, (left, right) = panels(2)
    seconds = list(found)
    line(left, "unweave", seconds, [cost.seconds for cost in found.values()])
    upright(left)
    line(right, "unweave", seconds, [cost.megabytes / 1024 for cost in found.values()])
    upright(right)
    if HOUR in found:
        right.set_ylim(0.05, 8)
        right.set_yticks([0.1, 0.2, 0.5, 1, 2, 4])
        right.minorticks_off()
        aim(right, 4.0, "target for an hour")
    for ax in (left, right):
        ticks(ax, seconds, [_name(each) for each in seconds])
    label(left, "Whole process, 200 iterations, 8 parts", "stereo recording", "seconds")
    label(right, "Peak memory", "stereo recording", "GB")
    return figure
