import numpy as np
import pytest

from unweave.audio import Audio
from unweave.decomposition import decompose
from unweave.errors import InvalidInput
from unweave.factorization import Factorization
from unweave.framing import STFT
from unweave.grouping import group
from unweave.parts import Decomposition
from unweave.plot import groups, save_figure

RATE, SETTINGS = 22050, STFT(1024)


def tone_basis(pitch):
    hertz = SETTINGS.frequencies(RATE)
    basis = np.full(hertz.size, 1e-4)
    for n in range(1, 6):
        partial = n * 440 * 2 ** ((pitch - 69) / 12)
        basis += np.exp(-(((hertz - partial) / 30) ** 2)) / n
    return basis


def band_basis(low, high):
    hertz = SETTINGS.frequencies(RATE)
    return np.where((hertz >= low) & (hertz < high), 1.0, 1e-3)


def parts_of(bases, activations=None, n_channels=1, power=1.0):
    bases = np.stack(bases, axis=1)
    n = 20_000
    audio = Audio(0.1 * np.random.default_rng(0).standard_normal((n_channels, n)), RATE)
    frames = SETTINGS.n_frames(n)
    if activations is None:
        activations = np.random.default_rng(1).random((bases.shape[1], frames))
    return Decomposition(audio, SETTINGS, Factorization(bases, np.asarray(activations)[:, :frames]), power)


def test_components_of_one_timbre_belong_together():
    low, high = (50, 400), (4000, 9000)
    parts = parts_of([band_basis(*each) * gain for each, gain in ((low, 1), (high, 3), (low, 5), (high, 0.2))])
    assert dict(group(parts, "timbre").groups) == {"0": (0, 2), "1": (1, 3)}
    assert repr(group(parts, "timbre", 2)) == "Grouping(by timbre: 0: 0, 2; 1: 1, 3)"


def test_components_of_one_pitch_belong_together():
    parts = parts_of([tone_basis(60), tone_basis(67), tone_basis(60.2), band_basis(3000, 9000)])
    assert dict(group(parts, "pitch", 3).groups) == {"0": (0, 2), "1": (1,), "2": (3,)}


def test_components_that_begin_together_belong_together():
    strokes = np.zeros((4, 100))
    for k, step in enumerate((10, 14, 10, 14)):
        strokes[k, ::step] = 1 + k
    parts = parts_of([band_basis(100 * k, 100 * k + 500) for k in range(4)], strokes)
    assert dict(group(parts, "onset", 2).groups) == {"0": (0, 2), "1": (1, 3)}


def test_components_that_stand_in_one_place_belong_together():
    gains = ((1, 0.1), (0.1, 1), (0.9, 0.1), (0.7, 0.7))
    bases = [
        np.concatenate([band_basis(100 * k, 100 * k + 500) * gain for gain in each]) for k, each in enumerate(gains)
    ]
    assert dict(group(parts_of(bases, n_channels=2), "place", 3).groups) == {"0": (0, 2), "1": (1,), "2": (3,)}
    with pytest.raises(InvalidInput, match="by='place' needs a recording of two channels or more"):
        group(parts_of([band_basis(0, 100)]), "place")


def test_groups_by_hand_are_those_named_and_the_rest():
    parts = parts_of([band_basis(100 * k, 100 * k + 500) for k in range(4)])
    found = group(parts, {"kick": [3, 0], "snare": [1]})
    assert dict(found.groups) == {"kick": (3, 0), "snare": (1,), "rest": (2,)}
    assert found.group_of(0) == "kick"
    assert "rest" not in group(parts, {"all": range(4)}).groups


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_groups_are_the_sums_of_their_components_and_sum_to_the_recording(power, n_channels):
    bases = [np.tile(band_basis(500 * k, 500 * k + 2000), n_channels) for k in range(4)]
    parts = parts_of(bases, n_channels=n_channels, power=power)
    sounds = group(parts, {"a": [0, 2], "b": [1]}).sounds()
    components = [part.samples for part in parts.components()]
    assert sounds["a"].samples == pytest.approx(components[0] + components[2], abs=1e-6)
    assert sum(sound.samples for sound in sounds.values()) == pytest.approx(parts.audio.samples, abs=1e-6)


