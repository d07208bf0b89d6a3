import numpy as np
import pytest
from scipy.signal import lfilter

from unweave.audio import Audio
from unweave.errors import Incompatible, InvalidInput
from unweave.evaluation import CEILING, FLOOR, Correlations, bss_eval

DEPRECATED = pytest.mark.filterwarnings("ignore:.*mir_eval:FutureWarning")


def sources(n_channels, n=20_000, count=3, seed=0):
    noise = np.random.default_rng(seed).standard_normal((count, n_channels, n))
    return lfilter([0.1], [1, -0.9], noise).astype(np.float32)


def estimates(true, seed=1):
    """Leaked, filtered and noisy."""
    leak = np.array([[1, 0.2, 0.1], [0.1, 1, 0.3], [0, 0.2, 0.8]])
    mixed = lfilter([1, 0.5, 0.1], [1], np.einsum("ij,jcn->icn", leak, true))
    return (mixed + 0.03 * np.random.default_rng(seed).standard_normal(true.shape)).astype(np.float32)


def sounds(stack):
    return [Audio(each, 8000) for each in stack]


@DEPRECATED
def test_one_channel_agrees_with_mir_eval():
    separation = pytest.importorskip("mir_eval.separation")
    true = sources(1)
    found = estimates(true)[[2, 0, 1]]
    sdr, sir, sar, order = separation.bss_eval_sources(true[:, 0].astype(float), found[:, 0].astype(float))
    ours = bss_eval(sounds(true), sounds(found))
    assert ours.permutation() == order.tolist() == [1, 2, 0]
    at = (range(3), order)
    for mine, theirs in ((ours.sdr, sdr), (ours.sir, sir), (ours.sar, sar)):
        assert mine[at] == pytest.approx(theirs, abs=1e-6)


@DEPRECATED
def test_images_of_two_channels_agree_with_mir_eval():
    separation = pytest.importorskip("mir_eval.separation")
    true = sources(2, n=6000, count=2)
    found = (true + 0.2 * true[::-1] + 0.01 * sources(2, n=6000, count=2, seed=5)).astype(np.float32)
    images = (each.transpose(0, 2, 1).astype(float) for each in (true, found))
    sdr, isr, sir, sar, order = separation.bss_eval_images(*images)
    ours = bss_eval(sounds(true), sounds(found))
    at = (range(2), order)
    for mine, theirs in ((ours.sdr_image, sdr), (ours.isr, isr), (ours.sir, sir), (ours.sar, sar)):
        assert mine[at] == pytest.approx(theirs, abs=1e-6)


def test_the_size_of_the_blocks_changes_nothing():
    true, found = sources(2, n=3000), estimates(sources(2, n=3000))
    whole = bss_eval(sounds(true), sounds(found), filter_length=16)
    sums = Correlations(3, 3, 2, 16)
    for at in range(0, 3000, 7):
        sums.add(true[..., at : at + 7], found[..., at : at + 7])
    found_so = sums.finish()
    for name in ("sdr", "sir", "sar", "sdr_image", "isr"):
        assert getattr(found_so, name) == pytest.approx(getattr(whole, name), abs=1e-8)


def test_a_filter_of_the_source_is_no_error():
    true = sources(1)
    heard = lfilter([0.5, 0.3, 0.2], [1], true).astype(np.float32)
    scores = bss_eval(sounds(true), sounds(heard), filter_length=32)
    assert scores.sdr.diagonal().min() > 40
    assert scores.sdr_image.diagonal().max() < 20


def test_the_truth_scores_most_and_silence_least():
    true = sources(1)
    silent = np.zeros_like(true)
    assert bss_eval(sounds(true), sounds(true), filter_length=4).sdr.diagonal().min() > 90
    assert (bss_eval(sounds(true), sounds(silent), filter_length=4).sdr == FLOOR).all()
    assert (bss_eval(sounds(silent), sounds(true), filter_length=4).sdr == FLOOR).all()
    assert CEILING == 300


def test_equal_sources_and_short_sounds_have_scores():
    one = sources(1, n=300, count=1)
    twice = np.concatenate([one, one])
    assert np.isfinite(bss_eval(sounds(twice), sounds(twice), filter_length=8).sdr).all()
    for n in (0, 1, 5):
        scores = bss_eval(sounds(twice[..., :n]), sounds(twice[..., :n]), filter_length=8)
        assert np.isfinite(scores.sdr).all()
    assert bss_eval([], []).sdr.shape == (0, 0)


def test_what_cannot_be_compared_is_refused():
    one, other = sounds(sources(1, n=300, count=1)), sounds(sources(1, n=301, count=1))
    with pytest.raises(Incompatible, match="length, channels and rate must agree"):
        bss_eval(one, other)
    with pytest.raises(Incompatible, match="0 estimates for 1 references"):
        bss_eval(one, [])
    with pytest.raises(InvalidInput, match="filter_length=0 is not a whole number from 1 to 4096"):
        bss_eval(one, one, filter_length=0)
