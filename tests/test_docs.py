"""What the pages say is true: their Python runs, their commands run, their links lead somewhere.

The blocks of a page run in order, in one folder and one namespace, beside a drum loop, `loop.wav`. A block
that cannot run here is marked on the line before, with the reason: `<!-- not run: needs a sound card -->`.
"""

import doctest
import importlib
import io
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import unweave
from unweave.synthesis import drum_loop

ROOT = Path(__file__).resolve().parents[1]
BUILT = {ROOT / "docs" / "_build", ROOT / "docs" / "made"}  # by `make docs`
WRITTEN = [page for page in sorted((ROOT / "docs").rglob("*.md")) if not BUILT.intersection(page.parents)]
PAGES = [ROOT / "README.md", *WRITTEN]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
COMMANDS = ROOT / "docs" / "cli.md"
WHOLE = {ROOT / "README.md", *(ROOT / "docs" / "family" / f"{name}.md" for name in ("nmfcross", "nmfmorph", "stft"))}
"""Pages that need the whole drum loop: the first that anybody reads, and those that speak of its seconds or its end."""

SHELLS = {"console", "sh", "shell", "bash"}
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})\s*(?P<language>[\w+-]*)")
LINK = re.compile(
    r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|(?:src|href)=\"([^\"]+)\"|^\[[^\]]+\]:\s*(\S+)"
)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------- reading a page


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line that it begins on, and the reason not to run it."""

    language: str
    text: str
    line: int
    not_run: str


def split_page(text: str) -> tuple[list[Block], str]:
    """The fenced blocks of a page, and its prose with as many lines as the page."""
    blocks, prose = [], []
    body: list[str] = []
    opened: re.Match[str] | None = None
    start, reason, last = 0, "", ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None and fence:
            marked = re.search(r"<!--\s*not run:\s*(.*?)\s*-->", last)
            opened, start, body, reason = fence, number, [], marked[1] if marked else ""
        elif opened is not None and fence and line.strip() == opened["ticks"]:
            blocks.append(Block(opened["language"].lower(), textwrap.dedent("\n".join(body)), start, reason))
            opened = None
        elif opened is not None:
            body.append(line)
        prose.append("" if opened or fence else line)
        last = line
    if opened is not None:
        raise ValueError(f"line {start}: the block is never closed")
    return blocks, "\n".join(prose)


def commands_of(block: Block) -> list[str]:
    """The lines of a shell block that call unweave, with continued lines joined and prompts taken off."""
    joined = re.sub(r"\s*\\\n\s*", " ", block.text)
    lines = (line.strip().removeprefix("$ ") for line in joined.splitlines())
    return [line for line in lines if line.startswith("unweave ")]


# ---------------------------------------------------------------- running it


@pytest.fixture(scope="session")
def loops(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """Files of the drum loop by the number of bars."""
    path = tmp_path_factory.mktemp("loops") / "loop.wav"
    found = {}
    for n_bars in (2, 4):
        unweave.save(path, drum_loop(n_bars)["mix"])
        found[n_bars] = path.read_bytes()
    return found


@pytest.fixture
def folder(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loops: dict[int, bytes]) -> Path:
    """A folder with the drum loop of `unweave demo`, as working directory, where `unweave` is this very package.

    It is there as a 'song' and in a folder of recordings as well. Half a loop is enough where a page says nothing of
    what comes later.
    """
    n_bars = 4 if page in WHOLE else 2
    place = tmp_path / "reader"
    programs = tmp_path / "programs"
    place.mkdir()
    programs.mkdir()
    (place / "recordings").mkdir()
    for name in ("loop.wav", "song.wav", "recordings/loop.wav"):
        (place / name).write_bytes(loops[n_bars])
    program = programs / "unweave"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m unweave "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.chdir(place)
    monkeypatch.setattr(importlib.import_module("unweave.cli.demo"), "drum_loop", partial(drum_loop, n_bars))
    return place


def run_python(block: Block, page: str, namespace: dict[str, Any]) -> None:
    """Run a block; one with prompts must show what it says it shows."""
    if ">>> " not in block.text:
        source = "\n" * block.line + block.text  # so that a traceback tells the line of the page
        exec(compile(source, page, "exec"), namespace)
        return
    example = doctest.DocTestParser().get_doctest(block.text + "\n", {}, page, page, block.line)
    example.globs = namespace
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    told: list[str] = []
    doctest.DocTestRunner(optionflags=options).run(example, out=told.append, clear_globs=False)
    if told:
        pytest.fail("".join(told), pytrace=False)


def split_command(command: str) -> tuple[list[str], dict[str, str]] | None:
    """The words behind `unweave`, and the files behind ``<`` and ``>``; None where it takes a shell to read them."""
    if re.search(r"[|;&$`~()\n]", command) or not command.startswith("unweave "):
        return None
    lexer = shlex.shlex(command, posix=True, punctuation_chars="<>")
    lexer.whitespace_split = True
    words = list(lexer)
    files: dict[str, str] = {}
    while len(words) > 2 and words[-2] in ("<", ">"):
        files[words[-2]] = words[-1]
        del words[-2:]
    meant = [sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words[1:]]
    return [word for several in meant for word in several], files


def call(words: list[str], files: dict[str, str]) -> tuple[int, str]:
    """Call the command line in this process, which need not load everything anew: exit code, and what was said."""
    from unweave import cli

    heap = io.BytesIO()
    said = io.TextIOWrapper(heap, "utf-8", write_through=True)
    with ExitStack() as opened, pytest.MonkeyPatch.context() as patch:
        if "<" in files:
            patch.setattr(sys, "stdin", opened.enter_context(Path(files["<"]).open(encoding="latin-1")))
        out = opened.enter_context(Path(files[">"]).open("w", encoding="utf-8")) if ">" in files else said
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", said)
        code = cli.main(words)
    return code, heap.getvalue().decode()


def run_command(command: str, where: str) -> None:
    """Run a command line of a page; it must succeed."""
    read = split_command(command)
    if read is None:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=180)
        code, said = done.returncode, done.stdout + done.stderr
    else:
        code, said = call(*read)
    if code:
        pytest.fail(f"{where}: `{command}` ended with exit code {code}:\n{said.strip()}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=_name)
@pytest.mark.usefixtures("folder")
def test_the_examples_of_a_page_run(page: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "example"}
    blocks, _ = split_page(page.read_text("utf-8"))
    for block in blocks:
        if block.not_run:
            continue
        if block.language == "python":
            run_python(block, _name(page), namespace)
        elif block.language in SHELLS:
            for command in commands_of(block):
                run_command(command, f"{_name(page)}:{block.line}")


# ---------------------------------------------------------------- links


def anchors_of(text: str) -> set[str]:
    """The anchors that a page's headings make, by the rules of the usual forges."""
    _, prose = split_page(text)
    anchors: set[str] = set()
    for heading in re.findall(r"^#+\s+(.*?)\s*#*$", prose, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", anchor) is not None for anchor in anchors)
        anchors.add(f"{slug}-{count}" if count else slug)
    return anchors


def broken_links(page: Path, root: Path) -> Iterator[str]:
    """The relative links of a page that lead to no file, to no heading, or out of the project."""
    text = page.read_text("utf-8")
    _, prose = split_page(text)
    for number, line in enumerate(prose.splitlines(), 1):
        for groups in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            link = next(filter(None, groups))
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.is_relative_to(root):
                yield f"{page.name}:{number}: {link} leads out of the project"
            elif not target.exists():
                yield f"{page.name}:{number}: {link} leads to no file"
            elif anchor and target.suffix == ".md" and anchor not in anchors_of(target.read_text("utf-8")):
                yield f"{page.name}:{number}: {link} leads to no heading"


@pytest.mark.parametrize("page", LINKED, ids=_name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page, ROOT)) == []


