"""The laws of the house, read from the source text. docs/architecture.md explains them.

Every law is a function from a `House` (a source tree) to a list of complaints, one sentence each; it is
asked about `src/unweave`, where it must find nothing, and about small houses that break it.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# The picture. A module may import from every line above its own and from modules to its left; the two wings
# are strangers, and so are the doors, but for cli. A new module gets its place here and in that page.
FLOORS: tuple[tuple[int, str, str], ...] = (
    (0, "ground", "errors words shown files arrays npz safetensors threads"),
    (1, "sound wing", "wav cues formats sound codec incoming audio synthesis framing spectrogram stft polar scales"),
    (
        1,
        "matrix wing",
        (
            "divergence factorization weights starts initialize rules plan loop search nmf"
            " pieces singular online convolutive ladder rank"
        ),
    ),
    (
        2,
        "bridge",
        (
            "masks dictionary parts librosa decomposition longform training exemplars groupmasks interchange"
            " seeds envelopes phase refine"
            " listening streaming matching onsets phase_gradient morph mosaic cross"
            " hpss sines transients"
        ),
    ),
    (
        3,
        "music",
        (
            "notes drums pitched naming"
            " blind transcription guide examples grouping sorting songs rehearsal stems evaluation"
        ),
    ),
    (4, "doors", "plot report flucoma estimator notebook corpus live studio cli"),
)
FRONT = "__init__"  # unweave/__init__.py: above the music, below the doors
ENTRY = "__main__"  # python -m unweave: above everything
DOORS = 4
OPENS_ALL_DOORS = "cli"

# Heavy third parties have one address each; those with none stay in tests and benchmarks.
FREE = {"numpy", "scipy"}
ADDRESS: dict[str, str | None] = {
    "soundfile": "codec",
    "soxr": "audio",
    **dict.fromkeys(("matplotlib", "mpl_toolkits"), "plot"),
    **dict.fromkeys(("flask", "starlette", "fastapi", "uvicorn", "aiohttp", "tornado"), "studio"),
    **dict.fromkeys(("torch", "cupy", "jax"), "arrays"),
    **dict.fromkeys(("sounddevice", "pythonosc"), "live"),
    **dict.fromkeys(("mir_eval", "librosa", "tqdm"), None),
    "sklearn": "estimator",
    "threadpoolctl": "threads",
    "click": "cli",
    "mido": "notes",
}

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
DRAWERS = {"util", "utils", "helper", "helpers", "misc", "base", "manager", "managers"}
MUTABLE = {"list", "dict", "set", "bytearray", "array", "zeros", "ones", "empty"}


# ---------------------------------------------------------------- the house and its import graph


@dataclass(frozen=True)
class Import:
    """One import statement: who asks, for what, where; `late` if only `__getattr__` of the front runs it."""

    module: str
    target: str  # dotted, in full
    line: int
    late: bool


@dataclass(frozen=True)
class House:
    """A package's source tree. Modules go by names inside the package: `stft`, `rules.hals`, `__init__`."""

    root: Path

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        return {name: ast.parse(path.read_text("utf-8"), str(path)) for name, path in self.paths.items()}

    @cached_property
    def paths(self) -> dict[str, Path]:
        names = {}
        for path in sorted(self.root.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            package = parts[-1] == "__init__" and len(parts) > 1
            names[".".join(parts[:-1] if package else parts)] = path
        return names

    @cached_property
    def imports(self) -> list[Import]:
        return [found for name in self.trees for found in self._imports_of(name)]

    @cached_property
    def graph(self) -> dict[str, set[str]]:
        """Which modules of the package each module imports, without the front's late ones."""
        edges: dict[str, set[str]] = {name: set() for name in self.paths}
        for found in self.imports:
            inner = self.inner(found.target)
            if inner in edges and not found.late:
                edges[found.module].add(inner)
        return edges

    def inner(self, target: str) -> str | None:
        """The module of the package that a dotted target means, or None for a third party's."""
        head, *rest = target.split(".")
        if head != self.root.name:
            return None
        while rest and ".".join(rest) not in self.paths:
            rest.pop()
        return ".".join(rest) or FRONT

    def _imports_of(self, module: str) -> Iterator[Import]:
        tree = self.trees[module]
        late = {
            id(inner)
            for node in tree.body
            if module == FRONT and isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            for target in self._targets(module, node):
                yield Import(module, target, getattr(node, "lineno", 0), id(node) in late)

    def _targets(self, module: str, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = self._absolute(module, node)
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _dotted(node.func).split(".")[-1] in {
            "import_module",
            "__import__",
        }:
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value if not name.value.startswith(".") else self.root.name + name.value

    def _absolute(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        folder = self.paths[module].parent.relative_to(self.root.parent).parts
        return ".".join([*folder[: len(folder) - node.level + 1], *([node.module] if node.module else [])])


def _dotted(node: ast.AST) -> str:
    """`a.b.c` for an expression of names and dots, and the empty string for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := _dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def _top(dotted: str) -> str:
    """The first part of a dotted name: a module of the package, or a third party."""
    return dotted.partition(".")[0]


def _place(module: str) -> tuple[int, str, int] | None:
    """Floor, wing and place from the left, of a module or of the package that it lives in."""
    for floor, wing, names in FLOORS:
        places = names.split()
        if _top(module) in places:
            return floor, wing, places.index(_top(module))
    return None


def _quiet(module: str) -> bool:
    """Under the doors: the algorithms, which know numbers and not people."""
    place = _place(module)
    return module == FRONT or (place is not None and place[0] < DOORS)


# ---------------------------------------------------------------- the laws


def strays(house: House) -> list[str]:
    """Every module has its place in the picture."""
    return [
        f"{name}: unknown module; give it a place in FLOORS (here, and in docs/architecture.md)"
        for name in house.paths
        if name not in {FRONT, ENTRY} and _place(name) is None
    ]


def climbs(house: House) -> list[str]:
    """Imports go down, or to the left on the same floor; the wings are strangers; doors open no doors."""
    complaints = []
    for found in house.imports:
        target = house.inner(found.target)
        if target is None:
            continue
        reason = _objection(found, target)
        if reason:
            complaints.append(f"{found.module}:{found.line} imports {target}: {reason}")
    return complaints


def _objection(found: Import, target: str) -> str:
    here, there = _place(found.module), _place(target)
    if found.module == ENTRY or found.late:
        return ""
    if found.module == FRONT:
        return (
            "the front opens doors only in __getattr__, when they are asked for" if there and there[0] == DOORS else ""
        )
    if target in {FRONT, ENTRY}:
        return "" if here and here[0] == DOORS and target == FRONT else "the front stands on this module"
    if here is None or there is None:
        return ""  # strays() has spoken
    if _top(found.module) == _top(target):
        return ""  # siblings in a folder; circles() watches them
    if there[0] > here[0]:
        return f"the {there[1]} is above the {here[1]}"
    if there[0] < here[0]:
        return ""
    if there[1] != here[1]:
        return "the two wings are strangers"
    if here[0] == DOORS:
        return "" if _top(found.module) == OPENS_ALL_DOORS else f"only {OPENS_ALL_DOORS} opens other doors"
    return "" if there[2] < here[2] else f"it stands to the right on the same floor ({here[1]})"


def circles(house: House) -> list[str]:
    """No module can be reached from itself."""
    complaints, done = [], set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        if module in trail:
            complaints.append("circle: " + " -> ".join([*trail[trail.index(module) :], module]))
        elif module not in done:
            for target in sorted(house.graph[module]):
                walk(target, (*trail, module))
            done.add(module)

    for module in house.graph:
        walk(module, ())
    return complaints


def lodgers(house: House) -> list[str]:
    """Third parties live at their one address."""
    complaints = []
    for found in house.imports:
        party = _top(found.target)
        if party in FREE or party in sys.stdlib_module_names or party == house.root.name:
            continue
        address = ADDRESS.get(party, "nowhere yet: give it an address in tests/test_architecture.py")
        if _top(found.module) != address:
            complaints.append(
                f"{found.module}:{found.line} imports {party}, whose address is {address or 'outside src'}"
            )
    return complaints


def voices(house: House) -> list[str]:
    """Nothing under the doors prints, warns, logs, shows progress or exits."""
    complaints = []
    for name, tree in house.trees.items():
        if not _quiet(name):
            continue
        for node in ast.walk(tree):
            heard = _voice(node)
            if heard:
                complaints.append(f"{name}:{getattr(node, 'lineno', 0)} uses {heard}: algorithms know no people")
        complaints += [
            f"{found.module}:{found.line} imports {found.target}: algorithms know no people"
            for found in house.imports
            if found.module == name and _top(found.target) in {"logging", "tqdm"}
        ]
    return complaints


def _voice(node: ast.AST) -> str:
    if isinstance(node, ast.Call) and _dotted(node.func) in {
        "print",
        "input",
        "exit",
        "quit",
        "warn",
        "warnings.warn",
    }:
        return _dotted(node.func)
    if isinstance(node, ast.Attribute) and _dotted(node) in {
        "sys.exit",
        "os._exit",
        "sys.stdout",
        "sys.stderr",
    }:
        return _dotted(node)
    if isinstance(node, ast.Raise) and node.exc is not None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return "SystemExit" if _dotted(raised) == "SystemExit" else ""
    return ""


def asserts(house: House) -> list[str]:
    """`assert` vanishes with -O; wrong input is refused with a sentence, by an error of errors.py."""
    return [
        f"{name}:{node.lineno} asserts: raise an error from errors.py"
        for name, tree in house.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]


def giants(house: House) -> list[str]:
    """Modules and functions stay short enough to read."""
    complaints = []
    for name, path in house.paths.items():
        n_lines = len(path.read_text("utf-8").splitlines())
        if n_lines > LONGEST_MODULE:
            complaints.append(f"{name} has {n_lines} lines: {LONGEST_MODULE} are the most")
        for node in _functions(house.trees[name]):
            n_lines = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if n_lines > LONGEST_FUNCTION:
                complaints.append(
                    f"{name}:{node.lineno} {node.name} has {n_lines} lines: {LONGEST_FUNCTION} are the most"
                )
    return complaints


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1 if ast.get_docstring(node) is not None else 0


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def mutes(house: House) -> list[str]:
    """Modules, and public classes, functions and methods, say what they are for."""
    complaints = []
    for name, tree in house.trees.items():
        if ast.get_docstring(tree) is None:
            complaints.append(f"{name}: the module has no docstring")
        for label, node in _public(tree):
            if ast.get_docstring(node) is None:
                complaints.append(f"{name}:{node.lineno} {label} has no docstring")
    return complaints


def _public(
    tree: ast.Module | ast.ClassDef, inside: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if any(_dotted(mark).endswith((".setter", "overload")) for mark in node.decorator_list):
            continue
        yield inside + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{inside}{node.name}.")


def drawers(house: House) -> list[str]:
    """No name says 'anything may go in here'."""
    complaints = []
    for name, tree in house.trees.items():
        named = [(1, part) for part in name.split(".")]
        named += [
            (node.lineno, node.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for line, label in named:
            words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", label)
            complaints += [
                f"{name}:{line} {label}: a name that says {word!r} is a drawer; say what is in it"
                for word in words
                if word.lower() in DRAWERS
            ]
    return complaints


def shared_defaults(house: House) -> list[str]:
    """A default that can be changed would be shared by every call."""
    complaints = []
    for name, tree in house.trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                literal = isinstance(default, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
                made = isinstance(default, ast.Call) and _dotted(default.func).split(".")[-1] in MUTABLE
                if literal or made:
                    complaints.append(f"{name}:{default.lineno} has a mutable default: {ast.unparse(default)}")
    return complaints


LAWS: tuple[Callable[[House], list[str]], ...] = (
    strays,
    climbs,
    circles,
    lodgers,
    voices,
    asserts,
    giants,
    mutes,
    drawers,
    shared_defaults,
)


@pytest.fixture(scope="module")
def house() -> House:
    """Our own, which is read once for all laws."""
    return House(ROOT / "src" / "unweave")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_house_keeps_the_law(law: Callable[[House], list[str]], house: House) -> None:
    complaints = law(house)
    assert not complaints, f"{law.__doc__}\n" + "\n".join(complaints)


def test_the_page_on_the_architecture_names_every_module(house: House) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    tops = {_top(name) for name in house.paths} - {FRONT, ENTRY}
    missing = sorted(name for name in tops if not re.search(rf"`{name}(\.py|/)?`", page))
    assert not missing, f"docs/architecture.md has no place for `{'`, `'.join(missing)}`"


# ---------------------------------------------------------------- what an import costs


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def _loaded(statement: str, parties: tuple[str, ...]) -> list[str]:
    code = f"import sys\n{statement}\nprint(*(name for name in {parties!r} if name in sys.modules))"
    return _python(code).split()


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("soundfile", "soxr", "matplotlib", "click", "sklearn", "scipy.signal", "scipy.optimize", "torch")
    assert _loaded("import unweave", heavy) == []


def test_the_command_line_loads_no_pictures_before_it_draws_any() -> None:
    assert _loaded("import unweave.cli", ("matplotlib", "sklearn", "scipy.signal")) == []


@pytest.mark.parametrize("arguments", [["-c", "import unweave"], ["-m", "unweave", "--help"]], ids=["import", "help"])
def test_it_starts_in_under_half_a_second(arguments: list[str], tmp_path: Path) -> None:
    # Processor time, and the best of some: what else the machine does says nothing about the program. Compiled
    # modules are kept, as they are for every user.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    best = float("inf")
    for _ in range(8):
        before = os.times()
        subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True, timeout=60)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        best = min(best, spent)
        if best < 0.5:
            return
    pytest.fail(f"python {' '.join(arguments)} takes {best:.2f} s at best: half a second is the most")


# ---------------------------------------------------------------- the laws can be broken

# law, the files of a small house ("module.py": text; {} stands for a docstring), and words of the complaint
BROKEN: list[tuple[Callable[[House], list[str]], dict[str, str], str]] = [
    (strays, {"oddments.py": ""}, "oddments: unknown module; give it a place"),
    (strays, {"extras/__init__.py": "", "extras/thing.py": ""}, "extras.thing: unknown module"),
    (climbs, {"errors.py": "from unweave.arrays import EPSILON", "arrays.py": ""}, "to the right"),
    (climbs, {"masks.py": "from .dictionary import Dictionary", "dictionary.py": ""}, "to the right"),
    (climbs, {"nmf.py": "import unweave.masks", "masks.py": ""}, "the bridge is above the matrix wing"),
    (climbs, {"nmf.py": "def f():\n    from . import masks", "masks.py": ""}, "nmf:2 imports masks"),
    (climbs, {"nmf.py": "from unweave.stft import STFT", "stft.py": ""}, "the two wings are strangers"),
    (
        climbs,
        {"rules/__init__.py": "", "rules/hals.py": "from ..nmf import iterate", "nmf.py": ""},
        "to the right",
    ),
    (climbs, {"report.py": "from unweave import plot", "plot.py": ""}, "only cli opens other doors"),
    (climbs, {"plot.py": "from unweave.cli import main", "cli/__init__.py": ""}, "only cli opens"),
    (climbs, {"__init__.py": "from .plot import draw", "plot.py": ""}, "opens doors only in __getattr__"),
    (
        climbs,
        {"__init__.py": "x = 1", "masks.py": "from unweave import x"},
        "the front stands on this module",
    ),
    (
        climbs,
        {"nmf.py": "import importlib\nimportlib.import_module('unweave.plot')", "plot.py": ""},
        "the doors",
    ),
    (
        circles,
        {"rules/a.py": "from . import b", "rules/b.py": "from .a import x"},
        "rules.a -> rules.b -> rules.a",
    ),
    (
        circles,
        {"cli/a.py": "from .b import c", "cli/b.py": "def f():\n    import unweave.cli.a"},
        "cli.a -> cli.b",
    ),
    (lodgers, {"stft.py": "import soundfile"}, "soundfile, whose address is codec"),
    (lodgers, {"cli/show.py": "from matplotlib import pyplot"}, "matplotlib, whose address is plot"),
    (lodgers, {"evaluation.py": "def f():\n    import mir_eval.separation"}, "address is outside src"),
    (lodgers, {"audio.py": "import pandas"}, "pandas, whose address is nowhere yet"),
    (voices, {"nmf.py": "print('iteration')"}, "nmf:1 uses print"),
    (voices, {"audio.py": "import warnings\nwarnings.warn('clipped')"}, "uses warnings.warn"),
    (voices, {"rules/hals.py": "import logging"}, "imports logging"),
    (voices, {"nmf.py": "from tqdm import tqdm"}, "imports tqdm"),
    (voices, {"masks.py": "import sys\nsys.exit(1)"}, "uses sys.exit"),
    (voices, {"masks.py": "raise SystemExit(1)"}, "uses SystemExit"),
    (voices, {"masks.py": "import sys\nsys.stderr.write('x')"}, "uses sys.stderr"),
    (asserts, {"cli/__init__.py": "def f(x):\n    assert x > 0"}, "cli:2 asserts"),
    (giants, {"nmf.py": "x = 1\n" * 401}, "nmf has 401 lines"),
    (giants, {"nmf.py": "def f():\n" + "    x = 1\n" * 60}, "f has 61 lines"),
    (mutes, {"nmf.py": "x = 1"}, "the module has no docstring"),
    (mutes, {"nmf.py": "{}\ndef nmf(): ..."}, "nmf:2 nmf has no docstring"),
    (
        mutes,
        {"audio.py": "{}\nclass Audio:\n    {}\n    def duration(self): ..."},
        "Audio.duration has no docstring",
    ),
    (drawers, {"utils.py": ""}, "utils:1 utils"),
    (drawers, {"cli/audio_helpers.py": ""}, "says 'helpers'"),
    (drawers, {"audio.py": "class AudioManager: ..."}, "says 'Manager'"),
    (shared_defaults, {"nmf.py": "def f(x=[]): ..."}, "mutable default: []"),
    (shared_defaults, {"nmf.py": "def f(*, x=dict()): ..."}, "mutable default: dict()"),
    (shared_defaults, {"nmf.py": "def f(x=np.zeros(3)): ..."}, "mutable default: np.zeros(3)"),
]

SOUND = {
    "__init__.py": "{}\nfrom .nmf import nmf\ndef __getattr__(name):\n    from .estimator import NMF",
    "__main__.py": "{}\nfrom unweave.cli import main\nmain()",
    "errors.py": "{}\nclass UnweaveError(Exception):\n    {}",
    "audio.py": "{}\nimport json\nimport soxr\nfrom .errors import UnweaveError",
    "stft.py": "{}\nfrom unweave.audio import Audio\nimport scipy.fft",
    "rules/__init__.py": "{}\nfrom .multiplicative import step",
    "rules/multiplicative.py": "{}\nfrom ..errors import UnweaveError",
    "nmf.py": '{}\nfrom .rules import step\ndef nmf(V, database=()):\n    """Factorise.\n' + "\n" * 99 + '    """',
    "masks.py": "{}\nimport unweave.stft\nfrom . import nmf",
    "plot.py": "{}\nimport matplotlib.pyplot\nfrom unweave import __version__, masks",
    "estimator.py": "{}\nfrom sklearn.base import BaseEstimator\nfrom .nmf import nmf",
    "cli/__init__.py": "{}\nimport click\nfrom .words import say",
    "cli/words.py": "{}\nfrom ..plot import draw\ndef say():\n    {}\n    print('said')",
}


def _build(root: Path, files: dict[str, str]) -> House:
    for name, text in files.items():
        path = root / "unweave" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{}", '"""Said."""'), "utf-8")
    return House(root / "unweave")


@pytest.mark.parametrize(("law", "files", "words"), BROKEN, ids=[f"{law.__name__}-{say}" for law, _, say in BROKEN])
def test_a_house_that_breaks_a_law_is_told_so(
    tmp_path: Path, law: Callable[[House], list[str]], files: dict[str, str], words: str
) -> None:
    complaints = law(_build(tmp_path, files))
    assert any(words in complaint for complaint in complaints), complaints


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_house_in_order_hears_no_complaint(tmp_path: Path, law: Callable[[House], list[str]]) -> None:
    assert law(_build(tmp_path, SOUND)) == []
