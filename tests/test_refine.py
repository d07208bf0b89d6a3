import numpy as np
import pytest

from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation import si_sdr
from unweave.framing import STFT
from unweave.refine import refine
from unweave.stems import separate
from unweave.stft import analysis_block, rebuild
from unweave.synthesis import drum_loop
from unweave.threads import limit

NAMES = ("kick", "snare", "hihat")
SETTINGS = STFT(1024)


@pytest.fixture(scope="module", params=[False, True], ids=["mono", "stereo"])
def loop(request):
    return drum_loop(n_bars=1, stereo=request.param, sample_rate=22050)


def masked(mix, true):
    """Stems by ideal masks of powers."""

    def change(block):
        span = (block.frames.start, block.frames.stop)
        powers = np.stack([np.abs(analysis_block(each, SETTINGS, *span).values) ** 2 for each in true]) + 1e-12
        return (powers / powers.sum(axis=0) * block.values).astype(np.complex64)

    pieces = np.concatenate(list(rebuild(mix, SETTINGS, change)), axis=-1)
    return [Audio(each, mix.sample_rate) for each in pieces]


def error_db(stems, audio):
    wrong = np.sum([each.samples.astype(np.float64) for each in stems], axis=0) - audio.samples
    return 10 * np.log10(np.square(wrong).sum() / np.square(audio.samples, dtype=np.float64).sum() + 1e-30)


def test_stems_sum_to_the_recording_at_110_db(loop):
    true = [loop[name] for name in NAMES]
    assert error_db(refine(loop["mix"], masked(loop["mix"], true), n_iter=3, stft=SETTINGS), loop["mix"]) < -110


def test_stems_that_did_not_sum_to_it_do_so_after_one_step(loop):
    wrong = [
        Audio(loop[name].samples * gain, loop[name].sample_rate) for name, gain in zip(NAMES, (2, 0.5, 0), strict=True)
    ]
    assert error_db(wrong, loop["mix"]) > -20
    assert error_db(refine(loop["mix"], wrong, n_iter=1), loop["mix"]) < -110


def test_with_true_magnitudes_stems_come_nearer_with_every_step(loop):
    true = [loop[name] for name in NAMES]
    stems, scores = masked(loop["mix"], true), []
    for n_iter in (0, 1, 2, 4):
        found = refine(loop["mix"], stems, n_iter=n_iter, like=true, stft=SETTINGS)
        scores.append(np.mean([si_sdr(a, b) for a, b in zip(true, found, strict=True)]))
    assert np.all(np.diff(scores) > 0.1)
    assert scores[-1] > scores[0] + 1


def test_no_steps_give_the_stems_back(loop):
    stems = [loop[name] for name in NAMES]
    assert refine(loop["mix"], stems, n_iter=0) == stems


def test_silent_stems_stay_silent_and_a_silent_recording_has_silent_stems():
    loop = drum_loop(n_bars=1, sample_rate=22050)
    silent = Audio(np.zeros_like(loop["mix"].samples), 22050)
    found = refine(loop["mix"], [loop["mix"], silent], n_iter=2, stft=SETTINGS)
    assert found[1].peak == 0
    assert all(each.peak == 0 for each in refine(silent, [silent, silent], n_iter=2))


def test_magnitudes_that_are_nowhere_share_what_is_there(loop):
    silent = Audio(np.zeros_like(loop["mix"].samples), 22050)
    found = refine(loop["mix"], [silent, silent], n_iter=2, stft=SETTINGS)
    np.testing.assert_array_equal(found[0].samples, found[1].samples)
    assert error_db(found, loop["mix"]) < -110


@pytest.mark.parametrize("gain", [1e-30, 1e-12, 1e12])
def test_absurd_levels_give_numbers(gain):
    noise = np.random.default_rng(0).normal(0, gain, (2, 3000)).astype(np.float32)
    audio, half = Audio(noise, 8000), Audio(noise / 2, 8000)
    assert all(np.isfinite(each.samples).all() for each in refine(audio, [half, half], n_iter=2, stft=STFT(256)))


@pytest.mark.parametrize("n_samples", [0, 1, 127, 128, 1000])
def test_any_length(n_samples):
    audio = Audio(np.random.default_rng(0).normal(0, 0.1, n_samples), 8000)
    found = refine(audio, [audio, audio], n_iter=2, stft=STFT(256))
    assert [each.n_samples for each in found] == [n_samples] * 2


def test_the_threads_change_nothing(loop):
    stems = [loop[name] for name in NAMES]
    with limit(1):
        one = refine(loop["mix"], stems, n_iter=2)
    with limit(3):
        three = refine(loop["mix"], stems, n_iter=2)
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a.samples, b.samples)


def test_what_is_given_is_not_changed(loop):
    stems = [loop[name] for name in NAMES]
    before = [each.samples.copy() for each in stems]
    refine(loop["mix"], stems, n_iter=1)
    for each, kept in zip(stems, before, strict=True):
        np.testing.assert_array_equal(each.samples, kept)


def test_errors_say_what_does_not_fit(loop):
    mix, kick = loop["mix"], loop["kick"]
    with pytest.raises(InvalidInput, match="stems is empty"):
        refine(mix, [])
    with pytest.raises(InvalidInput, match="n_iter"):
        refine(mix, [kick], n_iter=-1)
    with pytest.raises(Incompatible, match="like has 1 sounds, but there are 2 stems"):
        refine(mix, [kick, kick], like=[kick])
    with pytest.raises(Incompatible, match="length, channels and rate must be the same"):
        refine(mix, [Audio(kick.samples[:, :-1], 22050)])


def test_separation_refines_where_it_is_asked(loop):
    like = {name: loop[name] for name in NAMES}
    plain, finer = (separate(loop["mix"], like, refine=n) for n in (0, 2))
    assert list(plain) == list(finer)
    assert plain["kick"].members == finer["kick"].members
    assert error_db([stem.audio for stem in finer.values()], loop["mix"]) < -110
    assert list(separate(loop["mix"], like, two="kick", refine=1)) == ["kick", "rest"]
    with pytest.raises(InvalidInput, match="refine"):
        separate(loop["mix"], like, refine=1.5)
