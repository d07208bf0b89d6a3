"""librosa's own tests of its `decompose`, with `unweave.NMF` wherever it takes or makes a factorisation.

The tests are those of a checkout of librosa, or of its source archive: `tests/test_decompose.py`, run as they are.
Only `sklearn.decomposition.NMF` is exchanged while they run, which the tests hand in as transformer and which librosa
makes when it is given none. The librosa that is asked is the one that is installed: take the tests of its version.

    python benchmarks/librosa_suite.py PATH/TO/tests/test_decompose.py          counts: ran, passed, failed, excluded
    python benchmarks/librosa_suite.py PATH/TO/tests/test_decompose.py -k sort  the same for some tests

Nothing is excluded but what needs recordings that are not in ``tests/data``: they are not in librosa's source archive,
and its repository keeps them in a submodule. These tests ask of median filters, not of factorisations.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from unweave import NMF

RECORDINGS = {"y22050": "test1_22050.wav", "s_multi": "test1_44100.wav"}
"""The fixtures that read a recording, and which."""


class Count:
    """A plugin of pytest that leaves out what lacks its recording, and counts the rest and who took our class."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.outcomes: Counter[str] = Counter()
        self.excluded: Counter[str] = Counter()
        self.failed: list[str] = []
        self.taken: set[str] = set()
        self.asked = ""

    def reason(self, item: pytest.Item) -> str:
        """Why a test is not asked, or nothing."""
        needed = (name for fixture, name in RECORDINGS.items() if fixture in getattr(item, "fixturenames", ()))
        return next((f"{name} is not in tests/data" for name in needed if not (self.data / name).exists()), "")

    def stand_in(self, *args: Any, **options: Any) -> NMF:
        """What is called in the place of scikit-learn's class."""
        self.taken.add(self.asked)
        return NMF(*args, **options)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the excluded ones."""
        out = [item for item in items if self.reason(item)]
        self.excluded.update(map(self.reason, out))
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Know which test is asked."""
        self.asked = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test came to."""
        if report.when == "call" or report.outcome != "passed":
            refused = report.outcome == "skipped" and hasattr(report, "wasxfail")
            self.outcomes["passed by being refused, as they ask" if refused else report.outcome] += 1
            if report.failed:
                self.failed.append(f"{report.nodeid.partition('::')[2]}: {report.longrepr}")


@contextlib.contextmanager
def exchanged(count: Count) -> Iterator[None]:
    """Our class in the place of theirs, for librosa and for its tests."""
    import sklearn.decomposition

    with mock.patch.object(sklearn.decomposition, "NMF", count.stand_in):
        yield


def run(path: Path, select: str = "") -> Count:
    """Run the tests; the count."""
    checkout = path.resolve().parents[1]
    count = Count(checkout / "tests" / "data")
    options = ["-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={checkout}", "-o", "xfail_strict=true"]
    # They read 'tests/data/…' from where they are run.
    with contextlib.chdir(checkout), contextlib.redirect_stdout(io.StringIO()), exchanged(count):
        pytest.main([*options, "-k", select, str(path.resolve())], plugins=[count])
    return count


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tests", type=Path, help="tests/test_decompose.py of a checkout of librosa")
    parser.add_argument("-k", default="", help="only tests whose names say this, as pytest's -k")
    asked = parser.parse_args()
    if not (asked.tests.is_file() and (asked.tests.parent / "test_core.py").is_file()):
        sys.exit(f"{asked.tests} is not librosa's tests/test_decompose.py, with test_core.py beside it.")
    if find_spec("librosa") is None:
        sys.exit("librosa is not installed, whose tests these are: pip install librosa.")
    count = run(asked.tests, asked.k)
    for failure in count.failed:
        print(f"{failure}\n")
    print(f"librosa {version('librosa')}:", ", ".join(f"{n} {word}" for word, n in sorted(count.outcomes.items())))
    print(f"{len(count.taken)} of them took unweave.NMF")
    print(f"{count.excluded.total()} excluded:")
    for why, number in count.excluded.items():
        print(f"  {number:3} {why}")
    sys.exit(bool(count.failed) or not count.outcomes)


if __name__ == "__main__":
    main()
