"""The examples of the documentation run, and make what their pages show and let one hear."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from unweave.audio import load

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
SILENT = {"batch", "sklearn"}  # pages on ways to work, not on sounds
PAGES = sorted(page for page in (ROOT / "docs" / "family").glob("*.md") if page.stem not in SILENT)
LARGEST = 300_000  # bytes in the repository for one example
PNG = b"\x89PNG\r\n\x1a\n"


def made(folder: Path, told: str) -> None:
    """What everybody who runs an example finds."""
    assert told.strip(), "an example says how well it worked"
    sounds = sorted(folder.glob("*.flac"))
    assert len(sounds) >= 2
    assert all(load(sound).n_samples > 0 for sound in sounds)
    assert (folder / "picture.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_makes_its_sounds_and_its_picture(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Here, and not in a process of its own, which would load everything anew; a warning is an error besides.
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    made(tmp_path, capsys.readouterr().out)


def test_an_example_is_run_as_its_page_says(tmp_path: Path) -> None:
    script = EXAMPLES[0]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    made(tmp_path, done.stdout)


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_what_an_example_made_lies_beside_it_and_is_small(script: Path, tmp_path: Path) -> None:
    files = list(script.with_suffix("").iterdir())
    assert {"picture.png"} < {path.name for path in files}
    assert sum(path.stat().st_size for path in files) <= LARGEST


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_of_the_family_shows_a_picture_and_lets_one_hear(page: Path) -> None:
    text = page.read_text("utf-8")
    assert re.search(r"!\[[^]]+\]\(\.\./examples/[^)]+/picture\.png\)", text)
    assert re.search(r"\]\(\.\./examples/[^)]+\.flac\)", text)
