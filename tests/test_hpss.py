"""What sounds and what strikes: medians, masks, parts, and the same for a stream."""

from typing import Any

import numpy as np
import pytest

from unweave.audio import Audio, load
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation import si_sdr
from unweave.framing import STFT
from unweave.hpss import HPSS, MODES, HPSSModel, hpss, hpss_masks, hpss_pieces
from unweave.hpss.medians import mirrored, running_median
from unweave.stft import stft
from unweave.synthesis import drum_loop
from unweave.threads import limit

RATE = 22050
SMALL = STFT(256, 64)
QUICK: dict[str, Any] = {"harmonic_size": 7, "percussive_size": 9, "stft": SMALL}
CUTS = (1, 17, 64, 509, 10**6)


def chord(n: int) -> np.ndarray:
    time = np.arange(n) / RATE
    waves = [np.sin(2 * np.pi * f * k * time + k) / k for f in (220, 277.2, 329.6) for k in range(1, 6)]
    return 0.05 * np.sum(waves, axis=0)


def strokes() -> np.ndarray:
    loop = drum_loop(n_bars=1, sample_rate=RATE)
    return loop["hihat"].samples[0] + 0.5 * loop["snare"].samples[0]


@pytest.fixture(scope="module")
def mix() -> Audio:
    struck = strokes()
    return Audio(chord(struck.size) + struck, RATE)


@pytest.fixture(scope="module")
def stereo() -> Audio:
    rng = np.random.default_rng(1)
    return Audio(0.1 * rng.standard_normal((2, 2000)), RATE)


def over_error(true: np.ndarray, found: np.ndarray) -> float:
    wrong = np.square(np.asarray(true, np.float64) - found).sum()
    return float(10 * np.log10(np.square(true, dtype=np.float64).sum() / max(wrong, 1e-300)))


def streamed(audio: Audio, size: int, **options: Any) -> np.ndarray:
    """The parts ``(3, channels, n + latency)`` of a sound that comes in blocks."""
    live = HPSS(audio.n_channels, **options)
    pieces = [live.process(audio.samples[:, at : at + size]) for at in range(0, audio.n_samples, size)]
    return np.concatenate([*pieces, live.flush()], axis=2)


# -- medians


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 3, 17, 31])
def test_a_running_median_is_the_median_of_each_window(size, dtype, rng):
    values = rng.gamma(0.3, 1, (2, 5, 40)).astype(dtype)
    found = running_median(values, size)
    windows = np.lib.stride_tricks.sliding_window_view(values, size, axis=2)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.median(windows, axis=-1).astype(dtype))


def test_a_mirror_image_goes_on_for_ever():
    assert mirrored(-5, 5, 2).tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
    np.testing.assert_array_equal(np.arange(7)[mirrored(-6, 13, 7)], np.pad(np.arange(7), 6, "symmetric"))


# -- known answers


def test_a_chord_and_strokes_are_told_apart(mix):
    parts = hpss(mix)
    struck = strokes()
    assert si_sdr(Audio(chord(struck.size), RATE), parts.harmonic) > 12
    assert si_sdr(Audio(struck, RATE), parts.percussive) > 8


