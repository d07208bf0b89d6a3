"""The measuring scripts run: the cheap sections at tiny sizes, and what puts them on a page."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
OWN = sorted(path.stem for path in BENCHMARKS.glob("*.py"))

CHEAP = ("iterations", "components", "scaling", "reach", "euclidean", "rules", "taps", "memory")
DRAWN = {"iterations", "components", "scaling", "reach", "euclidean", "memory"}


def run_script(name: str, *arguments: object) -> str:
    """A measuring script in a process of its own, as `make` starts it."""
    line = [sys.executable, str(BENCHMARKS / name), *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a module beside the scripts; none of them stays imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name in OWN:
            del sys.modules[name]


# ---------------------------------------------------------------- whole scripts


def test_the_cheap_sections_of_the_speed_page_run_in_little(tmp_path: Path) -> None:
    run_script("bench.py", "--quick", "--out", tmp_path, *CHEAP)
    page = (tmp_path / "bench.md").read_text("utf-8")
    assert "failed" not in page
    assert [name for name in CHEAP if f"<!-- section {name} -->" not in page] == []
    assert {path.stem for path in (tmp_path / "bench").glob("*.png")} == DRAWN


def test_the_cheap_sections_of_the_quality_page_run_in_little(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("peak memory is not told here")
    told = run_script("quality.py", "--quick", "counts", "hours", "--data", tmp_path)
    assert "| knee |" in told
    assert "`OnlineNMF`" in told


def test_quick_runs_write_nothing_unless_asked_to() -> None:
    page = BENCHMARKS.parent / "docs" / "bench.md"
    before = page.read_bytes()
    run_script("bench.py", "--quick", "rules")
    assert page.read_bytes() == before


def test_a_section_that_is_not_there_is_refused_by_name() -> None:
    line = [sys.executable, str(BENCHMARKS / "bench.py"), "--quick", "colour"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no section colour" in done.stderr


# ---------------------------------------------------------------- pages


def page_of(sections: Any, *functions: Any) -> Any:
    """A page whose sections are these functions."""

    class Given:
        def __init__(self, function: Any) -> None:
            self.heading, self.module, self.measured = function.__name__.title(), "sections", function

    return sections.Page("page", "# Page", {function.__name__: Given(function) for function in functions})


def test_a_section_measured_anew_replaces_that_one_only(scripts: Any, tmp_path: Path) -> None:
    sections = scripts("sections")
    values = iter("1234")

    def one(**_: object) -> str:
        return f"value {next(values)}"

    def two(**_: object) -> str:
        return f"value {next(values)}"

    page = page_of(sections, one, two)
    assert page.run(["two", "one"], tmp_path)
    assert page.run(["two"], tmp_path)
    found = sections.find((tmp_path / "page.md").read_text("utf-8"))
    assert list(found) == ["one", "two"]
    assert "value 2" in found["one"]
    assert "value 3" in found["two"]


def test_a_section_that_fails_is_named_and_the_others_are_kept(scripts: Any, tmp_path: Path) -> None:
    def good(**_: object) -> str:
        return "measured"

    def bad(**_: object) -> str:
        raise ValueError("no\nreason")

    def later(**_: object) -> str:
        return "measured too"

    assert not page_of(scripts("sections"), good, bad, later).run(["good", "bad", "later"], tmp_path)
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "## Bad\n\n**This section failed**: `ValueError: no reason`" in text
    assert "measured too" in text


def test_every_section_has_a_function_that_can_be_called_so(scripts: Any) -> None:
    for script in ("bench", "quality"):
        page = scripts(script).PAGE
        for name in page.known():
            assert callable(page.sources[name].load()), name


# ---------------------------------------------------------------- verdicts and costs


def test_a_verdict_says_what_was_aimed_at_and_whether_it_was_met(scripts: Any) -> None:
    verdict = scripts("page").verdict
    assert verdict(2.0, 1.8) == "at least 1.8: **met**"
    assert verdict(1.7, 1.8) == "at least 1.8: **not met**"
    assert verdict(26.0, 25.0, " s", most=True) == "at most 25 s: **not met**"


def test_the_peak_memory_of_a_process_is_its_own(scripts: Any) -> None:
    if sys.platform == "win32":
        pytest.skip("peak memory is not told here")
    held = np.ones(40_000_000)  # 300 MB in this process are none in that one
    small = scripts("clock").process([sys.executable, "-S", "-c", "pass"])
    large = scripts("clock").process([sys.executable, "-S", "-c", "x = b'1' * 100_000_000"])
    assert held.size
    assert small.megabytes < 100
    assert 80 < large.megabytes - small.megabytes < 150


def test_a_process_that_fails_says_so(scripts: Any) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        scripts("clock").process([sys.executable, "-S", "-c", "1 / 0"])


def test_peers_and_ours_take_the_same_steps_from_the_same_start(scripts: Any) -> None:
    peers, rules = scripts("peers"), importlib.import_module("unweave.rules")
    start = scripts("material").noise(33, 50, 4)
    plain = peers.divergence(start[0], peers.ours(*start, 20, rule=rules.Multiplicative()))
    for name, (module, peer) in peers.KL.items():
        if peers.available(module) and not name.startswith("librosa"):  # which takes no start
            assert peers.divergence(start[0], peer(*start, 20)) == pytest.approx(plain, rel=1e-5), name
