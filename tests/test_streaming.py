"""Streams split and matched by known sounds: the offline numbers, for every size of the blocks."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import unweave as uw
from unweave.listening import steps_of
from unweave.listening.framewise import FrameMasks, FrameModel
from unweave.listening.hops import FrameReader, FrameWriter
from unweave.masks import SoftMasks
from unweave.matching import NMFMatch, match_by
from unweave.onsets import OnsetPicker, find_onsets
from unweave.streaming import NMFFilter, filter_by, filtered
from unweave.synthesis import drum_loop
from unweave.threads import limit

BLOCKS = [1, 17, 64, 509, 10**6]
SMALL = uw.STFT(256, 64)
LENGTHS = [0, 1, 63, 64, 700, 2011]
SETTINGS = [
    uw.STFT(512),
    uw.STFT(512, 100),
    uw.STFT(512, 128, 300),
    uw.STFT.flucoma(600, 250),
    uw.STFT(256, 128, window="cosine"),
    uw.STFT(64, 64, window="boxcar"),
]


def decibels(wanted, found) -> float:
    """Level of what is right against all that is wrong."""
    wanted, found = np.asarray(wanted, np.float64), np.asarray(found, np.float64)
    wrong = np.square(wanted - found).sum()
    return math.inf if wrong == 0 else 10 * math.log10(np.square(wanted).sum() / wrong)


def cut(samples, size):
    return [samples[:, at : at + size] for at in range(0, samples.shape[1], size)]


def streamed(machine, samples, size):
    return np.concatenate([*(machine.process(block) for block in cut(samples, size)), machine.flush()], axis=-1)


@pytest.fixture(scope="module")
def drums() -> dict[str, uw.Audio]:
    return drum_loop(n_bars=1, sample_rate=22050)


@pytest.fixture(scope="module")
def kit(drums) -> uw.Dictionary:
    """Two bases for the snare, one for every other drum."""
    learned = [
        uw.decompose(drums[name], count, stft=uw.STFT(1024), restarts=1, max_iter=50).dictionary.relabel([name] * count)
        for name, count in (("kick", 1), ("snare", 2), ("hihat", 1))
    ]
    return uw.Dictionary.merge(*learned)


@pytest.fixture
def noise(rng):
    return rng.standard_normal((2, 2011)).astype(np.float32)


@pytest.fixture
def bases(rng):
    return rng.gamma(0.3, 1, (SMALL.n_bins, 4)).astype(np.float32)


# ---------------------------------------------------------------- single frames


@pytest.mark.parametrize("stft", SETTINGS, ids=str)
@pytest.mark.parametrize("n_samples", [0, 1, 300, 2011])
def test_frames_of_a_stream_are_those_of_the_whole_and_give_it_back(noise, stft, n_samples) -> None:
    sound = noise[:, :n_samples]
    reader, writer, spectra = FrameReader(stft, 2), FrameWriter(stft, 1, 2), []
    out = np.empty((1, 2, n_samples), np.float32)
    at = 0
    while at < n_samples:
        step = min(reader.missing, 37, n_samples - at)
        reader.push(sound[:, at : at + step])
        if reader.missing == 0:
            spectra.append(reader.spectrum())
            writer.add(spectra[-1][None])
        writer.take(out[..., at : at + step])
        at += step
    while len(spectra) < stft.n_frames(n_samples):
        reader.push(0)
        spectra.append(reader.spectrum())
        writer.add(spectra[-1][None])
    back = np.concatenate([out, writer.end(n_samples)], axis=2)[0]
    whole = uw.stft(uw.Audio(sound, 8000), stft).values
    assert np.allclose(np.stack(spectra, axis=-1), whole, rtol=0, atol=1e-4)
    assert not back[:, : stft.win_length].any()
    assert n_samples == 0 or decibels(sound, back[:, stft.win_length :]) > 110


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 7.0])
def test_masks_of_a_frame_are_those_of_the_whole(rng, power) -> None:
    given = rng.gamma(0.2, 1, (1, 33, 5))
    given[:, 7] = 0  # a bin in which no component has energy
    model = FrameModel(given, steps_of(20, True, False, 1.0, 5))
    magnitudes = rng.random(33).astype(np.float32)
    model.explain(magnitudes)
    masks = FrameMasks(model, None, power).apply(model, np.ones((1, 33), np.complex64))[:, 0]
    found = uw.Factorization(given[0], model.activations[:, None])
    assert np.allclose(masks, SoftMasks.of(found, power).block(slice(0, 1), range(5))[:, 0], atol=1e-6)
    assert np.allclose(masks.sum(axis=0), 1, atol=1e-6)
    assert np.allclose(masks[:, 7], 0.2)


def test_many_steps_find_the_activations_of_nmf(rng) -> None:
    given, V = rng.random((33, 3)), rng.random((33, 40)).astype(np.float32)
    whole = uw.nmf(V, 3, bases=given, learn_bases=False, max_iter=3000, tol=0).activations
    model = FrameModel(given[None], steps_of(1000, True, False, 1.0, 3))
    for column, wanted in zip(V.T, whole.T, strict=True):
        model.explain(np.ascontiguousarray(column))
        assert np.allclose(model.activations, wanted, atol=3e-3)


# ---------------------------------------------------------------- the filter


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"warm_start": False, "power": 3}, {"learn_bases": [True, False] * 2}], ids=str
)
@pytest.mark.parametrize("n_samples", LENGTHS)
def test_where_blocks_end_changes_no_bit_of_the_parts(noise, bases, n_samples, n_channels, options) -> None:
    sound = noise[:n_channels, :n_samples]
    splitter = NMFFilter(bases, stft=SMALL, n_iter=3, **options)
    whole = filter_by(sound, bases, sample_rate=8000, stft=SMALL, n_iter=3, **options)
    wanted = np.stack([part.samples for part in whole.values()])
    assert wanted.shape == (4, *sound.shape)
    for size in BLOCKS:
        splitter.reset()
        found = streamed(splitter, sound, size)
        assert found.shape[2] == n_samples + splitter.latency
        assert not found[..., : splitter.latency].any()
        if n_samples:
            assert np.array_equal(found[..., splitter.latency :], wanted)
            assert decibels(sound, wanted.sum(axis=0)) > 110


def test_the_parts_are_those_of_decompose(drums, kit) -> None:
    stft, mix = uw.STFT(1024), drums["mix"]
    whole = uw.decompose(mix, 4, bases=kit, learn_bases=False, max_iter=1500, tol=0)
    parts = [part.samples for part in whole.components()]
    found = filter_by(mix, kit, n_iter=400)
    assert stft == kit.stft
    assert decibels(parts[0], found["kick"].samples) > 40
    assert decibels(parts[1] + parts[2], found["snare"].samples) > 40
    assert decibels(whole.activations[0], match_by(mix, kit, n_iter=400)[0]) > 40


def test_several_bases_of_a_label_are_one_sound(drums, kit) -> None:
    splitter = NMFFilter(kit)
    assert splitter.labels == ("kick", "snare", "hihat")
    apart = filter_by(drums["mix"], kit.relabel(["kick", "snare", "rattle", "hihat"]))
    together = filter_by(drums["mix"], kit)
    assert list(together) == ["kick", "snare", "hihat"]
    assert decibels(apart["snare"].samples + apart["rattle"].samples, together["snare"].samples) > 110


def test_known_drums_are_told_apart(drums, kit) -> None:
    found = filter_by(drums["mix"], kit)
    for name in ("kick", "snare", "hihat"):
        assert decibels(drums[name].samples, found[name].samples) > 10


def test_a_warm_start_is_nearer_to_the_best_than_a_flat_one(drums, kit) -> None:
    fine = uw.STFT(1024, 128)
    best, warm, flat = (
        match_by(drums["mix"], kit, stft=fine, n_iter=n, warm_start=start)
        for n, start in ((500, True), (10, True), (10, False))
    )
    assert decibels(best, warm) > decibels(best, flat) + 3


def test_silence_gives_silence_and_the_sound_comes_back_after_it(bases, noise) -> None:
    splitter, match = NMFFilter(bases, stft=SMALL), NMFMatch(bases, stft=SMALL)
    sound = noise[:1].copy()
    sound[:, 600:1400] = 0
    found = streamed(splitter, sound, 100)[..., splitter.latency :]
    assert not found[..., 900:1100].any()
    assert decibels(sound, found.sum(axis=0)) > 110
    columns = streamed(match, sound, 100)
    assert not columns[:, 14:18].any()
    assert columns[:, -3].all()


def test_activations_of_silence_are_zero_and_not_nan_as_in_flucoma(bases) -> None:
    found = match_by(np.zeros(5000), bases, sample_rate=8000, stft=SMALL, smoothing=0.1, threshold=0.5)
    assert found.shape == (4, SMALL.n_frames(5000))
    assert not found.any()


@pytest.mark.parametrize("level", [1e-30, 1e-12, 1e-4, 1e7])
def test_any_level_is_split(noise, bases, level) -> None:
    parts = filter_by(noise * np.float32(level), bases, sample_rate=8000, stft=SMALL)
    assert decibels(noise, sum(part.samples.astype(np.float64) for part in parts.values()) / level) > 100


def test_bases_of_zeros_share_the_sound(noise) -> None:
    parts = filter_by(noise, np.zeros((SMALL.n_bins, 2)), sample_rate=8000, stft=SMALL)
    assert all(decibels(noise / 2, part.samples) > 110 for part in parts.values())


def test_bases_can_be_exchanged_while_it_runs_without_a_click(drums, kit) -> None:
    n, rate = 20000, 22050
    tone = np.sin(2 * np.pi * 1000 * np.arange(n) / rate).astype(np.float32)[None]
    stft = uw.STFT(1024)
    low, high = np.full((stft.n_bins, 2), 1e-6), np.full((stft.n_bins, 2), 1e-6)
    low[:100, 0] = low[100:, 1] = high[:20, 0] = high[20:, 1] = 1  # 1 kHz is in the first, then in the second
    splitter = NMFFilter(low, stft=stft)
    begun = splitter.process(tone[:, :10000])
    splitter.exchange(high)
    found = np.concatenate([begun, splitter.process(tone[:, 10000:]), splitter.flush()], axis=2)[..., 1024:]
    assert decibels(tone, found.sum(axis=0)) > 110
    assert np.abs(found[1, :, 2000:8000]).max() < 0.01
    assert np.abs(found[0, :, 12000:18000]).max() < 0.01
    assert np.abs(np.diff(found[0, 0])).max() < 1.05 * np.abs(np.diff(tone[0])).max()
    with pytest.raises(uw.Incompatible, match="the new bases are of 3 sounds, but the stream is split into 2"):
        splitter.exchange(kit.bases[0, :, :3])


def test_a_base_that_learns_follows_and_what_is_kept_stays_to_the_bit(drums, kit) -> None:
    mix, given = drums["mix"], kit.bases.copy()
    wrong = given.copy()
    wrong[0, :, 3] = 0.05  # a hi-hat that was never heard: the same of everything
    start = uw.Dictionary(wrong, kit.labels, kit.stft, kit.sample_rate)
    splitter = NMFFilter(start, learn_bases=[False, False, False, True], forgetting=0.5)
    for _ in range(4):
        splitter.process(mix.samples)
    learned = splitter.bases.bases
    assert np.array_equal(learned[..., :3], wrong[..., :3])

    def cosine(one, other):
        return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))

    assert cosine(learned[..., 3], given[..., 3]) > cosine(wrong[..., 3], given[..., 3]) + 0.2
    splitter.flush()
    assert cosine(splitter.bases.bases[..., 3], learned[..., 3]) > 0.999
    splitter.reset()
    assert np.array_equal(splitter.bases.bases, wrong)


def test_bases_of_one_channel_serve_two_and_channels_stay_apart(bases, noise) -> None:
    sound = noise.copy()
    sound[1] = 0
    parts = streamed(NMFFilter(bases, stft=SMALL), sound, 64)
    assert parts.shape[1] == 2
    assert not parts[:, 1].any()
    with pytest.raises(uw.Incompatible, match="has 2 channels, but the recording has 1"):
        NMFFilter(np.stack([bases, bases]), stft=SMALL).process(noise[:1])


def test_one_thread_and_three_give_the_same_bits(rng, noise) -> None:
    many = rng.random((1025, 60))
    found = []
    for count in (1, 3):
        with limit(count):
            found.append(streamed(NMFFilter(many, stft=uw.STFT(), n_iter=2), noise, 512))
    assert np.array_equal(*found)


def test_nothing_that_was_given_is_changed(noise, bases) -> None:
    before = noise.copy(), bases.copy()
    streamed(NMFFilter(bases, stft=SMALL, learn_bases=True), noise, 100)
    assert np.array_equal(noise, before[0])
    assert np.array_equal(bases, before[1])


def test_a_flushed_stream_can_begin_again(noise, bases) -> None:
    splitter = NMFFilter(bases, stft=SMALL)
    first = streamed(splitter, noise, 64)
    assert np.array_equal(streamed(splitter, noise, 64), first)
    assert streamed(splitter, noise[:1], 64).shape[1] == 1


def test_a_long_stream_holds_no_more_memory_than_a_short_one(bases) -> None:
    for machine in (NMFFilter(bases, stft=SMALL, learn_bases=True), NMFMatch(bases, stft=SMALL)):
        block = np.ones((1, 64), np.float32)
        held = []
        tracemalloc.start()
        try:
            for count in range(1200):
                machine.process(block)
                if count in (200, 1199):
                    held.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        assert held[1] - held[0] < 4096


def test_integers_are_scaled_as_in_sound_files(noise, bases) -> None:
    sound = np.round(noise * 1000).astype(np.int16)
    whole, scaled = (streamed(NMFFilter(bases, stft=SMALL), each, 64) for each in (sound, sound / np.float32(2**15)))
    assert np.array_equal(whole, scaled)
    with pytest.raises(uw.InvalidInput, match="rows of different lengths"):
        NMFFilter(bases, stft=SMALL).process([[1.0], [1.0, 2.0]])


def test_a_recording_goes_by_in_pieces(noise, bases) -> None:
    splitter = NMFFilter(bases, stft=SMALL)
    pieces = list(filtered(uw.Audio(noise, 8000), splitter, 500))
    assert len(pieces) == 6
    assert sum(piece.shape[2] for piece in pieces) == noise.shape[1]


def test_the_output_of_flucoma_is_met(shared) -> None:
    golden = np.load(shared / "golden" / "nmffilter.npz")
    sound = uw.load(shared / "audio" / "conga_groove.wav").samples[:1]
    for warm in (True, False):
        splitter = NMFFilter(golden["bases"], stft=uw.STFT.flucoma(), n_iter=1000, warm_start=warm)
        found = streamed(splitter, sound, 4096)[:, 0]
        late, end = splitter.latency, min(found.shape[1], golden["output"].shape[1])
        assert late == 1024
        for wanted, part in zip(golden["output"], found, strict=True):
            assert decibels(wanted[late:end], part[late:end]) > 100


# ---------------------------------------------------------------- the match


@pytest.mark.parametrize("n_samples", LENGTHS)
def test_where_blocks_end_changes_no_bit_of_the_activations(noise, bases, n_samples) -> None:
    sound = noise[:, :n_samples]
    options: dict[str, Any] = {"n_iter": 4, "smoothing": 0.05, "threshold": 0.1}
    wanted = match_by(sound, bases, sample_rate=8000, stft=SMALL, **options)
    assert wanted.shape == (4, SMALL.n_frames(n_samples))
    match = NMFMatch(bases, stft=SMALL, sample_rate=8000, **options)
    for size in BLOCKS:
        assert np.array_equal(streamed(match, sound, size), wanted)


def test_a_column_comes_when_its_last_sample_does(bases, noise) -> None:
    match = NMFMatch(bases, stft=SMALL)
    assert match.process(noise[:, : match.latency - 1]).shape == (4, 0)
    assert match.process(noise[:, match.latency - 1 : match.latency]).shape == (4, 1)
    assert match.process(noise[:, match.latency : match.latency + 64]).shape == (4, 1)


def test_as_many_steps_are_made_as_are_asked_for(shared) -> None:
    """FluCoMa's NMFMatch makes ten, whatever one says."""
    golden = np.load(shared / "golden" / "bufnmf_fixed_bases.npz")
    sound = uw.load(shared / "audio" / "conga_groove.wav").samples[:1]
    scores = []
    for n_iter in (1, 10, 2000):
        options: dict[str, Any] = {"stft": uw.STFT.flucoma(), "n_iter": n_iter, "warm_start": False}
        found = match_by(sound, golden["bases"], sample_rate=22050, **options)
        scores.append(decibels(golden["activations"], found / found.max()))
    assert scores[0] < scores[1] - 3
    assert scores[1] < scores[2] - 10
    assert scores[2] > 100


