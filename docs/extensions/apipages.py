"""The API reference: a page for every module, an entry for every name in its `__all__`.

Modules stand on the floors and in the order of `docs/architecture.md`. The pages are written into `docs/made/api`
before Sphinx reads its sources, and once they are built the list of what they describe is held against the modules: a
name that is missing there is a warning, and `make docs` takes no warnings.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_origin

__all__ = ["floors_of", "modules", "pages", "public_names", "readable", "setup"]

PACKAGE = "unweave"
ROW = re.compile(r"^\|\s*(?P<floor>\d [\w ]+?)?\s*\|\s*`(?P<module>\w+)/?`\s*\|")
MEANT_AS_CODE = re.compile(r"(``.*?``|`[^`]*`)", re.DOTALL)


# ---------------------------------------------------------------- what there is


def modules() -> list[str]:
    """Every public module, the front first."""
    package = importlib.import_module(PACKAGE)
    found = [each.name for each in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    return [PACKAGE, *(name for name in found if not any(part.startswith("_") for part in name.split(".")))]


def public_names(module: ModuleType) -> list[str]:
    """What a module offers: its `__all__`, or without one the classes and functions that it defines."""
    offered = getattr(module, "__all__", None)
    if offered is not None:
        return [name for name in offered if not name.startswith("__")]
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]


def floors_of(architecture: str) -> dict[str, list[str]]:
    """The modules of every floor, in order, as the page on the architecture has them."""
    floors: dict[str, list[str]] = {}
    floor = ""
    for line in architecture.splitlines():
        row = ROW.match(line)
        if row:
            floor = row["floor"] or floor
            floors.setdefault(floor, []).append(row["module"])
    return floors


# ---------------------------------------------------------------- pages


def pages(architecture: str) -> dict[str, str]:
    """The text of every page of the reference, by its name; `index` is the one that leads to the others."""
    names = modules()
    found = {name: _page(importlib.import_module(name)) for name in names}
    found["index"] = _index(floors_of(architecture), names)
    return found


def _index(floors: dict[str, list[str]], names: Sequence[str]) -> str:
    lines = [
        *_titled("API reference", "="),
        "Every module with everything that it offers. The names of :doc:`unweave <unweave>` are the front; everything",
        "else is reached by its module. The floors are those of :doc:`the architecture </architecture>`.",
        *_toctree(["unweave"]),
    ]
    placed = {top for tops in floors.values() for top in tops}
    others = sorted({name.split(".")[1] for name in names[1:]} - placed)
    for floor, tops in [*floors.items(), *([("", others)] if others else [])]:
        below = [name for top in tops for name in names if name.split(".")[1:2] == [top]]
        number, _, title = floor.partition(" ")
        heading = f"Floor {number}: {title}" if floor else "Not placed yet"
        lines += [*_titled(heading, "-"), *_list(below), *_toctree(below)]
    return "\n".join(lines)


def _list(names: Sequence[str]) -> Iterator[str]:
    yield ""
    for name in names:
        said = (inspect.getdoc(importlib.import_module(name)) or "").partition("\n\n")[0].replace("\n", " ")
        yield f"* :doc:`{name}`: {_escaped(said)}"


def _toctree(names: Sequence[str]) -> list[str]:
    return ["", ".. toctree::", "   :hidden:", "", *(f"   {name}" for name in names), ""]


def _titled(title: str, line: str) -> list[str]:
    return [title, line * len(title), ""]


def _page(module: ModuleType) -> str:
    name = module.__name__
    lines = [*_titled(name, "="), f".. automodule:: {name}", "   :no-members:", "", f".. currentmodule:: {name}", ""]
    for offered in public_names(module):
        lines += [*_entry(module, offered), ""]
    return "\n".join(lines)


def _entry(module: ModuleType, name: str) -> list[str]:
    """The directive for one name: whole where it is at home or in front, a link where it is passed on."""
    thing = getattr(module, name)
    if type(thing).__module__.startswith("click"):
        return _command(module, name, thing)
    home = getattr(thing, "__module__", None)
    named = isinstance(thing, type) or inspect.isroutine(thing)
    passed_on = named and home != module.__name__ and str(home).startswith(PACKAGE)
    # A package shows what it passes on from its modules, unless the front does so already.
    in_front = module.__name__ != PACKAGE and getattr(importlib.import_module(PACKAGE), name, None) is thing
    if passed_on and (in_front or not hasattr(module, "__path__")):
        kind = "class" if isinstance(thing, type) else "function"
        return [f".. py:{kind}:: {name}", "", f"   That of :py:obj:`{home}.{thing.__qualname__}`."]
    if get_origin(thing) is not None:
        return [f".. py:data:: {name}", "", f"   ``{str(thing).replace('typing.', '')}``"]
    if isinstance(thing, type):
        return [f".. autoclass:: {name}", "   :members:"]
    if inspect.isroutine(thing):
        hidden = ["   :no-index:"] if f"{module.__name__}.{name}" in modules() else []  # a module has this name, too
        return [f".. autofunction:: {name}", *hidden]
    return [f".. autodata:: {name}"]


def _command(module: ModuleType, name: str, command: Any) -> list[str]:
    """A command of the command line: its page says it all."""
    said = _escaped((command.help or "").strip().partition("\n\n")[0].replace("\n", " "))
    return [f".. py:data:: {name}", "", f"   ``unweave {command.name}``: {said} See :doc:`the command line </cli>`."]


# ---------------------------------------------------------------- docstrings


def readable(what: str, lines: Sequence[str]) -> list[str]:
    """A docstring, plain text that people read in an editor, as reStructuredText.

    Bars and underscores at the ends of words mean themselves; what is indented at the top level of a module's text is
    shown as it was typed.
    """
    text = _blocks_as_typed(list(lines)) if what == "module" else list(lines)
    out, typed = [], False
    for number, line in enumerate(text):
        if typed and line.strip() and not line.startswith("    "):
            typed = False
        out.append(line if typed or line.lstrip().startswith(">>>") else _escaped(line))
        typed = typed or (line.strip() == "::" or (line.endswith("::") and not line.lstrip().startswith("..")))
        typed = typed and number < len(text)
    return out


def _blocks_as_typed(lines: list[str]) -> list[str]:
    """Put `::` before what is indented and follows an empty line, in the text of a module."""
    out: list[str] = []
    for number, line in enumerate(lines):
        begins = line.startswith("    ") and number > 0 and not lines[number - 1].strip()
        before = next((each for each in reversed(out) if each.strip()), "")
        if (
            begins
            and not before.startswith("    ")
            and not before.endswith("::")
            and not before.startswith((">>>", "* "))
        ):
            out += ["::", ""]
        out.append(line)
    return out


def _escaped(line: str) -> str:
    """Bars, single stars and underscores mean themselves outside of what is marked as code."""
    pieces = MEANT_AS_CODE.split(line)
    for index in range(0, len(pieces), 2):
        piece = re.sub(r"\|", r"\\|", pieces[index])
        piece = re.sub(r"(?<=\w)_(?=\W|$)", r"\\_", piece)
        pieces[index] = re.sub(r"(?<!\*)\*(?=\w)(?![^*]*\w\*)", r"\\*", piece)
    return "".join(pieces)


# ---------------------------------------------------------------- in Sphinx


def _write(app: Any) -> None:
    source = Path(app.srcdir)
    folder = source / "made" / "api"
    folder.mkdir(parents=True, exist_ok=True)
    made = pages((source / "architecture.md").read_text("utf-8"))
    app.offered = [f"{name}.{each}" for name in modules() for each in public_names(importlib.import_module(name))]
    for path in folder.glob("*.rst"):
        if path.stem not in made:
            path.unlink()
    for name, text in made.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text("utf-8") != text:  # Sphinx reads again what is newer
            path.write_text(text, "utf-8")


def _rewrite(app: Any, what: str, *others: Any) -> None:
    lines: list[str] = others[-1]
    lines[:] = readable(what, lines)


def _found_by_last_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """The entry that a bare name in a docstring means: that of the front, or the only one of this name.

    What a package passes on from its modules has several entries, and means that of the package.
    """
    wanted = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not wanted.isidentifier():
        return None
    entries = env.get_domain("py").objects
    homes = [name for name, entry in entries.items() if name.endswith(f".{wanted}") and not entry.aliased]
    front = f"{PACKAGE}.{wanted}"
    name = front if front in entries else min(homes, key=len, default="")
    if not name or (name != front and not all(home.startswith(name.removesuffix(wanted)) for home in homes)):
        return None
    entry = entries[name]
    from sphinx.util.nodes import make_refnode

    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, name)


def _check(app: Any, exception: Exception | None) -> None:
    from sphinx.util import logging

    if exception is not None or app.builder.format != "html":
        return
    described = {name for name, _, _, _, _, _ in app.env.get_domain("py").get_objects()}
    for name in sorted(set(app.offered) - described):
        logging.getLogger(__name__).warning("%s is not in the API reference", name)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", _write)
    app.connect("autodoc-process-docstring", _rewrite, priority=400)  # before numpydoc
    app.connect("missing-reference", _found_by_last_name)
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
