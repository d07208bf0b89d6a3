"""Pages made of sections, each measured by a function of its own: what `bench.py` and `quality.py` share.

A section is a function of a module beside this one. It returns Markdown, or that and a picture, and takes what it
needs of the options: ``quick`` (tiny sizes, to see that it works), ``hour`` (also what lasts very long) and those of
its page. On the page each section stands between two comments that name it, so that measuring one anew replaces that
one and leaves the others, each with the machine and the date of its own. A section that fails is named there, and the
others are measured all the same.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clock
from page import ROOT, load_average, machine

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """Where a section comes from: its heading, and the module and the function that measure it.

    Without a name the function is called as its module is, or ``measure``. Sections that are ``asked`` for are measured
    when they are named, and not when everything is.
    """

    heading: str
    module: str
    function: str = ""
    asked: bool = False

    def load(self) -> Callable[..., Any]:
        """The function."""
        module = importlib.import_module(self.module)
        names = [self.function] if self.function else [self.module, "measure"]
        for name in names:
            function = getattr(module, name, None)
            if callable(function) and function.__module__ == self.module:  # not one that it has imported
                return function  # type: ignore[no-any-return]
        raise AttributeError(f"benchmarks/{self.module}.py has no function {' or '.join(names)}")

    def measured(self, **options: Any) -> Any:
        """Call the function with those of the options that it takes."""
        function = self.load()
        taken = inspect.signature(function).parameters
        if options.get("quick") and "quick" not in taken:
            return "This section has no quick run."
        return function(**{key: value for key, value in options.items() if key in taken})


@dataclass(frozen=True)
class Page:
    """A page under docs/: what stands above its sections, and where these come from, in their order."""

    name: str
    preamble: str
    sources: Mapping[str, Source]

    def known(self) -> list[str]:
        """Names of the sections that there is a module for."""
        return [name for name, source in self.sources.items() if (HERE / f"{source.module}.py").exists()]

    def run(self, names: list[str], out: Path | None, **options: Any) -> bool:
        """Measure sections and put them on the page, each as soon as it is there; True where all went well."""
        path = out / f"{self.name}.md" if out else None
        kept = find(path.read_text("utf-8")) if path and path.exists() else {}
        well = True
        for name in names:
            kept[name], good = self.section(name, out, **options)
            well &= good
            print(kept[name], end="\n\n", flush=True)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self.assembled(kept), encoding="utf-8")
        if path is not None:
            print(f"written: {path.name}")
        return well

    def assembled(self, kept: Mapping[str, str]) -> str:
        """The page with these sections, in its own order."""
        parts = [f"<!-- section {name} -->\n{kept[name]}\n<!-- end {name} -->" for name in self.sources if name in kept]
        return "\n\n".join([self.preamble.strip(), *parts]) + "\n"

    def section(self, name: str, out: Path | None, **options: Any) -> tuple[str, bool]:
        """A section as Markdown, and whether it went well; its picture lies in a folder beside the page."""
        heading, begin, load = self.sources[name].heading, time.perf_counter(), load_average()
        try:
            found = self.sources[name].measured(**options)
            text, figure = found if isinstance(found, tuple) else (found, None)
            if figure is not None:
                text += f"\n\n![{heading}]({self._draw(figure, name, out)})"
        except Exception as error:  # noqa: BLE001 - whatever went wrong there, the others are to be measured
            traceback.print_exc()
            message = " ".join(str(error).replace("`", "'").split())[:300]
            return f"## {heading}\n\n**This section failed**: `{type(error).__name__}: {message}`", False
        took = time.perf_counter() - begin
        made = f"Measured in {took:.0f} s ({load} before it): {machine()}."
        return f"## {heading}\n\n{text.strip()}\n\n{made}", True

    def _draw(self, figure: Any, name: str, out: Path | None) -> str:
        """Write a picture, or only see that it can be drawn; its address as the page says it."""
        if out is None:
            figure.draw_without_rendering()
        else:
            folder = out / self.name
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})
        return f"{self.name}/{name}.png"

    def _help(self, known: list[str]) -> str:
        asked = [name for name in known if self.sources[name].asked]
        return f"sections: {', '.join(known)}; by default all" + (f" but {', '.join(asked)}" if asked else "")

    def main(self, description: str, arguments: list[str] | None = None, **more: Path | bool) -> int:
        """Read the command line and measure; the exit code says whether every section went well."""
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        known = self.known()
        parser.add_argument("names", nargs="*", metavar="NAME", help=self._help(known))
        parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that every part works")
        parser.add_argument("--no-hour", action="store_true", help="leave out what lasts 20 minutes or an hour")
        parser.add_argument("--out", type=Path, help="folder of the page (docs; with --quick: none)")
        for name, default in more.items():
            if isinstance(default, bool):
                parser.add_argument(f"--{name}", action="store_true", help="all of every recording, however long")
            else:
                parser.add_argument(
                    f"--{name}", type=Path, default=default, help="folder of recordings with ground truth"
                )
        given = parser.parse_args(arguments)
        strange = [name for name in given.names if name not in known]
        if strange:
            parser.error(f"there is no section {', '.join(strange)}: there are {', '.join(known)}")
        out = given.out or (None if given.quick else ROOT / "docs")
        if given.quick:
            clock.hurry()
        options = {name: getattr(given, name) for name in more}
        hour = not (given.no_hour or given.quick)
        names = given.names or [name for name in known if not self.sources[name].asked]
        return 0 if self.run(names, out, quick=given.quick, hour=hour, **options) else 1


def find(page: str) -> dict[str, str]:
    """The sections of a page by their names."""
    found = re.finditer(r"<!-- section ([\w-]+) -->\n(.*?)\n<!-- end \1 -->", page, re.DOTALL)
    return {match[1]: match[2] for match in found}
