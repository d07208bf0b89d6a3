import numpy as np
import pytest

from unweave.errors import InvalidInput
from unweave.guide import Guide
from unweave.notes import Note

TIMES = np.arange(10) / 10


def test_it_says_what_is_known():
    guide = Guide(
        alone={"a": (0, 1)},
        silent={"b": [(1, 2), (3, 4)]},
        score={"c": [Note(onset=0, offset=1, pitch=60)]},
        band={"c": (30, 300)},
        painted={"d": [0, 1]},
    )
    assert repr(guide) == ("Guide(a: alone 0-1 s; b: silent 1-2, 3-4 s; c: 1 notes, band 30-300 Hz; d: painted)")
    assert guide.names == ("a", "b", "c", "d")


def test_where_one_is_alone_all_others_are_silent():
    guide = Guide(alone={"a": [(0.2, 0.5)]})
    assert guide.frames("a", TIMES).all()
    assert guide.frames("b", TIMES).tolist() == [True, True, False, False, False, *[True] * 5]


def test_a_silent_sound_and_a_painted_one():
    assert np.flatnonzero(~Guide(silent={"a": (0, 0.25)}).frames("a", TIMES)).tolist() == [0, 1, 2]
    assert np.flatnonzero(Guide(painted={"a": [0, 0.5, 0]}).frames("a", TIMES)).tolist() == [3, 4, 5]


def test_a_score_lets_notes_begin_a_little_early_and_end_a_little_late():
    guide = Guide(score={"a": [Note(onset=0.3, offset=0.5, label="snare")]})
    fine = np.arange(100) / 100
    heard = fine[guide.frames("a", fine)]
    assert (heard.min(), heard.max()) == (0.25, 0.59)


def test_a_band_holds_its_edges():
    hertz = np.arange(5) * 100.0
    assert Guide(band={"a": (100, 300)}).bins("a", hertz).tolist() == [False, True, True, True, False]
    assert Guide(band={"a": (100, 300)}).bins("b", hertz).all()


def test_it_cannot_be_changed():
    guide = Guide(painted={"a": [0, 1]})
    with pytest.raises(TypeError):
        guide.painted["b"] = [1]
    with pytest.raises(ValueError, match="read-only"):
        guide.painted["a"][0] = 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alone": {"a": (2, 1)}}, "alone of 'a' is .2, 1.: ranges of seconds are needed"),
        ({"alone": {"a": []}}, "alone of 'a'"),
        ({"silent": {"a": [(0, float("nan"))]}}, "silent of 'a'"),
        ({"silent": [(0, 1)]}, "silent=.* is not a mapping of names"),
        ({"band": {"a": (300, 30)}}, "band of 'a' is .300, 30.: low and high in Hz are needed"),
        ({"band": {"a": 30}}, "band of 'a' is 30"),
        ({"score": {"a": [60]}}, "score of 'a' needs a sequence of Note"),
        ({"painted": {"a": [-1.0]}}, "painted of 'a' must be a row of finite numbers of at least 0"),
        ({"painted": {"a": [[1.0]]}}, "painted of 'a'"),
    ],
)
def test_what_cannot_be_is_refused(given, words):
    with pytest.raises(InvalidInput, match=words):
        Guide(**given)
