"""Speed and memory beside peers, in one run on one input: `make bench`.

python benchmarks/bench.py                       everything; docs/bench.md and docs/bench/*.png
python benchmarks/bench.py iterations scaling    these sections alone; the page keeps the others
python benchmarks/bench.py rules                 rules beside each other, which is measured only when it is named
python benchmarks/bench.py --no-hour             without recordings of 20 minutes and an hour
python benchmarks/bench.py --quick               seconds instead of minutes: does every part work? Writes nothing
"""

from __future__ import annotations

import sys

from sections import Page, Source

PREAMBLE = """# Speed

Written by `make bench`; nobody types figures here. `python benchmarks/bench.py NAME …` measures single sections anew.

Times are medians; what is compared was measured in turn, on the same input, with as many threads as each program takes
by itself. A ratio is their time over ours: more is better for us. Every section says when and where it was measured."""

PAGE = Page(
    "bench",
    PREAMBLE,
    {
        "processes": Source("Whole processes", "processes"),
        "lengths": Source("Cost against length", "lengths"),
        "iterations": Source("One iteration", "iterations"),
        "components": Source("Cost against the number of components", "components"),
        "scaling": Source("Threads", "scaling"),
        "memory": Source("Memory beside peers", "memory"),
        "reach": Source("Time to a divergence", "reach"),
        "euclidean": Source("Time to the error of coordinate descent", "reach", "euclidean"),
        "rules": Source("Update rules beside each other", "rules", asked=True),
        "taps": Source("Bases of several frames", "taps"),
        "live": Source("Live", "live"),
        "crossing": Source("One sound made of another", "crossing"),
        "hpss": Source("Harmonic and percussive", "hpss", "speed"),
    },
)

if __name__ == "__main__":
    sys.exit(PAGE.main(__doc__))
