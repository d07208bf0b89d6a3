"""librosa: its sounds and spectrograms go in and come back bit by bit, and its `decompose` takes `unweave.NMF`.

The cases of `decompose` are those that its documentation promises, and those of its tests by what they ask: shapes with
and without channels, `sort`, `fit=False`, the refusals. librosa's tests do not come with the package:
benchmarks/librosa_suite.py asks those of a checkout, and is asked here with some of our own. What needs librosa itself
is skipped where it is absent.
"""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import unweave as uw
from unweave.errors import Incompatible, InvalidInput
from unweave.librosa import from_librosa, to_librosa
from unweave.synthesis import drum_loop

RATE = 22050
SUITE = Path(__file__).resolve().parents[1] / "benchmarks" / "librosa_suite.py"


@pytest.fixture(scope="module")
def librosa() -> ModuleType:
    return pytest.importorskip("librosa")


def sound(n_samples: int = 9000, n_channels: int = 0) -> np.ndarray:
    shape = (n_channels, n_samples) if n_channels else (n_samples,)
    return np.random.default_rng(440).standard_normal(shape).astype(np.float32) / 8


def spectrum(n_channels: int = 0, n_bins: int = 257, n_frames: int = 20) -> np.ndarray:
    shape = (n_channels, n_bins, n_frames) if n_channels else (n_bins, n_frames)
    rng = np.random.default_rng(440)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


# ---------------------------------------------------------------- both ways, without librosa


@pytest.mark.parametrize("n_channels", [0, 2, 3])
def test_a_sound_goes_there_and_back_bit_by_bit(n_channels: int) -> None:
    y = sound(n_channels=n_channels)
    back, sr = to_librosa(uw.Audio(y, RATE))
    np.testing.assert_array_equal(back, y)
    assert (back.shape, str(back.dtype), sr) == (y.shape, "float32", RATE)
    assert np.shares_memory(back, y)


@pytest.mark.parametrize("n_channels", [0, 2])
def test_a_spectrogram_goes_there_and_back_bit_by_bit(n_channels: int) -> None:
    D = spectrum(n_channels)
    back = to_librosa(from_librosa(D, sr=RATE))
    np.testing.assert_array_equal(back, D)
    assert (back.shape, str(back.dtype)) == (D.shape, "complex64")
    assert np.shares_memory(back, D)


