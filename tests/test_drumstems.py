from dataclasses import replace

import numpy as np
import pytest

from unweave import Audio, InvalidInput, load
from unweave.drums import transcribe_drums
from unweave.drums.model import LONGEST, Strikes, StrokeModel, _dying, learned_shares, stem_bands
from unweave.drums.relistening import noted, struck
from unweave.drums.stems import ALWAYS, CLASSES, Drums, _Separation, drum_pieces, found_strokes, separate_drums
from unweave.drums.transcription import listen
from unweave.evaluation import si_sdr
from unweave.framing import STFT
from unweave.notes import Note
from unweave.synthesis import drum_loop, pink_noise
from unweave.threads import limit


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=2)


@pytest.fixture(scope="module")
def stems(loop):
    return separate_drums(loop["mix"])


def mean_score(reference, stems):
    return np.mean([si_sdr(reference[name], stems[name]) for name in ALWAYS])


def rest_db(audio, stems):
    """How far below the recording what the stems leave of it lies."""
    rest = audio.samples - sum(stem.samples.astype(np.float64) for stem in stems.values())
    return 10 * np.log10(np.sum(np.square(audio.samples, dtype=np.float64)) / max(np.sum(np.square(rest)), 1e-30))


def several_channels(loop, gains):
    """Every drum at a place of its own; gains ``(channels, 3)``."""
    parts = {
        name: Audio(np.asarray(gains)[:, [k]] * loop[name].samples, loop[name].sample_rate)
        for k, name in enumerate(ALWAYS)
    }
    return parts, Audio(sum(part.samples for part in parts.values()), loop["mix"].sample_rate)


# ---------------------------------------------------------------- stems


def test_a_synthesised_loop_is_taken_apart_into_its_drums(loop, stems):
    assert tuple(stems) == ALWAYS
    assert mean_score(loop, stems) > 15


def test_stems_have_the_length_rate_and_channels_of_the_recording_and_sum_to_it(loop, stems):
    for stem in stems.values():
        assert stem.samples.shape == loop["mix"].samples.shape
        assert stem.sample_rate == loop["mix"].sample_rate
    assert rest_db(loop["mix"], stems) > 110


@pytest.mark.parametrize("gains", [[[0.7, 0.9, 0.3], [0.7, 0.4, 0.8]], np.linspace(0.2, 1, 18).reshape(6, 3)])
def test_stems_of_several_channels_sum_to_them_and_keep_their_places(gains):
    parts, mix = several_channels(drum_loop(n_bars=1), gains)
    stems = separate_drums(mix)
    assert rest_db(mix, stems) > 110
    assert mean_score(parts, stems) > 13
    for name in ALWAYS:
        energy = [np.sum(np.square(each[name].samples), axis=1) for each in (stems, parts)]
        assert np.max(np.abs(10 * np.log10(energy[0] / energy[1]))) < 1


def test_strokes_that_are_given_are_used(loop):
    notes = [Note(onset=0.0, offset=0.1, label="kick"), Note(onset=1.0, offset=1.1, label="snare")]
    stems = separate_drums(loop["mix"], notes=notes)
    assert tuple(stems) == ALWAYS
    assert not stems["hihat"].samples.any()
    assert rest_db(loop["mix"], stems) > 110


def test_strokes_that_are_given_a_little_early_or_late_are_moved_to_their_places(loop, stems):
    rng = np.random.default_rng(5)
    shifts = rng.uniform(-0.012, 0.012, 200)
    notes = [
        replace(note, onset=max(0.0, note.onset + shift), offset=note.offset + 0.1)
        for note, shift in zip(transcribe_drums(loop["mix"]), shifts, strict=False)
    ]
    assert mean_score(loop, separate_drums(loop["mix"], notes=notes)) > mean_score(loop, stems) - 1.5