def test_activations_are_in_units_of_the_bases_as_given(noise, bases) -> None:
    once = match_by(noise, bases, sample_rate=8000, stft=SMALL)
    scaled = match_by(noise, bases * [1, 2, 4, 8], sample_rate=8000, stft=SMALL)
    assert np.allclose(once, scaled * np.array([1, 2, 4, 8])[:, None], rtol=1e-3, atol=1e-3 * once.max())


def test_smoothing_follows_slowly_and_a_threshold_hides_what_is_faint(drums, kit) -> None:
    plain = match_by(drums["mix"], kit)
    smooth = match_by(drums["mix"], kit, smoothing=0.2)
    gated = match_by(drums["mix"], kit, threshold=0.2)
    assert plain.shape == smooth.shape == gated.shape == (3, kit.stft.n_frames(drums["mix"].n_samples))
    assert np.abs(np.diff(smooth)).max() < 0.3 * np.abs(np.diff(plain)).max()
    assert np.isin(gated, [0, *plain.ravel()]).all()
    assert 0.3 < (gated == 0).mean() < 1


# ---------------------------------------------------------------- onsets


def test_onsets_are_found_where_they_are(drums, kit) -> None:
    step = 60 / 104 / 4
    wanted = {"kick": [0, 6, 8, 11], "snare": [4, 12], "hihat": [0, 2, 4, 6, 8, 10, 12, 14]}
    found = find_onsets(drums["mix"], kit)
    assert [onset.time for onset in found] == sorted(onset.time for onset in found)
    for label, steps in wanted.items():
        times = np.array([onset.time for onset in found if onset.label == label])
        for each in steps:
            assert np.abs(times - each * step).min() < 0.02, (label, each)
    assert len([onset for onset in found if onset.label == "kick"]) == 4


