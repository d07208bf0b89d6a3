"""Dictionaries from examples."""

import numpy as np
import pytest

from unweave.audio import Audio, save
from unweave.decomposition import decompose
from unweave.errors import Incompatible, InvalidInput, ReadError
from unweave.evaluation import si_sdr
from unweave.framing import STFT
from unweave.synthesis import drum_loop
from unweave.training import learn_examples, learn_examples_steps

DRUMS = ("kick", "snare", "hihat")
RATE = 22050


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=1, sample_rate=RATE)


@pytest.fixture(scope="module")
def kit(loop):
    return learn_examples({name: loop[name] for name in DRUMS}, stft=STFT(1024))


def test_a_kit_finds_its_drums_in_another_loop(kit):
    other = drum_loop(n_bars=2, sample_rate=RATE, seed=5)
    parts = decompose(other["mix"], 3, bases=kit, learn_bases=False)
    assert parts.labels == DRUMS
    for k, name in enumerate(DRUMS):
        assert si_sdr(other[name], parts.component(k)) > 10


def test_bases_have_length_one_and_lie_low_to_high_within_a_label(loop):
    found = learn_examples({name: loop[name] for name in DRUMS}, {"snare": 3}, stft=STFT(512), max_iter=3)
    assert found.labels == ("kick", "snare", "snare", "snare", "hihat")
    np.testing.assert_allclose(np.linalg.norm(found.bases[0], axis=0), 1, rtol=1e-5)
    assert np.all(np.diff(found.centroids[1:4]) > 0)


def test_several_recordings_of_a_label_are_learned_as_one():
    tones = [Audio(np.sin(2 * np.pi * f * np.arange(RATE) / RATE), RATE) for f in (500, 3000)]
    one = learn_examples({"tones": tones}, 1, stft=STFT(1024))
    assert one.centroids[0] == pytest.approx(1750, abs=60)
    two = learn_examples({"tones": tones}, 2, stft=STFT(1024))
    np.testing.assert_allclose(two.centroids, [500, 3000], atol=25)


def test_a_file_teaches_what_its_sound_does_to_the_bit(loop, tmp_path):
    save(tmp_path / "kick.wav", loop["kick"])
    options = {"stft": STFT(1024), "max_iter": 3}
    of_file = learn_examples({"kick": str(tmp_path / "kick.wav")}, 2, **options)
    of_sound = learn_examples({"kick": [loop["kick"]]}, 2, **options)
    np.testing.assert_array_equal(of_file.bases, of_sound.bases)
    assert (of_file.labels, of_file.sample_rate, of_file.stft) == (("kick", "kick"), RATE, STFT(1024))


def test_mono_examples_serve_beside_stereo_ones(loop):
    stereo = drum_loop(n_bars=1, sample_rate=RATE, stereo=True)
    found = learn_examples({"kick": loop["kick"], "hihat": stereo["hihat"]}, stft=STFT(512), max_iter=2)
    assert found.n_channels == 2
    np.testing.assert_allclose(found.bases[0, :, 0], found.bases[1, :, 0], rtol=1e-4)
    assert found.bases[1, :, 1].sum() > 1.5 * found.bases[0, :, 1].sum()


def test_progress_names_every_label():
    clicks = {name: Audio(np.ones(50), RATE) for name in DRUMS}
    assert list(learn_examples_steps(clicks, stft=STFT(64))) == list(DRUMS)


def test_an_example_shorter_than_a_window_or_of_one_sample_is_learned():
    found = learn_examples({"click": Audio([0.5], RATE), "short": Audio(np.ones(100) / 2, RATE)}, 2, stft=STFT(1024))
    assert np.isfinite(found.bases).all()
    assert found.bases.any(axis=(0, 1)).sum() >= 2


@pytest.mark.parametrize(
    ("examples", "options", "kind", "words"),
    [
        ({}, {}, InvalidInput, "examples is empty: name one sound at least"),
        ({"a": []}, {}, InvalidInput, "examples names no recording for 'a'"),
        ({"a": Audio(np.zeros(5000), RATE)}, {}, InvalidInput, "the examples of 'a' are silent"),
        ({"a": Audio(np.zeros(0), RATE)}, {}, InvalidInput, "the examples of 'a' are silent"),
        ({"a": Audio(np.ones(9), RATE)}, {"n_bases": 0}, InvalidInput, "n_bases=0 is not a whole number from 1"),
        ({"a": Audio(np.ones(9), RATE)}, {"n_bases": {"b": 1}}, InvalidInput, "n_bases names 'b', which is not among"),
        ({"a": "absent.wav"}, {}, ReadError, "absent.wav does not exist"),
        (
            {"a": Audio(np.ones(9), RATE), "b": Audio(np.ones(9), 8000)},
            {},
            Incompatible,
            "an example of .* s has 8000 Hz, but an example of .* s has 22050 Hz: load both with the same sample_rate",
        ),
        (
            {"a": Audio(np.ones((2, 9)), RATE), "b": Audio(np.ones((3, 9)), RATE)},
            {},
            Incompatible,
            "has 2 channels, but another example has 3",
        ),
    ],
)
def test_what_teaches_nothing_is_refused(examples, options, kind, words):
    with pytest.raises(kind, match=words):
        learn_examples(examples, **options)
