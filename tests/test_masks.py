import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unweave.convolutive import ConvolutiveFactorization
from unweave.errors import InvalidInput
from unweave.factorization import Factorization
from unweave.masks import ModelMasks, SoftMasks, masks_of, require_power, with_phase

POWERS = [0.5, 1.0, 2.0, 20.0]
EVERY = slice(None)


def factorization(n_bins=9, n_frames=11, n_components=4, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return Factorization(
        rng.random((n_bins, n_components)).astype(dtype), rng.random((n_components, n_frames)).astype(dtype)
    )


def all_masks(found, power=1.0):
    return SoftMasks.of(found, power).block(EVERY, range(found.n_components))


def direct(found, power):
    """The formula in float64, by logarithms so that nothing overflows: (components, frames, bins)."""
    with np.errstate(divide="ignore"):
        levels = np.log(found.activations.astype(np.float64))[:, :, None]
        levels = power * (levels + np.log(found.bases.T.astype(np.float64))[:, None, :])
    top = levels.max(axis=0)
    weights = np.where(np.isneginf(top), 1, np.exp(levels - np.where(np.isneginf(top), 0, top)))
    return weights / weights.sum(axis=0)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_are_the_formula(power, dtype):
    found = factorization(dtype=dtype)
    masks = all_masks(found, power)
    assert (masks.shape, masks.dtype) == ((4, 11, 9), np.float32)
    products = found.activations.astype(np.float64)[:, :, None] * found.bases.T.astype(np.float64)[:, None, :]
    np.testing.assert_allclose(masks, products**power / (products**power).sum(axis=0), rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("n_components", [1, 2, 30])
def test_masks_are_shares_that_sum_to_one(power, n_components):
    masks = all_masks(factorization(50, 60, n_components), power)
    assert masks.min() >= 0
    assert masks.max() <= 1
    np.testing.assert_allclose(masks.sum(axis=0, dtype=np.float64), 1, atol=1e-6)


def amounts(*shape):
    exponents = hnp.arrays(np.float64, shape, elements=st.floats(-30, 30))
    return st.builds(
        lambda e, zero: np.where(zero, 0, 10.0**e), exponents, hnp.arrays(np.bool_, shape, elements=st.booleans())
    )


@pytest.mark.parametrize("power", POWERS)
@given(amounts(5, 3), amounts(3, 4))
def test_masks_are_the_formula_for_factors_of_any_size(power, bases, activations):
    found = Factorization(bases, activations)
    masks = all_masks(found, power)
    assert masks.min() >= 0
    assert masks.max() <= 1
    np.testing.assert_allclose(masks, direct(found, power), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("power", POWERS)
def test_components_that_are_strong_at_different_places_are_still_told_apart(power):
    """One component has the bin, the other the frame, and both products are far below float32."""
    bases = np.array([[1.0, 1e-20, 0.0], [1.0, 1.0, 0.0]])
    activations = np.array([[1e-20, 1.0], [3.0, 1.0], [0.0, 1.0]])
    found = Factorization(bases, activations)
    masks = all_masks(found, power)
    share = 3.0**power / (3.0**power + 1)
    np.testing.assert_allclose(masks[:, 0, 0], [1 - share, share, 0], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(masks, direct(found, power), rtol=1e-5, atol=1e-9)


def test_bins_without_energy_are_shared_equally():
    bases, activations = np.ones((3, 4)), np.ones((4, 5))
    bases[1] = 0  # a bin where nothing ever sounds
    activations[:, 2] = 0  # a frame of silence
    bases[2, :2], activations[2:, 4] = 0, 0  # a bin and a frame whose components never meet
    masks = all_masks(Factorization(bases, activations))
    np.testing.assert_array_equal(masks[:, :, 1], 0.25)
    np.testing.assert_array_equal(masks[:, 2, :], 0.25)
    np.testing.assert_array_equal(masks[:, 4, 2], 0.25)
    np.testing.assert_array_equal(masks[:, 0, 2], [0, 0, 0.5, 0.5])


def test_silence_is_shared_equally():
    masks = all_masks(Factorization(np.zeros((3, 5)), np.zeros((5, 4))), 20)
    np.testing.assert_array_equal(masks, np.float32(0.2))


def test_a_greater_power_gives_more_to_the_strongest():
    found = factorization()
    strongest = [all_masks(found, power).max(axis=0).mean() for power in POWERS]
    assert strongest == sorted(strongest)
    assert strongest[-1] > 0.9


def test_some_components_and_frames_are_part_of_all():
    masks = SoftMasks.of(factorization(), 2)
    whole = masks.block(EVERY, range(4))
    np.testing.assert_allclose(masks.block(slice(3, 8), [2, 0]), whole[[2, 0], 3:8], rtol=1e-6)


def test_the_scale_of_a_component_does_not_matter_between_its_factors():
    found = factorization(dtype=np.float64)
    scale = np.array([1e-12, 1.0, 1e6, 1e12])
    scaled = Factorization(found.bases * scale, found.activations / scale[:, None])
    np.testing.assert_allclose(all_masks(scaled, 3), all_masks(found, 3), rtol=1e-5)


def test_nothing_given_is_changed():
    bases, activations = np.random.default_rng(0).random((2, 6, 6))
    before = bases.copy(), activations.copy()
    all_masks(Factorization(bases, activations), 2)
    np.testing.assert_array_equal(bases, before[0])
    np.testing.assert_array_equal(activations, before[1])


@pytest.mark.parametrize("power", [1, 2.5, np.float32(2), np.int64(20)])
def test_powers_are_numbers(power):
    assert require_power(power) == power
    assert type(require_power(power)) is float


@pytest.mark.parametrize("power", [0, -1, 20.1, np.inf, np.nan])
def test_a_power_out_of_range_is_refused(power):
    with pytest.raises(InvalidInput, match=f"power={power} is not above 0 and at most 20: 1 shares magnitudes"):
        SoftMasks.of(factorization(), power)


@pytest.mark.parametrize("power", [True, "2", None, 1j])
def test_a_power_that_is_no_number_is_refused(power):
    with pytest.raises(InvalidInput, match=r"power=.* is not a number\."):
        require_power(power)


def test_magnitudes_get_the_phase_of_the_mixture():
    rng = np.random.default_rng(1)
    mixture = (rng.standard_normal((2, 3, 4)) + 1j * rng.standard_normal((2, 3, 4))).astype(np.complex64)
    mixture[0, 0, 0] = 0
    magnitude = rng.random((2, 3, 4)).astype(np.float32)
    found = with_phase(magnitude, mixture)
    assert found.dtype == np.complex64
    np.testing.assert_allclose(abs(found), magnitude, rtol=1e-6)
    np.testing.assert_allclose(np.angle(found), np.angle(mixture), atol=1e-6)
    assert found[0, 0, 0] == magnitude[0, 0, 0]


# -- of bases with taps


def tapped(n_taps=4, dtype=np.float32):
    rng = np.random.default_rng(2)
    return ConvolutiveFactorization(rng.random((9, 3, n_taps)).astype(dtype), rng.random((3, 11)).astype(dtype))


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks_of_taps_are_the_formula_of_their_sums(power, dtype):
    found = tapped(dtype=dtype)
    masks = masks_of(found, power).block(slice(0, 11), range(3))
    assert (masks.shape, masks.dtype) == ((3, 11, 9), np.float32)
    values = np.stack([found.component(k).T.astype(np.float64) for k in range(3)]) ** power
    np.testing.assert_allclose(masks, values / values.sum(axis=0), rtol=1e-4, atol=1e-9)
    part = masks_of(found, power).block(slice(5, 9), [2, 0])
    np.testing.assert_array_equal(part, masks[[2, 0], 5:9])


@pytest.mark.parametrize("power", POWERS)
def test_masks_of_one_tap_are_those_of_the_plain_factorisation(power):
    found = tapped(1)
    plain = Factorization(found.bases[:, :, 0], found.activations)
    assert isinstance(masks_of(plain), SoftMasks)
    assert isinstance(masks_of(found), ModelMasks)
    expected = all_masks(plain, power)
    np.testing.assert_allclose(masks_of(found, power).block(slice(0, 11), range(3)), expected, rtol=1e-4, atol=1e-7)


def test_where_taps_are_silent_all_have_the_same_share():
    found = ConvolutiveFactorization(np.ones((2, 4, 2), np.float32), np.eye(4, 6, dtype=np.float32))
    masks = masks_of(found, 2).block(slice(0, 6), range(4))
    np.testing.assert_array_equal(masks[:, 5], 0.25)
    np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-6)
    with pytest.raises(InvalidInput, match="power=0"):
        masks_of(found, 0)
