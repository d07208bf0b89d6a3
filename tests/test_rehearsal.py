import numpy as np
import pytest

from unweave.audio import Audio, save
from unweave.errors import InvalidInput
from unweave.evaluation import si_sdr
from unweave.framing import STFT
from unweave.guide import Guide
from unweave.rehearsal import Evidence, blend, learn_blend, stems_of_one_recording
from unweave.rehearsal.blend import Truth
from unweave.stems import Examples, separate
from unweave.stft import stft
from unweave.synthesis import drum_loop
from unweave.threads import limit

RATE = 11025
SETTINGS = STFT(512)
NAMES = ("drums", "line")


def line(chance, seconds=5.0, channels=2):
    """A melody of decaying tones with harmonics, other notes every time."""
    t, out = np.arange(round(seconds * RATE)) / RATE, 0.0
    for onset in np.arange(0, seconds, 0.4):
        late, pitch = np.maximum(t - onset, 0), 220 * 2 ** (chance.integers(0, 20) / 12)
        tone = sum(np.sin(2 * np.pi * n * pitch * late) / n for n in range(1, 5))
        out = out + 0.1 * (t >= onset) * np.exp(-late / 0.2) * tone
    return Audio(np.tile(out, (channels, 1)), RATE)


def passage(seed):
    drums = drum_loop(n_bars=3, stereo=True, sample_rate=RATE)["mix"]
    drums = Audio(drums.samples[:, : 5 * RATE], RATE)
    other = Audio(line(np.random.default_rng(seed)).samples[:, : drums.n_samples], RATE)
    return {"drums": drums, "line": other}


def summed(stems):
    return Audio(np.sum([each.samples for each in stems.values()], axis=0), RATE)


def error_db(stems, audio):
    wrong = np.sum([stem.audio.samples for stem in stems.values()], axis=0) - audio.samples.astype(np.float64)
    return 10 * np.log10(np.square(wrong).sum() / np.square(audio.samples, dtype=np.float64).sum() + 1e-30)


def evenly(frames):
    return np.full((2, 2, frames.stop - frames.start, SETTINGS.n_bins), 0.5, np.float32)


@pytest.fixture
def hasty(monkeypatch):
    """A rehearsal that learns little, where it does not matter how much."""
    monkeypatch.setattr(blend, "_STEPS", 4)


@pytest.fixture(scope="module")
def taught():
    return passage(1)


@pytest.fixture(scope="module")
def wanted():
    return passage(2)


def test_a_rehearsal_comes_nearer_to_the_true_stems(taught, wanted):
    mix = summed(wanted)
    plain, better = (separate(mix, Examples(taught, rehearse=each)) for each in (False, True))
    assert list(better) == list(NAMES)
    assert error_db(better, mix) < -110
    gains = [si_sdr(wanted[name], better[name].audio) - si_sdr(wanted[name], plain[name].audio) for name in NAMES]
    assert np.mean(gains) > 0.5


def test_stems_of_one_recording_are_rehearsed_unless_something_else_is_said(taught, wanted, hasty):
    mix = Audio(summed(wanted).samples[:, :RATE], RATE)
    plain, usual = (separate(mix, Examples(taught, rehearse=each)) for each in (False, None))
    assert np.abs(plain["line"].audio.samples - usual["line"].audio.samples).max() > 1e-3
    hinted = separate(mix, taught, guide=Guide(silent={"line": [(0, 0.5)]}))
    assert error_db(hinted, mix) < -110


