"""What is painted on pictures: `unweave.plot.painted`, and `unweave decompose --painted`."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave
from PIL import Image

from tests.commands import Run
from unweave import Decomposition, decompose, load, plot, save
from unweave.errors import ReadError
from unweave.guide import Guide
from unweave.interchange import write_activations
from unweave.synthesis import drum_loop


def test_a_strip_as_it_was_drawn_has_no_paint_on_it(tmp_path: Path) -> None:
    parts = decompose(drum_loop(1, sample_rate=8000)["mix"], 10, max_iter=10, restarts=1)
    for k in range(parts.n_components):
        plot.save_figure(plot.strip(parts, k), tmp_path / "strip.png")
        row = plot.painted(tmp_path / "strip.png")
        assert row.shape == (1440,)
        assert row.all()


def test_what_is_painted_black_on_a_strip_is_zero_even_if_the_brush_missed_the_edges(tmp_path: Path) -> None:
    parts = decompose(drum_loop(1, sample_rate=8000)["mix"], 2, max_iter=10, restarts=1)
    plot.save_figure(plot.strip(parts, 0), tmp_path / "strip.png")
    pixels = np.array(Image.open(tmp_path / "strip.png"))
    pixels[20:-20, 720:] = (0, 0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "strip.png")
    assert np.flatnonzero(plot.painted(tmp_path / "strip.png") == 0).tolist() == list(range(720, 1440))


MODES = {"png": "L RGB 1 P RGBA LA I;16", "jpg": "L RGB", "bmp": "L RGB 1 P RGBA", "tif": "L RGB RGBA I;16", "gif": "P"}


@pytest.mark.parametrize(
    ("ending", "mode"), [(ending, mode) for ending, modes in MODES.items() for mode in modes.split()]
)
def test_pictures_of_all_kinds_are_read(tmp_path: Path, ending: str, mode: str) -> None:
    values = np.repeat(np.where(np.arange(40) < 8, 0, 255)[None], 16, axis=0)
    wide = Image.fromarray((values * 257).astype(np.uint16))
    image = wide if mode == "I;16" else Image.fromarray(values.astype(np.uint8)).convert(mode)
    image.save(tmp_path / f"mask.{ending}")
    assert plot.painted(tmp_path / f"mask.{ending}").tolist() == [0.0] * 8 + [1.0] * 32


def test_the_name_of_a_picture_need_not_say_its_format(tmp_path: Path) -> None:
    imsave(tmp_path / "mask.jpg", np.zeros((3, 5)), cmap="gray", format="png")
    assert not plot.painted(tmp_path / "mask.jpg").any()


def test_a_painted_row_is_what_a_guide_takes(tmp_path: Path) -> None:
    imsave(tmp_path / "mask.png", np.repeat([[0.0, 1.0]], 4, axis=0), cmap="gray")
    guide = Guide(painted={"kick": plot.painted(tmp_path / "mask.png")})
    assert guide.frames("kick", np.arange(6.0)).tolist() == [False] * 3 + [True] * 3


@pytest.mark.parametrize("content", [b"", b"seconds,0\n", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + bytes(99)])
def test_what_is_no_picture_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(ReadError, match=r"mask\.png is no picture that can be read: .*\.$"):
        plot.painted(tmp_path / "mask.png")


def test_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"absent\.png is no picture that can be read: No such file"):
        plot.painted(tmp_path / "absent.png")
    with pytest.raises(ReadError, match="is no picture that can be read: Is a directory"):
        plot.painted(tmp_path)


# ---------------------------------------------------------------- the command line


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop and a decomposition of it, and a strip whose first half is painted black."""
    folder = tmp_path_factory.mktemp("made")
    save(folder / "loop.wav", drum_loop(1, sample_rate=8000)["mix"])
    found = decompose(load(folder / "loop.wav"), 2, max_iter=50, restarts=1)
    (folder / "first").mkdir()
    found.dictionary.save(folder / "first" / "bases.npz")
    found.save(folder / "first" / "decomposition.npz")
    plot.save_figure(plot.strip(found, 0), folder / "strip.png")
    pixels = np.array(Image.open(folder / "strip.png"))
    pixels[:, :720] = (0, 0, 0, 255)
    Image.fromarray(pixels).save(folder / "strip.png")
    return folder


