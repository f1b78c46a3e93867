"""The high-pass kernels as printed, and their responses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_layers as plain

from stegojax.models import high_pass

KV = [
    [-1, 2, -2, 2, -1],
    [2, -6, 8, -6, 2],
    [-2, 8, -12, 8, -2],
    [2, -6, 8, -6, 2],
    [-1, 2, -2, 2, -1],
]
KB = [[0, 0, 0, 0, 0], [0, -1, 2, -1, 0], [0, 2, -4, 2, 0], [0, -1, 2, -1, 0], [0, 0, 0, 0, 0]]
AROUND = {
    "NW": (1, 1),
    "N": (1, 2),
    "NE": (1, 3),
    "W": (2, 1),
    "E": (2, 3),
    "SW": (3, 1),
    "S": (3, 2),
    "SE": (3, 3),
}


def kernel(entries):
    k = np.zeros((5, 5))
    for place, value in entries.items():
        k[place] = value
    return k


def test_first_order_kernels_take_the_middle_from_a_neighbour():
    for k, place in zip(high_pass.SRM[:8], AROUND.values(), strict=True):
        np.testing.assert_array_equal(k, kernel({(2, 2): -1, place: 1}))


def test_second_order_kernels_lie_on_four_lines():
    lines = [((1, 1), (3, 3)), ((1, 2), (3, 2)), ((1, 3), (3, 1)), ((2, 1), (2, 3))]
    for k, (one, other) in zip(high_pass.SRM[8:12], lines, strict=True):
        np.testing.assert_array_equal(k, kernel({one: 1, (2, 2): -2, other: 1}))


def test_third_order_kernels_point_in_eight_directions():
    for k, name in zip(
        high_pass.SRM[12:20], ("NW", "N", "NE", "E", "SE", "S", "SW", "W"), strict=True
    ):
        i, j = AROUND[name]
        np.testing.assert_array_equal(
            k, kernel({(2 * i - 2, 2 * j - 2): -1, (i, j): 3, (2, 2): -3, (4 - i, 4 - j): 1})
        )


@pytest.mark.parametrize("first, square", [(20, KB), (24, KV)])
def test_edge_kernels_keep_half_a_square(first, square):
    square = np.asarray(square)
    top, right, bottom, left = (square.copy() for _ in range(4))
    top[3:] = bottom[:2] = 0
    right[:, :2] = left[:, 3:] = 0
    np.testing.assert_array_equal(high_pass.SRM[first : first + 4], [top, right, bottom, left])


def test_squares_are_as_printed():
    np.testing.assert_array_equal(high_pass.SRM[28:], [KB, KV])
    np.testing.assert_array_equal(high_pass.KB, [KB])
    np.testing.assert_array_equal(high_pass.KV, [KV])
    np.testing.assert_allclose(high_pass.KV_NORMALISED, np.asarray([KV]) / 12, rtol=1e-6)


def test_basic_kernels_are_the_six_of_spar_rl():
    expected = [
        kernel({(2, 2): -1, (2, 3): 1}),
        kernel({(2, 2): -1, (3, 2): 1}),
        kernel({(2, 1): 1, (2, 2): -2, (2, 3): 1}),
        kernel({(1, 2): 1, (2, 2): -2, (3, 2): 1}),
        KB,
        KV,
    ]
    np.testing.assert_array_equal(high_pass.BASIC, expected)


def test_kernels_sum_to_zero_and_normalised_ones_have_middle_minus_one():
    assert high_pass.SRM.shape == high_pass.SRM_NORMALISED.shape == (30, 5, 5)
    assert not high_pass.SRM.sum(axis=(1, 2)).any()
    np.testing.assert_allclose(high_pass.SRM_NORMALISED.sum(axis=(1, 2)), 0, atol=1e-6)
    assert (high_pass.SRM_NORMALISED[:, 2, 2] == -1).all()
    divisors = np.repeat([1, 2, 3, 4, 12, 4, 12], [8, 4, 8, 4, 4, 1, 1])[:, None, None]
    np.testing.assert_allclose(high_pass.SRM_NORMALISED * divisors, high_pass.SRM, rtol=1e-6)


def test_kernels_cannot_be_changed():
    for name in ("SRM", "SRM_NORMALISED", "KB", "KV", "KV_NORMALISED", "BASIC"):
        array = getattr(high_pass, name)
        assert array.dtype == np.float32 and not array.flags.writeable, name


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_residuals_are_cross_correlations_channel_by_channel(padding):
    x = plain.picture(0, (2, 7, 9, 3))
    expected = np.concatenate(
        [plain.bank(x[..., c : c + 1], high_pass.SRM_NORMALISED, padding) for c in range(3)],
        axis=-1,
    )
    actual = high_pass.residuals(x, high_pass.SRM_NORMALISED, padding=padding)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)


def test_residuals_of_a_shifted_picture_are_the_same():
    x = plain.picture(1, (1, 12, 11, 1))
    whole, shifted = (high_pass.residuals(y, high_pass.SRM) for y in (x, x + 17))
    np.testing.assert_array_equal(whole[:, 2:-2, 2:-2], shifted[:, 2:-2, 2:-2])
    assert not np.array_equal(whole, shifted)
    whole, shifted = (high_pass.residuals(y, high_pass.SRM, padding="VALID") for y in (x, x + 17))
    np.testing.assert_array_equal(whole, shifted)


def test_the_gradient_of_residuals_is_the_kernel_turned_around():
    gradient = jax.grad(lambda x: high_pass.residuals(x, high_pass.SRM[12:13])[0, 4, 4, 0])(
        jnp.zeros((1, 9, 9, 1))
    )
    expected = np.zeros((9, 9))
    expected[2:7, 2:7] = high_pass.SRM[12]
    np.testing.assert_array_equal(gradient[0, :, :, 0], expected)


def test_what_cannot_be_filtered_is_refused():
    with pytest.raises(ValueError, match=r"\(8, 8\) and \(30, 5, 5\) were given"):
        high_pass.residuals(jnp.zeros((8, 8)), high_pass.SRM)
    with pytest.raises(ValueError, match=r"and \(1, 3, 3\) were given"):
        high_pass.residuals(jnp.zeros((1, 8, 8, 1)), np.zeros((1, 3, 3), np.float32))
    with pytest.raises(ValueError, match="'FULL' was given"):
        high_pass.residuals(jnp.zeros((1, 8, 8, 1)), high_pass.SRM, padding="FULL")