def test_a_louder_stroke_has_a_greater_volume(kit, drums) -> None:
    kick = drums["kick"].samples
    both = uw.Audio(np.concatenate([kick, 0.5 * kick], axis=1), 22050)
    found = [onset for onset in find_onsets(both, kit) if onset.label == "kick"]
    assert len(found) == 8
    for loud, quiet in zip(found[:4], found[4:], strict=True):
        assert loud.volume / quiet.volume == pytest.approx(2, rel=0.1)


def test_where_blocks_end_changes_no_onset(rng) -> None:
    activations = rng.gamma(0.2, 1, (3, 400))
    picker = OnsetPicker("abc", 100)
    wanted = picker.process(activations) + picker.flush()
    assert len(wanted) > 10
    for size in (1, 7, 100):
        found = [onset for block in cut(activations, size) for onset in picker.process(block)]
        assert found + picker.flush() == wanted


def test_look_ahead_tells_the_steepest_rise_and_comes_as_late(rng) -> None:
    a = np.zeros((1, 60))
    a[0, 20:25] = [0.3, 0.4, 1, 0.9, 0.8]
    early, late = OnsetPicker("a", 100, look_ahead=0), OnsetPicker("a", 100, look_ahead=0.04)
    assert (early.n_late, late.n_late) == (0, 4)
    assert [onset.volume for onset in early.process(a[:, :21])] == [0.3]
    assert late.process(a[:, :26]) == []
    [onset] = late.process(a[:, 26:]) + late.flush()
    assert onset.volume == 1
    assert onset.time == pytest.approx(0.2117, abs=1e-3)


