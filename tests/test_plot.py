"""Pictures: what is on their axes, what they do with extremes, and what they cost."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from unweave import plot
from unweave.audio import Audio
from unweave.decomposition import decompose
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput, WriteError
from unweave.factorization import Factorization, Stop
from unweave.framing import STFT
from unweave.parts import Decomposition
from unweave.stft import stft

SETTINGS = STFT(n_fft=512)


def noise(n_samples: int = 16000, n_channels: int = 1) -> Audio:
    rng = np.random.default_rng(440)
    return Audio(0.1 * rng.standard_normal((n_channels, n_samples), np.float32), 16000)


def parts_of(audio: Audio, n_components: int = 3, beta: float = 1) -> Decomposition:
    return decompose(audio, n_components, stft=SETTINGS, beta=beta, max_iter=5, restarts=1)


@pytest.fixture(scope="module")
def parts() -> Decomposition:
    return parts_of(noise())


def drawn(value: Axes | tuple[Axes, ...], folder: Path) -> bytes:
    """The bytes of a picture; warnings on the way are errors."""
    path = folder / "picture.png"
    plot.save_figure(value[0] if isinstance(value, tuple) else value, path)
    return path.read_bytes()


def mesh_of(ax: Axes) -> QuadMesh:
    return next(found for found in ax.collections if isinstance(found, QuadMesh))


def everything(parts: Decomposition) -> list[Axes | tuple[Axes, ...]]:
    return [
        plot.spectrogram(parts),
        plot.bases(parts),
        plot.activation(parts, 0),
        plot.activations(parts),
        plot.strip(parts, 0),
        plot.components(parts),
        plot.divergence(parts),
    ]


# ---------------------------------------------------------------- axes and units


def test_a_spectrogram_shows_seconds_hertz_and_decibels(parts: Decomposition) -> None:
    ax = plot.spectrogram(parts, title="a $5 loop")
    assert ax.get_xlabel() == "time (s)"
    assert ax.get_ylabel() == "frequency (Hz)"
    assert ax.get_yscale() == "log"
    assert ax.get_title(loc="left") == "a $5 loop"
    figure = ax.get_figure()
    assert figure is not None
    assert [other.get_ylabel() for other in figure.axes if other is not ax] == ["level (dB relative to the loudest)"]
    assert mesh_of(ax).get_clim() == (-80, 0)


@pytest.mark.parametrize("scale", ["log", "mel", "linear"])
def test_ticks_of_frequency_read_100_1k_and_10k(scale: str) -> None:
    ax = plot.spectrogram(Audio(np.sin(np.arange(44100)), 44100), scale=scale)  # type: ignore[arg-type]
    ax.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    low, high = ax.get_ylim()
    labels = {text.get_text() for text in ax.get_yticklabels() if low <= text.get_position()[1] <= high}
    wanted = {"log": {"100", "1k", "10k"}, "mel": {"500", "1k", "2k", "4k"}, "linear": {"0", "5k", "10k"}}
    assert wanted[scale] <= labels


@pytest.mark.parametrize("kind", ["audio", "spectrogram", "decomposition"])
def test_a_sine_is_brightest_at_its_frequency_whatever_value_it_comes_in(kind: str) -> None:
    audio = Audio(np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000), 16000)
    if kind == "spectrogram":
        overview = plot.Overview.of(stft(audio, SETTINGS))
    else:
        overview = plot.Overview.of(audio if kind == "audio" else parts_of(audio, 1), SETTINGS)
    row = int(overview.power.max(axis=1).argmax())
    # The rows around 1 kHz are narrower than the bins, so several show the nearest one.
    assert abs(np.sqrt(overview.frequencies[row] * overview.frequencies[row + 1]) - 1000) < 16000 / 512


def test_every_picture_of_components_has_units_on_its_axes(parts: Decomposition) -> None:
    assert plot.bases(parts).get_xlabel() == "frequency (Hz)"
    assert "dB" in plot.bases(parts).get_ylabel()
    rows = plot.activations(parts)
    assert len(rows) == parts.n_components
    assert rows[-1].get_xlabel() == "time (s)"
    assert all(row.get_ylabel() == "amplitude\n(1 = full)" for row in rows)
    assert [child.get_ylabel() for child in rows[0].child_axes] == ["activation\n(magnitude)"]
    panels = plot.components(parts)
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == ["recording", "approximation", "component 0", "component 1", "component 2"]
    assert panels[0].get_ylabel() == "frequency (Hz)"
    assert panels[-1].get_xlabel() == "time (s)"
    assert {mesh_of(panel).get_clim() for panel in panels} == {(-80, 0)}


def test_labels_name_the_rows() -> None:
    parts = parts_of(noise(), 2)
    named = Decomposition(parts.audio, parts.stft, parts.factorization, labels=("kick $1", "snare"))
    texts = [text.get_text() for text in plot.bases(named).get_yticklabels()]
    assert texts == ["kick $1", "snare"]
    assert plot.activation(named, 1).get_title(loc="left") == "snare"


def test_given_axes_are_drawn_into(parts: Decomposition, tmp_path: Path) -> None:
    figure = Figure()
    axes = list(figure.subplots(4, 3).ravel())
    assert plot.spectrogram(parts, ax=axes[0]) is axes[0]
    assert plot.bases(parts, ax=axes[1]) is axes[1]
    assert plot.divergence(parts, ax=axes[2]) is axes[2]
    assert plot.activations(parts, axes=axes[3:6]) == tuple(axes[3:6])
    assert plot.components(parts, axes=axes[6:11]) == tuple(axes[6:11])
    assert plot.strip(parts, 0, ax=axes[11]) is axes[11]
    assert drawn(axes[0], tmp_path)


def test_a_wrong_number_of_axes_or_overviews_is_refused(parts: Decomposition) -> None:
    axes = list(Figure().subplots(1, 2).ravel())
    with pytest.raises(Incompatible, match="2 axes for 3 components"):
        plot.activations(parts, axes=axes)
    with pytest.raises(Incompatible, match="2 axes, but 5 are needed"):
        plot.components(parts, axes=axes)
    with pytest.raises(Incompatible, match="2 overviews for 3 components"):
        plot.components(parts, parts=plot.overviews(parts)[:2])


def test_an_unknown_scale_or_range_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="scale='bark' is not one of log, mel, linear"):
        plot.spectrogram(noise(), scale="bark")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="range_db=0"):
        plot.spectrogram(noise(), range_db=0)
    with pytest.raises(InvalidInput, match="component 3"):
        plot.activation(parts_of(noise()), 3)


def test_bases_of_a_dictionary_and_of_a_bare_factorization_are_drawn(parts: Decomposition) -> None:
    dictionary = Dictionary(parts.bases, ("a", "b", "c"), parts.stft, 16000)
    assert [text.get_text() for text in plot.bases(dictionary).get_yticklabels()] == ["a", "b", "c"]
    assert plot.bases(parts.factorization).get_xlabel() == "bin"
    assert plot.bases(parts.factorization, frequencies=parts.frequencies).get_xlabel() == "frequency (Hz)"
    with pytest.raises(Incompatible, match="frequencies.shape"):
        plot.bases(parts.factorization, frequencies=[1.0, 2.0])


@pytest.mark.parametrize("n_components", [1, 3, 15])
def test_bases_of_several_frames_are_drawn_as_small_spectrograms(n_components: int, tmp_path: Path) -> None:
    found = decompose(noise(), n_components, stft=SETTINGS, taps=4, max_iter=5, restarts=1)
    ax = plot.bases(found)
    meshes = [mesh for mesh in ax.collections if isinstance(mesh, QuadMesh)]
    assert len(meshes) == n_components
    assert all(np.asarray(mesh.get_array()).max() == 0 for mesh in meshes)
    assert ax.get_ylabel() == "frequency (Hz)"
    milliseconds = 4000 * SETTINGS.hop_length / found.audio.sample_rate
    assert ax.get_xlabel() == f"time (each 4 frames, {milliseconds:.0f} ms)"
    assert [text.get_text() for text in ax.get_xticklabels()] == [f"component {k}" for k in range(n_components)]
    assert plot.bases(found.dictionary).get_xlabel() == ax.get_xlabel()
    assert plot.bases(found.factorization).get_ylabel() == "bin"
    assert all(drawn(value, tmp_path) for value in everything(found))


# ---------------------------------------------------------------- divergence


def factorization(divergences: list[float]) -> Factorization:
    return Factorization(np.ones((3, 1)), np.ones((1, 4)), np.array(divergences), Stop.CONVERGED)


def test_the_divergence_says_where_it_stopped_and_why() -> None:
    ax = plot.divergence(factorization([9.0, 8.0, 7.5]))
    title = ax.get_title(loc="left").replace("\n", " ")
    assert title.startswith("Kullback-Leibler, β = 1: 7.5 after 2 iterations.")
    assert title.endswith(str(Stop.CONVERGED))
    assert ax.get_xlabel() == "iteration (count)"
    assert ax.get_ylabel() == "divergence (no unit)"


@pytest.mark.parametrize(
    ("history", "scale"), [([9.0, 8.0], "linear"), ([900.0, 8.0], "log"), ([9.0, 0.0], "linear"), ([], "linear")]
)
def test_the_divergence_is_logarithmic_where_it_spans_much(history: list[float], scale: str, tmp_path: Path) -> None:
    ax = plot.divergence(factorization(history))
    assert ax.get_yscale() == scale
    assert drawn(ax, tmp_path)


# ---------------------------------------------------------------- extremes


@pytest.mark.parametrize(
    "audio",
    [
        Audio(np.zeros((2, 5000), np.float32), 44100),
        Audio(np.full(10, 0.1, np.float32), 8000),
        Audio(np.zeros(0, np.float32), 8000),
        noise(4000, 2),
        noise(4000, 5),
    ],
    ids=["silence", "one frame", "empty", "stereo", "five channels"],
)
def test_every_picture_of_an_extreme_sound_is_drawn_without_a_warning(audio: Audio, tmp_path: Path) -> None:
    for value in everything(parts_of(audio, 2)):
        assert drawn(value, tmp_path).startswith(b"\x89PNG")


def test_a_model_of_powers_says_so(tmp_path: Path) -> None:
    parts = parts_of(noise(), 2, beta=0)
    ax = plot.activation(parts, 0)
    assert [child.get_ylabel() for child in ax.child_axes] == ["activation\n(power)"]
    assert drawn(plot.components(parts), tmp_path)


def test_thirty_components_get_thirty_rows(tmp_path: Path) -> None:
    parts = parts_of(noise(4000), 30)
    assert len(plot.activations(parts)) == 30
    assert len(plot.bases(parts).get_yticklabels()) == 30
    assert len(plot.components(parts)) == 32


def test_a_transform_of_two_samples_can_be_drawn(tmp_path: Path) -> None:
    audio = noise(50)
    assert drawn(plot.spectrogram(audio, stft=STFT(n_fft=2, hop_length=1, window="boxcar")), tmp_path)


def test_the_levels_of_a_chosen_channel_are_its_own() -> None:
    samples = np.zeros((2, 8000), np.float32)
    samples[1] = noise(8000).samples
    silent, loud = (plot.Overview.of(Audio(samples, 8000), channel=channel) for channel in (0, 1))
    assert silent.loudest == 0
    assert loud.loudest == pytest.approx(2 * plot.Overview.of(Audio(samples, 8000)).loudest)


# ---------------------------------------------------------------- overviews


def test_an_overview_does_not_depend_on_how_the_sound_was_cut() -> None:
    audio = noise(20011, 2)
    whole = plot.Overview.of(audio, SETTINGS)
    for size in (1000, 1001, 20011):
        builder = plot.OverviewBuilder(audio.n_samples, audio.sample_rate, SETTINGS)
        for begin in range(0, audio.n_samples, size):
            builder.add(audio.samples[:, begin : begin + size])
        cut = builder.finish()
        np.testing.assert_allclose(cut.power, whole.power, rtol=1e-4)
        np.testing.assert_array_equal(cut.low, whole.low)
        np.testing.assert_array_equal(cut.high, whole.high)


def test_an_overview_of_a_sound_equals_that_of_its_spectrogram() -> None:
    audio = noise(9000)
    heard, seen = plot.Overview.of(audio, SETTINGS), plot.Overview.of(stft(audio, SETTINGS))
    np.testing.assert_allclose(heard.power, seen.power, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(heard.times, seen.times)


def test_an_overview_keeps_the_greatest_of_every_cell() -> None:
    audio = noise(30000)
    overview = plot.Overview.of(stft(audio, SETTINGS), n_columns=7, n_rows=9)
    assert overview.power.shape == (9, 7)
    power = stft(audio, SETTINGS).power[0]
    inside = SETTINGS.frequencies(16000) >= overview.frequencies[0]
    assert overview.loudest == pytest.approx(float(power[inside].max()), rel=1e-3)
    assert plot.Overview.of(audio).peak == audio.peak
    assert overview.reduced(2, 3).power.shape == (3, 2)
    assert overview.reduced(2, 3).loudest == overview.loudest


def test_an_overview_of_a_long_sound_is_no_larger_than_a_picture() -> None:
    builder = plot.OverviewBuilder(3_000_000, 8000, STFT(n_fft=256))
    piece = noise(100_000).samples
    for _ in range(30):
        builder.add(piece)
        assert builder.waiting is not None
        assert builder.waiting.shape[1] < 1000
    overview = builder.finish()
    assert overview.power.shape == (400, 1500)
    assert overview.low.shape == overview.high.shape == (1500,)
    assert (overview.power.max(axis=0) > 0).all()
    assert overview.duration == 375


def test_a_click_stays_visible_in_a_long_sound() -> None:
    samples = np.zeros(2_000_000, np.float32)
    samples[1_234_567] = 1
    overview = plot.Overview.of(Audio(samples, 8000), STFT(n_fft=256))
    column = int(overview.power.max(axis=0).argmax())
    second = 1_234_567 / 8000
    assert overview.times[column] - 0.1 < second < overview.times[column + 1] + 0.1
    assert overview.peak == 1


def test_overviews_of_all_components_are_those_of_each(parts: Decomposition) -> None:
    for k, found in enumerate(plot.overviews(parts)):
        alone = plot.Overview.of(parts.component(k), parts.stft, n_columns=320, n_rows=140)
        np.testing.assert_allclose(found.power, alone.power, rtol=1e-3, atol=1e-6)


# ---------------------------------------------------------------- colours and files


def test_a_component_has_one_colour_and_the_first_32_differ() -> None:
    assert tuple(plot.color(k) for k in range(len(plot.COLORS))) == plot.COLORS
    assert len({plot.color(k) for k in range(32)}) == 32
    assert plot.color(100) == plot.color(100 % 32)


# Linear RGB of normal sight, then as seen without the one of the three kinds of cones (Machado et al. 2009).
SIGHTS = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def oklab(shade: str, sight: np.ndarray) -> np.ndarray:
    value = np.array([int(shade[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    axes = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(axes) @ np.cbrt(np.array(cones) @ np.clip(np.array(sight) @ linear, 0, 1))


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_first_eight_colours_are_told_apart_by_every_kind_of_eyes(sight: str) -> None:
    seen = [oklab(shade, np.array(SIGHTS[sight])) for shade in plot.COLORS]
    # 0.02 is just noticeable side by side.
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.1


def test_the_same_picture_gives_the_same_bytes_without_a_date(parts: Decomposition, tmp_path: Path) -> None:
    for first, second in zip(everything(parts), everything(parts), strict=True):
        data = drawn(first, tmp_path)
        assert data == drawn(second, tmp_path)
        assert b"tEXt" not in data


def test_a_strip_reaches_from_edge_to_edge_on_a_transparent_ground(parts: Decomposition) -> None:
    ax = plot.strip(parts, 0)
    assert ax.get_position().bounds == (0, 0, 1, 1)
    assert ax.get_xlim() == (0, parts.audio.duration)
    figure = ax.get_figure()
    assert figure is not None
    assert figure.patch.get_alpha() == 0 or figure.patch.get_facecolor()[-1] == 0


def test_a_picture_that_cannot_be_written_leaves_the_folder_as_it_was(parts: Decomposition, tmp_path: Path) -> None:
    ax = plot.divergence(parts)
    with pytest.raises(WriteError, match="cannot be written"):
        plot.save_figure(ax, tmp_path / "nowhere" / "a.png")
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(WriteError, match=r"taken\.png"):
        plot.save_figure(ax, tmp_path / "taken.png")
    assert [found.name for found in tmp_path.iterdir()] == ["taken.png"]


def test_importing_the_pictures_does_not_load_matplotlib() -> None:
    code = "import sys, unweave.plot as p; p.color(1); sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_drawing_changes_no_global_setting_and_no_array(parts: Decomposition) -> None:
    import matplotlib as mpl

    before, bases = dict(mpl.rcParams), parts.bases.copy()
    everything(parts)
    assert dict(mpl.rcParams) == before
    np.testing.assert_array_equal(parts.bases, bases)
    assert "matplotlib.pyplot" not in sys.modules