def test_a_blend_believes_each_opinion_where_it_is_right():
    chance = np.random.default_rng(0)
    t = np.arange(4 * RATE) / RATE
    low = Audio(np.sin(2 * np.pi * 300 * t) * np.repeat(chance.random(40), len(t) // 40 + 1)[: len(t)], RATE)
    high = Audio(chance.normal(0, 0.2, len(t)), RATE)
    mix = Audio(low.samples + high.samples, RATE)

    def first(frames):  # right about the tone, wrong about all above
        masks = np.full((2, 1, frames.stop - frames.start, SETTINGS.n_bins), 0.5, np.float32)
        near = np.abs(SETTINGS.frequencies(RATE) - 300) < 60
        masks[0, ..., near], masks[1, ..., near] = 0.9, 0.1
        return masks

    evidence = Evidence(mix, first, [[low, high]], SETTINGS)
    cues = evidence.cues(0, evidence.n_frames)
    X, low_X, high_X = (stft(each, SETTINGS).values[0].T for each in (mix, low, high))
    Y = np.stack([low_X, high_X])
    truth = Truth(np.abs(X) ** 2, (X.conj() * Y).real, np.abs(Y) ** 2)
    masks = learn_blend(cues, truth).masks(cues)
    np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-5)
    before = np.square(np.abs(first(slice(0, len(X)))[:, 0] * X - Y)).sum()
    assert np.square(np.abs(masks * X - Y)).sum() < 0.1 * before


@pytest.mark.parametrize("n_block", [1, 7, 32])
def test_evidence_does_not_depend_on_blocks(taught, n_block):
    mix = Audio(summed(taught).samples[:, :RATE], RATE)
    halves = Audio(mix.samples / 2, RATE)
    evidence = Evidence(mix, evenly, [[halves, halves]], SETTINGS)
    n = evidence.n_frames
    whole = evidence.cues(0, n)
    parts = [evidence.cues(k, min(k + n_block, n)) for k in range(0, n, n_block)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=2e-3)


def test_evidence_does_not_know_levels(taught):
    mix = Audio(summed(taught).samples[:, :RATE], RATE)
    soft = Audio(mix.samples * 0.01, RATE)
    a, b = (Evidence(each, evenly, [[each, each]], SETTINGS).cues(0, 20) for each in (mix, soft))
    np.testing.assert_allclose(a, b, atol=0.02)


def test_the_threads_change_nothing(taught, wanted, hasty):
    mix = Audio(summed(wanted).samples[:, :RATE], RATE)
    found = []
    for count in (1, 3):
        with limit(count):
            found.append(separate(mix, Examples(taught, rehearse=True)))
    for name in NAMES:
        np.testing.assert_array_equal(found[0][name].audio.samples, found[1][name].audio.samples)


def test_silence_gives_silent_stems(taught):
    stems = separate(Audio(np.zeros((2, 3000)), RATE), taught)
    assert all(stem.audio.peak == 0 for stem in stems.values())


@pytest.mark.parametrize("n_samples", [1, 3000])
def test_short_recordings_have_stems_as_well(taught, wanted, hasty, n_samples):
    mix = Audio(summed(wanted).samples[:, :n_samples], RATE)
    stems = separate(mix, taught)
    assert all(np.isfinite(stem.audio.samples).all() for stem in stems.values())
    assert error_db(stems, mix) < -110


def test_what_is_no_recordings_stems_is_not_rehearsed(taught, tmp_path):
    mix, drums, other = summed(taught), taught["drums"], taught["line"]
    shorter = Audio(other.samples[:, :-1], RATE)
    assert list(stems_of_one_recording(taught, mix)) == list(NAMES)
    two = stems_of_one_recording({"drums": [drums, drums], "line": [other, other]}, mix)
    assert two["line"].n_samples == 2 * other.n_samples
    save(tmp_path / "line.wav", other)
    assert stems_of_one_recording({"drums": drums, "line": tmp_path / "line.wav"}, mix)["line"].peak > 0
    for like in (
        {"drums": drums},
        {"drums": drums, "line": None},
        {"drums": drums, "line": shorter},
        {"drums": drums, "line": [other, other]},
        {"drums": drums, "line": Audio(np.zeros_like(other.samples), RATE)},
        {"drums": drums, "line": Audio(-drums.samples, RATE)},
        {name: Audio(each.samples[:1], RATE) for name, each in taught.items()},
        {name: Audio(each.samples[:, : 3 * RATE], RATE) for name, each in taught.items()},
    ):
        assert stems_of_one_recording(like, mix) is None


def test_a_rehearsal_that_cannot_be_is_refused(taught):
    mix = summed(taught)
    with pytest.raises(InvalidInput, match="rehearse=True needs the stems of one recording"):
        separate(mix, Examples({"drums": taught["drums"]}, rehearse=True))
    with pytest.raises(InvalidInput, match="rehearse=True needs"):
        separate(mix, Examples(taught, rehearse=True), guide=Guide(band={"line": (30, 300)}))


@pytest.mark.parametrize(("gain", "n_fft"), [(1e-18, 512), (1e12, 512), (1, 32768), (1, 16)])
def test_absurd_levels_and_windows_give_numbers(taught, wanted, hasty, gain, n_fft):
    loud = {name: Audio(each.samples * gain, RATE) for name, each in taught.items()}
    mix = Audio(summed(wanted).samples[:, :RATE] * gain, RATE)
    stems = separate(mix, Examples(loud, rehearse=True, stft=STFT(n_fft), n_bases=4))
    assert all(np.isfinite(stem.audio.samples).all() for stem in stems.values())
    assert error_db(stems, mix) < -110


def sides_apart():
    """Drums from different sides: the first half as examples, the second as a song."""
    loop = drum_loop(n_bars=4, sample_rate=22050)
    sides = {"kick": (0.9, 0.3), "snare": (0.3, 0.9), "hihat": (0.6, 0.6)}
    stems = {name: np.outer(side, loop[name].samples[0]) for name, side in sides.items()}
    half = loop["mix"].n_samples // 2
    return tuple({name: Audio(each[:, cut], 22050) for name, each in stems.items()} for cut in np.s_[:half, half:])


def in_one_channel(audio):
    return Audio(audio.samples.mean(axis=0, keepdims=True), audio.sample_rate)


@pytest.mark.parametrize("exchanged", [False, True])
def test_places_of_the_examples_help_where_they_are_those_of_the_recording_and_do_no_harm_where_not(exchanged, hasty):
    examples, true = sides_apart()
    flat = {name: in_one_channel(each) for name, each in examples.items()}
    if exchanged:
        examples = {name: Audio(each.samples[::-1], each.sample_rate) for name, each in examples.items()}
    song = Audio(np.sum([each.samples for each in true.values()], axis=0), 22050)
    mono = separate(in_one_channel(song), of=Examples(flat, rehearse=True))
    found = separate(song, of=Examples(examples, rehearse=True))
    for name, each in true.items():
        alone = in_one_channel(each)
        assert si_sdr(each, found[name].audio) > si_sdr(alone, mono[name].audio) - 0.5
