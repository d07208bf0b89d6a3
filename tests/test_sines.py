import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation import si_sdr
from unweave.framing import STFT
from unweave.sines import Sines, sines, tracks
from unweave.sines.peaks import Lobes
from unweave.spectrogram import Spectrogram
from unweave.stft import istft, stft
from unweave.threads import limit

RATE = 22050
FLUCOMA = STFT.flucoma()
SMALL = STFT(256, 64)
METHODS = ("greedy", "hungarian")


def tone(frequency, seconds=1.0, amplitude=0.3):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def noise(n, amplitude=0.01, seed=0):
    return amplitude * np.random.default_rng(seed).standard_normal(n)


def level(samples):
    """dB of the mean square."""
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-30)


def over_error(true, found):
    true, found = np.asarray(true, np.float64), np.asarray(found, np.float64)
    return 10 * np.log10(np.square(true).sum() / max(np.square(true - found).sum(), 1e-30))


# -- known answers


@pytest.mark.parametrize("settings", [STFT(), FLUCOMA, STFT(2048, 512, 1500, "blackman")], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_three_steady_tones_are_found_in_noise(settings, method):
    true = tone(440) + tone(1234.5, amplitude=0.2) + tone(3000, amplitude=0.1)
    found, rest = sines(Audio(true + noise(true.size), RATE), stft=settings, tracking=method)
    assert si_sdr(Audio(true, RATE), found) > 22
    inside = rest.samples[:, 4096:-4096]  # where the tones begin and end all at once, they are no sine waves
    assert level(inside) == pytest.approx(level(noise(true.size)), abs=4)


def test_of_a_clean_tone_nothing_is_left():
    _, rest = sines(Audio(tone(1234.5), RATE))
    assert level(rest.samples[:, 2048:-2048]) < level(tone(1234.5)) - 80


@pytest.mark.parametrize("method", METHODS)
def test_a_click_stays_in_the_residual(method):
    click = np.zeros(RATE)
    click[RATE // 2] = 1.0
    found, rest = sines(Audio(tone(440) + click, RATE), tracking=method)
    assert rest.samples[0, RATE // 2] > 0.9
    assert level(found.samples[0] - tone(440)) < level(tone(440)) - 20


def test_a_click_alone_is_no_sine_wave():
    click = np.zeros(RATE)
    click[RATE // 2] = 1.0
    found, rest = sines(Audio(click, RATE))
    assert not found.samples.any()
    np.testing.assert_array_equal(rest.samples[0], click.astype(np.float32))


def test_a_tone_shorter_than_the_shortest_track_is_in_the_residual():
    short = np.zeros(RATE)
    short[8000:10000] = tone(440, 1)[:2000] * np.hanning(2000)
    sound = Audio(tone(2000, amplitude=0.2) + short, RATE)
    found, rest = sines(sound)
    assert level(found.samples[0] - tone(2000, amplitude=0.2)) < -40
    assert over_error(short, rest.samples[0]) > 12
    whole, _ = sines(sound, min_track_length=3)
    assert over_error(sound.samples, whole.samples) > 15


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("settings", [STFT(), FLUCOMA], ids=str)
def test_a_glissando_is_one_track(settings, method):
    time = np.arange(2 * RATE) / RATE
    glide = 0.3 * np.sin(2 * np.pi * (400 * time + 200 * time**2))  # from 400 to 1200 Hz
    (track,) = tracks(Audio(glide, RATE), stft=settings, tracking=method, birth_low_threshold=-12)
    inside = (track.times > 0.1) & (track.times < 1.9)
    np.testing.assert_allclose(track.frequencies[inside], 400 + 400 * track.times[inside], atol=2)
    assert (track.start, track.end) == (0, pytest.approx(2, abs=0.03))
    assert over_error(glide, sines(Audio(glide, RATE), stft=settings, tracking=method)[0].samples[0]) > 15


def test_a_track_has_the_time_the_frequency_and_the_level_of_its_tone():
    sound = np.zeros((2, 2 * RATE))
    sound[1, RATE // 2 : RATE + RATE // 2] = tone(660, 1, 0.25)
    (track,) = tracks(Audio(sound, RATE), birth_low_threshold=-12)
    assert track.channel == 1
    assert (track.start, track.end) == (pytest.approx(0.5, abs=0.05), pytest.approx(1.5, abs=0.05))
    assert track.step == 512 / RATE
    assert np.median(track.frequencies) == pytest.approx(660, abs=0.01)
    assert np.median(track.levels) == pytest.approx(20 * np.log10(0.25), abs=0.01)


def test_noise_is_mostly_no_sine_wave():
    """Some of its peaks last by chance: a third of its energy, and next to nothing where tones have to be steadier."""
    sound = Audio(noise(3 * RATE, 0.1), RATE)
    usual, steady = (sines(sound, **each)[0] for each in ({}, {"track_frequency_range": 10, "min_track_length": 30}))
    assert level(usual.samples) < level(sound.samples) - 4
    assert level(steady.samples) < level(sound.samples) - 20


def test_a_narrower_band_leaves_the_flanks_in_the_residual():
    sound = Audio(tone(440), RATE)
    rests = [level(sines(sound, bandwidth=bins)[1].samples[:, 3000:-3000]) for bins in (1, 3, 5, 20, 76)]
    assert rests == sorted(rests, reverse=True)
    assert rests[0] > level(sound.samples) - 10


def test_faint_tones_are_found_down_to_the_detection_threshold():
    sound = Audio(tone(440, amplitude=1e-3), RATE)
    assert sines(sound, detection_threshold=-61)[0].samples.any()
    assert not sines(sound, detection_threshold=-59)[0].samples.any()


# -- what FluCoMa does wrong


def masked(sound, settings, shift):
    """The definition in a few lines: masks from all tracks, of the same frame or of a later one."""
    spectrum = stft(sound, settings)
    magnitude = spectrum.magnitude[0].T
    n_frames = magnitude.shape[0]
    drawn = np.zeros((n_frames + 1, settings.n_bins))
    lobes = Lobes(settings, 76)
    for track in tracks(sound, stft=settings):
        frames = np.rint(track.times / track.step).astype(np.int64)
        drawn += lobes.draw(track.frequencies * settings.n_fft / RATE, track.levels, frames, n_frames + 1)
    mask = np.minimum(1, drawn[shift : n_frames + shift] / np.maximum(magnitude, 1e-30))
    values = spectrum.values * mask.T.astype(np.float32)
    return istft(Spectrogram(values, settings, RATE, sound.n_samples))


def test_a_spectrum_is_masked_with_its_own_peaks_and_not_with_those_of_a_frame_later():
    time = np.arange(RATE) / RATE
    glide = 0.3 * np.sin(2 * np.pi * (400 * time + 700 * time**2))
    sound = Audio(glide + noise(RATE, 1e-3), RATE)
    found, rest = sines(sound, stft=FLUCOMA)
    assert over_error(masked(sound, FLUCOMA, 0).samples, found.samples) > 110
    late = sound.samples - masked(sound, FLUCOMA, 1).samples
    assert level(late) > level(rest.samples) + 6  # what FluCoMa's residual has of the tone


# -- laws


@pytest.mark.parametrize("name", ["conga_groove", "prelude_cmaj", "simple_piano"])
def test_the_parts_of_a_recording_sum_to_it(shared, name):
    sound = load(shared / "audio" / f"{name}.wav")
    found, rest = sines(sound)
    assert over_error(sound.samples, found.samples + rest.samples) > 110
    assert level(found.samples) > level(sound.samples) - 20


def test_a_piano_is_mostly_tones(shared):
    found, rest = sines(load(shared / "audio" / "simple_piano.wav"))
    assert level(found.samples) > level(rest.samples) + 6


@pytest.mark.parametrize("method", METHODS)
def test_a_channel_alone_is_the_channel_in_the_stack(method):
    stack = np.stack([tone(440) + noise(RATE), tone(1000) + noise(RATE, seed=1), np.zeros(RATE)])
    parts = sines(Audio(stack, RATE), tracking=method)
    for channel in range(3):
        alone = sines(Audio(stack[channel], RATE), tracking=method)
        for part, one in zip(parts, alone, strict=True):
            np.testing.assert_array_equal(part.samples[channel], one.samples[0])
    assert not parts[0].samples[2].any()


STREAMED = [SMALL, STFT(256, 60, 200, "hamming", zeros_after=True), STFT(64, 40, window="boxcar")]


@pytest.mark.parametrize("settings", STREAMED, ids=str)
@pytest.mark.parametrize("length", [1, 3, 15])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 1500])
def test_a_stream_has_the_same_numbers_for_every_block_size(settings, length, n):
    sound = Audio(np.stack([tone(440)[:n] + noise(n), noise(n, 0.1, 1)]), RATE)
    parts = [part.samples for part in sines(sound, stft=settings, min_track_length=length)]
    live = Sines(RATE, 2, stft=settings, min_track_length=length)
    assert live.latency == settings.win_length + (length - 1) * settings.hop_length
    for size in (1, 17, 64, 509, max(n, 1)):
        pairs = [live.process(sound.samples[:, at : at + size]) for at in range(0, n, size)]
        assert [pair[0].shape[1] for pair in pairs] == [min(size, n - at) for at in range(0, n, size)]
        pairs.append(live.flush())  # and the stream begins anew
        for part, pieces in zip(parts, zip(*pairs, strict=True), strict=True):
            out = np.concatenate(pieces, axis=1)
            assert not out[:, : live.latency].any()
            np.testing.assert_array_equal(out[:, live.latency :], part)


def test_a_stream_can_be_reset_and_takes_one_channel_as_a_row():
    live = Sines(RATE, stft=SMALL, min_track_length=2)
    live.process(noise(1000))
    live.reset()
    sound = tone(440)[:2000]
    out = np.concatenate([live.process(sound)[0], live.flush()[0]], axis=1)
    np.testing.assert_array_equal(
        out[:, live.latency :], sines(Audio(sound, RATE), stft=SMALL, min_track_length=2)[0].samples
    )


def test_one_thread_makes_the_same_bits_as_many():
    sound = Audio(tone(440) + noise(RATE), RATE)
    found = []
    for count in (1, 3):
        with limit(count):
            found.append(sines(sound, stft=SMALL)[0].samples)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("n", [0, 1, 511, 512, 513])
def test_a_sound_too_short_for_a_track_is_all_residual(n):
    sound = Audio(tone(440)[:n], RATE)
    found, rest = sines(sound)
    assert not found.samples.any()
    np.testing.assert_array_equal(rest.samples, sound.samples)
    assert tracks(sound) == ()


def test_silence_is_silence():
    found, rest = sines(Audio(np.zeros((2, RATE)), RATE))
    assert not found.samples.any()
    assert not rest.samples.any()


def test_nothing_given_is_changed():
    samples = (tone(440) + noise(RATE)).astype(np.float32)[None]
    before = samples.copy()
    sines(Audio(samples, RATE), stft=SMALL)
    live = Sines(RATE, stft=SMALL)
    for at in range(0, 5000, 100):
        live.process(samples[:, at : at + 100])[0][:] = 1
    np.testing.assert_array_equal(samples, before)


def test_loud_and_quiet_recordings_are_taken_apart_alike():
    """Within what the detection threshold lets through."""
    sound = tone(440) + noise(RATE, 1e-3)
    usual = sines(Audio(sound, RATE))[0].samples
    for gain in (1e-2, 1e3):
        other = sines(Audio(gain * sound, RATE))[0].samples
        assert over_error(gain * usual, other) > 40


def test_an_array_is_taken_with_its_rate():
    both = np.stack([tone(440, 0.1), tone(1000, 0.1)])
    for one, other in zip(sines(both, sample_rate=RATE, stft=SMALL), sines(Audio(both, RATE), stft=SMALL), strict=True):
        assert one.sample_rate == RATE
        np.testing.assert_array_equal(one.samples, other.samples)
    found = tracks(both, sample_rate=RATE, stft=SMALL)
    assert [repr(track) for track in found] == [repr(track) for track in tracks(Audio(both, RATE), stft=SMALL)]
    for function in (sines, tracks):
        with pytest.raises(InvalidInput, match="An array does not say its rate"):
            function(both)


# -- refusals


def test_what_cannot_be_is_refused_in_a_sentence():
    sound = Audio(np.zeros(100), RATE)
    with pytest.raises(InvalidInput, match="bandwidth=0 is not between 1 and"):
        sines(sound, bandwidth=0)
    with pytest.raises(InvalidInput, match="tracking='x' is not one of greedy, hungarian"):
        tracks(sound, tracking="x")
    with pytest.raises(InvalidInput, match="center=False leaves the first and the last samples"):
        sines(sound, stft=STFT(center=False))
    with pytest.raises(InvalidInput, match="min_track_length=0 is not between"):
        Sines(RATE, min_track_length=0)
    with pytest.raises(InvalidInput, match="n_channels=0 is not a whole number from 1 to 65535"):
        Sines(RATE, 0)
    with pytest.raises(InvalidInput, match="sample_rate=-1"):
        Sines(-1)
    with pytest.raises(Incompatible, match="the block has 1 channel, but n_channels=2"):
        Sines(RATE, 2).process(np.zeros(64))
    with pytest.raises(InvalidInput, match="samples contains NaN"):
        Sines(RATE).process(np.full(64, np.nan))
    with pytest.raises(InvalidInput, match="too loud for numbers of 32 bits"):
        sines(Audio(np.full(5000, 3e38), RATE))
