"""NMFMorph: its two ends, its level, what lies between, and the same samples for blocks of any size."""

import itertools
import json
import math

import numpy as np
import pytest

import unweave as uw
from tests.test_pairs import dictionary
from tests.test_transport import BINS, N_FFT, column, lobe
from unweave.audio import Audio
from unweave.cli import main
from unweave.dictionary import Dictionary
from unweave.errors import Incompatible, InvalidInput
from unweave.factorization import Factorization
from unweave.framing import STFT
from unweave.morph import NMFMorph, morph, morph_steps
from unweave.morph.pairs import Way
from unweave.morph.transport import masses_of
from unweave.parts import Decomposition
from unweave.stft import stft
from unweave.synthesis import drum_loop
from unweave.threads import limit

SETTINGS = STFT(N_FFT, 64)
RATE = 8000
CUTS = [1, 17, 64, 509]
LENGTHS = [0, 1, 63, 64, 65, 700]


def decibels(ratio):
    return 20 * math.log10(ratio)


def convergence(sound, wanted, settings=SETTINGS):
    """How far the magnitudes of a sound are from those wanted, in dB below them."""
    found = stft(sound, settings).magnitude[..., : wanted.shape[-1]]
    return decibels(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def level(sound):
    return decibels(np.sqrt(np.mean(np.square(sound.samples, dtype=float))))


def tones(*pitches, duration=1.0):
    """Decaying notes, one after the other and over again."""
    time = np.arange(int(duration * RATE)) / RATE
    out = np.zeros(time.size)
    for number, pitch in enumerate(pitches):
        since = (time - 0.1 * number) % (0.1 * len(pitches))
        sounds = time >= 0.1 * number
        out += 0.3 * sounds * np.exp(-since / 0.08) * (1 - np.exp(-since / 0.005)) * np.sin(2 * np.pi * pitch * time)
    return Audio(out, RATE)


@pytest.fixture(scope="module")
def notes():
    return uw.decompose(tones(400, 700, 1100), 3, stft=SETTINGS, restarts=1)


@pytest.fixture(scope="module")
def drums():
    return uw.decompose(drum_loop(1, sample_rate=RATE)["mix"], 3, stft=SETTINGS, restarts=1)


def played(morphing, blocks, interpolation=None):
    """Everything that comes out for these blocks, the flush included."""
    out, position = [], 0
    for block in blocks:
        count = block if isinstance(block, int) else block.shape[1]
        part = interpolation[position : position + count] if isinstance(interpolation, np.ndarray) else interpolation
        out.append(morphing.process(block, part))
        assert out[-1].shape[1] == count
        position += count
    out.append(morphing.flush())
    return np.concatenate(out, axis=1)


def counts(length, size):
    return [min(size, length - at) for at in range(0, length, size)]


def pieces(samples, size):
    return [samples[:, at : at + size] for at in range(0, samples.shape[1], size)]


# ---------------------------------------------------------------- ends, levels


@pytest.mark.parametrize("look_ahead", [True, False])
def test_the_ends_are_source_and_target_bases_times_activations(notes, drums, look_ahead):
    morphing = NMFMorph(notes, drums)
    # A steady spectrum of noise is the spectrogram of no sound: the second end cannot be met as nearly.
    for end, below in ((0, -15), (1, -10)):
        sound = morph(notes, drums, notes, end, look_ahead=look_ahead)
        assert convergence(sound, morphing.bases(end) @ notes.activations) < below


def test_the_bases_at_the_ends_are_the_given_ones(notes, drums):
    morphing = NMFMorph(notes, drums)
    assert np.array_equal(morphing.bases(0), notes.bases)
    assert morphing.bases(1) == pytest.approx(drums.bases[..., morphing.assignment], rel=1e-5)


def test_a_morph_at_0_has_the_level_of_the_source_within_one_decibel(notes, drums):
    for one, other in ((notes, drums), (drums, notes)):
        products = sum(part.samples for part in one.products())
        sound = morph(one, other, one, 0)
        assert level(sound) == pytest.approx(level(Audio(products, RATE)), abs=1)
        assert level(sound) == pytest.approx(level(one.audio), abs=1)
        assert level(morph(one, other, one, 1)) == pytest.approx(level(one.audio), abs=3)
    assert sound.n_samples == one.audio.n_samples


def test_recordings_morph_at_their_level(shared):
    settings = STFT(2048, 256)
    names = ("conga_groove", "prelude_cmaj")
    source, target = (
        uw.decompose(uw.load(shared / "audio" / f"{name}.wav", duration=2), 4, stft=settings, restarts=1, max_iter=40)
        for name in names
    )
    morphing = NMFMorph(source, target)
    for end, below in ((0, -14), (1, -12)):
        sound = morph(source, target, source, end)
        assert convergence(sound, morphing.bases(end) @ source.activations, settings) < below
        assert level(sound) == pytest.approx(level(source.audio), abs=2)


def test_activations_with_longer_hops_are_interpolated_and_do_not_crackle_as_in_flucoma(drums):
    coarse = uw.decompose(drums.audio, 3, stft=STFT(N_FFT, N_FFT // 2), restarts=1, max_iter=100)
    wanted = coarse.bases @ coarse.activations
    assert NMFMorph(coarse, coarse).stft.hop_length == N_FFT // 8
    fine = convergence(morph(coarse, coarse, coarse, 0), wanted, coarse.stft)
    rough = convergence(morph(coarse, coarse, coarse, 0, stft=coarse.stft), wanted, coarse.stft)
    assert fine < rough - 2


def test_half_way_between_two_sines_one_sine_sounds_half_way():
    low, high = dictionary(30), dictionary(51)
    sound = morph(low, high, np.ones((1, 200)), 0.5)
    spectrum = np.abs(np.fft.rfft(sound.samples[0] * np.hanning(sound.n_samples)))
    hertz = np.fft.rfftfreq(sound.n_samples, 1 / RATE)
    wanted = 40.5 * RATE / N_FFT
    assert hertz[spectrum.argmax()] == pytest.approx(wanted, abs=0.1 * RATE / N_FFT)
    assert spectrum[np.abs(hertz - wanted) > 60].max() < 0.05 * spectrum.max()


def test_a_glide_moves_the_pitch_from_one_end_to_the_other():
    sound = morph(dictionary(30), dictionary(51), np.ones((1, 300)), [0, 1])
    spectra = stft(sound, SETTINGS).magnitude[0]
    places = [masses_of(spectra[:, frame]) for frame in (8, 149, 290)]
    peaks = [found.centres[found.shares.argmax()] for found in places]
    assert peaks == pytest.approx(30 + 21 * np.array([8, 149, 290]) / 299, abs=0.4)


def test_powers_are_morphed_as_powers():
    audio = tones(400, 700, 1100)
    found = uw.decompose(audio, 3, stft=SETTINGS, beta=0, restarts=1, max_iter=100)
    products = sum(part.samples for part in found.products())
    assert level(morph(found, found, found, 0)) == pytest.approx(level(Audio(products, RATE)), abs=2)


def test_stereo_keeps_its_places():
    audio = Audio(np.concatenate([tones(400).samples, 0.1 * tones(700).samples]), RATE)
    found = uw.decompose(audio, 1, stft=SETTINGS, restarts=1, max_iter=50)
    sound = morph(found, found, found, 0)
    assert sound.n_channels == 2
    for channel in (0, 1):
        assert level(Audio(sound.samples[channel], RATE)) == pytest.approx(
            level(Audio(audio.samples[channel], RATE)), abs=1
        )


# ---------------------------------------------------------------- running


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("look_ahead", [True, False])
def test_stored_activations_play_the_same_for_every_size_of_the_blocks(notes, drums, length, look_ahead):
    morphing = NMFMorph(notes, drums, activations=notes, look_ahead=look_ahead)
    way = np.linspace(0, 1, length) if length else 0.3
    whole = played(morphing, [length], way)
    assert whole.shape == (1, length + morphing.latency)
    assert np.isfinite(whole).all()
    for size in CUTS:
        assert np.array_equal(played(morphing, counts(length, size), way), whole)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("look_ahead", [True, False])
def test_a_live_input_is_morphed_the_same_for_every_size_of_the_blocks(notes, drums, length, look_ahead):
    morphing = NMFMorph(notes, drums, look_ahead=look_ahead)
    samples = notes.audio.samples[:, :length]
    whole = played(morphing, [samples], 0.4)
    assert whole.shape == (1, length + morphing.latency)
    for size in CUTS:
        assert np.array_equal(played(morphing, pieces(samples, size), 0.4), whole)


def test_the_twin_is_the_stream_without_its_latency(notes, drums):
    morphing = NMFMorph(notes, drums, activations=notes, loop=False, interpolation=0.5)
    stream = played(morphing, counts(notes.audio.n_samples, 100))
    assert np.array_equal(stream[:, morphing.latency :], morph(notes, drums, notes).samples)
    live = NMFMorph(notes, drums, interpolation=0.5)
    stream = played(live, pieces(notes.audio.samples, 100))
    assert np.array_equal(stream[:, live.latency :], morph(notes, drums, notes.audio).samples)


@pytest.mark.parametrize(
    "settings", [STFT(512, 256), STFT(512, 64, 300), STFT(500, 31, 401, "blackman", zeros_after=True)]
)
@pytest.mark.parametrize("look_ahead", [True, False])
def test_other_transforms_stay_in_time(settings, look_ahead):
    found = uw.decompose(tones(400, 700), 2, stft=settings, restarts=1, max_iter=50)
    for what in (found, found.audio):
        sound = morph(found, found, what, 0, stft=settings, look_ahead=look_ahead)
        assert convergence(sound, found.bases @ found.activations, settings) < -8


def _kept(steps, found):
    found.append((yield from steps))


def test_the_share_that_is_done_grows_and_the_sound_is_the_same(notes, drums, monkeypatch):
    sources = (notes, notes.audio)  # stored activations, and a live input
    whole = [morph(notes, drums, playing, [0, 1]) for playing in sources]
    monkeypatch.setattr("unweave.morph.morphing._BLOCK", 1000)
    for playing, wanted in zip(sources, whole, strict=True):
        found = []
        shares = list(_kept(morph_steps(notes, drums, playing, [0, 1]), found))
        np.testing.assert_array_equal(found[0].samples, wanted.samples)
        assert shares[0] == 0
        assert len(shares) == 8
        assert all(before < after < 1 for before, after in itertools.pairwise(shares))


def test_the_latency_is_half_a_window_and_for_an_input_a_whole_one(notes, drums):
    stored = NMFMorph(notes, drums, activations=notes, look_ahead=False)
    assert stored.latency == N_FFT // 2
    assert NMFMorph(notes, drums, look_ahead=False).latency == N_FFT
    assert NMFMorph(notes, drums).latency == N_FFT + 64


def test_a_live_input_sounds_like_its_own_activations(notes):
    by_stream = stft(morph(notes, notes, notes.audio, 0), SETTINGS).magnitude
    assert convergence(notes.audio, by_stream) < -10
    assert level(morph(notes, notes, notes.audio, 0)) == pytest.approx(level(notes.audio), abs=1)


def test_stored_activations_loop_until_told_otherwise():
    once, endless = (
        NMFMorph(dictionary(30), dictionary(40), activations=np.ones((1, 20)), loop=loop) for loop in (False, True)
    )
    late = [np.abs(played(each, [8000])[0, 4000:7000]).max() for each in (once, endless)]
    assert late[0] == 0
    assert late[1] > 0


def test_the_interpolation_stays_where_it_was_put():
    def after(*calls):
        morphing = NMFMorph(dictionary(30), dictionary(51), activations=np.ones((1, 9)), interpolation=0)
        return np.concatenate([morphing.process(*call) for call in calls], axis=1)

    assert np.array_equal(after((1000, 1.0), (2000,)), after((1000, 1.0), (2000, 1.0)))
    assert np.array_equal(after((0, 1.0), (3000,)), after((3000, 1.0)))
    assert not np.array_equal(after((3000,)), after((3000, 1.0)))


def test_bases_move_only_when_the_interpolation_does(notes, drums, monkeypatch):
    morphing = NMFMorph(notes, drums, activations=notes)
    asked = []
    at = Way.at
    monkeypatch.setattr(Way, "at", lambda self, t: asked.append(t) or at(self, t))
    morphing.process(4000, 0.25)
    morphing.process(4000)
    assert asked == [0.25]


def test_reset_begins_again(notes, drums):
    morphing = NMFMorph(notes, drums, activations=notes)
    first = morphing.process(999, 0.9)
    morphing.reset()
    morphing.process(5, 0.1)
    morphing.reset()
    assert np.array_equal(morphing.process(999, 0.9), first)


def test_the_seed_and_the_threads_change_nothing_that_they_should_not(notes, drums):
    one = morph(notes, drums, notes)
    with limit(1):
        assert np.array_equal(morph(notes, drums, notes).samples, one.samples)
    assert not np.array_equal(morph(notes, drums, notes, rng=1).samples, one.samples)


def test_silence_stays_silent():
    low, high = dictionary(30), dictionary(51)
    assert not morph(low, high, np.zeros((1, 9))).samples.any()
    assert not morph(low, high, Audio(np.zeros(900), RATE)).samples.any()
    assert not morph(Dictionary(np.zeros((BINS, 1)), (), SETTINGS, RATE), high, np.ones((1, 9)), 0).samples.any()
    assert morph(low, high, Audio(np.zeros(0), RATE)).n_samples == 0
    assert np.isfinite(morph(low, high, np.full((1, 9), 1e300)).samples).all()


def test_inputs_are_not_changed(rng):
    source, target, activations = rng.random((BINS, 2)), rng.random((BINS, 2)), rng.random((2, 30))
    before = [each.copy() for each in (source, target, activations)]
    played(NMFMorph(source, target, activations=activations, stft=SETTINGS), [500])
    assert all(np.array_equal(a, b) for a, b in zip(before, (source, target, activations), strict=True))


def test_eight_components_run_faster_than_real_time_on_one_core(rng):
    from time import process_time

    bases = rng.random((1025, 8)) ** 4, rng.random((1025, 8)) ** 4
    morphing = NMFMorph(*bases, activations=rng.random((8, 90)), stft=STFT(2048, 256))
    with limit(1):
        morphing.process(4096, np.linspace(0, 1, 4096))
        began = process_time()
        morphing.process(11025, np.linspace(0, 1, 11025))  # the bases move in every frame
        assert process_time() - began < 0.25


# ---------------------------------------------------------------- what is refused


def test_a_block_of_the_wrong_kind_is_refused(notes, drums):
    stored, live = NMFMorph(notes, drums, activations=notes), NMFMorph(notes, drums)
    with pytest.raises(InvalidInput, match="stored activations play, which need no input"):
        stored.process(np.zeros((1, 64)))
    with pytest.raises(InvalidInput, match="block is -1"):
        stored.process(-1)
    with pytest.raises(InvalidInput, match="block=64, but no activations are stored"):
        live.process(64)
    with pytest.raises(InvalidInput, match="NaN"):
        live.process(np.full((1, 64), np.nan))
    live.process(np.zeros((2, 64)))
    with pytest.raises(Incompatible, match="the block has 1 channel, but 2 are needed, as before"):
        live.process(np.zeros(64))
    with pytest.raises(Incompatible, match=r"interpolation.shape=\(3,\), but one number, or one for each of 64"):
        stored.process(64, [0, 0.5, 1])
    with pytest.raises(InvalidInput, match="interpolation=2 is not from 0"):
        stored.process(64, 2)
    with pytest.raises(InvalidInput, match="interpolation=-1 is not from 0"):
        NMFMorph(notes, drums, interpolation=-1)


def test_an_input_of_other_channels_than_the_bases_is_refused():
    stereo = Dictionary(np.ones((2, BINS, 1)), (), SETTINGS, RATE)
    with pytest.raises(Incompatible, match="the input has 1 channel, but the bases have 2"):
        NMFMorph(stereo, stereo).process(np.zeros(64))


def test_rates_that_do_not_fit_are_refused():
    low, high = dictionary(30), dictionary(51)
    with pytest.raises(Incompatible, match="the recording has 44100 Hz, but the bases were made at 8000 Hz"):
        morph(low, high, Audio(np.zeros(100), 44100))
    with pytest.raises(InvalidInput, match="neither bases nor activations know their rate"):
        morph(np.ones((BINS, 1)), np.ones((BINS, 1)), np.ones((1, 9)), stft=SETTINGS)
    with pytest.raises(InvalidInput, match=r"interpolation.shape=\(1, 2\)"):
        morph(low, high, np.ones((1, 9)), [[0, 1]])


# ---------------------------------------------------------------- the command


@pytest.fixture
def files(notes, drums, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notes.save("notes.npz")
    drums.save("drums.npz")
    notes.dictionary.save("bases.npz")
    np.save("h.npy", notes.activations)
    uw.save("notes.wav", notes.audio)
    return tmp_path


def test_the_command_makes_what_the_library_makes(files, notes, drums, capsys):
    assert (
        main(["morph", "--source", "notes.npz", "--target", "drums.npz", "--interpolation", "0:1", "-o", "out.wav"])
        == 0
    )
    assert "out.wav: 1 channel, 1.000 s at 8000 Hz, level" in capsys.readouterr().out
    assert np.array_equal(uw.load("out.wav").samples, morph(notes, drums, notes, [0, 1]).samples)


def test_the_command_takes_matrices_dictionaries_and_recordings(files, notes, drums, capsys):
    common = ["morph", "--source", "bases.npz", "--target", "drums.npz", "--json", "--overwrite", "-o", "out.flac"]
    assert main([*common, "--activations", "h.npy", "--interpolation", "0", "--hop-length", "128"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["interpolation"] == [0.0]
    assert main([*common, "--drive", "notes.wav", "--assign", "order", "--no-look-ahead"]) == 0
    sound = morph(notes, drums, notes.audio, assign=False, look_ahead=False)
    assert uw.load("out.flac").samples == pytest.approx(sound.samples, abs=1e-6)
    assert (
        main(["morph", "--source", "notes.npz", "--target", "drums.npz", "--activations", "notes.npz", "--quiet"]) == 0
    )
    assert uw.load("notes-morph.wav").n_samples == notes.audio.n_samples


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--source", "bases.npz", "--target", "drums.npz"], 2, "which has no activations: give --activations"),
        (["--source", "notes.npz", "--target", "missing.npz"], 1, "missing.npz cannot be read"),
        (["--source", "h.npy", "--target", "drums.npz"], 1, "which does not know its transform"),
        (["--source", "notes.npz", "--target", "drums.npz", "--interpolation", "0:2"], 2, "neither a number from 0"),
        (["--source", "notes.npz", "--target", "drums.npz", "--interpolation", "x"], 2, "neither a number from 0 to 1"),
        (["--source", "notes.npz", "--target", "drums.npz", "--drive", "a", "--activations", "b"], 2, "two things"),
        (["--source", "notes.npz"], 2, "Missing option '--target'"),
        (["--source", "notes.npz", "--target", "drums.npz", "-o", "h.npy", "--format", "wav"], 1, "is there already"),
    ],
)  # fmt: skip
def test_a_command_that_asks_for_what_cannot_be_says_so_in_one_sentence(files, capsys, arguments, code, words):
    assert main(["morph", *arguments]) == code
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("unweave: ")
    assert len(said.err.splitlines()) == 1
    assert words in said.err
    assert not list(files.glob("*morph*"))


def test_settings_that_do_not_fit_end_the_command_with_2(files, drums, capsys):
    Dictionary(np.ones((513, 3)), (), STFT(1024), RATE).save("other.npz")
    assert main(["morph", "--source", "notes.npz", "--target", "other.npz"]) == 2
    assert "made with --n-fft=512, but target with --n-fft=1024" in capsys.readouterr().err


def test_a_sound_that_would_clip_gets_a_gain_and_that_is_said(files, capsys):
    loud = Decomposition(
        Audio(np.zeros(6400), RATE), SETTINGS, Factorization(column(lobe(40.0)), np.full((1, 101), 4.0))
    )
    loud.save("loud.npz")
    arguments = ["morph", "--source", "loud.npz", "--target", "loud.npz", "--subtype", "PCM_16", "-o", "loud.wav"]
    assert main(arguments) == 0
    assert "does not clip" in capsys.readouterr().err
    assert uw.load("loud.wav").peak == pytest.approx(10 ** (-1 / 20), abs=1e-3)
