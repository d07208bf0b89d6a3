from dataclasses import replace

import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.dictionary import Dictionary
from unweave.drums import Drums, separate_drums
from unweave.drums.stems import found_strokes
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation import si_sdr
from unweave.examples import suited_stft
from unweave.exemplars import pick_examples
from unweave.framing import STFT
from unweave.guide import Guide
from unweave.notes import Note
from unweave.stems import Examples, Stem, separate
from unweave.synthesis import drum_loop

DRUMS = ("kick", "snare", "hihat")


@pytest.fixture(scope="module")
def loop():
    return drum_loop(n_bars=2, stereo=True, sample_rate=22050)


def cut(audio, start, stop):
    return Audio(
        audio.samples[:, round(start * audio.sample_rate) : round(stop * audio.sample_rate)], audio.sample_rate
    )


def summed(stems):
    return np.sum([stem.audio.samples for stem in stems.values()], axis=0)


def error_db(stems, audio):
    wrong = np.square(summed(stems) - audio.samples.astype(np.float64)).sum()
    return 10 * np.log10(wrong / np.square(audio.samples, dtype=np.float64).sum() + 1e-30)


def tones(*pitches, rate=22050, seconds=2.0):
    t = np.arange(round(rate * seconds)) / rate
    return [Audio(0.2 * np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * t), rate) for p in pitches]


def test_sounds_with_examples_are_found_in_another_passage(loop):
    half = loop["mix"].duration / 2
    stems = separate(
        cut(loop["mix"], half, 2 * half),
        Examples({name: cut(loop[name], 0, half) for name in DRUMS}, stft=STFT(1024)),
    )
    assert list(stems) == list(DRUMS)
    scores = [si_sdr(cut(loop[name], half, 2 * half), stems[name].audio) for name in DRUMS]
    assert np.mean(scores) > 18


def test_one_sound_and_the_rest(loop):
    stems = separate(loop["mix"], Examples({"kick": [loop["kick"], loop["kick"]]}, rest=8, stft=STFT(1024)))
    assert list(stems) == ["kick", "rest"]
    assert si_sdr(loop["kick"], stems["kick"].audio) > 15
    assert len(stems["rest"].members) == 8


def test_the_rest_is_there_by_itself_where_one_sound_has_a_name_and_not_where_several_have(loop):
    kick, snare = ({name: loop[name]} for name in ("kick", "snare"))
    assert list(separate(loop["mix"], Examples(kick, n_bases=4))) == ["kick", "rest"]
    assert list(separate(loop["mix"], Examples(kick | snare, n_bases=4))) == ["kick", "snare"]
    assert list(separate(loop["mix"], Examples(kick, n_bases=4, rest=0))) == ["kick"]


def test_a_sound_without_examples_is_learned_from_the_recording(loop):
    stems = separate(loop["mix"], {"kick": loop["kick"], "others": None})
    assert list(stems) == ["kick", "others"]
    assert len(stems["others"].members) == 32


def test_a_dictionary_that_was_made_once_gives_the_same(loop):
    given = {name: loop[name] for name in DRUMS}
    kit = pick_examples(given, stft=suited_stft(loop["mix"]))
    once, again = (separate(loop["mix"], of) for of in (given, kit))
    for name in DRUMS:
        assert np.array_equal(once[name].audio.samples, again[name].audio.samples)


