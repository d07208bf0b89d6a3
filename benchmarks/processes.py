"""Whole processes, from start to exit: what somebody waits for who types a command."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import unweave as uw
from clock import Cost, median_cost, process, unweave_process
from material import record
from page import SHARED, Section, table
from peers import available
from unweave.synthesis import drum_loop

FLUID = "fluid-nmf"

SMALL = """Medians of {repeats} runs, from start to exit, taken in turn; the most memory of them. The recording lasts
{duration:.1f} s.

{small}"""

MINUTE = """{seconds:g} s of 44.1 kHz in one channel, 8 components, 2048 / 512, {iterations} Kullback-Leibler
iterations from one random start; medians of {repeats} runs. Ours and FluCoMa's write eight parts; scikit-learn's is a
script that loads the file, transforms it by scipy and factorises it in float32, and writes nothing.

{minute}"""

SCRIPT = """
import sys, warnings
import numpy as np, scipy.signal, soundfile
from sklearn.decomposition import NMF
warnings.simplefilter("ignore")
x, rate = soundfile.read(sys.argv[1], dtype="float32")
_, _, X = scipy.signal.stft(x, rate, nperseg=2048, noverlap=1536)
V = np.ascontiguousarray(np.abs(X), np.float32)
model = NMF(8, init="random", solver="mu", beta_loss=1, max_iter=int(sys.argv[2]), tol=0, random_state=0)
W = model.fit_transform(V)
"""


def processes(quick: bool = False) -> Section:
    """Small commands, and a minute beside other programs."""
    with tempfile.TemporaryDirectory() as folder:
        return f"{_small(Path(folder), quick)}\n\n{_minute(Path(folder), quick)}", None


def _small(folder: Path, quick: bool) -> str:
    recording = SHARED / "data" / "drums_1" / "mix.flac"
    if not recording.exists():
        recording = folder / "loop.flac"
        uw.save(recording, drum_loop()["mix"], gain=0.9)
    decompose = ("-m", "unweave", "decompose", str(recording), "-k", "3", "--overwrite", "--quiet", "--out")
    commands = {
        f"unweave decompose {recording.name} -k 3 --no-pictures": (*decompose, f"{folder}/a", "--no-pictures"),
        f"unweave decompose {recording.name} -k 3": (*decompose, f"{folder}/b"),
        "unweave --help": ("-m", "unweave", "--help"),
        "python -c 'import unweave'": ("-c", "import unweave"),
        "python -c 'import numpy, scipy.fft'": ("-c", "import numpy, scipy.fft"),
    }
    if quick:
        commands.pop(f"unweave decompose {recording.name} -k 3")
    repeats = 1 if quick else 5
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for turn in range(repeats + (not quick)):  # the first turn warms up
        for name, line in commands.items():
            cost = process([sys.executable, *line])
            if turn or quick:
                found[name].append(cost)
    rows = [(f"`{name}`", *_cells(median_cost(costs))) for name, costs in found.items()]
    duration = uw.load(recording).duration
    return SMALL.format(repeats=repeats, duration=duration, small=table(("process", "time", "peak memory"), rows))


def _minute(folder: Path, quick: bool) -> str:
    seconds, iterations, repeats = (2.0, 5, 1) if quick else (60.0, 200, 3)
    path = folder / "minute.wav"
    uw.save(path, _mono(record(folder / "stereo.wav", seconds)))
    ours: list[Cost] = []
    fluid: list[Cost | str] = []
    sklearn: list[Cost] = []
    for _ in range(repeats):
        ours.append(decomposed(path, folder / "ours", iterations))
        if available("sklearn"):
            sklearn.append(process([sys.executable, "-c", SCRIPT, str(path), str(iterations)]))
        fluid.append(_fluid(path, folder, iterations))
    rows = [
        ("`unweave decompose`, eight parts", *_cells(median_cost(ours))),
        ("scikit-learn, float32, no parts", *(_cells(median_cost(sklearn)) if sklearn else ("not installed", "–"))),
    ]
    costs = [each for each in fluid if isinstance(each, Cost)]
    told = next((each for each in fluid if isinstance(each, str)), "")
    rows.append((f"FluCoMa's `{FLUID}`, eight parts", *((told, "–") if told else _cells(median_cost(costs)))))
    head = ("process", "time", "peak memory")
    return MINUTE.format(seconds=seconds, iterations=iterations, repeats=repeats, minute=table(head, rows))


def decomposed(path: Path, out: Path, iterations: int, *more: str) -> Cost:
    """Just so many iterations from one start, eight parts written, no pictures and no page; they are then removed."""
    options = ("-k", 8, "--n-fft", 2048, "--hop-length", 512, "--restarts", 1, "--max-iter", iterations, "--tol", 0)
    try:
        return unweave_process(
            "decompose", path, *options, "--no-pictures", "--no-page", "--quiet", "--overwrite", "--out", out, *more
        )
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _mono(path: Path) -> uw.Audio:
    sound = uw.load(path)
    return uw.Audio(sound.samples[:1], sound.sample_rate)


def _fluid(path: Path, folder: Path, iterations: int) -> Cost | str:
    """FluCoMa's program, where it is on the path; it exits with 0 after errors too, so its file is looked for."""
    program = shutil.which(FLUID)
    if program is None:
        return "not on the path"
    out = folder / "fluid.wav"
    out.unlink(missing_ok=True)
    options = f"-resynthmode 1 -components 8 -iterations {iterations} -seed 0 -fftsettings 2048 512 2048 2048".split()
    begin = time.perf_counter()
    cost = process([program, "-source", str(path), "-resynth", str(out), *options])
    return cost if out.exists() else f"failed after {time.perf_counter() - begin:.0f} s"


def _cells(cost: Cost) -> tuple[str, str]:
    return f"{cost.seconds:.2f} s", f"{cost.megabytes:.0f} MB"