def test_the_settings_are_those_that_librosa_would_assume() -> None:
    assert from_librosa(spectrum()).stft == uw.STFT(512, 128)
    assert from_librosa(spectrum()).sample_rate == 22050
    assert from_librosa(spectrum(), win_length=400).stft == uw.STFT(512, 100, 400)
    assert from_librosa(spectrum(), hop_length=256, length=4900).n_samples == 4900
    assert from_librosa(spectrum()).n_samples == 19 * 128
    assert from_librosa(spectrum(n_bins=256), n_fft=511).stft.n_fft == 511


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (np.abs(spectrum()), {}, InvalidInput, "magnitudes have no phase"),
        (spectrum()[0], {}, InvalidInput, r"D.shape=\(20,\)"),
        (spectrum(), {"n_fft": 1024}, Incompatible, "was it made with another n_fft"),
        (spectrum(), {"length": 10**6}, Incompatible, "was it made with another hop_length"),
        (spectrum(), {"window": "kaiser"}, InvalidInput, "window='kaiser' is not one of"),
        (np.full((3, 2), np.nan, np.complex64), {}, InvalidInput, "NaN"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    arguments: np.ndarray, options: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        from_librosa(arguments, **options)


def test_other_values_have_no_shape_in_librosa() -> None:
    with pytest.raises(InvalidInput, match="int has no shape"):
        to_librosa(3)  # type: ignore[call-overload]
    taps = uw.decompose(sound(), 2, sample_rate=RATE, taps=2, max_iter=2)
    with pytest.raises(InvalidInput, match="last 2 frames"):
        to_librosa(taps)


@pytest.mark.parametrize("n_channels", [0, 2])
def test_parts_come_as_components_and_activations(n_channels: int) -> None:
    parts = uw.decompose(sound(n_channels=n_channels), 3, sample_rate=RATE, max_iter=5)
    components, activations = to_librosa(parts)
    assert components.shape == ((2, 1025, 3) if n_channels else (1025, 3))
    assert activations.shape == (3, parts.times.size)


@pytest.mark.parametrize("n_channels", [0, 1, 2])
def test_decompose_takes_bare_sounds_as_librosa_has_them(n_channels: int) -> None:
    y = sound(n_channels=n_channels)
    parts = uw.decompose(y, 2, sample_rate=RATE, max_iter=5)
    assert parts.audio.samples.shape == (max(n_channels, 1), 9000)
    total = sum(part.samples for part in parts.components())
    np.testing.assert_allclose(total, np.atleast_2d(y), atol=1e-5)


def test_a_complex_array_is_a_spectrogram_and_needs_its_rate() -> None:
    D = to_librosa(uw.stft(uw.Audio(sound(), RATE), uw.STFT(512)))
    parts = uw.decompose(D, 2, sample_rate=RATE, max_iter=5)
    assert parts.stft == uw.STFT(512)
    np.testing.assert_allclose(parts.audio.samples[0], sound()[: 70 * 128], atol=1e-5)
    with pytest.raises(InvalidInput, match="does not say its rate"):
        uw.decompose(D, 2)
    with pytest.raises(InvalidInput, match=r"shape is \(71,\)"):
        uw.decompose(D[0], 2, sample_rate=RATE)
    with pytest.raises(Incompatible, match="another n_fft"):
        uw.decompose(D, 2, sample_rate=RATE, stft=uw.STFT(1024))


# ---------------------------------------------------------------- with librosa


SETTINGS = [
    {},
    {"n_fft": 512},
    {"n_fft": 512, "hop_length": 100},
    {"n_fft": 512, "win_length": 400, "hop_length": 100},
    {"n_fft": 1024, "window": "blackmanharris", "hop_length": 128},
    {"n_fft": 512, "window": "hamming", "hop_length": 256},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("n_channels", [0, 2])
def test_the_transform_is_librosas_with_zeros_around_the_sound(
    librosa: ModuleType, settings: dict, n_channels: int
) -> None:
    y = sound(n_channels=n_channels)
    D = librosa.stft(y, center=True, pad_mode="constant", **settings)
    theirs = from_librosa(D, sr=RATE, length=y.shape[-1], **settings)
    ours = uw.stft(uw.Audio(y, RATE), theirs.stft)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-5 * np.abs(D).max())
    np.testing.assert_allclose(uw.istft(theirs).samples, np.atleast_2d(y), atol=1e-5)


def test_zeros_around_the_sound_are_librosas_default(librosa: ModuleType) -> None:
    np.testing.assert_array_equal(librosa.stft(sound()), librosa.stft(sound(), pad_mode="constant"))


def test_other_padding_changes_the_frames_at_the_ends_only(librosa: ModuleType) -> None:
    y = sound()
    theirs = librosa.stft(y, pad_mode="reflect")
    ours = to_librosa(uw.stft(uw.Audio(y, RATE), from_librosa(theirs, length=y.size).stft))
    inner = slice(2, -2)
    np.testing.assert_allclose(ours[:, inner], theirs[:, inner], atol=1e-4)
    assert np.abs(ours - theirs)[:, [0, -1]].max() > 0.1


def test_frames_that_are_not_centred_are_understood_and_named_where_they_cannot_be_used(librosa: ModuleType) -> None:
    D = librosa.stft(sound(), center=False)
    value = from_librosa(D, center=False)
    np.testing.assert_allclose(value.values[0], uw.stft(uw.Audio(sound(), RATE), value.stft).values[0], atol=1e-4)
    with pytest.raises(InvalidInput, match="use center=True"):
        uw.decompose(value, 2)


def test_the_inverse_is_librosas(librosa: ModuleType) -> None:
    y = drum_loop(n_bars=1)["mix"].samples[0]
    D = librosa.stft(y)
    changed = (D * np.linspace(1, 0, 1025, dtype=np.float32)[:, None]).astype(np.complex64)
    ours = uw.istft(from_librosa(changed, length=y.size)).samples[0]
    np.testing.assert_allclose(ours, librosa.istft(changed, length=y.size), atol=1e-5)


def test_a_spectrogram_of_librosa_is_taken_apart_and_its_parts_sum_to_it(librosa: ModuleType) -> None:
    audio = drum_loop(n_bars=1)["mix"]
    y, sr = to_librosa(audio)
    parts = uw.decompose(from_librosa(librosa.stft(y), sr=sr, length=y.size), 3, max_iter=20)
    np.testing.assert_allclose(sum(part.samples for part in parts.components()), audio.samples, atol=1e-5)


# ---------------------------------------------------------------- librosa.decompose.decompose with our class


@pytest.fixture(scope="module", name="S")
def magnitudes() -> np.ndarray:
    V = uw.stft(drum_loop(n_bars=1)["mix"], uw.STFT(512)).magnitude[0]
    return V[:, :200]


@pytest.fixture(scope="module")
def model() -> type:
    pytest.importorskip("sklearn")
    return uw.NMF  # type: ignore[no-any-return]


def test_it_is_taken_as_transformer_with_components_sorted(librosa: ModuleType, model: type, S: np.ndarray) -> None:
    components, activations = librosa.decompose.decompose(S, n_components=8, transformer=model(8), sort=True)
    assert components.shape == (257, 8)
    assert activations.shape == (8, 200)
    peaks = components.argmax(axis=0)
    assert (np.diff(peaks) >= 0).all()
    assert np.linalg.norm(S - components @ activations) < 0.2 * np.linalg.norm(S)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_fitted_components_are_used_again_and_kept(librosa: ModuleType, model: type, S: np.ndarray, loss: str) -> None:
    transformer = model(4, beta_loss=loss)
    components, activations = librosa.decompose.decompose(S, transformer=transformer)
    kept = transformer.components_.copy()
    again, found = librosa.decompose.decompose(S, transformer=transformer, fit=False)
    np.testing.assert_array_equal(again, components)
    np.testing.assert_array_equal(transformer.components_, kept)
    np.testing.assert_allclose(found, activations, atol=2e-2 * activations.max())
    few, _ = librosa.decompose.decompose(S[:, 50:60], transformer=transformer, fit=False, sort=True)
    assert sorted(few.argmax(axis=0)) == list(few.argmax(axis=0))


def test_an_exact_product_is_found_exactly(librosa: ModuleType, model: type) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((20, 5)) @ rng.random((5, 50))  # librosa's own case: rank 5 and 5 components
    components, activations = librosa.decompose.decompose(X, transformer=model(5, tol=1e-9, max_iter=3000))
    np.testing.assert_allclose(components @ activations, X, atol=5e-3)


def test_channels_are_one_below_the_other_as_librosa_unrolls_them(
    librosa: ModuleType, model: type, S: np.ndarray
) -> None:
    stereo = np.stack([S, 0.5 * S[:, ::-1]])
    components, activations = librosa.decompose.decompose(stereo, transformer=model(4))
    assert components.shape == (2, 257, 4)
    assert activations.shape == (4, 200)
    approximation = np.einsum("cbk,kn->cbn", components, activations)
    assert np.linalg.norm(stereo - approximation) < 0.5 * np.linalg.norm(stereo)
    with pytest.raises(librosa.util.exceptions.ParameterError, match="sort=True"):
        librosa.decompose.decompose(stereo, transformer=model(4), sort=True)


def test_sorting_does_not_touch_the_transformer(librosa: ModuleType, model: type, S: np.ndarray) -> None:
    transformer = model(4)
    components, _ = librosa.decompose.decompose(S, transformer=transformer, sort=True)
    order = np.argsort(transformer.components_.argmax(axis=1), kind="stable")
    np.testing.assert_allclose(components, transformer.components_[order].T)


def test_without_a_fit_there_is_nothing_to_use(librosa: ModuleType, model: type, S: np.ndarray) -> None:
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        librosa.decompose.decompose(S, transformer=model(4), fit=False)
    with pytest.raises(librosa.util.exceptions.ParameterError, match="fit must be True"):
        librosa.decompose.decompose(S, fit=False)


def test_the_parts_are_heard_with_the_phase_of_the_recording(librosa: ModuleType, model: type) -> None:
    y, sr = to_librosa(drum_loop(n_bars=1)["mix"])
    D = librosa.stft(y)
    components, activations = librosa.decompose.decompose(
        np.abs(D), transformer=model(3, beta_loss="kullback-leibler"), sort=True
    )
    parts = uw.decompose(
        *(y, 3),
        sample_rate=sr,
        stft=uw.STFT(2048),
        bases=components,
        activations=activations,
        learn_bases=False,
        learn_activations=False,
    )
    theirs = librosa.istft(np.outer(components[:, 0], activations[0]) * np.exp(1j * np.angle(D)), length=y.size)
    np.testing.assert_allclose(parts.product(0).samples[0], theirs, atol=1e-4)


# ---------------------------------------------------------------- librosa's own tests

TESTS = """
import os
import pytest
import sklearn.decomposition
import unweave

@pytest.fixture
def y22050():
    with open(os.path.join("tests", "data", "test1_22050.wav"), "rb") as file:
        return file.read()

def test_given():
    assert isinstance(sklearn.decomposition.NMF(2), unweave.NMF)

def test_not_asked():
    pass

@pytest.mark.xfail(raises=unweave.InvalidInput)
def test_refused():
    sklearn.decomposition.NMF("no number").fit([[1.0, 2.0]])

def test_recording(y22050):
    assert y22050 == b"a recording"
"""


def asked(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(SUITE), str(folder / "tests" / "test_decompose.py"), *options]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.usefixtures("librosa")
def test_librosas_own_tests_are_asked_with_the_class_exchanged_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    refused = asked(tmp_path)
    assert refused.returncode == 1
    assert "is not librosa's tests/test_decompose.py" in refused.stderr
    (folder / "test_core.py").touch()
    (folder / "test_decompose.py").write_text(TESTS, "utf-8")
    done = asked(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 1 passed by being refused, as they ask" in done.stdout
    assert "2 of them took unweave.NMF" in done.stdout
    assert "1 test1_22050.wav is not in tests/data" in done.stdout
    (folder / "data").mkdir()
    (folder / "data" / "test1_22050.wav").write_bytes(b"another")
    failed = asked(tmp_path, "-k", "recording or given")
    assert failed.returncode == 1
    assert "1 failed, 1 passed" in failed.stdout
    assert "test_recording" in failed.stdout
    assert "0 excluded" in failed.stdout