def test_the_same_recording_gives_the_same_stems(loop):
    given = {"kick": loop["kick"]}
    one, two = (separate(loop["mix"], Examples(given, n_bases=16))["rest"].audio.samples for _ in range(2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("power", [0.5, 2.0, 8.0])
def test_stems_sum_to_the_recording(n_channels, power):
    mix, kick = (drum_loop(n_bars=1, sample_rate=8000)[name] for name in ("mix", "kick"))
    gains = np.linspace(0.3, 1, n_channels)[:, None]
    audio = Audio(mix.samples * gains, 8000)
    stems = separate(audio, Examples({"kick": kick}, rest=4, stft=STFT(512)), power=power)
    assert error_db(stems, audio) < -110
    assert {stem.audio.samples.shape for stem in stems.values()} == {audio.samples.shape}


@pytest.mark.parametrize("n", [0, 1, 255, 256, 5000])
def test_silence_and_short_recordings_have_stems(n):
    kick = drum_loop(n_bars=1, sample_rate=8000)["kick"]
    stems = separate(Audio(np.zeros((2, n)), 8000), Examples({"kick": kick}, stft=STFT(1024)))
    assert [stem.audio.samples.shape for stem in stems.values()] == [(2, n)] * 2
    assert not summed(stems).any()


def test_two_are_one_stem_and_all_else(loop):
    stems = separate(loop["mix"], {name: loop[name] for name in DRUMS}, two="snare")
    assert list(stems) == ["snare", "rest"]
    assert error_db(stems, loop["mix"]) < -110
    with pytest.raises(InvalidInput, match="two='cowbell' is not among the stems kick, snare, hihat"):
        separate(loop["mix"], {name: loop[name] for name in DRUMS}, two="cowbell")


def test_stems_cannot_be_changed_and_say_what_they_are(loop):
    stems = separate(loop["mix"], {"kick": loop["kick"]})
    with pytest.raises(TypeError):
        stems["kick"] = stems["rest"]
    assert repr(stems["kick"]).startswith("Stem(kick: Audio(2 channels")
    assert "components)" in repr(stems["kick"])
    assert repr(Stem("x", loop["mix"])).endswith("dB))")


def test_where_a_sound_is_alone_the_recording_is_its_example():
    low, high = tones(57, 72)
    audio = Audio(np.concatenate([low.samples, low.samples + high.samples], axis=1), 22050)
    stems = separate(audio, {}, guide=Guide(alone={"low": (0, 2)}))
    assert list(stems) == ["low", "rest"]
    assert not cut(stems["rest"].audio, 0.3, 1.7).samples.any()
    assert si_sdr(high, cut(stems["rest"].audio, 2, 4)) > 15


def test_a_sound_is_silent_where_it_is_said_to_be(loop):
    guide = Guide(silent={"kick": [(0.5, 1)]})
    stems = separate(loop["mix"], {"kick": loop["kick"]}, guide=guide)
    assert np.abs(cut(stems["kick"].audio, 0.62, 0.88).samples).max() < 1e-5
    assert cut(stems["kick"].audio, 1, 2).samples.any()


def test_a_score_is_enough_to_find_a_melody():
    tune = tones(60, 64, 67, 72, seconds=0.5)
    melody = Audio(np.concatenate([tone.samples for tone in tune], axis=1), 22050)
    other = tones(58)[0]
    notes = [Note(onset=0.5 * k, offset=0.5 * k + 0.5, pitch=p) for k, p in enumerate((60, 64, 67, 72))]
    mix = Audio(melody.samples + other.samples, 22050)
    stems = separate(mix, {"other": None}, guide=Guide(score={"melody": notes}))
    assert list(stems) == ["other", "melody"]
    assert len(stems["melody"].members) == 4
    assert si_sdr(melody, stems["melody"].audio) > 8


def test_a_band_holds_a_sound():
    low, high = tones(45, 81)
    stems = separate(
        Audio(low.samples + high.samples, 22050), {}, guide=Guide(band={"bass": (0, 300), "lead": (600, 4000)})
    )
    assert si_sdr(low, stems["bass"].audio) > 25
    assert si_sdr(high, stems["lead"].audio) > 25


def test_what_is_painted_black_is_silent():
    tone = tones(60)[0]
    stems = separate(tone, {"tone": tone}, guide=Guide(painted={"tone": [1, 0]}))
    assert np.abs(cut(stems["tone"].audio, 1.2, 2).samples).max() < 1e-5
    assert np.abs(cut(stems["rest"].audio, 1.2, 1.8).samples).max() > 0.1


@pytest.fixture
def blind(monkeypatch, loop):
    def drums(audio, **options):
        return {name: Audio(loop[name].samples, audio.sample_rate) for name in DRUMS}

    monkeypatch.setattr("unweave.drums.stems.separate_drums", drums)


@pytest.mark.usefixtures("blind")
def test_drums_are_taken_apart_blindly(loop):
    stems = separate(loop["mix"], "drums")
    assert list(stems) == list(DRUMS)
    assert stems["kick"].members == ()


@pytest.mark.usefixtures("blind")
def test_what_is_known_of_blind_stems_moves_their_sound(loop):
    guide = Guide(silent={"kick": [(0, 2)]}, band={"hihat": (3000, 11025)})
    stems = separate(loop["mix"], "drums", guide=guide)
    assert np.abs(cut(stems["kick"].audio, 0.2, 1.8).samples).max() < 1e-4
    assert error_db(stems, loop["mix"]) < -110
    with pytest.raises(
        InvalidInput, match="the guide names 'cowbell', which is not among the stems kick, snare, hihat"
    ):
        separate(loop["mix"], "drums", guide=Guide(band={"cowbell": (1, 2)}))


@pytest.mark.parametrize(
    ("of", "options", "words"),
    [
        ("piano", {}, "of='piano' is neither song, drums, nor a Dictionary"),
        (3, {}, "of=3 is neither song, drums, nor a Dictionary"),
        ({}, {}, "nothing is known of any sound: give examples, a dictionary, or a guide"),
        ({"a": []}, {}, "examples names no recording for 'a'"),
        ({"a": Audio(np.zeros(9999), 22050)}, {}, "the examples of 'a' are silent"),
        (Examples({"a": Audio(np.ones(9999), 22050)}, rest=-1), {}, "rest=-1 is not a whole number from 0"),
        (Examples({"a": Audio(np.ones(9999), 22050)}, n_bases=0), {}, "n_bases=0 is not a whole number from 1"),
        ({"a": Audio(np.ones(9999), 22050)}, {"power": 0}, "power=0 is not above 0"),
        (Examples("kick.wav"), {}, "like='kick.wav' is neither a Dictionary nor a mapping"),  # type: ignore[arg-type]
        ("drums", {"guide": {"silent": {"kick": (0, 1)}}}, "guide=.* is no Guide, as in Guide"),
    ],
)
def test_what_cannot_be_is_refused(loop, of, options, words):
    with pytest.raises(InvalidInput, match=words):
        separate(loop["mix"], of, **options)


def test_examples_of_another_rate_or_of_more_channels_are_refused(loop):
    with pytest.raises(Incompatible, match="was made at 8000 Hz, but this recording has 22050 Hz"):
        separate(loop["mix"], {"a": Audio(np.ones(9999), 8000)})
    with pytest.raises(Incompatible, match="3 channels, but the recording has 2"):
        separate(loop["mix"], {"a": Audio(np.ones((3, 9999)), 22050)})
    with pytest.raises(Incompatible, match="8000 Hz, but an example of .* has 22050 Hz: load both"):
        pick_examples({"a": Audio(np.ones(9999), 22050), "b": Audio(np.ones(9999), 8000)})


def test_windows_are_short_for_strokes_and_long_for_tones():
    click = np.zeros((1, 44100))
    click[0, ::11025] = 1
    assert suited_stft(Audio(click, 44100)).n_fft == 1024
    assert suited_stft(tones(50, rate=44100)[0]).n_fft == 8192
    assert suited_stft(tones(50, rate=22050)[0]).n_fft == 4096
    assert suited_stft(Audio(np.zeros((1, 0)), 44100)).n_fft == 4096


def test_exemplars_are_frames_that_were_heard():
    tone = tones(60)[0]
    quiet = Audio(np.concatenate([tone.samples, np.zeros((1, 44100))], axis=1), 22050)
    found = pick_examples({"tone": quiet}, 10, stft=STFT(1024))
    assert isinstance(found, Dictionary)
    assert found.n_components == 10
    assert np.allclose(np.linalg.norm(found.bases[0], axis=0), 1, atol=1e-5)
    assert pick_examples({"tone": tones(60, seconds=0.1)[0]}, 1000, stft=STFT(1024)).n_components < 20


def test_with_the_first_half_as_examples_a_song_falls_apart(shared):
    stems = {
        name: load(shared / "data" / "song_0" / f"{name}.flac") for name in ("mix", "drums", "bass", "vocals", "other")
    }
    half = stems["mix"].duration / 2
    mix = cut(stems.pop("mix"), half, half + 5)
    found = separate(
        mix, Examples({name: cut(stem, 0, half) for name, stem in stems.items()}, n_bases=32, stft=STFT(4096))
    )
    scores = {name: si_sdr(cut(stem, half, half + 5), found[name].audio) for name, stem in stems.items()}
    assert np.mean(list(scores.values())) > 5, scores


# ---------------------------------------------------------------- settings of one kind of recording, and what is known


def test_settings_of_drums_are_said_in_a_value_of_theirs(loop):
    of = Drums(classes=("kick", "snare"), loop=True)
    stems = separate(loop["mix"], of)
    assert list(stems) == ["kick", "snare"]
    assert error_db(stems, loop["mix"]) < -110
    for name, expected in separate_drums(loop["mix"], classes=("kick", "snare"), loop=True).items():
        assert np.array_equal(stems[name].audio.samples, expected.samples)


def test_strokes_that_are_known_are_those_of_the_stems(loop):
    hits = [Note(onset=t, offset=t + 0.1, label="kick") for t in (0.0, 0.866, 1.155)]
    notes = [*hits, Note(onset=0.577, offset=0.6, label="sidestick"), Note(onset=0.3, offset=0.4, label="hihat-open")]
    told = separate(loop["mix"], Drums(notes=notes))
    same = separate_drums(
        loop["mix"], notes=[*hits, *(replace(n, label=c) for n, c in zip(notes[3:], ("snare", "hihat"), strict=True))]
    )
    for name, expected in same.items():
        assert np.array_equal(told[name].audio.samples, expected.samples)


@pytest.mark.parametrize("round_and_round", [False, True])
def test_a_score_of_one_drum_says_when_it_is_struck_and_the_others_are_found(loop, round_and_round):
    of = Drums(loop=round_and_round)
    found = found_strokes(loop["mix"], of)
    kicks = [note for note in found if note.label == "kick"]
    stems = separate(loop["mix"], of, guide=Guide(score={"kick": kicks}))
    for name, expected in separate(loop["mix"], of).items():
        assert si_sdr(expected.audio, stems[name].audio) > (15 if round_and_round else 30)
    left = [note for note in kicks if not 0.3 < note.onset < 4]
    fewer = separate(loop["mix"], of, guide=Guide(score={"kick": left}))
    later = slice(round(0.8 * 22050), round(1.1 * 22050))
    energy = [np.square(each["kick"].audio.samples[:, later]).sum() for each in (fewer, stems)]
    assert energy[0] < 0.2 * energy[1]
    assert error_db(fewer, loop["mix"]) < -110


def test_a_score_goes_before_notes_of_the_same_drum(loop):
    kicks = [Note(onset=t, offset=t + 0.1, label="kick") for t in (0.0, 0.866)]
    hats = [Note(onset=t, offset=t + 0.1, label="hihat") for t in (0.29, 0.58)]
    told = separate(loop["mix"], Drums(notes=[*kicks, *hats]), guide=Guide(score={"hihat-open": hats[:1]}))
    same = separate(loop["mix"], Drums(notes=[*kicks, hats[0]]))
    for name in same:
        assert np.array_equal(told[name].audio.samples, same[name].audio.samples)


def test_a_score_of_what_is_no_stem_of_drums_is_refused(loop):
    with pytest.raises(
        InvalidInput, match="Note.cowbell .* is no drum: labels are kick, snare, hihat, tom, cymbal, or"
    ):
        separate(loop["mix"], "drums", guide=Guide(score={"cowbell": [Note(onset=0, offset=1, label="kick")]}))
    with pytest.raises(InvalidInput, match="is no drum"):
        Drums(notes=[Note(onset=0, offset=1, pitch=60)])
    with pytest.raises(InvalidInput, match="is no drum"):
        Drums(notes=["kick"])


def test_the_power_of_the_masks_is_for_all_kinds(loop):
    for of in ("song", "drums", {"kick": loop["kick"]}):
        soft, hard = (separate(loop["mix"], of, power=power) for power in (0.5, 4))
        assert error_db(soft, loop["mix"]) < -110
        assert error_db(hard, loop["mix"]) < -110
        assert not np.array_equal(*(next(iter(each.values())).audio.samples for each in (soft, hard)))
        with pytest.raises(InvalidInput, match="power=21 is not above 0 and at most 20"):
            separate(loop["mix"], of, power=21)


@pytest.mark.parametrize("of", ["song", "drums", Drums(loop=True)])
@pytest.mark.parametrize("n", [0, 1, 600])
def test_blind_stems_of_silence_and_of_short_recordings_are_as_long(of, n):
    guide = Guide(silent={"drums" if of == "song" else "kick": (0, 1)})
    for audio in (Audio(np.zeros((2, n)), 22050), Audio(np.full((1, n), 0.5), 22050)):
        for known in (None, guide):
            stems = separate(audio, of, guide=known)
            assert {stem.audio.samples.shape for stem in stems.values()} == {audio.samples.shape}
            np.testing.assert_allclose(summed(stems), audio.samples, atol=1e-6)