@pytest.fixture
def parts(made: Path, here: Path) -> Path:
    for each in made.iterdir():
        (here / each.name).symlink_to(each)
    return here


GIVEN = ("--bases", "first/bases.npz", "--activations", "first/decomposition.npz")
QUICK = ("--no-pictures", "--no-page", "--out", "again", "--max-iter", "20", "--quiet", "--overwrite")


@pytest.mark.parametrize("given", [GIVEN, GIVEN[:2]], ids=["activations too", "bases only"])
def test_a_part_is_silent_where_its_strip_was_painted_black_and_the_others_take_over(
    parts: Path, run: Run, given: tuple[str, ...]
) -> None:
    assert run("decompose", "loop.wav", *given, "--painted", "0=strip.png", *QUICK) == (0, "", "")
    found = Decomposition.load("again/decomposition.npz")
    half = found.activations.shape[1] // 2
    assert not found.activations[0, :half].any()
    assert found.activations[0, half + 1 : half + 6].all()
    assert found.activations[1].any()
    total = sum(part.samples for part in found.components())
    np.testing.assert_allclose(total, found.audio.samples, atol=1e-6)
    told = json.loads((parts / "again" / "manifest.json").read_text())["settings"]["painted"]
    assert [(each["part"], each["name"]) for each in told] == [("0", "strip.png")]


def test_a_table_that_was_edited_paints_as_well_and_may_be_the_start(parts: Path, run: Run) -> None:
    found = Decomposition.load("first/decomposition.npz")
    write_activations("table.csv", found)
    rows = (parts / "table.csv").read_text().splitlines()
    edited = [
        ",".join([row.split(",")[0], "0", row.split(",")[2]]) if 0 < k < 16 else row for k, row in enumerate(rows)
    ]
    (parts / "table.csv").write_text("\n".join(edited) + "\n")
    for given in ((*GIVEN, "--painted", "0=table.csv"), (*GIVEN[:2], "--activations", "table.csv")):
        assert run("decompose", "loop.wav", *given, *QUICK) == (0, "", "")
        again = Decomposition.load("again/decomposition.npz").activations
        assert not again[0, :15].any()
        assert again[0, 17:].any()


def test_parts_are_painted_by_their_labels_too(parts: Path, run: Run) -> None:
    run("dictionary", "first/bases.npz", "--relabel", "0=kick", "-o", "kit.npz", "--quiet")
    given = ("--bases", "kit.npz", "--painted", "kick=strip.png")
    assert run("decompose", "loop.wav", *given, *QUICK) == (0, "", "")
    assert not Decomposition.load("again/decomposition.npz").activations[0, :15].any()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-k", "2", "--painted", "0=strip.png"), 2, "it needs --bases or --activations, or both."),
        ((*GIVEN, "--painted", "2=strip.png"), 2, "--painted names '2': say a component from 0 to 1 or 0, 1."),
        ((*GIVEN, "--painted", "kick=strip.png"), 2, "--painted names 'kick': say a component from 0 to 1"),
        ((*GIVEN, "--painted", "0=strip.png,strip.png"), 2, "--painted names '0' twice: a component is painted once."),
        ((*GIVEN, "--painted", "0"), 2, "--painted '0' is not NAME=VALUE"),
        ((*GIVEN, "--painted", "0=absent.png"), 1, "absent.png is no picture that can be read: No such file"),
        ((*GIVEN, "--painted", "0=loop.wav"), 1, "loop.wav is no picture that can be read: its format is unknown."),
        ((*GIVEN, "--painted", "0=text.csv"), 1, "text.csv is no"),
        ((*GIVEN, "--painted", "0=nan.csv"), 1, "nan.csv holds activations that are negative or not finite."),
        ((*GIVEN, "--painted", "0=other.csv"), 1, "other.csv has no column '0': it has a, b."),
    ],
)
def test_what_cannot_be_painted_is_refused(
    parts: Path, run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (parts / "text.csv").write_text("lorem ipsum\n")
    (parts / "nan.csv").write_text('"seconds","0"\n0,nan\n')
    (parts / "other.csv").write_text('"seconds","a","b"\n0,1,1\n')
    found = run("decompose", "loop.wav", *arguments, *QUICK)
    assert (found[0], words in found[2]) == (code, True), found[2]
    assert not (parts / "again").exists()