# ---------------------------------------------------------------- the page on the command line


def command_tree() -> dict[str, Any]:
    """Every command by what one types, `unweave` itself first."""
    import click

    cli = importlib.import_module("unweave.cli")
    groups = [thing for thing in [cli.main, *vars(cli).values()] if isinstance(thing, click.Group)]
    if not groups:
        raise TypeError("unweave.cli holds no click group")
    context = click.Context(groups[0], info_name="unweave")
    found: dict[str, Any] = {}

    def walk(name: str, command: click.Command, above: click.Context) -> None:
        if command.hidden:
            return
        found[name] = command
        if isinstance(command, click.Group):
            inside = click.Context(command, info_name=name, parent=above)
            for below in command.list_commands(inside):
                inner = command.get_command(inside, below)
                if inner is not None:
                    walk(f"{name} {below}", inner, inside)

    walk("unweave", groups[0], context)
    return found


def options_of(command: Any) -> set[str]:
    """The long names of a command's options, or the short one of an option that has no long one."""
    names: set[str] = set()
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.hidden and parameter.name != "help":
            given = [*parameter.opts, *parameter.secondary_opts]
            names.update([name for name in given if name.startswith("--")] or given)
    return names


def section_of(text: str, title: str) -> str | None:
    """The part of a page below the heading that names a command, down to the next heading of its level.

    A heading may go on after the command, if not by a letter: "## `unweave live`: from a microphone".
    """
    lines = text.splitlines()
    wanted = re.compile(rf"(#+)\s+`?{re.escape(title)}(?![\w-])(?!\s+[\w-])")
    level, start, in_code = 0, None, False
    for number, line in enumerate(lines):
        in_code ^= FENCE.match(line) is not None
        heading = None if in_code else re.match(r"(#+)\s", line)
        if heading and start is not None and len(heading[1]) <= level:
            return "\n".join(lines[start:number])
        if heading and start is None and wanted.match(line):
            level, start = len(heading[1]), number
    return None if start is None else "\n".join(lines[start:])


def test_every_command_and_every_option_is_on_the_page() -> None:
    text = COMMANDS.read_text("utf-8")
    missing = []
    for name, command in command_tree().items():
        section = text if name == "unweave" else section_of(text, name)
        if section is None:
            missing.append(f"there is no heading '{name}'")
            continue
        missing += [
            f"{name}: {option} is not in its section"
            for option in sorted(options_of(command))
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", section)
        ]
    assert not missing, "docs/cli.md is behind the program:\n" + "\n".join(missing)