def test_drums_that_are_not_asked_for_go_to_the_nearest_stem(loop, stems):
    two = separate_drums(loop["mix"], classes=("kick", "hihat"))
    assert tuple(two) == ("kick", "hihat")
    assert rest_db(loop["mix"], two) > 110
    assert si_sdr(stems["hihat"], two["hihat"]) > 30
    assert separate_drums(loop["mix"], classes=("tom",))["tom"].samples == pytest.approx(loop["mix"].samples, abs=1e-5)


def test_toms_and_cymbals_have_stems_where_they_are_known(loop):
    notes = [Note(onset=0.0, offset=1.0, label="cymbal"), Note(onset=1.0, offset=1.2, label="tom")]
    stems = separate_drums(loop["mix"], notes=notes)
    assert tuple(stems) == ("kick", "snare", "hihat", "tom", "cymbal")
    assert rest_db(loop["mix"], stems) > 110


def test_a_larger_power_separates_harder(loop, stems):
    soft = separate_drums(loop["mix"], power=0.5)
    assert mean_score(loop, soft) < mean_score(loop, stems) - 1


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000])
def test_other_rates_are_kept(rate):
    loop = drum_loop(n_bars=1, sample_rate=rate)
    stems = separate_drums(loop["mix"])
    assert stems["kick"].sample_rate == rate
    assert rest_db(loop["mix"], stems) > 110
    assert si_sdr(loop["kick"], stems["kick"]) > 15


def test_the_result_does_not_depend_on_threads_or_on_when_it_is_made(loop, stems):
    with limit(1):
        again = separate_drums(loop["mix"])
    for name in stems:
        assert np.array_equal(stems[name].samples, again[name].samples)


def test_the_recording_is_not_changed(loop):
    before = loop["mix"].samples.copy()
    separate_drums(loop["mix"])
    assert np.array_equal(before, loop["mix"].samples)


# ---------------------------------------------------------------- loops and long recordings


def test_a_loop_that_is_turned_gives_turned_stems():
    loop = drum_loop(n_bars=2, tempo=150)
    mix, by = loop["mix"], loop["mix"].n_samples // 64 * 16
    turned = separate_drums(Audio(np.roll(mix.samples, by, axis=1), mix.sample_rate), loop=True)
    straight = separate_drums(mix, loop=True)
    assert rest_db(mix, straight) > 110
    for name in ALWAYS:
        back = Audio(np.roll(turned[name].samples, -by, axis=1), mix.sample_rate)
        assert si_sdr(straight[name], back) > 15


def test_strokes_of_a_loop_that_are_given_come_round_again():
    rate = 22050
    tail = np.exp(-np.arange(rate) / 4000) * np.sin(np.arange(rate) * 0.02)
    samples = np.zeros(2 * rate)
    samples[-4000:] += tail[:4000]
    samples[: rate - 4000] += tail[4000:]
    note = Note(onset=2 - 4000 / rate, offset=2.0, label="kick")
    stems = separate_drums(samples, sample_rate=rate, notes=[note], loop=True)
    assert stems["kick"].samples[0] == pytest.approx(samples, abs=1e-4)


def test_a_long_recording_comes_in_pieces_that_fit_together(monkeypatch, loop, stems):
    monkeypatch.setattr("unweave.drums.stems._PIECE", 512)
    names, pieces = drum_pieces(loop["mix"], Drums())
    found = list(pieces)
    assert len(found) > 1
    joined = np.concatenate(found, axis=2)
    again = {name: Audio(samples, loop["mix"].sample_rate) for name, samples in zip(names, joined, strict=True)}
    assert rest_db(loop["mix"], again) > 110
    assert mean_score(loop, again) > mean_score(loop, stems) - 3


# ---------------------------------------------------------------- little, nothing, wrong


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("n_samples", [0, 1, 44100])
@pytest.mark.parametrize("loop", [False, True])
def test_silence_gives_silent_stems(n_channels, n_samples, loop):
    stems = separate_drums(Audio(np.zeros((n_channels, n_samples)), 44100), loop=loop)
    assert tuple(stems) == ALWAYS
    assert all(stem.samples.shape == (n_channels, n_samples) and not stem.samples.any() for stem in stems.values())