def test_refractory_time_and_threshold_hold_onsets_back() -> None:
    a = np.zeros((1, 300))
    a[0, 50::10] = 1
    a[0, 200:] *= 0.05
    quick = OnsetPicker("a", 100, refractory=0, look_ahead=0, threshold=0.02)
    slow = OnsetPicker("a", 100, refractory=0.3, look_ahead=0, threshold=0.1)
    assert len(quick.process(a)) == 15
    times = [onset.time for onset in slow.process(a)]
    assert len(times) == 5
    assert max(times) < 2
    assert min(np.diff(times)) > 0.29


def test_silence_and_an_empty_sound_have_no_onsets(kit) -> None:
    assert find_onsets(np.zeros(5000), kit, sample_rate=22050) == []
    assert find_onsets(np.zeros(0), kit, sample_rate=22050) == []


# ---------------------------------------------------------------- what is refused


def test_what_does_not_fit_is_refused_in_a_sentence(kit, bases) -> None:
    """FluCoMa emits nothing then, and says nothing."""
    with pytest.raises(uw.Incompatible, match=r"was made with n_fft=1024, but this transform has n_fft=512"):
        NMFFilter(kit, stft=uw.STFT(512))
    with pytest.raises(uw.Incompatible, match=r"was made at 22050 Hz, but this recording has 44100 Hz"):
        NMFMatch(kit, sample_rate=44100)
    with pytest.raises(uw.Incompatible, match=r"bases.shape=\(129, 4\), but \(channels, 1025, n\) or \(1025, n\)"):
        NMFFilter(bases)
    with pytest.raises(uw.InvalidInput, match="sample_rate=0, but it must be a number of Hz above zero"):
        NMFMatch(bases, stft=SMALL, sample_rate=0)
    with pytest.raises(uw.InvalidInput, match="center=False"):
        NMFFilter(bases, stft=uw.STFT(256, center=False))
    with pytest.raises(uw.Incompatible, match="the bases last 3 frames, but a stream is explained frame by frame"):
        NMFFilter(np.ones((1, 129, 2, 3)), stft=SMALL)
    with pytest.raises(uw.InvalidInput, match="finite and not negative"):
        NMFFilter(-bases, stft=SMALL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_iter": 0}, "n_iter=0"),
        ({"power": 0}, "power=0 is not above 0"),
        ({"warm_start": "yes"}, "warm_start='yes' is neither True nor False"),
        ({"forgetting": 0}, "forgetting=0 is not a number above 0"),
        ({"learn_bases": [True]}, "learn_bases has 1 values"),
        ({"learn_bases": 3}, "learn_bases=3 is neither True"),
    ],
)
def test_settings_out_of_range_are_refused(bases, options, words) -> None:
    with pytest.raises((uw.InvalidInput, uw.Incompatible), match=words):
        NMFFilter(bases, stft=SMALL, **options)


