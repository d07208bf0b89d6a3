"""Phases from magnitudes: the order of the heap without a heap, and sound that has the magnitudes asked for."""

import heapq
import math

import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.errors import Incompatible, InvalidInput
from unweave.framing import STFT, WINDOWS, window_values
from unweave.phase_gradient import GAMMA, PhaseGradient, phases_from_magnitudes
from unweave.spectrogram import Spectrogram
from unweave.stft import istft, stft
from unweave.synthesis import drum_loop

SETTINGS = STFT(512, 64)
RATE = 8000
CUTS = [1, 17, 64, 509]


def convergence(magnitudes, phases, settings, rate=RATE):
    """How far the magnitudes of the sound are from those asked for, in dB below them."""
    sound = istft(Spectrogram(magnitudes * np.exp(1j * phases), settings, rate))
    found = stft(sound, settings).magnitude[..., : magnitudes.shape[-1]]
    return 20 * math.log10(np.linalg.norm(found - magnitudes) / np.linalg.norm(magnitudes))


def tones(duration=0.5):
    time = np.arange(int(duration * RATE)) / RATE
    return Audio(0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 1234.5 * time), RATE)


def spectrum_of(sound, settings=SETTINGS):
    return stft(sound, settings).magnitude


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize("name", WINDOWS)
def test_gamma_is_that_of_the_nearest_gaussian(name):
    from scipy.optimize import minimize_scalar

    length = 1024
    window = np.zeros(5 * length)
    window[2 * length : 3 * length] = window_values(STFT(length, 64, length, name)) / 1.0
    window /= window.max()
    place = np.arange(5 * length) - 2.5 * length + (0.5 if name in {"boxcar", "cosine"} else 0)

    def error(share):
        return np.sum((window - np.exp(-np.pi * place**2 / (share * length**2))) ** 2)

    assert minimize_scalar(error, bounds=(0.05, 2), method="bounded").x == pytest.approx(GAMMA[name], rel=2e-3)


# ---------------------------------------------------------------- the order of the heap


def by_heap(magnitudes, settings, seed=0, tolerance=1e-6):
    """The algorithm as the paper has it, with one frame of look-ahead and a heap, for one channel."""
    logs = np.log(np.maximum(magnitudes.astype(float), 1e-300)).T
    gamma = GAMMA[settings.window] * settings.win_length**2
    hop, n_fft, bins = settings.hop_length, settings.n_fft, np.arange(settings.n_bins)
    rng = np.random.default_rng(seed)
    quiet = np.full(settings.n_bins, math.log(1e-300))
    before, phase, slope_before, out = quiet, np.zeros(settings.n_bins), None, []
    for n, now in enumerate(logs):
        oldest = logs[n - 1] if n else quiet
        after = logs[n + 1] if n + 1 < len(logs) else now
        floor = max(before.max(), now.max()) + math.log(tolerance)
        a, b, c = (np.maximum(frame, floor) for frame in (oldest, now, after))
        bend = -gamma / (hop * n_fft) * (c - a) / 2
        slope = 2 * np.pi * hop * bins / n_fft
        slope[1:-1] += hop * n_fft / gamma * (b[2:] - b[:-2]) / 2
        step = slope if slope_before is None else (slope + slope_before) / 2
        found = rng.random(settings.n_bins) * 2 * np.pi
        todo = set(np.flatnonzero((now > floor) & (now > quiet)))
        key = np.where(before > floor, before, -1e9 + now)
        heap = [(-key[k], k, "before") for k in todo]
        heapq.heapify(heap)
        while todo:
            _, k, frame = heapq.heappop(heap)
            if frame == "before" and k in todo:
                found[k] = phase[k] + step[k]
                todo.remove(k)
                heapq.heappush(heap, (-now[k], k, "now"))
            elif frame == "now":
                for other in (k + 1, k - 1):
                    if other in todo:
                        found[other] = found[k] + (other - k) * (bend[k] + bend[other]) / 2
                        todo.remove(other)
                        heapq.heappush(heap, (-now[other], other, "now"))
        before, phase, slope_before = now, found, slope
        out.append(found)
    middle = settings.lead + settings.win_length / 2
    return np.stack(out, axis=1) - 2 * np.pi * bins[:, None] * middle / n_fft


@pytest.mark.parametrize("kind", ["tones", "drums", "noise"])
def test_the_scan_gives_the_phases_of_the_heap(kind, rng):
    sounds = {"tones": tones(), "drums": drum_loop(1, sample_rate=RATE)["mix"], "noise": Audio(rng.random(4000), RATE)}
    magnitudes = spectrum_of(sounds[kind])[0, :, :60]
    difference = phases_from_magnitudes(magnitudes, SETTINGS)[0] - by_heap(magnitudes, SETTINGS)
    assert np.abs(np.exp(1j * difference) - 1).max() < 1e-6


# ---------------------------------------------------------------- the sound


def test_sines_come_back_25_decibels_above_the_error():
    magnitudes = spectrum_of(tones())
    assert convergence(magnitudes, phases_from_magnitudes(magnitudes, SETTINGS), SETTINGS) < -25


@pytest.mark.parametrize("window", [name for name in WINDOWS if name != "boxcar"])
def test_every_window_but_the_rectangle_does_better_than_chance_by_ten_decibels(window, rng):
    settings = STFT(512, 32, 512, window)
    magnitudes = spectrum_of(drum_loop(1, sample_rate=RATE)["mix"], settings)
    chance = convergence(magnitudes, rng.uniform(-np.pi, np.pi, magnitudes.shape), settings)
    assert convergence(magnitudes, phases_from_magnitudes(magnitudes, settings), settings) < chance - 10