@pytest.mark.parametrize("n_samples", [1, 2, 255, 257, 3000])
def test_scraps_of_sound_sum_to_themselves(n_samples):
    scrap = Audio(np.random.default_rng(0).standard_normal(n_samples) * 0.1, 44100)
    stems = separate_drums(scrap)
    assert rest_db(scrap, stems) > 110


def test_sound_without_strokes_is_shared_by_frequency():
    noise = Audio(0.01 * pink_noise(22050, np.random.default_rng(1)), 22050)
    stems = separate_drums(noise, notes=())
    assert rest_db(noise, stems) > 110
    assert all(np.isfinite(stem.samples).all() and stem.samples.any() for stem in stems.values())


def test_a_drum_that_does_not_play_is_silent():
    loop = drum_loop(n_bars=1)
    stems = separate_drums(Audio(loop["kick"].samples + loop["hihat"].samples, 44100))
    assert not stems["snare"].samples.any()
    assert si_sdr(loop["kick"], stems["kick"]) > 20


def test_very_loud_and_very_soft_recordings_give_the_same_stems(loop, stems):
    for gain in (2.0**-10, 2.0**10):
        found = separate_drums(Audio(loop["mix"].samples * np.float32(gain), 44100))
        assert si_sdr(stems["snare"], found["snare"]) > 40


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": ("bell",)}, r"classes=\('bell',\): some of kick, snare, hihat, tom, cymbal are needed\."),
        ({"classes": "kick"}, "classes='kick': some of"),
        ({"classes": ()}, r"classes=\(\): some of"),
        ({"power": 0}, "power=0 is not above 0 and at most 20"),
        ({"sensitivity": 2}, "sensitivity=2"),
        ({"notes": [Note(onset=0, offset=1, pitch=60)]}, "is no drum: labels are kick, snare, hihat, tom, cymbal"),
    ],
)
def test_what_cannot_be_is_refused_by_name(loop, options, said):
    with pytest.raises(InvalidInput, match=said):
        separate_drums(loop["mix"], **options)


# ---------------------------------------------------------------- the model


def test_bands_are_single_bins_and_then_a_part_of_an_octave():
    edges = stem_bands(STFT(1024))
    assert edges[0] == 0
    assert edges[-1] == 513
    assert np.all(np.diff(edges) >= 1)
    assert edges[-2] / edges[-3] < 2 ** (1 / 12)


def test_learned_shares_sum_to_one_and_know_low_from_high():
    shares = learned_shares(ALWAYS, np.array([60.0, 300.0, 12000.0]), np.array([0.0, 0.1]))
    assert shares.sum(axis=0) == pytest.approx(np.ones((2, 3)), abs=1e-5)
    assert shares[0, 0, 0] > 0.9
    assert shares[2, 0, 2] > 0.7


def test_the_steps_never_raise_the_divergence(monkeypatch):
    monkeypatch.setattr("unweave.drums.model._dying", lambda sounds: sounds)  # noise does not die away
    rng = np.random.default_rng(3)
    V = rng.random((300, 30)).astype(np.float32)
    strikes = Strikes(np.array([5, 60, 62, 150, 290]), np.array([0, 1, 0, 2, 1]), np.ones(5, np.float32))
    model = StrokeModel(V, strikes, ALWAYS, np.full((3, LONGEST, 30), 1 / 3, np.float32))
    found = []
    for _ in range(6):
        model.run(3)
        approximation = sum(model.part(k) for k in range(3)) + model.epsilon
        inside = approximation > 10 * model.epsilon
        found.append(np.sum(V * np.log(V / approximation) - V + approximation, where=inside, dtype=np.float64))
    assert np.all(np.diff(found) <= 1e-4 * found[0])


