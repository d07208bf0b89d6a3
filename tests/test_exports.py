"""The names that a user may rely on. To change the list is to change the promise: say so in CHANGELOG.md."""

import importlib
import inspect
import pkgutil
import re
import types
import typing
from pathlib import Path

import pytest

import unweave

ROOT = Path(__file__).resolve().parents[1]

PUBLIC = [
    "__version__",
    "Audio",
    "decompose",
    "Decomposition",
    "Dictionary",
    "EUCLIDEAN",
    "Factorization",
    "Incompatible",
    "InvalidInput",
    "istft",
    "ITAKURA_SAITO",
    "KULLBACK_LEIBLER",
    "load",
    "MissingExtra",
    "nmf",
    "Note",
    "ReadError",
    "save",
    "separate",
    "Spectrogram",
    "Stem",
    "STFT",
    "stft",
    "Stop",
    "transcribe",
    "UnweaveError",
    "WriteError",
]

MODULES = sorted(
    found.name for found in pkgutil.walk_packages(unweave.__path__, "unweave.") if not found.name.endswith(".__main__")
)


def _documented(thing: object) -> bool:
    """Numbers and words have no docstrings; of a class, the one it inherits does not count."""
    if typing.get_origin(thing) or (not isinstance(thing, type) and not callable(thing)):
        return True
    own = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    return bool(own and own.strip())


def test_the_public_names_are_those_promised() -> None:
    assert set(unweave.__all__) == set(PUBLIC)


def test_the_public_names_are_in_alphabetical_order_and_none_comes_twice() -> None:
    assert list(unweave.__all__) == sorted(set(unweave.__all__), key=lambda name: (name.casefold(), name))


def test_every_public_name_is_there() -> None:
    assert [name for name in unweave.__all__ if not hasattr(unweave, name)] == []


def test_nothing_public_is_left_out() -> None:
    modules = {name.split(".")[1] for name in MODULES}
    visible = {
        name
        for name in {*vars(unweave), *dir(unweave)}
        if not name.startswith("_")
        and not isinstance(getattr(unweave, name), types.ModuleType)
        and name != "annotations"  # from __future__ import annotations
        and (name not in modules or name in unweave.__all__)
    }
    assert sorted(visible - set(unweave.__all__)) == []


def test_dir_shows_every_public_name() -> None:
    assert sorted(set(unweave.__all__) - set(dir(unweave))) == []


def test_a_name_that_does_not_exist_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        unweave.no_such_name  # type: ignore[attr-defined]


def test_every_public_object_says_what_it_is() -> None:
    assert [name for name in unweave.__all__ if not _documented(getattr(unweave, name))] == []


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_offers_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", [])
    assert [item for item in offered if not hasattr(module, item)] == []
    assert [item for item in offered if not _documented(getattr(module, item))] == []


def test_functions_stay_in_place_when_modules_of_the_same_name_are_imported() -> None:
    for name in MODULES:
        importlib.import_module(name)
    hidden = [name for name in unweave.__all__ if inspect.ismodule(getattr(unweave, name))]
    assert hidden == []


def test_the_version_stands_in_the_changelog_and_in_the_citation() -> None:
    version = unweave.__version__
    assert re.search(rf"\b{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "src" / "unweave" / "py.typed").is_file()