@pytest.mark.parametrize("options", [{"smoothing": -1}, {"threshold": 1}, {"smoothing": math.inf}])
def test_settings_of_a_match_out_of_range_are_refused(bases, options) -> None:
    with pytest.raises(uw.InvalidInput, match=f"{next(iter(options))}=.* is not a number from 0 up"):
        NMFMatch(bases, stft=SMALL, **options)


@pytest.mark.parametrize("options", [{"threshold": 2}, {"refractory": -1}, {"look_ahead": 11}])
def test_settings_of_onsets_out_of_range_are_refused(options) -> None:
    with pytest.raises(uw.InvalidInput, match=f"{next(iter(options))}=.* is not a number from 0 to"):
        OnsetPicker("a", 100, **options)
    with pytest.raises(uw.Incompatible, match=r"activations.shape=\(2, 5\), but \(1, n\) is needed"):
        OnsetPicker("a", 100).process(np.zeros((2, 5)))


@pytest.mark.parametrize("machine", [NMFFilter, NMFMatch])
def test_a_block_that_is_refused_changes_nothing(noise, bases, machine) -> None:
    one, other = machine(bases, stft=SMALL), machine(bases, stft=SMALL)
    wanted = [one.process(noise[:, :500]), one.process(noise[:, 500:])]
    found = [other.process(noise[:, :500])]
    for wrong in (np.nan, np.inf, 1e12, 1e300):
        with pytest.raises(uw.InvalidInput, match="block contains NaN, infinity, or a sample above 1e"):
            other.process(np.full((2, 3), wrong))
    with pytest.raises(uw.Incompatible, match=r"block.shape=\(3, 5\), but \(2, n\) is needed, as before"):
        other.process(np.zeros((3, 5)))
    with pytest.raises(uw.Incompatible, match="channels by samples"):
        other.process(np.zeros((1, 2, 3)))
    found.append(other.process(noise[:, 500:]))
    assert all(np.array_equal(*pair) for pair in zip(wanted, found, strict=True))
