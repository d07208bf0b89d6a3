"""Counts in words."""

import numpy as np
import pytest

from unweave import Audio, Dictionary
from unweave.convolutive import ConvolutiveFactorization
from unweave.factorization import Factorization, Stop
from unweave.flucoma import Buffer
from unweave.framing import STFT
from unweave.stft import stft
from unweave.words import counted


@pytest.mark.parametrize(("number", "words"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_one_is_not_several(number: int, words: str) -> None:
    assert counted(number, "frame") == words
    assert counted(number, "basis", "bases") == words.replace("frames", "bases").replace("frame", "basis")


def test_values_of_one_and_of_several_say_so() -> None:
    one, found = np.ones((1, 1), np.float32), (np.array([2.0, 1.0]), Stop.CONVERGED, 1.0, 0, np.array([0, 1]))
    assert (
        repr(Factorization(one, one, *found))
        == "Factorization(1 component, 1 bin, 1 frame, divergence 1 after 1 iteration)"
    )
    taps = ConvolutiveFactorization(one[:, :, None], one, *found)
    assert "1 component of 1 tap, 1 bin, 1 frame, divergence 1 after 1 iteration" in repr(taps)
    assert repr(Dictionary(np.ones((9, 1)), (), STFT(16), 8000)).startswith("Dictionary(1 basis: ")
    assert repr(Dictionary(np.ones((9, 2)), (), STFT(16), 8000)).startswith("Dictionary(2 bases: ")
    assert "1 channel, 9 bins to 4000 Hz, 1 frame," in repr(stft(Audio(np.zeros(1), 8000), STFT(16, 8)))
    assert repr(Buffer(np.zeros((1, 1)), 8000)) == "Buffer(1 frame, 1 channel, 8000 Hz)"