def test_tails_do_not_swell():
    rng = np.random.default_rng(4)
    sounds = rng.random((2, 80, 5)).astype(np.float32)
    tails = _dying(sounds)
    np.testing.assert_array_equal(tails[:, :24], sounds[:, :24])
    for tap in range(24, 80):
        usual = min(sounds[0, first : first + 8, 0].mean() for first in range(16, tap - 7))
        assert tails[0, tap, 0] <= 1.5 * usual * (1 + 1e-5)
    dying = np.exp(-np.arange(80) / 10)[None, :, None].astype(np.float32)
    np.testing.assert_array_equal(_dying(dying), dying)


# ---------------------------------------------------------------- listening twice


def misheard(loop, change):
    """What a second listening makes of a hearing whose odds were changed: (class, stroke) -> odds."""
    hearing = listen(loop["mix"])
    odds = hearing.odds.copy()
    for (name, stroke), value in change(hearing).items():
        odds[stroke, CLASSES.index(name)] = value
    wrong = replace(hearing, odds=odds)
    loudness = struck(wrong, 0.5)
    notes = noted(wrong, loudness)
    again = _Separation(loop["mix"], notes, ALWAYS, 2.0).heard_again(wrong, loudness)
    return {(n.label, round(n.onset, 3)) for n in notes}, {(n.label, round(n.onset, 3)) for n in noted(wrong, again)}


def strokes_of(hearing, name, alone=False):
    rows = hearing.odds > 1
    chosen = rows[:, CLASSES.index(name)] & (rows.sum(axis=1) == 1 if alone else True)
    return np.flatnonzero(chosen)


def test_a_snare_that_was_taken_for_a_hihat_is_a_snare_again():
    loop = drum_loop(n_bars=4)
    right = {(n.label, round(n.onset, 3)) for n in listen(loop["mix"]).notes()}

    def change(hearing):
        stroke = strokes_of(hearing, "snare")[2]
        return {("snare", stroke): -1.0, ("hihat", stroke): 1.0}

    wrong, again = misheard(loop, change)
    assert right - wrong
    assert right <= again


def test_a_kick_that_nobody_played_is_dropped(loop):
    def change(hearing):
        return {("kick", strokes_of(hearing, "hihat", alone=True)[1]): 2.0}

    wrong, again = misheard(loop, change)
    assert len(wrong) == len(again) + 1
    assert again < wrong
    assert {name for name, _ in wrong - again} == {"kick"}


def test_what_was_heard_rightly_is_left(loop):
    first, again = misheard(loop, lambda hearing: {})
    assert again == first


def test_a_tom_that_nobody_is_sure_of_is_another_drum(loop):
    hearing = listen(loop["mix"])
    stroke = strokes_of(hearing, "kick", alone=False)[0]
    odds = hearing.odds.copy()
    odds[stroke, [CLASSES.index("kick"), CLASSES.index("tom")]] = -0.5, 0.5
    unsure = replace(hearing, odds=odds)
    assert not struck(unsure, 0.5)[:, CLASSES.index("tom")].any()
    assert struck(unsure, 0.5)[stroke, CLASSES.index("kick")] > 0
    assert struck(unsure, 0.5, ("tom",))[stroke, CLASSES.index("tom")] > 0


def test_strokes_of_a_loop_are_found_at_its_beginning_once():
    loop = drum_loop(n_bars=1)
    onsets = [note.onset for note in found_strokes(loop["mix"], Drums(loop=True)) if note.label == "kick"]
    assert onsets[0] < 0.02
    assert onsets[-1] < loop["mix"].duration - 0.05


def test_rendered_loops_are_taken_apart_as_well_as_the_page_says(shared):
    scores = []
    for number in (2, 4):
        folder = shared / "data" / f"drums_{number}"
        found = separate_drums(load(str(folder / "mix.flac")))
        scores.append(mean_score({name: load(str(folder / f"{name}.flac")) for name in ALWAYS}, found))
    assert np.mean(scores) > 15
