"""FluCoMa's objects under their own names: buffers, modes, random numbers, its own output, its defects done right."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unweave import Audio, load
from unweave import flucoma as fl
from unweave.cross import cross
from unweave.errors import Incompatible, InvalidInput, ReadError, UnweaveError, WriteError
from unweave.flucoma import Buffer
from unweave.flucoma.buffers import as_buffer, write_buffers
from unweave.flucoma.chance import Twister, random_factors
from unweave.flucoma.ranges import rate_of_sound, transform_of
from unweave.framing import STFT
from unweave.hpss import hpss
from unweave.seeds import seed
from unweave.sines import sines
from unweave.stft import istft, stft
from unweave.synthesis import drum_loop
from unweave.threads import limit, single_blas
from unweave.transients import transients

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = (512, 256, 512)


@pytest.fixture(scope="module")
def loop() -> Audio:
    """A bar of drums."""
    return drum_loop(n_bars=1, sample_rate=22050)["mix"]


@pytest.fixture(scope="module")
def stereo() -> Audio:
    """Drums left, a tone that comes and goes right."""
    samples = drum_loop(n_bars=1, sample_rate=11025)["mix"].samples[0]
    time_ = np.arange(samples.size) / 11025
    tone = 0.2 * np.sin(2 * np.pi * 440 * time_) * (np.sin(2 * np.pi * 3 * time_) > 0)
    return Audio(np.stack([samples, tone]), 11025)


def over_error(true: np.ndarray, found: np.ndarray) -> float:
    wrong = np.square(np.asarray(true, np.float64) - found).sum()
    return float(10 * np.log10(np.square(true, dtype=np.float64).sum() / max(wrong, 1e-300)))


def divergence(V: np.ndarray, model: np.ndarray) -> float:
    model = np.maximum(model, 1e-9)
    return float((np.where(V > 0, V * np.log(np.maximum(V, 1e-30) / model), 0) - V + model).sum())


def restated(V: np.ndarray, W: np.ndarray, H: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """BufNMF's seven products an iteration, in its own words."""
    eps = np.finfo(np.float64).eps
    W, H = W / np.linalg.norm(W, axis=0), H / np.linalg.norm(H, axis=1, keepdims=True)
    ones = np.ones_like(V)
    for _ in range(iterations):
        W = W * ((V / np.maximum(W @ H, eps)) @ H.T) / np.maximum(ones @ H.T, eps)
        W /= np.linalg.norm(W, axis=0)
        H = H * (W.T @ (V / np.maximum(W @ H, eps))) / np.maximum(W.T @ ones, eps)
        np.maximum(W @ H, eps)
    return W, H


# ---------------------------------------------------------------- FluCoMa's own output


def test_bufnmf_is_met_where_it_has_one_right_answer(shared: Path) -> None:
    golden = np.load(shared / "golden" / "bufnmf_fixed_bases.npz")
    source = shared / "audio" / "conga_groove.wav"
    made = fl.bufnmf(source, bases=golden["bases"], basesmode=2, components=3, iterations=2000)
    assert over_error(golden["activations"], made.activations.frames.T) > 100
    assert over_error(golden["resynth"], made.resynth.frames.T) > 100


def test_bufnmfseed_is_met(shared: Path) -> None:
    golden = np.load(shared / "golden" / "bufnmfseed_svd.npz")
    made = fl.bufnmfseed(shared / "audio" / "conga_groove.wav", coverage=0.5, method=0)
    assert over_error(golden["bases"], made.bases.frames) > 100
    assert over_error(golden["activations"], made.activations.frames.T) > 100


def test_bufstft_is_met(shared: Path) -> None:
    golden = np.load(shared / "golden" / "bufstft.npz")
    made = fl.bufstft(shared / "audio" / "conga_groove.wav")
    assert over_error(golden["magnitude"], made.magnitude.frames.T) > 100
    there, here = (m * np.exp(1j * p) for m, p in ((golden["magnitude"], golden["phase"]), _polar(made)))
    assert 10 * np.log10(np.square(np.abs(there)).sum() / np.square(np.abs(there - here)).sum()) > 100


def _polar(made: fl.STFTBuffers) -> tuple[np.ndarray, np.ndarray]:
    return made.magnitude.frames.T, made.phase.frames.T


def test_buftransients_is_met(shared: Path) -> None:
    golden = np.load(shared / "golden" / "buftransients.npz")
    made = fl.buftransients(shared / "audio" / "conga_groove.wav")
    assert over_error(golden["transients"], made.transients.frames.T) > 60
    assert over_error(golden["residual"], made.residual.frames.T) > 60


def test_nmffilter_is_met_but_for_its_delay(shared: Path) -> None:
    golden = np.load(shared / "golden" / "nmffilter.npz")
    source = load(shared / "audio" / "conga_groove.wav")
    made = fl.nmffilter(source, golden["bases"], iterations=1000)
    late = golden["output"][:, 1024:]
    assert over_error(late, made.frames.T[:, : late.shape[1]]) > 100


# ---------------------------------------------------------------- its defects; docs/flucoma.md lists them all


