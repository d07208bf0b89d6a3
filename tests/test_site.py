"""The site of `make docs`: its gallery runs, its reference has no gaps, its pages fetch nothing from elsewhere."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GALLERY = sorted((DOCS / "gallery").glob("*.py"))
LONGEST = 60  # seconds that an example of the gallery may take


def extension(name):
    """A module of docs/extensions, which is on no path."""
    spec = importlib.util.spec_from_file_location(f"site_{name}", DOCS / "extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def apipages():
    return extension("apipages")


# ---------------------------------------------------------------- the gallery


@pytest.mark.parametrize("script", GALLERY, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_runs(script, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * LONGEST,  # of a machine that does other things besides
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == [], "an example leaves nothing behind"


@pytest.mark.parametrize("script", GALLERY, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_has_a_title_pictures_and_something_to_hear(script):
    text = script.read_text("utf-8")
    assert re.match(r'"""\n\S.+\n={4,}\n', text)
    assert "plt.show()" in text
    cells = re.split(r"^# %%.*$", text, flags=re.MULTILINE)
    values = [cell.rstrip().splitlines()[-1] for cell in cells if cell.strip()]
    shown = [line for line in values if re.match(r"[a-z_.A-Z]+(\[.*\]|\(.*\))?$", line) and line != "plt.show()"]
    assert shown, "no cell ends with a value that shows its player"


# ---------------------------------------------------------------- the reference


def test_every_module_and_every_name_is_in_the_reference(apipages):
    pages = apipages.pages((DOCS / "architecture.md").read_text("utf-8"))
    names = apipages.modules()
    assert set(pages) == {*names, "index"}
    missing = []
    for name in names:
        module = importlib.import_module(name)
        missing += [
            f"{name}.{offered}"
            for offered in getattr(module, "__all__", [])
            if offered != "__version__" and not re.search(rf"^\.\. [\w:]+:: {offered}$", pages[name], re.MULTILINE)
        ]
        assert f":doc:`{name}`" in pages["index"] or name == "unweave"
    assert missing == []


def test_a_class_has_one_entry_besides_that_of_its_home(apipages):
    pages = apipages.pages((DOCS / "architecture.md").read_text("utf-8"))
    entries = [
        thing
        for name in apipages.modules()
        for offered in re.findall(r"^\.\. autoclass:: (\w+)$", pages[name], re.MULTILINE)
        if (thing := getattr(importlib.import_module(name), offered)).__module__ != name
    ]
    assert [thing for thing, count in Counter(entries).items() if count > 1] == []


def test_the_reference_stands_on_the_floors_of_the_architecture(apipages):
    floors = apipages.floors_of((DOCS / "architecture.md").read_text("utf-8"))
    assert [floor[0] for floor in floors] == ["0", "1", "1", "2", "3", "4"]
    assert floors["0 ground"][0] == "errors"
    assert floors["4 doors"][-1] == "cli"


def test_errors_are_in_the_reference_although_they_have_no_list_of_names(apipages):
    assert "ReadError" in apipages.public_names(importlib.import_module("unweave.errors"))


@pytest.mark.parametrize(
    ("what", "lines", "expected"),
    [
        ("function", ["|X| of components_, *a* and *b"], [r"\|X\| of components\_, *a* and \*b"]),
        ("function", ["``|X|`` and `a_`"], ["``|X|`` and `a_`"]),
        ("module", ["Text.", "", "    V ≈ |W|", "", "More."], ["Text.", "", "::", "", "    V ≈ |W|", "", "More."]),
        ("function", [">>> a_ | b"], [">>> a_ | b"]),
    ],
)
def test_docstrings_are_shown_as_they_were_typed(apipages, what, lines, expected):
    assert apipages.readable(what, lines) == expected


# ---------------------------------------------------------------- the site


def test_a_page_that_would_fetch_something_is_found():
    fetched_by = extension("players").fetched_by
    assert fetched_by('<a href="https://example.org"><img src="a.png"><link rel="canonical" href="https://a">') == []
    assert len(fetched_by('<script async src="https://a/b.js"></script><img src="//a/b.png">')) == 2
    assert len(fetched_by('<link rel="stylesheet" href="https://a/b.css"/><LINK href="http://a" rel=icon>')) == 2


def test_what_the_site_needs_is_pinned():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    lock = (ROOT / "requirements" / "docs.lock").read_text("utf-8")
    for needed in groups["pages"]:
        assert re.search(rf"^{re.split('[<>=]', needed)[0]}==", lock, re.MULTILINE), needed
    assert "://" not in lock


def test_every_page_is_part_of_the_site():
    index = (DOCS / "index.md").read_text("utf-8")
    entries = set(re.findall(r"^([\w/*-]+)$", index, re.MULTILINE))
    built = {DOCS / "_build", DOCS / "made"}
    for page in (page for page in DOCS.rglob("*.md") if not built.intersection(page.parents)):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        globs = {"family/*"} if name.startswith("family/") else {"decisions/0*"} if "/0" in name else {name}
        assert globs & entries or name == "index", f"docs/index.md leads to no {name}"