def test_a_steady_tone_is_harmonic_and_a_click_is_percussive():
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    assert over_error(tone[2048:-2048], hpss(Audio(tone, RATE)).harmonic.samples[0, 2048:-2048]) > 60
    click = np.zeros(RATE)
    click[RATE // 2] = 1
    assert over_error(click, hpss(Audio(click, RATE)).percussive.samples[0]) > 60


def test_the_masks_are_those_of_librosa(mix):
    librosa = pytest.importorskip("librosa")
    V = stft(mix).magnitude[0]
    for sizes in ((17, 31), (31, 9)):
        harmonic, percussive, _ = hpss_masks(V, HPSSModel(*sizes, power=2.0))
        theirs = librosa.decompose.hpss(V, kernel_size=sizes, power=2.0, mask=True)
        np.testing.assert_allclose(harmonic, theirs[0], atol=1e-6)
        np.testing.assert_allclose(percussive, theirs[1], atol=1e-6)


def test_flucoma_defect_3_both_medians_are_centred():
    """There, a tone's stroke lies (P - 1)/2 bins off, and a stroke's tone a frame early."""
    V = np.zeros((101, 60), np.float32)
    V[50, :] = V[:, 30] = 1
    harmonic, percussive, _ = hpss_masks(V, HPSSModel(7, 9, power=1.0))
    alone = np.zeros_like(V, bool)
    alone[50, :] = True
    alone[50, 30] = False
    np.testing.assert_array_equal(harmonic[alone], 1)
    np.testing.assert_array_equal(percussive.T[30, np.arange(101) != 50], 1)
    assert harmonic[50, 30] == percussive[50, 30] == 0.5
    # Broad lines show the centre: a median of P bins keeps a band of (P + 1)/2 bins as it is, where it is.
    for half in (3, 4):
        band = np.zeros((1, 41))
        band[0, 20 - half : 20 + half + 1] = 1
        np.testing.assert_array_equal(running_median(band[:, mirrored(-4, 45, 41)], 9) > 0, band > 0)


def test_the_threshold_asks_for_more_at_high_frequencies_than_at_low_ones():
    V = np.ones((101, 40), np.float32)
    V[:, 20] = 1 + 1e-3  # so that no two medians are the same by chance
    rng = np.random.default_rng(0)
    V *= rng.uniform(0.9, 1.1, V.shape).astype(np.float32)
    model = HPSSModel(7, 9, "advanced", 2.0, (0.5, -20.0, 0.5, 20.0), 20.0)
    harmonic, percussive, residual = hpss_masks(V, model)
    assert harmonic[:50].all()
    assert not harmonic[50:].any()
    assert not percussive.any()
    np.testing.assert_array_equal(residual, 1 - harmonic)
    flat, four = (HPSSModel(7, 9, "coupled", 2.0, each) for each in (0.0, (0, 0, 1, 0)))
    np.testing.assert_array_equal(hpss_masks(V, flat)[0], hpss_masks(V, four)[0])


def test_a_bin_that_is_both_is_shared(mix):
    V = stft(mix).magnitude[0]
    model = HPSSModel(mode="advanced", harmonic_threshold=-6.0, percussive_threshold=-6.0)
    harmonic, percussive, residual = hpss_masks(V, model)
    assert set(np.unique(harmonic)) == {0.0, 0.5, 1.0}
    np.testing.assert_array_equal(harmonic + percussive + residual, 1)


@pytest.mark.parametrize("mode", MODES)
def test_where_both_medians_are_zero_nothing_is_lost(mode):
    """FluCoMa's classic mode loses such bins."""
    V = np.zeros((40, 40))
    V[20, 20] = 1  # a single bin: neither a tone nor a stroke
    harmonic, percussive, residual = hpss_masks(V, HPSSModel(mode=mode))
    assert (harmonic[20, 20], percussive[20, 20], residual[20, 20]) == {
        "classic": (0.5, 0.5, 0),
        "coupled": (0, 1, 0),
        "advanced": (0, 0, 1),
    }[mode]


@pytest.mark.parametrize("power", [0.1, 1.0, 2.0, 20.0])
def test_masks_of_any_power_are_numbers_at_any_level(power, rng):
    for level in (1e-30, 1.0, 1e30):
        V = (level * rng.gamma(0.3, 1, (30, 30))).astype(np.float32)
        masks = hpss_masks(V, HPSSModel(7, 9, power=power))
        assert np.isfinite(masks).all()
        np.testing.assert_allclose(sum(masks), 1, atol=1e-6)


# -- laws


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("level", [1.0, 1e-6])
def test_parts_sum_to_the_recording(mode, level, mix):
    quiet = Audio(mix.samples * np.float32(level), RATE)
    parts = hpss(quiet, mode=mode)
    assert over_error(quiet.samples, sum(part.samples for part in parts)) > 110
    assert mode == "advanced" or parts.residual.peak == 0


@pytest.mark.parametrize("mode", MODES)
def test_silence_gives_silence(mode):
    for part in hpss(Audio(np.zeros((2, 3000)), RATE), mode=mode, **QUICK):
        assert part.peak == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000])