def test_the_page_speaks_of_no_option_that_is_not_there() -> None:
    known = {"--help", "--version"}.union(*(options_of(command) for command in command_tree().values()))
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", COMMANDS.read_text("utf-8")))
    assert sorted(told - known) == []


def stale_defaults(section: str, command: Any) -> list[str]:
    """Options whose default is a number, and whose row in the table says another."""
    complaints = []
    for parameter in command.params:
        default = parameter.default
        if isinstance(default, bool) or not isinstance(default, int | float):
            continue
        for name in parameter.opts:
            row = re.search(rf"^\|[^|]*`{re.escape(name)}[ `][^|]*\| *([^|]*?) *\|", section, re.MULTILINE)
            if row and re.fullmatch(r"[-+.\de]+", row[1]) and float(row[1]) != default:
                complaints.append(f"{name}: the page says {row[1]}, the program {default}")
    return complaints


def test_the_defaults_on_the_page_are_those_of_the_program() -> None:
    text = COMMANDS.read_text("utf-8")
    complaints = []
    for name, command in command_tree().items():
        complaints += stale_defaults(section_of(text, name) or "", command)
    assert complaints == []


def test_a_stale_default_is_found() -> None:
    import click

    command = click.Command("x", params=[click.Option(["--max-iter"], default=500)])
    assert stale_defaults("| `--max-iter N` | 500 | Most. |", command) == []
    assert stale_defaults("| `--max-iter N` | 200 | Most. |", command) == [
        "--max-iter: the page says 200, the program 500"
    ]


# ---------------------------------------------------------------- the checks can fail

PAGE = """\
# Title

Text with `[no link](here.md)` and ~~~.

```python
x = [1](2)
```

<!-- not run: needs a sound card -->
```console
$ unweave live
```

1. In a list:

   ```sh
   unweave decompose loop.wav \\
       -k 3 | cat
   make demo
   $ unweave doctor
   ```

## Second, with `code`

[good](#second-with-code) [bad](#third) [lost](lost.md) [out](../../x.md) [far](https://example.org/x.md)
"""


def test_a_page_is_read_as_its_reader_reads_it() -> None:
    blocks, prose = split_page(PAGE)
    assert [(block.language, block.line, block.not_run) for block in blocks] == [
        ("python", 5, ""),
        ("console", 10, "needs a sound card"),
        ("sh", 16, ""),
    ]
    assert commands_of(blocks[2]) == ["unweave decompose loop.wav -k 3 | cat", "unweave doctor"]
    assert len(prose.splitlines()) == len(PAGE.splitlines())
    assert anchors_of(PAGE) == {"title", "second-with-code"}


def test_a_block_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2: the block is never closed"):
        split_page("text\n```python\nx = 1\n")


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, "utf-8")
    assert list(broken_links(page, tmp_path)) == [
        "page.md:25: #third leads to no heading",
        "page.md:25: lost.md leads to no file",
        "page.md:25: ../../x.md leads out of the project",
    ]


def test_an_example_that_shows_something_else_is_found() -> None:
    namespace: dict[str, Any] = {}
    run_python(Block("python", "x = 2", 1, ""), "page", namespace)
    run_python(Block("python", ">>> x\n2", 1, ""), "page", namespace)
    with pytest.raises(pytest.fail.Exception, match="Expected"):
        run_python(Block("python", ">>> x\n3", 1, ""), "page", namespace)
    with pytest.raises(ZeroDivisionError):
        run_python(Block("python", "x / 0", 1, ""), "page", namespace)


def test_a_command_that_fails_is_found() -> None:
    run_command("true", "page:1")
    with pytest.raises(pytest.fail.Exception, match="page:1: `exit 3` ended with exit code 3"):
        run_command("exit 3", "page:1")


def test_a_command_that_needs_no_shell_is_called_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.wav", "a.wav"):
        (tmp_path / name).write_text("")
    assert split_command('unweave x *.wav --name "{label} > {ext}" < in > out') == (
        ["x", "a.wav", "b.wav", "--name", "{label} > {ext}"],
        {"<": "in", ">": "out"},
    )
    assert split_command("unweave x | cat") is None
    assert split_command("true") is None
    run_command("unweave doctor > told", "page:1")
    assert "unweave" in (tmp_path / "told").read_text()
    with pytest.raises(pytest.fail.Exception, match="ended with exit code 2:\nunweave: .*nothing"):
        run_command("unweave nothing", "page:1")


def test_the_section_of_a_command_ends_at_the_next_heading_of_its_level() -> None:
    live = "## unweave live\na\n"
    top = "## `unweave`\nb\n"
    decompose = "## `unweave decompose`: parts\nc\n### More\n```sh\n# no\n```\nd\n"
    text = live + top + decompose + "## Next\ne\n"
    assert section_of(text, "unweave live") == live.rstrip()
    assert section_of(text, "unweave") == top.rstrip()
    assert section_of(text, "unweave decompose") == decompose.rstrip()
    assert section_of(text, "unweave demo") is None