@pytest.mark.parametrize("zeros_after", [False, True])
def test_a_window_shorter_than_the_transform_has_its_middle_where_it_lies(zeros_after):
    settings = STFT(1024, 32, 500, zeros_after=zeros_after)
    magnitudes = spectrum_of(tones(), settings)
    assert convergence(magnitudes, phases_from_magnitudes(magnitudes, settings), settings) < -25


def test_a_look_ahead_makes_attacks_sharper():
    magnitudes = spectrum_of(drum_loop(1, sample_rate=RATE)["mix"])
    found = [
        convergence(magnitudes, phases_from_magnitudes(magnitudes, SETTINGS, look_ahead=ahead), SETTINGS)
        for ahead in (True, False)
    ]
    assert found[0] < found[1] - 1 < -8


@pytest.mark.parametrize(
    ("name", "ahead", "without"), [("conga_groove", -21, -15), ("prelude_cmaj", -26, -23), ("simple_piano", -27, -23)]
)
def test_recordings_come_back_21_to_27_decibels_above_the_error(shared, name, ahead, without, rng):
    sound = load(shared / "audio" / f"{name}.wav", duration=3)
    settings = STFT(2048, 256)
    magnitudes = spectrum_of(sound, settings)
    rate = sound.sample_rate
    for look_ahead, wanted in ((True, ahead), (False, without)):
        phases = phases_from_magnitudes(magnitudes, settings, look_ahead=look_ahead)
        assert convergence(magnitudes, phases, settings, rate) < wanted
    chance = rng.uniform(-np.pi, np.pi, magnitudes.shape)
    assert convergence(magnitudes, chance, settings, rate) > -4


# ---------------------------------------------------------------- streams, channels, chance


@pytest.mark.parametrize("look_ahead", [True, False])
def test_where_blocks_end_changes_no_bit(look_ahead, rng):
    magnitudes = rng.random((2, 257, 90))
    whole = phases_from_magnitudes(magnitudes, SETTINGS, look_ahead=look_ahead)
    stream = PhaseGradient(SETTINGS, look_ahead=look_ahead)
    assert stream.latency == (64 if look_ahead else 0)
    for size in CUTS:
        blocks = [stream.process(magnitudes[..., at : at + size]) for at in range(0, 90, size)]
        assert np.array_equal(np.concatenate([*blocks, stream.flush()], axis=-1), whole)


@pytest.mark.parametrize("n_frames", [0, 1, 2])
def test_few_frames_are_enough(n_frames):
    assert phases_from_magnitudes(np.ones((2, 257, n_frames)), SETTINGS).shape == (2, 257, n_frames)


def test_a_channel_alone_is_the_channel_in_the_stack(rng):
    magnitudes = rng.random((3, 257, 20))
    whole = phases_from_magnitudes(magnitudes, SETTINGS)
    assert np.array_equal(phases_from_magnitudes(magnitudes[1], SETTINGS)[0], whole[1])


def test_equal_channels_stay_equal():
    magnitudes = np.repeat(spectrum_of(tones()), 2, axis=0)
    left, right = phases_from_magnitudes(magnitudes, SETTINGS)
    assert np.array_equal(left, right)


def test_the_seed_moves_only_what_is_faint():
    magnitudes = spectrum_of(tones())
    magnitudes[:, :200] += 0.01
    magnitudes[:, 200:] = 0
    one, again, other = (phases_from_magnitudes(magnitudes, SETTINGS, rng=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one[:, 200:], other[:, 200:])
    assert np.array_equal(one[:, :199], other[:, :199])


def test_silence_and_extremes_have_finite_phases():
    for value in (0.0, 1e-300, 1e300):
        assert np.isfinite(phases_from_magnitudes(np.full((1, 257, 4), value), SETTINGS)).all()


def test_the_level_does_not_count():
    magnitudes = spectrum_of(tones()).astype(float)
    one, other = (phases_from_magnitudes(magnitudes * level, SETTINGS) for level in (1, 1024.0))
    assert np.abs(np.exp(1j * one) - np.exp(1j * other)).max() < 1e-4


# ---------------------------------------------------------------- what is refused


def test_what_does_not_fit_is_refused():
    with pytest.raises(Incompatible, match="magnitudes has 256 bins, but n_fft=512 makes 257"):
        phases_from_magnitudes(np.ones((256, 3)), SETTINGS)
    with pytest.raises(InvalidInput, match="finite and not negative"):
        phases_from_magnitudes(-np.ones((257, 3)), SETTINGS)
    with pytest.raises(InvalidInput, match="finite and not negative"):
        phases_from_magnitudes(np.full((257, 3), np.nan), SETTINGS)
    with pytest.raises(InvalidInput, match=r"real \(channels, bins, frames\)"):
        phases_from_magnitudes(np.ones(257), SETTINGS)
    with pytest.raises(InvalidInput, match="tolerance=1"):
        PhaseGradient(SETTINGS, tolerance=1)
    with pytest.raises(InvalidInput, match="rng=-1"):
        PhaseGradient(SETTINGS, rng=-1)
    stream = PhaseGradient(SETTINGS)
    stream.process(np.ones((2, 257, 1)))
    with pytest.raises(Incompatible, match="magnitudes has 1 channel, but 2 are needed, as before"):
        stream.process(np.ones((1, 257, 1)))
