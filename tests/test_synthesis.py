import numpy as np
import pytest

from unweave.errors import InvalidInput
from unweave.synthesis import drum_loop, pink_noise

PARTS = ("kick", "snare", "hihat")


@pytest.mark.parametrize("stereo", [False, True])
def test_the_parts_sum_to_the_mix_exactly(stereo):
    loop = drum_loop(1, sample_rate=22050, stereo=stereo)
    assert tuple(loop) == (*PARTS, "mix")
    total = loop["kick"].samples + loop["snare"].samples + loop["hihat"].samples
    np.testing.assert_array_equal(total, loop["mix"].samples)
    assert {part.n_channels for part in loop.values()} == {2 if stereo else 1}
    assert {part.sample_rate for part in loop.values()} == {22050}


@pytest.mark.parametrize(("n_bars", "tempo", "rate"), [(1, 104.0, 44100), (3, 60.0, 8000), (2, 300, 22050)])
def test_the_length_is_that_of_the_bars(n_bars, tempo, rate):
    assert drum_loop(n_bars, tempo=tempo, sample_rate=rate)["mix"].n_samples == int(n_bars * 240 / tempo * rate)


def test_the_same_arguments_make_the_same_samples_and_other_seeds_others():
    first, again, other = (drum_loop(1, sample_rate=8000, seed=seed) for seed in (3, 3, 4))
    for name in first:
        np.testing.assert_array_equal(first[name].samples, again[name].samples)
    assert not np.array_equal(first["snare"].samples, other["snare"].samples)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_clips_and_every_part_is_heard(seed):
    loop = drum_loop(seed=seed)
    assert 0.5 < loop["mix"].peak < 1
    assert all(loop[name].peak > 0.1 for name in PARTS)


def test_each_drum_has_its_place_in_the_spectrum_and_in_time():
    loop = drum_loop(1, tempo=60)
    centers = []
    for name in PARTS:
        power = abs(np.fft.rfft(loop[name].samples[0])) ** 2
        centers.append(np.sum(power * np.fft.rfftfreq(loop[name].n_samples, 1 / 44100)) / power.sum())
    assert centers[0] < 200 < centers[1] < 5000 < centers[2]
    snare = abs(loop["snare"].samples[0])
    assert not snare[:44100].any()  # the first stroke is on the second beat
    assert snare[44100 : 44100 + 441].max() > 0.05


def test_in_stereo_the_snare_is_left_and_the_hihat_right():
    loop = drum_loop(1, sample_rate=16000, stereo=True)
    left, right = ({name: np.square(loop[name].samples[c]).sum() for name in PARTS} for c in (0, 1))
    assert left["kick"] == pytest.approx(right["kick"], rel=1e-5)
    assert left["snare"] > 1.5 * right["snare"]
    assert right["hihat"] > 1.5 * left["hihat"]


@pytest.mark.parametrize("arguments", [{"n_bars": 0}, {"tempo": 29}, {"tempo": np.nan}, {"sample_rate": 4000}])
def test_a_loop_that_cannot_be_made_is_refused(arguments):
    with pytest.raises(InvalidInput, match="at least one bar, 30 to 300 beats per minute and 8000 Hz are needed"):
        drum_loop(**arguments)


def test_pink_noise_has_equal_power_in_every_octave():
    noise = pink_noise(2**17, np.random.default_rng(0))
    assert np.mean(noise**2) == pytest.approx(1)
    assert abs(noise.mean()) < 1e-12
    power = abs(np.fft.rfft(noise)) ** 2
    octaves = [power[2**k : 2 ** (k + 1)].sum() for k in range(8, 16)]
    assert max(octaves) / min(octaves) < 1.3


@pytest.mark.parametrize(("n", "level"), [(0, 0), (1, 0), (2, 1), (3, 1), (1001, 1)])
def test_pink_noise_may_be_short(n, level):
    noise = pink_noise(n, np.random.default_rng(0))
    assert noise.shape == (n,)
    assert np.square(noise).sum() == pytest.approx(n * level)
