"""What every test may ask for: a random generator, the command line, and the folder of shared recordings."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.commands import Run

ROOT = Path(__file__).resolve().parents[1]

# Pictures are drawn without a screen, here and in every process that a test starts.
os.environ["MPLBACKEND"] = "Agg"

# A shell's background job is started deaf to Ctrl-C, and so would be all that it starts: tests of it need ears.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run: a failure that nobody can repeat helps nobody.
settings.register_profile(
    "unweave",
    deadline=None,
    derandomize=True,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unweave")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same for every run of a test, alone or in company."""
    return np.random.default_rng(440)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process: exit code, stdout, stderr."""
    from unweave import cli

    words = [request.module.COMMAND] if hasattr(request.module, "COMMAND") else []

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([*words, *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and golden results beside the checkout; the test is skipped without it."""
    folder = Path(os.environ.get("UNWEAVE_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("the folder of shared recordings is absent (its place: ../shared, or UNWEAVE_SHARED)")
    return folder
