import pickle

import pytest

from unweave import errors
from unweave.errors import Incompatible, InvalidInput, MissingExtra, ReadError, UnweaveError, WriteError

PARENTS = {
    InvalidInput: ValueError,
    Incompatible: ValueError,
    ReadError: OSError,
    WriteError: OSError,
    MissingExtra: ImportError,
}


@pytest.mark.parametrize(("kind", "parent"), PARENTS.items(), ids=lambda kind: kind.__name__)
def test_every_error_is_caught_as_ours_and_as_pythons(kind, parent):
    for caught in (UnweaveError, parent):
        with pytest.raises(caught, match="^one sentence$"):
            raise kind("one sentence")


def test_the_tree_in_the_docstring_names_every_error():
    ours = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert ours == {kind.__name__ for kind in PARENTS} | {"UnweaveError"}
    for name in ours:
        assert name in (errors.__doc__ or "")
    for kind, parent in PARENTS.items():
        assert f"{kind.__name__} " in (errors.__doc__ or "")
        assert f"({parent.__name__})" in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", [*PARENTS, UnweaveError], ids=lambda kind: kind.__name__)
def test_the_text_is_the_sentence_whatever_else_is_given(kind):
    assert str(kind("a sentence", "more")) == "a sentence"
    assert str(kind()) == ""


@pytest.mark.parametrize("kind", [*PARENTS, UnweaveError], ids=lambda kind: kind.__name__)
def test_errors_survive_the_way_between_processes(kind):
    back = pickle.loads(pickle.dumps(kind("a sentence")))
    assert (type(back), str(back)) == (kind, "a sentence")
