"""The page: that it stands alone, that no name breaks it, and that it is the same every time."""

import re
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pytest

from unweave.errors import InvalidInput, WriteError
from unweave.report import Part, page, write_page

VOID = {"meta", "link", "input", "img", "br", "hr"}
NASTY = "a </script><script>alert(1)</script> & \"b\" 'c' #1 100%? ü 猫"


class Reader(HTMLParser):
    """Reads a page: its elements with their attributes, its text, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of {tag} comes twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]

    def references(self) -> set[str]:
        """Every file that the page names."""
        found = {attributes.get(name) for _, attributes in self.elements for name in ("href", "src")}
        return {unquote(name) for name in found if name and not name.startswith("data:")}


def part(label: str = "kick", file_name: str = "kick.wav", **facts: object) -> Part:
    return Part(label, file_name, "#684ff7", **facts)  # type: ignore[arg-type]


def full(name: str = "loop") -> str:
    return page(
        name,
        [
            part(name, f"{name}-0.wav", level_db=-12.34, centroid_hz=1234.5, energy_share=0.5, picture=f"p/{name}.png"),
            part(f"{name} 1", f"{name}-1.flac", level_db=float("-inf"), energy_share=0.0),
        ],
        summary=[f"{name} is long."],
        pictures=[(f"Bases of {name}", f"p/bases {name}.png")],
        settings={f"setting {name}": name, "seed": None, "divergence": 1234.5678, "learn": True, "of": [1, 2]},
        original=f"{name}.wav",
        downloads=[(f"Bases ({name})", f"{name}.npz")],
    )


@pytest.mark.parametrize("name", ["loop", NASTY.replace("/", "⁄"), "a'b", 'a"b', "javascript:alert(1)", "{x}", "\\"])
def test_the_page_is_well_formed_and_names_every_file(name: str) -> None:
    read = Reader(full(name))
    assert read.open == []
    assert read.references() == {
        f"{name}-0.wav",
        f"{name}-1.flac",
        f"{name}.wav",
        f"{name}.npz",
        f"p/{name}.png",
        f"p/bases {name}.png",
    }
    assert f"{name} is long." in read.words
    assert len(read.all("script")) == 1
    assert len(read.all("audio")) == 3


def test_a_label_with_tags_is_shown_and_not_obeyed() -> None:
    text = page(NASTY, [part(NASTY)], summary=[NASTY], settings={NASTY: NASTY}, pictures=[(NASTY, "a.png")])
    read = Reader(text)
    assert "alert(1)" in read.words
    assert len(read.all("script")) == 1
    assert text.count("</script>") == 1
    assert [found["alt"] for found in read.all("img")] == [NASTY]


def test_the_script_and_the_style_are_the_same_whatever_the_page_shows() -> None:
    def fixed(text: str) -> list[str]:
        return re.findall(r"<(?:script|style)>.*?</(?:script|style)>", text, re.DOTALL)

    assert len(fixed(full())) == 2
    assert fixed(full()) == fixed(full("other")) == fixed(page(NASTY, [part(NASTY)]))


def test_the_page_needs_nothing_from_outside_its_folder() -> None:
    text = full()
    assert "//" not in text
    assert "http" not in text
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|\beval\b", text)
    assert all(not PurePosixPath(name).is_absolute() and ".." not in name for name in Reader(text).references())


def test_the_same_input_gives_the_same_page() -> None:
    assert full() == full()


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.wav", "a/../../b.wav", "", "//host/a.wav"])
def test_a_file_outside_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="not a file below the page's folder"):
        page("loop", [part(file_name=name)])


def test_a_colour_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="#rrggbb is needed"):
        page("loop", [Part("a", "a.wav", "red; background: url(x)")])


def test_paths_are_written_with_slashes_and_without_what_would_end_an_address() -> None:
    text = page("loop", [part(file_name=PurePosixPath("parts") / "a b#1?.wav")])  # type: ignore[arg-type]
    assert 'src="parts/a%20b%231%3F.wav"' in text


def test_a_name_of_bytes_that_are_no_characters_is_linked_all_the_same(tmp_path: Path) -> None:
    write_page(tmp_path / "index.html", "caf\udce9", [part("caf\udce9", "caf\udce9.wav")])
    text = (tmp_path / "index.html").read_text("utf-8")
    assert 'src="caf%E9.wav"' in text
    assert "<h1>caf?</h1>" in text


def test_every_row_has_what_a_mixing_desk_has() -> None:
    read = Reader(full("x"))
    buttons = {found.get("aria-label"): found.get("aria-pressed") for found in read.all("button")}
    for label in ("Solo x", "Mute x", "Solo x 1", "Mute x 1", "Listen to the recording instead of the parts"):
        assert buttons[label] == "false"
    sliders = [found["aria-label"] for found in read.all("input")]
    assert sliders == ["Position", "Volume of Recording", "Volume of x", "Volume of x 1"]
    assert len([found for found in read.all("a") if "download" in found]) == 3


def test_the_facts_of_a_part_are_in_human_units() -> None:
    words = Reader(full()).words
    assert "−12.3 dB · 1.23 kHz · 50 %" in " ".join(words.split())
    assert "silent · 0 %" in " ".join(words.split())
    assert "0.0 dB" in page("a", [part(level_db=-0.01)])
    assert "nan" not in page("a", [part(level_db=float("nan"), centroid_hz=float("nan"))]).split("<script>")[0]


def test_settings_are_in_words() -> None:
    words = " ".join(Reader(full()).words.split())
    assert "seed–" in words.replace(" ", "")
    assert "1234.57" in words
    assert "learn yes" in words.replace("learnyes", "learn yes")
    assert "1, 2" in words


def test_without_the_recording_the_page_says_that_the_parts_are_it() -> None:
    assert "All parts together are the recording." in page("a", [part()])
    assert "takes the place of all parts" in full()


def test_players_can_be_used_without_the_script() -> None:
    assert all("controls" in found for found in Reader(full()).all("audio"))


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    write_page(path, "loop", [part()], summary=["naïve"])
    assert path.read_bytes() == page("loop", [part()], summary=["naïve"]).encode()
    with pytest.raises(InvalidInput):
        write_page(path, "loop", [part(file_name="../x")])
    with pytest.raises(WriteError, match="cannot be written"):
        write_page(tmp_path / "nowhere" / "index.html", "loop", [part()])
    assert [found.name for found in tmp_path.iterdir()] == ["index.html"]