def test_every_length_has_parts_that_sum(n, mode, stereo):
    audio = Audio(stereo.samples[:, :n], RATE)
    parts = hpss(audio, mode=mode, **QUICK)
    assert all(part.samples.shape == audio.samples.shape for part in parts)
    np.testing.assert_allclose(sum(part.samples for part in parts), audio.samples, atol=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_a_channel_alone_equals_the_channel_in_the_stack(mode, stereo):
    both = hpss(stereo, mode=mode, **QUICK)
    for channel in range(2):
        alone = hpss(Audio(stereo.samples[channel], RATE), mode=mode, **QUICK)
        for one, two in zip(alone, both, strict=True):
            np.testing.assert_array_equal(one.samples[0], two.samples[channel])


def test_the_result_does_not_depend_on_the_threads_and_the_input_is_left_alone(mix):
    before = mix.samples.copy()
    found = []
    for count in (1, 3):
        with limit(count):
            found.append(hpss(mix).harmonic.samples)
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(mix.samples, before)


def test_pieces_are_the_parts(mix):
    pieces = np.concatenate(list(hpss_pieces(mix, HPSSModel(), SMALL)), axis=2)
    np.testing.assert_array_equal(pieces, [part.samples for part in hpss(mix, stft=SMALL)])


# -- the stream


@pytest.mark.parametrize("size", CUTS)
@pytest.mark.parametrize("mode", MODES)
def test_a_stream_gives_the_same_samples_later(size, mode, stereo):
    live = HPSS(2, mode=mode, **QUICK)
    parts = streamed(stereo, size, mode=mode, **QUICK)
    assert parts.shape == (3, 2, stereo.n_samples + live.latency)
    assert not parts[..., : live.latency].any()
    wanted = [part.samples for part in hpss(stereo, mode=mode, **QUICK)]
    np.testing.assert_array_equal(parts[..., live.latency :], wanted)


@pytest.mark.parametrize(
    "settings", [SMALL, STFT(256, 64, 200), STFT(256, 100, 200, zeros_after=True), STFT(64, 16)], ids=str
)
@pytest.mark.parametrize("n", [0, 1, 15, 63, 64, 65, 300, 1999])
def test_a_stream_of_any_length_and_transform(n, settings, stereo):
    audio = Audio(stereo.samples[:, :n], RATE)
    options = {**QUICK, "stft": settings, "mode": "advanced"}
    parts = streamed(audio, 97, **options)[..., HPSS(2, **options).latency :]
    np.testing.assert_allclose(parts, [part.samples for part in hpss(audio, **options)], atol=1e-7)


def test_the_latency_is_a_window_and_half_the_median():
    assert HPSS().latency == 2048 + 8 * 512
    assert HPSS(harmonic_size=31, stft=STFT.flucoma()).latency == 1024 + 15 * 512


def test_a_stream_begins_anew_after_its_end(stereo):
    live = HPSS(2, **QUICK)
    first = [*live.process(stereo.samples), *live.flush()]
    again = [*live.process(stereo.samples), *live.flush()]
    live.process(stereo.samples[:, :700])
    live.reset()
    reset = [*live.process(stereo.samples), *live.flush()]
    for one, two, three in zip(first, again, reset, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_an_array_is_taken_with_its_rate(stereo):
    parts = hpss(stereo.samples, sample_rate=RATE, **QUICK)
    for one, other in zip(parts, hpss(stereo, **QUICK), strict=True):
        assert one.sample_rate == RATE
        np.testing.assert_array_equal(one.samples, other.samples)
    with pytest.raises(InvalidInput, match="An array does not say its rate"):
        hpss(stereo.samples)


# -- refusals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"harmonic_size": 4}, "harmonic_size=4 is not an odd number from 3 to 2001"),
        ({"percussive_size": 1}, "percussive_size=1 is not an odd number from 3 to 2001"),
        ({"percussive_size": 10**9 + 1}, "percussive_size=1000000001 is not an odd number"),
        ({"harmonic_size": 17.0}, r"harmonic_size=17.0 is not a whole number\."),
        ({"mode": "soft"}, "mode='soft' is not one of classic, coupled, advanced"),
        ({"power": 0}, "power=0 is not above 0 and at most 20"),
        (
            {"harmonic_threshold": (0, 1, 1)},
            r"harmonic_threshold=\(0, 1, 1\) is neither a number of dB nor four",
        ),
        ({"harmonic_threshold": "high"}, "harmonic_threshold='high' is neither a number of dB nor four numbers"),
        ({"percussive_threshold": (0.5, 1, 0.2, 1)}, "the frequencies must rise from 0 to 1.*f1=0.5 and f2=0.2"),
        ({"percussive_threshold": float("nan")}, "percussive_threshold=nan: the levels must lie between"),
        ({"stft": STFT(256, center=False)}, "center=False"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options, words, mix):
    with pytest.raises(InvalidInput, match=words):
        hpss(mix, **options)
    with pytest.raises(InvalidInput, match=words):
        HPSS(**options)


def test_other_refusals(mix):
    with pytest.raises(InvalidInput, match="too loud for numbers of 32 bits"):
        hpss(Audio(np.full(4096, 3e38), RATE), stft=SMALL)
    with pytest.raises(InvalidInput, match="n_channels=0 is not a whole number from 1 to 65535"):
        HPSS(0)
    with pytest.raises(Incompatible, match="the block has 1 channel, but n_channels=2"):
        HPSS(2).process(np.zeros(5))
    with pytest.raises(InvalidInput, match="NaN"):
        HPSS().process([0.0, np.nan])
    with pytest.raises(InvalidInput, match="at least one bin and one frame"):
        hpss_masks(np.zeros((0, 5)))
    with pytest.raises(InvalidInput, match="no entry may be negative"):
        hpss_masks(-np.ones((5, 5)))


def test_a_real_recording_keeps_its_sum(shared):
    audio = load(shared / "audio" / "conga_groove.wav", duration=1.0)
    for mode in MODES:
        parts = hpss(audio, mode=mode, stft=STFT.flucoma())
        assert over_error(audio.samples, sum(part.samples for part in parts)) > 110