def test_every_defect_of_flucoma_on_the_page_has_a_test() -> None:
    page = (ROOT / "docs" / "flucoma.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| `(tests/\w+\.py)` `(test_\w+)` \|$", page, re.MULTILINE)
    assert {int(number) for number, _, _ in rows} == set(range(1, 12))
    for _, file, name in rows:
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), f"{file} has no {name}"


def test_flucoma_defect_7_the_channel_that_is_asked_for_is_transformed(stereo: Audio) -> None:
    right = fl.bufstft(stereo, startchan=1, fftsettings=SETTINGS)
    alone = fl.bufstft(stereo.samples[1], fftsettings=SETTINGS)
    np.testing.assert_array_equal(right.magnitude.frames, alone.magnitude.frames)
    assert not np.allclose(right.magnitude.frames, fl.bufstft(stereo, fftsettings=SETTINGS).magnitude.frames)


def test_flucoma_defect_8_its_own_bases_and_activations_resynthesise_the_same_sounds(loop: Audio) -> None:
    """There, the three sounds of a drum loop come back with errors of 9, 49 and 5 %."""
    first = fl.bufnmf(loop, components=3, iterations=50)
    again = fl.bufnmf(loop, components=3, bases=first.bases, basesmode=2, activations=first.activations, actmode=2)
    for k in range(3):
        assert over_error(first.resynth.frames[:, k], again.resynth.frames[:, k]) > 100
    np.testing.assert_array_equal(again.bases.frames, first.bases.frames)
    np.testing.assert_array_equal(again.activations.frames, first.activations.frames)


def test_flucoma_defect_8_the_level_of_what_is_given_counts(loop: Audio) -> None:
    first = fl.bufnmf(loop, components=2, iterations=30)
    V = stft(loop, STFT.flucoma())
    n_frames = first.activations.n_frames
    louder = fl.bufnmf(
        loop,
        components=2,
        bases=first.bases.frames * np.array([10, 1], np.float32),
        basesmode=2,
        activations=first.activations,
        actmode=2,
    )
    models = [np.outer(first.bases.frames[:, k], first.activations.frames[:, k]) for k in range(2)]
    total = 10 * models[0] + models[1]
    mask = np.divide(10 * models[0], total, out=np.full_like(total, 0.5), where=total > 0)
    mask = np.pad(mask, ((0, 0), (0, V.values.shape[2] - n_frames)), mode="edge")
    expected = istft(replace(V, values=(V.values * mask).astype(np.complex64)))
    assert over_error(expected.samples[0], louder.resynth.frames[:, 0]) > 80
    # Kept activations: the bases that are found carry the levels, so that the pair explains the recording.
    magnitude = V.magnitude[0][:, :n_frames]
    tenth = first.activations.frames * np.array([0.1, 1], np.float32)
    found = fl.bufnmf(loop, components=2, activations=tenth, actmode=2, iterations=100, resynthmode=0)
    np.testing.assert_array_equal(found.activations.frames, tenth)
    model = found.bases.frames @ tenth.T
    best = first.bases.frames @ first.activations.frames.T
    ours, theirs = (divergence(magnitude, each * magnitude.sum() / each.sum()) for each in (model, best))
    assert ours < 1.001 * theirs


def test_flucoma_defect_8_a_decomposition_goes_on_where_it_ended(loop: Audio) -> None:
    half = fl.bufnmf(loop, components=3, iterations=15, seed=3, resynthmode=0)
    whole = fl.bufnmf(loop, components=3, iterations=30, seed=3, resynthmode=0)
    seeds: dict[str, Any] = {"bases": half.bases, "activations": half.activations, "basesmode": 1, "actmode": 1}
    on = fl.bufnmf(loop, components=3, iterations=15, resynthmode=0, **seeds)
    assert over_error(whole.bases.frames, on.bases.frames) > 80
    assert over_error(whole.activations.frames, on.activations.frames) > 80


