"""The same work for every sound of a folder: in processes, resumable, one bad file for itself.

    FOLDER/drums/loop.wav  ─work(source, target)→  OUT/drums/loop/…      and OUT/manifest.json, summary.csv, log.jsonl

`process` walks a folder, hands the work on each file to an executor, puts every result into its place by one rename,
and writes a line into ``log.jsonl``. What the log says is done is not done again, as long as the bytes of the input,
the settings, the version of unweave and the files of the result are the same: so a run that was stopped, or killed,
goes on where it was.

Which files are reproducible. All results, ``manifest.json`` and ``summary.csv``: the same bytes after any number of
interruptions, for any number of jobs and in any order of completion. ``log.jsonl`` is not: it has a line for every
step, in the order in which they came, with the seconds that each file took.

What runs the work. An `Executor` is whatever has ``submit`` and ``shutdown`` as those of `concurrent.futures`:
`Processes` on this machine, `Serial` in this process, and for a cluster what its library offers in this form (Dask's
``client.get_executor()``, ``MPIPoolExecutor``), where the folders are on a disk that all machines see.

Examples
--------
>>> import tempfile
>>> from pathlib import Path
>>> from unweave.audio import save
>>> from unweave.synthesis import drum_loop
>>> def work(source, target):
...     target.mkdir(parents=True)
...     (target / "size.txt").write_text(str(source.stat().st_size))
>>> with tempfile.TemporaryDirectory() as folder:
...     (Path(folder) / "in").mkdir()
...     save(Path(folder) / "in" / "loop.wav", drum_loop(n_bars=1)["mix"])
...     process(f"{folder}/in", f"{folder}/out", work)
Report(1 done, 0 failed)
"""

from unweave.corpus.executor import Executor, Pending, Serial
from unweave.corpus.folder import Found, find_sounds, places
from unweave.corpus.processes import Processes, memory_of_machine
from unweave.corpus.run import Progress, process
from unweave.corpus.summary import Entry, Report
from unweave.corpus.task import Work

__all__ = [
    "Entry",
    "Executor",
    "Found",
    "Pending",
    "Processes",
    "Progress",
    "Report",
    "Serial",
    "Work",
    "find_sounds",
    "memory_of_machine",
    "places",
    "process",
]