def test_by_pitch_there_is_a_group_for_each_pitch_and_one_for_what_is_no_tone():
    bases = [tone_basis(70), band_basis(2000, 3000), tone_basis(77), tone_basis(70.2), band_basis(500, 3500)]
    parts = parts_of(bases)
    found = group(parts, "pitch")
    assert dict(found.groups) == {"0": (0, 3), "1": (1, 4), "2": (2,)}
    assert dict(group(parts, "pitch", 2).groups) == {"0": (0, 2, 3), "1": (1, 4)}


def test_several_cues_count_together():
    low, high = band_basis(200, 600), band_basis(2000, 3000)
    early, late = np.zeros(200), np.zeros(200)
    early[[20, 100]], late[[60, 140]] = 1, 1
    parts = parts_of([low, low, high, high], np.stack([early, late, early, late]))
    both = group(parts, ("timbre", "onset"), 4)
    assert len(both.groups) == 4
    assert both.by == "timbre and onset"
    assert both.distances.max() == pytest.approx(2)
    assert dict(group(parts, ["timbre"], 2).groups) == {"0": (0, 1), "1": (2, 3)}
    assert dict(group(parts, ["onset"], 2).groups) == {"0": (0, 2), "1": (1, 3)}


@pytest.mark.parametrize("by", ["timbre", "pitch", "onset", ("timbre", "onset")])
def test_one_component_and_silence_have_groups(by):
    assert dict(group(parts_of([tone_basis(60)]), by).groups) == {"0": (0,)}
    for n in (0, 1, 4000):
        found = group(decompose(Audio(np.zeros(n), RATE), 3), by, 2)
        assert sorted(k for members in found.groups.values() for k in members) == [0, 1, 2]
        assert np.isfinite(found.distances).all()


@pytest.mark.parametrize("n_groups", [1, 2, 3, 4])
def test_there_are_as_many_groups_as_are_wanted(n_groups):
    parts = parts_of([band_basis(300 * k, 300 * k + 500) for k in range(4)])
    assert len(group(parts, "timbre", n_groups).groups) == n_groups


@pytest.mark.parametrize(
    ("by", "n_groups", "words"),
    [
        ("colour", None, "by='colour' is not among timbre, pitch, onset, place"),
        (("timbre", "colour"), None, "by=.'timbre', 'colour'. is not among timbre, pitch, onset, place"),
        ((), None, "by=.. is not among timbre"),
        (3, None, "by=3 is not among timbre"),
        ("pitch", None, "by='pitch' needs tones: none of these components is one"),
        ("timbre", 0, "n_groups=0 is not a whole number from 1 to 3"),
        ("timbre", 4, "n_groups=4 is not a whole number from 1 to 3"),
        ({"a": [3]}, None, "group 'a' names component 3: there are 3, numbered from 0"),
        ({"a": [1], "b": [1]}, None, "component 1 is in 'a' and in 'b': it can be in one group only"),
        ({"a": [1]}, 2, "n_groups=2, but the groups are named"),
    ],
)
def test_what_cannot_be_is_refused(by, n_groups, words):
    with pytest.raises(InvalidInput, match=words):
        group(parts_of([band_basis(300 * k, 300 * k + 500) for k in range(3)]), by, n_groups)


@pytest.mark.parametrize("by", ["timbre", {"a": [0, 2]}])
def test_the_picture_shows_the_groups(by, tmp_path):
    parts = parts_of([band_basis(300 * k, 300 * k + 500) for k in range(4)])
    ax = groups(group(parts, by, 2 if by == "timbre" else None))
    assert len(ax.patches) == 2
    save_figure(ax, tmp_path / "groups.png")
    assert (tmp_path / "groups.png").stat().st_size > 1000