@pytest.mark.parametrize("modes", [(0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (1, 1), (2, 1), (1, 2), (2, 2)])
def test_flucoma_defect_9_silence_has_activations_of_zero_and_not_nan(modes: tuple[int, int]) -> None:
    silence = Buffer(np.zeros((3000, 1)), 8000)
    made = fl.bufnmf(
        silence,
        components=2,
        iterations=3,
        bases=np.ones((257, 2)),
        basesmode=modes[0],
        activations=np.ones((12, 2)),
        actmode=modes[1],
        fftsettings=SETTINGS,
    )
    assert np.isfinite(made.bases.frames).all()
    np.testing.assert_array_equal(made.activations.frames, float(modes[1] == 2))
    np.testing.assert_array_equal(made.resynth.frames, 0)


def test_flucoma_defect_9_a_silent_channel_and_silent_stretches_are_no_nan_either(loop: Audio) -> None:
    samples = np.zeros((2, 30000), np.float32)
    samples[0, 10000:20000] = loop.samples[0, :10000]
    made = fl.bufnmf(Audio(samples, 22050), components=2, iterations=10)
    assert all(np.isfinite(buffer.frames).all() for buffer in made)
    assert not made.activations.frames[:, 2:].any()
    np.testing.assert_allclose(made.resynth.frames[:, :2].sum(axis=1), samples[0], atol=1e-6)


def test_flucoma_defect_11_iterations_can_end_when_nothing_moves_any_more(loop: Audio) -> None:
    def made(**options: Any) -> np.ndarray:
        return fl.bufnmf(loop, components=2, resynthmode=0, **options).bases.frames

    early = made(iterations=100000, tol=1e-3)
    ended = next(n for n in range(10, 1000, 10) if np.array_equal(early, made(iterations=n)))
    assert not np.array_equal(made(iterations=ended + 10), early), "without tol all iterations run"


def test_flucoma_defect_11_an_iteration_costs_less_than_its_seven_products(loop: Audio) -> None:
    long = Audio(np.tile(loop.samples, 12), loop.sample_rate)
    V = stft(long, STFT.flucoma()).magnitude[0].astype(np.float64)
    start = random_factors(0, V.shape[0], 6, V.shape[1])

    def seconds(work: Callable[[int], object]) -> float:
        """Processor time of ten iterations more."""
        spent = []
        for n in (2, 12):
            best = np.inf
            for _ in range(2):
                before = time.process_time()
                work(n)
                best = min(best, time.process_time() - before)
            spent.append(best)
        return spent[1] - spent[0]

    with limit(1), single_blas():
        there = seconds(lambda n: restated(V, *start, n))
        here = seconds(lambda n: fl.bufnmf(long, components=6, iterations=n, resynthmode=0))
    assert here < 0.6 * there


def test_flucoma_defect_11_many_threads_make_the_same_bytes_as_one(stereo: Audio) -> None:
    with limit(1):
        alone = fl.bufnmf(stereo, components=2, iterations=10)
    with limit(3):
        together = fl.bufnmf(stereo, components=2, iterations=10)
    for one, other in zip(alone, together, strict=True):
        assert one.frames.dtype == np.float32
        np.testing.assert_array_equal(one.frames, other.frames)


# ---------------------------------------------------------------- BufNMF


def test_the_twister_is_that_of_the_cpp_standard() -> None:
    """ISO C++ says what the 10000th number of a default mt19937_64 is."""
    assert Twister(5489).words(10000)[-1] == 9981545732273789042
    twister = Twister(7)
    np.testing.assert_array_equal(
        np.concatenate([twister.words(n) for n in (1, 311, 312, 1, 700)]), Twister(7).words(1325)
    )


def test_random_factors_are_filled_basis_by_basis_and_frame_by_frame() -> None:
    W, H = random_factors(42, 5, 2, 3)
    drawn = Twister(42).uniform(10)
    np.testing.assert_array_equal(W.T.ravel(), drawn)
    np.testing.assert_array_equal(H.T.ravel(), drawn[:6])
    assert ((drawn >= 0) & (drawn < 1)).all()


@pytest.mark.parametrize("number", [0, 42])
def test_a_seed_leads_to_the_components_that_flucoma_finds_from_it(loop: Audio, number: int) -> None:
    V = stft(loop, STFT.flucoma()).magnitude[0].astype(np.float64)
    V = V[:, : loop.n_samples // 512 + 1]
    W, H = restated(V, *random_factors(number, V.shape[0], 3, V.shape[1]), 100)
    made = fl.bufnmf(loop, components=3, iterations=100, seed=number, resynthmode=0)
    likeness = (made.bases.frames * W).sum(axis=0)
    assert (likeness > 0.95).all(), "the same components in the same order"
    model = made.bases.frames @ made.activations.frames.T.astype(np.float64)
    assert divergence(V, model * V.sum() / model.sum()) < 1.02 * divergence(V, W @ H)


def test_minus_one_is_a_seed_like_any_other_and_gives_the_same_every_time(loop: Audio) -> None:
    bases = [fl.bufnmf(loop, components=2, iterations=3, seed=s).bases.frames for s in (-1, -1, 0, 1)]
    np.testing.assert_array_equal(bases[0], bases[1])
    np.testing.assert_array_equal(bases[0], bases[2])
    assert not np.array_equal(bases[0], bases[3])


def test_buffers_have_flucomas_shapes_rates_and_levels(stereo: Audio) -> None:
    made = fl.bufnmf(stereo, components=3, iterations=5, fftsettings=SETTINGS)
    assert made.bases.frames.shape == (257, 6)
    assert made.activations.frames.shape == (stereo.n_samples // 256 + 1, 6)
    assert made.resynth.frames.shape == (stereo.n_samples, 6)
    assert (made.bases.sample_rate, made.activations.sample_rate) == (11025 / 512, 11025 / 256)
    assert made.resynth.sample_rate == 11025
    np.testing.assert_allclose(np.linalg.norm(made.bases.frames, axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(made.activations.frames.reshape(-1, 2, 3).max(axis=(0, 2)), 1)


def test_each_channel_is_taken_apart_on_its_own(stereo: Audio) -> None:
    together = fl.bufnmf(stereo, components=2, iterations=5)
    for channel in range(2):
        alone = fl.bufnmf(stereo, startchan=channel, numchans=1, components=2, iterations=5)
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one.frames[:, 2 * channel : 2 * channel + 2], other.frames)


@pytest.mark.parametrize("n_samples", [1, 2, 255, 256, 257, 511, 700, 5000, 5119])
def test_components_sum_to_the_source_whatever_its_length(loop: Audio, n_samples: int) -> None:
    """With 5119 samples our transform has a frame more than FluCoMa's buffers."""
    source = Buffer(loop.samples[0, :n_samples], 22050)
    made = fl.bufnmf(source, components=3, iterations=4, fftsettings=SETTINGS)
    assert made.activations.n_frames == n_samples // 256 + 1
    np.testing.assert_allclose(made.resynth.frames.sum(axis=1), source.frames[:, 0], atol=1e-6)


def test_bases_that_are_kept_stay_to_the_bit_and_zeros_stay_zeros(loop: Audio) -> None:
    bases = np.random.default_rng(0).random((513, 2)).astype(np.float32)
    bases[100:, 0] = 0
    kept = fl.bufnmf(loop, components=2, bases=bases, basesmode=2, iterations=5)
    np.testing.assert_array_equal(kept.bases.frames, bases)
    moved = fl.bufnmf(loop, components=2, bases=bases, basesmode=1, iterations=5)
    assert not moved.bases.frames[100:, 0].any()
    assert not np.allclose(moved.bases.frames, bases / np.linalg.norm(bases, axis=0))


def test_a_seed_decides_which_component_is_which(loop: Audio) -> None:
    """As users fix the order of components: a rough band for each."""
    bands = np.full((513, 3), 1e-3)
    for k, span in enumerate([slice(0, 10), slice(10, 120), slice(120, 513)]):
        bands[span, k] = 1
    made = fl.bufnmf(loop, components=3, bases=bands, basesmode=1, iterations=50)
    places = np.arange(513) @ np.square(made.bases.frames) / np.square(made.bases.frames).sum(axis=0)
    assert (np.diff(places) > 0).all()


def test_zero_components_are_one_as_python_flucoma_counts_on_it(loop: Audio) -> None:
    assert fl.bufnmf(loop, components=0, iterations=1).bases.n_channels == 1


def test_without_resynthesis_there_is_none(loop: Audio) -> None:
    assert fl.bufnmf(loop, resynthmode=0, iterations=1).resynth.n_frames == 0


def test_the_level_of_the_source_changes_nothing_but_the_sounds(loop: Audio) -> None:
    loud, faint = (fl.bufnmf(Buffer(loop.samples[0] * np.float32(g)), components=2, iterations=9) for g in (1, 1e-12))
    assert over_error(loud.bases.frames, faint.bases.frames) > 60
    assert over_error(loud.activations.frames, faint.activations.frames) > 60


@pytest.mark.parametrize("level", [1e-25, 1.0, 1e25])
def test_the_level_of_all_that_is_given_changes_nothing(loop: Audio, level: float) -> None:
    first = fl.bufnmf(loop, components=2, iterations=10)
    for mode in (1, 2):
        options: dict[str, Any] = {"components": 2, "iterations": 3, "basesmode": mode, "resynthmode": 0}
        known = fl.bufnmf(loop, bases=first.bases, **options)
        other = fl.bufnmf(loop, bases=first.bases.frames * level, **options)
        assert over_error(known.activations.frames, other.activations.frames) > 80


def test_a_source_that_is_far_too_loud_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"source peaks at 3e\+37, but full scale is 1"):
        fl.bufnmf(np.full(3000, 3e37))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"components": -1}, "components=-1 is not at least 0"),
        ({"components": 1.5}, "components=1.5 is not a whole number"),
        ({"iterations": 0}, "iterations=0 is not at least 1"),
        ({"seed": -2}, "seed=-2 is not from -1"),
        ({"basesmode": 3}, "basesmode=3 is not one of 0 (none), 1 (seed), 2 (fixed)"),
        ({"basesmode": 1}, "basesmode=1 (seed) needs bases, but none are given"),
        ({"actmode": 2}, "actmode=2 (fixed) needs activations, but none are given"),
        ({"basesmode": 2, "bases": np.ones((513, 2))}, "bases has 513 frames and 2 channels, but (513, 1) are needed"),
        ({"actmode": 1, "activations": np.ones((4, 1))}, "activations has 4 frames and 1 channel, but (44, 1)"),
        ({"basesmode": 1, "bases": -np.ones((513, 1))}, "bases contains -1, but no entry may be negative"),
        ({"basesmode": 1, "bases": np.full((513, 1), np.nan)}, "contains NaN"),
        ({"resynthmode": 2}, "resynthmode=2 is not one of 0 (none), 1 (resynthesis)"),
        ({"tol": 1}, "tol=1 is not a number from 0"),
        ({"startframe": 22050}, "startframe=22050 is not from 0 to 22049"),
        ({"startframe": -1}, "startframe=-1 is not from 0"),
        ({"numframes": 0}, "numframes=0 is not from 1 to 22050"),
        ({"startframe": 22000, "numframes": 51}, "numframes=51 is not from 1 to 50, which is what there is from"),
        ({"startchan": 1}, "startchan=1 is not from 0 to 0"),
        ({"numchans": 2}, "numchans=2 is not from 1 to 1"),
        ({"fftsettings": (3, -1, -1)}, "fftsettings=(3, -1, -1): the window has at least 4 samples"),
        ({"fftsettings": (1024, 1025, -1)}, "hop=1025 is longer than window=1024"),
        ({"fftsettings": (1024.5, -1, -1)}, "fftsettings=1024.5 is not a whole number"),
        ({"fftsettings": "1024"}, "window, hop and FFT size are needed"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises((InvalidInput, Incompatible)) as refused:
        fl.bufnmf(np.zeros(22050), **options)
    assert words in str(refused.value)


def test_nothing_given_is_changed(loop: Audio) -> None:
    bases, activations = np.ones((513, 2)), np.ones((loop.n_samples // 512 + 1, 2))
    source = loop.samples.T.copy()
    fl.bufnmf(source, components=2, bases=bases, basesmode=1, activations=activations, actmode=1, iterations=2)
    fl.nmffilter(source, bases)
    assert (bases == 1).all()
    assert (activations == 1).all()
    np.testing.assert_array_equal(source, loop.samples.T)


# ---------------------------------------------------------------- the others


@pytest.mark.parametrize(
    "work",
    [
        lambda source, **part: fl.bufnmf(source, components=2, iterations=2, fftsettings=SETTINGS, **part),
        lambda source, **part: fl.bufhpss(source, fftsettings=SETTINGS, **part),
        lambda source, **part: fl.bufsines(source, fftsettings=SETTINGS, **part),
        fl.buftransients,
        lambda source, **part: [fl.nmffilter(source, np.ones((257, 2)), fftsettings=SETTINGS, **part)],
        lambda source, **part: [fl.nmfmatch(source, np.ones((257, 2)), fftsettings=SETTINGS, **part)],
    ],
    ids=["bufnmf", "bufhpss", "bufsines", "buftransients", "nmffilter", "nmfmatch"],
)
def test_a_part_of_a_buffer_is_what_it_is_alone(stereo: Audio, work: Callable[..., Any]) -> None:
    part = work(stereo, startframe=1000, numframes=3000, startchan=1, numchans=1)
    alone = work(Audio(stereo.samples[1:, 1000:4000], 11025))
    for one, other in zip(part, alone, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
        assert one.sample_rate == other.sample_rate
    with pytest.raises(InvalidInput, match="numframes=0 is not from 1"):
        work(stereo, numframes=0)


def test_hpss_sines_and_transients_are_those_of_the_library(stereo: Audio) -> None:
    settings = STFT.flucoma(*SETTINGS)
    thresholds = (0.1, -1.0, 0.9, 2.0)
    made: tuple[Buffer, ...] = fl.bufhpss(
        stereo, harmfiltersize=8, percfiltersize=12, maskingmode=2, harmthresh=thresholds, fftsettings=SETTINGS
    )
    theirs: tuple[Audio, ...] = hpss(
        stereo,
        harmonic_size=9,
        percussive_size=13,
        mode="advanced",
        power=1.0,
        harmonic_threshold=thresholds,
        stft=settings,
    )
    _equal(made, theirs)
    made = fl.bufsines(stereo, bandwidth=9999, mintracklen=5, trackmethod=1, trackfreqrange=30.0, fftsettings=SETTINGS)
    theirs = sines(
        stereo, bandwidth=257, min_track_length=5, tracking="hungarian", track_frequency_range=30, stft=settings
    )
    _equal(made, theirs)
    made = fl.buftransients(stereo, order=25, blocksize=300, padsize=100, skew=1, threshfwd=3, clumplength=20)
    theirs = transients(stereo, order=25, block_size=300, padding=100, skew=1, threshold_forward=3, clump_length=20)
    _equal(made, theirs)


def _equal(made: tuple[Buffer, ...], theirs: tuple[Audio, ...]) -> None:
    for buffer, audio in zip(made, theirs, strict=True):
        np.testing.assert_array_equal(buffer.frames, audio.samples.T)
        assert buffer.sample_rate == audio.sample_rate


def test_bufnmfcross_is_that_of_the_library_with_sizes_made_odd(stereo: Audio, loop: Audio) -> None:
    target = Audio(loop.samples[:, :8000], 22050)
    sizes = {"timesparsity": 4, "polyphony": 2, "continuity": 2}
    made = fl.bufnmfcross(stereo, target, **sizes, iterations=3, seed=5, fftsettings=SETTINGS)
    settings = STFT.flucoma(*SETTINGS)
    theirs = cross(stereo, target, time_sparsity=5, polyphony=3, continuity=3, n_iter=3, rng=5, stft=settings)
    np.testing.assert_array_equal(made.frames, theirs.samples.T)


def test_parameters_are_called_by_flucomas_names_when_they_are_refused(loop: Audio) -> None:
    for words, work in {
        "blocksize=50 is not from 100": lambda: fl.buftransients(loop, blocksize=50),
        "threshfwd=-1 is not from 0": lambda: fl.buftransients(loop, threshfwd=-1.0),
        "order=20 is not below blocksize": lambda: fl.buftransients(loop, order=200, blocksize=200),
        "trackprob=2": lambda: fl.bufsines(loop, trackprob=2.0),
        "birthlowthreshold=1": lambda: fl.bufsines(loop, birthlowthreshold=1.0),
        "harmthresh=(0.0, 1.0), but four": lambda: fl.bufhpss(loop, harmthresh=(0.0, 1.0)),
        "percthresh=(1.0, 1.0, 0.0, 1.0): the": lambda: fl.bufhpss(loop, maskingmode=2, percthresh=(1, 1, 0, 1)),
        "maskingmode=3 is not one of 0 (classic), 1 (coupled)": lambda: fl.bufhpss(loop, maskingmode=3),
        "harmfiltersize=2 is not at least 3": lambda: fl.bufhpss(loop, harmfiltersize=2),
        "mincomponents=5 is more than maxcomponents=4": lambda: fl.bufnmfseed(loop, mincomponents=5, maxcomponents=4),
        "coverage=2": lambda: fl.bufnmfseed(loop, coverage=2.0),
        "method=4 is not one of 0 (nmf-svd)": lambda: fl.bufnmfseed(loop, method=4),
        "target is empty": lambda: fl.bufnmfcross(loop, np.zeros((0, 1))),
        "bases has 4 frames, but 513 are needed": lambda: fl.nmffilter(loop, np.ones((4, 2))),
        "bases contains -1": lambda: fl.nmfmatch(loop, -np.ones((513, 2))),
        "inverse=0 needs a source": fl.bufstft,
        "inverse=1 needs magnitude and phase, but no phase": lambda: fl.bufstft(magnitude=np.ones((4, 513)), inverse=1),
        "padding=3 is not one of 0 (none), 1 (half), 2 (full)": lambda: fl.bufstft(loop, padding=3),
    }.items():
        with pytest.raises(UnweaveError) as refused:
            work()
        assert words in str(refused.value).replace("order=200 is", "order=20 is")


def test_seeds_are_those_of_the_library_and_feed_bufnmf(stereo: Audio) -> None:
    settings = STFT.flucoma(*SETTINGS)
    made = fl.bufnmfseed(stereo, coverage=0.3, method=3, maxcomponents=4, fftsettings=SETTINGS)
    theirs = seed(stereo, stft=settings, coverage=0.3, max_components=4, method="nndsvd", rng=0)
    count = theirs.n_components
    assert made.bases.frames.shape == (257, 2 * count)
    for channel in range(2):
        span = slice(channel * count, (channel + 1) * count)
        np.testing.assert_array_equal(made.bases.frames[:, span], theirs.dictionary.bases[channel])
        np.testing.assert_array_equal(made.activations.frames[:, span], made.activations.frames[:, :count])
    assert made.activations.frames.max() == 1
    parts = fl.bufnmf(
        stereo,
        components=count,
        bases=made.bases,
        basesmode=1,
        activations=made.activations,
        actmode=1,
        iterations=2,
        fftsettings=SETTINGS,
    )
    assert parts.bases.n_channels == 2 * count


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_magnitude_and_phase_go_there_and_back(loop: Audio, padding: int) -> None:
    there = fl.bufstft(loop, padding=padding, startframe=1000, numframes=6000, fftsettings=SETTINGS)
    assert there.resynth.n_frames == 0
    back = fl.bufstft(
        magnitude=there.magnitude, phase=there.phase, inverse=1, padding=padding, numframes=5800, fftsettings=SETTINGS
    )
    assert (back.magnitude.n_frames, back.phase.n_frames) == (0, 0)
    assert back.resynth.sample_rate == 22050
    edge = 30 if padding == 0 else 0  # the first samples lie where the only window is next to zero
    np.testing.assert_allclose(back.resynth.frames[edge:, 0], loop.samples[0, 1000 + edge : 6800], atol=1e-5)


def test_the_way_back_is_as_long_as_flucomas_and_has_the_rate_of_the_sound(tmp_path: Path) -> None:
    """There, 20000 samples become 20480 at 44032 Hz, by way of a file."""
    sound = Buffer(np.sin(np.arange(20000) / 9), 44100)
    there = fl.bufstft(sound)
    files: dict[str, Any] = {"magnitude": tmp_path / "m.wav", "phase": tmp_path / "p.wav"}
    for name, path in files.items():
        fl.write_buffer(path, getattr(there, name))
    back = fl.bufstft(**files, inverse=1).resynth
    assert (back.n_frames, back.sample_rate) == (20480, 44100)
    np.testing.assert_allclose(back.frames[:20000], sound.frames, atol=1e-5)
    assert [rate_of_sound(int(rate / 256), 256) for rate in (8000, 22050, 44100, 48000, 96000)] == [
        *(8000, 22050, 44100, 48000, 96000)
    ]
    assert rate_of_sound(44100 / 512, 512) == 44100
    assert rate_of_sound(7, 512) == 3584


def test_a_filter_gives_sounds_that_sum_to_the_source_in_their_place(stereo: Audio) -> None:
    bases = fl.bufnmf(stereo, components=3, numchans=1, iterations=20).bases
    made = fl.nmffilter(stereo, bases)
    assert made.frames.shape == (stereo.n_samples, 6)
    for channel in range(2):
        total = made.frames[:, 3 * channel : 3 * channel + 3].sum(axis=1)
        np.testing.assert_allclose(total, stereo.samples[channel], atol=1e-6)
    assert fl.nmffilter(stereo, bases, maxcomponents=2).n_channels == 4


def test_a_match_makes_as_many_iterations_as_it_is_told(loop: Audio) -> None:
    made = fl.bufnmf(loop, components=2, iterations=50, resynthmode=0)
    few, many = (fl.nmfmatch(loop, made.bases, iterations=n) for n in (1, 300))
    assert many.frames.shape == made.activations.frames.shape
    assert not np.allclose(few.frames, many.frames, rtol=1e-2)
    settled = fl.bufnmf(loop, components=2, bases=made.bases, basesmode=2, iterations=300, resynthmode=0)
    assert over_error(settled.activations.frames, many.frames / many.frames.max()) > 40


def test_a_morph_begins_with_the_source_and_ends_with_the_target() -> None:
    low, high = np.zeros((2, 257, 1))
    low[19:22, 0], high[59:62, 0] = (0.5, 1, 0.5), (0.5, 1, 0.5)
    playing = Buffer(np.full((63, 1), 50.0), 8000 / 256)
    for interpolation, bin_ in ((0.0, 20), (0.5, 40), (1.0, 60)):
        made = fl.nmfmorph(low, high, playing, interpolation=interpolation, fftsettings=SETTINGS)
        assert (made.n_frames, made.sample_rate) == (62 * 256, 8000)
        spectrum = np.abs(np.fft.rfft(made.frames[4000:8096, 0] * np.hanning(4096)))
        assert abs(spectrum.argmax() - 8 * bin_) <= 8
    with pytest.raises(Incompatible, match="activations has 2 channels, but the source 1: one for each basis"):
        fl.nmfmorph(low, high, np.ones((4, 2)), fftsettings=SETTINGS)


def test_windows_and_ffts_that_are_no_powers_of_two_become_what_flucoma_makes_of_them() -> None:
    assert transform_of((1000, -1, -1)).n_bins == 513
    assert transform_of((1024, -1, 512)).n_bins == 513
    assert transform_of((1024, -1, 3000)).n_bins == 2049
    assert transform_of((1024, 256, -1, 65536)) == STFT.flucoma(1024, 256)
    assert transform_of((1024,)) == STFT.flucoma()


# ---------------------------------------------------------------- buffers and files


def test_what_may_stand_for_a_buffer(tmp_path: Path, stereo: Audio) -> None:
    fl.write_buffer(tmp_path / "a.wav", Buffer.of(stereo))
    for value in (stereo, tmp_path / "a.wav", str(tmp_path / "a.wav"), Buffer(stereo.samples.T, 11025)):
        found = as_buffer("source", value)
        np.testing.assert_array_equal(found.frames, stereo.samples.T)
        assert found.sample_rate == 11025
    assert as_buffer("source", np.zeros(3)).frames.shape == (3, 1)
    with pytest.raises(InvalidInput, match=r"source\.shape=\(1, 5000\), but a buffer is \(frames, channels\)"):
        as_buffer("source", np.zeros((1, 5000)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((2, 2, 2)), "but real numbers (frames, channels) are needed"),
        (np.zeros(3, complex), "but real numbers (frames, channels) are needed"),
        ([[1.0], [1.0, 2.0]], "rows of different lengths"),
        (np.array([0.0, np.inf]), "frames contains NaN or infinity"),
        (np.zeros((3, 0)), "at least one channel"),
    ],
)
def test_what_is_no_buffer_is_refused(value: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Buffer(value)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["bases.wav", "bases.csv", "BASES.CSV"])
@pytest.mark.parametrize("shape", [(1, 1), (513, 3), (5, 1539), (44, 2)])
def test_a_buffer_comes_back_from_its_file_to_the_bit(tmp_path: Path, name: str, shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * np.float32(1e-5)
    fl.write_buffer(tmp_path / name, Buffer(frames, 44100 / 1024))
    found = fl.read_buffer(tmp_path / name)
    np.testing.assert_array_equal(found.frames, frames)
    assert found.sample_rate == (43 if name.endswith("wav") else 44100)
    assert fl.read_buffer(tmp_path / name, sample_rate=44100 / 1024).sample_rate == 44100 / 1024
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_line_of_a_csv_is_a_channel_however_its_numbers_are_parted(tmp_path: Path) -> None:
    fl.write_buffer(tmp_path / "a.csv", Buffer(np.array([[1, 2], [0.5, 4], [3, 5]])))
    assert (tmp_path / "a.csv").read_text() == "1,0.5,3\n2,4,5\n"
    (tmp_path / "b.csv").write_text("1, 0.5, 3,\r\n2\t4 5\r\n\r\n")
    np.testing.assert_array_equal(fl.read_buffer(tmp_path / "b.csv").frames, [[1, 2], [0.5, 4], [3, 5]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no buffer: every line is a channel"),
        ("1,2\n3\n", "is no buffer: every line is a channel"),
        ("1,two\n", "is no table of numbers"),
        ("1,nan\n", "contains NaN or infinity"),
    ],
)
def test_a_csv_that_is_no_buffer_is_said_to_be_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ReadError) as refused:
        fl.read_buffer(tmp_path / "a.csv")
    assert words in str(refused.value)


def test_files_that_are_missing_are_told_by_name(tmp_path: Path) -> None:
    for name in ("no.wav", "no.csv"):
        with pytest.raises(ReadError, match=name):
            fl.read_buffer(tmp_path / name)


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "old.wav").write_bytes(b"old")
    (tmp_path / "folder.wav").mkdir()
    small = Buffer(np.zeros(3), 8000)
    for bad in ("folder.wav", "missing/b.wav", "missing/b.csv"):
        with pytest.raises(WriteError, match="cannot be written") as refused:
            write_buffers({str(tmp_path / "old.wav"): small, str(tmp_path / bad): small})
        assert str(tmp_path / bad) in str(refused.value)
        assert ".unweave" not in str(refused.value)
    with pytest.raises(InvalidInput, match=r"b\.xyz"):
        write_buffers({str(tmp_path / "old.wav"): small, str(tmp_path / "b.xyz"): small})
    assert (tmp_path / "old.wav").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.wav", "old.wav"]


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(InvalidInput, match="source is empty: it has no frames"):
        fl.bufnmf(np.zeros((0, 1)))


# ---------------------------------------------------------------- data sets


def test_data_sets_and_label_sets_go_there_and_back(tmp_path: Path, loop: Audio) -> None:
    bases = fl.bufnmf(loop, components=2, iterations=2, resynthmode=0).bases
    points = fl.points_of(bases, transpose=1, labels=["kick", "hät"])
    assert {name: row.shape for name, row in points.items()} == {"kick": (513,), "hät": (513,)}
    fl.write_dataset(tmp_path / "d.json", points)
    found = fl.read_dataset(tmp_path / "d.json")
    assert list(found) == ["kick", "hät"]
    np.testing.assert_array_equal(found["hät"], bases.frames[:, 1])
    fl.write_labelset(tmp_path / "l.json", {"a": "low", "b": "high"})
    assert fl.read_labelset(tmp_path / "l.json") == {"a": "low", "b": "high"}
    assert (tmp_path / "l.json").read_text("utf-8") == '{"cols": 1, "data": {"a": ["low"], "b": ["high"]}}'
    fl.write_dataset(tmp_path / "e.json", {})
    assert fl.read_dataset(tmp_path / "e.json") == {}
    (tmp_path / "f.json").write_text('{"cols": 3}')
    assert fl.read_dataset(tmp_path / "f.json") == {}, "as FluCoMa writes a set without points"
    (tmp_path / "s.json").write_text('{"cols": 1, "data": {"a": "low"}}')
    assert fl.read_labelset(tmp_path / "s.json") == {"a": "low"}
    assert sorted(fl.points_of(np.zeros((3, 2)))) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no data set of FluCoMa"),
        ("[1]", "is needed"),
        ('{"means": [1], "rows": 1, "cols": 1, "data": [[1]]}', "data must hold points by their names"),
        ('{"cols": 2, "data": {"a": [1]}}', "cols is 2, but points have [1] entries"),
        ('{"cols": 1, "data": {"a": ["x"]}}', "the point 'a' has something else than numbers"),
        ('{"cols": 1, "data": {"a": [NaN]}}', "the point 'a' contains NaN"),
    ],
)
def test_what_is_no_data_set_is_said_to_be_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(ReadError) as refused:
        fl.read_dataset(tmp_path / "d.json")
    assert words in str(refused.value)


def test_points_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Incompatible, match="points have 1 to 2 entries"):
        fl.write_dataset(tmp_path / "d.json", {"a": [1], "b": [1, 2]})
    with pytest.raises(InvalidInput, match="the point 'a' is no row of finite numbers"):
        fl.write_dataset(tmp_path / "d.json", {"a": [np.nan]})
    with pytest.raises(Incompatible, match="1 labels for 2 points"):
        fl.points_of(np.zeros((2, 2)), labels=["a"])
    with pytest.raises(InvalidInput, match="labels has a name twice"):
        fl.points_of(np.zeros((2, 2)), labels=["a", "a"])
    with pytest.raises(WriteError, match="cannot be written"):
        fl.write_dataset(tmp_path / "no" / "d.json", {"a": [1]})
    with pytest.raises(ReadError, match="cannot be read"):
        fl.read_labelset(tmp_path / "no.json")
    (tmp_path / "d.json").write_text('{"cols": 2, "data": {"a": ["x", "y"]}}')
    with pytest.raises(ReadError, match="every point needs one label"):
        fl.read_labelset(tmp_path / "d.json")
    assert [path.name for path in tmp_path.iterdir()] == ["d.json"]
